"""A REST API in front of functions."""

import re

import pytest
from tests.lab.gateway.serving import Serving, api, lambda_id, raised, route, says, served, sleeps

from apigw_doctor.lab.setup import LabApi
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
        assert 29_000 <= reply.took_ms < 29_500
        noted = lab.exchange
        assert (noted.status, noted.error_type) == (504, "INTEGRATION_TIMEOUT")
        assert noted.error_message == "Endpoint request timed out"
        assert noted.failure_lines == ("Execution failed due to a timeout error",)
        call = noted.integration
        assert call is not None
        assert (call.answered, call.request_id, call.status, call.service_status) == (False, None, None, None)
        assert call.error == "Execution failed due to a timeout error"
        assert 29_000 <= call.ended_at - call.sent_at < 29_300
        assert not lab.invoker.calls[0].finished
        await lab.gateway.drain()
        assert lab.invoker.calls[0].finished

    served(rest(), {"orders": sleeps(40)}, scene)


def test_a_route_has_its_own_limit() -> None:
    async def scene(lab: Serving) -> None:
        reply = await lab.ask()
        assert reply.status == 504
        assert 6_500 <= reply.took_ms < 7_000
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
