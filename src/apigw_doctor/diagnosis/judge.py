"""From a timeline to a verdict: every rule is asked, the most specific answer wins, confidence is capped.

Caps: an invocation found by time window only, or a timer that only the clock points to, is at most *likely*;
two candidates are at most *possible*; an undetermined cause is never surer than that.
"""

import msgspec

from apigw_doctor.attribution.clocks import function_throttled
from apigw_doctor.attribution.segments import SILENCE
from apigw_doctor.attribution.timeline import Timeline
from apigw_doctor.diagnosis.catalogue import catalogue
from apigw_doctor.diagnosis.missing import missing_for
from apigw_doctor.diagnosis.remedies import Place
from apigw_doctor.diagnosis.rule import Cause, Rule
from apigw_doctor.diagnosis.verdict import (
    Alternative,
    EvidenceText,
    JoinedInvocation,
    TimeSegment,
    Verdict,
)
from apigw_doctor.evidence.tables import Cite, GatewayRequest, LambdaInvocation
from apigw_doctor.model.terms import ApiType, Boundary, Confidence, EvidenceKind, Join, Kind, Layer, LimitBasis, Outcome
from apigw_doctor.model.times import iso_or_none

UNDETERMINED = "undetermined"
_NO_TIMER = (Boundary.NONE, Boundary.UNKNOWN)
#: Causes that rest on what the gateway (or a witness) says, not on the joined invocation.
_GATEWAY_LAYERS = (Layer.GATEWAY, Layer.CAPACITY, Layer.AUTHORIZER, Layer.EDGE, Layer.CLIENT)
_MAX_EVIDENCE = 16
#: HTTP and WebSocket APIs have neither a quota for their limit nor streamed responses.
_REST_ONLY = frozenset({"quota-increase", "response-streaming"})


class Told(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What an answer about many requests needs of one verdict; the rest of a verdict is only reported."""

    kind: Kind
    cause: str
    layer: Layer
    boundary: Boundary
    confidence: Confidence
    timed_out: bool
    fixes: tuple[str, ...]
    summary: str
    #: of its clocks, also where the verdict does not name it
    limit_ms: float
    limit_basis: LimitBasis
    default_limit_ms: float

    @classmethod
    def of(cls, verdict: Verdict, timeline: Timeline) -> "Told":
        """The same words once more, without the rest."""
        clocks = timeline.clocks
        return cls(
            kind=verdict.kind,
            cause=verdict.cause,
            layer=verdict.layer,
            boundary=verdict.boundary,
            confidence=verdict.confidence,
            timed_out=verdict.timed_out,
            fixes=verdict.fixes,
            summary=verdict.summary,
            limit_ms=clocks.limit_ms,
            limit_basis=clocks.limit_basis,
            default_limit_ms=clocks.default_limit_ms,
        )


class Judged(msgspec.Struct, frozen=True):
    """What a verdict tells, and the rows that it is about."""

    told: Told
    request: GatewayRequest | None = None
    invocation: LambdaInvocation | None = None

    @property
    def place(self) -> Place:
        """What commands for this request must name."""
        return place_of(self.request, self.invocation, self.told.default_limit_ms)


def judge(timeline: Timeline) -> Verdict:
    """The verdict for one request."""
    found: list[tuple[Rule, Cause]] = []
    wanted: set[str] = set()
    parts = timeline.parts()
    for rule in catalogue():
        answer = rule.evaluate_parts(parts)
        if isinstance(answer, Cause):
            found.append((rule, answer))
        elif answer is not None:
            wanted.update(answer.missing)
    winner, cause = _choose(found)
    return _verdict(timeline, winner, cause, found, wanted)


def _choose(found: list[tuple[Rule, Cause]]) -> tuple[Rule, Cause]:
    """The most specific; among equals the surest. A merely possible one does not beat a likely, less specific one."""
    best = max((cause.confidence.rank for _, cause in found), default=0)
    strong = [item for item in found if item[1].confidence.rank >= min(best, Confidence.LIKELY.rank)]
    return max(strong, key=lambda item: (item[0].specificity, item[1].confidence.rank))


def _verdict(timeline: Timeline, rule: Rule, cause: Cause, found: list[tuple[Rule, Cause]], parts: set[str]) -> Verdict:
    request, clocks = timeline.request, timeline.clocks
    boundary = cause.boundary or clocks.boundary
    confidence = _capped(timeline, rule, cause)
    layer = cause.layer or rule.layer
    if rule.name == UNDETERMINED:
        layer = Layer.UNKNOWN
    place = place_of(request, timeline.invocation, clocks.default_limit_ms)
    empty = request or GatewayRequest(key="")
    return Verdict(
        kind=clocks.kind,
        request_id=empty.request_id or empty.extended_request_id,
        extended_request_id=empty.extended_request_id,
        trace_id=empty.trace_id or (timeline.invocation.trace_id if timeline.invocation else None),
        connection_id=empty.connection_id,
        api_type=empty.api_type,
        api_id=empty.api_id,
        stage=empty.stage,
        method=empty.method,
        route=empty.route or empty.path,
        arrived_at=iso_or_none(empty.arrived_at),
        status=_status(timeline),
        integration_status=empty.integration_status,
        error_type=empty.response_type,
        error_message=empty.error_message
        or empty.failure
        or (timeline.invocation.error_text if timeline.invocation else None),
        timed_out=boundary not in _NO_TIMER and clocks.kind is Kind.FAILED,
        elapsed_ms=_rounded(clocks.elapsed_ms),
        elapsed_basis=clocks.elapsed_basis,
        limit_ms=clocks.limit_ms if request is not None else None,
        limit_basis=clocks.limit_basis if request is not None else None,
        timer_ms=_timer(timeline, cause, boundary),
        boundary=boundary,
        layer=layer,
        cause=rule.name,
        code=rule.code,
        confidence=confidence,
        summary=cause.summary,
        invocation=_invocation(timeline),
        segments=_segments(timeline, layer),
        evidence=_evidence(timeline, cause),
        missing=()
        if confidence is Confidence.PROVEN and clocks.elapsed_ms is not None
        else missing_for(timeline, parts, place),
        alternatives=_alternatives(rule, cause, found),
        fixes=tuple(fix for fix in dict.fromkeys(cause.fixes or rule.fixes) if applies(fix, timeline)),
    )


def place_of(request: GatewayRequest | None, invocation: LambdaInvocation | None, default_limit_ms: float) -> Place:
    """What commands for this request must name."""
    return Place(
        api_type=request.api_type if request else ApiType.UNKNOWN,
        api_id=request.api_id if request else None,
        stage=request.stage if request else None,
        method=request.method if request else None,
        route=request.route if request else None,
        function=(request.function if request else None) or (invocation.function if invocation else None),
        default_limit_ms=default_limit_ms,
    )


def applies(fix: str, timeline: Timeline) -> bool:
    """Whether a remedy exists at all for this request's kind of API."""
    request = timeline.request
    if request is None or fix not in _REST_ONLY:
        return True
    if request.api_type in (ApiType.HTTP, ApiType.WEBSOCKET):
        return False
    return fix != "quota-increase" or (request.endpoint_type or "").upper() != "EDGE"


def _status(timeline: Timeline) -> int | None:
    """What the client got: from the client where it spoke, else from the edge, else from the gateway."""
    for witness in (timeline.client, timeline.edge):
        if witness is not None and witness.status is not None:
            return witness.status
    if timeline.client is not None and timeline.client.gave_up:
        return None
    return timeline.request.status if timeline.request else None


def _capped(timeline: Timeline, rule: Rule, cause: Cause) -> Confidence:
    confidence = cause.confidence
    if rule.name == UNDETERMINED:
        return Confidence.UNDETERMINED
    if cause.layer is not None or rule.layer not in _GATEWAY_LAYERS:
        if timeline.pairing.join is Join.TIME_WINDOW:
            confidence = confidence.at_most(Confidence.LIKELY)
        if timeline.pairing.candidates > 1:
            confidence = confidence.at_most(Confidence.POSSIBLE)
    clocks = timeline.clocks
    if (
        clocks.kind is Kind.FAILED
        and cause.boundary is None
        and not clocks.boundary_stated
        and clocks.boundary is not Boundary.NONE
    ):
        confidence = confidence.at_most(Confidence.LIKELY)
    return confidence


def _timer(timeline: Timeline, cause: Cause, boundary: Boundary) -> float | None:
    if boundary in _NO_TIMER or timeline.clocks.kind is not Kind.FAILED:
        return None
    if cause.timer_ms is not None:
        return cause.timer_ms
    return timeline.clocks.timer_ms if boundary is timeline.clocks.boundary else None


def _invocation(timeline: Timeline) -> JoinedInvocation | None:
    row, pairing = timeline.invocation, timeline.pairing
    if row is None:
        if pairing.candidates < 2:
            return _named_by_the_gateway(timeline)
        return JoinedInvocation(
            request_id=None,
            function=timeline.request.function if timeline.request else None,
            duration_ms=None,
            init_ms=None,
            outcome=Outcome.UNKNOWN,
            join=None,
            candidates=pairing.candidates,
            offset_ms=None,
        )
    return JoinedInvocation(
        request_id=row.request_id,
        function=row.function,
        duration_ms=_rounded(row.duration_ms),
        init_ms=_rounded(row.init_ms),
        outcome=row.outcome,
        join=pairing.join,
        candidates=pairing.candidates,
        offset_ms=_rounded(pairing.offset_ms),
    )


def _named_by_the_gateway(timeline: Timeline) -> JoinedInvocation | None:
    """The gateway names the invocation, but its log was not given: there is an id to search for, and no more."""
    request = timeline.request
    if request is None or request.lambda_request_id is None or function_throttled(request):
        return None
    return JoinedInvocation(
        request_id=request.lambda_request_id,
        function=request.function,
        duration_ms=None,
        init_ms=None,
        outcome=Outcome.UNKNOWN,
        join=Join.SEGMENT if request.sources == (EvidenceKind.TRACES,) else Join.REQUEST_ID,
        candidates=1,
        offset_ms=None,
    )


def _segments(timeline: Timeline, layer: Layer) -> tuple[TimeSegment, ...]:
    found = []
    for segment in timeline.segments:
        charged, name = segment.layer, segment.name
        if name == SILENCE:
            charged = layer if layer in (Layer.DEPENDENCY, Layer.NETWORK) else segment.layer
            line = timeline.silence.last_line if timeline.silence else ""
            name = "function" if line == "START" else f"silence after: {' '.join(line.split())[:80]}"
        elif charged is Layer.UNKNOWN and layer is not Layer.UNKNOWN and name.startswith(("waiting", "integration")):
            charged = layer
        found.append(
            TimeSegment(
                layer=charged,
                name=name,
                start_ms=segment.start_ms,
                duration_ms=segment.duration_ms,
                basis="measured" if segment.measured else "inferred",
            )
        )
    return tuple(found)


def _evidence(timeline: Timeline, cause: Cause) -> tuple[EvidenceText, ...]:
    cites: list[Cite] = list(timeline.request.cites) if timeline.request else []
    for part in (timeline.client, timeline.edge, timeline.load_balancer):
        if part is not None:
            cites.extend(part.cites)
    cites.extend(cause.cites)
    if timeline.invocation is not None:
        cites.extend(timeline.invocation.cites)
    silence = timeline.silence
    if silence is not None and silence.last_line not in ("START", "END"):
        cites.append(Cite(origin=silence.last_origin, text=silence.last_line))
    unique = {(cite.origin, cite.text): cite for cite in cites}
    return tuple(EvidenceText(origin=cite.origin, text=cite.text) for cite in list(unique.values())[:_MAX_EVIDENCE])


def _alternatives(rule: Rule, cause: Cause, found: list[tuple[Rule, Cause]]) -> tuple[Alternative, ...]:
    listed = {name: Alternative(cause=name, why_not=reason) for name, reason in cause.why_not}
    for other, answer in found:
        if other.name not in (rule.name, UNDETERMINED) and other.name not in listed:
            reason = f"fits too, but says less or is less sure: {answer.summary}"
            listed[other.name] = Alternative(cause=other.name, why_not=reason)
    return tuple(listed.values())


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)
