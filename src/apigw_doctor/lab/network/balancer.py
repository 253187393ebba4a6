"""An Application Load Balancer between the gateway and its targets.

What its log says of times follows AWS's description of access log entries: all three are -1 where no target could be
reached, target and response time where the target did not answer within the idle timeout or the client left, and only
the response time where the target closed the connection.
"""

import asyncio
from collections.abc import Iterator, Sequence

import msgspec
from aiohttp import web
from multidict import CIMultiDict

from apigw_doctor.lab.clock import Clock
from apigw_doctor.lab.invoking import Invoker
from apigw_doctor.lab.network.balancer_lambda import event, response_of, trace
from apigw_doctor.lab.network.serving import HttpServer, hang_up
from apigw_doctor.lab.network.upstream import (
    HOP_BY_HOP,
    Address,
    AnswerTimeoutError,
    Connection,
    ConnectTimeoutError,
    Head,
    Pool,
    UpstreamError,
)
from apigw_doctor.lab.records import BalancerEntry, Journal
from apigw_doctor.lab.setup import LabBalancer
from apigw_doctor.limits.table import value
from apigw_doctor.model.ids import trace_root

CLIENT_LEFT = 460
_TITLES = {502: "502 Bad Gateway", 503: "503 Service Temporarily Unavailable", 504: "504 Gateway Time-out"}
_NEVER = -1.0
_OWN_HEADERS = HOP_BY_HOP | {"content-length", "x-forwarded-for", "x-forwarded-proto", "x-forwarded-port"}


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """Where a target listens, and what the log calls it."""

    address: Address
    shown: str = "10.0.5.20:8080"


class LambdaTarget(msgspec.Struct, frozen=True, kw_only=True):
    """A function as the target."""

    function: str
    invoker: Invoker


class _Registered:
    """A target that requests may be handed to, and those that are under way to it."""

    def __init__(self, target: Target | LambdaTarget) -> None:
        self.target = target
        self.scopes: set[asyncio.Timeout] = set()


class _Passage:
    """What is known of one request so far."""

    def __init__(self, request: web.Request, now_ms: float) -> None:
        self.request = request
        self.port = _port(request)
        self.created_at = now_ms
        self.target = ""
        self.sent_at: float | None = None
        self.head_at: float | None = None
        self.sent_bytes = 0
        #: what the client has got the head of
        self.response: web.StreamResponse | None = None
        #: why a function's answer could not be used
        self.reason: str | None = None


class Balancer(HttpServer):
    """Hands requests to its targets in turn; every one is journalled."""

    def __init__(
        self,
        clock: Clock,
        setup: LabBalancer,
        targets: Sequence[Target | LambdaTarget],
        journal: Journal,
        *,
        shown_client: str = "10.0.3.17",
    ) -> None:
        super().__init__(clock, setup.keep_alive_ms)
        self.setup, self.journal, self.shown_client = setup, journal, shown_client
        self._targets = [_Registered(target) for target in targets]
        self._turn = 0
        self._idle_s = setup.idle_timeout_ms / 1000.0
        self._pool = Pool(clock, self._idle_s)
        self._stopping = False

    def register(self, target: Target | LambdaTarget) -> None:
        """Send requests to this target as well."""
        self._targets.append(_Registered(target))

    def deregister(self, address: Address, delay_ms: float | None = None) -> None:
        """No new requests for this target; those under way are cut (502) after the deregistration delay."""
        delay_ms = value("alb-deregistration-delay") if delay_ms is None else delay_ms
        for gone in [one for one in self._targets if getattr(one.target, "address", None) == address]:
            self._targets.remove(gone)
            for scope in gone.scopes:
                scope.reschedule(asyncio.get_running_loop().time() + delay_ms / 1000.0)
        self._pool.forget(address)

    async def stop(self) -> None:
        """Close the port and all connections; requests under way are not journalled."""
        self._stopping = True
        await super().stop()
        await self._pool.stop()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Hand one request on."""
        passage = _Passage(request, self.clock.now_ms())
        body = await request.read()
        registered = self._next()
        if registered is None:
            return self._fail(passage, 503)
        try:
            if isinstance(registered.target, LambdaTarget):
                return await self._invoke(passage, registered.target, body)
            passage.target = registered.target.shown
            return await self._forward(passage, registered, registered.target.address, body)
        except (ConnectTimeoutError, AnswerTimeoutError):
            return self._fail(passage, 504)
        except (UpstreamError, TimeoutError):
            # Refused, closed, malformed; or the deregistration delay is over.
            if passage.sent_at is not None and passage.head_at is None:
                passage.head_at = self.clock.now_ms()
            return self._fail(passage, 502)
        except (asyncio.CancelledError, ConnectionError):
            if not self._stopping:
                self._note(passage, CLIENT_LEFT if passage.response is None else passage.response.status)
            raise

    def _next(self) -> _Registered | None:
        if not self._targets:
            return None
        self._turn += 1
        return self._targets[(self._turn - 1) % len(self._targets)]

    async def _invoke(self, passage: _Passage, target: LambdaTarget, body: bytes) -> web.StreamResponse:
        """Let a function answer; the idle timeout is for connections, and there is none."""
        request = passage.request
        passage.sent_at = self.clock.now_ms()
        answer = await target.invoker.invoke(
            target.function, event(request, body, dict(self._headers(request))), trace=trace(request)
        )
        passage.head_at = self.clock.now_ms()
        response = response_of(answer)
        if isinstance(response, str):
            passage.reason = response
            return self._fail(passage, 502)
        passage.response = response
        passage.sent_bytes = len(response.body) if isinstance(response.body, bytes) else 0
        self._note(passage, response.status, complete=True)
        return response

    async def _forward(
        self, passage: _Passage, registered: _Registered, address: Address, body: bytes
    ) -> web.StreamResponse:
        async with asyncio.timeout(None) as scope:
            registered.scopes.add(scope)
            try:
                connection = await self._pool.connection(address, self.setup.connect_timeout_ms / 1000.0)
                try:
                    head, response = await self._answer(passage, connection, body)
                except BaseException:
                    connection.close()
                    raise
            finally:
                registered.scopes.discard(scope)
        self._pool.keep(connection, head)
        self._note(passage, head.status, complete=True)
        await response.write_eof()
        return response

    async def _answer(self, passage: _Passage, connection: Connection, body: bytes) -> tuple[Head, web.StreamResponse]:
        request = passage.request
        await connection.ask(request.method, request.raw_path, self._headers(request), body)
        passage.sent_at = self.clock.now_ms()
        head = await connection.head(request.method, self._idle_s)
        passage.head_at = self.clock.now_ms()
        passage.response = response = web.StreamResponse(status=head.status, headers=CIMultiDict(head.passed_on()))
        await response.prepare(request)
        async for data in connection.body(head, self._idle_s):
            passage.sent_bytes += len(data)
            await response.write(data)
        return head, response

    def _headers(self, request: web.Request) -> Iterator[tuple[str, str]]:
        for name, said in request.headers.items():
            if name.lower() not in _OWN_HEADERS:
                yield name, said
        client = ", ".join(filter(None, (request.headers.get("X-Forwarded-For"), self.shown_client)))
        yield "X-Forwarded-For", client
        yield "X-Forwarded-Proto", "http"
        yield "X-Forwarded-Port", "80"

    def _fail(self, passage: _Passage, status: int) -> web.StreamResponse:
        if passage.response is not None:
            # The client has the target's status already: all that is left is to end its connection.
            self._note(passage, passage.response.status)
            hang_up(passage.request, reset=False)
            return passage.response
        title = _TITLES[status]
        page = (
            f"<html>\r\n<head><title>{title}</title></head>\r\n<body>\r\n<center><h1>{title}</h1></center>\r\n"
            "</body>\r\n</html>\r\n"
        )
        passage.sent_bytes = len(page)
        self._note(passage, status)
        return web.Response(status=status, text=page, headers={"Server": "awselb/2.0", "Content-Type": "text/html"})

    def _note(self, passage: _Passage, status: int, *, complete: bool = False) -> None:
        request, now_ms = passage.request, self.clock.now_ms()
        sent_at, head_at = passage.sent_at, passage.head_at
        asked = f"{request.method} {request.raw_path} HTTP/1.1"
        received = len(asked) + 4 + sum(len(name) + len(said) + 4 for name, said in request.raw_headers)
        self.journal.balancers.append(
            BalancerEntry(
                created_at=passage.created_at,
                ended_at=now_ms,
                balancer=self.setup.name,
                client=f"{self.shown_client}:{passage.port}",
                target=passage.target,
                request_ms=_NEVER if sent_at is None else sent_at - passage.created_at,
                target_ms=_NEVER if sent_at is None or head_at is None else head_at - sent_at,
                response_ms=now_ms - head_at if complete and head_at is not None else _NEVER,
                status=status,
                target_status=None if passage.response is None else passage.response.status,
                method=request.method,
                url=f"http://{request.host}{request.raw_path}",
                received_bytes=received + (request.content_length or 0),
                sent_bytes=passage.sent_bytes,
                user_agent=request.headers.get("User-Agent", "-"),
                error_reason=passage.reason,
                trace_id=trace_root(request.headers.get("X-Amzn-Trace-Id", "")),
            )
        )


def _port(request: web.Request) -> int:
    peer = None if request.transport is None else request.transport.get_extra_info("peername")
    return int(peer[1]) if peer else 0
