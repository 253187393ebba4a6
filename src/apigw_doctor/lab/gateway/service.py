"""What becomes of a request: authorizer, throttle, integration, reply, and its entry in the journal."""

import msgspec

from apigw_doctor.lab.clock import Clock
from apigw_doctor.lab.gateway.arrival import Admission, Arrival
from apigw_doctor.lab.gateway.authorize import Authorizers
from apigw_doctor.lab.gateway.integrate import Integration, Served
from apigw_doctor.lab.gateway.responses import Refusal, Reply, refuse
from apigw_doctor.lab.gateway.throttle import Bucket
from apigw_doctor.lab.records import AuthorizerCall, Exchange, IntegrationCall, Journal
from apigw_doctor.lab.setup import LabApi, LabAuthorizer, LabRoute
from apigw_doctor.model.terms import ApiType

_OK = 200


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a request."""

    reply: Reply
    admission: Admission | None = None
    #: a WebSocket route's function gave this body; None: no body
    said: bytes | None = None


class Service:
    """Serves the arrivals of one API."""

    def __init__(
        self,
        api: LabApi,
        clock: Clock,
        journal: Journal,
        authorizers: Authorizers,
        integrations: dict[str, Integration],
    ) -> None:
        self._api, self._clock, self._journal = api, clock, journal
        self._authorizers, self._integrations = authorizers, integrations
        self._buckets: dict[LabRoute, Bucket] = {}

    async def serve(
        self, arrival: Arrival, *, refusal: Refusal | None = None, admission: Admission | None = None
    ) -> Outcome:
        """Serve one request and write it down; `admission` is that of the connection that a message came by."""
        call: AuthorizerCall | None = None
        if refusal is None and arrival.route is not None:
            call, admission, refusal = await self._admit(arrival, arrival.route, admission)
        if refusal is not None:
            served = Served(reply=refuse(refusal, arrival, self._api))
        elif arrival.route is None:
            served = self._without_route(arrival)
        else:
            served = await self._integrations[arrival.route.kind].call(arrival, arrival.route, admission)
        reply = self._traced(arrival, served.reply)
        self._note(arrival, reply, call, served.call)
        return Outcome(reply=reply, admission=admission, said=served.said)

    async def _admit(
        self, arrival: Arrival, route: LabRoute, admission: Admission | None
    ) -> tuple[AuthorizerCall | None, Admission | None, Refusal | None]:
        call: AuthorizerCall | None = None
        if admission is None and (authorizer := self._authorizer(route)) is not None:
            judged = await self._authorizers.judge(arrival, authorizer)
            call, admission = judged.call, judged.admission
            if judged.refusal is not None:
                return call, None, judged.refusal
        return call, admission, self._throttled(arrival, route)

    def _authorizer(self, route: LabRoute) -> LabAuthorizer | None:
        wanted = route.authorizer
        # A WebSocket API asks on $connect only.
        if wanted is None or (self._api.api_type is ApiType.WEBSOCKET and route.path != "$connect"):
            return None
        found = next((one for one in self._api.authorizers if wanted in (one.id, one.name)), None)
        if found is None:
            raise LookupError(f"the route {route.key} names the authorizer {wanted}, and the API has none of this name")
        return found

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

    def _without_route(self, arrival: Arrival) -> Served:
        if arrival.event_type in ("CONNECT", "DISCONNECT"):
            return Served(reply=Reply(status=_OK))
        kind = {
            ApiType.REST: Refusal(kind="MISSING_AUTHENTICATION_TOKEN"),
            ApiType.WEBSOCKET: Refusal(kind="ACCESS_DENIED", message="Forbidden"),
        }
        refusal = kind.get(self._api.api_type, Refusal(kind="RESOURCE_NOT_FOUND"))
        return Served(reply=refuse(refusal, arrival, self._api))

    def _traced(self, arrival: Arrival, reply: Reply) -> Reply:
        if self._api.api_type is not ApiType.REST:
            return reply
        trace = ("X-Amzn-Trace-Id", f"Root={arrival.trace_root}")
        return msgspec.structs.replace(reply, headers=(*reply.headers, trace))

    def _note(
        self, arrival: Arrival, reply: Reply, authorizer: AuthorizerCall | None, call: IntegrationCall | None
    ) -> None:
        rest = self._api.api_type is ApiType.REST
        self._journal.exchanges.append(
            Exchange(
                request_id=arrival.request_id,
                extended_request_id=arrival.extended_id,
                trace_id=arrival.trace_root,
                sampled=rest and self._api.tracing and arrival.may_sample,
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
                request_headers=by_name((("Host", arrival.host), *arrival.headers)),
                query=dict(arrival.query),
                request_body=arrival.body.decode(errors="replace"),
                response_headers=by_name(reply.headers),
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


def by_name(pairs: tuple[tuple[str, str], ...]) -> dict[str, str]:
    """Headers as the records hold them: several of one name in one line, under its first spelling."""
    found: dict[str, str] = {}
    spelled: dict[str, str] = {}
    for name, content in pairs:
        key = spelled.setdefault(name.lower(), name)
        found[key] = f"{found[key]},{content}" if key in found else content
    return found
