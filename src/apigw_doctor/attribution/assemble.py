"""From evidence to timelines: one for every request that failed or came near its limit."""

import msgspec

from apigw_doctor.attribution.alignment import align
from apigw_doctor.attribution.clocks import clocks_of, kind_of
from apigw_doctor.attribution.effective_limit import EffectiveLimits, Limit
from apigw_doctor.attribution.joins import Joined, Joiner
from apigw_doctor.attribution.segments import segments_of
from apigw_doctor.attribution.silence import longest_silence
from apigw_doctor.attribution.surroundings import Neighbourhood
from apigw_doctor.attribution.timeline import Clocks, Pairing, Target, Timeline, Trace
from apigw_doctor.attribution.witnesses import Witnesses, hear
from apigw_doctor.evidence.tables import (
    ClientReply,
    EdgeRequest,
    Evidence,
    GatewayRequest,
    LambdaInvocation,
)
from apigw_doctor.evidence.traffic import extremes
from apigw_doctor.limits.defaults import default_integration_limit_ms
from apigw_doctor.model.terms import ApiType, Boundary, Kind, LimitBasis, Outcome

_FAILED = 500
_OUTSIDE_MS = 60_000.0


class Assembled(msgspec.Struct, frozen=True):
    """All timelines, and what was learnt on the way."""

    timelines: tuple[Timeline, ...]
    #: every request known, the witnesses' own included
    requests: tuple[GatewayRequest, ...]
    joins_by_id: int
    clock_skew_ms: float | None
    #: invocations that failed and that fit no request of the gateway's logs
    unclaimed: tuple[LambdaInvocation, ...]
    #: files whose times were of another zone -> by how much they were moved
    moved: dict[str, float]


def assemble(evidence: Evidence) -> Assembled:
    """Join, measure and compare; judge nothing."""
    witnesses = hear(evidence)
    aligned = align(msgspec.structs.replace(evidence, requests=witnesses.requests))
    everything = aligned.evidence
    limits, joiner = EffectiveLimits(everything), Joiner(everything)
    concerned: list[tuple[GatewayRequest, Limit, Kind]] = []
    for request in everything.requests:
        limit = limits.of(request)
        kind = kind_of(request, limit)
        if kind is not Kind.FAILED and _witness_failed(witnesses, request):
            kind = Kind.FAILED
        if kind is not None:
            concerned.append((request, limit, kind))
    joined = _join(concerned, joiner, witnesses)
    builder = _Builder(everything, witnesses, Neighbourhood(everything), joiner.skew_ms)
    timelines = [builder.of_request(request, limit, kind, joined[request.key]) for request, limit, kind in concerned]
    lonely, unclaimed = _lonely(everything, joiner, concerned, joined, witnesses)
    timelines.extend(builder.of_invocation(row) for row in lonely)
    return Assembled(
        tuple(sorted(timelines, key=_when)),
        tuple(everything.requests),
        joiner.joins_by_id,
        joiner.skew_ms,
        tuple(unclaimed),
        aligned.moved,
    )


def _when(timeline: Timeline) -> float:
    request, invocation = timeline.request, timeline.invocation
    for at in (
        request.arrived_at if request else None,
        timeline.clocks.cut_at,
        request.last_line_at if request else None,
        invocation.begun_at if invocation else None,
    ):
        if at is not None:
            return at
    return float("inf")


def _witness_failed(witnesses: Witnesses, request: GatewayRequest) -> bool:
    client, edge = witnesses.clients.get(request.key), witnesses.edges.get(request.key)
    if client is not None and (client.gave_up or (client.status or 0) >= _FAILED):
        return True
    if client is not None and client.status is None and client.message and request.status is None:
        return True  # an error body or frame of the gateway, pasted alone
    return edge is not None and (edge.status or 0) >= _FAILED


def _join(
    concerned: list[tuple[GatewayRequest, Limit, Kind]], joiner: Joiner, witnesses: Witnesses
) -> dict[str, Joined]:
    joined: dict[str, Joined] = {}
    waiting: list[tuple[GatewayRequest, Clocks]] = []
    for request, limit, kind in concerned:
        found = joiner.by_id.get(request.key)
        if found is not None:
            joined[request.key] = found
        else:
            waiting.append((request, clocks_of(request, limit, kind, witnesses.clients.get(request.key), None)))
    return joined | joiner.by_time(waiting)


def _lonely(
    evidence: Evidence,
    joiner: Joiner,
    concerned: list[tuple[GatewayRequest, Limit, Kind]],
    joined: dict[str, Joined],
    witnesses: Witnesses,
) -> tuple[list[LambdaInvocation], list[LambdaInvocation]]:
    """Failed invocations without gateway evidence (verdicts), and those that the gateway's log rules out."""
    failed = [row for row in evidence.invocations if row.outcome in (Outcome.TIMEOUT, Outcome.ERROR)]
    if not failed:
        return [], []
    taken = {item.invocation.request_id for item in (*joined.values(), *joiner.by_id.values()) if item.invocation}
    waiting = [
        (request, clocks_of(request, limit, kind, witnesses.clients.get(request.key), None))
        for request, limit, kind in concerned
        if joined[request.key].invocation is None
    ]
    candidates = joiner.candidate_ids(waiting)
    times = [row.arrived_at for row in evidence.requests if row.arrived_at is not None]
    times.extend(extremes(evidence.traffic.arrived_at))
    rest = [row for row in failed if row.request_id not in taken and row.request_id not in candidates]
    if not evidence.requests and not len(evidence.traffic):
        return rest, []
    lonely = [row for row in rest if times and _outside(row, min(times), max(times))]
    return lonely, [row for row in rest if row not in lonely]


def _outside(row: LambdaInvocation, first: float, last: float) -> bool:
    begun = row.begun_at
    return begun is not None and not first - _OUTSIDE_MS <= begun <= last + _OUTSIDE_MS


class _Builder:
    """Puts the parts of one timeline together."""

    def __init__(
        self, evidence: Evidence, witnesses: Witnesses, neighbourhood: Neighbourhood, skew_ms: float | None
    ) -> None:
        self._evidence = evidence
        self._witnesses = witnesses
        self._neighbourhood = neighbourhood
        self._skew_ms = skew_ms
        self._settings = {row.function: row for row in evidence.functions}

    def of_request(self, request: GatewayRequest, limit: Limit, kind: Kind, joined: Joined) -> Timeline:
        invocation, key = joined.invocation, request.key
        client, edge = self._witnesses.clients.get(key), self._witnesses.edges.get(key)
        line = self._witnesses.load_balancers.get(key)
        clocks = clocks_of(request, limit, kind, client, invocation)
        clocks = _witnessed(clocks, request, client, edge)
        silence = None
        if invocation is not None:
            silence = longest_silence(invocation, clocks.cut_at, self._neighbourhood.log_until(invocation))
        return Timeline(
            clocks=clocks,
            pairing=msgspec.structs.replace(joined.pairing, clock_skew_ms=self._skew_ms),
            surroundings=self._neighbourhood.of(request, invocation, silence),
            request=request,
            invocation=invocation,
            silence=silence,
            load_balancer=line,
            edge=edge,
            client=client,
            trace=self._trace(key, invocation),
            target=Target(timings=tuple(self._evidence.targets)) if self._evidence.targets else None,
            settings=self._settings.get(_function(request, invocation)),
            segments=segments_of(request, clocks, invocation, silence, line),
        )

    def of_invocation(self, row: LambdaInvocation) -> Timeline:
        """A failed invocation for which no gateway evidence was given."""
        default = default_integration_limit_ms(ApiType.UNKNOWN.value)
        timed_out = row.outcome is Outcome.TIMEOUT
        clocks = Clocks(
            kind=Kind.FAILED,
            boundary=Boundary.FUNCTION_TIMEOUT if timed_out else Boundary.NONE,
            boundary_reason="the Lambda log says that the function was killed" if timed_out else "the function failed",
            boundary_stated=True,
            limit_ms=default,
            limit_basis=LimitBasis.DEFAULT,
            default_limit_ms=default,
            cut_at=row.finished_at,
            timer_ms=row.timeout_ms if timed_out else None,
        )
        silence = longest_silence(row, row.finished_at)
        return Timeline(
            clocks=clocks,
            pairing=Pairing(log_covers=True, candidates=1),
            surroundings=self._neighbourhood.of(None, row, silence),
            invocation=row,
            silence=silence,
            trace=self._trace("", row),
            settings=self._settings.get(row.function or ""),
            segments=segments_of(None, clocks, row, silence, None),
        )

    def _trace(self, key: str, invocation: LambdaInvocation | None) -> Trace | None:
        if key in self._witnesses.traces:
            return self._witnesses.traces[key]
        if invocation is None or invocation.trace_id is None:
            return None
        rows = tuple(row for row in self._evidence.segments if row.trace_id == invocation.trace_id)
        return Trace(segments=rows) if rows else None


def _function(request: GatewayRequest, invocation: LambdaInvocation | None) -> str:
    return request.function or (invocation.function if invocation else None) or ""


def _witnessed(clocks: Clocks, request: GatewayRequest, client: ClientReply | None, edge: EdgeRequest | None) -> Clocks:
    """Take back a boundary that the gateway's own evidence does not hold: it answered, and somebody else gave up."""
    answered = request.status is not None and request.status < _FAILED and not request.failure
    if answered and clocks.kind is Kind.FAILED and (client is not None or edge is not None):
        return msgspec.structs.replace(
            clocks,
            boundary=Boundary.UNKNOWN,
            boundary_reason="the gateway answered well",
            boundary_stated=False,
            timer_ms=None,
        )
    return clocks
