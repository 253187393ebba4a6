"""One virtual clock for everything in a lab: gateway, functions, relay, clients.

An event loop that runs ahead while everybody waits. Its timers (`asyncio.sleep`, `wait_for`, `call_later`) are
virtual: as long as all parties only wait for a timer, time passes `scale` times as fast; while anybody works - this
process, or a function's process that holds the clock - it passes as it does on the wall. So the machine's own overhead
counts once, whatever the scale is.

A function's process holds the clock from the moment it gets work until it waits for a timer, a socket or its next
work (`hold` and `release`); see `environment/virtual.py` for its side.
"""

import asyncio
import selectors
import time
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, TypeVar

T = TypeVar("T")

#: Where a lab's day begins unless told otherwise: a fixed morning, so that a seed gives the same times.
DEFAULT_START_MS = 1_790_848_800_000.0


class Clock:
    """Virtual time in epoch milliseconds; see the module."""

    def __init__(self, scale: float = 1.0, start_ms: float | None = None) -> None:
        self.scale = scale
        self._real = time.perf_counter()
        self._virtual_s = (time.time() * 1000.0 if start_ms is None else start_ms) / 1000.0
        self._rate = 1.0
        self._holds = 0
        self._until_s: float | None = None

    def now_ms(self) -> float:
        """Epoch milliseconds of the lab's time."""
        return self.time_s() * 1000.0

    def time_s(self) -> float:
        """Epoch seconds of the lab's time; what the event loop calls its time."""
        passed_s = (time.perf_counter() - self._real) * self._rate
        if self._until_s is not None and passed_s > (ahead_s := self._until_s - self._virtual_s):
            # Waking late is the machine's overhead and counts once.
            passed_s = ahead_s + (passed_s - ahead_s) / self._rate
        return self._virtual_s + passed_s

    def hold(self) -> None:
        """Somebody works: time passes as on the wall until `release`."""
        self._holds += 1
        self._turn(1.0, None)

    def release(self) -> None:
        """The work of one `hold` is done, or waits."""
        self._holds -= 1

    @property
    def held(self) -> bool:
        """Whether somebody works outside this process."""
        return self._holds > 0

    def begin_wait(self, timeout_s: float | None) -> float | None:
        """The loop is about to wait for so many virtual seconds; returns how many real ones that are."""
        if self.held or self.scale == 1.0:
            return timeout_s
        until = None if timeout_s is None else self.time_s() + timeout_s
        self._turn(self.scale, until)
        return None if timeout_s is None else timeout_s / self.scale

    def end_wait(self) -> None:
        """The loop has something to do."""
        self._turn(1.0, None)

    def _turn(self, rate: float, until_s: float | None) -> None:
        now_s = self.time_s()
        self._real = time.perf_counter()
        self._virtual_s, self._rate, self._until_s = now_s, rate, until_s


class _Selector(selectors.BaseSelector):
    """The system's selector, whose waiting time is the clock's."""

    def __init__(self, clock: Clock) -> None:
        self._inner = selectors.DefaultSelector()
        self._clock = clock

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:  # noqa: ANN401 - as in the standard library
        return self._inner.register(fileobj, events, data)

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:  # noqa: ANN401
        return self._inner.unregister(fileobj)

    def modify(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:  # noqa: ANN401
        return self._inner.modify(fileobj, events, data)

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        # What is ready now costs no time.
        if timeout is None or timeout > 0:
            ready = self._inner.select(0)
            if ready:
                return ready
        real = self._clock.begin_wait(timeout)
        try:
            return self._inner.select(real)
        finally:
            self._clock.end_wait()

    def close(self) -> None:
        self._inner.close()

    def get_key(self, fileobj: Any) -> selectors.SelectorKey:  # noqa: ANN401
        return self._inner.get_key(fileobj)

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        return self._inner.get_map()


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop on a lab's clock."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        super().__init__(_Selector(clock))

    def time(self) -> float:
        """Seconds of the lab's clock."""
        return self.clock.time_s()


def run(main: Callable[[Clock], Coroutine[Any, Any, T]], *, scale: float = 1.0, start_ms: float | None = None) -> T:
    """Run `main` on an event loop with a virtual clock.

    >>> async def nap(clock):
    ...     began = clock.now_ms()
    ...     await asyncio.sleep(20.0)
    ...     return round((clock.now_ms() - began) / 1000.0)
    >>> run(nap, scale=1000.0)
    20
    """
    clock = Clock(scale, start_ms)
    with asyncio.Runner(loop_factory=lambda: VirtualLoop(clock)) as runner:
        return runner.run(main(clock))
