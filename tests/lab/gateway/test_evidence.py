"""What the evidence writers make of the gateway's records."""

import json
from typing import Any

import pytest
from tests.lab.gateway.serving import (
    Function,
    Serving,
    api,
    authorizer,
    gives,
    lambda_id,
    policy,
    raised,
    route,
    says,
    served,
    sleeps,
)

from apigw_doctor.lab.evidence.access import context
from apigw_doctor.lab.evidence.execution import execution_events
from apigw_doctor.lab.evidence.traces import traces
from apigw_doctor.lab.invoking import Answer
from apigw_doctor.lab.records import Exchange, Journal
from apigw_doctor.lab.setup import LabApi, LabSetup
from apigw_doctor.model.terms import ApiType

TOKEN = {"Authorization": "Bearer abcdefghijklmnopqrstuvwxyz"}
GUARDED: dict[str, Any] = {"authorizers": (authorizer(),)}


def heard(lab: LabApi, functions: dict[str, Function], **ask: Any) -> Exchange:
    """The record of one request."""

    async def scene(at_work: Serving) -> Exchange:
        await at_work.ask(**ask)
        return at_work.exchange

    return served(lab, functions, scene)


def lines(exchange: Exchange, lab: LabApi) -> list[str]:
    """Its execution log without the ids in front."""
    return [text.partition(") ")[2] for _, text in execution_events(exchange, lab)]


def test_a_timeout_in_the_execution_log_and_in_the_access_log() -> None:
    lab = api(ApiType.REST, route(timeout_ms=6_500), data_trace=False, tracing=True)
    exchange = heard(lab, {"orders": sleeps(9)})
    events = execution_events(exchange, lab)
    said = lines(exchange, lab)
    assert said[-3:] == [
        "Execution failed due to a timeout error",
        "Method completed with status: 504",
        f"X-ray Tracing ID : Root={exchange.trace_id}",
    ]
    assert not any("Integration latency" in one or "Endpoint RequestId" in one for one in said)
    assert 6_500 <= events[-1][0] - events[0][0] < 9_000
    known = context(exchange, lab)
    assert (known["status"], known["error.responseType"]) == ("504", "INTEGRATION_TIMEOUT")
    assert known["error.message"] == "Endpoint request timed out"
    assert known["integration.error"] == "Execution failed due to a timeout error"
    assert not {"integration.requestId", "integration.status", "integration.integrationStatus"} & known.keys()
    assert 6_500 <= float(known["responseLatency"]) < 9_500


def test_a_request_through_an_authorizer_in_full() -> None:
    lab = api(ApiType.REST, route(authorizer="auth01"), **GUARDED)
    exchange = heard(lab, {"orders": says(), "guard": gives(policy())}, headers=TOKEN)
    said = lines(exchange, lab)
    assert f"Starting authorizer: auth01 for request: {exchange.request_id}" in said
    assert "Successfully completed authorizer execution" in said
    assert "HTTP Method: GET, Resource Path: /orders/42" in said
    assert "Method request path: {id=42}" in said
    assert "Method completed with status: 200" in said
    assert f"AWS Integration Endpoint RequestId : {lambda_id(2)}" in said
    response = next(one for one in said if one.startswith("Method response headers"))
    assert response == (
        f"Method response headers: {{Content-Type=application/json, X-Amzn-Trace-Id=Root={exchange.trace_id}}}"
    )
    assert "Incoming identity: *" in said[2]


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (
            raised("Task timed out after 3.00 seconds"),
            [
                "Lambda execution failed with status 200 due to customer function error:"
                f" Task timed out after 3.00 seconds. Lambda request id: {lambda_id(1)}",
                "Method completed with status: 502",
            ],
        ),
        (
            Answer(status=429, request_id=lambda_id(1), reason="ConcurrentInvocationLimitExceeded"),
            [
                f"Lambda invocation failed with status: 429. Lambda request id: {lambda_id(1)}",
                "Execution failed due to configuration error: Rate Exceeded.",
                "Method completed with status: 500",
            ],
        ),
    ],
)
def test_failures_at_the_level_error(answer: Answer, expected: list[str]) -> None:
    lab = api(ApiType.REST, route(), log_level="ERROR")
    assert lines(heard(lab, {"orders": gives(answer)}), lab) == expected


def test_an_authorizer_that_hangs_never_completes_in_the_log() -> None:
    lab = api(ApiType.REST, route(authorizer="auth01"), **GUARDED)
    said = lines(heard(lab, {"orders": says(), "guard": sleeps(40)}, headers=TOKEN), lab)
    assert said[-2:] == [
        "Execution failed due to configuration error: Authorizer error",
        "Method completed with status: 500",
    ]
    assert not any("Successfully completed" in one or "Sending request to" in one for one in said[3:] if "auth" in one)


def test_a_traced_request_has_a_segment_that_the_function_names_as_its_parent() -> None:
    lab = api(ApiType.REST, route(), tracing=True)

    async def scene(at_work: Serving) -> tuple[Journal, str]:
        await at_work.ask()
        trace = at_work.invoker.calls[0].trace
        assert trace is not None
        return at_work.journal, trace.parent

    journal, parent = served(lab, {"orders": says()}, scene)
    (trace,) = traces(journal, LabSetup(api=lab))
    segment = json.loads(trace["Segments"][0]["Document"])
    assert segment["aws"]["api_gateway"]["request_id"] == journal.exchanges[0].request_id
    assert segment["subsegments"][0]["id"] == parent


def test_an_http_api_has_an_access_log_only() -> None:
    lab = api(ApiType.HTTP, route(payload_format="2.0"))
    exchange = heard(lab, {"orders": sleeps(31)})
    assert lines(exchange, lab) == []
    known = context(exchange, lab)
    assert (known["status"], known["routeKey"]) == ("503", "GET /orders/{id}")
    assert known["requestId"] == known["extendedRequestId"] == exchange.extended_request_id
