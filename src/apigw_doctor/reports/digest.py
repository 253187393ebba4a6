"""What the reports for people pick out of the answer: groups, samples and names; no judging."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from apigw_doctor.diagnosis.verdict import Coverage, Diagnosis, Missing, RouteStatistics, Verdict
from apigw_doctor.model.terms import EvidenceKind, Kind, Layer
from apigw_doctor.reports.escape import one_line
from apigw_doctor.reports.units import counted, exact, moment, number, plural

WHO: dict[Layer, str] = {
    Layer.CLIENT: "the client's team",
    Layer.EDGE: "whoever runs the CDN or proxy",
    Layer.GATEWAY: "the owner of the API's configuration",
    Layer.AUTHORIZER: "the authorizer's team",
    Layer.NETWORK: "the network team: VPC, DNS, load balancer",
    Layer.CAPACITY: "the owner of the account's Lambda concurrency",
    Layer.INIT: "the function's team, for its start-up",
    Layer.FUNCTION: "the function's team, for its code",
    Layer.DEPENDENCY: "the owner of the called service, with the function's team",
    Layer.BACKEND: "the backend's team",
    Layer.UNKNOWN: "nobody yet: fetch the missing evidence first",
}
_ROUTE_LIMIT = 48
_NO_TIMER = {"none": "no timer", "unknown": "not known"}
#: percentile -> how many requests it takes before ten of them lie above it: 10 / (1 - p)
_LEAST = {50: 20, 90: 100, 99: 1000}


class CauseGroup(NamedTuple):
    """The failed requests that have one cause."""

    cause: str
    code: str
    verdicts: tuple[Verdict, ...]

    @property
    def layers(self) -> str:
        """The layer, or layers, that spent the time."""
        return ", ".join(Counter(verdict.layer.value for verdict in self.verdicts))

    @property
    def boundaries(self) -> str:
        """The clocks that ended them."""
        return ", ".join(Counter(_NO_TIMER.get(verdict.boundary, verdict.boundary) for verdict in self.verdicts))

    @property
    def confidence(self) -> str:
        """How sure: `proven`, or `proven 10, likely 2` where they differ."""
        mix = Counter(verdict.confidence.value for verdict in self.verdicts)
        return next(iter(mix)) if len(mix) == 1 else counted(mix)

    @property
    def example(self) -> Verdict:
        """The surest of them."""
        return max(self.verdicts, key=lambda verdict: verdict.confidence.rank)


def of_kind(diagnosis: Diagnosis, kind: Kind) -> tuple[Verdict, ...]:
    """The verdicts of one kind."""
    return tuple(verdict for verdict in diagnosis.verdicts if verdict.kind is kind)


def cause_groups(verdicts: Iterable[Verdict]) -> list[CauseGroup]:
    """Group by cause, the most frequent first."""
    found: dict[tuple[str, str], list[Verdict]] = {}
    for verdict in verdicts:
        found.setdefault((verdict.cause, verdict.code), []).append(verdict)
    groups = [CauseGroup(cause, code, tuple(members)) for (cause, code), members in found.items()]
    return sorted(groups, key=lambda group: -len(group.verdicts))


def sample(groups: Sequence[CauseGroup], most: int) -> list[tuple[CauseGroup, list[Verdict]]]:
    """At most `most` requests, each cause in turn giving one, so that no cause is crowded out."""
    taken = [0] * len(groups)
    while sum(taken) < most and any(count < len(group.verdicts) for count, group in zip(taken, groups, strict=True)):
        for place, group in enumerate(groups):
            if taken[place] < len(group.verdicts) and sum(taken) < most:
                taken[place] += 1
    return [(group, list(group.verdicts[:count])) for group, count in zip(groups, taken, strict=True) if count]


def callers(verdicts: Sequence[Verdict], most: int = 3) -> str:
    """Whom to call, by the layers that spent the time."""
    layers = Counter(verdict.layer for verdict in verdicts).most_common(most)
    if len(layers) == 1:
        return WHO[layers[0][0]]
    return "; ".join(f"{WHO[layer]} ({count:,})" for layer, count in layers)


def seen(diagnosis: Diagnosis) -> str:
    """How much was looked at."""
    summary = diagnosis.summary
    return f"{plural(summary.requests, 'request')}, {plural(summary.invocations, 'invocation')}"


def counted_failures(diagnosis: Diagnosis) -> int:
    """Failures that only metrics count; where several places count them, the most that one does."""
    return max((found.count for found in diagnosis.findings if found.name == "failures-in-metrics"), default=0)


def window(diagnosis: Diagnosis) -> str:
    """The time that the evidence spans; empty where it names none."""
    first, last = diagnosis.summary.window.from_, diagnosis.summary.window.to
    return f"{moment(first)} to {moment(last)}" if first or last else ""


def clocks(by_boundary: dict[str, int]) -> str:
    """Which timers fired, and how often none did."""
    return counted({_NO_TIMER.get(name, name): count for name, count in by_boundary.items()})


def places(verdicts: Iterable[Verdict], most: int = 3) -> str:
    """The routes and functions hit most."""
    chosen = tuple(verdicts)
    routes = Counter(one_line(route_of(verdict), _ROUTE_LIMIT) for verdict in chosen if verdict.route)
    functions = Counter(
        verdict.invocation.function for verdict in chosen if verdict.invocation and verdict.invocation.function
    )
    told = [counted(routes, most)] if routes else []
    if functions:
        told.append(f"function {counted(functions, most)}")
    return "; ".join(told)


def route_of(row: Verdict | RouteStatistics) -> str:
    """Method and route."""
    return " ".join(part for part in (row.method, row.route) if part) or "route unknown"


def stage_of(row: Verdict | RouteStatistics) -> str:
    """The API and its stage."""
    return f"{row.api_id or 'unknown API'}/{row.stage or 'unknown stage'}"


def name_of(verdict: Verdict) -> str:
    """The id by which the request is called; of its invocation where the gateway's logs were not given."""
    if verdict.request_id:
        return verdict.request_id
    if verdict.invocation and verdict.invocation.request_id:
        return f"invocation {verdict.invocation.request_id}"
    return verdict.connection_id or "request without an id"


def against_limit(verdict: Verdict) -> str:
    """Elapsed time beside the limit: `29,004 of 29,000 ms`."""
    if verdict.elapsed_ms is None or verdict.limit_ms is None:
        return f"{exact(verdict.elapsed_ms)} elapsed" if verdict.elapsed_ms is not None else "elapsed unknown"
    return f"{number(verdict.elapsed_ms)} of {exact(verdict.limit_ms)}"


def used_share(verdict: Verdict) -> float:
    """How much of its limit the request used; 0 where that is not known."""
    if verdict.elapsed_ms is None or not verdict.limit_ms:
        return 0.0
    return verdict.elapsed_ms / verdict.limit_ms


def worst_routes(routes: Iterable[RouteStatistics], most: int) -> list[RouteStatistics]:
    """Most failures first, then the slowest."""
    ranked = sorted(routes, key=lambda row: (-row.failed, -row.timed_out, -(row.p99_ms or 0.0), route_of(row)))
    return ranked[:most]


def is_weak(n: int, percentile: int) -> bool:
    """Whether fewer than ten requests lie above the percentile."""
    return n < _LEAST[percentile]


class Wanted(NamedTuple):
    """Evidence worth fetching, and how many requests miss it (0: a kind that was not given at all)."""

    missing: Missing
    requests: int
    #: their commands differ, by time or id; the one shown is for the first request
    is_example: bool


def wanted_evidence(diagnosis: Diagnosis) -> list[Wanted]:
    """What the verdicts miss, the most missed first; then the kinds of evidence that were absent."""
    found: dict[tuple[str, str], list[Missing]] = {}
    for verdict in diagnosis.verdicts:
        for item in verdict.missing:
            found.setdefault((item.wanted, item.reason), []).append(item)
    wanted = [Wanted(items[0], len(items), len({item.remedy for item in items}) > 1) for items in found.values()]
    wanted.sort(key=lambda item: -item.requests)
    known = {item.missing.remedy for item in wanted}
    asked = {item.missing.wanted for item in wanted}
    wanted.extend(
        Wanted(Missing(wanted=f"{row.evidence.value} ({row.state})", reason=row.detail, remedy=row.remedy), 0, False)
        for row in diagnosis.coverage
        if row.state != "present" and row.remedy and row.remedy not in known
        # the request's own command has its times, this one has none
        if not (row.evidence is EvidenceKind.LAMBDA_LOG and "the Lambda log" in asked)
    )
    return wanted


def coverage_order(coverage: Iterable[Coverage]) -> list[Coverage]:
    """What there was before what there was not; otherwise as the answer has it."""
    return sorted(coverage, key=lambda row: ("present", "partial", "absent").index(row.state))
