"""An HTTP service that functions and integrations depend on, as slow and as broken as a scenario wants it."""

import asyncio
from typing import Literal
from weakref import WeakKeyDictionary

import msgspec
from aiohttp import web

from apigw_doctor.lab.clock import Clock
from apigw_doctor.lab.network.serving import HttpServer, hang_up


class Behaviour(msgspec.Struct, frozen=True, kw_only=True):
    """How a service answers a request."""

    latency_ms: float = 0.0
    status: int = 200
    body: str = '{"ok": true}'
    retry_after_s: int | None = None
    #: end the connection instead of an answer, after the latency
    hang_up: Literal["close", "reset"] | None = None


class Served(msgspec.Struct, frozen=True, kw_only=True):
    """One request that the service got; `status` None: it sent no answer, or nobody waited for it any more."""

    arrived_at: float
    ended_at: float
    method: str
    path: str
    status: int | None
    headers: dict[str, str] = {}


class HttpService(HttpServer):
    """A service whose `behaviour` can be changed at any time, and by each request.

    A request overrides it with `?ms=`, `?status=`, `?retry_after=` and `?hang_up=`, or with the headers `x-lab-ms` and
    so on. An idle connection is closed after `keep_alive_ms`. With `race` it is closed only when the next request
    arrives on it: the race that a caller with a longer idle timeout loses now and then, made certain.
    """

    def __init__(
        self,
        clock: Clock,
        behaviour: Behaviour | None = None,
        *,
        keep_alive_ms: float | None = None,
        race: bool = False,
    ) -> None:
        super().__init__(clock, None if race else keep_alive_ms)
        self.behaviour = behaviour or Behaviour()
        self.served: list[Served] = []
        #: requests that are being worked on
        self.running = 0
        self._race_ms = keep_alive_ms if race else None
        self._idle_since: WeakKeyDictionary[asyncio.Transport, float] = WeakKeyDictionary()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Wait and answer as the request, or else the service's behaviour, wants it."""
        arrived_at = self.clock.now_ms()
        wanted = _wanted(request, self.behaviour)
        await request.read()
        status: int | None = None
        self.running += 1
        try:
            if self._too_late(request, arrived_at):
                return hang_up(request, reset=False)
            await asyncio.sleep(wanted.latency_ms / 1000.0)
            if wanted.hang_up is not None:
                return hang_up(request, reset=wanted.hang_up == "reset")
            status = wanted.status
        finally:
            self.running -= 1
            now_ms = self.clock.now_ms()
            if request.transport is not None:
                self._idle_since[request.transport] = now_ms
            self.served.append(
                Served(
                    arrived_at=arrived_at,
                    ended_at=now_ms,
                    method=request.method,
                    path=request.path_qs,
                    status=status,
                    headers=dict(request.headers),
                )
            )
        headers = {"Content-Type": "application/json"}
        if wanted.retry_after_s is not None:
            headers["Retry-After"] = str(wanted.retry_after_s)
        return web.Response(status=status, body=wanted.body.encode(), headers=headers)

    def _too_late(self, request: web.Request, arrived_at: float) -> bool:
        if self._race_ms is None or request.transport is None:
            return False
        return arrived_at - self._idle_since.get(request.transport, arrived_at) > self._race_ms


def _wanted(request: web.Request, usual: Behaviour) -> Behaviour:
    def said(name: str) -> str | None:
        return request.query.get(name, request.headers.get(f"x-lab-{name.replace('_', '-')}"))

    changes: dict[str, object] = {}
    if (ms := said("ms")) is not None:
        changes["latency_ms"] = float(ms)
    if (status := said("status")) is not None:
        changes["status"] = int(status)
    if (retry_after := said("retry_after")) is not None:
        changes["retry_after_s"] = int(retry_after)
    if (ended := said("hang_up")) is not None:
        changes["hang_up"] = "reset" if ended == "reset" else "close"
    return msgspec.structs.replace(usual, **changes) if changes else usual
