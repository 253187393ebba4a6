"""Configuration documents of the AWS CLI, and OpenAPI files."""

from typing import Any, TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apigw_doctor.evidence.tables import (
    ApiSettings,
    AuthorizerSettings,
    ConcurrencySettings,
    FunctionSettings,
    Gap,
    GatewayResponseSettings,
    IntegrationSettings,
    LoadBalancerSettings,
    Row,
    StageSettings,
)
from apigw_doctor.model.terms import ApiType
from apigw_doctor.sources.configuration import join_routes, parse_document, parse_yaml

R = TypeVar("R", bound=Row)

LAMBDA = "arn:aws:lambda:eu-west-1:123456789012:function:orders-fn"
URI = f"arn:aws:apigateway:eu-west-1:lambda:path/2015-03-31/functions/{LAMBDA}:live/invocations"


def read(kind: type[R], value: object) -> list[R]:
    rows = parse_document(value, "c:1")
    assert rows is not None
    assert all(isinstance(row, kind) for row in rows)
    return [row for row in rows if isinstance(row, kind)]


def v1_stage(**more: Any) -> dict[str, Any]:
    return {"stageName": "prod", "deploymentId": "d1", **more}


@pytest.mark.parametrize(
    ("methods", "level", "everywhere"),
    [
        ({}, None, True),
        ({"*/*": {"loggingLevel": "INFO"}}, "INFO", True),
        ({"*/*": {"loggingLevel": "OFF"}}, "OFF", True),
        ({"~1a/GET": {"loggingLevel": "ERROR"}}, "ERROR", False),
        ({"*/*": {"loggingLevel": "ERROR"}, "~1a/GET": {"loggingLevel": "INFO"}}, "INFO", True),
        ({"*/*": {"loggingLevel": "INFO"}, "~1a/GET": {"loggingLevel": "OFF"}}, "INFO", False),
        ({"*/*": {"metricsEnabled": True}}, None, True),
    ],
)
def test_execution_logging_is_the_highest_level_and_knows_its_holes(
    methods: dict[str, Any], level: str | None, everywhere: bool
) -> None:
    (row,) = read(StageSettings, {"item": [v1_stage(methodSettings=methods)]})
    assert (row.execution_logging, row.execution_logging_everywhere) == (level, everywhere)


def test_a_stage_names_its_access_log_and_tracing() -> None:
    (row,) = read(
        StageSettings,
        v1_stage(accessLogSettings={"format": "$context.requestId", "destinationArn": "arn:x"}, tracingEnabled=True),
    )
    assert (row.api_type, row.access_log_format, row.access_log_destination, row.tracing) == (
        ApiType.REST,
        "$context.requestId",
        "arn:x",
        True,
    )


@pytest.mark.parametrize(
    ("stage", "api_type"),
    [
        ({"StageName": "$default", "AutoDeploy": True}, ApiType.HTTP),
        ({"StageName": "prod", "DefaultRouteSettings": {"LoggingLevel": "INFO", "DataTraceEnabled": True}}, ApiType.WEBSOCKET),
        ({"StageName": "prod", "DefaultRouteSettings": {"DetailedMetricsEnabled": False}}, ApiType.UNKNOWN),
    ],
)  # fmt: skip
def test_v2_stages_tell_their_kind_by_what_only_one_kind_has(stage: dict[str, Any], api_type: ApiType) -> None:
    log = {"AccessLogSettings": {"Format": "$context.requestId"}}
    (row,) = read(StageSettings, {"Items": [stage | log]})
    assert (row.api_type, row.access_log_format, row.tracing) == (api_type, "$context.requestId", None)


def test_get_resources_with_embedded_methods_gives_a_row_per_method() -> None:
    resources = {
        "items": [
            {"id": "r0", "path": "/"},
            {
                "id": "r1",
                "path": "/reports",
                "resourceMethods": {
                    "GET": {"methodIntegration": {"type": "AWS_PROXY", "uri": URI, "timeoutInMillis": 5000}},
                    "POST": {"methodIntegration": {"type": "HTTP_PROXY", "responseTransferMode": "STREAM"}},
                    "PUT": {},
                },
            },
        ]
    }
    get, post = read(IntegrationSettings, resources)
    assert (get.method, get.route, get.timeout_ms, get.function, get.qualifier) == (
        "GET", "/reports", 5000.0, "orders-fn", "live",
    )  # fmt: skip
    assert (post.method, post.timeout_ms, post.transfer_mode) == ("POST", None, "STREAM")


def test_get_resources_without_methods_is_configuration_without_rows() -> None:
    assert parse_document({"items": [{"id": "r0", "path": "/"}]}, "c:1") == []


@pytest.mark.parametrize(
    ("integration", "api_type"),
    [
        ({"IntegrationType": "AWS_PROXY", "PayloadFormatVersion": "2.0"}, ApiType.HTTP),
        ({"IntegrationType": "AWS_PROXY", "TimeoutInMillis": 29500}, ApiType.HTTP),
        ({"IntegrationType": "MOCK"}, ApiType.WEBSOCKET),
        ({"IntegrationType": "AWS_PROXY", "PassthroughBehavior": "WHEN_NO_MATCH"}, ApiType.WEBSOCKET),
        ({"IntegrationType": "AWS_PROXY", "PayloadFormatVersion": "1.0"}, ApiType.UNKNOWN),
    ],
)
def test_v2_integrations_tell_their_kind_where_they_can(integration: dict[str, Any], api_type: ApiType) -> None:
    (row,) = read(IntegrationSettings, integration | {"IntegrationId": "i1"})
    assert row.api_type is api_type


def test_routes_are_joined_to_the_integrations_they_target() -> None:
    integrations = read(
        IntegrationSettings,
        {
            "Items": [
                {"IntegrationId": "i1", "IntegrationType": "AWS_PROXY", "TimeoutInMillis": 6500},
                {"IntegrationId": "i2", "IntegrationType": "HTTP_PROXY"},
            ]
        },
    )
    routes = read(
        IntegrationSettings,
        {
            "Items": [
                {"RouteId": "r1", "RouteKey": "GET /reports", "Target": "integrations/i1"},
                {"RouteId": "r2", "RouteKey": "$default", "Target": "integrations/i1"},
                {"RouteId": "r3", "RouteKey": "GET /lost", "Target": "integrations/i9"},
                {"RouteId": "r4", "RouteKey": "GET /mock"},
            ]
        },
    )
    joined = join_routes(routes + integrations)
    assert [(row.integration_id, row.method, row.route, row.timeout_ms) for row in joined] == [
        ("i1", "GET", "/reports", 6500.0),
        ("i1", None, "$default", 6500.0),
        ("i2", None, None, None),
    ]
    assert joined[0].api_type is ApiType.HTTP
    assert join_routes(joined) == joined


def test_apis_of_all_kinds() -> None:
    rest = {"id": "a1", "name": "orders", "endpointConfiguration": {"types": ["REGIONAL"]}}
    (row,) = read(ApiSettings, {"items": [rest]})
    assert (row.api_id, row.api_type, row.endpoint_type) == ("a1", ApiType.REST, "REGIONAL")
    assert read(ApiSettings, rest) == [row]
    http, socket = read(
        ApiSettings,
        {"Items": [{"ApiId": "h1", "Name": "x", "ProtocolType": "HTTP"}, {"ApiId": "w1", "ProtocolType": "WEBSOCKET"}]},
    )
    assert (http.api_type, socket.api_type) == (ApiType.HTTP, ApiType.WEBSOCKET)


def test_functions_of_all_commands() -> None:
    config = {
        "FunctionName": "orders-fn",
        "FunctionArn": LAMBDA,
        "Runtime": "python3.12",
        "Timeout": 10,
        "MemorySize": 512,
        "TracingConfig": {"Mode": "PassThrough"},
        "SnapStart": {"ApplyOn": "PublishedVersions"},
    }
    (row,) = read(FunctionSettings, config)
    assert (row.timeout_ms, row.memory_mb, row.runtime, row.tracing) == (10_000.0, 512, "python3.12", "PassThrough")
    assert (row.snap_start, row.alias, row.in_vpc) == ("PublishedVersions", None, None)
    assert read(FunctionSettings, {"Configuration": config, "Code": {}}) == [row]
    assert read(FunctionSettings, {"Functions": [config]}) == [row]


@pytest.mark.parametrize(
    ("more", "in_vpc"),
    [
        ({"VpcConfig": {"VpcId": "vpc-1"}}, True),
        ({"VpcConfig": {"VpcId": "", "SubnetIds": []}}, False),
        ({"CodeSha256": "x"}, False),
        ({}, None),
    ],
)
def test_a_function_is_outside_a_vpc_only_where_the_whole_answer_says_so(
    more: dict[str, Any], in_vpc: bool | None
) -> None:
    (row,) = read(FunctionSettings, {"FunctionName": "f", "Timeout": 3} | more)
    assert row.in_vpc is in_vpc


def test_provisioned_concurrency_belongs_to_an_alias() -> None:
    config = {"FunctionArn": f"{LAMBDA}:live", "RequestedProvisionedConcurrentExecutions": 10}
    (row,) = read(FunctionSettings, {"ProvisionedConcurrencyConfigs": [config]})
    assert (row.function, row.alias, row.provisioned) == ("orders-fn", "live", 10)


def test_provisioned_concurrency_of_nobody_is_a_gap() -> None:
    (row,) = read(Gap, {"RequestedProvisionedConcurrentExecutions": 10, "Status": "READY"})
    assert "which function" in row.reason


def test_authorizers_of_both_versions() -> None:
    v1 = {"id": "e7", "name": "jwt", "type": "TOKEN", "authorizerUri": URI, "authorizerResultTtlInSeconds": 300}
    v2 = {"AuthorizerId": "e7", "Name": "jwt", "AuthorizerType": "REQUEST", "AuthorizerUri": URI}
    (first,) = read(AuthorizerSettings, {"items": [v1]})
    (second,) = read(AuthorizerSettings, {"Items": [v2]})
    assert (first.authorizer_id, first.type, first.function, first.cache_ttl_s) == ("e7", "TOKEN", "orders-fn", 300)
    assert (second.authorizer_id, second.type, second.cache_ttl_s) == ("e7", "REQUEST", None)


def test_load_balancer_attributes_hold_the_idle_timeout() -> None:
    (row,) = read(
        LoadBalancerSettings,
        {"Attributes": [{"Key": "x", "Value": "y"}, {"Key": "idle_timeout.timeout_seconds", "Value": "15"}]},
    )
    assert row.idle_timeout_ms == 15_000.0


def openapi(integration: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "openapi": "3.0.1",
        "paths": {"/a": {"x-amazon-apigateway-any-method": {"x-amazon-apigateway-integration": integration}}},
    } | more


@pytest.mark.parametrize(
    ("document", "api_type"),
    [
        (openapi({"type": "aws_proxy", "payloadFormatVersion": "2.0"}), ApiType.HTTP),
        (openapi({"type": "aws_proxy"}, **{"x-amazon-apigateway-importexport-version": "1.0"}), ApiType.HTTP),
        (openapi({"type": "http_proxy", "payloadFormatVersion": 1.0}), ApiType.HTTP),
        (openapi({"type": "aws_proxy", "passthroughBehavior": "when_no_match"}), ApiType.REST),
        (openapi({"type": "aws_proxy"}, swagger="2.0"), ApiType.REST),
        (openapi({"type": "mock"}), ApiType.REST),
        (openapi({"type": "aws_proxy"}), ApiType.UNKNOWN),
    ],
)
def test_an_openapi_document_tells_the_kind_of_its_api_where_it_can(document: object, api_type: ApiType) -> None:
    (row,) = read(IntegrationSettings, document)
    assert (row.api_type, row.method, row.route) == (api_type, "ANY", "/a")


def test_an_expression_as_uri_is_not_known_and_as_timeout_is_a_gap() -> None:
    (row,) = read(
        IntegrationSettings, openapi({"type": "aws_proxy", "uri": {"Fn::Sub": URI}, "timeoutInMillis": "12000"})
    )
    assert (row.uri, row.function, row.timeout_ms) == (None, None, 12_000.0)
    (gap,) = read(Gap, openapi({"type": "aws_proxy", "timeoutInMillis": {"Ref": "Timeout"}}))
    assert "ANY /a" in gap.reason


def test_shared_integrations_and_the_api_of_the_server_are_followed() -> None:
    shared = {
        "x-amazon-apigateway-integrations": {"one": {"type": "AWS_PROXY", "uri": LAMBDA, "timeoutInMillis": 9000}}
    }
    (row,) = read(
        IntegrationSettings,
        openapi(
            {"$ref": "#/components/x-amazon-apigateway-integrations/one"},
            components=shared,
            servers=[{"url": "https://a1b2c3d4e5.execute-api.eu-west-1.amazonaws.com/{basePath}"}],
        ),
    )
    assert (row.timeout_ms, row.api_id, row.function) == (9000.0, "a1b2c3d4e5", "orders-fn")


YAML = """
AWSTemplateFormatVersion: "2010-09-09"
Resources:
  Api:
    Type: AWS::Serverless::Api
    Properties:
      StageName: !Ref Stage
      DefinitionBody:
        openapi: 3.0.1
        paths:
          /a:
            get:
              x-amazon-apigateway-integration: &common
                type: aws_proxy
                timeoutInMillis: 8000
                uri: !Sub
                  - "arn:${X}"
                  - X: !GetAtt Fn.Arn
            post:
              x-amazon-apigateway-integration:
                <<: *common
                passthroughBehavior: when_no_match
"""


def test_yaml_inside_a_template_is_read_with_its_tags_and_merge_keys() -> None:
    rows = parse_yaml(YAML, "t.yaml")
    assert rows is not None
    found = [(row.method, row.timeout_ms, row.uri) for row in rows if isinstance(row, IntegrationSettings)]
    assert found == [("GET", 8000.0, None), ("POST", 8000.0, None)]


@pytest.mark.parametrize(
    "words",
    [
        "",
        "level: INFO\nmessage: x",
        "openapi: [",
        "openapi: 3.0.1\n\tpaths: {}",
        "openapi: 3\npaths: {}\nx: !!bool no-such\n",
        "openapi: 3\nx: !!timestamp never\n",
        "openapi: 3\nx: !!int ''\n",
        "openapi: 3\n? [a, b]\n: c\n",
        "openapi: 3\n" + "x: " + "[" * 5000,
        "openapi: 3\na: &a {b: c}\n" + "".join(f"{x}: &{x} {{<<: [{', '.join([f'*{y}'] * 9)}]}}\n" for y, x in
                                                 zip("abcdefgh", "bcdefghi", strict=True)),
    ],
)  # fmt: skip
def test_yaml_that_is_something_else_or_broken_is_not_claimed(words: str) -> None:
    assert parse_yaml(words, "x.yaml") is None


def test_a_small_text_that_stands_for_a_huge_one_is_cited_in_bounds() -> None:
    lists = "".join(f"  {x}: &{x} [{', '.join([f'*{y}'] * 9)}]\n" for y, x in zip("abcdefgh", "bcdefghi", strict=True))
    words = (
        f"openapi: 3.0.1\nx:\n  a: &a [lol, lol]\n{lists}paths:\n  /a:\n    get:\n"
        "      x-amazon-apigateway-integration: {type: aws_proxy, requestParameters: *i}\n"
    )
    rows = parse_yaml(words, "x.yaml")
    assert rows is not None
    (row,) = rows
    assert isinstance(row, IntegrationSettings)
    assert len(row.cites[0].text) == 1000


def test_gateway_responses_say_which_were_changed() -> None:
    own = {
        "responseType": "INTEGRATION_TIMEOUT",
        "statusCode": "418",
        "responseTemplates": {},
        "defaultResponse": False,
    }
    rest = {"responseType": "DEFAULT_5XX", "responseParameters": {}, "defaultResponse": True}
    rows = read(GatewayResponseSettings, {"items": [own, rest]})
    assert [(row.response_type, row.status, row.is_default) for row in rows] == [
        ("INTEGRATION_TIMEOUT", 418, False),
        ("DEFAULT_5XX", None, True),
    ]
    assert read(GatewayResponseSettings, own) == rows[:1]


def test_reserved_concurrency_is_read_though_it_names_no_function() -> None:
    (row,) = read(ConcurrencySettings, {"ReservedConcurrentExecutions": 5})
    assert row.reserved == 5


@pytest.mark.parametrize(
    "value",
    [
        None,
        [],
        [{"level": "INFO"}],
        {},
        {"level": "INFO", "message": "x"},
        {"type": "HTTP", "uri": "/orders", "status": 200},
        {"id": "1", "name": "x", "type": "REQUEST"},
        {"items": [{"id": "1", "path": "/x", "method": "GET"}]},
        {"Items": [{"Id": 1}], "Count": 1},
        {"resource": "/a", "path": "/a", "httpMethod": "GET", "requestContext": {"stage": "prod"}},
        {"Attributes": {"Key": "x"}},
        {"RouteTables": []},
        {"responseType": "INTEGRATION_TIMEOUT", "status": 504},
        {"ReservedConcurrentExecutions": "many"},
    ],
)
def test_other_json_is_not_claimed(value: object) -> None:
    assert parse_document(value, "x:1") is None


NAMES = (
    "item items Items stageName StageName deploymentId methodSettings AccessLogSettings DefaultRouteSettings type uri"
    " timeoutInMillis IntegrationId IntegrationType TimeoutInMillis RouteKey RouteId Target path id resourceMethods"
    " methodIntegration FunctionName FunctionArn Timeout VpcConfig Configuration Functions ProvisionedConcurrencyConfigs"
    " RequestedProvisionedConcurrentExecutions AuthorizerId AuthorizerType authorizerUri name apiKeySource"
    " endpointConfiguration types ApiId ProtocolType Attributes Key Value openapi paths get servers url host Resources"
    " responseType responseTemplates statusCode ReservedConcurrentExecutions"
    " Properties Body x-amazon-apigateway-integration $ref loggingLevel payloadFormatVersion LoadBalancerAttributes"
)
KEYS = st.sampled_from(NAMES.split())
LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=5),
    st.sampled_from(
        ["/a", "AWS", "REQUEST", "HTTP", "idle_timeout.timeout_seconds", "#/a/b", URI, LAMBDA, 10**400, "INFO"]
    ),
)
ANYTHING = st.recursive(
    LEAVES,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(KEYS, inner, max_size=8)),
    max_leaves=25,
)


@given(ANYTHING)
def test_no_json_value_raises(value: object) -> None:
    rows = parse_document(value, "x:1")
    join_routes([row for row in rows or [] if isinstance(row, IntegrationSettings)])


WHOLE: list[dict[str, Any]] = [
    v1_stage(methodSettings={"*/*": {}}, accessLogSettings={}),
    {"StageName": "x", "DefaultRouteSettings": {}, "RouteSettings": {}, "AccessLogSettings": {}},
    {"IntegrationId": "x", "IntegrationType": "AWS_PROXY", "IntegrationUri": LAMBDA},
    {"RouteKey": "GET /x", "RouteId": "x", "Target": "integrations/x"},
    {"type": "AWS_PROXY", "uri": URI, "timeoutInMillis": 1},
    {"FunctionName": "x", "Timeout": 1, "VpcConfig": {}, "FunctionArn": LAMBDA},
    {"id": "x", "name": "x", "type": "TOKEN", "authorizerUri": URI},
    {"AuthorizerId": "x", "AuthorizerType": "JWT", "AuthorizerUri": URI},
    {"id": "x", "name": "x", "endpointConfiguration": {"types": ["EDGE"]}},
    {"ApiId": "x", "ProtocolType": "HTTP"},
    openapi({"type": "aws_proxy"}, servers=[{"url": "x"}], components={}),
]


@given(st.sampled_from(WHOLE), st.data())
def test_no_wrong_type_in_a_real_document_raises(document: dict[str, Any], data: st.DataObject) -> None:
    key = data.draw(st.sampled_from(sorted(document)))
    parse_document(document | {key: data.draw(ANYTHING)}, "x:1")


@given(st.text())
def test_no_yaml_raises(words: str) -> None:
    parse_yaml("openapi: 3\n" + words, "x.yaml")
