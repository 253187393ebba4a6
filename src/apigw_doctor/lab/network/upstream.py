"""HTTP/1.1 towards targets and origins, as balancer and edge need it.

A client library would repeat requests by itself, and would not say whether a connection, an answer or its rest failed
to come; here each of these is an exception of its own.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Iterable
from typing import Literal, Self

import msgspec

from apigw_doctor.lab.clock import Clock

Address = tuple[str, int]
Headers = tuple[tuple[str, str], ...]

_CHUNK = 65_536
_NO_BODY = (204, 304)
#: Headers that belong to one connection and are not passed on.
HOP_BY_HOP = frozenset(
    {"connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "te", "trailer", "transfer-encoding"}
    | {"upgrade"}
)


class UpstreamError(Exception):
    """The target did not do its part."""


class ConnectTimeoutError(UpstreamError):
    """Nobody answered the attempt to connect."""


class ConnectRefusedError(UpstreamError):
    """The attempt to connect was refused."""


class AnswerTimeoutError(UpstreamError):
    """Nothing came for too long."""


class ClosedError(UpstreamError):
    """The connection ended before the answer was complete."""


class MalformedError(UpstreamError):
    """What came is no HTTP."""


class Head(msgspec.Struct, frozen=True, kw_only=True):
    """Status line and headers of an answer."""

    status: int
    headers: Headers
    framing: Literal["none", "length", "chunked", "close"]
    length: int = 0
    keep_alive: bool = True

    def passed_on(self) -> list[tuple[str, str]]:
        """The headers that a proxy hands to its own client."""
        return [(name, value) for name, value in self.headers if name.lower() not in HOP_BY_HOP]


class Connection:
    """One connection, which carries one exchange at a time."""

    def __init__(self, address: Address, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.address = address
        #: carried an exchange before
        self.reused = False
        #: when it was laid by, in the lab's seconds
        self.idle_since_s = 0.0
        self._reader, self._writer = reader, writer

    @property
    def usable(self) -> bool:
        """Whether the other side has not closed it, as far as is known."""
        return not self._reader.at_eof() and not self._writer.is_closing() and self._reader.exception() is None

    async def ask(self, method: str, target: str, headers: Iterable[tuple[str, str]], body: bytes) -> None:
        """Send a request."""
        head = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in headers)]
        if body or method in ("POST", "PUT", "PATCH"):
            head.append(f"Content-Length: {len(body)}")
        try:
            self._writer.write("\r\n".join([*head, "", ""]).encode("latin-1", "replace") + body)
            await self._writer.drain()
        except OSError as error:
            raise ClosedError(str(error)) from error

    async def head(self, method: str, timeout_s: float) -> Head:
        """Wait for status and headers."""
        while True:
            try:
                async with asyncio.timeout(timeout_s):
                    raw = await self._reader.readuntil(b"\r\n\r\n")
            except TimeoutError:
                raise AnswerTimeoutError("no answer") from None
            except asyncio.LimitOverrunError as error:
                raise MalformedError("headers without an end") from error
            except (asyncio.IncompleteReadError, OSError) as error:
                if getattr(error, "partial", b""):
                    raise MalformedError("headers without an end") from error
                raise ClosedError("closed before an answer") from error
            head = _parsed(raw, method)
            if head.status >= 200:
                return head

    async def body(self, head: Head, timeout_s: float) -> AsyncIterator[bytes]:
        """The body, as it comes; `timeout_s` is for each silence."""
        left = head.length
        while head.framing != "none":
            if head.framing == "chunked":
                line = await self._within(self._reader.readuntil(b"\r\n"), timeout_s)
                left = _hexadecimal(line)
                if left == 0:
                    await self._within(self._reader.readuntil(b"\r\n"), timeout_s)
                    return
                while left:
                    data = await self._some(min(left, _CHUNK), timeout_s)
                    left -= len(data)
                    yield data
                await self._within(self._reader.readexactly(2), timeout_s)
                continue
            if head.framing == "length" and left == 0:
                return
            data = await self._within(
                self._reader.read(min(left, _CHUNK) if head.framing == "length" else _CHUNK), timeout_s
            )
            if not data:
                if head.framing == "close":
                    return
                raise ClosedError("closed within an answer")
            left -= len(data)
            yield data

    def close(self) -> None:
        """Drop the connection at once."""
        self._writer.transport.abort()

    async def _some(self, size: int, timeout_s: float) -> bytes:
        data = await self._within(self._reader.read(size), timeout_s)
        if not data:
            raise ClosedError("closed within an answer")
        return data

    async def _within(self, reading: Awaitable[bytes], timeout_s: float) -> bytes:
        try:
            async with asyncio.timeout(timeout_s):
                data = await reading
        except TimeoutError:
            raise AnswerTimeoutError("silence within an answer") from None
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, OSError) as error:
            raise ClosedError("closed within an answer") from error
        return data


class Pool:
    """Connections to targets, kept for `keep_s` after use."""

    def __init__(self, clock: Clock, keep_s: float) -> None:
        self._clock, self._keep_s = clock, keep_s
        self._idle: dict[Address, list[Connection]] = {}

    async def connection(self, address: Address, timeout_s: float) -> Connection:
        """A connection that lies idle, or a new one."""
        idle = self._idle.get(address, [])
        while idle:
            connection = idle.pop()
            if connection.usable and self._clock.time_s() - connection.idle_since_s < self._keep_s:
                connection.reused = True
                return connection
            connection.close()
        try:
            async with asyncio.timeout(timeout_s):
                return Connection(address, *await asyncio.open_connection(*address))
        except TimeoutError:
            raise ConnectTimeoutError("nobody answered") from None
        except OSError as error:
            raise ConnectRefusedError(str(error)) from error

    def keep(self, connection: Connection, head: Head) -> None:
        """Lay a connection by after a complete answer."""
        if head.keep_alive and head.framing != "close":
            connection.idle_since_s = self._clock.time_s()
            self._idle.setdefault(connection.address, []).append(connection)
        else:
            connection.close()

    def forget(self, address: Address) -> None:
        """Close what lies idle to one address."""
        for connection in self._idle.pop(address, ()):
            connection.close()

    async def stop(self) -> None:
        """Close all idle connections."""
        for address in list(self._idle):
            self.forget(address)
        # A dropped transport is gone at the loop's next turn.
        await asyncio.sleep(0)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()


def _parsed(raw: bytes, method: str) -> Head:
    r"""Status line and headers.

    >>> _parsed(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", "GET").length
    5
    """
    first, *lines = raw.decode("latin-1").split("\r\n")[:-2]
    version, _, rest = first.partition(" ")
    if not version.startswith("HTTP/1.") or not rest[:3].isdecimal():
        raise MalformedError(f"not a status line: {first[:80]!r}")
    status = int(rest[:3])
    headers = []
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon or not name.strip():
            raise MalformedError(f"not a header: {line[:80]!r}")
        headers.append((name.strip(), value.strip()))
    known = {name.lower(): value for name, value in headers}
    framing: Literal["none", "length", "chunked", "close"] = "close"
    length = 0
    if method == "HEAD" or status in _NO_BODY or status < 200:
        framing = "none"
    elif "chunked" in known.get("transfer-encoding", "").lower():
        framing = "chunked"
    elif "content-length" in known:
        framing, length = "length", _decimal(known["content-length"])
    kept = known.get("connection", "keep-alive" if version == "HTTP/1.1" else "close").lower() != "close"
    return Head(status=status, headers=tuple(headers), framing=framing, length=length, keep_alive=kept)


def _decimal(text: str) -> int:
    if not text.isdecimal():
        raise MalformedError(f"not a length: {text[:80]!r}")
    return int(text)


def _hexadecimal(line: bytes) -> int:
    with contextlib.suppress(ValueError):
        return int(line.split(b";")[0].strip(), 16)
    raise MalformedError(f"not a chunk's length: {line[:80]!r}")
