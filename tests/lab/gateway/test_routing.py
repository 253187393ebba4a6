"""Which route serves a request."""

import pytest
from tests.lab.gateway.serving import api, route

from apigw_doctor.lab.gateway.routing import find_route
from apigw_doctor.model.terms import ApiType

KEYS = (
    "ANY /{proxy+}",
    "GET /orders/{id}",
    "GET /orders/latest",
    "ANY /orders/{id}",
    "GET /orders/{id}/lines/{line}",
    "POST /files/{path+}",
    "GET /",
)
ROUTES = tuple(route(path, method) for method, path in (key.split() for key in KEYS))


@pytest.mark.parametrize(
    ("method", "path", "key", "parameters"),
    [
        ("GET", "/orders/7", "GET /orders/{id}", {"id": "7"}),
        ("GET", "/orders/latest", "GET /orders/latest", {}),
        ("DELETE", "/orders/7", "ANY /orders/{id}", {"id": "7"}),
        ("GET", "/orders/7/lines/2", "GET /orders/{id}/lines/{line}", {"id": "7", "line": "2"}),
        ("GET", "/orders/7/lines", "ANY /{proxy+}", {"proxy": "orders/7/lines"}),
        ("POST", "/files/a/b%20c", "POST /files/{path+}", {"path": "a/b c"}),
        ("GET", "/orders/a%2Fb", "GET /orders/{id}", {"id": "a/b"}),
        ("GET", "/", "GET /", {}),
        ("GET", "/prod/orders/7", "GET /orders/{id}", {"id": "7"}),
        ("GET", "/prod", "GET /", {}),
    ],
)
@pytest.mark.parametrize("api_type", [ApiType.REST, ApiType.HTTP])
def test_the_most_specific_route_wins(
    api_type: ApiType, method: str, path: str, key: str, parameters: dict[str, str]
) -> None:
    match = find_route(api(api_type, *ROUTES, stage="prod"), method, path)
    assert match.route is not None
    assert (match.route.key, match.path_parameters) == (key, parameters)


@pytest.mark.parametrize(
    ("method", "path", "of_rest", "of_http"),
    [
        # A REST API has chosen the resource before it looks for the method.
        ("POST", "/orders/latest", None, "ANY /orders/{id}"),
        ("GET", "/files/a", None, "ANY /{proxy+}"),
        ("GET", "/orders/7/", "GET /orders/{id}", "ANY /{proxy+}"),
    ],
)
def test_where_the_kinds_of_api_differ(method: str, path: str, of_rest: str | None, of_http: str | None) -> None:
    for api_type, key in ((ApiType.REST, of_rest), (ApiType.HTTP, of_http)):
        match = find_route(api(api_type, *ROUTES, stage="prod"), method, path)
        assert (match.route and match.route.key) == key, api_type


def test_default_is_the_last_resort_of_an_http_api() -> None:
    routes = (route("$default", "ANY"), route("/a", "GET"))
    assert find_route(api(ApiType.HTTP, *routes), "GET", "/a").route == routes[1]
    assert find_route(api(ApiType.HTTP, *routes), "POST", "/a").route == routes[0]
    assert find_route(api(ApiType.HTTP, *routes), "GET", "/b/c").route == routes[0]


def test_a_path_that_only_looks_like_the_stage_is_a_path() -> None:
    found = find_route(api(ApiType.REST, route("/prod/list"), stage="prod"), "GET", "/prod/list")
    assert (found.path, found.route is not None) == ("/prod/list", True)
    missing = find_route(api(ApiType.REST, stage="prod"), "GET", "/prod/list")
    assert (missing.path, missing.route) == ("/list", None)
