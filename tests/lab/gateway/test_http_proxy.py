"""HTTP proxy integrations: what the backend gets, and what the client gets when there is none."""

import asyncio
import io
import socket
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from aiohttp import web
from aiohttp.resolver import ThreadedResolver
from tests.lab.gateway.serving import Handler, Serving, api, backend, on_time, port, route, served

from apigw_doctor.lab.setup import LabApi, LabRoute
from apigw_doctor.model.terms import ApiType

NETWORK = "Execution failed due to a network error communicating with endpoint: "


@contextmanager
def unanswering() -> Iterator[int]:
    """A port whose connections are never taken: the queue of the listener is full."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        address = listener.getsockname()
        waiting = [socket.socket() for _ in range(4)]
        for one in waiting:
            one.setblocking(False)
            one.connect_ex(address)
        try:
            yield address[1]
        finally:
            for one in waiting:
                one.close()


def proxied(url: str, api_type: ApiType = ApiType.REST, **more: Any) -> LabApi:
    path = more.pop("path", "/stock/{proxy+}")
    made: LabRoute = route(path, "ANY", None, kind="http-proxy", url=url, **more)
    return api(api_type, made, tracing=True)


def with_backend(handler: Handler, scene: Callable[[Serving], Awaitable[None]], *args: Any, **more: Any) -> None:
    """The backend has to be known before the gateway; both live on one loop."""
    with port() as number:
        pass

    async def whole(lab: Serving) -> None:
        async with backend(handler, number):
            await scene(lab)

    suffix = more.pop("suffix", "/v1/{proxy}")
    served(proxied(f"http://127.0.0.1:{number}{suffix}", *args, **more), {}, whole)


def test_the_backend_gets_the_request_and_the_client_its_answer() -> None:
    seen: list[tuple[str, str, dict[str, str], bytes]] = []

    async def handler(request: web.BaseRequest) -> web.Response:
        seen.append((request.method, request.raw_path, dict(request.headers), await request.read()))
        return web.Response(status=418, body=b"tea", headers={"X-Kind": "pot", "Keep-Alive": "timeout=5"})

    async def scene(lab: Serving) -> None:
        reply = await lab.ask(
            "/prod/stock/a%2Fb/c?x=1&x=2",
            "PUT",
            data=b"body",
            headers={"X-Mine": "1", "X-Hop": "2", "Connection": "x-hop"},
        )
        assert (reply.status, reply.body, reply.names["x-kind"]) == (418, b"tea", "pot")
        assert "keep-alive" not in reply.names
        assert "x-amzn-remapped-server" in reply.names
        method, path, headers, body = seen[0]
        assert (method, path, body) == ("PUT", "/v1/a%2Fb/c?x=1&x=2", b"body")
        assert (headers["X-Mine"], headers["User-Agent"]) == ("1", "AmazonAPIGateway_a1b2c3d4e5")
        assert "X-Hop" not in headers
        noted, call = lab.exchange, lab.exchange.integration
        assert headers["X-Amzn-Trace-Id"] == f"Root={noted.trace_id};Parent={noted.subsegment_id};Sampled=1"
        assert headers["X-Forwarded-For"] == noted.source_ip
        assert call is not None
        assert call.uri.endswith("/v1/a%2Fb/c?x=1&x=2")
        assert (call.status, call.service_status, call.answered, call.function) == (418, 418, True, None)
        assert (call.response_headers["X-Kind"], call.response_body) == ("pot", "tea")
        assert (noted.status, noted.error_type) == (418, None)

    with_backend(handler, scene)


def test_an_http_api_hands_the_callers_agent_on() -> None:
    seen: list[dict[str, str]] = []

    async def handler(request: web.BaseRequest) -> web.Response:
        seen.append(dict(request.headers))
        return web.Response(body=b"ok")

    async def scene(lab: Serving) -> None:
        reply = await lab.ask("/stock/7", headers={"User-Agent": "curl/8"})
        assert (reply.status, reply.names["apigw-requestid"]) == (200, lab.exchange.request_id)
        assert (seen[0]["User-Agent"], seen[0]["Via"]) == ("curl/8", "HTTP/1.1 AmazonAPIGateway")
        assert "host=a1b2c3d4e5.execute-api.eu-west-1.amazonaws.com;proto=https" in seen[0]["Forwarded"]

    with_backend(handler, scene, ApiType.HTTP)


def test_a_slow_backend_is_cut_and_its_connection_closed() -> None:
    left: list[bool] = []

    async def handler(request: web.BaseRequest) -> web.Response:
        await asyncio.sleep(35.0)
        left.append(request.transport is None)
        return web.Response()

    async def scene(lab: Serving) -> None:
        reply = await lab.ask("/stock/7")
        assert (reply.status, reply.text) == (504, '{"message": "Endpoint request timed out"}')
        call = lab.exchange.integration
        assert call is not None
        assert (call.answered, call.status) == (False, None)
        assert on_time(call.ended_at - call.sent_at, 29_000)
        await asyncio.sleep(10.0)
        assert left == [True]

    with_backend(handler, scene)


@pytest.mark.parametrize(
    ("api_type", "status", "body"),
    [
        (ApiType.REST, 504, '{"message": "Network error communicating with endpoint"}'),
        (ApiType.HTTP, 503, '{"message":"Service Unavailable"}'),
    ],
)
def test_a_refused_connection_is_a_network_error(api_type: ApiType, status: int, body: str) -> None:
    async def scene(lab: Serving) -> None:
        reply = await lab.ask("/stock/7")
        assert (reply.status, reply.text) == (status, body)
        noted, call = lab.exchange, lab.exchange.integration
        assert noted.error_type == "INTEGRATION_FAILURE"
        assert noted.failure_lines == (f"{NETWORK}Connection refused",)
        assert call is not None
        assert (call.answered, call.error) == (False, f"{NETWORK}Connection refused")

    with port() as number:
        served(proxied(f"http://127.0.0.1:{number}/{{proxy}}", api_type), {}, scene)


@pytest.mark.parametrize("reset", [False, True])
def test_a_connection_that_is_closed_while_waiting_is_a_network_error(reset: bool) -> None:
    asked: list[str] = []

    async def handler(request: web.BaseRequest) -> web.Response:
        asked.append(request.path)
        await asyncio.sleep(5.0)
        assert request.transport is not None
        if reset:
            request.transport.abort()
        else:
            request.transport.close()
        return web.Response()

    async def scene(lab: Serving) -> None:
        reply = await lab.ask("/stock/7")
        assert (reply.status, reply.text) == (504, '{"message": "Network error communicating with endpoint"}')
        assert lab.exchange.failure_lines == (f"{NETWORK}Connection is closed",)
        assert asked == ["/v1/7"]
        assert on_time(reply.took_ms, 5_000)

    with_backend(handler, scene)


def test_a_private_target_that_does_not_answer_is_given_up_after_ten_seconds() -> None:
    async def scene(lab: Serving) -> None:
        reply = await lab.ask("/stock/7")
        assert (reply.status, reply.text) == (500, '{"message": "Internal server error"}')
        assert lab.exchange.failure_lines == (
            "Execution failed due to configuration error: There was an internal error while executing your request",
        )
        call = lab.exchange.integration
        assert call is not None
        assert (call.vpc_link, call.answered) == (True, False)
        assert on_time(call.ended_at - call.sent_at, 10_000)

    with unanswering() as number:
        served(proxied(f"http://127.0.0.1:{number}/{{proxy}}", vpc_link=True), {}, scene)


def test_a_public_target_that_does_not_answer_runs_into_the_integration_timeout() -> None:
    async def scene(lab: Serving) -> None:
        reply = await lab.ask("/stock/7")
        assert (reply.status, lab.exchange.error_type) == (504, "INTEGRATION_TIMEOUT")

    with unanswering() as number:
        served(proxied(f"http://127.0.0.1:{number}/{{proxy}}"), {}, scene)


@pytest.mark.parametrize(
    "url", ["http://nowhere.example/{proxy}", "http:///{proxy}", "ftp://127.0.0.1/{proxy}", "http://a:99999/"]
)
def test_an_address_that_is_none_is_a_configuration_error(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    held: list[bool] = []

    async def scene(lab: Serving) -> None:
        async def unknown(*_: object) -> list[object]:
            held.append(lab.clock.held)
            raise OSError(-2, "Name or service not known")

        monkeypatch.setattr(ThreadedResolver, "resolve", unknown)
        reply = await lab.ask("/stock/7")
        assert (reply.status, reply.text) == (500, '{"message": "Internal server error"}')
        assert lab.exchange.error_type == "API_CONFIGURATION_ERROR"
        assert lab.exchange.failure_lines == ("Execution failed due to configuration error: Invalid endpoint address",)
        # Looking up is work of this machine: the clock does not run ahead.
        assert all(held)
        assert not lab.clock.held

    served(proxied(url), {}, scene)


def test_large_bodies_go_both_ways_up_to_ten_megabytes() -> None:
    async def handler(request: web.BaseRequest) -> web.Response:
        size = len(await request.content.read())
        return web.Response(body=b"y" * (10 * 1_048_576 + int(size == 1)))

    async def scene(lab: Serving) -> None:
        reply = await lab.ask("/stock/7", "POST", data=io.BytesIO(b"x" * 9_000_000))
        assert (reply.status, len(reply.body)) == (200, 10 * 1_048_576)
        reply = await lab.ask("/stock/7", "POST", data=b"x")
        assert (reply.status, reply.text) == (502, '{"message": "Internal server error"}')
        assert "body size is too long" in lab.exchange.failure_lines[0]

    with_backend(handler, scene)


def test_a_streamed_answer_is_handed_on_in_chunks() -> None:
    async def handler(request: web.BaseRequest) -> web.StreamResponse:
        stream = web.StreamResponse()
        await stream.prepare(request)
        await stream.write(b"one ")
        await asyncio.sleep(40.0)
        await stream.write(b"two")
        return stream

    async def scene(lab: Serving) -> None:
        reply = await lab.ask("/stock/7")
        assert (reply.status, reply.text, reply.names["transfer-encoding"]) == (200, "one two", "chunked")
        call = lab.exchange.integration
        assert call is not None
        assert call.first_byte_at is not None
        assert call.first_byte_at - call.sent_at < 20_000
        assert on_time(call.ended_at - call.sent_at, 40_000)

    with_backend(handler, scene, stream=True, timeout_ms=60_000)
