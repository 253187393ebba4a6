"""Many requests judged: rules know nothing of each other's requests, so every core takes its share.

Workers get the rows they judge as messages: to look at the parent's own would copy every page that one of them
stands on. Where the answer is to be reported only, a worker also takes the secrets out of its verdicts and packs them:
what goes back to the parent is what the report writes, and the little that an answer about all of them needs.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple, TypeVar, overload

import msgspec

from apigw_doctor.attribution.assemble import Subject
from apigw_doctor.attribution.timeline import Timeline
from apigw_doctor.diagnosis.catalogue import catalogue
from apigw_doctor.diagnosis.judge import Judged, Told, judge
from apigw_doctor.diagnosis.packed import PackedVerdicts
from apigw_doctor.diagnosis.verdict import Verdict
from apigw_doctor.sources.crew import cores, forks, give_back, run
from apigw_doctor.workflows.redaction import Hiding

#: Fewer are judged sooner than processes are started.
_WORTH_SHARING = 600
_AT_ONCE = 200
#: Of more, the packed verdicts are compressed.
_WORTH_COMPRESSING = 6000

_encode_packed = msgspec.json.Encoder().encode
_encode = msgspec.msgpack.Encoder().encode
_decode_subjects = msgspec.msgpack.Decoder(list[Subject]).decode
_decode_told = msgspec.msgpack.Decoder(list[Told]).decode
_decode_verdicts = msgspec.msgpack.Decoder(list[Verdict]).decode

T = TypeVar("T")


class Judgement(NamedTuple):
    """All verdicts, and what each of them tells of the whole."""

    judged: list[Judged]
    verdicts: Sequence[Verdict]


class _Work(NamedTuple):
    """What the workers share."""

    timeline: Callable[[Subject], Timeline]
    #: None: verdicts are wanted as they are
    hiding: Hiding | None
    compress: bool


class _Part(NamedTuple):
    """What a worker gives back for a few subjects."""

    number: int
    told: bytes | list[Told]
    verdicts: bytes | list[Verdict]


class _Tasks(Sequence[bytes | list[Subject]]):
    """The subjects, some at a time, made into messages when their turn comes."""

    def __init__(self, subjects: Sequence[Subject]) -> None:
        self._subjects = subjects

    def __len__(self) -> int:
        return -(-len(self._subjects) // _AT_ONCE)

    @overload
    def __getitem__(self, number: int) -> bytes | list[Subject]: ...
    @overload
    def __getitem__(self, number: slice) -> Sequence[bytes | list[Subject]]: ...
    def __getitem__(self, number: int | slice) -> bytes | list[Subject] | Sequence[bytes | list[Subject]]:
        if isinstance(number, slice):
            return [self[one] for one in range(len(self))[number]]
        start = range(len(self))[number] * _AT_ONCE
        return _message(list(self._subjects[start : start + _AT_ONCE]))


def judge_all(
    subjects: Sequence[Subject],
    timeline: Callable[[Subject], Timeline],
    hiding: Hiding | None = None,
    *,
    processes: int | None = None,
    meanwhile: Callable[[], None] | None = None,
) -> Judgement:
    """The verdicts, in the order of the subjects; in so many processes at the most (None: one per core).

    With `hiding` many verdicts come packed and without what is to be hidden; few, and all without it, come as they
    are. `meanwhile` is done once, while others judge.
    """
    if len(subjects) < _WORTH_SHARING or (hiding is None and not _shared(processes)):
        return _here(subjects, timeline)
    work = _Work(timeline, hiding, compress=len(subjects) > _WORTH_COMPRESSING)
    catalogue()  # loaded here, no worker has to
    give_back()
    parts = list(run(_judged, _Tasks(subjects), work, processes if _shared(processes) else 1, meanwhile))
    told = [
        Judged(one, subject.request, subject.invocation)
        for one, subject in zip(_all_told(parts), subjects, strict=True)
    ]
    if hiding is None:
        return Judgement(told, tuple(verdict for part in parts for verdict in _opened(part.verdicts, _decode_verdicts)))
    packed = ((part.number, part.verdicts) for part in parts if isinstance(part.verdicts, bytes))
    return Judgement(told, PackedVerdicts(packed, _decompressed if work.compress else bytes))


def _shared(processes: int | None) -> bool:
    return forks() and (processes if processes is not None else cores()) > 1


def _here(subjects: Sequence[Subject], timeline: Callable[[Subject], Timeline]) -> Judgement:
    judged, verdicts = [], []
    for subject in subjects:
        made = timeline(subject)
        verdict = judge(made)
        verdicts.append(verdict)
        judged.append(Judged(Told.of(verdict, made), subject.request, subject.invocation))
    return Judgement(judged, tuple(verdicts))


def _all_told(parts: Iterable[_Part]) -> Iterator[Told]:
    """The same few words and fixes in all of them, each held once."""
    known: dict[object, object] = {}
    for part in parts:
        for told in _opened(part.told, _decode_told):
            cause, fixes = known.setdefault(told.cause, told.cause), known.setdefault(told.fixes, told.fixes)
            yield msgspec.structs.replace(told, cause=cause, fixes=fixes)


def _judged(task: bytes | list[Subject], work: _Work) -> _Part:
    told, verdicts = [], []
    for subject in _opened(task, _decode_subjects):
        timeline = work.timeline(subject)
        verdict = judge(timeline)
        told.append(Told.of(verdict, timeline))
        verdicts.append(verdict if work.hiding is None else work.hiding.part(verdict))
    return _Part(len(told), _message(told), _packed(verdicts, work))


def _packed(verdicts: list[Verdict], work: _Work) -> bytes | list[Verdict]:
    if work.hiding is None:
        return _message(verdicts)
    data = _encode_packed(verdicts)
    return _compressed(data) if work.compress else data


def _message(values: list[T]) -> bytes | list[T]:
    """In the quickest form; text that is no Unicode has to go the long way."""
    try:
        return _encode(values)
    except UnicodeEncodeError:
        return values


def _opened(message: bytes | list[T], decode: Callable[[bytes], list[T]]) -> list[T]:
    return decode(message) if isinstance(message, bytes) else message


def _compressed(data: bytes) -> bytes:
    import zstandard

    return zstandard.compress(data, 1)


def _decompressed(data: bytes) -> bytes:
    import zstandard

    return zstandard.decompress(data)
