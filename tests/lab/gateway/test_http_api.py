"""HTTP APIs in front of functions: other statuses, other texts, no REST headers."""

import asyncio
import json
import re
from typing import Any

import pytest
from aiohttp import ClientTimeout
from tests.lab.gateway.serving import Serving, api, gives, lambda_id, on_time, raised, route, says, served, sleeps

from apigw_doctor.lab.invoking import Answer
from apigw_doctor.lab.setup import LabApi
from apigw_doctor.model.terms import ApiType

EXTENDED = re.compile(r"[A-Za-z0-9_-]{15}=")


def http(*routes: Any, **more: Any) -> LabApi:
    return api(ApiType.HTTP, *(routes or (route(payload_format="2.0"),)), **more)


def test_an_answer_has_one_id_only() -> None:
    async def scene(lab: Serving) -> None:
        reply = await lab.ask()
        assert (reply.status, reply.text) == (200, "hello")
        assert reply.names["apigw-requestid"] == lab.exchange.request_id == lab.exchange.extended_request_id
        assert EXTENDED.fullmatch(lab.exchange.request_id)
        assert not {"x-amzn-requestid", "x-amz-apigw-id", "x-amzn-trace-id"} & reply.names.keys()
        assert reply.names["content-type"] == "text/plain; charset=utf-8"
        assert not lab.exchange.sampled

    served(http(tracing=True), {"orders": says()}, scene)


def test_the_integration_timeout_is_a_503_after_thirty_seconds() -> None:
    async def scene(lab: Serving) -> None:
        reply = await lab.ask()
        assert (reply.status, reply.text) == (503, '{"message":"Service Unavailable"}')
        assert "x-amzn-errortype" not in reply.names
        assert on_time(reply.took_ms, 30_000)
        noted, call = lab.exchange, lab.exchange.integration
        assert (noted.error_type, noted.error_message) == ("INTEGRATION_TIMEOUT", "Service Unavailable")
        assert call is not None
        assert (call.limit_ms, call.answered, call.request_id) == (30_000, False, None)
        await lab.gateway.drain()
        assert lab.invoker.calls[0].finished

    served(http(), {"orders": sleeps(31)}, scene)


def test_a_failed_function_is_a_500() -> None:
    said = f"RequestId: {lambda_id(1)} Error: Task timed out after 5.00 seconds"

    async def scene(lab: Serving) -> None:
        reply = await lab.ask()
        assert (reply.status, reply.text) == (500, '{"message":"Internal Server Error"}')
        call = lab.exchange.integration
        assert call is not None
        assert call.error == (
            f"The Lambda function returned the following error: {said}. Check your Lambda function code and try again."
        )
        assert lab.exchange.error_message == "Internal Server Error"

    served(http(), {"orders": gives(raised(said))}, scene)


def test_a_throttled_function_is_a_503() -> None:
    refused = Answer(status=429, request_id=lambda_id(9), error_type="TooManyRequestsException")

    async def scene(lab: Serving) -> None:
        reply = await lab.ask()
        assert (reply.status, reply.text) == (503, '{"message":"Service Unavailable"}')
        assert lab.exchange.error_type == "INTEGRATION_FAILURE"

    served(http(), {"orders": gives(refused)}, scene)


def test_a_function_that_does_not_exist_is_a_matter_of_permissions() -> None:
    async def scene(lab: Serving) -> None:
        reply = await lab.ask()
        assert (reply.status, reply.text) == (500, '{"message":"Internal Server Error"}')
        assert lab.exchange.integration is not None
        assert "doesn't have permissions to call the integration" in (lab.exchange.integration.error or "")

    served(http(), {}, scene)


@pytest.mark.parametrize(
    ("answer", "status", "kind", "body"),
    [
        ({"ok": True}, 200, "application/json", '{"ok": true}'),
        ([1, 2], 200, "application/json", "[1, 2]"),
        ("Hello!", 200, "application/json", "Hello!"),
        ({"statusCode": 201, "body": "made"}, 201, "text/plain; charset=utf-8", "made"),
        ({"statusCode": 200, "body": {"no": "text"}}, 500, "application/json", '{"message":"Internal Server Error"}'),
    ],
)
def test_format_2_is_lenient(answer: object, status: int, kind: str, body: str) -> None:
    async def scene(lab: Serving) -> None:
        reply = await lab.ask()
        assert (reply.status, reply.names["content-type"], reply.text) == (status, kind, body)

    served(http(), {"orders": gives(answer)}, scene)


def test_format_1_is_not() -> None:
    async def scene(lab: Serving) -> None:
        assert (await lab.ask()).status == 500

    served(http(route(payload_format="1.0")), {"orders": gives({"ok": True})}, scene)


def test_cookies_of_format_2_become_headers() -> None:
    answer = {"statusCode": 200, "cookies": ["a=1", "b=2; Path=/"]}

    async def scene(lab: Serving) -> None:
        async with lab.session.get(f"{lab.url}/orders/42") as response:
            assert response.headers.getall("Set-Cookie") == ["a=1", "b=2; Path=/"]

    served(http(), {"orders": gives(answer)}, scene)


@pytest.mark.parametrize(("path", "method"), [("/nowhere", "GET"), ("/orders/42", "POST"), ("/orders/42/", "GET")])
def test_an_unknown_route_is_not_found(path: str, method: str) -> None:
    async def scene(lab: Serving) -> None:
        reply = await lab.ask(path, method)
        assert (reply.status, reply.text) == (404, '{"message":"Not Found"}')
        assert lab.exchange.route is None

    served(http(), {"orders": says()}, scene)


def test_a_route_that_is_called_too_often_is_throttled() -> None:
    async def scene(lab: Serving) -> None:
        assert [(await lab.ask()).status for _ in range(2)] == [200, 429]
        assert lab.exchange.response_body == '{"message":"Too Many Requests"}'

    served(http(route(throttle_rate=0.1, throttle_burst=1)), {"orders": says()}, scene)


def test_a_client_that_goes_away_changes_nothing_for_the_gateway() -> None:
    async def scene(lab: Serving) -> None:
        with pytest.raises(TimeoutError):
            await lab.ask(timeout=ClientTimeout(total=3.0, ceil_threshold=1e9))
        await lab.gateway.drain()
        assert lab.exchange.status == 200

    served(http(), {"orders": sleeps(20)}, scene)


def test_a_stage_with_a_name_may_stand_in_the_path() -> None:
    async def scene(lab: Serving) -> None:
        assert [(await lab.ask(path)).status for path in ("/v1/orders/42", "/orders/42")] == [200, 200]
        assert lab.invoker.calls[0].event["rawPath"] == "/v1/orders/42"

    served(http(stage="v1"), {"orders": gives({})}, scene)


def test_many_at_a_time_do_not_wait_for_each_other() -> None:
    async def scene(lab: Serving) -> None:
        replies = await asyncio.gather(*(lab.ask() for _ in range(60)))
        assert [json.loads(reply.body) for reply in replies] == [{"ok": 1}] * 60
        assert max(reply.took_ms for reply in replies) < 60_000

    served(http(), {"orders": gives({"ok": 1}, 5.0)}, scene)
