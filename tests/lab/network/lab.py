"""What the tests of the network share: a run on a fast clock, and how long something took on it."""

import asyncio
import socket
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager, suppress
from typing import Any, TypeVar

import pytest

from apigw_doctor.lab.clock import Clock, run

T = TypeVar("T")

SCALE = 500.0
#: How far from the expected a time on the virtual clock may be.
SLACK_MS = 200.0


def play(main: Callable[[Clock], Coroutine[Any, Any, T]]) -> T:
    return run(main, scale=SCALE, start_ms=1_790_848_800_000.0)


def about(ms: float) -> Any:
    return pytest.approx(ms, abs=SLACK_MS)


class Span:
    ms = -1.0


@contextmanager
def timed(clock: Clock) -> Iterator[Span]:
    span, began = Span(), clock.now_ms()
    try:
        yield span
    finally:
        span.ms = clock.now_ms() - began


class Echo:
    """A server that answers every line, after so long, with the line and its own name."""

    def __init__(self, name: str = "echo", wait_s: float = 0.0) -> None:
        self.name, self.wait_s = name, wait_s
        self.connections = 0
        self.lines: list[str] = []
        self._server: asyncio.Server | None = None
        self._writers: list[asyncio.StreamWriter] = []

    @property
    def address(self) -> tuple[str, int]:
        assert self._server is not None
        host, port = self._server.sockets[0].getsockname()
        return str(host), int(port)

    async def __aenter__(self) -> "Echo":
        self._server = await asyncio.start_server(self._serve, "127.0.0.1")
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        for writer in self._writers:
            writer.close()
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._writers.append(writer)
        try:
            while line := await reader.readline():
                self.lines.append(line.decode().strip())
                await asyncio.sleep(self.wait_s)
                writer.write(line.strip() + f" {self.name}\n".encode())
                await writer.drain()
        except ConnectionError:
            pass
        writer.close()


class Line:
    """A client that says lines and reads lines."""

    def __init__(self, port: int) -> None:
        self.port = port

    async def __aenter__(self) -> "Line":
        self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self.port)
        return self

    async def __aexit__(self, *_: object) -> None:
        self.writer.close()
        with suppress(ConnectionError):
            await self.writer.wait_closed()

    async def ask(self, text: str = "hello") -> str:
        self.writer.write(f"{text}\n".encode())
        return (await self.reader.readline()).decode().strip()

    @property
    def own_port(self) -> int:
        return int(self.writer.get_extra_info("sockname")[1])


async def connects(port: int, timeout_s: float) -> str:
    """How an attempt to connect ends: connected, refused, hangs."""
    loop = asyncio.get_running_loop()
    with socket.socket() as sock:
        sock.setblocking(False)
        try:
            async with asyncio.timeout(timeout_s):
                await loop.sock_connect(sock, ("127.0.0.1", port))
        except TimeoutError:
            return "hangs"
        except ConnectionRefusedError:
            return "refused"
    return "connected"
