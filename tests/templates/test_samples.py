"""Each sample template is read into the values that AWS would see, with the places where they are written."""

import pytest
from tests.templates.read_samples import SAMPLES, at, place, route, sample

from apigw_doctor.model.terms import ApiType
from apigw_doctor.templates.intrinsics import Unresolved


def test_sam_makes_two_implicit_apis_of_the_events() -> None:
    template = sample("sam-implicit.yaml")
    rest, http = template.api("ServerlessRestApi"), template.api("ServerlessHttpApi")
    assert template.kind == "sam"
    assert (rest.api_type, rest.implicit, rest.endpoint_type) == (ApiType.REST, True, "REGIONAL")
    assert (http.api_type, http.implicit) == (ApiType.HTTP, True)
    assert [one.name for one in rest.stages] == ["Prod"]
    assert [one.name for one in http.stages] == ["$default"]
    assert rest.stages[0].tracing is True
    assert [one.key for one in rest.routes] == ["GET /orders/{id}"]
    assert {one.key for one in http.routes} == {"POST /orders", "$default"}


def test_sam_events_bring_their_integration_timeouts_with_places() -> None:
    template = sample("sam-implicit.yaml")
    read = route(template.api("ServerlessRestApi"), "GET /orders/{id}").integration
    make = route(template.api("ServerlessHttpApi"), "POST /orders").integration
    assert read is not None
    assert make is not None
    assert (read.kind, read.function, read.timeout_ms) == ("aws-proxy", "GetOrder", 12_000)
    assert (make.kind, make.function, make.timeout_ms) == ("aws-proxy", "CreateOrder", 20_000)
    assert make.qualifier == "live"
    assert at(read, "timeout_ms") == place("sam-implicit.yaml", "TimeoutInMillis: 12000", "12000")


def test_sam_globals_are_merged_and_keep_their_places() -> None:
    function = sample("sam-implicit.yaml").function("GetOrder")
    assert (function.runtime, function.timeout_ms, function.memory_mb) == ("python3.12", 31_000, 256)
    assert function.tracing == "Active"
    assert function.environment["LOG_LEVEL"] == "DEBUG"
    assert "TABLE_NAME" in function.environment
    assert function.handler == "orders.get"
    assert function.code_path == SAMPLES / "src"
    assert at(function, "timeout_ms") == place("sam-implicit.yaml", "Timeout: 31", "31")
    assert at(function, "handler") == place("sam-implicit.yaml", "Handler: orders.get", "orders.get")


def test_a_function_wins_over_globals() -> None:
    function = sample("sam-implicit.yaml").function("CreateOrder")
    assert (function.name, function.timeout_ms, function.alias) == ("create-order", 60_000, "live")
    assert (function.provisioned_concurrency, function.reserved_concurrency) == (2, 5)
    assert at(function, "timeout_ms") == place("sam-implicit.yaml", "Timeout: 60", "60")


def test_sam_authorizers_default_other_and_none() -> None:
    api = sample("sam-auth.yaml").api("Orders")
    gate, pool = api.authorizer("Gate"), api.authorizer("Pool")
    assert gate is not None
    assert pool is not None
    assert (gate.kind, gate.function, gate.ttl_s) == ("REQUEST", "GateFunction", 0)
    assert pool.kind == "COGNITO_USER_POOLS"
    assert route(api, "GET /orders").authorizer == "Gate"
    assert route(api, "ANY /health").authorizer is None
    assert route(api, "GET /mine").authorizer == "Pool"


def test_sam_api_settings() -> None:
    template = sample("sam-auth.yaml")
    api = template.api("Orders")
    (stage,) = api.stages
    (busy,) = api.gateway_responses
    assert api.endpoint_type == "PRIVATE"
    assert (stage.name, stage.log_level, stage.data_trace) == ("v1", "INFO", True)
    assert stage.access_log_format == '{"requestId":"$context.requestId"}'
    assert (busy.response_type, busy.status) == ("INTEGRATION_TIMEOUT", 503)
    assert busy.templates == {"application/json": '{"message": "busy"}'}
    assert template.function("GateFunction").inline_code == "def handler(event, context): return {}"
    assert template.function("OrdersFunction").code_path is None
    assert template.function("OrdersFunction").code_uri == "s3://bucket/orders.zip"


def test_sam_bodies_in_local_files_are_read_with_places_in_those_files() -> None:
    template = sample("sam-body.yaml")
    shop = route(template.api("Shop"), "GET /shop").integration
    far = route(template.api("Other"), "ANY /far").integration
    assert shop is not None
    assert far is not None
    assert (shop.function, shop.timeout_ms) == ("ShopFunction", 5_000)
    assert shop.marks["timeout_ms"].file.endswith("shop.yaml")
    assert at(shop, "timeout_ms") == place("bodies/shop.yaml", "timeoutInMillis: 5000", "5000")
    assert (far.kind, far.url) == ("http-proxy", "https://example.com/far")
    assert any("Gone" in one.text and one.line == 21 for one in template.problems)


def test_rest_resources_make_full_paths() -> None:
    template = sample("cfn-rest.yaml")
    api = template.api("Api")
    assert template.kind == "cloudformation"
    assert (api.api_type, api.name, api.endpoint_type) == (ApiType.REST, "orders-api", "REGIONAL")
    assert {one.key for one in api.routes} == {"GET /orders/{id}", "ANY /", "POST /orders", "OPTIONS /orders"}


def test_rest_integrations_of_every_kind() -> None:
    template = sample("cfn-rest.yaml")
    api = template.api("Api")
    get, root, talk, cors = (
        route(api, key).integration for key in ("GET /orders/{id}", "ANY /", "POST /orders", "OPTIONS /orders")
    )
    assert get is not None
    assert root is not None
    assert talk is not None
    assert cors is not None
    assert (get.kind, get.function, get.qualifier, get.timeout_ms) == ("aws-proxy", "Fn", "live", 28_000)
    assert (root.kind, root.url, root.is_vpc_link) == ("http-proxy", "http://internal.example.com/root", True)
    assert (talk.transfer_mode, talk.timeout_ms, talk.function) == ("STREAM", 120_000, "Fn")
    assert cors.kind == "mock"
    assert root.timeout_ms is None
    assert api.effective_timeout_ms(root) == 29_000
    assert at(get, "timeout_ms") == place("cfn-rest.yaml", "TimeoutInMillis: 28000", "28000")


def test_rest_stage_authorizer_and_gateway_response() -> None:
    api = sample("cfn-rest.yaml").api("Api")
    (stage,) = api.stages
    gate = api.authorizer(route(api, "GET /orders/{id}").authorizer)
    assert (stage.name, stage.log_level, stage.data_trace, stage.tracing) == ("prod", "ERROR", False, True)
    assert stage.access_log_format == "$context.requestId"
    assert gate is not None
    assert (gate.kind, gate.name, gate.function, gate.ttl_s) == ("TOKEN", "gate", "Fn", 60)
    assert [(one.response_type, one.status) for one in api.gateway_responses] == [("DEFAULT_5XX", 502)]
    assert route(api, "ANY /").authorization == "AWS_IAM"


def test_a_plain_function_with_its_alias_and_the_default_timeout() -> None:
    function = sample("cfn-rest.yaml").function("Fn")
    assert (function.timeout_ms, function.is_explicit("timeout_ms")) == (3_000, False)
    assert (function.name, function.alias, function.provisioned_concurrency) == ("orders", "live", 3)
    assert (function.in_vpc, function.snap_start, function.tracing, function.log_format) == (
        True,
        True,
        "Active",
        "JSON",
    )
    assert "statusCode" in str(function.inline_code)


def test_websocket_routes_and_quick_create() -> None:
    template = sample("cfn-websocket.yaml")
    chat, quick = template.api("Chat"), template.api("Quick")
    connect = route(chat, "$connect")
    assert (chat.api_type, quick.api_type) == (ApiType.WEBSOCKET, ApiType.HTTP)
    assert {one.path for one in chat.routes} == {"$connect", "ask"}
    assert connect.integration is not None
    assert (connect.integration.function, connect.integration.timeout_ms) == ("Fn", 29_000)
    assert (gate := chat.authorizer(connect.authorizer)) is not None
    assert (gate.kind, gate.function) == ("REQUEST", "Fn")
    assert (chat.stages[0].name, chat.stages[0].log_level) == ("dev", "INFO")
    made = route(quick, "GET /quick").integration
    assert made is not None
    assert (made.kind, made.function) == ("aws-proxy", "Fn")


def test_cdk_output_leads_to_the_asset_and_the_construct() -> None:
    template = sample("Stack.template.json")
    function, api = template.function("Hello1A2B"), template.api("Api3C4D")
    integration = route(api, "ANY /").integration
    assert (function.timeout_ms, function.code_path) == (45_000, SAMPLES / "src")
    assert function.construct == "Stack/Hello/Resource"
    assert at(function, "timeout_ms") == place("Stack.template.json", '"Timeout": 45', "45")
    assert integration is not None
    assert integration.function == "Hello1A2B"


def test_a_bare_openapi_3_file_is_one_api() -> None:
    template = sample("openapi3.yaml")
    (api,) = template.apis
    get, rest = (route(api, key).integration for key in ("GET /pets/{id}", "ANY /pets/{id}"))
    assert (template.kind, api.name, api.api_type) == ("openapi", "pets", ApiType.HTTP)
    assert get is not None
    assert rest is not None
    assert (get.function_name, get.qualifier, get.timeout_ms) == ("pets", "live", 9_000)
    assert (rest.function_name, rest.qualifier, rest.payload_format) == ("rest-of-pets", None, "2.0")
    assert at(get, "timeout_ms") == place("openapi3.yaml", "timeoutInMillis: 9000", "9000")
    assert (gate := api.authorizer(route(api, "GET /pets/{id}").authorizer)) is not None
    assert gate.kind == "JWT"


def test_a_bare_swagger_2_file_in_json_with_tabs() -> None:
    (api,) = sample("swagger2.json").apis
    post = route(api, "POST /pets").integration
    gate = api.authorizer("gate")
    assert (api.name, api.api_type) == ("old pets", ApiType.REST)
    assert post is not None
    assert (post.kind, post.function_name, post.asynchronous, post.timeout_ms) == ("aws", "pets", True, 50)
    assert at(post, "timeout_ms") == place("swagger2.json", '"timeoutInMillis": 50', "50")
    assert gate is not None
    assert (gate.kind, gate.function_name, gate.ttl_s) == ("TOKEN", "gate", 300)
    assert api.gateway_responses[0].templates == {"application/json": '{"late": \U0001f634}'}


def test_parameters_mappings_and_conditions() -> None:
    template = sample("parameters.yaml")
    mapped, api = template.function("Mapped"), template.api("Api")
    integration = route(api, "GET /orders").integration
    assert (mapped.timeout_ms, mapped.memory_mb, api.name) == (5_000, 128, "orders-dev")
    assert "Stage" in mapped.depends["timeout_ms"]
    assert integration is not None
    assert integration.timeout_ms == 7_000
    assert [one.logical_id for one in template.functions] == ["Mapped", "Open"]
    assert any(one.kind == "left-out" and "OnlyProd" in one.text for one in template.problems)


def test_the_caller_overrides_parameters() -> None:
    template = sample("parameters.yaml", Stage="prod", Seconds="60", LimitMs="50")
    integration = route(template.api("Api"), "GET /orders").integration
    assert template.function("Mapped").timeout_ms == 29_000
    assert (template.function("Open").timeout_ms, template.function("Open").memory_mb) == (60_000, 512)
    assert "OnlyProd" in {one.logical_id for one in template.functions}
    assert integration is not None
    assert integration.timeout_ms == 50


def test_what_only_the_deployment_knows_is_not_guessed() -> None:
    open_ = sample("parameters.yaml").function("Open")
    assert isinstance(open_.timeout_ms, Unresolved)
    assert isinstance(open_.memory_mb, Unresolved)
    assert set(open_.memory_mb.candidates) == {512, 2048}


def test_of_a_key_that_stands_twice_the_last_one_holds_and_is_told() -> None:
    template = sample("duplicates.yaml")
    assert template.function("Fn").timeout_ms == 20_000
    assert any("Timeout" in one.text and one.line == 12 for one in template.problems)


def test_byte_order_mark_and_windows_line_ends() -> None:
    function = sample("bom-crlf.yaml").function("Fn")
    assert function.timeout_ms == 30_000
    assert at(function, "timeout_ms") == (9, 16)


@pytest.mark.parametrize("name", sorted(one.name for one in SAMPLES.glob("*.*")))
def test_every_sample_is_read_the_same_twice(name: str) -> None:
    assert sample(name) == sample(name)


def test_an_event_does_not_replace_what_an_http_apis_body_calls() -> None:
    web = sample("sam-merged.yaml").api("Web")
    body, empty = route(web, "GET /body").integration, route(web, "GET /empty").integration
    assert body is not None
    assert empty is not None
    assert (body.function, body.payload_format, body.timeout_ms) == ("Called", "1.0", 6_000)
    assert at(body, "timeout_ms") == place("sam-merged.yaml", "TimeoutInMillis: 6000", "6000")
    assert (empty.function, empty.payload_format) == ("Named", "2.0")


def test_sam_streams_state_machines_and_websocket_apis() -> None:
    template = sample("sam-merged.yaml")
    rest = template.api("ServerlessRestApi")
    streamed, start = route(rest, "GET /stream").integration, route(rest, "POST /start").integration
    (connect,) = template.api("Talk").routes
    assert streamed is not None
    assert start is not None
    assert connect.integration is not None
    assert (streamed.transfer_mode, "/response-streaming-invocations" in str(streamed.uri)) == ("STREAM", True)
    assert (start.kind, start.action) == ("aws", "states:action/StartExecution")
    assert (connect.path, connect.integration.function, connect.integration.timeout_ms) == (
        "$connect",
        "Called",
        15_000,
    )


def test_globals_that_a_function_ignores_do_not_hold() -> None:
    template = sample("sam-merged.yaml")
    assert template.function("Called").timeout_ms == 3_000
    assert template.function("Named").timeout_ms == 9_000
