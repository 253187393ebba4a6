"""The requests met so far: which record belongs to which request, and what is known of each.

Execution and access logs both write into the same facts, so that merging is done while reading.
A request is identified by its extended id where there is one (a caller can set the plain id), else
by its plain id. Facts are plain dicts with the field names of `GatewayRequest` until `rows()`.
"""

import sys
from collections.abc import Callable
from typing import Any

from apigw_doctor.attribution.unremarkable import note, unremarkable
from apigw_doctor.evidence.tables import Cite, GatewayRequest
from apigw_doctor.evidence.traffic import Traffic, id64
from apigw_doctor.model.ids import function_from_uri
from apigw_doctor.model.terms import EvidenceKind

Facts = dict[str, Any]

#: Two records with the same plain id further apart than this are two requests.
_SAME_REQUEST_MS = 16 * 60_000.0
_MAX_CITES = 14
_CITED_CHARS = 1000


class Requests:
    """All requests of one reading."""

    def __init__(self) -> None:
        self._by_plain: dict[str, list[Facts]] = {}
        self._by_extended: dict[str, Facts] = {}
        self._anonymous: dict[str, Facts] = {}
        #: records without an extended id whose plain id several requests share
        self.unjoined_records = 0

    def of_line(self, request_id: str) -> Facts:
        """The request whose execution-log lines carry `request_id` at this point of the log."""
        instances = self._by_plain.get(request_id)
        if instances:
            return instances[-1]
        return self._new(request_id)

    def extended(self, request_id: str, extended_id: str) -> Facts:
        """From here on, lines of `request_id` belong to the request with this extended id."""
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

    def of_record(self, request_id: str | None, extended_id: str | None, at: float | None) -> Facts | None:
        """The request that a one-line record (access log, client) is about; None when several could be."""
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

    def release(self, request_id: str, traffic: Traffic, asked_for: Callable[[int, float | None], bool]) -> int:
        """Enter the requests with this plain id into the traffic, unless they are remarkable; how many were entered."""
        instances = self._by_plain.get(request_id, [])
        kept = [facts for facts in instances if not _released(facts, traffic, asked_for)]
        released = len(instances) - len(kept)
        if released:
            for facts in instances:
                if not any(facts is other for other in kept):
                    self._by_extended.pop(facts.get("extended_request_id") or "", None)
            if kept:
                self._by_plain[request_id] = kept
            else:
                del self._by_plain[request_id]
        return released

    def anonymous(self, key: str) -> Facts:
        """A request without any id, by a key made of its content (so that a second copy adds nothing)."""
        return self._anonymous.setdefault(key, {"key": key})

    def rows(self) -> list[GatewayRequest]:
        """Every request, in the order met."""
        rows: list[GatewayRequest] = []
        for plain, instances in self._by_plain.items():
            for number, facts in enumerate(instances):
                facts.setdefault("key", facts.get("extended_request_id") or f"{plain}#{number}")
                rows.append(_row(facts))
                facts.clear()  # the row has it all
        rows.extend(_row(facts) for facts in self._anonymous.values() if len(facts) > 1)
        return rows

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


def _released(facts: Facts, traffic: Traffic, asked_for: Callable[[int, float | None], bool]) -> bool:
    if "status" not in facts:
        return False
    row = _row(dict(facts, key=""))
    if not unremarkable(row) or asked_for(id64(row.request_id or row.extended_request_id or ""), row.arrived_at):
        return False
    note(traffic, row)
    return True


def _same_time(facts: Facts, at: float | None) -> bool:
    times = [facts[field] for field in ("arrived_at", "first_line_at", "completed_at") if facts.get(field) is not None]
    return at is None or not times or min(abs(at - time) for time in times) < _SAME_REQUEST_MS


def _settle(facts: Facts) -> None:
    """Decide what only all lines together tell: which endpoint was the integration's, and whose status it gave."""
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


def _row(facts: Facts) -> GatewayRequest:
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
