"""The lab's clock runs ahead while everybody waits, and not while somebody works."""

import asyncio
import time

from apigw_doctor.lab.clock import Clock, run


def test_waiting_takes_its_virtual_time_and_a_fraction_of_the_real_one() -> None:
    async def main(clock: Clock) -> float:
        began = clock.now_ms()
        await asyncio.sleep(29.0)
        return clock.now_ms() - began

    assert 29_000.0 <= run(main, scale=1000.0, start_ms=0.0) < 31_000.0


def test_work_in_this_process_counts_once() -> None:
    async def main(clock: Clock) -> float:
        began = clock.now_ms()
        time.sleep(0.05)
        return clock.now_ms() - began

    assert 50.0 <= run(main, scale=1000.0, start_ms=0.0) < 2_000.0


def test_while_somebody_holds_the_clock_time_passes_as_on_the_wall() -> None:
    async def main(clock: Clock) -> tuple[float, float]:
        clock.hold()
        began, real = clock.now_ms(), time.perf_counter()
        await asyncio.sleep(0.05)
        clock.release()
        return clock.now_ms() - began, (time.perf_counter() - real) * 1000.0

    virtual_ms, real_ms = run(main, scale=1000.0, start_ms=0.0)
    assert virtual_ms < 10.0 * real_ms


def test_timers_that_are_due_at_the_same_moment_fire_in_their_order() -> None:
    async def main(clock: Clock) -> list[int]:
        fired: list[int] = []
        loop = asyncio.get_running_loop()
        for number, seconds in enumerate((3.0, 1.0, 2.0)):
            loop.call_later(seconds, fired.append, number)
        await asyncio.sleep(5.0)
        return fired

    assert run(main, scale=500.0, start_ms=0.0) == [1, 2, 0]


def test_time_begins_where_it_is_told_to() -> None:
    async def main(clock: Clock) -> float:
        return clock.now_ms()

    assert 1_790_848_800_000.0 <= run(main, scale=50.0, start_ms=1_790_848_800_000.0) < 1_790_848_801_000.0
