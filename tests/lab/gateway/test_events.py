"""The events that functions get, as a whole."""

import base64
from typing import Any

import pytest
from tests.lab.gateway.serving import Event, Serving, api, route, says, served

from apigw_doctor.model.terms import ApiType

HOST = "a1b2c3d4e5.execute-api.eu-west-1.amazonaws.com"


def asked(lab_type: ApiType, form: str, path: str = "/orders/4%202?x=1&x=2&y=", **more: Any) -> tuple[Event, Any]:
    """The event of one request, and what the journal says of it."""

    async def scene(lab: Serving) -> tuple[Event, Any]:
        assert (await lab.ask(path, "POST", **more)).status == 200
        return lab.invoker.calls[0].event, lab.exchange

    made = api(lab_type, route(method="ANY", payload_format=form))
    return served(made, {"orders": says()}, scene)


HEADERS = {"User-Agent": "probe/1", "Content-Type": "application/json", "X-Two": "a", "Cookie": "s=1; t=2"}


def test_version_1_of_a_rest_api() -> None:
    event, noted = asked(ApiType.REST, "1.0", data='{"a": "ä"}'.encode(), headers=HEADERS)
    context = event.pop("requestContext")
    headers, several = event.pop("headers"), event.pop("multiValueHeaders")
    assert event == {
        "resource": "/orders/{id}",
        "path": "/orders/4%202",
        "httpMethod": "POST",
        "queryStringParameters": {"x": "2", "y": ""},
        "multiValueQueryStringParameters": {"x": ["1", "2"], "y": [""]},
        "pathParameters": {"id": "4 2"},
        "stageVariables": None,
        "body": '{"a": "ä"}',
        "isBase64Encoded": False,
    }
    assert headers["Host"] == HOST
    assert headers["X-Forwarded-For"] == "203.0.113.7"
    assert headers["X-Amzn-Trace-Id"] == f"Root={noted.trace_id}"
    assert (headers["X-Two"], several["X-Two"]) == ("a", ["a"])
    assert context["requestId"] == noted.request_id
    assert context["extendedRequestId"] == noted.extended_request_id
    assert context["requestTimeEpoch"] == int(noted.arrived_at)
    assert context["requestTime"].startswith("10/Mar/2026:10:00:0")
    assert {key: context[key] for key in ("resourceId", "resourcePath", "path", "stage", "apiId", "accountId")} == {
        "resourceId": "r1",
        "resourcePath": "/orders/{id}",
        "path": "/prod/orders/4%202",
        "stage": "prod",
        "apiId": "a1b2c3d4e5",
        "accountId": "123456789012",
    }
    assert (context["domainName"], context["domainPrefix"]) == (HOST, "a1b2c3d4e5")
    assert (context["identity"]["sourceIp"], context["identity"]["userAgent"]) == ("203.0.113.7", "probe/1")
    assert "authorizer" not in context


def test_version_2_of_an_http_api() -> None:
    event, noted = asked(ApiType.HTTP, "2.0", data=b'{"a": 1}', headers=HEADERS)
    context, headers = event.pop("requestContext"), event.pop("headers")
    assert event == {
        "version": "2.0",
        "routeKey": "ANY /orders/{id}",
        "rawPath": "/orders/4%202",
        "rawQueryString": "x=1&x=2&y=",
        "cookies": ["s=1", "t=2"],
        "queryStringParameters": {"x": "1,2", "y": ""},
        "pathParameters": {"id": "4 2"},
        "body": '{"a": 1}',
        "isBase64Encoded": False,
    }
    assert headers["host"] == HOST
    assert all(name == name.lower() for name in headers)
    assert "cookie" not in headers
    assert context.pop("time").startswith("10/Mar/2026:10:00:0")
    assert context == {
        "accountId": "123456789012",
        "apiId": "a1b2c3d4e5",
        "domainName": HOST,
        "domainPrefix": "a1b2c3d4e5",
        "http": {
            "method": "POST",
            "path": "/orders/4%202",
            "protocol": "HTTP/1.1",
            "sourceIp": "203.0.113.7",
            "userAgent": "probe/1",
        },
        "requestId": noted.request_id,
        "routeKey": "ANY /orders/{id}",
        "stage": "$default",
        "timeEpoch": int(noted.arrived_at),
    }


def test_version_1_of_an_http_api_has_a_version() -> None:
    event, _ = asked(ApiType.HTTP, "1.0", headers=HEADERS)
    assert (event["version"], event["body"], event["requestContext"]["resourceId"]) == ("1.0", None, "ANY /orders/{id}")


@pytest.mark.parametrize(
    ("api_type", "kind", "data", "encoded"),
    [
        (ApiType.REST, "image/png", b"abc", True),
        (ApiType.REST, "text/plain", b"\xff\xfe", True),
        (ApiType.REST, "application/x-www-form-urlencoded", b"a=1", False),
        (ApiType.HTTP, "application/x-www-form-urlencoded", b"a=1", True),
        (ApiType.HTTP, "application/problem+json; charset=utf-8", b"{}", False),
    ],
)
def test_what_is_no_text_travels_encoded(api_type: ApiType, kind: str, data: bytes, encoded: bool) -> None:
    form = "2.0" if api_type is ApiType.HTTP else "1.0"
    event, _ = asked(api_type, form, data=data, headers={"Content-Type": kind})
    assert event["isBase64Encoded"] is encoded
    assert event["body"] == (base64.b64encode(data).decode() if encoded else data.decode())


def test_a_name_of_its_own_and_a_proxy_in_front_are_told() -> None:
    event, noted = asked(ApiType.REST, "1.0", headers={"Host": "shop.example.com", "X-Forwarded-For": "192.0.2.1"})
    assert event["headers"]["Host"] == event["requestContext"]["domainName"] == noted.host == "shop.example.com"
    assert event["headers"]["X-Forwarded-For"] == "192.0.2.1, 203.0.113.7"
    assert event["requestContext"]["identity"]["sourceIp"] == "203.0.113.7"
