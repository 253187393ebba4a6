"""What the lab's HTTP servers have in common: one handler on a free port, on the lab's clock."""

import socket
import struct
from email.utils import formatdate
from typing import Self

from aiohttp import web

from apigw_doctor.lab.clock import Clock

HOST = "127.0.0.1"
#: Virtual seconds that handlers get to notice that their server stops.
_STOP_S = 0.05
_FOREVER_S = 1e9
_MAX_BODY = 64 * 1024 * 1024
_RESET = struct.pack("ii", 1, 0)


class HttpServer:
    """A server whose subclass handles every request in `handle`; a client that leaves cancels the handler."""

    def __init__(self, clock: Clock, keep_alive_ms: float | None = None) -> None:
        self.clock = clock
        self.port = 0
        self._keep_alive_s = _FOREVER_S if keep_alive_ms is None else keep_alive_ms / 1000.0
        self._runner: web.AppRunner | None = None

    @property
    def address(self) -> tuple[str, int]:
        """Where it listens."""
        return HOST, self.port

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer one request."""
        raise NotImplementedError

    async def start(self) -> int:
        """Listen on a free port of this machine; returns it."""
        app = web.Application(client_max_size=_MAX_BODY)
        app.router.add_route("*", "/{path:.*}", self.handle)
        app.on_response_prepare.append(self._date)
        self._runner = web.AppRunner(
            app,
            handler_cancellation=True,
            access_log=None,
            keepalive_timeout=self._keep_alive_s,
            shutdown_timeout=_STOP_S,
            timeout_ceil_threshold=_FOREVER_S,
            auto_decompress=False,
        )
        await self._runner.setup()
        site = web.TCPSite(self._runner, HOST, self.port)
        await site.start()
        self.port = int(self._runner.addresses[0][1])
        return self.port

    async def _date(self, _request: web.Request, response: web.StreamResponse) -> None:
        """Answers are dated by the lab's clock, not by the machine's."""
        response.headers["Date"] = formatdate(self.clock.time_s(), usegmt=True)

    async def stop(self) -> None:
        """Close the port and all connections."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()


def hang_up(request: web.Request, *, reset: bool) -> web.Response:
    """Close the connection of a request without an answer; what it returns goes nowhere."""
    if (transport := request.transport) is not None:
        if reset and (half := transport.get_extra_info("socket")) is not None:
            half.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        transport.abort()
    return web.Response()
