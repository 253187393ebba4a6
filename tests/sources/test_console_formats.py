"""Access logs in the formats that the console offers, by type of API, with and without the stage's format string."""

import pytest

from apigw_doctor.evidence.tables import GatewayRequest
from apigw_doctor.lab.evidence.access import CONSOLE
from apigw_doctor.model.terms import ApiType
from apigw_doctor.sources.access_log import AccessLog
from apigw_doctor.sources.requests import Requests

VALUES = {
    "identity.sourceIp": "203.0.113.7",
    "requestTime": "10/Mar/2026:10:00:05 +0000",
    "protocol": "HTTP/1.1",
    "responseLength": "33",
    "status": "504",
    "connectionId": "Qm3aceE2NjMCF7w=",
    "eventType": "MESSAGE",
    "httpMethod": "GET",
    "resourcePath": "/orders/{id}",
}
IDS = {ApiType.REST: "c0ffee00-0000-4000-8000-000000000001"}
ROUTES = {ApiType.REST: "-", ApiType.HTTP: "GET /orders/{id}", ApiType.WEBSOCKET: "report"}
FORMS = [(form, api_type) for form in CONSOLE for api_type in CONSOLE[form] if form != "json"]


def line_of(form: str, api_type: ApiType, **changes: str) -> str:
    """What the stage writes."""
    values = VALUES | {"requestId": IDS.get(api_type, "JKJbYnQMwIdFTIB="), "routeKey": ROUTES[api_type]} | changes
    values["extendedRequestId"] = "JKJbYnQMwIdFTIB="
    text = CONSOLE[form][api_type]
    for name in sorted(values, key=len, reverse=True):
        text = text.replace(f"$context.{name}", values[name])
    return text.replace("$context.identity.caller", "-").replace("$context.identity.user", "-")


def read(line: str, *formats: str) -> GatewayRequest:
    """The request that the line is about."""
    requests = Requests()
    assert AccessLog(requests, formats).line(line, at=None, origin="access.log:1")
    [row] = requests.rows()
    return row


@pytest.mark.parametrize("known", [True, False], ids=["format known", "format unknown"])
@pytest.mark.parametrize(("form", "api_type"), FORMS)
def test_every_format_of_the_console_is_read(form: str, api_type: ApiType, known: bool) -> None:
    row = read(line_of(form, api_type), *([CONSOLE[form][api_type]] if known else []))
    websocket = api_type is ApiType.WEBSOCKET
    assert row.request_id == IDS.get(api_type, "JKJbYnQMwIdFTIB=")
    assert (row.status, row.api_type) == (504, api_type)
    assert (row.method, row.route) == ((None, "report") if websocket else ("GET", "/orders/{id}"))
    assert row.connection_id == ("Qm3aceE2NjMCF7w=" if websocket else None)


@pytest.mark.parametrize("known", [True, False], ids=["format known", "format unknown"])
@pytest.mark.parametrize("form", ["clf", "csv"])
@pytest.mark.parametrize("key", ["$default", "ANY /orders", "GET /", "-"])
def test_every_route_key_of_an_http_api_is_read(form: str, key: str, known: bool) -> None:
    row = read(line_of(form, ApiType.HTTP, routeKey=key), *([CONSOLE[form][ApiType.HTTP]] if known else []))
    route = None if key == "-" else key.rpartition(" ")[2]
    assert (row.method, row.route, row.status) == ("GET", route, 504)


@pytest.mark.parametrize("form", ["clf", "csv"])
@pytest.mark.parametrize("key", ["$connect", "$disconnect", "$default", "send message"])
def test_every_route_key_of_a_websocket_api_is_read(form: str, key: str) -> None:
    row = read(line_of(form, ApiType.WEBSOCKET, routeKey=key))
    assert (row.route, row.status, row.connection_id) == (key, 504, "Qm3aceE2NjMCF7w=")


def test_a_time_between_blanks_is_read_with_a_known_format() -> None:
    text = "$context.requestTime $context.status $context.requestId"
    assert read("10/Mar/2026:10:00:05 +0000 504 JKJbYnQMwIdFTIB=", text).status == 504
