"""The requests met so far: which record belongs to which request, and what is known of each.

Execution and access logs both write into the same facts, so that merging is done while reading.
A request is identified by its extended id where there is one (a caller can set the plain id), else
by its plain id. Facts are plain dicts with the field names of `GatewayRequest` until `rows()`.
"""

import sys
from collections.abc import Callable
from itertools import islice
from typing import Any, NamedTuple

from apigw_doctor.attribution.clocks import integration_time_ms
from apigw_doctor.attribution.unremarkable import note, unremarkable
from apigw_doctor.evidence.tables import Cite, GatewayRequest
from apigw_doctor.evidence.traffic import Traffic, half_id, id64
from apigw_doctor.model.ids import function_from_uri
from apigw_doctor.model.terms import ApiType, EvidenceKind
from apigw_doctor.sources.swept import Sweep

Facts = dict[str, Any]

#: Two records with the same plain id further apart than this are two requests.
_SAME_REQUEST_MS = 16 * 60_000.0
_MAX_CITES = 14
_FAILED = 500
_CITED_CHARS = 1000


class Requests:
    """All requests of one reading."""

    def __init__(self) -> None:
        self._by_plain: dict[str, list[Facts]] = {}
        self._by_extended: dict[str, Facts] = {}
        self._anonymous: dict[str, Facts] = {}
        #: records without an extended id whose plain id several requests share
        self.unjoined_records = 0
        #: when it is a list: what is known of every row's request, before it is settled
        self.told: list[Facts] | None = None
        self.sweep: Sweep | None = None
        #: requests met since the last sweep, and between the two before
        self._fresh: set[str] = set()
        self._aged: set[str] = set()

    def of_line(self, request_id: str) -> Facts:
        """The request whose execution-log lines carry `request_id` at this point of the log."""
        if self.sweep is not None:
            self._met(request_id, self.sweep)
        instances = self._by_plain.get(request_id)
        if instances:
            return instances[-1]
        return self._new(request_id)

    def extended(self, request_id: str, extended_id: str) -> Facts:
        """From here on, lines of `request_id` belong to the request with this extended id."""
        if self.sweep is not None:
            self._met(request_id, self.sweep)
        instances = self._by_plain.setdefault(request_id, [])
        known = self._by_extended.get(extended_id)
        if known is not None:
            if known in instances:
                instances.remove(known)
            instances.append(known)
            return known
        if instances and instances[-1].get("extended_request_id") is None:
            facts = instances[-1]
        else:
            facts = self._new(request_id)
        facts["extended_request_id"] = extended_id
        self._by_extended[extended_id] = facts
        return facts

    def is_extended(self, facts: Facts, request_id: str) -> None:
        """The request's plain id is its extended id as well, as in WebSocket APIs."""
        if facts.get("extended_request_id") is None:
            facts["extended_request_id"] = request_id
            self._by_extended.setdefault(request_id, facts)

    def of_record(self, request_id: str | None, extended_id: str | None, at: float | None) -> Facts | None:
        """The request that a one-line record (access log, client) is about; None when several could be."""
        if self.sweep is not None:
            self._met(request_id or extended_id or "", self.sweep)
        if extended_id is not None and (known := self._by_extended.get(extended_id)) is not None:
            return known
        instances = self._by_plain.get(request_id, []) if request_id else []
        fitting = [facts for facts in instances if _same_time(facts, at)]
        if extended_id is None:
            if len(fitting) > 1:
                self.unjoined_records += 1
                return None
            return fitting[0] if fitting else self._new(request_id or "")
        unnamed = [facts for facts in fitting if facts.get("extended_request_id") is None]
        facts = unnamed[0] if len(unnamed) == 1 else self._new(request_id or extended_id)
        facts["extended_request_id"] = extended_id
        self._by_extended[extended_id] = facts
        return facts

    def _met(self, request_id: str, sweep: Sweep) -> None:
        self._fresh.add(request_id)
        if len(self._fresh) < sweep.every:
            return
        self._aged.difference_update(self._fresh)
        self._let_go(self._aged, sweep)
        self._aged, self._fresh = self._fresh, {request_id}

    def end_sweep(self) -> None:
        """Nothing more comes of any request, as far as one can tell."""
        if self.sweep is not None:
            self._let_go(self._aged | self._fresh, self.sweep)
        self.sweep, self._aged, self._fresh = None, set(), set()

    def _let_go(self, request_ids: set[str], sweep: Sweep) -> None:
        for request_id in request_ids:
            instances, first_number = self._by_plain.get(request_id, []), len(sweep.traffic)
            if self.release(request_id, sweep.traffic, sweep.asked_for):
                sweep.keep_slow(first_number, instances)

    def release(self, request_id: str, traffic: Traffic, asked_for: Callable[[int, float | None], bool]) -> int:
        """Enter the requests with this plain id into the traffic, unless one is remarkable; how many were entered."""
        instances = self._by_plain.get(request_id, [])
        rows = [_releasable(facts, asked_for) for facts in instances]
        if not instances or None in rows:
            return 0
        for facts, row in zip(instances, rows, strict=True):
            note(traffic, row)  # type: ignore[arg-type]
            self._by_extended.pop(facts.get("extended_request_id") or "", None)
        del self._by_plain[request_id]
        return len(instances)

    def __len__(self) -> int:
        return len(self._by_plain)

    def newest(self, count: int) -> list[str]:
        """Plain ids of the requests that were met last."""
        return list(islice(reversed(self._by_plain), count))

    def moments(self) -> "dict[int, list[Moment]]":
        """`id64` of every request that is known by id -> what tells its instances apart."""
        return {
            id64(request_id): [moment_of(facts) for facts in instances]
            for request_id, instances in self._by_plain.items()
        }

    def release_rest(
        self, traffic: Traffic, asked_for: Callable[[int, float | None], bool], slow_from_ms: float
    ) -> None:
        """Enter what has become complete, as its parts were joined, into the traffic."""
        for request_id in list(self._by_plain):
            if all(_quick(facts, slow_from_ms) for facts in self._by_plain[request_id]):
                self.release(request_id, traffic, asked_for)

    def drop_fragments(self, traffic: Traffic) -> None:
        """Forget stray lines of requests that are in the traffic already."""
        stray = {
            id64(request_id): request_id
            for request_id, instances in self._by_plain.items()
            if any(_is_stray(facts) for facts in instances)
        }
        found = set(stray).intersection(traffic.ident)
        if not found:
            return
        for ident, extended, at in zip(traffic.ident, traffic.extended, traffic.arrived_at, strict=True):
            if ident in found:
                self._drop_fragments(stray[ident], extended, at)

    def _drop_fragments(self, request_id: str, extended: int, at: float) -> None:
        instances = self._by_plain.get(request_id, ())
        kept = [facts for facts in instances if not (_is_stray(facts) and moment_of(facts).is_of(extended, at))]
        if kept:
            self._by_plain[request_id] = kept
        else:
            self._by_plain.pop(request_id, None)

    def parts(self) -> list[Facts]:
        """All facts as they are, to be joined to those of other readings."""
        return [facts for instances in self._by_plain.values() for facts in instances] + list(self._anonymous.values())

    def adopt(self, parts: list[Facts]) -> None:
        """Join facts from another reading: of other inputs, or of another part of the same one."""
        for part in parts:
            if "key" in part:
                merge(self.anonymous(part["key"]), part)
                continue
            plain, extended = part.get("request_id", ""), part.get("extended_request_id")
            known = self._by_extended.get(extended) if extended is not None else None
            if known is None:
                fitting = [facts for facts in self._by_plain.get(plain, []) if _may_be_one(facts, part)]
                known = fitting[-1] if fitting else None
            if known is None:
                self._by_plain.setdefault(plain, []).append(part)
                known = part
            else:
                merge(known, part)
            if known.get("extended_request_id") is not None:
                self._by_extended[known["extended_request_id"]] = known

    def anonymous(self, key: str) -> Facts:
        """A request without any id, by a key made of its content (so that a second copy adds nothing)."""
        return self._anonymous.setdefault(key, {"key": key})

    def rows_so_far(self) -> list[GatewayRequest]:
        """Every request as it would be if nothing more came."""
        return [row_of(dict(facts, key=facts.get("key", ""))) for facts in self.parts()]

    def rows(self) -> list[GatewayRequest]:
        """Every request, in the order met."""
        rows: list[GatewayRequest] = []
        for plain, instances in self._by_plain.items():
            for number, facts in enumerate(instances):
                self._tell(facts)
                facts.setdefault("key", facts.get("extended_request_id") or f"{plain}#{number}")
                rows.append(row_of(facts))
                facts.clear()  # the row has it all
        for facts in self._anonymous.values():
            if len(facts) > 1:
                self._tell(facts)
                rows.append(row_of(facts))
        return rows

    def _tell(self, facts: Facts) -> None:
        if self.told is not None:
            self.told.append(dict(facts))

    def _new(self, request_id: str) -> Facts:
        facts: Facts = {"request_id": request_id}
        self._by_plain.setdefault(request_id, []).append(facts)
        return facts


#: Fields whose values come again and again: one string serves all requests.
_REPEATED = frozenset(
    ("api_id", "stage", "method", "route", "function", "qualifier", "endpoint_uri", "user_agent", "client_ip")
)


def first(facts: Facts, field: str, value: object) -> None:
    """Set a field that no record has set yet."""
    if value is not None and facts.get(field) is None:
        facts[field] = sys.intern(value) if field in _REPEATED and isinstance(value, str) else value


def earliest(facts: Facts, field: str, at: float | None) -> None:
    """Keep the earlier of two times."""
    if at is not None and ((known := facts.get(field)) is None or at < known):
        facts[field] = at


def latest(facts: Facts, field: str, at: float | None) -> None:
    """Keep the later of two times."""
    if at is not None and ((known := facts.get(field)) is None or at > known):
        facts[field] = at


def seen(facts: Facts, kind: EvidenceKind) -> None:
    """Note that evidence of this kind speaks of the request."""
    sources = facts.setdefault("sources", ())
    if kind not in sources:
        facts["sources"] = (*sources, kind)


def cite(facts: Facts, origin: str, text: str) -> None:
    """Keep a line as proof; the same words twice count once."""
    cites: list[Cite] = facts.setdefault("cites", [])
    short = text[:_CITED_CHARS]
    if len(cites) < _MAX_CITES and all(known.text != short for known in cites):
        cites.append(Cite(origin=origin, text=short))


_EARLIEST = frozenset(("first_line_at", "log_first_at", "started_at", "authorizer_started_at", "failed_at"))
_LATEST = frozenset(("last_line_at", "received_at", "completed_at", "sending_at", "authorizer_completed_at"))
_GATHERED = frozenset(("sends", "uris", "failures", "sources", "cites"))
_EITHER = frozenset(
    ("answered", "saw_info", "saw_trace", "completed_well", "function_error", "test_invoke", "error_frame", "was_sent")
)


def merge(facts: Facts, other: Facts) -> None:
    """Join what two readings know of one request; the order of readings decides only between equal claims."""
    _merge_arrival(facts, other)
    for field, value in other.items():
        if field in _EARLIEST:
            earliest(facts, field, value)
        elif field in _LATEST:
            latest(facts, field, value)
        elif field in _EITHER:
            facts[field] = facts.get(field) or value
        elif field in _GATHERED:
            _gather(facts, field, value)
        elif field == "api_type":
            facts[field] = value if facts.get(field) in (None, ApiType.UNKNOWN) else facts[field]
        elif field not in ("arrived_at", "arrived_within_ms"):
            first(facts, field, value)


def _gather(facts: Facts, field: str, values: Any) -> None:  # noqa: ANN401 - a collection of the field's
    if field == "sources":
        for kind in values:
            seen(facts, kind)
    elif field == "cites":
        for item in values:
            cite(facts, item.origin, item.text)
    elif field == "failures":
        facts[field] = facts.get(field, set()) | values
    else:
        facts[field] = [*facts.get(field, ()), *values]


def _merge_arrival(facts: Facts, other: Facts) -> None:
    """The more exact arrival counts."""
    at, within = other.get("arrived_at"), other.get("arrived_within_ms", 1.0)
    if at is not None and (facts.get("arrived_at") is None or within < facts.get("arrived_within_ms", 1.0)):
        facts["arrived_at"], facts["arrived_within_ms"] = at, within


def _may_be_one(facts: Facts, part: Facts) -> bool:
    """Both could be of one request: no two extended ids, and no long time between."""
    ids = {item for item in (facts.get("extended_request_id"), part.get("extended_request_id")) if item is not None}
    times = _times_of(part)
    return len(ids) < 2 and _same_time(facts, times[0] if times else None)


def _quick(facts: Facts, slow_from_ms: float) -> bool:
    if facts.get("status", _FAILED) >= _FAILED:
        return False
    took = integration_time_ms(row_of(dict(facts, key="")))
    return took is None or took < slow_from_ms


def _releasable(facts: Facts, asked_for: Callable[[int, float | None], bool]) -> GatewayRequest | None:
    """The row of a request that needs none."""
    if facts.get("status", _FAILED) >= _FAILED:
        return None
    row = row_of(dict(facts, key=""))
    if not unremarkable(row) or asked_for(id64(row.request_id or row.extended_request_id or ""), row.arrived_at):
        return None
    return row


def _same_time(facts: Facts, at: float | None) -> bool:
    return at is None or same_moment(_times_of(facts), at)


def _times_of(facts: Facts) -> list[float]:
    return [facts[field] for field in ("arrived_at", "first_line_at", "completed_at") if facts.get(field) is not None]


def same_moment(times: list[float], at: float) -> bool:
    """A record of that time may be of the request with these times; NaN stands for a time that is not known."""
    return not times or at != at or min(abs(at - time) for time in times) < _SAME_REQUEST_MS


class Moment(NamedTuple):
    """A request beside others with its plain id: half of its extended id (0: not known), and its times."""

    extended: int
    times: list[float]

    def is_of(self, extended: int, at: float) -> bool:
        """A record with this extended id and time may be of the request."""
        if extended and self.extended:
            return extended == self.extended
        return same_moment(self.times, at)


def moment_of(facts: Facts) -> Moment:
    """What tells a request from others with its plain id."""
    return Moment(half_id(facts.get("extended_request_id")), _times_of(facts))


def _is_stray(facts: Facts) -> bool:
    """Nothing is known of how the request ended."""
    return "status" not in facts and not facts.get("failures")


def _settle(facts: Facts) -> None:
    """Decide what only all lines together tell: which endpoint was the integration's, and whose status it gave."""
    healthy = facts.get("answered") and not facts.get("failures") and facts.get("response_type") is None
    if healthy and facts.get("status", _FAILED) < _FAILED:
        facts.pop("endpoint_body", None)  # whatever the answer says is no sign of trouble
    if facts.get("own_trace_id") is not None:
        facts["trace_id"] = facts["own_trace_id"]
    if facts.get("failures"):
        # The execution log's words go before the access log's; several at one moment in a fixed order.
        facts["failure"] = "; ".join(dict.fromkeys(text for _, text in sorted(facts["failures"])))
    hung = facts.get("authorizer_started_at") is not None and facts.get("authorizer_completed_at") is None
    if hung and facts.get("started_at") is None and not facts.get("saw_execution"):
        return  # what was sent went to the authorizer
    sends: list[tuple[float | None, str]] = facts.get("sends", [])
    for at, uri in sorted([*facts.get("uris", ()), *sends], key=lambda item: item[0] or 0.0, reverse=True)[:1]:
        function, qualifier = function_from_uri(uri)
        for field, value in (("endpoint_uri", uri), ("function", function), ("qualifier", qualifier)):
            first(facts, field, value)
        if sends:
            facts["was_sent"] = True
            latest(facts, "sending_at", max((sent for sent, _ in sends if sent is not None), default=at))
    status = facts.get("received_status")
    # For a Lambda target "Received response. Status" is the Lambda service's, not the function's own.
    first(facts, "service_status" if facts.get("function") else "integration_status", status)


def row_of(facts: Facts) -> GatewayRequest:
    """The finished row; what only all lines together tell is decided here."""
    _settle(facts)
    values = {field: value for field, value in facts.items() if field in _FIELDS}
    values["cites"] = tuple(facts.get("cites", ()))
    from_start = facts.get("saw_info") or facts.get("saw_trace") or facts.get("authorizer_started_at")
    coarse = values.get("arrived_at") is None or values.get("arrived_within_ms", 1.0) > facts.get(
        "line_resolution_ms", 1.0
    )
    if coarse and from_start and facts.get("log_first_at") is not None:  # at ERROR level the first line is the failure
        values["arrived_at"] = facts["log_first_at"]
        values["arrived_within_ms"] = facts.get("line_resolution_ms", 1.0)
    if values.get("request_id") == "":
        values["request_id"] = None
    return GatewayRequest(**values)


_FIELDS = frozenset(GatewayRequest.__struct_fields__)
