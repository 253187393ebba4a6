"""Lambda authorizers: allow, deny, fail, hang - and none of it counts for the integration."""

import asyncio
from typing import Any

import pytest
from tests.lab.gateway.serving import (
    Event,
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

from apigw_doctor.lab.setup import LabApi
from apigw_doctor.model.terms import ApiType

TOKEN = {"Authorization": "Bearer abc"}


def guarded(api_type: ApiType = ApiType.REST, **more: Any) -> LabApi:
    limit = more.pop("integration_ms", None)
    form = "2.0" if api_type is ApiType.HTTP else "1.0"
    secured = route(authorizer="auth01", timeout_ms=limit, payload_format=form)
    return api(api_type, secured, authorizers=(authorizer(**more),))


def test_an_allowed_request_reaches_the_function_which_knows_the_caller() -> None:
    async def scene(lab: Serving) -> None:
        assert (await lab.ask(headers=TOKEN)).status == 200
        guard, orders = lab.invoker.calls
        assert guard.event == {
            "type": "TOKEN",
            "methodArn": "arn:aws:execute-api:eu-west-1:123456789012:a1b2c3d4e5/prod/GET/orders/42",
            "authorizationToken": "Bearer abc",
        }
        told = orders.event["requestContext"]["authorizer"]
        assert {key: told[key] for key in ("principalId", "tier", "admin")} == {
            "principalId": "customer-4711",
            "tier": "7",
            "admin": "true",
        }
        call = lab.exchange.authorizer
        assert call is not None
        assert (call.authorizer_id, call.status, call.integration_status) == ("auth01", 200, 200)
        assert (call.request_id, call.principal, call.cached) == (lambda_id(1), "customer-4711", False)
        assert lab.exchange.arrived_at <= call.started_at <= call.ended_at

    allowing = gives(policy(context={"tier": 7, "admin": True}))
    served(guarded(), {"orders": says(), "guard": allowing}, scene)


@pytest.mark.parametrize(
    ("answer", "body"),
    [
        (policy("Deny"), '{"Message":"User is not authorized to access this resource with an explicit deny"}'),
        (policy(resource="arn:aws:*/prod/POST/*"), '{"Message":"User is not authorized to access this resource"}'),
    ],
)
def test_a_denied_request_is_a_403(answer: object, body: str) -> None:
    async def scene(lab: Serving) -> None:
        reply = await lab.ask(headers=TOKEN)
        assert (reply.status, reply.text) == (403, body)
        assert reply.names["x-amzn-errortype"] == "AccessDeniedException"
        noted = lab.exchange
        assert (noted.error_type, noted.integration) == ("ACCESS_DENIED", None)
        assert noted.failure_lines == ("The client is not authorized to perform this operation.",)
        assert noted.authorizer is not None
        assert (noted.authorizer.status, noted.authorizer.integration_status) == (403, 200)

    served(guarded(), {"orders": says(), "guard": gives(answer)}, scene)


@pytest.mark.parametrize("sent", [{}, TOKEN])
def test_a_missing_or_refused_token_is_a_401(sent: dict[str, str]) -> None:
    async def scene(lab: Serving) -> None:
        reply = await lab.ask(headers=sent)
        assert (reply.status, reply.text) == (401, '{"message":"Unauthorized"}')
        assert reply.names["x-amzn-errortype"] == "UnauthorizedException"
        assert lab.exchange.error_type == "UNAUTHORIZED"
        assert len(lab.invoker.calls) == len(sent)
        assert lab.exchange.authorizer is not None
        assert lab.exchange.authorizer.status == 401

    served(guarded(), {"orders": says(), "guard": gives(raised("Unauthorized"))}, scene)


@pytest.mark.parametrize(
    ("api_type", "limit", "expected", "body"),
    [
        (ApiType.REST, None, 29_000, '{"message": null}'),
        (ApiType.REST, 5_000.0, 5_000, '{"message": null}'),
        (ApiType.HTTP, None, 10_000, '{"message":"Internal Server Error"}'),
    ],
)
def test_an_authorizer_that_hangs_is_given_up(
    api_type: ApiType, limit: float | None, expected: float, body: str
) -> None:
    async def scene(lab: Serving) -> None:
        reply = await lab.ask(headers=TOKEN)
        assert (reply.status, reply.text) == (500, body)
        noted, call = lab.exchange, lab.exchange.authorizer
        assert (noted.error_type, noted.integration) == ("AUTHORIZER_FAILURE", None)
        assert noted.failure_lines == ("Execution failed due to configuration error: Authorizer error",)
        assert call is not None
        assert (call.timed_out, call.status, call.integration_status, call.request_id) == (True, 500, None, None)
        assert on_time(call.ended_at - call.started_at, expected)
        await lab.gateway.drain()
        assert lab.invoker.calls[0].finished

    served(guarded(api_type, timeout_ms=limit), {"orders": says(), "guard": sleeps(40)}, scene)


@pytest.mark.parametrize(("said", "timed_out"), [("boom", False), ("Error: Task timed out after 15.00 seconds", True)])
def test_an_authorizer_that_fails_is_a_500(said: str, timed_out: bool) -> None:
    async def scene(lab: Serving) -> None:
        reply = await lab.ask(headers=TOKEN)
        assert (reply.status, reply.text) == (500, '{"message": null}')
        assert lab.exchange.error_message is None
        call = lab.exchange.authorizer
        assert call is not None
        assert (call.timed_out, call.integration_status, call.request_id) == (timed_out, 200, lambda_id(1))

    served(guarded(), {"orders": says(), "guard": gives(raised(said))}, scene)


@pytest.mark.parametrize(
    ("functions", "line"),
    [
        ({"guard": gives({"principalId": "x"})}, "Could not parse policy"),
        ({"guard": gives("allow")}, "Could not parse policy"),
        ({"guard": gives(policy("Maybe"))}, "Could not parse policy"),
        ({}, "Invalid permissions on Lambda function"),
    ],
)
def test_what_is_no_policy_is_a_configuration_error(functions: dict[str, Any], line: str) -> None:
    async def scene(lab: Serving) -> None:
        reply = await lab.ask(headers=TOKEN)
        assert (reply.status, reply.text) == (500, '{"message": null}')
        assert reply.names["x-amzn-errortype"] == "AuthorizerConfigurationException"
        assert lab.exchange.error_type == "AUTHORIZER_CONFIGURATION_ERROR"
        assert lab.exchange.failure_lines == (
            f"Execution failed due to configuration error: {line}",
            "AuthorizerConfigurationException",
        )

    served(guarded(), {"orders": says(), **functions}, scene)


def test_the_authorizers_time_does_not_count_for_the_integration() -> None:
    async def scene(lab: Serving) -> None:
        reply = await lab.ask(headers=TOKEN)
        assert reply.status == 200
        assert on_time(reply.took_ms, 6_500)

    functions = {"orders": sleeps(2.5), "guard": gives(policy(), 4.0)}
    served(guarded(integration_ms=3_000), functions, scene)


def test_an_answer_is_kept_for_its_time_and_per_token() -> None:
    async def scene(lab: Serving) -> None:
        for _ in range(2):
            assert (await lab.ask(headers=TOKEN)).status == 200
        assert lab.exchange.authorizer is not None
        assert (lab.exchange.authorizer.cached, lab.exchange.authorizer.integration_status) == (True, None)
        assert lab.exchange.authorizer.principal == "customer-4711"
        await lab.ask(headers={"Authorization": "Bearer other"})
        await asyncio.sleep(301.0)
        await lab.ask(headers=TOKEN)
        assert [call.function for call in lab.invoker.calls].count("guard") == 3

    functions = {"orders": says(), "guard": gives(policy())}
    served(guarded(cache_ttl_s=300), functions, scene)


def test_a_failure_is_not_kept() -> None:
    answers: list[Any] = [raised("boom"), policy()]

    async def guard(event: Event) -> Any:
        return answers.pop(0)

    async def scene(lab: Serving) -> None:
        assert [(await lab.ask(headers=TOKEN)).status for _ in range(3)] == [500, 200, 200]

    served(guarded(cache_ttl_s=300), {"orders": says(), "guard": guard}, scene)


@pytest.mark.parametrize(("allowed", "status"), [(True, 200), (False, 403)])
def test_simple_responses_of_an_http_api(allowed: bool, status: int) -> None:
    async def scene(lab: Serving) -> None:
        reply = await lab.ask(headers=TOKEN)
        assert reply.status == status
        event = lab.invoker.calls[0].event
        assert (event["version"], event["type"], event["identitySource"]) == ("2.0", "REQUEST", ["Bearer abc"])
        assert event["routeKey"] == "GET /orders/{id}"
        assert event["routeArn"].endswith("/$default/GET/orders/42")
        if allowed:
            told = lab.invoker.calls[1].event["requestContext"]["authorizer"]
            assert told == {"lambda": {"tier": 7}}
        else:
            assert reply.text == '{"message":"Forbidden"}'
        assert (await lab.ask()).status == 401

    functions = {"orders": says(), "guard": gives({"isAuthorized": allowed, "context": {"tier": 7}})}
    served(guarded(ApiType.HTTP, kind="REQUEST", simple_responses=True), functions, scene)


def test_a_route_that_names_no_authorizer_of_the_api_is_told(caplog: pytest.LogCaptureFixture) -> None:
    async def scene(lab: Serving) -> None:
        assert (await lab.ask()).status == 500

    served(api(ApiType.REST, route(authorizer="other")), {"orders": says()}, scene)
    assert "names the authorizer other" in caplog.text
