"""Evidence beside the gateway's logs - clients, edges, load balancers, traces - and the requests it speaks of.

A witness joins a request by id where it has one, else by time and path where exactly one request fits. One
that no gateway record knows becomes a request of its own: somebody did get that error.
"""

from collections import defaultdict

import msgspec

from apigw_doctor.attribution.timeline import Trace
from apigw_doctor.evidence.tables import (
    ClientReply,
    EdgeRequest,
    Evidence,
    GatewayRequest,
    LoadBalancerRequest,
    TraceSegment,
)
from apigw_doctor.evidence.traffic import RequestPlace, Traffic
from apigw_doctor.model.ids import UUID
from apigw_doctor.model.terms import ApiType, EvidenceKind

BEFORE_MS, AFTER_MS = 1000.0, 2500.0
_FAILED = 500
_CLIENT_CLOSED = 460
#: Edge logs tell whole seconds.
_ANSWER_SLACK_MS = 1000.0


class Witnesses(msgspec.Struct):
    """Witnesses by the key of their request, and the requests that only they know."""

    clients: dict[str, ClientReply] = {}
    edges: dict[str, EdgeRequest] = {}
    load_balancers: dict[str, LoadBalancerRequest] = {}
    traces: dict[str, Trace] = {}
    requests: list[GatewayRequest] = []


def hear(evidence: Evidence) -> Witnesses:
    """Join every witness of the evidence."""
    found = Witnesses(requests=list(evidence.requests))
    _traces(found, evidence.segments)
    index = _Index(found.requests, evidence.traffic)
    seen = _clients(found, evidence, index)
    _load_balancers(found, evidence, index)
    _edges(found, evidence, index, seen)
    return found


class _SeenAtEdge(msgspec.Struct):
    """What callers saw of the edge, by the edge's own request id."""

    #: replies of the edge itself, whose request no gateway record tells
    replies: dict[str, ClientReply] = {}
    requests: dict[str, GatewayRequest] = {}


def _clients(found: Witnesses, evidence: Evidence, index: "_Index") -> _SeenAtEdge:
    seen = _SeenAtEdge()
    told: dict[str, GatewayRequest] = {}
    edges = {edge.edge_request_id for edge in evidence.edge if edge.edge_request_id}
    for reply in evidence.clients:
        request = index.of_client(reply)
        at_edge = reply.edge_request_id if reply.edge_request_id in edges else None
        if request is None and at_edge is not None:
            # What the edge itself answered: the same failure as the edge's own line.
            seen.replies.setdefault(at_edge, reply)
            continue
        if request is not None:
            told[request.key] = request = _told_by(request, reply)
            if at_edge is not None:
                seen.requests.setdefault(at_edge, request)
        elif (request := _from_client(reply)) is not None:
            found.requests.append(request)
        if request is not None:
            found.clients.setdefault(request.key, reply)
    found.requests = [told.get(request.key, request) for request in found.requests]
    return seen


def _load_balancers(found: Witnesses, evidence: Evidence, index: "_Index") -> None:
    alone = not evidence.requests and not len(evidence.traffic)
    for number, line in enumerate(evidence.load_balancer):
        request = index.of_load_balancer(line)
        if (
            request is None
            and alone
            and line.status is not None
            and (line.status >= _FAILED or line.status == _CLIENT_CLOSED)
        ):
            request = _from_load_balancer(line, number)
            found.requests.append(request)
        if request is not None:
            found.load_balancers.setdefault(request.key, line)


def _edges(found: Witnesses, evidence: Evidence, index: "_Index", seen: _SeenAtEdge) -> None:
    for number, edge in enumerate(evidence.edge):
        own_id = edge.edge_request_id or ""
        request = seen.requests.get(own_id) or index.of_edge(edge)
        if request is None and edge.status is not None and edge.status >= _FAILED:
            request = index.answered_well(edge, number) or _from_edge(edge, number)
            found.requests.append(request)
        if request is not None:
            found.edges.setdefault(request.key, edge)
            if own_id in seen.replies:
                found.clients.setdefault(request.key, seen.replies[own_id])


class _Index:
    """Requests by their ids and in order of time."""

    def __init__(self, requests: list[GatewayRequest], traffic: Traffic) -> None:
        self._requests = requests
        self._traffic = traffic
        self._by_id: dict[str, GatewayRequest] = {}
        self._by_trace: dict[str, list[GatewayRequest]] = defaultdict(list)
        for request in requests:
            for item in (request.request_id, request.extended_request_id):
                if item:
                    self._by_id.setdefault(item, request)
            if request.trace_id:
                self._by_trace[request.trace_id].append(request)

    def of_client(self, reply: ClientReply) -> GatewayRequest | None:
        for item in (reply.extended_request_id, reply.request_id, reply.http_api_id):
            if item and item in self._by_id:
                return self._by_id[item]
        traced = self._by_trace.get(reply.trace_id or "", [])
        if len(traced) == 1:
            return traced[0]
        if reply.gave_up and (reply.path or reply.at is not None):
            begin = reply.at
            fitting = [
                row
                for row in self._requests
                if _same_path(row, reply.path)
                and (reply.method is None or row.method in (None, reply.method))
                and (begin is None or _near(row, begin))
                and _longer(row, reply.elapsed_ms)
            ]
            if begin is not None and self._others(begin, reply.method, reply.path, endpoint=False):
                return None
            return fitting[0] if len(fitting) == 1 else None
        return None

    def of_load_balancer(self, line: LoadBalancerRequest) -> GatewayRequest | None:
        traced = self._by_trace.get(line.trace_id or "", [])
        if len(traced) == 1:
            return traced[0]
        if traced:
            return None
        begin = line.created_at if line.created_at is not None else line.ended_at - (line.target_ms or 0.0)
        fitting = [
            row
            for row in self._requests
            if row.function is None
            and _near(row, begin)
            and (line.method is None or row.method in (None, line.method, "ANY"))
            and _same_path(row, line.path)
        ]
        alone = len(fitting) == 1 and not self._others(begin, line.method, line.path, endpoint=True)
        return fitting[0] if alone else None

    def of_edge(self, edge: EdgeRequest) -> GatewayRequest | None:
        begin = edge.ended_at - (edge.time_taken_ms or 0.0)
        fitting = [
            row
            for row in self._requests
            if _near(row, begin)
            and _same_path(row, edge.path)
            and (edge.method is None or row.method in (None, edge.method, "ANY"))
        ]
        alone = len(fitting) == 1 and not self._others(begin, edge.method, edge.path, endpoint=False)
        return fitting[0] if alone else None

    def answered_well(self, edge: EdgeRequest, number: int) -> GatewayRequest | None:
        """The one well-answered request that fits the edge's failure; of much input it has no row, and so no id."""
        begin = edge.ended_at - (edge.time_taken_ms or 0.0)
        traffic = self._traffic
        fitting = [
            one
            for one in traffic.numbers_near(begin - BEFORE_MS, begin + AFTER_MS)
            if _same_path(place := traffic.places[traffic.place[one]], edge.path)
            and (edge.method is None or place.method in (None, edge.method, "ANY"))
            # One that was answered before the edge gave up is not what the edge waited for.
            and traffic.ended_at[one] >= edge.ended_at - _ANSWER_SLACK_MS
        ]
        rows = any(_near(row, begin) and _same_path(row, edge.path) for row in self._requests)
        if len(fitting) != 1 or rows:
            return None
        one = fitting[0]
        place = traffic.places[traffic.place[one]]
        ended_at, integration_ms = traffic.ended_at[one], traffic.integration_ms[one]
        return GatewayRequest(
            key=f"edge:{edge.edge_request_id or number}",
            api_type=place.api_type,
            api_id=place.api_id,
            stage=place.stage,
            method=place.method,
            route=place.route,
            path=place.path or edge.path,
            function=place.function,
            status=traffic.status[one] or None,
            arrived_at=traffic.arrived_at[one],
            completed_at=None if ended_at != ended_at else ended_at,
            integration_latency_ms=None if integration_ms != integration_ms else integration_ms,
            completed_well=True,
            was_sent=True,
            sources=(EvidenceKind.EDGE_LOG,),
            cites=edge.cites,
        )

    def _others(self, begin: float, method: str | None, path: str | None, *, endpoint: bool) -> bool:
        """A well-answered request without a row fits as well; with `endpoint` only those that call no function."""
        return any(
            _same_path(place, path)
            and (method is None or place.method in (None, method, "ANY"))
            and not (endpoint and place.function is not None)
            for place in self._traffic.near(begin - BEFORE_MS, begin + AFTER_MS)
        )


def _near(row: GatewayRequest, begin: float) -> bool:
    return row.arrived_at is not None and -BEFORE_MS <= row.arrived_at - begin <= AFTER_MS


def _longer(row: GatewayRequest, elapsed_ms: float | None) -> bool:
    total = row.response_latency_ms
    if total is None and row.completed_at is not None and row.arrived_at is not None:
        total = row.completed_at - row.arrived_at
    return elapsed_ms is None or total is None or total >= elapsed_ms - 500.0


def _same_path(row: GatewayRequest | RequestPlace, path: str | None) -> bool:
    """The paths agree where both are known; `{x}` in a route stands for any part, a stage may come first."""
    if path is None:
        return True
    asked = [part for part in path.split("?")[0].split("/") if part]
    for known in (row.path, row.route):
        if known is None:
            continue
        parts = [part for part in known.split("?")[0].split("/") if part]
        for skipped in range(2):
            rest = asked[skipped:]
            if any(part.endswith("+}") for part in parts) or (
                len(parts) == len(rest) and all(a == b or a.startswith("{") for a, b in zip(parts, rest, strict=True))
            ):
                return True
        if len(parts) > len(asked) and parts[-len(asked) :] == asked and asked:
            return True
    return row.path is None and row.route is None


def _told_by(request: GatewayRequest, reply: ClientReply) -> GatewayRequest:
    """The request with the ids that only the reply's headers told."""
    return msgspec.structs.replace(
        request,
        trace_id=request.trace_id or reply.trace_id,
        extended_request_id=request.extended_request_id or reply.extended_request_id,
        connection_id=request.connection_id or reply.connection_id,
        error_frame=request.error_frame or reply.frame,
        sources=(*request.sources, EvidenceKind.CLIENT),
    )


def _from_client(reply: ClientReply) -> GatewayRequest | None:
    if not (reply.gave_up or (reply.status or 0) >= _FAILED or (reply.message and reply.status is None)):
        return None
    request_id = reply.request_id
    extended = reply.extended_request_id or reply.http_api_id
    api_type = ApiType.UNKNOWN
    if reply.connection_id is not None:
        api_type, extended = ApiType.WEBSOCKET, extended or request_id
    elif reply.http_api_id is not None:
        api_type, request_id = ApiType.HTTP, request_id or reply.http_api_id
    elif request_id is not None and UUID.fullmatch(request_id):
        api_type = ApiType.REST
    key = extended or request_id or f"client:{reply.cites[0].origin if reply.cites else id(reply)}"
    arrived = reply.at - reply.elapsed_ms if reply.at is not None and reply.elapsed_ms is not None else None
    return GatewayRequest(
        key=key,
        request_id=request_id,
        extended_request_id=extended,
        trace_id=reply.trace_id,
        connection_id=reply.connection_id,
        api_type=api_type,
        method=reply.method,
        path=reply.path,
        status=reply.status,
        error_message=reply.message,
        error_frame=reply.frame,
        arrived_at=arrived,
        arrived_within_ms=1000.0,
        sources=(EvidenceKind.CLIENT,),
        cites=reply.cites,
    )


def _from_load_balancer(line: LoadBalancerRequest, number: int) -> GatewayRequest:
    begin = line.created_at if line.created_at is not None else line.ended_at
    return GatewayRequest(
        key=f"load-balancer:{number}",
        trace_id=line.trace_id,
        method=line.method,
        path=line.path,
        status=line.status,
        arrived_at=begin,
        endpoint_uri=line.host,
        sources=(EvidenceKind.LOAD_BALANCER_LOG,),
        cites=line.cites,
    )


def _from_edge(edge: EdgeRequest, number: int) -> GatewayRequest:
    return GatewayRequest(
        key=f"edge:{edge.edge_request_id or number}",
        method=edge.method,
        path=edge.path,
        status=edge.status,
        arrived_at=edge.ended_at - (edge.time_taken_ms or 0.0),
        arrived_within_ms=1000.0,
        sources=(EvidenceKind.EDGE_LOG,),
        cites=edge.cites,
    )


def _traces(found: Witnesses, segments: list[TraceSegment]) -> None:
    by_trace: dict[str, list[TraceSegment]] = defaultdict(list)
    for segment in segments:
        by_trace[segment.trace_id].append(segment)
    if not by_trace:
        return
    by_id = {item: row for row in found.requests for item in (row.request_id, row.extended_request_id) if item}
    of_trace = {row.trace_id: row for row in found.requests if row.trace_id}
    for trace_id, rows in by_trace.items():
        trace = Trace(segments=tuple(rows))
        gateway = next((row for row in rows if row.gateway_request_id), None)
        request = of_trace.get(trace_id)
        if gateway is not None:
            request = (
                by_id.get(gateway.extended_request_id or "") or by_id.get(gateway.gateway_request_id or "") or request
            )
        if request is None and gateway is not None:
            request = _from_segment(gateway, {row.lambda_request_id for row in rows if row.lambda_request_id})
            found.requests.append(request)
        if request is not None:
            found.traces[request.key] = trace


def _from_segment(row: TraceSegment, lambda_ids: set[str]) -> GatewayRequest:
    elapsed = row.ended_at - row.started_at if row.ended_at is not None else None
    return GatewayRequest(
        key=row.extended_request_id or row.gateway_request_id or row.trace_id,
        request_id=row.gateway_request_id,
        extended_request_id=row.extended_request_id,
        trace_id=row.trace_id,
        lambda_request_id=next(iter(lambda_ids)) if len(lambda_ids) == 1 else None,
        api_type=ApiType.REST,
        api_id=row.api_id,
        stage=row.stage,
        status=row.status,
        arrived_at=row.started_at,
        completed_at=row.ended_at,
        response_latency_ms=elapsed,
        sources=(EvidenceKind.TRACES,),
        cites=row.cites,
    )
