"""The answer: what `diagnose --format json` prints, as types.

Times are ISO 8601 UTC with milliseconds, durations are milliseconds, unknown is `null`. The JSON
Schema that ships with the package is made from these types; within schema `/1` keys may be added,
never renamed, removed or changed in meaning.
"""

from collections.abc import Sequence
from typing import Literal

import msgspec

from apigw_doctor.model.terms import (
    ApiType,
    Boundary,
    Confidence,
    ElapsedBasis,
    EvidenceKind,
    Join,
    Kind,
    Layer,
    LimitBasis,
    Outcome,
)

SCHEMA = "apigw-doctor/diagnosis/1"


class _Answer(msgspec.Struct, frozen=True, kw_only=True):
    """A part of the answer."""


class Window(_Answer, frozen=True, kw_only=True):
    """First and last moment of the evidence."""

    from_: str | None = msgspec.field(name="from", default=None)
    to: str | None = None


class Summary(_Answer, frozen=True, kw_only=True):
    """The whole incident in one sentence and a few counts."""

    headline: str
    requests: int
    invocations: int
    failed: int
    timed_out: int
    by_layer: dict[str, int]
    by_cause: dict[str, int]
    by_boundary: dict[str, int]
    window: Window
    near_limit: int = 0


class Coverage(_Answer, frozen=True, kw_only=True):
    """What evidence of one kind there was, and how to get more of it."""

    evidence: EvidenceKind
    state: Literal["present", "partial", "absent"]
    detail: str
    remedy: str | None = None


class JoinedInvocation(_Answer, frozen=True, kw_only=True):
    """The Lambda invocation behind a request; `request_id` is null where several fit."""

    request_id: str | None
    function: str | None
    duration_ms: float | None
    init_ms: float | None
    outcome: Outcome
    join: Join | None
    candidates: int
    offset_ms: float | None


class TimeSegment(_Answer, frozen=True, kw_only=True):
    """A stretch of the request's time, counted from its arrival."""

    layer: Layer
    name: str
    start_ms: float
    duration_ms: float
    basis: Literal["measured", "inferred"]


class EvidenceText(_Answer, frozen=True, kw_only=True):
    """A log line (redacted) and where it stands."""

    origin: str
    text: str


class Missing(_Answer, frozen=True, kw_only=True):
    """Evidence that would make the answer surer, and the command that supplies it."""

    wanted: str
    reason: str
    remedy: str


class Alternative(_Answer, frozen=True, kw_only=True):
    """Another cause that was weighed."""

    cause: str
    why_not: str


class Verdict(_Answer, frozen=True, kw_only=True):
    """The answer for one request."""

    kind: Kind
    request_id: str | None
    extended_request_id: str | None
    trace_id: str | None
    connection_id: str | None
    api_type: ApiType
    api_id: str | None
    stage: str | None
    method: str | None
    route: str | None
    arrived_at: str | None
    status: int | None
    integration_status: int | None
    error_type: str | None
    error_message: str | None
    timed_out: bool
    elapsed_ms: float | None
    elapsed_basis: ElapsedBasis | None
    limit_ms: float | None
    limit_basis: LimitBasis | None
    timer_ms: float | None
    boundary: Boundary
    layer: Layer
    cause: str
    code: str
    confidence: Confidence
    summary: str
    invocation: JoinedInvocation | None
    segments: tuple[TimeSegment, ...]
    evidence: tuple[EvidenceText, ...]
    missing: tuple[Missing, ...]
    alternatives: tuple[Alternative, ...]
    fixes: tuple[str, ...]


class Finding(_Answer, frozen=True, kw_only=True):
    """Something about many requests at once."""

    code: str
    name: str
    title: str
    count: int
    detail: str
    evidence: tuple[EvidenceText, ...] = ()
    #: what to paste to know more; null where the detail says all
    command: str | None = None


class RankedFix(_Answer, frozen=True, kw_only=True):
    """A remedy and how many of the failed requests it would have saved."""

    id: str
    title: str
    saves: int | None
    of: int
    applicability: Literal["safe", "review", "advice"]
    #: what to paste; null where no command can do it
    command: str | None
    why: str


class UnreadLines(_Answer, frozen=True, kw_only=True):
    """Input that could not be parsed; counted, never dropped silently."""

    origin: str
    lines: int
    reason: str


class Cost(_Answer, frozen=True, kw_only=True):
    """What the answer cost in AWS calls; live accounts only."""

    estimated_usd: float
    usd: float
    scanned_bytes: int
    aws_calls: int


class RouteStatistics(_Answer, frozen=True, kw_only=True):
    """Exact percentiles (nearest rank) of one route's integration time; `n` says how much they are worth."""

    api_id: str | None
    stage: str | None
    method: str | None
    route: str | None
    n: int
    failed: int
    timed_out: int
    p50_ms: float | None
    p90_ms: float | None
    p99_ms: float | None
    max_ms: float | None
    limit_ms: float | None = None


class Diagnosis(_Answer, frozen=True, kw_only=True):
    """The whole answer."""

    schema: str
    summary: Summary
    coverage: tuple[Coverage, ...]
    verdicts: Sequence[Verdict]
    findings: tuple[Finding, ...]
    fixes: tuple[RankedFix, ...]
    unread: tuple[UnreadLines, ...]
    cost: Cost | None = None
    routes: tuple[RouteStatistics, ...] = ()
    #: assumptions that hold for the whole answer (time zones, clock skew, ...)
    notes: tuple[str, ...] = ()
    #: evidence that was asked for and could not be had; makes the exit status 3
    gaps: tuple[str, ...] = ()
