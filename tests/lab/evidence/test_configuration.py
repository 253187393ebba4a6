"""The configuration's documents are understood by the reader of configurations."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from tests.lab.evidence import journals
from tests.lab.evidence.journals import Scene

from apigw_doctor.evidence.tables import (
    ApiSettings,
    AuthorizerSettings,
    FunctionSettings,
    IntegrationSettings,
    LoadBalancerSettings,
    StageSettings,
)
from apigw_doctor.lab.evidence.configuration import configuration, get_integration
from apigw_doctor.lab.setup import GatewayResponse, LabSetup
from apigw_doctor.sources.configuration import join_routes, parse_document


def rows(setup: LabSetup, kind: type[Any]) -> list[Any]:
    """What the reader makes of all documents."""
    found = [row for name, one in configuration(setup).items() for row in parse_document(one, name) or ()]
    chosen = [row for row in found if isinstance(row, kind)]
    return join_routes(chosen) if kind is IntegrationSettings else chosen


@pytest.mark.parametrize("make", [journals.rest, journals.http, journals.websocket])
def test_the_reader_finds_the_api_and_its_stage(make: Callable[[], Scene]) -> None:
    setup = make().setup
    api = setup.api
    [known], [stage] = rows(setup, ApiSettings), rows(setup, StageSettings)
    assert (known.api_id, known.name, known.api_type) == (api.api_id, api.name, api.api_type)
    assert (stage.stage, stage.access_log_format) == (api.stage, api.access_log_format)
    if api.api_type != "http":
        assert (stage.execution_logging, stage.data_trace) == ("INFO", True)


@pytest.mark.parametrize("make", [journals.rest, journals.http, journals.websocket])
def test_the_reader_finds_every_route_with_its_function_and_limit(make: Callable[[], Scene]) -> None:
    setup = make().setup
    default = 30_000 if setup.api.api_type == "http" else 29_000
    found = {
        (row.method, row.route): (row.function, row.qualifier, row.timeout_ms)
        for row in rows(setup, IntegrationSettings)
    }
    expected = {}
    for route in setup.api.routes:
        qualifier = setup.function(route.function).qualifier if route.function else None
        expected[route.method or None, route.path] = (route.function, qualifier, route.timeout_ms or default)
    assert found == expected


def test_the_reader_finds_functions_authorizers_and_the_balancer() -> None:
    setup = journals.rest().setup
    functions = {row.function: row for row in rows(setup, FunctionSettings) if row.timeout_ms is not None}
    assert {name: row.timeout_ms for name, row in functions.items()} == {
        one.name: one.timeout_ms for one in setup.functions
    }
    assert functions["quote-fn"].in_vpc
    assert not functions["orders-fn"].in_vpc
    assert [row.provisioned for row in rows(setup, FunctionSettings) if row.provisioned] == [2]
    assert [row.function for row in rows(setup, AuthorizerSettings)] == ["auth-fn"]
    assert [row.idle_timeout_ms for row in rows(setup, LoadBalancerSettings)] == [20_000.0]


def test_a_changed_gateway_response_without_a_status_has_the_default_of_its_type() -> None:
    changed = GatewayResponse(response_type="INTEGRATION_TIMEOUT", body='{"slow":true}', headers={"x-a": "1"})
    api = msgspec.structs.replace(journals.REST_API, gateway_responses=(changed,))
    items = configuration(LabSetup(api=api, functions=journals.FUNCTIONS))["apigateway/get-gateway-responses.json"][
        "items"
    ]
    [own] = [one for one in items if not one["defaultResponse"]]
    assert own == {
        "responseType": "INTEGRATION_TIMEOUT",
        "statusCode": "504",
        "responseParameters": {"gatewayresponse.header.x-a": "'1'"},
        "responseTemplates": {"application/json": '{"slow":true}'},
        "defaultResponse": False,
    }


def test_one_integration_alone_is_understood() -> None:
    setup = journals.rest().setup
    [row] = parse_document(get_integration(journals.QUOTE, setup), "get-integration.json") or []
    assert isinstance(row, IntegrationSettings)
    assert (row.function, row.qualifier, row.timeout_ms, row.type) == ("quote-fn", "live", 6_500.0, "AWS_PROXY")
