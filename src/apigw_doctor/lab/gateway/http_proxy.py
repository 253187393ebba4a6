"""HTTP proxy integrations: any URL, over a connection of its own."""

import asyncio
import errno
import io
import os
import socket
from urllib.parse import quote

import msgspec
from aiohttp import (
    ClientConnectorDNSError,
    ClientConnectorError,
    ClientError,
    ClientOSError,
    ClientResponse,
    ClientSession,
    ClientSSLError,
    ClientTimeout,
    ConnectionTimeoutError,
    DummyCookieJar,
    NonHttpUrlClientError,
    TCPConnector,
)
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver
from yarl import URL

from apigw_doctor.lab.clock import Clock
from apigw_doctor.lab.gateway.arrival import Admission, Arrival
from apigw_doctor.lab.gateway.events import event_headers
from apigw_doctor.lab.gateway.integrate import HOP_BY_HOP, TIMED_OUT, Served, limit_ms, on_socket, remapped, trace_of
from apigw_doctor.lab.gateway.responses import Refusal, Reply, refuse
from apigw_doctor.lab.gateway.tasks import Tasks
from apigw_doctor.lab.gateway.texts import whole
from apigw_doctor.lab.records import IntegrationCall
from apigw_doctor.lab.setup import LabApi, LabRoute
from apigw_doctor.limits.table import value
from apigw_doctor.model.terms import ApiType

_CONFIGURATION = "Execution failed due to configuration error: "
_NETWORK = "Execution failed due to a network error communicating with endpoint: "
_UNREACHABLE = f"{_CONFIGURATION}There was an internal error while executing your request"
_INVALID = f"{_CONFIGURATION}Invalid endpoint address"
_TLS = f"{_CONFIGURATION}General SSLEngine problem"
_TOO_LARGE = f"{_CONFIGURATION}Integration response body size is too long"
_CLOSED = "Connection is closed"
#: Not handed on: they belong to the caller's connection, or are set anew.
_NOT_SENT = HOP_BY_HOP | {"host", "content-length", "expect", "x-amzn-trace-id"}
#: Not handed back by an HTTP API: it sets its own.
_OWN = HOP_BY_HOP | {"content-length", "date"}
_INTERNAL, _BAD_GATEWAY, _UNAVAILABLE = 500, 502, 503
#: A streamed answer may be that large (the most that Lambda streams).
_MAX_STREAM = 200 * 1_048_576
_CHUNK = 65_536
_NEVER = 1e9


class _TooLargeError(Exception):
    """The backend's answer passes what the gateway holds."""


class _Fetched(msgspec.Struct, frozen=True, kw_only=True):
    """A backend's answer."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes
    first_byte_at: float


class _Resolver(AbstractResolver):
    """Looking a name up is this machine's work: the clock must not run ahead meanwhile."""

    def __init__(self, clock: Clock) -> None:
        self._inner, self._clock = ThreadedResolver(), clock

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        self._clock.hold()
        try:
            return await self._inner.resolve(host, port, family)
        finally:
            self._clock.release()

    async def close(self) -> None:
        await self._inner.close()


class HttpIntegration:
    """Sends the request on to the route's URL."""

    def __init__(self, api: LabApi, clock: Clock, background: Tasks) -> None:
        self._api, self._clock, self._background = api, clock, background
        self._session: ClientSession | None = None

    async def start(self) -> None:
        """Make ready; needs the running loop."""
        # One connection a call: whether a kept one still works is the balancer's matter, not the gateway's.
        connector = TCPConnector(limit=0, force_close=True, resolver=_Resolver(self._clock), use_dns_cache=False)
        self._session = ClientSession(
            connector=connector,
            cookie_jar=DummyCookieJar(),
            auto_decompress=False,
            skip_auto_headers=("Accept", "Accept-Encoding", "User-Agent", "Content-Type"),
        )
        # aiohttp asks again, unbidden, where the connection of an idempotent request breaks; the gateway does not.
        self._session._retry_connection = False

    async def stop(self) -> None:
        """Close what is open."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def call(self, arrival: Arrival, route: LabRoute, admission: Admission | None) -> Served:
        """Send the request; at the integration's timeout the connection is closed."""
        url, limit = target(route.url or "", arrival), limit_ms(self._api, route)
        call = IntegrationCall(
            uri=url,
            sent_at=self._clock.now_ms(),
            limit_ms=limit,
            ended_at=0.0,
            answered=False,
            streamed=route.stream,
            vpc_link=route.vpc_link,
        )
        fetching = self._background.start(self._fetch(arrival, route, url))
        done, _ = await asyncio.wait({fetching}, timeout=limit / 1000.0)
        call = msgspec.structs.replace(call, ended_at=self._clock.now_ms())
        if not done:
            fetching.cancel()
            refusal = Refusal(kind="INTEGRATION_TIMEOUT", failure_lines=(TIMED_OUT,))
            return self._refused(arrival, call, refusal)
        failure = fetching.exception()
        if failure is not None:
            return self._refused(arrival, call, self._refusal(failure, route))
        return self._answered(arrival, route, call, fetching.result())

    def _answered(self, arrival: Arrival, route: LabRoute, call: IntegrationCall, fetched: _Fetched) -> Served:
        http = self._api.api_type is ApiType.HTTP
        call = msgspec.structs.replace(
            call,
            answered=True,
            status=fetched.status,
            service_status=fetched.status,
            response_headers=dict(fetched.headers),
            response_body=fetched.body.decode(errors="replace"),
            first_byte_at=fetched.first_byte_at if route.stream else None,
        )
        headers = _without(fetched.headers, _OWN) if http else remapped(fetched.headers)
        reply = Reply(status=fetched.status, body=fetched.body, headers=headers, streamed=route.stream)
        if self._api.api_type is not ApiType.WEBSOCKET:
            return Served(reply=reply, call=call)
        return Served(reply=on_socket(reply, arrival, self._api), call=call, said=fetched.body or None)

    def _refused(self, arrival: Arrival, call: IntegrationCall, refusal: Refusal) -> Served:
        error = refusal.failure_lines[-1]
        reply = refuse(refusal, arrival, self._api)
        return Served(reply=reply, call=msgspec.structs.replace(call, error=error))

    def _refusal(self, failure: BaseException, route: LabRoute) -> Refusal:
        http = self._api.api_type is ApiType.HTTP
        match failure:
            case ClientConnectorDNSError() | NonHttpUrlClientError() | ValueError():
                # Also yarl's and aiohttp's own complaints about a URL.
                return Refusal(kind="API_CONFIGURATION_ERROR", failure_lines=(_INVALID,))
            case ClientSSLError():
                return Refusal(kind="API_CONFIGURATION_ERROR", failure_lines=(_TLS,))
            case _TooLargeError():
                status = _INTERNAL if http else _BAD_GATEWAY
                return Refusal(kind="INTEGRATION_FAILURE", status=status, failure_lines=(_TOO_LARGE,))
            case ConnectionTimeoutError() if route.vpc_link:
                kind = Refusal(kind="INTEGRATION_FAILURE", status=_INTERNAL, failure_lines=(_UNREACHABLE,))
            case ClientError() | OSError():
                line = f"{_NETWORK}{_network_words(failure)}"
                rest = self._api.api_type is ApiType.REST
                said = "Network error communicating with endpoint" if rest else None
                kind = Refusal(kind="INTEGRATION_FAILURE", message=said, failure_lines=(line,))
            case _:
                raise failure
        if not http:
            return kind
        # 503 is what users of HTTP APIs report where a backend cannot be reached.
        return msgspec.structs.replace(kind, status=_UNAVAILABLE, message="Service Unavailable")

    async def _fetch(self, arrival: Arrival, route: LabRoute, url: str) -> _Fetched:
        if self._session is None:
            raise RuntimeError("the gateway is not started")
        connect_s = value("private-integration-connect") / 1000.0 if route.vpc_link else None
        request = self._session.request(
            arrival.method or "POST",
            URL(url, encoded=True),
            headers=self._headers(arrival),
            data=io.BytesIO(arrival.body) if arrival.body else None,
            allow_redirects=False,
            timeout=ClientTimeout(total=None, sock_connect=connect_s, ceil_threshold=_NEVER),
        )
        async with request as response:
            first_byte_at = self._clock.now_ms()
            body = await _read(response, _MAX_STREAM if route.stream else int(value("rest-payload")))
            headers = tuple((name, whole(text)) for name, text in response.headers.items())
            return _Fetched(status=response.status, headers=headers, body=body, first_byte_at=first_byte_at)

    def _headers(self, arrival: Arrival) -> list[tuple[str, str]]:
        traced = self._api.api_type is ApiType.REST and self._api.tracing
        trace = ("X-Amzn-Trace-Id", trace_of(arrival, self._api).header if traced else arrival.trace_header)
        named = arrival.header("Connection") or ""
        dropped = _NOT_SENT | {name.strip().lower() for name in named.split(",")}
        if self._api.api_type is ApiType.HTTP:
            pairs = [pair for pair in arrival.headers if pair[0].lower() not in dropped]
            forwarded = f"by=10.0.3.17;for={arrival.source_ip};host={arrival.host};proto=https"
            return [*pairs, ("Forwarded", forwarded), ("Via", f"{arrival.protocol} AmazonAPIGateway"), trace]
        dropped |= {"user-agent"}
        pairs = [pair for pair in event_headers(arrival, self._api) if pair[0].lower() not in dropped]
        own = (
            ("User-Agent", f"AmazonAPIGateway_{self._api.api_id}"),
            ("x-amzn-apigateway-api-id", self._api.api_id),
        )
        return [*pairs, trace, *own]


def target(url: str, arrival: Arrival) -> str:
    """The URL with the path parameters of the request, and its query.

    Parameters stay as they were sent, so that `%2F` in one does not become a slash.
    """
    for name, content in arrival.raw_parameters.items():
        url = url.replace(f"{{{name}}}", quote(content, safe="/%:@!$&'()*+,;=~-._"))
    if not arrival.raw_query:
        return url
    return f"{url}{'&' if '?' in url else '?'}{arrival.raw_query}"


def _without(pairs: tuple[tuple[str, str], ...], names: frozenset[str]) -> tuple[tuple[str, str], ...]:
    return tuple(pair for pair in pairs if pair[0].lower() not in names)


async def _read(response: ClientResponse, most: int) -> bytes:
    body = bytearray()
    async for chunk in response.content.iter_chunked(_CHUNK):
        body += chunk
        if len(body) > most:
            raise _TooLargeError
    return bytes(body)


def _network_words(failure: BaseException) -> str:
    number = getattr(failure, "errno", None)
    if isinstance(failure, ClientConnectorError):
        number = failure.os_error.errno
    if number in (errno.ECONNRESET, errno.EPIPE) or isinstance(failure, ConnectionResetError):
        return "Connection reset by peer" if number == errno.ECONNRESET else _CLOSED
    if isinstance(failure, ClientOSError | OSError) and number:
        return os.strerror(number)
    return _CLOSED
