"""Slow, well-answered requests as they stood in their files, on disk until the limits are known."""

from array import array
from collections.abc import Iterator
from itertools import accumulate, repeat
from pathlib import Path
from typing import IO

import msgspec

#: What an origin cites: the number of a line in the file, or a whole origin (`stream/event`).
Label = int | str
#: What is written at once.
_BUFFER = 1 << 18


class Slow(msgspec.Struct, frozen=True, array_like=True):
    """One request: which stretch of the assignment it stood in, and its lines with what they are cited by."""

    stretch: int
    lines: list[tuple[Label, bytes]]
    #: the log group, where the container of the lines told it
    group: str | None = None


class Spool:
    """Entries of one traffic, in a file of their own."""

    def __init__(self, path: Path) -> None:
        self.path = path
        #: number of the request in the traffic, and where its entry stands
        self.entries = array("Q")
        self.offsets = array("Q")
        #: of an entry that is one line, its number (0: it is packed), and the stretch that it stood in
        self.numbers = array("Q")
        self.stretches = array("I")
        #: number of the stretch that is being read
        self.stretch = 0
        self._file: IO[bytes] | None = None
        self._size = 0

    def add(self, entry: int, lines: list[tuple[Label, bytes]], group: str | None = None) -> None:
        """Keep one request."""
        data = msgspec.msgpack.encode(Slow(self.stretch, lines, group))
        self._write(data)
        self.entries.append(entry)
        self.offsets.append(self._size)
        self.numbers.append(0)
        self.stretches.append(self.stretch)
        self._size += len(data)

    def add_lines(self, entries: bytes, numbers: bytes, lengths: bytes, lines: bytes) -> None:
        """Keep many requests of one line each: columns of 64-bit numbers, and the lines without anything between."""
        if not entries:
            return
        self._write(lines)
        ends = array("Q", accumulate(array("Q", lengths), initial=self._size))
        self._size = ends.pop()
        self.entries.frombytes(entries)
        self.offsets.extend(ends)
        self.numbers.frombytes(numbers)
        self.stretches.extend(repeat(self.stretch, len(ends)))

    def add_packed(self, first: int, entries: bytes, lengths: bytes, packed: bytes) -> None:
        """Keep many requests that are packed already; their numbers count from `first` on."""
        if not entries:
            return
        self._write(packed)
        ends = array("Q", accumulate(array("Q", lengths), initial=self._size))
        self._size = ends.pop()
        self.entries.extend(array("Q", (first + entry for entry in array("Q", entries))))
        self.offsets.extend(ends)
        self.numbers.extend(repeat(0, len(ends)))
        self.stretches.extend(repeat(self.stretch, len(ends)))

    def _write(self, data: bytes) -> None:
        if self._file is None:
            self._file = self.path.open("wb", buffering=_BUFFER)
        self._file.write(data)

    def close(self) -> None:
        """Everything is written."""
        if self._file is not None:
            self._file.close()
            self._file = None
        self.offsets.append(self._size)

    def read(self, positions: list[int]) -> Iterator[Slow]:
        """The requests at these positions of `entries`."""
        if not positions:
            return
        with self.path.open("rb") as file:
            for position in positions:
                start, end = self.offsets[position], self.offsets[position + 1]
                file.seek(start)
                data = file.read(end - start)
                if number := self.numbers[position]:
                    yield Slow(self.stretches[position], [(number, data)])
                else:
                    yield msgspec.msgpack.decode(data, type=Slow)
