"""Whatever a file holds, reading it ends soon, with a model or with one sentence."""

import json
import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apigw_doctor.model.errors import DoctorError
from apigw_doctor.templates.marked import BrokenText, load_text, plain
from apigw_doctor.templates.read import read_template

FILES = sorted(
    path
    for path in (Path(__file__).parent / "files").rglob("*")
    if path.suffix in (".yaml", ".json") and path.is_file()
)
RELAXED = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

NAMES = st.sampled_from(
    ["Fn", "Api", "Stage", "Guard", "Route", "AWS::Region", "AWS::NoValue", "Yes", "No", "Loop", "x"]
)
TYPES = st.sampled_from(
    [
        "AWS::Serverless::Function",
        "AWS::Serverless::Api",
        "AWS::Serverless::HttpApi",
        "AWS::Serverless::WebSocketApi",
        "AWS::Serverless::StateMachine",
        "AWS::Lambda::Function",
        "AWS::Lambda::Alias",
        "AWS::Lambda::Version",
        "AWS::SQS::Queue",
        *(
            f"AWS::ApiGateway::{name}"
            for name in ("RestApi", "Resource", "Method", "Stage", "Deployment", "GatewayResponse")
        ),
        "AWS::ApiGateway::Authorizer",
        *(f"AWS::ApiGatewayV2::{name}" for name in ("Api", "Route", "Integration", "Stage", "Authorizer")),
    ]
)
KEYS = st.sampled_from(
    """Type Properties Timeout Handler CodeUri Code ZipFile S3Key S3Bucket Events Path Method RestApiId ApiId ResourceId
    ParentId PathPart Integration Uri TimeoutInMillis IntegrationUri RouteKey Target Body DefinitionBody DefinitionUri
    openapi swagger paths get x-amazon-apigateway-integration x-amazon-apigateway-any-method security securitySchemes
    securityDefinitions components $ref Auth Authorizers DefaultAuthorizer Authorizer FunctionArn Identity StageName
    MethodSettings DefaultRouteSettings RouteSettings AccessLogSetting Environment Variables VpcConfig Layers Metadata
    aws:asset:path Condition GatewayResponses ResponseParameters Globals Function Api EndpointConfiguration Types Routes
    Name FunctionName AutoPublishAlias info title ImageUri PackageType RequestParameters servers Fn::ForEach::X""".split()
)
LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=12),
    NAMES,
    TYPES,
    st.sampled_from(
        ["${Fn.Arn}", "${", "${}", "Api", "integrations/${Route}", "GET /x", "http://x", "{{resolve:x}}", "1e999"]
    ),
)


def functions(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Expressions, most of them with arguments that do not fit."""
    names = [
        "Ref",
        "Condition",
        *(f"Fn::{one}" for one in ("Sub", "Join", "Select", "Split", "FindInMap", "If", "GetAtt")),
    ]
    names += [
        f"Fn::{one}" for one in ("Equals", "Not", "And", "Or", "Base64", "ToJsonString", "Length", "Transform", "Cidr")
    ]
    argument = st.one_of(NAMES, values, st.lists(values, max_size=4), st.tuples(NAMES, values, values).map(list))
    return st.tuples(st.sampled_from(names), argument).map(lambda pair: {pair[0]: pair[1]})


VALUES = st.recursive(
    LEAVES,
    lambda values: st.one_of(
        st.lists(values, max_size=4),
        st.dictionaries(st.one_of(KEYS, NAMES), values, max_size=5),
        functions(values),
    ),
    max_leaves=25,
)
RESOURCES = st.dictionaries(
    NAMES, st.fixed_dictionaries({"Type": TYPES, "Properties": st.dictionaries(KEYS, VALUES, max_size=8)}), max_size=6
)
TEMPLATES = st.fixed_dictionaries(
    {"Resources": st.one_of(RESOURCES, VALUES)},
    optional={
        "Transform": st.just("AWS::Serverless-2016-10-31"),
        "Parameters": st.one_of(VALUES, st.dictionaries(NAMES, st.dictionaries(KEYS, LEAVES), max_size=3)),
        "Mappings": VALUES,
        "Conditions": st.dictionaries(NAMES, VALUES, max_size=4),
        "Globals": VALUES,
        "openapi": VALUES,
        "paths": VALUES,
    },
)


def attempt(path: Path) -> None:
    """Read a file; anything but a model or a sentence fails the test."""
    template, message = None, "a model"
    try:
        template = read_template(path)
    except DoctorError as error:
        message = error.message
    assert message
    assert "\n" not in message
    if template is None:
        return
    for api, route in template.routes():
        assert route.key
        if route.integration is not None:
            api.effective_timeout_ms(route.integration)


@RELAXED
@given(template=TEMPLATES)
def test_any_template_of_our_words(tmp_path: Path, template: dict[str, Any]) -> None:
    """Known words in any places, as JSON."""
    path = tmp_path / "t.json"
    path.write_text(json.dumps(template))
    attempt(path)


@RELAXED
@given(document=st.dictionaries(KEYS, VALUES), version=LEAVES)
def test_any_openapi_of_our_words(tmp_path: Path, document: dict[str, Any], version: object) -> None:
    """Known words in any places of an API description, as YAML."""
    path = tmp_path / "t.yaml"
    path.write_text(yaml.safe_dump({**document, "openapi": version or "3.0.1"}, allow_unicode=True))
    attempt(path)


@RELAXED
@given(data=st.binary(max_size=300))
def test_any_bytes(tmp_path: Path, data: bytes) -> None:
    """Bytes of any kind."""
    path = tmp_path / "t.yaml"
    path.write_bytes(data)
    attempt(path)


@RELAXED
@given(
    text=st.text(alphabet="{}[]:,-&*!<>|'\"#%@ \t\r\nabR10.~?", max_size=60), suffix=st.sampled_from([".yaml", ".json"])
)
def test_any_signs_of_yaml(tmp_path: Path, text: str, suffix: str) -> None:
    """The signs of YAML and JSON in any order."""
    path = tmp_path / f"t{suffix}"
    path.write_text(text)
    attempt(path)


@RELAXED
@given(data=st.data())
def test_any_damage_to_a_template(tmp_path: Path, data: st.DataObject) -> None:
    """A template with some of it cut out, doubled or replaced."""
    text = data.draw(st.sampled_from(FILES)).read_text(encoding="utf-8-sig")
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, min(len(text), start + 200)))
    middle = data.draw(
        st.one_of(st.just(""), st.just(text[start:end] * 2), st.text(max_size=6), st.just("*a"), st.just("\t"))
    )
    path = tmp_path / "t.yaml"
    path.write_text(text[:start] + middle + text[end:], encoding="utf-8", errors="replace")
    attempt(path)


JSON = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(-(10**18), 10**18), st.text(st.characters(exclude_categories=["Cs"]))
    ),
    lambda values: st.one_of(
        st.lists(values, max_size=4),
        st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), values, max_size=4),
    ),
    max_leaves=20,
)


@RELAXED
@given(
    value=st.one_of(st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), JSON), st.lists(JSON)),
    indent=st.sampled_from([None, 2, "\t"]),
    is_ascii=st.booleans(),
)
def test_json_means_what_json_means(value: object, indent: int | str | None, *, is_ascii: bool) -> None:
    """The reader with marks reads what the standard library wrote."""
    assert plain(load_text(json.dumps(value, indent=indent, ensure_ascii=is_ascii), "t.json").root) == value


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_yaml_means_what_yaml_means(path: Path) -> None:
    """Our loader and PyYAML's own agree on every file, tags aside."""

    class Tolerant(yaml.SafeLoader):
        """PyYAML's, with intrinsics spelled out."""

    def spelled(loader: yaml.SafeLoader, suffix: str, node: yaml.Node) -> object:
        name = suffix if suffix in ("Ref", "Condition", "Sometag") else f"Fn::{suffix}"
        name = "!Sometag" if name == "Sometag" else name
        if isinstance(node, yaml.ScalarNode):
            return {name: loader.construct_scalar(node)}
        if isinstance(node, yaml.SequenceNode):
            return {name: loader.construct_sequence(node, deep=True)}
        assert isinstance(node, yaml.MappingNode)
        return {name: loader.construct_mapping(node, deep=True)}

    Tolerant.add_multi_constructor("!", spelled)
    text = path.read_text(encoding="utf-8-sig")
    if path.suffix == ".json":
        assert plain(load_text(text, path.name).root) == json.loads(text)
    else:
        theirs = yaml.load(text, Loader=Tolerant)
        assert json.loads(json.dumps(plain(load_text(text, path.name).root))) == json.loads(
            json.dumps(theirs, default=str)
        )


@pytest.mark.parametrize(
    "text",
    [
        "[" * 1_000_000,
        "{" * 1_000_000,
        '{"a":' * 1_000_000,
        "a: " + "[" * 1_000_000,
        "- " * 300_000,
        "\n".join(" " * depth + "a:" for depth in range(2_000)),
        "? " * 100_000,
        "!Sub " * 200_000,
        "a0: &a0 [x]\n" + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 30)),
        "a0: &a0 {x: 1}\n"
        + "".join(f"a{n}: &a{n} {{<<: [*a{n - 1}, *a{n - 1}], b: *a{n - 1}, c: *a{n - 1}}}\n" for n in range(1, 60)),
        "a: &a [*a]",
        "a: &a {<<: *a}",
        "Resources: &r {x: *r}",
        "big: &big " + "x" * 1_000_000 + "\nResources: [" + "*big, " * 100_000 + "]",
        '{"a": ' + "9" * 100_000 + "}",
        "a: " + "9" * 100_000,
        "a: !!python/object/apply:os.system ['echo no']",
        "a: !!int x\nb: !!timestamp y\nc: !!binary '==='\nd: !!set [1]",
        "Resources: {Fn: {Type: 'AWS::Lambda::Function', Properties: {Timeout: {'Fn::Sub': '"
        + "${A}" * 100_000
        + "'}}}}\n"
        "Parameters: {A: {Type: String, Default: " + "y" * 100_000 + "}}",
        "Conditions: {A: !Not [!Condition B], B: !Not [!Condition A]}\n"
        "Resources: {Fn: {Type: 'AWS::Lambda::Function', Condition: A, Properties: {Timeout: !If [A, 1, 2]}}}",
        "Resources:\n  R: {Type: 'AWS::ApiGateway::Resource', Properties: {ParentId: !Ref R, PathPart: r}}\n"
        "  M: {Type: 'AWS::ApiGateway::Method', Properties: {ResourceId: !Ref R}}",
        "openapi: 3.0.1\npaths: {/a: {get: {x-amazon-apigateway-integration: {$ref: '#/x'}}}}\nx: {$ref: '#/x'}",
        "Resources: {Fn::Transform: {Name: 'AWS::Include', Parameters: {Location: t.yaml}}}",
        "Resources: {A: {Type: 'AWS::Serverless::Api', Properties: {DefinitionUri: /dev/zero}}}",
        "Resources:\n"
        + "".join(f"  F{n}: {{Type: 'AWS::Lambda::Function', Properties: {{Timeout: {n}}}}}\n" for n in range(3_000)),
        "Conditions:\n  C0: !Equals [a, a]\n"
        + "".join(f"  C{n}: !Not [!Condition C{n - 1}]\n" for n in range(1, 5_000))
        + "Resources: {Fn: {Type: 'AWS::Lambda::Function', Condition: C4999}}",
        "Parameters: {A: {Type: String, Default: "
        + "y" * 4_000
        + "}}\nResources:\n"
        + "".join(
            f"  F{n}: {{Type: 'AWS::SQS::Queue', Properties: {{Q: !Sub '{'${A}' * 200}'}}}}\n" for n in range(2_000)
        ),
        "Parameters: {A: {Type: CommaDelimitedList, Default: '"
        + "y," * 2_000
        + "'}}\nResources:\n"
        + "".join(f"  F{n}: {{Type: 'AWS::SQS::Queue', Properties: {{Q: !Ref A}}}}\n" for n in range(2_000)),
    ],
    ids=range(28),
)
def test_what_would_be_endless_ends(tmp_path: Path, text: str) -> None:
    """Nesting, alias bombs, loops and huge texts end within seconds, with a model or a sentence."""
    path = tmp_path / "t.yaml"
    path.write_text(text)
    start = time.monotonic()
    attempt(path)
    assert time.monotonic() - start < 30  # a busy machine included


def test_nothing_is_executed() -> None:
    """A tag that makes Python objects elsewhere is text here."""
    found = load_text("a: !!python/object/apply:os.system ['exit 1']", "t.yaml")
    assert plain(found.root) == {"a": ["exit 1"]}


def test_a_broken_file_names_its_place() -> None:
    """The sentence has file, line and column."""
    with pytest.raises(BrokenText) as caught:
        load_text("a:\n  - b\n c: d\n", "t.yaml")
    assert caught.value.message.startswith("t.yaml:3:2: ")
    assert caught.value.hint
