"""The Lambda Runtime API, one port per execution environment: what AWS's runtime client talks to."""

import json
from collections.abc import Awaitable, Callable
from typing import Protocol

from aiohttp import web

from apigw_doctor.limits.table import value

_ROOT = "/2018-06-01/runtime"
_MAX_ANSWER_BYTES = 64 * 1024 * 1024
_TOO_LARGE = "Response payload size exceeded maximum allowed payload size (6291556 bytes)."
#: what the Runtime API answers the runtime with, which logs it
_REFUSED = (
    '{"errorMessage":"Exceeded maximum allowed payload size (6291556 bytes).","errorType":"RequestEntityTooLarge"}'
)


class Job(Protocol):
    """An invocation that an environment is to run."""

    request_id: str
    payload: bytes

    def headers(self) -> dict[str, str]:
        """Headers of the invocation as the runtime client wants them."""
        ...


class Port(Protocol):
    """The environment behind a port."""

    async def next_job(self) -> Job:
        """Wait for the next invocation."""
        ...

    def answered(self, request_id: str, body: bytes) -> None:
        """The handler returned."""

    def refused(self, request_id: str, body: bytes, error_type: str) -> None:
        """The handler returned more than Lambda takes; `body` is what the caller gets to know."""

    def failed(self, request_id: str, body: bytes, error_type: str) -> None:
        """The handler raised."""

    def init_failed(self, body: bytes, error_type: str) -> None:
        """The module could not be loaded."""


class RuntimeApi:
    """Serves all environments; the port that a request came in at says which one it is from."""

    def __init__(self) -> None:
        app = web.Application(client_max_size=_MAX_ANSWER_BYTES)
        app.router.add_get(f"{_ROOT}/invocation/next", self._with(self._next))
        app.router.add_post(f"{_ROOT}/invocation/{{id}}/response", self._with(self._response))
        app.router.add_post(f"{_ROOT}/invocation/{{id}}/error", self._with(self._error))
        app.router.add_post(f"{_ROOT}/init/error", self._with(self._init_error))
        self._runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=0.1)
        self._ports: dict[int, Port] = {}
        self._sites: dict[int, web.TCPSite] = {}

    async def start(self) -> None:
        """Make ready for ports."""
        await self._runner.setup()

    async def stop(self) -> None:
        """Close all ports."""
        await self._runner.cleanup()

    async def open(self, user: Port) -> int:
        """A new port for one environment."""
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        port = int(self._runner.addresses[-1][1])
        self._ports[port], self._sites[port] = user, site
        return port

    async def close(self, port: int) -> None:
        """The environment is gone."""
        self._ports.pop(port, None)
        site = self._sites.pop(port, None)
        if site is not None:
            await site.stop()

    def _with(
        self, work: Callable[[Port, web.Request], Awaitable[web.Response]]
    ) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def handler(request: web.Request) -> web.Response:
            transport = request.transport
            port = transport.get_extra_info("sockname")[1] if transport is not None else 0
            user = self._ports.get(port)
            return web.Response(status=410) if user is None else await work(user, request)

        return handler

    async def _next(self, user: Port, request: web.Request) -> web.Response:
        job = await user.next_job()
        return web.Response(body=job.payload, headers=job.headers(), content_type="application/json")

    async def _response(self, user: Port, request: web.Request) -> web.Response:
        body = await request.read()
        if len(body) > value("lambda-payload-sync"):
            kind = "Function.ResponseSizeTooLarge"
            told = json.dumps({"errorType": kind, "errorMessage": _TOO_LARGE})
            user.refused(request.match_info["id"], told.encode(), kind)
            return web.Response(status=413, text=_REFUSED, content_type="application/json")
        user.answered(request.match_info["id"], body)
        return web.Response(status=202)

    async def _error(self, user: Port, request: web.Request) -> web.Response:
        kind = request.headers.get("Lambda-Runtime-Function-Error-Type", "Function.Unhandled")
        user.failed(request.match_info["id"], await request.read(), kind)
        return web.Response(status=202)

    async def _init_error(self, user: Port, request: web.Request) -> web.Response:
        kind = request.headers.get("Lambda-Runtime-Function-Error-Type", "Runtime.Unknown")
        user.init_failed(await request.read(), kind)
        return web.Response(status=202)
