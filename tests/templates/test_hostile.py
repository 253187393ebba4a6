"""Whatever a user hands over, the answer is a template or one sentence."""

import json
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apigw_doctor.model.errors import DoctorError
from apigw_doctor.templates.read import read_template

BOMB = "a0: &a0 [x, x]\n" + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 12))
RESOURCES = "Resources:\n  Fn:\n    Type: AWS::Serverless::Function\n    Properties:\n"

NOT_TEMPLATES = {
    "empty.yaml": b"",
    "blank.yaml": b"\n  \n# only a remark\n",
    "binary.yaml": bytes(range(256)) * 4,
    "picture.png": b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR",
    "list.yaml": b"- a\n- b\n",
    "word.yaml": b"just some words",
    "number.json": b"42",
    "main.tf": b'resource "aws_lambda_function" "f" {\n  timeout = 30\n}\n',
    "plan.json": b'{"format_version": "1.2", "terraform_version": "1.9.0", "planned_values": {}}',
    "serverless.yml": b"service: orders\nprovider: {name: aws}\nfunctions: {a: {handler: a.b}}\n",
    "compose.yaml": b"services: {web: {image: nginx}}\n",
    "no-resources.yaml": b"AWSTemplateFormatVersion: '2010-09-09'\nDescription: nothing\n",
    "manifest.json": b'{"version": "38.0.1", "artifacts": {}}',
    "handler.py": b"def handler(event, context):\n    return {}\n",
    "tabs.yaml": b"Resources:\n\tFn: {}\n",
    "open.yaml": b"Resources: {Fn: [\n",
    "cut.json": b'{"Resources": {"Fn": ',
    "jinja.yaml": b"Resources:\n  {% for x in y %}\n  A: 1\n",
    "bomb.yaml": (BOMB + "Resources: *a11\n").encode(),
    "self.yaml": b"Resources: &a {b: *a}\n",
    "no-anchor.yaml": b"Resources: *nothing\n",
    "deep.yaml": b"[" * 200_000,
    "deep.json": b'{"a":' * 200_000,
    "deep-block.yaml": b"- " * 50_000 + b"x",
}


@pytest.mark.parametrize("name", NOT_TEMPLATES)
def test_what_is_no_template_gets_one_sentence(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(NOT_TEMPLATES[name])
    begun = time.monotonic()
    with pytest.raises(DoctorError) as told:
        read_template(path)
    assert time.monotonic() - begun < 5
    assert name in told.value.message
    assert "\n" not in told.value.message
    assert told.value.hint


def test_a_folder_and_a_missing_file_get_one_sentence(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "missing.yaml", tmp_path / "a\0b", tmp_path / ("x" * 5_000)):
        with pytest.raises(DoctorError):
            read_template(path)


@pytest.mark.parametrize("name", ["main.tf", "serverless.yml"])
def test_another_tools_file_is_named(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(NOT_TEMPLATES[name])
    with pytest.raises(DoctorError, match=r"(?i)terraform|serverless"):
        read_template(path)


ODD = {
    "digits": RESOURCES + f"      Timeout: {'9' * 5_000}\n",
    "infinite": RESOURCES + "      Timeout: .inf\n      MemorySize: 1e999\n",
    "negative": RESOURCES + "      Timeout: -5\n",
    "list-for-number": RESOURCES + "      Timeout: [1, 2]\n      Events: [1]\n",
    "null-everything": "Resources: {Fn: null, Api: {Type: null}, R: {Type: AWS::ApiGateway::Method, Properties: null}}",
    "type-is-a-list": "Resources: {Fn: {Type: [AWS::Serverless::Function]}}",
    "parent-circle": "Resources:\n"
    + "".join(
        f"  R{n}: {{Type: AWS::ApiGateway::Resource, Properties: "
        f"{{RestApiId: !Ref A, ParentId: !Ref R{1 - n}, PathPart: x}}}}\n"
        for n in (0, 1)
    )
    + "  M: {Type: AWS::ApiGateway::Method, Properties: {RestApiId: !Ref A, ResourceId: !Ref R0, HttpMethod: GET}}\n",
    "condition-circle": "Conditions: {A: !Condition B, B: !Not [!Condition A]}\n"
    + "Resources: {Fn: {Type: AWS::Lambda::Function, Condition: A, Properties: {}}}",
    "growing-text": "Resources: {Fn: {Type: AWS::Lambda::Function, Properties: {FunctionName: "
    + "".join(f"!Sub ['{'${a}' * 40}', {{a: " for _ in range(20))
    + "x"
    + "}]" * 20
    + "}}}",
    "reference-circle": "openapi: 3.0.1\npaths: {/a: {$ref: '#/paths/~1a'}, /b: {get: {$ref: '#/paths'}}}",
    "body-names-itself": "Resources: {A: {Type: AWS::Serverless::Api, Properties: {StageName: x, DefinitionUri: t.yaml}}}",
    "body-out-of-reach": "Resources: {A: {Type: AWS::Serverless::Api, Properties: {StageName: x, DefinitionUri: /dev/zero}}}",
    "include-names-itself": "Resources: {A: {Type: AWS::Serverless::Api, Properties: {StageName: x, DefinitionBody: "
    "{'Fn::Transform': {Name: AWS::Include, Parameters: {Location: t.yaml}}}}}}",
    "surrogates": '{"Resources": {"\\ud800": {"Type": "AWS::Lambda::Function", "Properties": {"Timeout": "\\udfff"}}}}',
    "merge": "x: &x {Timeout: 7}\n" + RESOURCES + "      <<: *x\n",
    "tags": "Resources: !Odd {Fn: !!python/object:os.system {Type: !!binary AAAA}}",
}


@pytest.mark.parametrize("name", ODD)
def test_odd_values_are_read_or_told(name: str, tmp_path: Path) -> None:
    path = tmp_path / "t.yaml"
    path.write_text(ODD[name], encoding="utf-8")
    begun = time.monotonic()
    _reads_or_tells(path)
    assert time.monotonic() - begun < 5


WORDS = st.sampled_from(
    "Resources Type Properties Events Api HttpApi Path Method RestApiId ApiId Timeout TimeoutInMillis Integration Uri "
    "AWS::Serverless::Function AWS::Serverless::Api AWS::Serverless::HttpApi AWS::Lambda::Function AWS::Lambda::Alias "
    "AWS::ApiGateway::RestApi AWS::ApiGateway::Method AWS::ApiGateway::Resource AWS::ApiGateway::Stage "
    "AWS::ApiGatewayV2::Api AWS::ApiGatewayV2::Route AWS::ApiGatewayV2::Integration AWS::ApiGatewayV2::Stage "
    "Transform AWS::Serverless-2016-10-31 Globals Function Parameters Default Conditions Mappings Ref Fn::Sub Fn::If "
    "Fn::Join Fn::GetAtt Fn::FindInMap Fn::Select Fn::Split Fn::Transform Fn::ForEach::X Condition Auth Authorizers "
    "DefaultAuthorizer StageName MethodSettings DefinitionBody Body openapi swagger paths get /a components "
    "securitySchemes x-amazon-apigateway-integration x-amazon-apigateway-any-method Fn A ${A} ${A.Arn} $default "
    "Environment Variables VpcConfig CodeUri Code Layers Target RouteKey ProtocolType HTTP 3.0.1 29000 0 -1 true".split()
)
VALUES = st.recursive(
    st.one_of(WORDS, st.text(max_size=6), st.integers(), st.floats(), st.booleans(), st.none()),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(WORDS, inner, max_size=5)),
    max_leaves=40,
)
TYPES = st.sampled_from(
    [
        "AWS::Serverless::Function", "AWS::Serverless::Api", "AWS::Serverless::HttpApi", "AWS::Lambda::Function",
        "AWS::Lambda::Alias", "AWS::Lambda::Version", "AWS::ApiGateway::RestApi", "AWS::ApiGateway::Resource",
        "AWS::ApiGateway::Method", "AWS::ApiGateway::Stage", "AWS::ApiGateway::Deployment", "AWS::ApiGateway::Authorizer",
        "AWS::ApiGateway::GatewayResponse", "AWS::ApiGatewayV2::Api", "AWS::ApiGatewayV2::Route",
        "AWS::ApiGatewayV2::Integration", "AWS::ApiGatewayV2::Stage", "AWS::ApiGatewayV2::Authorizer", "Odd::Type",
    ]
)  # fmt: skip
KEYS = st.sampled_from(
    "Events Auth Timeout MemorySize Environment VpcConfig CodeUri Code Layers StageName MethodSettings AccessLogSetting "
    "DefinitionBody DefinitionUri Body RestApiId ApiId ResourceId ParentId PathPart HttpMethod Integration Target "
    "RouteKey ProtocolType AuthorizerId AuthorizerUri FunctionName Name ProvisionedConcurrencyConfig GatewayResponses "
    "EndpointConfiguration RouteSettings DefaultRouteSettings IntegrationUri IntegrationType TimeoutInMillis".split()
)
RESOURCE = st.fixed_dictionaries(
    {"Type": TYPES, "Properties": st.one_of(st.dictionaries(KEYS, VALUES, max_size=8), VALUES)},
    optional={"Metadata": VALUES, "Condition": VALUES},
)
TEMPLATES = st.fixed_dictionaries(
    {"Resources": st.dictionaries(st.sampled_from(["A", "B", "Fn", "R"]), RESOURCE, max_size=4)},
    optional={key: VALUES for key in ("Globals", "Parameters", "Mappings", "Conditions", "Transform")},
)
DOCUMENTS = st.fixed_dictionaries(
    {"openapi": VALUES},
    optional={"paths": VALUES, "components": VALUES, "securityDefinitions": VALUES, "security": VALUES, "info": VALUES},
)
_SETTINGS = settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


def _reads_or_tells(path: Path) -> None:
    message = ""
    try:
        read_template(path, {"A": "1"})
    except DoctorError as told:
        message = told.message
    assert "\n" not in message


@_SETTINGS
@given(data=st.binary(max_size=200))
def test_any_bytes_are_read_or_told(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "t.yaml"
    path.write_bytes(data)
    _reads_or_tells(path)


@_SETTINGS
@given(text=st.text(alphabet="{}[]:,-&*!<|>'\"#%@ \n\t\\aR0", max_size=60))
def test_any_text_of_yaml_signs_is_read_or_told(text: str, tmp_path: Path) -> None:
    path = tmp_path / "t.yaml"
    path.write_bytes(text.encode())
    _reads_or_tells(path)


@_SETTINGS
@given(value=st.one_of(TEMPLATES, DOCUMENTS, VALUES))
def test_any_template_of_odd_values_is_read_or_told(value: Any, tmp_path: Path) -> None:
    path = tmp_path / "t.json"
    path.write_text(json.dumps(value))
    _reads_or_tells(path)


def test_a_remark_in_another_encoding_is_no_hindrance(tmp_path: Path) -> None:
    path = tmp_path / "t.yaml"
    path.write_bytes((RESOURCES + "      Timeout: 7 # caf\u00e9\n").encode("latin-1"))
    assert read_template(path).function("Fn").timeout_ms == 7_000


SLOW = {
    "a brace that never closes": RESOURCES + '      FunctionName: !Sub "${' + " " * 20_000 + 'x"\n',
    "blank lines": "\n" * 200_000 + RESOURCES + "      Timeout: 5\n",
    "a long quotation": 'resource "' + "a" * 100_000 + "\n" + RESOURCES,
    "conditions in a chain": "Conditions:\n"
    + "".join(f"  C{n}: !And [!Condition C{n + 1}, !Condition C{n + 1}]\n" for n in range(500))
    + "  C500: !Equals [a, a]\n"
    + RESOURCES
    + "      Timeout: !If [C0, 5, 6]\n",
}


@pytest.mark.parametrize("name", SLOW)
def test_long_texts_take_no_more_than_their_length(name: str, tmp_path: Path) -> None:
    path = tmp_path / "t.yaml"
    path.write_text(SLOW[name])
    begun = time.monotonic()
    _reads_or_tells(path)
    assert time.monotonic() - begun < 3


def test_a_template_may_hold_terraform_in_a_text(tmp_path: Path) -> None:
    path = tmp_path / "t.yaml"
    path.write_text(RESOURCES + '      InlineCode: |\n        resource "aws_x" "y" {\n        }\n      Timeout: 4\n')
    assert read_template(path).function("Fn").timeout_ms == 4_000


def test_terraform_under_another_name_is_told(tmp_path: Path) -> None:
    path = tmp_path / "t.yaml"
    path.write_bytes(NOT_TEMPLATES["main.tf"])
    with pytest.raises(DoctorError, match="Terraform"):
        read_template(path)


def test_spaces_in_a_placeholder_do_not_count(tmp_path: Path) -> None:
    path = tmp_path / "t.yaml"
    path.write_text("Parameters: {P: {Type: String, Default: x}}\n" + RESOURCES + "      FunctionName: !Sub a-${ P }\n")
    assert read_template(path).function("Fn").name == "a-x"
