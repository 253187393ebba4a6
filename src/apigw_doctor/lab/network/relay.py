"""A TCP relay between gateway, functions and dependencies, and the faults of the path between them.

Sockets are handled by hand, not by asyncio's streams: the peer may be a function's process that sleeps on the lab's
clock, so `on_wake` has to come right before each single send, close or reset that the peer can see. What the kernel
does by itself comes without: it accepts, it refuses, and its repeated SYN finds a black hole lifted.

>>> from apigw_doctor.lab.clock import run
>>> async def ask(clock):
...     server = await asyncio.start_server(lambda r, w: (w.write(b"here"), w.close()), "127.0.0.1")
...     async with server, Relay(clock, server.sockets[0].getsockname()) as relay:
...         relay.set(Delay(ms=2_000.0))
...         began = clock.now_ms()
...         reader, writer = await asyncio.open_connection("127.0.0.1", relay.port)
...         answer = await reader.read()
...         writer.close()
...         return answer, round((clock.now_ms() - began) / 1000.0)
>>> run(ask, scale=200.0)
(b'here', 2)
"""

import asyncio
import contextlib
import select
import socket
import struct
from collections.abc import Callable, Sequence
from typing import Literal, Self, TypeVar

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

Address = tuple[str, int]
Door = Literal["open", "refusing", "black"]
F = TypeVar("F", bound=Fault)

_HOST = "127.0.0.1"
_CHUNK = 65_536
_BACKLOG = 512
#: Trickling is done in so many steps a second.
_STEPS = 10.0
#: A connection to oneself that has not come about within this real time hangs.
_HANGS_S = 0.02
_MAX_FILL = 256
_RESET = struct.pack("ii", 1, 0)


class Relay:
    """Forwards connections to a target, or in turn to each of several; see the module."""

    def __init__(
        self, clock: Clock, target: Address | Sequence[Address], on_wake: Callable[[int], None] | None = None
    ) -> None:
        self.clock = clock
        self.targets: tuple[Address, ...] = (
            ((target[0], target[1]),) if isinstance(target[0], str) else tuple(target)  # type: ignore[arg-type,assignment]
        )
        self.port = 0
        #: connections that were accepted so far
        self.accepted = 0
        self.on_wake = on_wake or (lambda _port: None)
        self._faults: tuple[Fault, ...] = ()
        self._slow: dict[SlowStart, int] = {}
        self._listener: socket.socket | None = None
        self._door: Door = "refusing"
        self._fillers: list[socket.socket] = []
        self._edge: asyncio.TimerHandle | None = None
        self._changed = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> int:
        """Listen on a free port of this machine; returns it."""
        self._turn("open")
        self._apply()
        return self.port

    async def stop(self) -> None:
        """Close the door and all connections."""
        if self._edge is not None:
            self._edge.cancel()
        self._shut()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    @property
    def connections(self) -> int:
        """Connections that are open now."""
        return len(self._tasks)

    @property
    def faults(self) -> tuple[Fault, ...]:
        """What is set, whether or not it holds now."""
        return self._faults

    def set(self, *faults: Fault) -> None:
        """From now on these faults, and no others; `set()` heals the path."""
        self._faults = faults
        self._slow = {fault: fault.connections for fault in faults if isinstance(fault, SlowStart)}
        self._apply()

    def fault(self, kind: type[F]) -> F | None:
        """The fault of this kind that holds now."""
        now_ms = self.clock.now_ms()
        for one in self._faults:
            if isinstance(one, kind) and one.holds(now_ms):
                return one
        return None

    async def changed(self, timeout_s: float | None) -> None:
        """Return when faults begin or end, or after so long."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._changed.wait(), timeout_s)

    def start_delay_ms(self) -> float:
        """What the connection that begins now has to wait for."""
        delay = self.fault(Delay)
        wait_ms = delay.ms if delay is not None and delay.per == "connection" else 0.0
        slow = self.fault(SlowStart)
        if slow is not None and self._slow[slow] > 0:
            self._slow[slow] -= 1
            wait_ms += slow.ms
        return wait_ms

    def _apply(self) -> None:
        """Turn the door as the faults of this moment want it, and come back at the next edge of a window."""
        if self._listener is None:
            return
        if self._edge is not None:
            self._edge.cancel()
        door: Door = "open"
        if self.fault(Refuse) is not None:
            door = "refusing"
        elif self.fault(BlackHole) is not None:
            door = "black"
        if door != self._door:
            self._turn(door)
        now_ms = self.clock.now_ms()
        edges = (edge for fault in self._faults for edge in (fault.from_ms, fault.until_ms))
        coming = [edge for edge in edges if edge is not None and edge > now_ms]
        loop = asyncio.get_running_loop()
        self._edge = loop.call_at(min(coming) / 1000.0, self._apply) if coming else None
        self._changed.set()
        self._changed = asyncio.Event()

    def _turn(self, door: Door) -> None:
        """Put another socket on the same port. A port that is bound is never given to anybody else."""
        self._shut()
        self._listener = listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.setblocking(False)
        listener.bind((_HOST, self.port))
        self.port = listener.getsockname()[1]
        self._door = door
        if door == "open":
            listener.listen(_BACKLOG)
            asyncio.get_running_loop().add_reader(listener.fileno(), self._accept)
        elif door == "black":
            listener.listen(0)
            self._fill()

    def _shut(self) -> None:
        for filler in self._fillers:
            filler.close()
        self._fillers.clear()
        if self._listener is not None:
            asyncio.get_running_loop().remove_reader(self._listener.fileno())
            self._listener.close()
            self._listener = None

    def _fill(self) -> None:
        """Take all places of the backlog, so that the kernel drops the SYN of everybody else."""
        for _ in range(_MAX_FILL):
            filler = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            filler.setblocking(False)
            self._fillers.append(filler)
            filler.connect_ex((_HOST, self.port))
            if not select.select((), (filler,), (), _HANGS_S)[1]:
                return

    def _accept(self) -> None:
        while self._listener is not None:
            try:
                peer, (_, peer_port) = self._listener.accept()
            except OSError:
                return
            peer.setblocking(False)
            peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection = _Connection(self, peer, peer_port, self.accepted % len(self.targets))
            self.accepted += 1
            task = asyncio.get_running_loop().create_task(connection.run())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)


class _Lost(Exception):  # noqa: N818 - not an error: the path has lost this connection
    """The connection ends now; `how` the peer gets to know."""

    def __init__(self, how: Literal["close", "reset"]) -> None:
        super().__init__(how)
        self.how = how


class _Connection:
    """One accepted connection and its other half."""

    def __init__(self, relay: Relay, peer: socket.socket, peer_port: int, zone: int) -> None:
        self._relay, self._peer, self._port, self._zone = relay, peer, peer_port, zone
        self._target = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self._target.setblocking(False)
        self._target.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._loop = asyncio.get_running_loop()
        self._passed_ms = relay.clock.now_ms()
        self._answered = 0
        self._dead = False
        self._reset_on_use = False
        self._ended = False

    async def run(self) -> None:
        how: Literal["close", "reset"] = "close"
        try:
            await self._carry()
        except* _Lost as lost:
            first = lost.exceptions[0]
            how = first.how if isinstance(first, _Lost) else "reset"
        except* OSError:
            # Either side reset its half, or the target refused: the other side sees a reset as well.
            how = "reset"
        finally:
            if not self._ended or how == "reset":
                self._relay.on_wake(self._port)
            if how == "reset":
                _reset_on_close(self._peer)
                _reset_on_close(self._target)
            self._peer.close()
            self._target.close()

    async def _carry(self) -> None:
        zone = self._relay.fault(DeadZone)
        self._dead = zone is not None and zone.zone == self._zone
        await asyncio.sleep(self._relay.start_delay_ms() / 1000.0)
        if not self._swallows():
            await self._loop.sock_connect(self._target, self._relay.targets[self._zone])
        async with asyncio.TaskGroup() as group:
            watch = group.create_task(self._watch())
            ways = [group.create_task(self._requests())]
            if not self._dead:
                ways.append(group.create_task(self._answers()))
            await asyncio.wait(ways)
            watch.cancel()

    async def _requests(self) -> None:
        """From the peer to the target."""
        while data := await self._loop.sock_recv(self._peer, _CHUNK):
            if self._reset_on_use:
                raise _Lost("reset")
            self._passed_ms = self._relay.clock.now_ms()
            if not self._swallows():
                await self._loop.sock_sendall(self._target, data)
        if self._dead:
            raise _Lost("close")
        self._target.shutdown(socket.SHUT_WR)

    async def _answers(self) -> None:
        """From the target to the peer."""
        while data := await self._loop.sock_recv(self._target, _CHUNK):
            if self._swallows() or self._reset_on_use:
                continue
            delay = self._relay.fault(Delay)
            if delay is not None and delay.per == "chunk":
                await asyncio.sleep(delay.ms / 1000.0)
            reset = self._relay.fault(ResetAnswer)
            if reset is not None and self._answered + len(data) >= reset.after_bytes:
                await self._show(data[: max(0, reset.after_bytes - self._answered)])
                raise _Lost("reset")
            await self._show(data)
        if not self._swallows() and not self._reset_on_use:
            self._relay.on_wake(self._port)
            self._peer.shutdown(socket.SHUT_WR)
            self._ended = True

    async def _show(self, data: bytes) -> None:
        """Send to the peer, as slowly as the path is."""
        while data:
            trickle = self._relay.fault(Trickle)
            size = len(data) if trickle is None else max(1, int(trickle.bytes_per_s / _STEPS))
            if trickle is not None:
                await asyncio.sleep(min(size, len(data)) / trickle.bytes_per_s)
            sent = await self._send(data[:size])
            self._answered += sent
            self._passed_ms = self._relay.clock.now_ms()
            data = data[sent:]

    async def _send(self, data: bytes) -> int:
        while True:
            self._relay.on_wake(self._port)
            try:
                return self._peer.send(data)
            except BlockingIOError:
                await self._writable()

    async def _writable(self) -> None:
        ready = asyncio.Event()
        self._loop.add_writer(self._peer.fileno(), ready.set)
        try:
            await ready.wait()
        finally:
            self._loop.remove_writer(self._peer.fileno())

    def _swallows(self) -> bool:
        """Whether what comes now is lost; a connection that lost something stays lost."""
        self._dead = self._dead or self._relay.fault(Silence) is not None
        return self._dead

    async def _watch(self) -> None:
        """Lose the connection when it was idle for too long."""
        while True:
            cut = self._relay.fault(IdleCut)
            left_ms = None if cut is None else self._passed_ms + cut.after_ms - self._relay.clock.now_ms()
            if cut is None or left_ms is None or left_ms > 0:
                await self._relay.changed(None if left_ms is None else left_ms / 1000.0)
            elif cut.how == "reset-on-use":
                self._reset_on_use = True
                return
            elif cut.how == "swallow":
                self._dead = True
                return
            else:
                raise _Lost(cut.how)


def _reset_on_close(half: socket.socket) -> None:
    # Linger of zero seconds: close sends RST and drops what was not sent.
    with contextlib.suppress(OSError):
        half.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
