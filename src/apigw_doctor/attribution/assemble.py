"""From evidence to timelines: one for every request that failed or came near its limit.

A timeline is made when it is asked for: all of them at once would take more memory than the rows they are made of.
"""

from collections.abc import Callable

import msgspec

from apigw_doctor.attribution.alignment import align
from apigw_doctor.attribution.clocks import clocks_of, kind_of
from apigw_doctor.attribution.effective_limit import EffectiveLimits, Limit
from apigw_doctor.attribution.joins import Joined, Joiner
from apigw_doctor.attribution.segments import segments_of
from apigw_doctor.attribution.silence import longest_silence
from apigw_doctor.attribution.surroundings import Neighbourhood
from apigw_doctor.attribution.timeline import Clocks, Pairing, Silence, Target, Timeline, Trace
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


class Subject(msgspec.Struct, frozen=True, kw_only=True):
    """Whom a verdict will be about: a request, or a failed invocation whose request nobody knows."""

    request: GatewayRequest | None = None
    invocation: LambdaInvocation | None = None
    pairing: Pairing
    kind: Kind = Kind.FAILED
    #: known for every request
    limit: Limit | None = None


class Assembled(msgspec.Struct, frozen=True):
    """All that verdicts will be about, and what was learnt on the way."""

    #: in order of time
    subjects: tuple[Subject, ...]
    #: every request known, the witnesses' own included
    requests: tuple[GatewayRequest, ...]
    joins_by_id: int
    clock_skew_ms: float | None
    #: invocations that failed and that fit no request of the gateway's logs
    unclaimed: tuple[LambdaInvocation, ...]
    #: files whose times were of another zone -> by how much they were moved
    moved: dict[str, float]
    #: measures and compares one subject
    timeline: Callable[[Subject], Timeline]


def assemble(evidence: Evidence) -> Assembled:
    """Join and compare; judge nothing."""
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
    subjects = [
        Subject(request=request, limit=limit, kind=kind, invocation=found.invocation, pairing=found.pairing)
        for request, limit, kind in concerned
        for found in (joined[request.key],)
    ]
    lonely, unclaimed = _lonely(everything, joiner, concerned, joined, witnesses)
    subjects.extend(Subject(invocation=row, pairing=Pairing(log_covers=True, candidates=1)) for row in lonely)
    return Assembled(
        tuple(sorted(subjects, key=builder.when)),
        tuple(everything.requests),
        joiner.joins_by_id,
        joiner.skew_ms,
        tuple(unclaimed),
        aligned.moved,
        builder.timeline,
    )


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
    """Puts the parts of one timeline together, whenever it is asked for."""

    def __init__(
        self, evidence: Evidence, witnesses: Witnesses, neighbourhood: Neighbourhood, skew_ms: float | None
    ) -> None:
        self._evidence = evidence
        self._witnesses = witnesses
        self._neighbourhood = neighbourhood
        self._skew_ms = skew_ms
        self._settings = {row.function: row for row in evidence.functions}

    def when(self, subject: Subject) -> float:
        """The first moment known of it; those without one come last."""
        request, invocation = subject.request, subject.invocation
        if request is not None and request.arrived_at is not None:
            return request.arrived_at
        for at in (
            self._clocks(subject).cut_at,
            request.last_line_at if request else None,
            invocation.begun_at if invocation else None,
        ):
            if at is not None:
                return at
        return float("inf")

    def timeline(self, subject: Subject) -> Timeline:
        request, invocation, clocks = subject.request, subject.invocation, self._clocks(subject)
        key = request.key if request is not None else ""
        line = self._witnesses.load_balancers.get(key)
        silence = self._silence(subject, clocks)
        function = (request.function if request else None) or (invocation.function if invocation else None) or ""
        skew_ms = self._skew_ms if request is not None else None
        targets = tuple(self._evidence.targets) if request is not None else ()
        return Timeline(
            clocks=clocks,
            pairing=msgspec.structs.replace(subject.pairing, clock_skew_ms=skew_ms),
            surroundings=self._neighbourhood.of(request, invocation, silence),
            request=request,
            invocation=invocation,
            silence=silence,
            load_balancer=line,
            edge=self._witnesses.edges.get(key),
            client=self._witnesses.clients.get(key),
            trace=self._trace(key, invocation),
            target=Target(timings=targets) if targets else None,
            settings=self._settings.get(function),
            segments=segments_of(request, clocks, invocation, silence, line),
        )

    def _silence(self, subject: Subject, clocks: Clocks) -> Silence | None:
        invocation = subject.invocation
        if invocation is None:
            return None
        if subject.request is None:
            return longest_silence(invocation, clocks.cut_at)
        return longest_silence(invocation, clocks.cut_at, self._neighbourhood.log_until(invocation))

    def _clocks(self, subject: Subject) -> Clocks:
        request, limit, invocation = subject.request, subject.limit, subject.invocation
        if request is None or limit is None:
            assert invocation is not None  # noqa: S101 - a subject has one of both
            return _clocks_alone(invocation)
        client, edge = self._witnesses.clients.get(request.key), self._witnesses.edges.get(request.key)
        return _witnessed(clocks_of(request, limit, subject.kind, client, invocation), request, client, edge)

    def _trace(self, key: str, invocation: LambdaInvocation | None) -> Trace | None:
        if key in self._witnesses.traces:
            return self._witnesses.traces[key]
        if invocation is None or invocation.trace_id is None:
            return None
        rows = tuple(row for row in self._evidence.segments if row.trace_id == invocation.trace_id)
        return Trace(segments=rows) if rows else None


def _clocks_alone(row: LambdaInvocation) -> Clocks:
    """Of a failed invocation for which no gateway evidence was given."""
    default = default_integration_limit_ms(ApiType.UNKNOWN.value)
    timed_out = row.outcome is Outcome.TIMEOUT
    return Clocks(
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
