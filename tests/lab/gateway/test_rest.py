"""A REST API in front of functions."""

import asyncio
import base64
import io
import json
import re
from typing import Any

import msgspec
import pytest
from aiohttp import ClientError, ClientTimeout
from tests.lab.gateway.serving import (
    Reply,
    Serving,
    api,
    authorizer,
    gives,
    lambda_id,
    on_time,
    policy,
    raised,
    route,
    says,
    served,
    sleeps,
)

from apigw_doctor.lab.invoking import Answer
from apigw_doctor.lab.setup import GatewayResponse, LabApi
from apigw_doctor.model.terms import ApiType

UUID = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}")
EXTENDED = re.compile(r"[A-Za-z0-9_-]{15}=")


def rest(*routes: object, **more: object) -> LabApi:
    return api(ApiType.REST, *(routes or (route(),)), **more)  # type: ignore[arg-type]


@pytest.mark.parametrize("path", ["/prod/orders/42?x=1", "/orders/42?x=1"])
def test_an_answer_of_the_function_reaches_the_client_with_the_gateways_ids(path: str) -> None:
    async def scene(lab: Serving) -> None:
        reply = await lab.ask(path)
        assert (reply.status, reply.text) == (201, "made")
        assert reply.names["content-type"] == "application/json"
        assert reply.names["x-amzn-requestid"] == lab.exchange.request_id
        assert reply.names["x-amz-apigw-id"] == lab.exchange.extended_request_id
        assert reply.names["x-amzn-trace-id"] == f"Root={lab.exchange.trace_id}"
        assert reply.names["date"].startswith("Tue, 10 Mar 2026 10:00:0")
        assert "server" not in reply.names
        assert "x-amzn-errortype" not in reply.names
        noted = lab.exchange
        assert UUID.fullmatch(noted.request_id)
        assert EXTENDED.fullmatch(noted.extended_request_id)
        assert (noted.method, noted.path, noted.query, noted.status) == ("GET", "/orders/42", {"x": "1"}, 201)
        assert noted.route == route()
        assert (noted.error_type, noted.error_message, noted.failure_lines) == (None, None, ())
        call = noted.integration
        assert call is not None
        assert call.uri == (
            "arn:aws:apigateway:eu-west-1:lambda:path/2015-03-31/functions/"
            "arn:aws:lambda:eu-west-1:123456789012:function:orders/invocations"
        )
        assert (call.answered, call.status, call.service_status, call.request_id) == (True, 201, 200, lambda_id(1))
        assert (call.limit_ms, call.function, call.executed_version) == (29_000.0, "orders", "$LATEST")
        assert noted.arrived_at <= call.sent_at <= call.ended_at <= noted.completed_at

    served(rest(), {"orders": says("made", 201)}, scene)


def test_the_integration_timeout_answers_504_while_the_function_runs_on() -> None:
    async def scene(lab: Serving) -> None:
        reply = await lab.ask()
        assert (reply.status, reply.text) == (504, '{"message": "Endpoint request timed out"}')
        assert reply.names["x-amzn-errortype"] == "InternalServerErrorException"
        assert UUID.fullmatch(reply.names["x-amzn-requestid"])
        assert on_time(reply.took_ms, 29_000)
        noted = lab.exchange
        assert (noted.status, noted.error_type) == (504, "INTEGRATION_TIMEOUT")
        assert noted.error_message == "Endpoint request timed out"
        assert noted.failure_lines == ("Execution failed due to a timeout error",)
        call = noted.integration
        assert call is not None
        assert (call.answered, call.request_id, call.status, call.service_status) == (False, None, None, None)
        assert call.error == "Execution failed due to a timeout error"
        assert on_time(call.ended_at - call.sent_at, 29_000)
        assert not lab.invoker.calls[0].finished
        await lab.gateway.drain()
        assert lab.invoker.calls[0].finished

    served(rest(), {"orders": sleeps(40)}, scene)


def test_a_route_has_its_own_limit() -> None:
    async def scene(lab: Serving) -> None:
        reply = await lab.ask()
        assert reply.status == 504
        assert on_time(reply.took_ms, 6_500)
        assert lab.exchange.integration is not None
        assert lab.exchange.integration.limit_ms == 6_500

    served(rest(route(timeout_ms=6_500)), {"orders": sleeps(7)}, scene)


def test_a_function_that_failed_is_a_502() -> None:
    said = f"RequestId: {lambda_id(1)} Error: Task timed out after 10.00 seconds"

    async def killed(event: object) -> object:
        return raised(said, "Sandbox.Timedout")

    async def scene(lab: Serving) -> None:
        reply = await lab.ask()
        assert (reply.status, reply.text) == (502, '{"message": "Internal server error"}')
        assert reply.names["x-amzn-errortype"] == "InternalServerErrorException"
        noted, call = lab.exchange, lab.exchange.integration
        assert (noted.status, noted.error_type) == (502, "INTEGRATION_FAILURE")
        assert noted.error_message == "Internal server error"
        assert noted.failure_lines == (
            f"Lambda execution failed with status 200 due to customer function error: {said}."
            f" Lambda request id: {lambda_id(1)}",
        )
        assert call is not None
        assert (call.answered, call.request_id, call.function_error) == (True, lambda_id(1), "Unhandled")
        assert (call.status, call.service_status) == (None, 200)
        assert call.error == f"Lambda Customer Function Error:{said}"

    served(rest(), {"orders": killed}, scene)


MALFORMED = [
    pytest.param({"statusCode": 200, "body": {"no": "text"}}, id="body-is-no-text"),
    pytest.param({"statusCode": "two hundred"}, id="status-is-no-number"),
    pytest.param({"statusCode": 101}, id="status-ends-no-request"),
    pytest.param({"statusCode": 200, "cookies": []}, id="member-of-another-format"),
    pytest.param({"statusCode": 200, "headers": {"X": ["1"]}}, id="header-is-a-list"),
    pytest.param({"statusCode": 200, "headers": {"X Y": "1"}}, id="header-name-is-none"),
    pytest.param({"statusCode": 200, "body": "%%", "isBase64Encoded": True}, id="no-base64"),
    pytest.param("just text", id="text"),
    pytest.param(None, id="null"),
]


@pytest.mark.parametrize("answer", MALFORMED)
def test_a_malformed_answer_is_a_502(answer: object) -> None:
    async def scene(lab: Serving) -> None:
        reply = await lab.ask()
        assert (reply.status, reply.text) == (502, '{"message": "Internal server error"}')
        noted, call = lab.exchange, lab.exchange.integration
        assert noted.failure_lines == ("Execution failed due to configuration error: Malformed Lambda proxy response",)
        assert noted.error_type == "INTEGRATION_FAILURE"
        assert call is not None
        assert (call.status, call.service_status, call.request_id) == (None, 200, lambda_id(1))
        assert json.loads(call.response_body) == answer

    served(rest(), {"orders": gives(answer)}, scene)


def test_a_throttled_function_is_a_500() -> None:
    refused = Answer(
        status=429,
        request_id=lambda_id(9),
        error_type="TooManyRequestsException",
        reason="ReservedFunctionConcurrentInvocationLimitExceeded",
    )

    async def scene(lab: Serving) -> None:
        reply = await lab.ask()
        assert (reply.status, reply.text) == (500, '{"message": "Internal server error"}')
        noted, call = lab.exchange, lab.exchange.integration
        assert noted.error_type == "INTEGRATION_FAILURE"
        assert noted.failure_lines == (
            f"Lambda invocation failed with status: 429. Lambda request id: {lambda_id(9)}",
            "Execution failed due to configuration error: Rate Exceeded.",
        )
        assert call is not None
        assert (call.service_status, call.status, call.executed_version) == (429, None, None)
        assert json.loads(call.response_body) == {
            "Reason": "ReservedFunctionConcurrentInvocationLimitExceeded",
            "Type": "User",
            "message": "Rate Exceeded.",
        }

    served(rest(), {"orders": gives(refused)}, scene)


def test_a_function_that_does_not_exist_is_a_matter_of_permissions() -> None:
    async def scene(lab: Serving) -> None:
        reply = await lab.ask()
        assert (reply.status, reply.text) == (500, '{"message": "Internal server error"}')
        assert lab.exchange.error_type == "API_CONFIGURATION_ERROR"
        assert lab.exchange.failure_lines == (
            "Execution failed due to configuration error: Invalid permissions on Lambda function",
        )

    served(rest(), {}, scene)


@pytest.mark.parametrize(("method", "path"), [("GET", "/nowhere"), ("POST", "/orders/42"), ("GET", "/orders")])
def test_an_unknown_route_misses_a_token(method: str, path: str) -> None:
    async def scene(lab: Serving) -> None:
        reply = await lab.ask(path, method)
        assert (reply.status, reply.text) == (403, '{"message":"Missing Authentication Token"}')
        assert reply.names["x-amzn-errortype"] == "MissingAuthenticationTokenException"
        assert (lab.exchange.route, lab.exchange.integration) == (None, None)
        assert lab.exchange.error_type == "MISSING_AUTHENTICATION_TOKEN"
        assert lab.exchange.path == path

    served(rest(), {"orders": says()}, scene)


def test_a_route_that_is_called_too_often_is_throttled() -> None:
    async def scene(lab: Serving) -> None:
        assert [(await lab.ask()).status for _ in range(3)] == [200, 200, 429]
        noted = lab.exchange
        assert (noted.error_type, noted.integration) == ("THROTTLED", None)
        assert noted.failure_lines == (
            "Key throttle limit exceeded for RestApi a1b2c3d4e5, Stage prod, Resource r1, HttpMethod GET."
            " Limit: 0.50 Burst: 2",
        )
        assert noted.response_body == '{"message":"Too Many Requests"}'
        await asyncio.sleep(2.0)
        assert (await lab.ask()).status == 200

    served(rest(route(throttle_rate=0.5, throttle_burst=2)), {"orders": says()}, scene)


def test_bodies_and_headers_go_through() -> None:
    answer = {
        "statusCode": 200,
        "headers": {"Content-Type": "image/png", "X-Count": 3, "Date": "yesterday", "X-Both": "single"},
        "multiValueHeaders": {"Set-Cookie": ["a=1", "b=2"], "x-both": ["listed"]},
        "body": base64.b64encode(b"\x89PNG").decode(),
        "isBase64Encoded": True,
    }

    async def scene(lab: Serving) -> None:
        async with lab.session.get(f"{lab.url}/orders/42") as response:
            assert await response.read() == b"\x89PNG"
            assert response.headers["Content-Type"] == "image/png"
            assert response.headers["X-Count"] == "3"
            assert response.headers.getall("Set-Cookie") == ["a=1", "b=2"]
            assert response.headers["X-Both"] == "listed"
            assert response.headers["x-amzn-Remapped-Date"] == "yesterday"
        assert lab.exchange.response_headers["Set-Cookie"] == "a=1,b=2"

    served(rest(), {"orders": gives(answer)}, scene)


def test_a_request_that_is_too_large_is_refused() -> None:
    async def scene(lab: Serving) -> None:
        async def post(size: int) -> Reply:
            body = io.BytesIO(b"x" * size)
            return await lab.ask("/orders", "POST", data=body, headers={"Content-Type": "text/plain"})

        reply = await post(10 * 1_048_576 + 1)
        assert (reply.status, reply.text) == (413, '{"message":"Request Too Long"}')
        assert lab.exchange.error_type == "REQUEST_TOO_LARGE"
        # Lambda takes 6 MB, with everything that the event has besides.
        assert (await post(6 * 1_048_576)).status == 413
        assert lab.invoker.calls == []
        assert (await post(6_200_000)).status == 200

    served(rest(route("/orders", "POST")), {"orders": says()}, scene)


def test_an_answer_that_is_too_large_is_a_failed_function() -> None:
    async def scene(lab: Serving) -> None:
        reply = await lab.ask()
        assert (reply.status, reply.text) == (502, '{"message": "Internal server error"}')
        assert "Response payload size exceeded maximum allowed payload size" in lab.exchange.failure_lines[0]
        assert lab.exchange.integration is not None
        assert lab.exchange.integration.function_error == "Unhandled"

    served(rest(), {"orders": says("x" * (6 * 1_048_576))}, scene)


def test_the_caller_may_bring_a_request_id() -> None:
    own = "AA0A0A0A-1111-4222-8333-444444444444"

    async def scene(lab: Serving) -> None:
        reply = await lab.ask(headers={"x-amzn-RequestId": own})
        assert reply.names["x-amzn-requestid"] == lab.exchange.request_id == own.lower()
        await lab.ask(headers={"x-amzn-RequestId": "mine"})
        assert lab.exchange.request_id == "UUID_REPLACED_INVALID_REQUEST_ID"
        assert EXTENDED.fullmatch(lab.exchange.extended_request_id)

    served(rest(), {"orders": says()}, scene)


ROOT = "1-5c7674f4-a3491d0a9c8012c191821b83"


@pytest.mark.parametrize(
    ("tracing", "sent", "sampled"),
    [
        (True, None, True),
        (True, f"Root={ROOT}", True),
        (True, f"Root={ROOT};Parent=00f067aa0ba902b7;Sampled=0", False),
        (False, f"Root={ROOT};Sampled=1", False),
    ],
)
def test_a_trace_goes_on_or_begins(tracing: bool, sent: str | None, sampled: bool) -> None:
    async def scene(lab: Serving) -> None:
        reply = await lab.ask(headers={"X-Amzn-Trace-Id": sent} if sent else {})
        noted, call = lab.exchange, lab.invoker.calls[0]
        if sent:
            assert noted.trace_id == ROOT
        else:
            assert re.fullmatch(rf"1-{int(noted.arrived_at / 1000):08x}-[0-9a-f]{{24}}", noted.trace_id)
        assert reply.names["x-amzn-trace-id"] == f"Root={noted.trace_id}"
        assert call.event["headers"]["X-Amzn-Trace-Id"] == (sent or f"Root={noted.trace_id}")
        assert noted.sampled is sampled
        assert call.trace is not None
        assert call.trace.root == noted.trace_id
        assert call.trace.parent == (noted.subsegment_id if sampled else "")
        assert call.trace.sampled is (sent is None or "Sampled=0" not in sent)
        assert re.fullmatch("[0-9a-f]{16}", noted.segment_id)

    served(rest(tracing=tracing), {"orders": says()}, scene)


def test_a_plan_reaches_the_invoker_and_nothing_else() -> None:
    headers = {"X-Lab-Plan": '{"wait_s": 3}', "X-Lab-Authorizer-Plan": '{"deny": true}', "X-Other": "1"}

    async def scene(lab: Serving) -> None:
        await lab.ask(headers=headers)
        guard, orders = lab.invoker.calls
        assert (guard.plan, orders.plan) == ({"deny": True}, {"wait_s": 3})
        for told in (guard.event, orders.event, lab.exchange.request_headers):
            assert "x-lab" not in json.dumps(told).lower()
            assert "X-Other" in json.dumps(told)
        reply = await lab.ask(headers={"X-Lab-Plan": "[1]"})
        assert (reply.status, len(lab.journal.exchanges)) == (400, 1)

    guarded = rest(route(authorizer="auth01"), authorizers=(authorizer(kind="REQUEST"),))
    served(guarded, {"orders": says(), "guard": gives(policy())}, scene, plans=True)


def test_without_plans_a_plan_is_not_honoured_and_still_not_told() -> None:
    async def scene(lab: Serving) -> None:
        assert (await lab.ask(headers={"X-Lab-Plan": "[1]"})).status == 200
        assert lab.invoker.calls[0].plan is None
        assert "x-lab" not in json.dumps(lab.invoker.calls[0].event).lower()
        assert "X-Lab-Plan" not in lab.exchange.request_headers

    served(rest(), {"orders": says()}, scene)


def test_a_client_that_goes_away_changes_nothing_for_the_gateway() -> None:
    async def scene(lab: Serving) -> None:
        with pytest.raises(TimeoutError):
            await lab.ask(timeout=ClientTimeout(total=3.0, ceil_threshold=1e9))
        assert lab.journal.exchanges == []
        await lab.gateway.drain()
        assert (lab.exchange.status, lab.exchange.error_type) == (504, "INTEGRATION_TIMEOUT")
        assert on_time(lab.exchange.completed_at - lab.exchange.arrived_at, 29_000)

    served(rest(), {"orders": sleeps(40)}, scene)


def test_a_changed_gateway_response_has_its_own_status_body_and_headers() -> None:
    changed = GatewayResponse(
        response_type="INTEGRATION_TIMEOUT",
        status=503,
        body='{"error": $context.error.messageString, "id": "$context.requestId", "what": "$context.nothing"}',
        headers={"Retry-After": "'7'"},
    )

    async def scene(lab: Serving) -> None:
        reply = await lab.ask()
        noted = lab.exchange
        assert (reply.status, noted.status) == (503, 503)
        assert json.loads(reply.body) == {
            "error": "Endpoint request timed out",
            "id": noted.request_id,
            "what": "",
        }
        assert reply.names["retry-after"] == "7"
        assert noted.failure_lines == (
            "Execution failed due to a timeout error",
            "Gateway response type: INTEGRATION_TIMEOUT with status code: 503",
        )

    served(rest(gateway_responses=(changed,)), {"orders": sleeps(40)}, scene)


@pytest.mark.parametrize(
    ("changed", "status"),
    [
        (GatewayResponse(response_type="DEFAULT_5XX", status=418), 418),
        (GatewayResponse(response_type="DEFAULT_5XX", body="{}"), 502),
        (GatewayResponse(response_type="DEFAULT_4XX", status=418), 502),
        # Changed without a status, a type goes back to the status that the documentation gives it.
        (GatewayResponse(response_type="INTEGRATION_FAILURE", body="{}"), 504),
    ],
)
def test_what_a_changed_gateway_response_does_to_a_failed_function(changed: GatewayResponse, status: int) -> None:
    async def scene(lab: Serving) -> None:
        assert (await lab.ask()).status == status

    served(rest(gateway_responses=(changed,)), {"orders": gives(raised("no"))}, scene)


def test_an_edge_optimised_api_answers_through_the_edge() -> None:
    async def scene(lab: Serving) -> None:
        reply = await lab.ask()
        assert reply.names["x-cache"] == "Miss from cloudfront"
        assert reply.names["via"].endswith(".cloudfront.net (CloudFront)")
        assert len(reply.names["x-amz-cf-id"]) == 56
        assert lab.invoker.calls[0].event["headers"]["CloudFront-Viewer-Country"] == "IE"
        assert (await lab.ask("/no")).names["x-cache"] == "Error from cloudfront"

    served(rest(endpoint_type="EDGE"), {"orders": says()}, scene)


def test_a_streamed_answer_comes_in_chunks_and_may_take_longer() -> None:
    head = json.dumps({"statusCode": 200, "headers": {"Content-Type": "text/plain"}}).encode()
    streamed = Answer(status=200, request_id=lambda_id(1), payload=head + b"\x00" * 8 + b"part one, part two")

    async def scene(lab: Serving) -> None:
        reply = await lab.ask()
        assert (reply.status, reply.text) == (200, "part one, part two")
        assert reply.names["transfer-encoding"] == "chunked"
        call = lab.exchange.integration
        assert call is not None
        assert (call.streamed, call.limit_ms) == (True, 120_000)
        assert call.first_byte_at == call.ended_at
        assert on_time(call.ended_at - call.sent_at, 60_000)

    served(rest(route(stream=True, timeout_ms=120_000)), {"orders": gives(streamed, 60.0)}, scene)


def test_a_mock_answers_without_calling_anything() -> None:
    async def scene(lab: Serving) -> None:
        reply = await lab.ask()
        assert (reply.status, reply.body, lab.exchange.integration) == (200, b"", None)

    served(rest(route(kind="mock", function=None)), {}, scene)


def test_sixty_requests_at_a_time_are_all_answered() -> None:
    async def scene(lab: Serving) -> None:
        replies = await asyncio.gather(*(lab.ask(f"/orders/{number}") for number in range(60)))
        assert {reply.status for reply in replies} == {504}
        assert len({noted.request_id for noted in lab.journal.exchanges}) == 60
        assert all(on_time(reply.took_ms, 29_000) for reply in replies)

    served(rest(), {"orders": sleeps(31)}, scene)


def test_a_seed_gives_the_same_ids() -> None:
    async def scene(lab: Serving) -> list[tuple[str, str, str]]:
        for _ in range(3):
            await lab.ask()
        return [(one.request_id, one.extended_request_id, one.segment_id) for one in lab.journal.exchanges]

    first, again, other = (served(rest(), {"orders": says()}, scene, seed=seed) for seed in (4, 4, 5))
    assert first == again
    assert first != other


def test_stopping_cuts_off_what_still_runs() -> None:
    async def scene(lab: Serving) -> None:
        asking = asyncio.ensure_future(lab.ask())
        await asyncio.sleep(1.0)
        assert len(lab.invoker.calls) == 1
        await lab.gateway.stop()
        with pytest.raises(ClientError):
            await asking
        assert not lab.invoker.calls[0].finished

    served(rest(), {"orders": sleeps(4_000)}, scene)


@pytest.mark.parametrize(
    "answer",
    [
        {"statusCode": 204, "headers": {"Content-Type": "text/plain"}},
        {"statusCode": 304, "body": "not sent"},
        {"statusCode": 200, "headers": {"Content-Length": "3", "Transfer-Encoding": "chunked"}, "body": "longer"},
        {"statusCode": 200, "headers": {"X-Odd": "a\r\nX-Other: b\x00", "X-Half": "\ud800"}, "body": "half \ud800"},
        {"statusCode": 599, "body": ""},
    ],
)
@pytest.mark.parametrize("api_type", [ApiType.REST, ApiType.HTTP])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_odd_answers_end_the_request_as_they_should(api_type: ApiType, method: str, answer: dict[str, Any]) -> None:
    async def scene(lab: Serving) -> None:
        for _ in range(2):
            reply = await lab.ask(method=method)
            assert reply.status == answer["statusCode"]
            assert "x-other" not in reply.names
            msgspec.json.encode(lab.exchange)
        if method == "GET" and answer["statusCode"] == 200:
            assert reply.text == answer["body"].replace("\ud800", "?")

    odd = api(api_type, route(method="ANY", payload_format="2.0"))
    served(odd, {"orders": gives(answer)}, scene)


@pytest.mark.parametrize(
    "payload", [b"[" * 200_000, b"\xff", b"", b'{"errorMessage": "half \\ud800"}', b'{"statusCode": 1e400}', b"NaN"]
)
@pytest.mark.parametrize("error", [None, "Unhandled"])
@pytest.mark.parametrize("api_type", [ApiType.REST, ApiType.HTTP])
def test_an_answer_may_be_any_bytes(api_type: ApiType, payload: bytes, error: str | None) -> None:
    async def scene(lab: Serving) -> None:
        reply = await lab.ask()
        assert reply.status in (200, 500, 502)
        assert lab.exchange.status == reply.status
        msgspec.json.encode(lab.exchange)

    answer = Answer(status=200, request_id=lambda_id(1), payload=payload, function_error=error)
    served(api(api_type, route(payload_format="2.0")), {"orders": gives(answer)}, scene)


def test_a_request_may_hold_bytes_that_are_no_text() -> None:
    async def scene(lab: Serving) -> None:
        port = int(lab.url.rpartition(":")[2])
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /orders/%ff%00?q=%ff HTTP/1.1\r\nHost: x\xff\r\nX-Odd: \xff\r\nConnection: close\r\n\r\n")
        answer = await reader.read()
        writer.close()
        await writer.wait_closed()
        assert answer.startswith(b"HTTP/1.1 200")
        assert lab.exchange.request_headers["X-Odd"] == "?"
        msgspec.json.encode(lab.exchange)

    served(rest(), {"orders": says()}, scene)
