"""Many requests judged: rules know nothing of each other's requests, so every core takes its share.

Where the answer is to be reported only, a worker also takes the secrets out of its verdicts and packs them: what
goes back to the parent is what the report writes, and the little that an answer about all of them needs.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

import msgspec

from apigw_doctor.attribution.assemble import Subject
from apigw_doctor.attribution.timeline import Timeline
from apigw_doctor.diagnosis.judge import Judged, Told, judge
from apigw_doctor.diagnosis.packed import PackedVerdicts
from apigw_doctor.diagnosis.verdict import Verdict
from apigw_doctor.sources.crew import cores, forks, run
from apigw_doctor.workflows.redaction import Hiding

#: Fewer are judged sooner than processes are started.
_WORTH_SHARING = 600
_AT_ONCE = 200
#: What a worker looks at is copied into its memory; after so many requests new workers begin with none.
_ONE_CREW = 4000
#: Of more, the packed verdicts are compressed.
_WORTH_COMPRESSING = 6000

_encode_told, _decode_told = msgspec.msgpack.Encoder().encode, msgspec.msgpack.Decoder(list[Told]).decode
_encode_packed = msgspec.json.Encoder().encode
_encode_verdicts, _decode_verdicts = msgspec.msgpack.Encoder().encode, msgspec.msgpack.Decoder(list[Verdict]).decode


class Judgement(NamedTuple):
    """All verdicts, and what each of them tells of the whole."""

    judged: list[Judged]
    verdicts: Sequence[Verdict]


class _Work(NamedTuple):
    """What the workers share."""

    subjects: Sequence[Subject]
    timeline: Callable[[Subject], Timeline]
    #: None: verdicts are wanted as they are
    hiding: Hiding | None
    compress: bool


class _Part(NamedTuple):
    """What a worker gives back for a few subjects."""

    number: int
    told: bytes
    verdicts: bytes


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
    are. `meanwhile` is done once, when the last worker has begun; it may
    start threads, which no later worker then inherits.
    """
    if len(subjects) < _WORTH_SHARING or (hiding is None and not _shared(processes)):
        return _here(subjects, timeline)
    work = _Work(subjects, timeline, hiding, compress=len(subjects) > _WORTH_COMPRESSING)
    parts = list(_parts(work, processes if _shared(processes) else 1, meanwhile))
    told = [
        Judged(one, subject.request, subject.invocation)
        for one, subject in zip(_all_told(parts), subjects, strict=True)
    ]
    if hiding is None:
        return Judgement(told, tuple(verdict for part in parts for verdict in _decode_verdicts(part.verdicts)))
    packed = ((part.number, part.verdicts) for part in parts)
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


def _parts(work: _Work, processes: int | None, meanwhile: Callable[[], None] | None) -> Iterator[_Part]:
    for first in range(0, len(work.subjects), _ONE_CREW):
        last = min(first + _ONE_CREW, len(work.subjects))
        is_last = last == len(work.subjects)
        yield from run(_judged, range(first, last, _AT_ONCE), work, processes, meanwhile if is_last else None)


def _all_told(parts: Iterable[_Part]) -> Iterator[Told]:
    """The same few words and fixes in all of them, each held once."""
    known: dict[object, object] = {}
    for part in parts:
        for told in _decode_told(part.told):
            cause, fixes = known.setdefault(told.cause, told.cause), known.setdefault(told.fixes, told.fixes)
            yield msgspec.structs.replace(told, cause=cause, fixes=fixes)


def _judged(start: int, work: _Work) -> _Part:
    told, verdicts = [], []
    for subject in work.subjects[start : start + _AT_ONCE]:
        timeline = work.timeline(subject)
        verdict = judge(timeline)
        told.append(Told.of(verdict, timeline))
        verdicts.append(verdict if work.hiding is None else work.hiding.part(verdict))
    return _Part(len(told), _encode_told(told), _packed(verdicts, work))


def _packed(verdicts: list[Verdict], work: _Work) -> bytes:
    if work.hiding is None:
        return _encode_verdicts(verdicts)
    data = _encode_packed(verdicts)
    return _compressed(data) if work.compress else data


def _compressed(data: bytes) -> bytes:
    import zstandard

    return zstandard.compress(data, 1)


def _decompressed(data: bytes) -> bytes:
    import zstandard

    return zstandard.decompress(data)
