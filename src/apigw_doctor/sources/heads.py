"""How files begin: they are all looked into before the first one is read, and again when its turn comes.

A head is looked up once and kept until its file is read, as long as there is room.
"""

import weakref

from apigw_doctor.sources.inputs import Input
from apigw_doctor.sources.unpack import read_head

_BINARY_SIGNS = (b"\x7fELF", b"\x89PNG", b"PK\x03\x04", b"%PDF", b"SQLite format 3", b"\xff\xd8\xff", b"GIF8")
_HEAD = 65536
_ROOM = 48 * 1024 * 1024


def is_binary(source: Input) -> bool:
    """The (decompressed) head is no text."""
    start = head(source)
    return start.startswith(_BINARY_SIGNS) or start.count(b"\0") > len(start) // 16


def head_text(source: Input) -> str:
    """The first 64 KB as text, for a look ahead; empty when it cannot be read."""
    return head(source).decode("utf-8", "replace")


def head(source: Input) -> bytes:
    """The first 64 KB, decompressed, as far as they can be read; looked up once."""
    return _heads.of(source)


def forget(source: Input) -> None:
    """The file is being read now."""
    _heads.drop(id(source))


class _Heads:
    """Heads of inputs that are still to be read, as many as there is room for, and the last one."""

    def __init__(self, room: int) -> None:
        self._room = room
        self._kept: dict[int, bytes] = {}
        self._last: tuple[int, bytes] = (0, b"")

    def of(self, source: Input) -> bytes:
        key = id(source)
        if key in self._kept:
            return self._kept[key]
        if self._last[0] != key:
            self._last = key, _look(source)
            self._keep(key, self._last[1])
            weakref.finalize(source, self.drop, key).atexit = False
        return self._last[1]

    def drop(self, key: int) -> None:
        self._room += len(self._kept.pop(key, b""))
        if self._last[0] == key:
            self._last = 0, b""

    def _keep(self, key: int, head: bytes) -> None:
        if len(head) <= self._room:
            self._room -= len(head)
            self._kept[key] = head


_heads = _Heads(_ROOM)


def _look(source: Input) -> bytes:
    try:
        return read_head(source, _HEAD)
    except OSError:
        return b""
