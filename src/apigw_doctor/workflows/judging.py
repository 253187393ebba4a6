"""Many requests judged: rules know nothing of each other's requests, so every core takes its share."""

from collections.abc import Sequence

import msgspec

from apigw_doctor.attribution.timeline import Timeline
from apigw_doctor.diagnosis.judge import Judged, judge
from apigw_doctor.diagnosis.verdict import Verdict
from apigw_doctor.sources.crew import cores, forks, run

#: Fewer are judged sooner than processes are started; of more, copies would take too much memory.
_WORTH_SHARING = range(600, 6000)
_AT_ONCE = 200

_decode = msgspec.msgpack.Decoder(list[Verdict]).decode


def judge_all(timelines: Sequence[Timeline], processes: int | None = None) -> list[Judged]:
    """The verdicts, in the order of the timelines; in so many processes at the most (None: one per core)."""
    workers = processes if processes is not None else cores()
    if len(timelines) not in _WORTH_SHARING or workers < 2 or not forks():
        return [judge(timeline) for timeline in timelines]
    starts = range(0, len(timelines), _AT_ONCE)
    verdicts = [verdict for part in run(_judged, starts, timelines, workers) for verdict in _decode(part)]
    return [Judged(verdict, timeline) for verdict, timeline in zip(verdicts, timelines, strict=True)]


def _judged(start: int, timelines: Sequence[Timeline]) -> bytes:
    return msgspec.msgpack.encode([judge(timeline).verdict for timeline in timelines[start : start + _AT_ONCE]])
