"""WebSocket APIs: handshake, routes, frames for failures, pushes, and the two clocks of a connection."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import ClientWebSocketResponse, ClientWSTimeout, WSMsgType, WSServerHandshakeError, web
from tests.lab.gateway.serving import (
    Event,
    Serving,
    api,
    authorizer,
    backend,
    gives,
    on_time,
    policy,
    port,
    raised,
    route,
    says,
    served,
    sleeps,
)

from apigw_doctor.lab.records import Exchange
from apigw_doctor.lab.setup import LabApi, LabRoute
from apigw_doctor.model.terms import ApiType

EXTENDED = re.compile(r"[A-Za-z0-9_-]{15}=")


def on(key: str, function: str | None = "orders", **more: Any) -> LabRoute:
    return route(key, "", function, **more)


def chat(*routes: LabRoute, **more: Any) -> LabApi:
    return api(ApiType.WEBSOCKET, *routes, **more)


@asynccontextmanager
async def connected(lab: Serving, **more: Any) -> AsyncIterator[ClientWebSocketResponse]:
    patient = ClientWSTimeout(ws_close=5.0)
    async with lab.session.ws_connect(f"{lab.url}/prod", timeout=patient, **more) as socket:
        yield socket


def of(lab: Serving, event_type: str) -> Exchange:
    return next(one for one in lab.journal.exchanges if one.event_type == event_type)


def test_a_connection_from_handshake_to_farewell() -> None:
    async def scene(lab: Serving) -> None:
        async with connected(lab) as socket:
            await socket.send_str('{"action": "ask", "what": 1}')
            assert await socket.receive_str() == "answered"
        await asyncio.sleep(1.0)
        await lab.gateway.drain()
        assert [one.event_type for one in lab.journal.exchanges] == ["CONNECT", "MESSAGE", "DISCONNECT"]
        assert {one.connection_id for one in lab.journal.exchanges} == {lab.exchange.connection_id}
        assert len({one.connected_at for one in lab.journal.exchanges}) == 1
        connect, message, goodbye = (call.event for call in lab.invoker.calls)
        noted = of(lab, "MESSAGE")
        assert (noted.route, noted.status, noted.method, noted.path) == (on("ask"), 200, "", "")
        assert noted.request_id == noted.extended_request_id
        assert EXTENDED.fullmatch(noted.request_id)
        assert EXTENDED.fullmatch(noted.connection_id or "")
        assert noted.request_body == '{"action": "ask", "what": 1}'
        assert noted.integration is not None
        assert (noted.integration.status, noted.integration.limit_ms) == (200, 29_000)
        assert connect["headers"]["Host"] == "a1b2c3d4e5.execute-api.eu-west-1.amazonaws.com"
        assert connect["requestContext"]["routeKey"] == "$connect"
        told = message["requestContext"]
        assert (message["body"], message["isBase64Encoded"]) == (noted.request_body, False)
        assert told.pop("requestTime").startswith("10/Mar/2026:10:00:0")
        assert noted.connected_at is not None
        assert told == {
            "routeKey": "ask",
            "messageId": noted.message_id,
            "eventType": "MESSAGE",
            "extendedRequestId": noted.extended_request_id,
            "messageDirection": "IN",
            "stage": "prod",
            "connectedAt": int(noted.connected_at),
            "requestTimeEpoch": int(noted.arrived_at),
            "identity": {"userAgent": noted.user_agent, "sourceIp": "203.0.113.7"},
            "requestId": noted.request_id,
            "domainName": "a1b2c3d4e5.execute-api.eu-west-1.amazonaws.com",
            "connectionId": noted.connection_id,
            "apiId": "a1b2c3d4e5",
        }
        told = goodbye["requestContext"]
        assert (told["eventType"], told["disconnectStatusCode"]) == ("DISCONNECT", 1000)

    served(chat(on("$connect"), on("ask"), on("$disconnect")), {"orders": says("answered")}, scene)


@pytest.mark.parametrize(
    ("function", "seconds", "status", "message"),
    [
        (sleeps(40), 29.0, 504, "Endpoint request timed out"),
        (gives(raised("no")), 0.0, 502, "Internal server error"),
        (says("sorry", 503), 0.0, 500, "Internal server error"),
        (gives({"statusCode": "?"}), 0.0, 502, "Internal server error"),
    ],
)
def test_a_route_that_fails_is_a_frame_on_the_open_connection(
    function: Any, seconds: float, status: int, message: str
) -> None:
    async def scene(lab: Serving) -> None:
        async with connected(lab) as socket:
            began = lab.clock.now_ms()
            await socket.send_str('{"action": "ask"}')
            received = await socket.receive_str()
            took_s = (lab.clock.now_ms() - began) / 1000.0
            assert on_time(took_s * 1000.0, seconds * 1000.0)
            noted = of(lab, "MESSAGE")
            assert received == (
                f'{{"message": "{message}", "connectionId":"{noted.connection_id}", "requestId":"{noted.request_id}"}}'
            )
            assert (noted.status, noted.error_message, noted.response_body) == (status, message, received)
            assert not socket.closed
            if status == 504:
                assert noted.error_type == "INTEGRATION_TIMEOUT"
                assert noted.failure_lines == ("Execution failed due to a timeout error",)
                assert noted.integration is not None
                assert not noted.integration.answered

    served(chat(on("ask")), {"orders": function}, scene)


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ('{"action": "ask"}', "ask"),
        ('{"action": "other"}', "$default"),
        ('{"action": "$connect"}', "$default"),
        ('{"action": 7}', "$default"),
        ("no JSON", "$default"),
    ],
)
def test_the_route_is_chosen_by_the_action(text: str, key: str) -> None:
    async def scene(lab: Serving) -> None:
        async with connected(lab) as socket:
            await socket.send_str(text)
            assert await socket.receive_str() == key
            assert of(lab, "MESSAGE").route == on(key)

    async def echo(event: Event) -> Any:
        return {"statusCode": 200, "body": event["requestContext"]["routeKey"]}

    served(chat(on("$connect"), on("ask"), on("$default")), {"orders": echo}, scene)


def test_a_message_without_a_route_is_forbidden() -> None:
    async def scene(lab: Serving) -> None:
        async with connected(lab) as socket:
            await socket.send_str('{"action": "other"}')
            assert json.loads(await socket.receive_str())["message"] == "Forbidden"
            assert (of(lab, "MESSAGE").status, of(lab, "MESSAGE").route) == (403, None)

    served(chat(on("ask")), {"orders": says()}, scene)


def test_a_function_that_gives_no_body_says_nothing() -> None:
    async def scene(lab: Serving) -> None:
        async with connected(lab) as socket:
            await socket.send_str('{"action": "ask"}')
            with pytest.raises(TimeoutError):
                await socket.receive(timeout=5.0)
            assert of(lab, "MESSAGE").status == 200

    served(chat(on("ask")), {"orders": gives({"statusCode": 200})}, scene)


@pytest.mark.parametrize(
    ("function", "status", "error_type"),
    [
        (says(status=403), 403, None),
        (gives(raised("no")), 502, "INTEGRATION_FAILURE"),
        (gives({"ok": True}), 502, "INTEGRATION_FAILURE"),
        (sleeps(40), 504, "INTEGRATION_TIMEOUT"),
    ],
)
def test_a_connection_that_is_refused_fails_the_handshake(function: Any, status: int, error_type: str | None) -> None:
    async def scene(lab: Serving) -> None:
        with pytest.raises(WSServerHandshakeError) as refused:
            async with connected(lab):
                pass
        assert refused.value.status == status
        await lab.gateway.drain()
        assert [one.event_type for one in lab.journal.exchanges] == ["CONNECT"]
        assert (lab.exchange.status, lab.exchange.error_type) == (status, error_type)

    served(chat(on("$connect"), on("ask")), {"orders": function}, scene)


@pytest.mark.parametrize(
    ("sent", "answer", "status"),
    [({}, policy(), 401), ({"Authorization": "x"}, policy("Deny"), 403), ({"Authorization": "x"}, policy(), 101)],
)
def test_the_authorizer_is_asked_when_the_connection_is_made(sent: dict[str, str], answer: object, status: int) -> None:
    async def scene(lab: Serving) -> None:
        if status != 101:
            with pytest.raises(WSServerHandshakeError) as refused:
                async with connected(lab, headers=sent):
                    pass
            assert refused.value.status == status
            return
        async with connected(lab, headers=sent) as socket:
            await socket.send_str('{"action": "ask"}')
            assert await socket.receive_str() == "hello"
        guard, message = lab.invoker.calls[0], lab.invoker.calls[-1]
        assert guard.event["type"] == "REQUEST"
        assert guard.event["methodArn"].endswith("/prod/$connect")
        assert [call.function for call in lab.invoker.calls].count("guard") == 1
        assert message.event["requestContext"]["authorizer"]["principalId"] == "customer-4711"

    guarded = chat(
        on("$connect", authorizer="auth01"),
        on("ask", authorizer="auth01"),
        authorizers=(authorizer(kind="REQUEST", cache_ttl_s=60),),
    )
    served(guarded, {"orders": says(), "guard": gives(answer)}, scene)


@pytest.mark.parametrize(
    ("talks_every_s", "least_s"),
    [
        (None, 600.0),
        # Whoever talks in time stays for two hours.
        (500.0, 7_200.0),
    ],
)
def test_a_connection_ends_by_silence_or_by_age(talks_every_s: float | None, least_s: float) -> None:
    async def scene(lab: Serving) -> None:
        began = lab.clock.now_ms()
        async with connected(lab) as socket:
            while not socket.closed:
                try:
                    message = await socket.receive(timeout=talks_every_s)
                except TimeoutError:
                    await socket.send_str('{"action": "ask"}')
                    continue
                assert message.type is WSMsgType.CLOSE
            assert socket.close_code == 1001
        assert least_s <= (lab.clock.now_ms() - began) / 1000.0 < least_s + 60.0
        await lab.gateway.drain()
        assert lab.exchange.event_type == "DISCONNECT"
        goodbye = lab.invoker.calls[-1].event["requestContext"]
        assert (goodbye["disconnectStatusCode"], goodbye["disconnectReason"]) == (1001, "Going away")

    quiet = gives({"statusCode": 200})
    served(chat(on("$connect"), on("ask"), on("$disconnect")), {"orders": quiet}, scene, scale=20_000.0)


@pytest.mark.parametrize(
    ("size", "frames", "code"), [(32_768, 1, None), (32_769, 1, 1009), (120_000, 4, None), (140_000, 5, 1009)]
)
def test_messages_and_frames_have_a_size(size: int, frames: int, code: int | None) -> None:
    async def scene(lab: Serving) -> None:
        async with connected(lab) as socket:
            data, step = b"x" * size, -(-size // frames)
            parts = [data[start : start + step] for start in range(0, size, step)]
            for number, part in enumerate(parts):
                opcode = WSMsgType.CONTINUATION if number else WSMsgType.TEXT
                await write_frame(socket, part, opcode, last=number == len(parts) - 1)
            message = await socket.receive()
            if code is None:
                assert (message.type, message.data) == (WSMsgType.TEXT, str(size))
            else:
                assert (message.type, message.data) == (WSMsgType.CLOSE, code)

    async def measure(event: Event) -> Any:
        return {"statusCode": 200, "body": str(len(event["body"]))}

    served(chat(on("$default")), {"orders": measure}, scene)


async def write_frame(socket: ClientWebSocketResponse, part: bytes, opcode: int, *, last: bool) -> None:
    """One frame as it is, masked with zeros."""
    length = len(part).to_bytes(8, "big") if len(part) > 65_535 else len(part).to_bytes(2, "big")
    head = bytes([(0x80 if last else 0) | opcode, 0x80 | (127 if len(length) == 8 else 126)])
    transport = socket._conn.transport if socket._conn is not None else None
    assert transport is not None
    transport.write(head + length + bytes(4) + part)
    await asyncio.sleep(0.01)


def test_binary_messages_are_not_taken() -> None:
    async def scene(lab: Serving) -> None:
        async with connected(lab) as socket:
            await socket.send_bytes(b"x")
            await socket.receive()
            assert socket.close_code == 1003

    served(chat(on("$default")), {"orders": says()}, scene)


def test_functions_reach_a_connection_by_its_id() -> None:
    async def scene(lab: Serving) -> None:
        async with connected(lab) as socket:
            identity = of(lab, "CONNECT").connection_id
            path = f"/prod/@connections/{identity}"
            pushed = await lab.ask(path, "POST", data=b"news")
            assert (pushed.status, await socket.receive_str()) == (200, "news")
            known = json.loads((await lab.ask(path)).body)
            assert known["connectedAt"].startswith("2026-03-10T10:00:0")
            assert known["identity"]["sourceIp"] == "203.0.113.7"
            assert (await lab.ask(path, "POST", data=b"x" * 131_073)).status == 413
            assert (await lab.ask(path, "PUT")).status == 405
            assert (await lab.ask(path, "DELETE")).status == 204
            await socket.receive()
            assert socket.closed
        await lab.gateway.drain()
        gone = await lab.ask(path.replace("=", "%3D"), "POST", data=b"late")
        assert (gone.status, gone.names["x-amzn-errortype"]) == (410, "GoneException")
        assert [one.event_type for one in lab.journal.exchanges] == ["CONNECT", "DISCONNECT"]

    served(chat(on("ask")), {"orders": says()}, scene)


def test_what_is_no_handshake_is_forbidden() -> None:
    async def scene(lab: Serving) -> None:
        assert (await lab.ask("/prod")).status == 403
        with pytest.raises(WSServerHandshakeError):
            async with lab.session.ws_connect(f"{lab.url}/other"):
                pass
        assert lab.journal.exchanges == []

    served(chat(on("ask")), {"orders": says()}, scene)


def test_messages_do_not_wait_for_each_other() -> None:
    async def scene(lab: Serving) -> None:
        async with connected(lab) as socket:
            began = lab.clock.now_ms()
            for _ in range(20):
                await socket.send_str('{"action": "ask"}')
            for _ in range(20):
                assert await socket.receive_str() == "late"
            assert lab.clock.now_ms() - began < 30_000

    served(chat(on("ask")), {"orders": sleeps(3)}, scene)


def test_a_client_that_leaves_is_missed_and_its_answer_dropped() -> None:
    async def scene(lab: Serving) -> None:
        async with connected(lab) as socket:
            await socket.send_str('{"action": "ask"}')
            await asyncio.sleep(1.0)
        await lab.gateway.drain()
        assert [one.event_type for one in lab.journal.exchanges] == ["CONNECT", "DISCONNECT", "MESSAGE"]
        assert lab.exchange.status == 200

    served(chat(on("ask")), {"orders": sleeps(10)}, scene)


def test_a_client_that_breaks_off_is_told_to_the_function() -> None:
    async def scene(lab: Serving) -> None:
        async with connected(lab) as socket:
            assert socket._conn is not None
            assert socket._conn.transport is not None
            socket._conn.transport.abort()
        await asyncio.sleep(1.0)
        await lab.gateway.drain()
        told = lab.invoker.calls[-1].event["requestContext"]
        assert (told["eventType"], told["disconnectStatusCode"]) == ("DISCONNECT", 1006)

    served(chat(on("$disconnect")), {"orders": says()}, scene)


@pytest.mark.parametrize(("status", "said"), [(200, "from afar"), (503, "Internal server error")])
def test_a_route_may_lead_to_a_url(status: int, said: str) -> None:
    seen: list[tuple[str, bytes]] = []

    async def handler(request: web.BaseRequest) -> web.Response:
        seen.append((request.method, await request.read()))
        return web.Response(status=status, text="from afar")

    async def scene(lab: Serving) -> None:
        async with backend(handler, number), connected(lab) as socket:
            await socket.send_str('{"action": "ask"}')
            assert said in await socket.receive_str()
            assert seen == [("POST", b'{"action": "ask"}')]

    with port() as number:
        pass
    far = on("ask", function=None, kind="http-proxy", url=f"http://127.0.0.1:{number}/")
    served(chat(far), {}, scene)


def test_a_plan_may_be_a_member_of_the_message() -> None:
    async def scene(lab: Serving) -> None:
        async with connected(lab, headers={"X-Lab-Plan": '{"of": "connect"}'}) as socket:
            await socket.send_str('{"action": "ask", "X-Lab-Plan": {"of": "message"}}')
            await socket.receive_str()
            await socket.send_str('{"action": "ask"}')
            await socket.receive_str()
        assert [call.plan for call in lab.invoker.calls[:3]] == [{"of": "connect"}, {"of": "message"}, None]
        assert all("x-lab" not in json.dumps(call.event).lower() for call in lab.invoker.calls)
        assert all("x-lab" not in one.request_body.lower() for one in lab.journal.exchanges)

    served(chat(on("$connect"), on("ask")), {"orders": says()}, scene, plans=True)


def test_stopping_closes_every_connection() -> None:
    async def scene(lab: Serving) -> None:
        async with connected(lab) as socket:
            await lab.gateway.stop()
            message = await socket.receive()
            assert (message.type, message.data) == (WSMsgType.CLOSE, 1012)

    served(chat(on("ask")), {"orders": says()}, scene)
