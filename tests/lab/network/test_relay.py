import asyncio
import socket
import threading
from typing import Any

import pytest
from tests.lab.network.lab import Echo, Line, about, connects, play, timed

from apigw_doctor.lab.clock import Clock
from apigw_doctor.lab.network.faults import (
    BlackHole,
    DeadZone,
    Delay,
    Fault,
    IdleCut,
    Refuse,
    ResetAnswer,
    Silence,
    SlowStart,
    Trickle,
)
from apigw_doctor.lab.network.relay import Relay


def test_a_healthy_path_carries_lines_both_ways_and_adds_no_time() -> None:
    async def scene(clock: Clock) -> None:
        async with Echo(wait_s=3.0) as echo, Relay(clock, echo.address) as relay:
            with timed(clock) as span:
                async with Line(relay.port) as line:
                    assert await line.ask("one") == "one echo"
                    assert await line.ask("two") == "two echo"
            assert span.ms == about(6_000)
            assert relay.accepted == 1

    play(scene)


def test_many_megabytes_pass_unharmed() -> None:
    async def scene(clock: Clock) -> None:
        async def pour(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(bytes(range(256)) * 40_000)
            await writer.drain()
            writer.close()

        server = await asyncio.start_server(pour, "127.0.0.1")
        async with server, Relay(clock, server.sockets[0].getsockname()) as relay, Line(relay.port) as line:
            # A reader that dawdles, so that the relay has to wait for it.
            await asyncio.sleep(5.0)
            assert await line.reader.read(-1) == bytes(range(256)) * 40_000

    play(scene)


def test_a_half_closed_connection_still_brings_the_answer() -> None:
    async def scene(clock: Clock) -> None:
        async with Echo(wait_s=2.0) as echo, Relay(clock, echo.address) as relay, Line(relay.port) as line:
            line.writer.write(b"last\n")
            line.writer.write_eof()
            assert await line.reader.read() == b"last echo\n"

    play(scene)


def test_delay_of_a_connection_counts_once_and_delay_of_chunks_each_time() -> None:
    async def scene(clock: Clock) -> None:
        async with Echo() as echo, Relay(clock, echo.address) as relay:
            for per, first, second in (("connection", 4_000, 0), ("chunk", 4_000, 4_000)):
                relay.set(Delay(ms=4_000.0, per=per))  # type: ignore[arg-type]
                async with Line(relay.port) as line:
                    with timed(clock) as span:
                        assert await line.ask() == "hello echo"
                    assert span.ms == about(first)
                    with timed(clock) as span:
                        assert await line.ask() == "hello echo"
                    assert span.ms == about(second)

    play(scene)


def test_refused_while_set_and_the_port_stays_the_same() -> None:
    async def scene(clock: Clock) -> None:
        async with Echo() as echo, Relay(clock, echo.address) as relay:
            port = relay.port
            async with Line(port) as before:
                relay.set(Refuse())
                with timed(clock) as span:
                    assert await connects(port, 30.0) == "refused"
                assert span.ms == about(0)
                assert await before.ask() == "hello echo"
                relay.set()
                assert await connects(port, 30.0) == "connected"
            assert relay.port == port

    play(scene)


def test_a_black_hole_leaves_the_connect_unanswered() -> None:
    async def scene(clock: Clock) -> None:
        async with Echo() as echo, Relay(clock, echo.address) as relay:
            relay.set(BlackHole())
            for _ in range(3):
                with timed(clock) as span:
                    assert await connects(relay.port, 10.0) == "hangs"
                assert span.ms == about(10_000)
            relay.set()
            assert await connects(relay.port, 10.0) == "connected"
            assert echo.lines == []

    play(scene)


def test_windows_open_and_close_the_door_by_the_clock() -> None:
    async def scene(clock: Clock) -> None:
        async with Echo() as echo, Relay(clock, echo.address) as relay:
            now = clock.now_ms()
            relay.set(
                Refuse(from_ms=now + 10_000, until_ms=now + 20_000),
                BlackHole(from_ms=now + 30_000, until_ms=now + 60_000),
            )
            seen = []
            for _ in range(8):
                await asyncio.sleep(0.5)
                seen.append(await connects(relay.port, 5.0))
                await asyncio.sleep((now + 10_000 * len(seen) - clock.now_ms()) / 1000.0)
            assert seen == [*"connected refused connected hangs hangs hangs connected connected".split()]

    play(scene)


def test_silence_accepts_and_never_answers_old_connections_included() -> None:
    async def scene(clock: Clock) -> None:
        async with Echo() as echo, Relay(clock, echo.address) as relay, Line(relay.port) as old:
            assert await old.ask() == "hello echo"
            relay.set(Silence())
            async with Line(relay.port) as new:
                for line in (old, new):
                    with pytest.raises(TimeoutError), timed(clock) as span:
                        async with asyncio.timeout(20.0):
                            await line.ask("lost")
                    assert span.ms == about(20_000)
            assert echo.lines == ["hello"]
            await asyncio.sleep(0.1)
            assert relay.connections == 1
        assert relay.connections == 0

    play(scene)


def test_the_first_connections_start_slowly() -> None:
    async def scene(clock: Clock) -> None:
        async with Echo() as echo, Relay(clock, echo.address) as relay:
            relay.set(SlowStart(connections=2, ms=7_000.0))
            took = []
            for _ in range(3):
                with timed(clock) as span:
                    async with Line(relay.port) as line:
                        await line.ask()
                took.append(span.ms)
            assert took == [about(7_000), about(7_000), about(0)]

    play(scene)


def test_one_dead_zone_of_three_takes_every_third_connection() -> None:
    async def scene(clock: Clock) -> None:
        async with Echo("a") as a, Echo("b") as b, Echo("c") as c:
            async with Relay(clock, [a.address, b.address, c.address]) as relay:
                relay.set(DeadZone(zone=1))
                seen = []
                for _ in range(6):
                    async with Line(relay.port) as line:
                        try:
                            async with asyncio.timeout(10.0):
                                seen.append(await line.ask())
                        except TimeoutError:
                            seen.append("-")
                assert seen == ["hello a", "-", "hello c", "hello a", "-", "hello c"]
            assert b.connections == 0

    play(scene)


@pytest.mark.parametrize(("how", "ends"), [("close", ""), ("reset", "reset")])
def test_an_idle_connection_is_closed_or_reset_on_time(how: Any, ends: str) -> None:
    async def scene(clock: Clock) -> None:
        async with Echo(wait_s=1.0) as echo, Relay(clock, echo.address) as relay, Line(relay.port) as line:
            relay.set(IdleCut(after_ms=350_000.0, how=how))
            await asyncio.sleep(200.0)
            await line.ask()
            with timed(clock) as span:
                assert await _last(line) == ends
            assert span.ms == about(350_000)

    play(scene)


async def _last(line: Line) -> str:
    try:
        return (await line.reader.read()).decode()
    except ConnectionResetError:
        return "reset"


def test_a_forgotten_connection_is_reset_only_when_it_is_used() -> None:
    async def scene(clock: Clock) -> None:
        async with Echo() as echo, Relay(clock, echo.address) as relay, Line(relay.port) as line:
            relay.set(IdleCut(after_ms=350_000.0))
            await asyncio.sleep(400.0)
            assert relay.connections == 1
            with pytest.raises(ConnectionResetError), timed(clock) as span:
                await line.ask()
            assert span.ms == about(0)
            assert echo.lines == []

    play(scene)


def test_an_answer_after_the_idle_cut_reaches_nobody() -> None:
    async def scene(clock: Clock) -> None:
        for how in ("reset-on-use", "swallow"):
            async with Echo(wait_s=400.0) as echo, Relay(clock, echo.address) as relay, Line(relay.port) as line:
                relay.set(IdleCut(after_ms=350_000.0, how=how))
                with pytest.raises(TimeoutError):
                    async with asyncio.timeout(600.0):
                        await line.ask()
                assert echo.lines == ["hello"]

    play(scene)


@pytest.mark.parametrize("after", [0, 4])
def test_a_reset_in_the_middle_of_an_answer(after: int) -> None:
    async def scene(clock: Clock) -> None:
        async with Echo(wait_s=2.0) as echo, Relay(clock, echo.address) as relay, Line(relay.port) as line:
            relay.set(ResetAnswer(after_bytes=after))
            line.writer.write(b"hello\n")
            with timed(clock) as span:
                assert await line.reader.readexactly(after) == b"hello"[:after]
                with pytest.raises(ConnectionResetError):
                    await line.reader.readexactly(1)
            assert span.ms == about(2_000)

    play(scene)


def test_a_narrow_path_trickles() -> None:
    async def scene(clock: Clock) -> None:
        async with Echo() as echo, Relay(clock, echo.address) as relay, Line(relay.port) as line:
            relay.set(Trickle(bytes_per_s=100.0))
            with timed(clock) as span:
                assert len(await line.ask("x" * 994)) == 999
            assert span.ms == about(10_000)

    play(scene)


def test_a_target_that_refuses_resets_the_connection() -> None:
    async def scene(clock: Clock) -> None:
        with socket.socket() as nobody:
            nobody.bind(("127.0.0.1", 0))
            async with Relay(clock, nobody.getsockname()) as relay, Line(relay.port) as line:
                with pytest.raises(ConnectionResetError):
                    await line.ask()

    play(scene)


@pytest.mark.parametrize(
    ("fault", "seen"),
    [
        (None, [0, 11]),
        (Delay(ms=500.0), [0, 11]),
        (ResetAnswer(after_bytes=2), [0, 2]),
        (IdleCut(after_ms=500.0, how="reset"), [0]),
        (IdleCut(after_ms=500.0, how="close"), [0]),
        (Trickle(bytes_per_s=20.0), [0, 2, 4, 6, 8, 10, 11]),
        (Silence(), [0]),
    ],
    ids=str,
)
def test_the_peer_is_woken_right_before_anything_reaches_it(fault: Fault | None, seen: list[int]) -> None:
    """How much of the answer the peer could see at each wake; the last is before the end of the connection."""

    async def scene(clock: Clock) -> None:
        with socket.socket() as peer:
            peer.setblocking(False)
            wakes: list[tuple[int, int]] = []

            def wake(port: int) -> None:
                wakes.append((port, _visible(peer)))

            async with Echo(wait_s=1.0) as echo, Relay(clock, echo.address, wake) as relay:
                relay.set(*([fault] if fault else []))
                loop = asyncio.get_running_loop()
                await loop.sock_connect(peer, ("127.0.0.1", relay.port))
                await loop.sock_sendall(peer, b"hello\n")
                await asyncio.sleep(5.0)
            assert wakes == [(peer.getsockname()[1], count) for count in seen]

    play(scene)


def _visible(peer: socket.socket) -> int:
    try:
        return len(peer.recv(100, socket.MSG_PEEK))
    except BlockingIOError:
        return 0


def test_a_blocking_client_in_a_thread_sees_the_real_thing() -> None:
    """Real sockets and real time: a function's process on a clock that runs as on the wall."""

    async def scene(clock: Clock) -> None:
        async with Echo() as echo, Relay(clock, echo.address) as relay:
            seen = []
            for fault in (Refuse(), BlackHole(), Silence(), ResetAnswer(), None):
                relay.set(*([fault] if fault else []))
                clock.hold()
                try:
                    seen.append(await asyncio.to_thread(_blocking, relay.port))
                finally:
                    clock.release()
            assert seen == ["refused", "connect timed out", "read timed out", "reset", "hello echo"]

    play(scene)


def _blocking(port: int) -> str:
    assert threading.current_thread() is not threading.main_thread()
    try:
        sock = socket.create_connection(("127.0.0.1", port), timeout=0.2)
    except ConnectionRefusedError:
        return "refused"
    except TimeoutError:
        return "connect timed out"
    with sock:
        sock.sendall(b"hello\n")
        try:
            return sock.recv(100).decode().strip()
        except TimeoutError:
            return "read timed out"
        except ConnectionResetError:
            return "reset"
