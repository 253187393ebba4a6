"""The gateway's front: takes requests, sees to authorizer, throttle and integration, answers, and keeps the journal."""

import asyncio
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

import msgspec
from aiohttp import web

from apigw_doctor.lab.clock import Clock
from apigw_doctor.lab.gateway.arrival import LOCAL_CALLER, Arrival
from apigw_doctor.lab.gateway.authorize import Authorizers
from apigw_doctor.lab.gateway.events import edge_host, edge_id
from apigw_doctor.lab.gateway.ids import Ids, own_request_id, read_trace
from apigw_doctor.lab.gateway.integrate import Integration, LambdaIntegration, MockIntegration, Served
from apigw_doctor.lab.gateway.responses import Refusal, Reply, refuse
from apigw_doctor.lab.gateway.routing import Match, find_route
from apigw_doctor.lab.gateway.tasks import Tasks
from apigw_doctor.lab.gateway.throttle import Bucket
from apigw_doctor.lab.invoking import Invoker
from apigw_doctor.lab.records import AuthorizerCall, Exchange, IntegrationCall, Journal
from apigw_doctor.lab.setup import LabAuthorizer, LabRoute, LabSetup
from apigw_doctor.limits.table import value
from apigw_doctor.model.terms import ApiType

PLAN, AUTHORIZER_PLAN = "X-Lab-Plan", "X-Lab-Authorizer-Plan"
"""Private request headers: what a scenario wants to happen. No event and no evidence has them."""
#: Not among an arrival's headers: the private ones, and the host, which is told apart.
_UNTOLD = frozenset({PLAN.lower(), AUTHORIZER_PLAN.lower(), "host"})
#: Requests that are served at a time at most; more are refused like too many for an account.
_MAX_AT_WORK = 5_000
_EDGE_LOCATION = "DUB56-P1"
_CLIENT_ERROR = 400


class _PlanError(ValueError):
    """A private header that cannot be read."""


class Gateway:
    """Serves one REST, HTTP or WebSocket API, and appends one `Exchange` a request to the journal.

    Nothing of it looks at the wall's clock. `plans` makes the private headers work.
    """

    def __init__(
        self,
        setup: LabSetup,
        invoker: Invoker,
        clock: Clock,
        journal: Journal,
        *,
        seed: int = 0,
        plans: bool = False,
    ) -> None:
        self._setup, self._api, self._clock, self._journal = setup, setup.api, clock, journal
        self._plans = plans
        self._ids = Ids(seed)
        self._work, self._background = Tasks(), Tasks()
        self._authorizers = Authorizers(self._api, invoker, clock, self._background)
        self._integrations: dict[str, Integration] = {
            "aws-proxy": LambdaIntegration(setup, invoker, clock, self._background),
            "mock": MockIntegration(),
        }
        self._buckets: dict[LabRoute, Bucket] = {}
        self._runner: web.AppRunner | None = None

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> int:
        """Listen; returns the port that was bound."""
        app = web.Application(client_max_size=int(value("rest-payload")))
        app.router.add_route("*", "/{any:.*}", self._handle)
        app.on_response_prepare.append(_without_server)
        runner = web.AppRunner(
            app, access_log=None, keepalive_timeout=value("rest-client-idle") / 1000.0, shutdown_timeout=1.0
        )
        await runner.setup()
        self._runner = runner
        site = web.TCPSite(runner, host, port)
        await site.start()
        return int(runner.addresses[0][1])

    async def drain(self) -> None:
        """Wait until every request is answered and every function that was called has come to its end."""
        while len(self._work) or len(self._background):
            await self._work.drain()
            await self._background.drain()

    async def stop(self) -> None:
        """Close everything; what still runs is cut off."""
        runner, self._runner = self._runner, None
        if runner is not None:
            await runner.cleanup()
        await self._work.cancel()
        await self._background.cancel()

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        arrived_at = self._clock.now_ms()
        match = find_route(self._api, request.method, request.rel_url.raw_path)
        try:
            arrival = self._arrival(request, match, arrived_at)
        except _PlanError as error:
            return web.json_response({"message": str(error)}, status=_CLIENT_ERROR)
        too_large = len(self._work) >= _MAX_AT_WORK
        refusal = Refusal(kind="THROTTLED") if too_large else None
        try:
            arrival = msgspec.structs.replace(arrival, body=await request.read())
        except web.HTTPRequestEntityTooLarge:
            refusal = Refusal(kind="REQUEST_TOO_LARGE")
        # The client may go away while its request is at work: that is nothing to the gateway.
        reply = await asyncio.shield(self._work.start(self._serve(arrival, refusal)))
        return await self._respond(request, arrival, reply)

    def _arrival(self, request: web.Request, match: Match, arrived_at: float) -> Arrival:
        headers = tuple((name, content) for name, content in request.headers.items() if name.lower() not in _UNTOLD)
        rest = self._api.api_type is ApiType.REST
        extended_id, request_id = self._ids.extended_id(), self._ids.request_id()
        made_root = self._ids.trace_root(arrived_at)
        sent_trace = request.headers.get("X-Amzn-Trace-Id")
        root, may_sample = read_trace(sent_trace)
        own_id = own_request_id(request.headers.get("x-amzn-RequestId"))
        peer = request.remote or ""
        raw_query = request.rel_url.raw_query_string
        return Arrival(
            at=arrived_at,
            request_id=(own_id or request_id) if rest else extended_id,
            extended_id=extended_id,
            trace_root=root or made_root,
            trace_header=sent_trace if sent_trace and root else f"Root={made_root}",
            may_sample=may_sample,
            segment_id=self._ids.segment_id(),
            subsegment_id=self._ids.segment_id(),
            method=request.method,
            path=match.path,
            raw_query=raw_query,
            query=tuple(parse_qsl(raw_query, keep_blank_values=True)),
            headers=headers,
            host=self._host(request),
            source_ip=LOCAL_CALLER if _is_local(peer) else peer,
            protocol=f"HTTP/{request.version.major}.{request.version.minor}",
            route=match.route,
            path_parameters=match.path_parameters,
            raw_parameters=match.raw_parameters,
            plan=self._plan(request.headers, PLAN),
            authorizer_plan=self._plan(request.headers, AUTHORIZER_PLAN),
        )

    def _host(self, request: web.Request) -> str:
        """A name that the API could have; whoever calls the machine's own address means the API's own host."""
        name = request.host.rpartition(":")[0] if request.host.rpartition(":")[2].isdigit() else request.host
        return self._api.domain_name if not name or _is_local(name.strip("[]")) else name

    def _plan(self, headers: Mapping[str, str], name: str) -> dict[str, Any] | None:
        text = headers.get(name) if self._plans else None
        if text is None:
            return None
        try:
            plan = json.loads(text)
        except ValueError:
            plan = None
        if not isinstance(plan, dict):
            raise _PlanError(f"{name} is no JSON object")
        return plan

    async def _serve(self, arrival: Arrival, refusal: Refusal | None) -> Reply:
        authorizer_call, served = None, None
        if refusal is None:
            authorizer_call, served = await self._admit_and_call(arrival)
        else:
            served = Served(reply=refuse(refusal, arrival, self._api))
        reply = self._with_front(arrival, served.reply)
        self._note(arrival, reply, authorizer_call, served.call)
        return reply

    async def _admit_and_call(self, arrival: Arrival) -> tuple[AuthorizerCall | None, Served]:
        route = arrival.route
        if route is None:
            rest = self._api.api_type is ApiType.REST
            refusal = Refusal(kind="MISSING_AUTHENTICATION_TOKEN" if rest else "RESOURCE_NOT_FOUND")
            return None, Served(reply=refuse(refusal, arrival, self._api))
        admission, call = None, None
        if (authorizer := self._authorizer(route)) is not None:
            judged = await self._authorizers.judge(arrival, authorizer)
            admission, call = judged.admission, judged.call
            if judged.refusal is not None:
                return call, Served(reply=refuse(judged.refusal, arrival, self._api))
        if (refusal_ := self._throttled(arrival, route)) is not None:
            return call, Served(reply=refuse(refusal_, arrival, self._api))
        return call, await self._integrations[route.kind].call(arrival, route, admission)

    def _authorizer(self, route: LabRoute) -> LabAuthorizer | None:
        wanted = route.authorizer
        if wanted is None:
            return None
        return next(one for one in self._api.authorizers if wanted in (one.id, one.name))

    def _throttled(self, arrival: Arrival, route: LabRoute) -> Refusal | None:
        if route.throttle_rate is None:
            return None
        now_ms = self._clock.now_ms()
        bucket = self._buckets.get(route)
        if bucket is None:
            bucket = self._buckets[route] = Bucket(route.throttle_rate, route.throttle_burst, now_ms)
        if bucket.admits(now_ms):
            return None
        line = (
            f"Key throttle limit exceeded for RestApi {self._api.api_id}, Stage {self._api.stage},"
            f" Resource {route.resource_id}, HttpMethod {arrival.method}."
            f" Limit: {bucket.rate:.2f} Burst: {bucket.burst}"
        )
        return Refusal(kind="THROTTLED", failure_lines=(line,))

    def _with_front(self, arrival: Arrival, reply: Reply) -> Reply:
        if self._api.api_type is not ApiType.REST:
            return reply
        return msgspec.structs.replace(
            reply, headers=(*reply.headers, ("X-Amzn-Trace-Id", f"Root={arrival.trace_root}"))
        )

    def _note(
        self, arrival: Arrival, reply: Reply, authorizer: AuthorizerCall | None, call: IntegrationCall | None
    ) -> None:
        self._journal.exchanges.append(
            Exchange(
                request_id=arrival.request_id,
                extended_request_id=arrival.extended_id,
                trace_id=arrival.trace_root,
                sampled=self._api.tracing and arrival.may_sample,
                arrived_at=arrival.at,
                completed_at=self._clock.now_ms(),
                method=arrival.method,
                path=arrival.path,
                route=arrival.route,
                status=reply.status,
                error_type=reply.error_type,
                error_message=reply.error_message,
                failure_lines=reply.failure_lines,
                authorizer=authorizer,
                integration=call,
                request_headers=_by_name((("Host", arrival.host), *arrival.headers)),
                query=dict(arrival.query),
                request_body=arrival.body.decode(errors="replace"),
                response_headers=_by_name(reply.headers),
                response_body=reply.body.decode(errors="replace"),
                source_ip=arrival.source_ip,
                user_agent=arrival.user_agent,
                protocol=arrival.protocol,
                host=arrival.host,
                event_type=arrival.event_type,
                connection_id=arrival.connection_id,
                connected_at=arrival.connected_at,
                message_id=arrival.message_id,
                segment_id=arrival.segment_id,
                subsegment_id=arrival.subsegment_id,
            )
        )

    async def _respond(self, request: web.Request, arrival: Arrival, reply: Reply) -> web.StreamResponse:
        headers = [*self._ids_of(arrival), *reply.headers, *self._edge_headers(arrival, reply)]
        if not reply.streamed:
            response = web.Response(status=reply.status, body=reply.body)
            _set(response, headers)
            return response
        stream = web.StreamResponse(status=reply.status)
        _set(stream, headers)
        stream.enable_chunked_encoding()
        await stream.prepare(request)
        if reply.body:
            await stream.write(reply.body)
        await stream.write_eof()
        return stream

    def _ids_of(self, arrival: Arrival) -> list[tuple[str, str]]:
        if self._api.api_type is ApiType.HTTP:
            return [("apigw-requestid", arrival.extended_id)]
        return [("x-amzn-RequestId", arrival.request_id), ("x-amz-apigw-id", arrival.extended_id)]

    def _edge_headers(self, arrival: Arrival, reply: Reply) -> list[tuple[str, str]]:
        if self._api.api_type is not ApiType.REST or self._api.endpoint_type != "EDGE":
            return []
        result = "Error" if reply.status >= _CLIENT_ERROR else "Miss"
        return [
            ("X-Cache", f"{result} from cloudfront"),
            ("Via", f"1.1 {edge_host(arrival)} (CloudFront)"),
            ("X-Amz-Cf-Pop", _EDGE_LOCATION),
            ("X-Amz-Cf-Id", edge_id(arrival)),
        ]


async def _without_server(request: web.Request, response: web.StreamResponse) -> None:
    """The gateway does not say what it runs on."""
    response.headers.pop("Server", None)


def _set(response: web.StreamResponse, headers: list[tuple[str, str]]) -> None:
    if any(name.lower() == "content-type" for name, _ in headers):
        response.headers.popall("Content-Type", None)
    for name, content in headers:
        response.headers.add(name, content)


def _by_name(pairs: tuple[tuple[str, str], ...]) -> dict[str, str]:
    """Headers as the records hold them: several of one name in one line."""
    found: dict[str, str] = {}
    spelled: dict[str, str] = {}
    for name, content in pairs:
        key = spelled.setdefault(name.lower(), name)
        found[key] = f"{found[key]},{content}" if key in found else content
    return found


def _is_local(address: str) -> bool:
    return address in ("", "localhost", "::1") or address.startswith("127.") or address == "::ffff:127.0.0.1"
