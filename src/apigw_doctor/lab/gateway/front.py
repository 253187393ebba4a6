"""The border to the client: its requests become arrivals, and replies get the gateway's headers."""

import json
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

from aiohttp import web

from apigw_doctor.lab.gateway.arrival import LOCAL_CALLER, Arrival
from apigw_doctor.lab.gateway.events import edge_host, edge_id
from apigw_doctor.lab.gateway.ids import Ids, own_request_id, read_trace
from apigw_doctor.lab.gateway.responses import Reply
from apigw_doctor.lab.gateway.routing import Match
from apigw_doctor.lab.gateway.texts import parse, whole
from apigw_doctor.lab.setup import LabApi
from apigw_doctor.model.terms import ApiType

PLAN, AUTHORIZER_PLAN, SOURCE = "X-Lab-Plan", "X-Lab-Authorizer-Plan", "X-Lab-Source-Ip"
"""Private request headers: what a scenario wants to happen, and whence it calls. No event and no evidence has them."""
#: Not among an arrival's headers: the private ones, and the host, which is told apart.
_UNTOLD = frozenset({PLAN.lower(), AUTHORIZER_PLAN.lower(), SOURCE.lower(), "host"})
_EDGE_LOCATION = "DUB56-P1"
_CLIENT_ERROR = 400
_WITHOUT_BODY = (204, 304)
#: The server's own matter, whatever a function or a template says.
_FRAMING = frozenset({"content-length", "transfer-encoding", "connection"})
_LINE_BREAKS = re.compile(r"[\r\n\0]+")

Pairs = tuple[tuple[str, str], ...]


class PlanError(ValueError):
    """A private header that cannot be read."""


class Front:
    """What a gateway knows of its clients."""

    def __init__(self, api: LabApi, ids: Ids, *, plans: bool) -> None:
        self._api, self.ids, self._plans = api, ids, plans

    def arrival(self, request: web.BaseRequest, match: Match, at: float, **facts: Any) -> Arrival:  # noqa: ANN401
        """The request with its new ids, still without its body; `PlanError` for a private header that is no plan."""
        extended_id, request_id = self.ids.extended_id(), self.ids.request_id()
        made_root = self.ids.trace_root(at)
        sent_trace = whole(request.headers.get("X-Amzn-Trace-Id", ""))
        root, may_sample = read_trace(sent_trace)
        if self._api.api_type is ApiType.REST:
            request_id = own_request_id(request.headers.get("x-amzn-RequestId")) or request_id
        else:
            request_id = extended_id
        peer, raw_query = request.remote or "", whole(request.rel_url.raw_query_string)
        given: dict[str, Any] = {
            "at": at,
            "request_id": request_id,
            "extended_id": extended_id,
            "trace_root": root or made_root,
            "trace_header": sent_trace if sent_trace and root else f"Root={made_root}",
            "may_sample": may_sample,
            "segment_id": self.ids.segment_id(),
            "subsegment_id": self.ids.segment_id(),
            "method": request.method,
            "path": match.path,
            "raw_query": raw_query,
            "query": tuple(parse_qsl(raw_query, keep_blank_values=True)),
            "headers": tuple(
                (name, whole(text)) for name, text in request.headers.items() if name.lower() not in _UNTOLD
            ),
            "host": self._host(whole(request.host)),
            "source_ip": self._source(request.headers, peer),
            "protocol": f"HTTP/{request.version.major}.{request.version.minor}",
            "route": match.route,
            "path_parameters": match.path_parameters,
            "raw_parameters": match.raw_parameters,
            "plan": self._plan(request.headers, PLAN),
            "authorizer_plan": self._plan(request.headers, AUTHORIZER_PLAN),
        }
        return Arrival(**given | facts)

    def message_plan(self, text: str) -> tuple[str, dict[str, Any] | None]:
        """A message without the plan that a member of it may be, and the plan."""
        if not self._plans or PLAN not in text:
            return text, None
        message = parse(text)
        if not isinstance(message, dict) or not isinstance(plan := message.pop(PLAN, None), dict):
            return text, None
        return json.dumps(message, ensure_ascii=False), plan

    def _source(self, headers: Mapping[str, str], peer: str) -> str:
        given = headers.get(SOURCE) if self._plans else None
        return given or (LOCAL_CALLER if _is_local(peer) else peer)

    def _host(self, given: str) -> str:
        """A name that the API could have; whoever calls the machine's own address means the API's own host."""
        head, _, tail = given.rpartition(":")
        name = (head if tail.isdigit() else given).strip("[]")
        return self._api.domain_name if _is_local(name) else name

    def _plan(self, headers: Mapping[str, str], name: str) -> dict[str, Any] | None:
        text = headers.get(name) if self._plans else None
        if text is None:
            return None
        plan = parse(text)
        if not isinstance(plan, dict):
            raise PlanError(f"{name} is no JSON object")
        return plan

    async def respond(self, request: web.BaseRequest, arrival: Arrival, reply: Reply) -> web.StreamResponse:
        """Send the reply with the ids of the request; a streamed one in chunks."""
        headers = (*self._ids_of(arrival), *reply.headers, *self._edge_headers(arrival, reply))
        if not reply.streamed or reply.status in _WITHOUT_BODY or request.method == "HEAD":
            response = web.Response(status=reply.status, body=reply.body)
            _set(response, headers)
            return response
        stream = web.StreamResponse(status=reply.status)
        _set(stream, headers)
        stream.enable_chunked_encoding()
        await stream.prepare(request)
        await stream.write(reply.body)
        await stream.write_eof()
        return stream

    def _ids_of(self, arrival: Arrival) -> Pairs:
        if self._api.api_type is ApiType.HTTP:
            return (("apigw-requestid", arrival.extended_id),)
        return (("x-amzn-RequestId", arrival.request_id), ("x-amz-apigw-id", arrival.extended_id))

    def _edge_headers(self, arrival: Arrival, reply: Reply) -> Pairs:
        if self._api.api_type is not ApiType.REST or self._api.endpoint_type != "EDGE":
            return ()
        result = "Error" if reply.status >= _CLIENT_ERROR else "Miss"
        return (
            ("X-Cache", f"{result} from cloudfront"),
            ("Via", f"1.1 {edge_host(arrival)} (CloudFront)"),
            ("X-Amz-Cf-Pop", _EDGE_LOCATION),
            ("X-Amz-Cf-Id", edge_id(arrival)),
        )


def _set(response: web.StreamResponse, headers: Pairs) -> None:
    if any(name.lower() == "content-type" for name, _ in headers):
        response.headers.popall("Content-Type", None)
    for name, content in headers:
        if name.lower() not in _FRAMING:
            response.headers.add(name, _LINE_BREAKS.sub(" ", whole(content)))


def _is_local(address: str) -> bool:
    return address in ("", "localhost", "::1") or address.removeprefix("::ffff:").startswith("127.")
