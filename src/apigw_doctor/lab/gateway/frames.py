"""Looks at the size of every WebSocket frame that comes in: API Gateway takes 32 KB a frame, 128 KB a message.

It stands between a connection's transport and its protocol, from before the handshake is answered, so that the first
byte that it sees begins a frame.

>>> meter = Meter(most=125)
>>> meter.passes(bytes([0x81, 0x05]) + b"Hello" + bytes([0x81, 0x7e]))
True
>>> meter.passes(bytes([0x00, 0x7e]))
False
"""

import asyncio
from collections.abc import Callable

_LENGTH_16, _LENGTH_64 = 126, 127
_MASKED, _LENGTH, _CONTROL = 0x80, 0x7F, 0x08


class Meter:
    """Follows the frames of a byte stream (RFC 6455, section 5.2)."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._head = bytearray()
        self._left = 0

    def passes(self, data: bytes) -> bool:
        """False when a data frame announces more than is allowed."""
        position = 0
        while position < len(data):
            if self._left:
                step = min(self._left, len(data) - position)
                self._left -= step
                position += step
                continue
            self._head.append(data[position])
            position += 1
            length = self._announced()
            if length is None:
                continue
            control = self._head[0] & _CONTROL
            self._left = length + (4 if self._head[1] & _MASKED else 0)
            self._head.clear()
            if not control and length > self._most:
                return False
        return True

    def _announced(self) -> int | None:
        if len(self._head) < 2:
            return None
        length = self._head[1] & _LENGTH
        more = {_LENGTH_16: 2, _LENGTH_64: 8}.get(length, 0)
        if len(self._head) < 2 + more:
            return None
        return int.from_bytes(self._head[2:], "big") if more else length


class Watch(asyncio.Protocol):
    """Hands everything on to the protocol that it stands before; after a frame that is too large, nothing more."""

    def __init__(self, inner: asyncio.Protocol, most: int, too_large: Callable[[], None]) -> None:
        self._inner, self._meter, self._too_large = inner, Meter(most), too_large
        self._open = True

    def data_received(self, data: bytes) -> None:
        """Bytes of the client."""
        if not self._open:
            return
        if self._meter.passes(data):
            self._inner.data_received(data)
        else:
            self._open = False
            self._too_large()

    def eof_received(self) -> bool | None:
        """The client sends no more."""
        return self._inner.eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone."""
        self._inner.connection_lost(exc)

    def pause_writing(self) -> None:
        """The client reads slower than it is written to."""
        self._inner.pause_writing()

    def resume_writing(self) -> None:
        """It has caught up."""
        self._inner.resume_writing()
