"""The batches of events of a container, or of a part of one, and what there was to say about its bytes."""

from collections.abc import Iterator

from apigw_doctor.sources import heads
from apigw_doctor.sources.event_blocks import EventBlock, Odd, split
from apigw_doctor.sources.event_layout import EventLayout
from apigw_doctor.sources.notices import why
from apigw_doctor.sources.reading import Cut, Input, TooLong, read_blocks
from apigw_doctor.sources.unpack import unbuffered, unpacked

#: So many events are read together: most requests have all their lines among them.
_TOGETHER = 4096


class EventPieces:
    """Reads one container."""

    def __init__(self, source: Input, layout: EventLayout, block_bytes: int) -> None:
        self._source = source
        self._layout = layout
        self._block_bytes = block_bytes
        self.size = 0
        self.lines = 0
        #: lines read before a notice, the notice
        self.notices: list[tuple[int, TooLong | Cut]] = []

    def items(self, start: int = 0, end: int | None = None) -> Iterator[EventBlock | Odd]:
        """Batches of events in order, and between them what is no event.

        Raises:
            OSError: when the input cannot be opened.
        """
        held: EventBlock | None = None
        for item in split(self._layout.shape, self._bytes(start, end)):
            if isinstance(item, EventBlock):
                if held is None:
                    held = item
                else:
                    held.extend(item)
                if len(held.messages) < _TOGETHER:
                    continue
            if held is not None:
                yield held
                held = None
            if isinstance(item, TooLong):
                self.notices.append((item.number, item))
            elif isinstance(item, Odd):
                yield item
        if held is not None:
            yield held

    def _bytes(self, start: int, end: int | None) -> Iterator[bytes]:
        begun = False
        for item in self._blocks(start, end):
            if isinstance(item, bytes):
                self.size += len(item)
                self.lines += item.count(b"\n")
                begun = item[-1:] != b"\n"
                yield item
                continue
            self.notices.append((self.lines, item))
            if isinstance(item, TooLong) and self._layout.by_lines:
                self.lines += 1
                yield b"\n"  # the line still counts
        self.lines += begun

    def _blocks(self, start: int, end: int | None) -> Iterator[bytes | TooLong | Cut]:
        if self._layout.by_lines:
            return read_blocks(self._source, self._block_bytes, start=start, end=end)
        return self._raw()

    def _raw(self) -> Iterator[bytes | Cut]:
        """Documents may stand on one line: their blocks end anywhere."""
        heads.forget(self._source)
        with self._source.open() as opened:
            try:
                yield from unpacked(unbuffered(opened), self._block_bytes)
            except OSError as error:
                yield Cut(0, why(error))
