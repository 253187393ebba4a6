"""The timeline of one request: its rows, its clocks and its milliseconds.

A rule asks for the parts it needs by type. What is absent from `Timeline.parts` was not in the
evidence, and a rule that cannot do without it is "not decidable" for this request.
"""

from typing import Any

import msgspec

from apigw_doctor.evidence.tables import (
    ClientReply,
    EdgeRequest,
    FunctionSettings,
    GatewayRequest,
    LambdaInvocation,
    LoadBalancerRequest,
    Row,
    TargetTiming,
    TraceSegment,
)
from apigw_doctor.model.terms import Boundary, ElapsedBasis, Join, Kind, Layer, LimitBasis


class Part(Row, frozen=True, kw_only=True):
    """Something that attribution worked out and rules may ask for."""


class Segment(Part, frozen=True, kw_only=True):
    """A stretch of the request's time; `start_ms` counts from the request's arrival."""

    layer: Layer
    name: str
    start_ms: float
    duration_ms: float
    #: True: both ends stand in the evidence; False: one was inferred
    measured: bool = True


class Clocks(Part, frozen=True, kw_only=True):
    """The timers on the path of one request, and which of them fired."""

    kind: Kind
    boundary: Boundary
    #: why this boundary: one clause that a reader can check, e.g. "execution log: timeout error"
    boundary_reason: str = ""
    #: True when a log line, responseType or body says so in words; False when only times point there
    boundary_stated: bool = False
    #: L, the integration's effective limit
    limit_ms: float
    limit_basis: LimitBasis
    #: what the API type allows without any quota request
    default_limit_ms: float
    #: T, from arrival to answer at the gateway
    elapsed_ms: float | None = None
    elapsed_basis: ElapsedBasis | None = None
    #: the part of T that counts against L: sending until answer or cut
    integration_ms: float | None = None
    #: when the gateway (or the client, edge ...) stopped waiting; epoch ms
    cut_at: float | None = None
    #: length of the timer that fired, null when none did
    timer_ms: float | None = None
    authorizer_ms: float | None = None

    @property
    def cut_by_gateway(self) -> bool:
        """The integration timeout fired."""
        return self.boundary is Boundary.INTEGRATION_TIMEOUT


class Pairing(Part, frozen=True, kw_only=True):
    """How the invocation was found; present also when none could be joined."""

    join: Join | None = None
    #: how many invocations fit (0: none in the logs, 1: the joined one, 2 or more: ambiguous)
    candidates: int = 0
    #: begin of the invocation minus arrival of the request
    offset_ms: float | None = None
    #: the Lambda log covers the request's time and function, so "none" means that none was there
    log_covers: bool = False
    #: typical offset of the Lambda log's clock against the gateway's, over all id joins
    clock_skew_ms: float | None = None


class Silence(Part, frozen=True, kw_only=True):
    """The longest stretch without a line inside an invocation."""

    started_at: float
    ended_at: float
    #: the last line before it: it names the call
    last_line: str
    last_origin: str
    #: the line that broke it; None when the invocation was cut or killed first
    next_line: str | None = None
    next_origin: str | None = None
    #: lengths of further gaps of about the same length in a row, this one included
    equal_gaps_ms: tuple[float, ...] = ()

    @property
    def duration_ms(self) -> float:
        """Length of the gap."""
        return self.ended_at - self.started_at


class Surroundings(Part, frozen=True, kw_only=True):
    """What the other requests of the same route, function and stream tell about this one.

    Counts are over the whole evidence, this request excluded. None: not known.
    """

    #: other joined or logged invocations of the same function
    same_function: int = 0
    #: of those, how many failed or ran as long as a failed one
    same_function_slow: int = 0
    #: milliseconds of other, well-ended invocations of the same function (Duration), median and max
    same_function_median_ms: float | None = None
    same_function_max_ms: float | None = None
    #: of the first invocations of streams (this one included): how many were slow, of how many
    firsts_slow: int = 0
    firsts: int = 0
    #: of the later invocations of streams: how many were slow, of how many
    laters_slow: int = 0
    laters: int = 0
    #: milliseconds since the previous request to the same function ended, where the log covers it
    idle_before_ms: float | None = None
    #: the next invocations of the same stream or function after this one were fast again
    fast_afterwards: bool | None = None
    #: other calls to the same target (by the words of the last line before the gap) that did return
    same_target_returned: int = 0
    same_target_stalled: int = 0
    #: other calls of this function to other targets that did return
    other_targets_returned: int = 0
    #: other requests of the same route: answered within the limit / timed out
    same_route_ok: int = 0
    same_route_timed_out: int = 0
    #: longest integration time of well-answered requests of the same route
    same_route_max_ok_ms: float | None = None
    #: invocations of the same function that ran when this one began
    concurrency: int | None = None
    #: median concurrency over the function's well-ended invocations
    usual_concurrency: float | None = None
    #: every invocation of the function ends with a silence after its last line
    always_silent_after_last_line: bool = False


class Trace(Part, frozen=True, kw_only=True):
    """The X-Ray segments of this request, parents before children."""

    segments: tuple[TraceSegment, ...]


class Target(Part, frozen=True, kw_only=True):
    """What pasted `curl -w` timings say about the integration's target."""

    timings: tuple[TargetTiming, ...]


class Timeline(msgspec.Struct, frozen=True, kw_only=True):
    """One request with everything that is known about it."""

    clocks: Clocks
    pairing: Pairing
    surroundings: Surroundings
    request: GatewayRequest | None = None
    invocation: LambdaInvocation | None = None
    #: the authorizer's own invocation, where its log was given
    silence: Silence | None = None
    load_balancer: LoadBalancerRequest | None = None
    edge: EdgeRequest | None = None
    client: ClientReply | None = None
    trace: Trace | None = None
    target: Target | None = None
    settings: FunctionSettings | None = None
    segments: tuple[Segment, ...] = ()

    def parts(self) -> dict[type, Any]:
        """The parts by their types; None for what the evidence does not hold."""
        return {kind: getattr(self, name) for kind, name in _PARTS.items()}


_PARTS: dict[type, str] = {
    Clocks: "clocks",
    Pairing: "pairing",
    Surroundings: "surroundings",
    GatewayRequest: "request",
    LambdaInvocation: "invocation",
    Silence: "silence",
    LoadBalancerRequest: "load_balancer",
    EdgeRequest: "edge",
    ClientReply: "client",
    Trace: "trace",
    Target: "target",
    FunctionSettings: "settings",
}
