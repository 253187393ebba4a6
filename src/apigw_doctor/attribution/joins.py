"""Which invocation served which request: the five ways of joining, strongest first.

Lambda request id; X-Ray trace root; the gateway's id in the function's own log; X-Ray segments; and, only
where exactly one invocation fits, the time window. Two that fit are no join.
"""

import re
from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from functools import cached_property
from statistics import median

import msgspec

from apigw_doctor.attribution.clocks import never_called
from apigw_doctor.attribution.timeline import Clocks, Pairing
from apigw_doctor.evidence.tables import Evidence, GatewayRequest, LambdaInvocation
from apigw_doctor.evidence.traffic import extremes, id64
from apigw_doctor.model.terms import Boundary, Join

#: An invocation may seem to begin before its request arrived, as clocks differ, or up to this much later.
BEFORE_MS, AFTER_MS = 250.0, 2000.0
#: How close an answered request's invocation must have ended to the answer.
END_WITHIN_MS = 250.0
_SKEW_WORTH_MS = 250.0
_COVER_MARGIN_MS = 60_000.0
_PAIRS_ENOUGH = 20_000
_NO_BOUND = float("inf")


#: Words of an event that no API Gateway sent: a schedule, a queue, a stream, a warmer.
_OTHER_TRIGGER = re.compile(
    r"\"detail-type\"|detail-type['\"]?\s*[:=]|aws\.events|eventSource['\"]?\s*[:=]\s*['\"]?aws:|serverless-plugin-warmup|\"warmer\"\s*:\s*true"
)


class Joined(msgspec.Struct, frozen=True):
    """The result for one request."""

    pairing: Pairing
    invocation: LambdaInvocation | None = None


class Joiner:
    """Joins the requests of one evidence to its invocations, one to one."""

    def __init__(self, evidence: Evidence) -> None:
        self._evidence = evidence
        self._invocations = evidence.invocations
        self._requests = evidence.requests
        self._by_id = {row.request_id.lower(): row for row in evidence.invocations}
        self._by_trace = _index(evidence.invocations, lambda row: [row.trace_id] if row.trace_id else [])
        self._by_logged = _index(evidence.invocations, lambda row: row.logged_ids)
        self._segment_ids = _segment_pairs(evidence)
        invoked = {row.function for row in evidence.invocations} | evidence.crowd.names()
        called = {row.function for row in evidence.requests} | {place.function for place in evidence.traffic.places}
        self._by_begin = sorted(
            (row for row in evidence.invocations if row.begun_at is not None), key=lambda row: row.begun_at or 0.0
        )
        self._begins = [row.begun_at or 0.0 for row in self._by_begin]
        self._one_function = len((invoked | called) - {None}) <= 1 and len(invoked) <= 1
        self._taken: dict[str, str] = {}
        self.by_id: dict[str, Joined] = {}
        for request in evidence.requests:
            joined = self._join_by_id(request)
            if joined is not None:
                self.by_id[request.key] = joined
                if joined.invocation is not None:
                    self._taken[joined.invocation.request_id] = request.key
        self._unseen_offsets = _offsets(evidence)
        self.skew_ms = self._skew()

    @cached_property
    def _spans(self) -> dict[str | None, tuple[float, float]]:
        return _spans(self._evidence)

    @cached_property
    def _claimed(self) -> set[str]:
        return _claimed(self._evidence)

    def _join_by_id(self, request: GatewayRequest) -> Joined | None:
        """The join by any id; `Joined` without an invocation when ids point to several."""
        if request.lambda_request_id is not None:
            row = self._by_id.get(request.lambda_request_id.lower())
            if row is not None:
                return self._paired(request, row, Join.REQUEST_ID)
        ids = [item for item in (request.request_id, request.extended_request_id) if item]
        found: tuple[tuple[Join, list[LambdaInvocation]], ...] = (
            (Join.TRACE_ID, self._by_trace.get(request.trace_id or "", [])),
            (Join.LOGGED_ID, [row for item in ids for row in self._by_logged.get(item, [])]),
            (Join.SEGMENT, [row for item in ids if (row := self._by_id.get(self._segment_ids.get(item, "")))]),
        )
        for join, rows in found:
            rows = self._of_function(request, list({row.request_id: row for row in rows}.values()))
            if len(rows) == 1:
                return self._paired(request, rows[0], join)
            if len(rows) > 1:
                return Joined(Pairing(candidates=len(rows), log_covers=True))
        return None

    def _of_function(self, request: GatewayRequest, rows: list[LambdaInvocation]) -> list[LambdaInvocation]:
        if request.function is None:
            return rows
        return [row for row in rows if row.function in (None, request.function)]

    def _paired(self, request: GatewayRequest, row: LambdaInvocation, join: Join) -> Joined:
        begun, arrived = row.begun_at, request.arrived_at
        offset = begun - arrived if begun is not None and arrived is not None else None
        return Joined(Pairing(join=join, candidates=1, offset_ms=offset, log_covers=True), row)

    def _skew(self) -> float | None:
        """Offset of the Lambda log's clock: what id-joined pairs show beyond the way that a request needs."""
        offsets = [joined.pairing.offset_ms for joined in self.by_id.values() if joined.pairing.offset_ms is not None]
        offsets += self._unseen_offsets
        if len(offsets) < 2:
            return None
        typical = median(offsets)
        return typical if typical < -_SKEW_WORTH_MS or typical > 60_000.0 else None

    @property
    def joins_by_id(self) -> int:
        """How many pairs an id has joined, those without rows included."""
        return sum(item.invocation is not None for item in self.by_id.values()) + len(self._unseen_offsets)

    # time window

    def by_time(self, open_requests: list[tuple[GatewayRequest, Clocks]]) -> dict[str, Joined]:
        """Join what ids could not, where exactly one invocation fits; keyed by the request's key."""
        fitting: dict[str, list[LambdaInvocation]] = {}
        for request, clocks in open_requests:
            fitting[request.key] = self._fitting(request, clocks)
        sole = Counter(rows[0].request_id for rows in fitting.values() if len(rows) == 1)
        results: dict[str, Joined] = {}
        for request, clocks in open_requests:
            rows = fitting[request.key]
            covers = self._covers(request, clocks)
            if len(rows) == 1 and sole[rows[0].request_id] == 1:
                joined = self._paired(request, rows[0], Join.TIME_WINDOW)
                results[request.key] = joined
            elif len(rows) == 1:
                pairing = Pairing(candidates=sole[rows[0].request_id], log_covers=covers)
                results[request.key] = Joined(pairing)
            else:
                results[request.key] = Joined(Pairing(candidates=len(rows), log_covers=covers))
        return results

    def candidate_ids(self, open_requests: list[tuple[GatewayRequest, Clocks]]) -> set[str]:
        """Invocations that fit some request by time, joined or not."""
        return {row.request_id for request, clocks in open_requests for row in self._fitting(request, clocks)}

    def _fitting(self, request: GatewayRequest, clocks: Clocks) -> list[LambdaInvocation]:
        """Free invocations that fit, looked for around the request's arrival only."""
        bounds = begin_bounds(request, clocks)
        if bounds is None:
            return []
        skew = self.skew_ms or 0.0
        near = self._by_begin[
            bisect_left(self._begins, bounds[0] + skew) : bisect_right(self._begins, bounds[1] + skew)
        ]
        free = (row for row in near if row.request_id not in self._taken and row.request_id not in self._claimed)
        return [row for row in free if self._fits(row, request, clocks)]

    def _fits(self, row: LambdaInvocation, request: GatewayRequest, clocks: Clocks) -> bool:
        arrived, begun = _arrival(request, clocks), row.begun_at
        if arrived is None or begun is None or request.lambda_request_id is not None or never_called(request):
            return False
        if any(_OTHER_TRIGGER.search(line.text) for line in row.lines[:4]):
            return False
        if request.trace_id and row.trace_id and request.trace_id != row.trace_id:
            return False
        if not self._same_function(row, request):
            return False
        return self._end_agrees(row, request, clocks)

    def _end_agrees(self, row: LambdaInvocation, request: GatewayRequest, clocks: Clocks) -> bool:
        ended = row.finished_at
        if ended is None or clocks.cut_at is None:
            return clocks.boundary is Boundary.INTEGRATION_TIMEOUT or ended is not None
        low, high = end_bounds(request, clocks)
        return low <= ended - (self.skew_ms or 0.0) <= high

    def _same_function(self, row: LambdaInvocation, request: GatewayRequest) -> bool:
        if row.function is not None and request.function is not None:
            return row.function == request.function
        return self._one_function

    def _covers(self, request: GatewayRequest, clocks: Clocks) -> bool:
        """The Lambda log has lines of this function around the time of the request."""
        arrived = _arrival(request, clocks)
        spans = [self._spans[name] for name in (request.function, None) if name in self._spans]
        if request.function is None or (self._one_function and not spans):
            spans = list(self._spans.values())
        if not spans:
            return False
        return arrived is None or any(
            low - _COVER_MARGIN_MS <= arrived <= high + _COVER_MARGIN_MS for low, high in spans
        )


def begin_bounds(request: GatewayRequest, clocks: Clocks) -> tuple[float, float] | None:
    """First and last moment at which the request's invocation may begin; None when its arrival is not known."""
    arrived = _arrival(request, clocks)
    if arrived is None:
        return None
    return arrived - BEFORE_MS, arrived + AFTER_MS + (clocks.authorizer_ms or 0.0) + _slack_ms(request)


def end_bounds(request: GatewayRequest, clocks: Clocks) -> tuple[float, float]:
    """First and last moment at which the request's invocation may end."""
    cut, slack = clocks.cut_at, _slack_ms(request)
    if cut is None:
        return -_NO_BOUND, _NO_BOUND
    if clocks.boundary is Boundary.UNKNOWN:
        return cut - END_WITHIN_MS - slack, _NO_BOUND
    if clocks.boundary in (Boundary.INTEGRATION_TIMEOUT, Boundary.CLIENT_TIMEOUT):
        return cut - END_WITHIN_MS, _NO_BOUND
    return cut - END_WITHIN_MS - slack, cut + END_WITHIN_MS + slack


def _slack_ms(request: GatewayRequest) -> float:
    """How coarse the request's times are, where they are no exact milliseconds."""
    return request.arrived_within_ms if request.arrived_within_ms > 1.0 else 0.0


def _spans(evidence: Evidence) -> dict[str | None, tuple[float, float]]:
    """First and last START of every function."""
    spans: dict[str | None, tuple[float, float]] = {}
    starts = [(row.function, row.started_at, row.started_at) for row in evidence.invocations]
    for name, members in evidence.crowd.members().items():
        starts.append((name, *(extremes(members.started_at) or (None, None))))
    for name, first, last in starts:
        if first is not None and last is not None:
            low, high = spans.get(name, (first, last))
            spans[name] = (min(low, first), max(high, last))
    return spans


def _offsets(evidence: Evidence) -> list[float]:
    """Begin less arrival of pairs that an id joins and that have no row, at least of one of both; of many, a part."""
    traffic, crowd = evidence.traffic, evidence.crowd
    if not len(traffic):
        return []
    one_in = len(traffic) // _PAIRS_ENOUGH + 1
    begun = {ident: at for ident, at in zip(crowd.ident, crowd.begun_at, strict=True) if ident % one_in == 0}
    begun |= {id64(row.request_id.lower()): row.begun_at for row in evidence.invocations if row.begun_at is not None}
    pairs = zip(traffic.claim, traffic.arrived_at, strict=True)
    return [offset for claim, at in pairs if claim in begun and (offset := begun[claim] - at) == offset]


def _claimed(evidence: Evidence) -> set[str]:
    """Invocations that belong to well-answered requests without a row, by any id."""
    traffic = evidence.traffic
    if not len(traffic):
        return set()
    claims: dict[int, set[str]] = defaultdict(set)
    for row in evidence.invocations:
        claims[id64(row.request_id.lower())].add(row.request_id)
        if row.trace_id is not None:
            claims[id64(row.trace_id)].add(row.request_id)
        for item in row.logged_ids:
            claims[id64(item)].add(row.request_id)
    found = (set(claims).intersection(traffic.claim)) | set(claims).intersection(traffic.ident)
    return {request_id for claim in found for request_id in claims[claim]}


def _arrival(request: GatewayRequest, clocks: Clocks) -> float | None:
    if request.arrived_at is not None:
        return request.arrived_at
    # At ERROR level only the cut is logged; a gateway that waits exactly L began L before.
    if clocks.boundary is Boundary.INTEGRATION_TIMEOUT and request.failed_at is not None:
        return request.failed_at - clocks.limit_ms
    return None


def _index(
    rows: list[LambdaInvocation], keys: Callable[[LambdaInvocation], Iterable[str]]
) -> dict[str, list[LambdaInvocation]]:
    found: dict[str, list[LambdaInvocation]] = defaultdict(list)
    for row in rows:
        for key in keys(row):
            found[key].append(row)
    return found


def _segment_pairs(evidence: Evidence) -> dict[str, str]:
    """Gateway request id (plain and extended) -> Lambda request id, through the trace they share."""
    lambdas: dict[str, set[str]] = defaultdict(set)
    for segment in evidence.segments:
        if segment.lambda_request_id is not None:
            lambdas[segment.trace_id].add(segment.lambda_request_id.lower())
    pairs: dict[str, str] = {}
    for segment in evidence.segments:
        found = lambdas.get(segment.trace_id, set())
        if len(found) == 1:
            for item in (segment.gateway_request_id, segment.extended_request_id):
                if item is not None:
                    pairs[item] = next(iter(found))
    return pairs
