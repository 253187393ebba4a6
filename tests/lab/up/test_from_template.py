"""What a template says becomes what the lab serves; what the lab cannot do is told."""

import zipfile
from pathlib import Path

import pytest

from apigw_doctor.lab.from_template import ELSEWHERE, MAX_PROVISIONED, TemplateLab, template_lab
from apigw_doctor.model.terms import ApiType
from apigw_doctor.templates.read import read_template

REST = """
Transform: AWS::Serverless-2016-10-31
Parameters:
  Seconds: {Type: Number}
Globals:
  Function: {Runtime: python3.12, CodeUri: code/, Handler: app.handler}
Resources:
  Api:
    Type: AWS::Serverless::Api
    Properties:
      Name: shop
      StageName: live
      TracingEnabled: true
      EndpointConfiguration: {Type: REGIONAL}
      AccessLogSetting: {Format: "$context.requestId $context.status", DestinationArn: "arn:aws:logs:eu-west-1:123456789012:log-group:a"}
      MethodSettings:
        - {HttpMethod: "*", ResourcePath: "/*", LoggingLevel: ERROR, ThrottlingRateLimit: 50, ThrottlingBurstLimit: 9}
      GatewayResponses:
        INTEGRATION_TIMEOUT: {StatusCode: 503, ResponseTemplates: {application/json: '{"late":true}'}}
      Auth:
        Authorizers:
          Token: {FunctionArn: !GetAtt Guard.Arn, Identity: {ReauthorizeEvery: 0}}
          Pool: {UserPoolArn: "arn:aws:cognito-idp:eu-west-1:123456789012:userpool/x"}
  Guard: {Type: AWS::Serverless::Function, Properties: {FunctionName: guard-fn}}
  Orders:
    Type: AWS::Serverless::Function
    Properties:
      FunctionName: orders-fn
      Timeout: !Ref Seconds
      MemorySize: 512
      Tracing: Active
      AutoPublishAlias: live
      ProvisionedConcurrencyConfig: {ProvisionedConcurrentExecutions: 40}
      ReservedConcurrentExecutions: 3
      LoggingConfig: {LogFormat: JSON}
      Layers: ["arn:aws:lambda:eu-west-1:123456789012:layer:tools:3"]
      Environment: {Variables: {KNOWN: "1", OTHER: !ImportValue x}}
      Events:
        One: {Type: Api, Properties: {Path: "/orders/{id}", Method: get, RestApiId: !Ref Api, Auth: {Authorizer: Token}}}
        Two: {Type: Api, Properties: {Path: "/pool", Method: get, RestApiId: !Ref Api, Auth: {Authorizer: Pool}}}
"""


def lab_of(folder: Path, text: str, **parameters: str) -> TemplateLab:
    (folder / "code").mkdir(exist_ok=True)
    (folder / "code" / "app.py").write_text("def handler(event, context): return 1")
    (folder / "t.yaml").write_text(text, encoding="utf-8")
    return template_lab(read_template(folder / "t.yaml", parameters), folder / "unpacked")


@pytest.fixture(scope="module")
def rest(tmp_path_factory: pytest.TempPathFactory) -> TemplateLab:
    return lab_of(tmp_path_factory.mktemp("rest"), REST, Seconds="12")


def test_a_function_keeps_its_settings(rest: TemplateLab) -> None:
    orders = rest.setup.function("orders-fn")
    assert (orders.timeout_ms, orders.memory_mb, orders.handler, orders.runtime) == (
        12_000,
        512,
        "app.handler",
        "python3.12",
    )
    assert (orders.qualifier, orders.version, orders.log_form, orders.tracing) == ("live", "1", "json", True)
    assert (orders.reserved_concurrency, orders.provisioned_concurrency) == (3, MAX_PROVISIONED)
    assert orders.code.name == "code"
    assert orders.environment == {"KNOWN": "1"}


def test_an_api_keeps_its_stage_logs_throttle_and_responses(rest: TemplateLab) -> None:
    api = rest.setup.api
    assert (api.name, api.stage, api.endpoint_type, api.tracing) == ("shop", "live", "REGIONAL", True)
    assert (api.log_level, api.access_log_format) == ("ERROR", "$context.requestId $context.status")
    (response,) = api.gateway_responses
    assert (response.response_type, response.status, response.body) == ("INTEGRATION_TIMEOUT", 503, '{"late":true}')
    routes = {one.key: one for one in api.routes}
    assert (routes["GET /orders/{id}"].throttle_rate, routes["GET /orders/{id}"].throttle_burst) == (50, 9)


def test_a_lambda_authorizer_is_asked_and_another_is_told(rest: TemplateLab) -> None:
    (token,) = rest.setup.api.authorizers
    assert (token.function, token.kind, token.cache_ttl_s) == ("guard-fn", "TOKEN", 0)
    assert {one.path: one.authorizer for one in rest.setup.api.routes} == {"/orders/{id}": token.id, "/pool": None}
    assert any("authorizer Pool (COGNITO_USER_POOLS) is not checked here" in note for note in rest.notes)


def test_what_the_lab_does_not_do_is_told_with_its_place(rest: TemplateLab) -> None:
    for text in (
        "layer arn:aws:lambda:eu-west-1:123456789012:layer:tools:3 is not loaded",
        "variable OTHER of orders-fn is",
        f"40 environments are provisioned for orders-fn; the lab starts {MAX_PROVISIONED}",
    ):
        (note,) = (note for note in rest.notes if text in note)
        assert "t.yaml:" in note
    assert rest.unavailable == {}


def test_a_parameter_without_a_value_is_the_default_and_told(tmp_path: Path) -> None:
    lab = lab_of(tmp_path, REST)
    assert lab.setup.function("orders-fn").timeout_ms == 3_000
    assert any(
        "timeout of orders-fn is ${Seconds}" in note and "--parameter Seconds=VALUE" in note for note in lab.notes
    )


def test_where_the_template_is_silent_on_logs_the_lab_logs_and_says_so(tmp_path: Path) -> None:
    text = REST.replace("LoggingLevel: ERROR, ", "").replace("AccessLogSetting", "Nothing")
    lab = lab_of(tmp_path, text, Seconds="1")
    assert (lab.setup.api.log_level, lab.setup.api.data_trace) == ("INFO", True)
    assert lab.setup.api.access_log_format is not None
    assert any("no execution log" in note for note in lab.notes)
    assert any("no access log" in note for note in lab.notes)


def test_a_zip_beside_the_template_is_unpacked(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "code.zip", "w") as archive:
        archive.writestr("app.py", "def handler(event, context): return 1")
    lab = lab_of(tmp_path, REST.replace("CodeUri: code/", "CodeUri: code.zip"), Seconds="1")
    assert (lab.setup.function("orders-fn").code / "app.py").is_file()
    assert lab.unavailable == {}


def test_a_module_that_meets_one_of_the_labs_is_told(tmp_path: Path) -> None:
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "lab.py").write_text("NAME = 1")
    lab = lab_of(tmp_path, REST, Seconds="1")
    assert any("orders-fn: its module lab meets one of the lab's own" in note for note in lab.notes)


TARGETS = """
openapi: 3.0.1
info: {title: t, version: "1"}
paths:
  /arn: {get: {x-amazon-apigateway-integration: {type: aws_proxy, httpMethod: POST, uri: "arn:aws:apigateway:eu-west-1:lambda:path/2015-03-31/functions/arn:aws:lambda:eu-west-1:123456789012:function:far-fn/invocations"}}}
  /queue: {post: {x-amazon-apigateway-integration: {type: aws, httpMethod: POST, uri: "arn:aws:apigateway:eu-west-1:sqs:path/123456789012/q"}}}
  /http: {get: {x-amazon-apigateway-integration: {type: http, httpMethod: GET, uri: "http://127.0.0.1:9/x"}}}
  /mock: {get: {x-amazon-apigateway-integration: {type: mock}}}
  /none: {get: {}}
"""


def test_targets_that_are_not_here_are_told_and_the_others_served(tmp_path: Path) -> None:
    lab = lab_of(tmp_path, TARGETS)
    routes = {one.path: one for one in lab.setup.api.routes}
    assert (routes["/http"].kind, routes["/http"].url) == ("http-proxy", "http://127.0.0.1:9/x")
    assert routes["/mock"].kind == "mock"
    for path in ("/arn", "/queue", "/none"):
        assert routes[path].function is None
        assert any(f" {path}: " in note and "answers as if its target had failed" in note for note in lab.notes)
    assert ELSEWHERE in lab.unavailable
    assert lab.setup.api.api_type is ApiType.REST
