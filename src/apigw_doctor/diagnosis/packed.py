"""Many verdicts held as JSON: a fraction of the memory, and most of what a report in JSON writes is there already."""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import accumulate
from typing import overload

import msgspec

from apigw_doctor.diagnosis.verdict import Verdict

_decode = msgspec.json.Decoder(tuple[Verdict, ...]).decode


class PackedVerdicts(Sequence[Verdict]):
    """Verdicts in parts, each a JSON list of some; a part is read when one of its verdicts is looked at.

    Nothing can be hidden in them any more: who packs them has taken secrets and control characters out.
    """

    def __init__(self, parts: Iterable[tuple[int, bytes]], unpack: Callable[[bytes], bytes] = bytes) -> None:
        kept = list(parts)
        self._parts = [data for _, data in kept]
        self._unpack = unpack
        #: number of the first verdict of every part, and of the one after the last
        self._starts = [0, *accumulate(count for count, _ in kept)]

    def __len__(self) -> int:
        return self._starts[-1]

    def __iter__(self) -> Iterator[Verdict]:
        for part in self.json_parts():
            yield from _decode(part)

    @overload
    def __getitem__(self, index: int) -> Verdict: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Verdict]: ...
    def __getitem__(self, index: int | slice) -> Verdict | Sequence[Verdict]:
        if isinstance(index, slice):
            return tuple(self)[index]
        number = range(len(self))[index]
        part = bisect_right(self._starts, number) - 1
        return _decode(self._unpack(self._parts[part]))[number - self._starts[part]]

    def json_parts(self) -> Iterator[bytes]:
        """The verdicts as JSON lists that follow one another."""
        return map(self._unpack, self._parts)
