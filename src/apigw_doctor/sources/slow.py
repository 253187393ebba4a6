"""Requests that were answered well but late: those that came near their limit get their rows after all."""

import msgspec

from apigw_doctor.attribution.clocks import NEAR_LIMIT_SHARE
from apigw_doctor.attribution.effective_limit import ABOUT_MS, EffectiveLimits
from apigw_doctor.evidence.tables import Evidence, GatewayRequest
from apigw_doctor.evidence.traffic import RequestPlace, Traffic
from apigw_doctor.model.terms import LimitBasis
from apigw_doctor.sources.event_layout import EventLayout
from apigw_doctor.sources.event_reader import EventReader
from apigw_doctor.sources.execution_events import GroupRoad
from apigw_doctor.sources.execution_road import ExecutionRoad
from apigw_doctor.sources.file_reader import FileReader
from apigw_doctor.sources.layout import Layout
from apigw_doctor.sources.payload import Payloads
from apigw_doctor.sources.portions import Assignment, Portion
from apigw_doctor.sources.requests import Facts
from apigw_doctor.sources.spool import Spool
from apigw_doctor.sources.survey import Surveyed
from apigw_doctor.sources.swept import Sweep
from apigw_doctor.sources.wanted import Wanted

#: The longest limit that a request can have, with streamed answers: what ran longer is never "raised beyond".
_LONGEST_MS = 900_000.0
#: A client may measure so much more than the gateway.
_CLIENT_SLACK_MS = 1000.0


class _Waiting(msgspec.Struct):
    """The slow requests of one portion: where they are kept, and what their numbers mean."""

    spool: Spool
    #: number that the portion's first request has in the traffic of the log
    first: int
    surveyed: tuple[Surveyed, ...]
    #: lines of each file before the stretch that was read
    lines_before: tuple[int, ...]


class SlowLog(msgspec.Struct):
    """The traffic of one kind of gateway log, with its slow requests."""

    traffic: Traffic
    waiting: list[_Waiting]
    #: what the log told of requests that are not in the traffic
    facts: list[Facts]

    def add(self, portion: Portion, assignment: Assignment, lines_before: tuple[int, ...]) -> None:
        """Add what one portion read."""
        if portion.spool.entries:
            surveyed = tuple(stretch.surveyed for stretch in assignment.stretches)
            self.waiting.append(_Waiting(portion.spool, len(self.traffic), surveyed, lines_before))
        self.traffic.extend(portion.traffic)


def near_from_ms(evidence: Evidence) -> float:
    """The shortest time that is near a limit which the configuration names, or after which a client gave up."""
    times = [NEAR_LIMIT_SHARE * row.timeout_ms for row in evidence.integrations if row.timeout_ms]
    return min([*times, gave_up_after_ms(evidence)])


def gave_up_after_ms(evidence: Evidence) -> float:
    """The shortest time after which a client gave up that tells neither an id nor a moment."""
    return min(
        (
            reply.elapsed_ms - _CLIENT_SLACK_MS
            for reply in evidence.clients
            if reply.gave_up and reply.at is None and reply.elapsed_ms is not None
        ),
        default=float("inf"),
    )


class TooShort(Exception):  # noqa: N818 - a state of the evidence
    """A limit turned out so short that requests near it were not kept: read again, keeping them from here on."""

    def __init__(self, slow_from_ms: float) -> None:
        super().__init__(slow_from_ms)
        self.slow_from_ms = slow_from_ms


def bring_back(log: SlowLog, payloads: Payloads, limits: EffectiveLimits, slow_from_ms: float) -> None:
    """Give rows to the slow requests that came near their limits; they were answered, and so show no limit themselves.

    Raises:
        TooShort: when requests near a limit are in the traffic and were not kept.
    """
    if not len(log.traffic):
        return
    gave_up_ms = gave_up_after_ms(payloads.given())
    near = [near_bounds(limits, place, gave_up_ms) for place in log.traffic.places]
    shortest = min((low for low, _ in near), default=slow_from_ms)
    if shortest < slow_from_ms and _any_between(log.traffic, near, slow_from_ms):
        raise TooShort(shortest)
    back: set[int] = set()
    for waiting in log.waiting:
        chosen = _near_of(waiting, log.traffic, near)
        back.update(waiting.first + waiting.spool.entries[position] for position in chosen)
        _read_again(waiting, chosen, payloads)
    log.traffic = log.traffic.without(back)


def _near_of(waiting: _Waiting, traffic: Traffic, near: list[tuple[float, float]]) -> list[int]:
    """Positions of the slow requests that came near their limit."""
    first, took, places = waiting.first, traffic.integration_ms, traffic.place
    lowest = min(low for low, _ in near)
    return [
        position
        for position, entry in enumerate(waiting.spool.entries)
        if took[first + entry] > lowest and is_near(took[first + entry], near[places[first + entry]])
    ]


def bring_back_swept(
    sweep: Sweep | None, traffic: Traffic, payloads: Payloads, limits: EffectiveLimits, slow_from_ms: float
) -> Traffic:
    """Give rows to the slow requests of files read line by line; the traffic without them.

    Raises:
        TooShort: when requests near a limit are in the traffic and were not kept.
    """
    if not len(traffic):
        return traffic
    gave_up_ms = gave_up_after_ms(payloads.given())
    near = [near_bounds(limits, place, gave_up_ms) for place in traffic.places]
    if _any_between(traffic, near, slow_from_ms):
        raise TooShort(min(low for low, _ in near))
    if sweep is None:
        return traffic
    chosen = [
        position
        for position, number in enumerate(sweep.entries)
        if is_near(traffic.integration_ms[number], near[traffic.place[number]])
    ]
    payloads.requests.adopt(list(sweep.read(chosen)))
    back = {sweep.entries[position] for position in chosen}
    return traffic.without(back)


def near_bounds(limits: EffectiveLimits, place: RequestPlace, gave_up_ms: float) -> tuple[float, float]:
    """From when on, and up to when, a well-answered request of this place counts as near its limit, in ms."""
    limit = limits.of(
        GatewayRequest(
            key="",
            api_type=place.api_type,
            api_id=place.api_id,
            stage=place.stage,
            method=place.method,
            route=place.route,
            path=place.path,
            function=place.function,
        )
    )
    # Answered long after a default: the limit was raised, to a value that nobody told.
    high = limit.limit_ms + ABOUT_MS if limit.basis is LimitBasis.DEFAULT else float("inf")
    return min(NEAR_LIMIT_SHARE * limit.limit_ms, gave_up_ms), high


def is_near(took: float, bounds: tuple[float, float]) -> bool:
    """Whether a well-answered request that took this long gets a row."""
    low, high = bounds
    return low < took and (took <= high or took > NEAR_LIMIT_SHARE * _LONGEST_MS)


def _any_between(traffic: Traffic, near: list[tuple[float, float]], slow_from_ms: float) -> bool:
    return any(
        near[place][0] < took < slow_from_ms for place, took in zip(traffic.place, traffic.integration_ms, strict=True)
    )


def _read_again(waiting: _Waiting, chosen: list[int], payloads: Payloads) -> None:
    roads: dict[tuple[int, str | None], ExecutionRoad | FileReader] = {}
    for slow in waiting.spool.read(chosen):
        road = roads.get((slow.stretch, slow.group))
        if road is None:
            road = _road(waiting.surveyed[slow.stretch], slow.group, payloads)
            roads[slow.stretch, slow.group] = road
        before = waiting.lines_before[slow.stretch]
        lines = [(label if isinstance(label, str) else label + before, line) for label, line in slow.lines]
        if isinstance(road, ExecutionRoad):
            road.replay(lines)
        else:
            for number, line in lines:
                road.odd_line(number, line)  # type: ignore[arg-type]


def _road(surveyed: Surveyed, group: str | None, payloads: Payloads) -> ExecutionRoad | FileReader:
    if isinstance(surveyed.layout, EventLayout):
        if surveyed.layout.access is not None:
            return EventReader(surveyed.source, payloads)
        return GroupRoad(EventReader(surveyed.source, payloads), Traffic(), Wanted(), None, group)
    reader = FileReader(surveyed.source, payloads)
    if isinstance(surveyed.layout, Layout):
        return ExecutionRoad(surveyed.layout, reader, Traffic(), Wanted(), None)
    return reader
