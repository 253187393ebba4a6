"""The lab's API Gateway: an HTTP server that keeps to the time limits of the real one."""

import asyncio

import msgspec
from aiohttp import web

from apigw_doctor.lab.clock import Clock
from apigw_doctor.lab.evidence.forms import http_date
from apigw_doctor.lab.gateway.authorize import Authorizers
from apigw_doctor.lab.gateway.front import Front, PlanError
from apigw_doctor.lab.gateway.http_proxy import HttpIntegration
from apigw_doctor.lab.gateway.ids import Ids
from apigw_doctor.lab.gateway.integrate import Integration, LambdaIntegration, MockIntegration
from apigw_doctor.lab.gateway.responses import Refusal
from apigw_doctor.lab.gateway.routing import find_route
from apigw_doctor.lab.gateway.service import Service
from apigw_doctor.lab.gateway.tasks import Tasks
from apigw_doctor.lab.gateway.texts import whole
from apigw_doctor.lab.gateway.websocket import Sockets
from apigw_doctor.lab.invoking import Invoker
from apigw_doctor.lab.records import Journal
from apigw_doctor.lab.setup import LabSetup
from apigw_doctor.limits.table import value
from apigw_doctor.model.terms import ApiType

#: Requests that are served at a time at most; more are refused like too many for an account.
_MAX_AT_WORK = 5_000
#: So long (of the lab's time) open requests may go on when the gateway stops.
_SHUTDOWN_S = 1.0
_BAD_REQUEST = 400


class Gateway:
    """Serves one REST, HTTP or WebSocket API, and appends one `Exchange` a request or event to the journal.

    Nothing of it looks at the wall's clock. With `plans`, the request headers `X-Lab-Plan` and
    `X-Lab-Authorizer-Plan` say what shall happen in the invocations that a request causes.
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
        api = setup.api
        self._api, self._clock = api, clock
        self._work, self._background = Tasks(), Tasks()
        self._front = Front(api, Ids(seed), plans=plans)
        self._http = HttpIntegration(api, clock, self._background)
        integrations: dict[str, Integration] = {
            "aws-proxy": LambdaIntegration(setup, invoker, clock, self._background),
            "http-proxy": self._http,
            "mock": MockIntegration(),
        }
        authorizers = Authorizers(api, invoker, clock, self._background)
        self._service = Service(api, clock, journal, authorizers, integrations)
        self._sockets = Sockets(api, clock, self._front, self._service, self._work)
        self._runner: web.AppRunner | None = None

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> int:
        """Listen; returns the port that was bound."""
        app = web.Application(client_max_size=int(value("rest-payload")))
        app.router.add_route("*", "/{any:.*}", self._handle)
        app.on_response_prepare.append(self._sign)
        idle_s = value("rest-client-idle") / 1000.0
        runner = web.AppRunner(app, access_log=None, keepalive_timeout=idle_s, shutdown_timeout=_SHUTDOWN_S)
        await runner.setup()
        self._runner = runner
        await self._http.start()
        await web.TCPSite(runner, host, port).start()
        return int(runner.addresses[0][1])

    async def drain(self) -> None:
        """Wait until every request is answered and every function that was called has come to its end."""
        while len(self._work) or len(self._background):
            await self._work.drain()
            await self._background.drain()

    async def stop(self) -> None:
        """Close everything; what still runs is cut off."""
        runner, self._runner = self._runner, None
        if runner is None:
            return
        await self._sockets.stop()
        # What waits for a function would wait on: its client is gone now.
        await self._work.cancel()
        await runner.cleanup()
        await self._work.cancel()
        await self._background.cancel()
        await self._http.stop()

    async def _sign(self, request: web.Request, response: web.StreamResponse) -> None:
        """The gateway's date is the lab's, and it does not say what it runs on."""
        response.headers["Date"] = http_date(self._clock.now_ms())
        response.headers.pop("Server", None)

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        if self._api.api_type is ApiType.WEBSOCKET:
            return await self._sockets.handle(request)
        match = find_route(self._api, request.method, whole(request.rel_url.raw_path))
        try:
            arrival = self._front.arrival(request, match, self._clock.now_ms())
        except PlanError as error:
            return web.json_response({"message": str(error)}, status=_BAD_REQUEST)
        refusal = Refusal(kind="THROTTLED") if len(self._work) >= _MAX_AT_WORK else None
        try:
            arrival = msgspec.structs.replace(arrival, body=await request.read())
        except web.HTTPRequestEntityTooLarge:
            refusal = Refusal(kind="REQUEST_TOO_LARGE")
        # The client may go away while its request is at work: that is nothing to the gateway.
        outcome = await asyncio.shield(self._work.start(self._service.serve(arrival, refusal=refusal)))
        return await self._front.respond(request, arrival, outcome.reply)
