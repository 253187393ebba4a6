"""Templates of all kinds come to one model, and every value of it points at the text that it was read from."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from apigw_doctor.model.errors import DoctorError, NothingReadable, UsageError
from apigw_doctor.model.terms import ApiType
from apigw_doctor.templates.intrinsics import Unresolved
from apigw_doctor.templates.marked import Mark
from apigw_doctor.templates.model import Api, Integration, Route, Template
from apigw_doctor.templates.read import MAX_BYTES, read_template

FILES = Path(__file__).parent / "files"


def read(name: str, parameters: Mapping[str, str] = {}) -> Template:
    return read_template(FILES / name, parameters)


def written(mark: Mark) -> str:
    """The text that a mark covers."""
    lines = Path(mark.file).read_text(encoding="utf-8-sig").split("\n")[mark.line - 1 : mark.end_line]
    lines[-1] = lines[-1][: mark.end_column - 1]
    lines[0] = lines[0][mark.column - 1 :]
    return "\n".join(lines).strip()


def route(api: Api, key: str) -> Route:
    return next(one for one in api.routes if one.key == key)


def integration(api: Api, key: str) -> Integration:
    found = route(api, key).integration
    assert found is not None
    return found


def texts(template: Template) -> str:
    return "\n".join(problem.text for problem in template.problems)


class TestSamImplicit:
    """Events of functions make the two APIs of SAM."""

    def test_routes_lead_to_their_functions(self) -> None:
        """Each event is a route; `any` is ANY, and an HTTP event without a path is the default route."""
        template = read("sam_implicit.yaml")
        assert template.kind == "sam"
        assert [(api.logical_id, r.key, r.integration and r.integration.function) for api, r in template.routes()] == [
            ("ServerlessRestApi", "GET /orders", "OrdersFunction"),
            ("ServerlessRestApi", "GET /orders/{id}", "OrdersFunction"),
            ("ServerlessRestApi", "ANY /legacy/{proxy+}", "OrdersFunction"),
            ("ServerlessHttpApi", "POST /pay", "PayFunction"),
            ("ServerlessHttpApi", "$default", "PayFunction"),
        ]
        assert template.problems == ()

    def test_timeouts_are_explicit_or_the_default(self) -> None:
        """A route without a timeout has the API type's own, and says that nobody wrote it."""
        template = read("sam_implicit.yaml")
        rest, http = template.apis
        slow, quick = integration(rest, "GET /orders"), integration(rest, "GET /orders/{id}")
        assert (slow.timeout_ms, rest.effective_timeout_ms(slow), slow.is_explicit("timeout_ms")) == (
            None,
            29_000,
            False,
        )
        assert (quick.timeout_ms, written(quick.mark_of("timeout_ms"))) == (5_000, "5000")
        pay = integration(http, "POST /pay")
        assert (pay.timeout_ms, pay.payload_format, pay.qualifier) == (12_000, "1.0", "live")
        assert integration(http, "$default").payload_format == "2.0"
        assert http.effective_timeout_ms(integration(http, "$default")) == 30_000

    def test_globals_keep_their_places(self) -> None:
        """What comes from Globals is cited there; what the function says itself is cited at the function."""
        template = read("sam_implicit.yaml")
        orders, pay = template.functions
        assert (orders.timeout_ms, orders.mark_of("timeout_ms").line) == (20_000, 8)
        assert (pay.timeout_ms, pay.mark_of("timeout_ms").line, written(pay.mark_of("timeout_ms"))) == (
            60_000,
            57,
            "60",
        )
        assert orders.environment == {"LOG_LEVEL": "INFO", "TABLE": "${OrdersTable}"}
        assert (orders.memory_mb, orders.tracing, orders.handler) == (512, "Active", "app.handler")
        stage = template.api("ServerlessRestApi").stages[0]
        assert (stage.name, stage.log_level, stage.data_trace, stage.tracing) == ("Prod", "INFO", False, True)
        assert template.api("ServerlessRestApi").endpoint_type == "REGIONAL"

    def test_functions_have_all_that_a_lab_needs(self) -> None:
        """Code, concurrency, alias, SnapStart, VPC, layers and log format."""
        orders, pay = read("sam_implicit.yaml").functions
        assert orders.code_path == FILES / "orders"
        assert (pay.code_path, pay.code_uri) == (None, "s3://artifacts/pay.zip")
        assert (pay.alias, pay.provisioned_concurrency, pay.reserved_concurrency) == ("live", 5, 50)
        assert (pay.snap_start, pay.in_vpc, pay.log_format) == (True, True, "JSON")
        assert pay.layers == ("arn:aws:lambda:eu-west-1:123456789012:layer:tools:3",)
        assert (orders.snap_start, orders.in_vpc, orders.alias) == (False, False, None)

    def test_other_resources_and_events_are_kept(self) -> None:
        """Queues keep their values and places; an event of another kind knows its function."""
        template = read("sam_implicit.yaml")
        queue = template.others_of("AWS::SQS::Queue")[0]
        assert queue.values["RedrivePolicy"] == {"deadLetterTargetArn": "${DeadQueue.Arn}", "maxReceiveCount": 1}
        assert written(queue.marks["RedrivePolicy.maxReceiveCount"]) == "1"
        jobs = template.others_of("SAM::Event::SQS")[0]
        assert (jobs.owner, jobs.values["BatchSize"]) == ("PayFunction", 5)
        assert [one.logical_id for one in template.others] == [
            "JobQueue",
            "DeadQueue",
            "OrdersTable",
            "PayFunctionJobs",
        ]


class TestSamBody:
    """An explicit REST API with an OpenAPI body."""

    def test_the_body_has_the_routes(self) -> None:
        """Events of an API with a body make no routes; a streamed route and a service action are told."""
        template = read("sam_body.yaml")
        api = template.api("ShopApi")
        assert [one.key for one in api.routes] == ["GET /items/{id}", "POST /stream", "GET /health", "POST /flow"]
        item = integration(api, "GET /items/{id}")
        assert (item.kind, item.function, item.qualifier, item.timeout_ms) == (
            "aws-proxy",
            "ItemFunction",
            "live",
            7_000,
        )
        assert written(item.mark_of("timeout_ms")) == "7000"
        stream = integration(api, "POST /stream")
        assert (stream.transfer_mode, stream.timeout_ms, stream.function) == ("STREAM", 120_000, "ItemFunction")
        assert integration(api, "GET /health").kind == "mock"
        assert integration(api, "POST /flow").action == "states:action/StartSyncExecution"
        assert template.problems == ()

    def test_the_default_authorizer_guards_the_body(self) -> None:
        """Routes without `security` are guarded; one with an empty list is not."""
        api = read("sam_body.yaml").api("ShopApi")
        assert route(api, "GET /health").authorizer == "Bearer"
        assert (route(api, "POST /stream").authorizer, route(api, "POST /stream").authorization) == (None, "NONE")
        bearer = api.authorizer("Bearer")
        assert bearer is not None
        assert (bearer.kind, bearer.function, bearer.ttl_s, bearer.identity_sources) == (
            "TOKEN",
            "AuthFunction",
            0,
            ("Authorization",),
        )
        assert [one.kind for one in api.authorizers] == ["TOKEN", "COGNITO_USER_POOLS"]

    def test_stage_evidence_and_gateway_responses(self) -> None:
        """Logging of the stage and of single methods, the access log, and changed answers."""
        api = read("sam_body.yaml").api("ShopApi")
        stage = api.stages[0]
        assert (api.name, api.endpoint_type, stage.name, stage.tracing) == ("shop-live", "EDGE", "live", True)
        assert (stage.log_level, stage.throttle_rate, stage.throttle_burst) == ("ERROR", 100, 50)
        assert "integrationLatency" in str(stage.access_log_format)
        own = stage.route_settings[0]
        assert (own.method, own.path, own.log_level, own.data_trace) == ("GET", "/items/{id}", "INFO", True)
        response = api.gateway_responses[0]
        assert (response.response_type, response.status) == ("INTEGRATION_TIMEOUT", 503)
        assert response.parameters == {"gatewayresponse.header.Retry-After": "'5'"}
        assert response.templates == {"application/json": '{"message":"please wait"}'}

    def test_parameters_are_named_and_can_be_given(self) -> None:
        """A value that hangs on a parameter says so, and changes with what the caller gives."""
        api = read("sam_body.yaml").api("ShopApi")
        assert api.stages[0].depends["name"] == ("StageName",)
        given = read("sam_body.yaml", {"StageName": "test", "AWS::Region": "us-east-1"})
        item = integration(given.api("ShopApi"), "GET /items/{id}")
        assert item.qualifier == "test"
        assert "us-east-1" in str(item.uri)
        with pytest.raises(UsageError, match="has no parameter Stagename"):
            read("sam_body.yaml", {"Stagename": "x"})

    def test_inline_code(self) -> None:
        """Code in the template is text; the other function's is a path."""
        item, auth = read("sam_body.yaml").functions
        assert str(item.inline_code).startswith("def handler")
        assert (item.code_path, auth.code_path) == (None, FILES / "auth")


def test_sam_http_api() -> None:
    """An HTTP API with a JWT and a Lambda authorizer, its default and what events say against it."""
    template = read("sam_http.yaml")
    api = template.api("Api")
    assert (api.api_type, [one.key for one in api.routes]) == (ApiType.HTTP, ["GET /users", "POST /users", "GET /open"])
    assert [(one.authorizer, one.authorization) for one in api.routes] == [
        ("Tokens", "JWT"),
        ("Own", "CUSTOM"),
        (None, "NONE"),
    ]
    own = api.authorizer("Own")
    assert own is not None
    assert (own.kind, own.function, own.simple_responses, own.payload_format, own.ttl_s) == (
        "REQUEST",
        "Guard",
        True,
        "2.0",
        60,
    )
    stage = api.stages[0]
    assert (stage.name, stage.throttle_rate, stage.throttle_burst) == ("v1", 20.5, 10)
    assert (stage.route_settings[0].path, stage.route_settings[0].metrics) == ("/users", True)
    assert template.problems == ()


def test_sam_websocket_api() -> None:
    """SAM's WebSocket API names functions in its routes; its authorizer guards `$connect` alone."""
    api = read("sam_websocket.yaml").api("Chat")
    assert [(one.key, one.authorizer) for one in api.routes] == [("$connect", "door"), ("ask", None)]
    assert (integration(api, "ask").timeout_ms, integration(api, "ask").function) == (15_000, "Talk")
    assert api.effective_timeout_ms(integration(api, "$connect")) == 29_000
    assert api.authorizers[0].function == "Door"


class TestCloudFormationRest:
    """A REST API whose parts are resources of their own."""

    def test_paths_come_from_nested_resources(self) -> None:
        """The path is put together from the resource up to the root."""
        template = read("cfn_rest.yaml")
        assert template.kind == "cloudformation"
        api = template.api("Api")
        assert [one.key for one in api.routes] == ["GET /reports/{id}", "POST /reports", "ANY /"]
        assert written(route(api, "GET /reports/{id}").mark_of("path")) == '"{id}"'
        assert api.endpoint_type == "REGIONAL"

    def test_an_alias_leads_to_its_function(self) -> None:
        """An integration that names an alias calls the function with that qualifier."""
        template = read("cfn_rest.yaml")
        one = integration(template.api("Api"), "GET /reports/{id}")
        assert (one.function, one.qualifier, one.timeout_ms) == ("ReportFunction", "live", 29_000)
        assert (one.depends["timeout_ms"], written(one.mark_of("timeout_ms"))) == (
            ("GatewayTimeout",),
            "!Ref GatewayTimeout",
        )
        report = template.function("ReportFunction")
        assert (report.alias, report.provisioned_concurrency) == ("live", 3)

    def test_what_hangs_on_a_parameter_without_value_has_candidates(self) -> None:
        """Neither a mapping's cell nor a condition's branch is guessed."""
        template = read("cfn_rest.yaml")
        proxy = integration(template.api("Api"), "ANY /")
        assert isinstance(proxy.timeout_ms, Unresolved)
        assert proxy.timeout_ms.candidates == (29_000, 5_000)
        report = template.function("ReportFunction")
        assert isinstance(report.memory_mb, Unresolved)
        assert (report.memory_mb.candidates, report.timeout_ms) == ((256, 1024), 45_000)
        assert isinstance(report.in_vpc, Unresolved)
        assert template.function("GuardFunction").in_vpc is False
        assert template.api("Api").stages[1].name == Unresolved("${Environment}", ("dev", "prod"))

    def test_a_given_parameter_decides(self) -> None:
        """With the parameter, the same values are known."""
        template = read("cfn_rest.yaml", {"Environment": "prod"})
        assert integration(template.api("Api"), "ANY /").timeout_ms == 29_000
        assert template.function("ReportFunction").memory_mb == 1_024
        assert template.function("ReportFunction").in_vpc is True

    def test_asynchronous_calls_and_vpc_links(self) -> None:
        """An integration that nobody waits for, and one through a VPC link."""
        api = read("cfn_rest.yaml").api("Api")
        post, proxy = integration(api, "POST /reports"), integration(api, "ANY /")
        assert (post.kind, post.asynchronous, post.function) == ("aws", True, "ReportFunction")
        assert (proxy.kind, proxy.is_vpc_link, proxy.url) == ("http-proxy", True, "http://backend.example/{proxy}")
        assert (route(api, "ANY /").authorization, route(api, "ANY /").api_key_required) == ("AWS_IAM", True)

    def test_authorizer_stage_and_responses(self) -> None:
        """A route names its authorizer by logical id; a deployment may make a stage too."""
        api = read("cfn_rest.yaml").api("Api")
        guard = api.authorizer(route(api, "GET /reports/{id}").authorizer)
        assert guard is not None
        assert (guard.name, guard.function, guard.ttl_s, guard.kind) == ("guard", "GuardFunction", 60, "REQUEST")
        assert guard.identity_sources == ("method.request.header.Authorization", "method.request.querystring.q")
        stages = {str(one.name): (one.log_level, one.data_trace, one.tracing) for one in api.stages}
        assert stages == {"early": ("INFO", True, False), "${Environment}": ("ERROR", None, True)}
        assert api.gateway_responses[0].templates == {"application/json": '{"error":"slow"}'}

    def test_a_false_condition_leaves_a_resource_out_and_says_so(self) -> None:
        """A resource that would not be created is no function, and no secret either."""
        template = read("cfn_rest.yaml")
        assert [one.logical_id for one in template.functions] == ["ReportFunction", "GuardFunction"]
        assert [(one.kind, one.text) for one in template.problems] == [
            ("left-out", "Unwanted is left out: the condition Never is false here")
        ]


def test_cloudformation_websocket() -> None:
    """Routes, integrations, authorizer and stage of a WebSocket API; a route without a target is a problem."""
    template = read("cfn_websocket.yaml")
    api = template.api("Chat")
    assert api.api_type is ApiType.WEBSOCKET
    assert [one.key for one in api.routes] == ["$connect", "ask", "lost"]
    assert (route(api, "$connect").authorizer, api.authorizers[0].function) == ("Door", "ChatFunction")
    assert (integration(api, "ask").timeout_ms, integration(api, "ask").function) == (10_000, "ChatFunction")
    stage = api.stages[0]
    assert (stage.log_level, stage.data_trace, stage.throttle_rate) == ("INFO", True, 5)
    assert (stage.route_settings[0].path, stage.route_settings[0].log_level) == ("ask", "OFF")
    assert template.function("ChatFunction").code_path == FILES / "chat"
    assert texts(template) == "Lost: it has no Target"


def test_cloudformation_body() -> None:
    """The body of a REST API names it and its endpoint; an image has no code at hand."""
    template = read("cfn_body.yaml")
    api = template.api("Api")
    assert (api.name, api.endpoint_type, integration(api, "GET /slow").function) == ("from the body", "PRIVATE", "Slow")
    slow = template.function("Slow")
    assert (slow.package, slow.timeout_ms, slow.code_path) == ("Image", 900_000, None)
    assert str(slow.code_uri).endswith("/slow:1")


def test_quick_create_in_json_with_tabs() -> None:
    """An HTTP API with a target has one route; JSON may have tabs, escapes and surrogate pairs."""
    template = read("cfn_quick_create.json")
    quick, web = template.apis
    assert (quick.name, integration(quick, "$default").function, quick.stages[0].name) == ("quick 🚀", "Fn", "$default")
    assert (integration(web, "GET /site").kind, integration(web, "GET /site").url) == (
        "http-proxy",
        "https://example.com",
    )
    function = template.function("Fn")
    assert (function.timeout_ms, written(function.mark_of("timeout_ms"))) == (29_000, "29")
    assert function.inline_code == "def b(e, c):\n    pass"


def test_cdk_assembly() -> None:
    """A synthesised template has its code beside it, and says which construct made what."""
    template = read("cdk.out/ShopStack.template.json")
    handler = template.functions[0]
    assert (handler.code_path, handler.construct) == (FILES / "cdk.out" / "asset.1f2e", "ShopStack/Handler/Resource")
    api = template.apis[0]
    assert (api.stages[0].log_level, api.stages[0].tracing) == ("INFO", True)
    assert integration(api, "ANY /{proxy+}").function == "Handler886CB40B"
    assert route(api, "ANY /{proxy+}").construct == "ShopStack/Api/Default/{proxy+}/ANY/Resource"
    assert template.problems == ()


def test_cdk_asset_without_metadata(tmp_path: Path) -> None:
    """Where the metadata are switched off, the asset is found by the hash of its key."""
    text = (FILES / "cdk.out" / "ShopStack.template.json").read_text()
    (tmp_path / "asset.1f2e").mkdir()
    (tmp_path / "s.template.json").write_text(text.replace("aws:asset:path", "x"))
    assert read_template(tmp_path / "s.template.json").functions[0].code_path == tmp_path / "asset.1f2e"


def test_openapi_3() -> None:
    """An OpenAPI file is one API; names come from the URIs, shared integrations are followed."""
    template = read("openapi3.yaml")
    assert template.kind == "openapi"
    api = template.apis[0]
    assert (api.api_type, api.name, api.logical_id) == (ApiType.HTTP, "weather", "openapi3")
    forecast = integration(api, "GET /forecast")
    assert (forecast.function, forecast.function_name, forecast.qualifier) == (None, "forecast", "live")
    assert (forecast.timeout_ms, forecast.payload_format) == (9_500, "2.0")
    assert route(api, "GET /forecast").authorizer == "jwt"
    assert api.authorizers[0].kind == "JWT"
    assert integration(api, "$default").is_vpc_link
    assert texts(template) == "GET /nothing has no x-amazon-apigateway-integration"


def test_swagger_2() -> None:
    """A Swagger export is a REST API with token authorizer, changed answers and an alias by stage variable."""
    template = read("swagger2.json")
    api = template.apis[0]
    assert (api.api_type, api.name, api.binary_media_types) == (ApiType.REST, "legacy", ("image/png",))
    pets = integration(api, "GET /pets")
    assert (pets.function_name, pets.qualifier, pets.timeout_ms) == ("pets", "${stageVariables.alias}", 3_000)
    assert written(pets.mark_of("timeout_ms")) == "3000"
    assert [(one.key, one.authorizer, one.authorization) for one in api.routes] == [
        ("GET /pets", "guard", "CUSTOM"),
        ("OPTIONS /pets", None, "NONE"),
        ("ANY /{proxy+}", None, "AWS_IAM"),
    ]
    guard = api.authorizers[0]
    assert (guard.kind, guard.function_name, guard.ttl_s) == ("TOKEN", "guard", 120)
    assert (api.gateway_responses[0].response_type, api.gateway_responses[0].status) == ("DEFAULT_5XX", 502)
    assert template.problems == ()


def test_files_that_a_template_includes() -> None:
    """Included bodies are cited in their own file; what is not at hand is a problem, and events stand in for it."""
    template = read("sam_include.yaml")
    for name in ("Api", "ByUri"):
        one = integration(template.api(name), "POST /work")
        assert (one.function, one.qualifier, one.timeout_ms) == ("Worker", "live", 4_000)
        assert Path(one.mark_of("timeout_ms").file).name == "included.yaml"
        assert written(one.mark_of("timeout_ms")) == "4000"
    assert [one.key for one in template.api("Elsewhere").routes] == ["POST /work"]
    assert "Elsewhere: DefinitionUri is not in a file at hand" in texts(template)
    assert "gone.yaml does not exist" in texts(template)


def test_anchors_and_merge_keys() -> None:
    """Merge keys bring in what is not there already, and it is cited where it is written."""
    first, second = read("anchors.yaml").functions
    assert (first.timeout_ms, first.mark_of("timeout_ms").line, first.runtime) == (7_000, 4, "python3.13")
    assert (second.timeout_ms, second.memory_mb, second.runtime) == (9_000, 256, "python3.13")


def test_duplicate_keys_and_unknown_tags() -> None:
    """The last of two keys counts, and both oddities are told with their places."""
    template = read("duplicates.yaml")
    function = template.function("Twice")
    assert (function.timeout_ms, function.mark_of("timeout_ms").line) == (20_000, 9)
    assert [(one.line, one.text) for one in template.problems] == [
        (9, "the key Timeout is given twice (first in line 7); the last counts"),
        (10, "the tag !Sometag is not known"),
    ]


def test_byte_order_mark_and_windows_lines() -> None:
    """Files from Windows are read, with the same places."""
    function = read("bom_crlf.yaml").functions[0]
    assert (function.timeout_ms, function.mark_of("timeout_ms").line, function.mark_of("timeout_ms").column) == (
        11_000,
        7,
        16,
    )
    assert function.code_path == FILES


def test_a_fragment_is_read_as_far_as_it_goes() -> None:
    """What only AWS knows stays an expression; APIs of other templates are external."""
    template = read("fragment.yaml")
    function = template.functions[0]
    assert function.handler == "app.handler"
    assert isinstance(function.runtime, Unresolved)
    assert isinstance(function.timeout_ms, Unresolved)
    assert isinstance(function.memory_mb, Unresolved)
    assert function.environment["SECRET"] == Unresolved("{{resolve:secretsmanager:db:SecretString:password}}")
    assert (function.environment["LIST"], function.environment["JSON"]) == ("a,${Missing},eu-west-1", '{"a":1}')
    method = next(r for _, r in template.routes() if r.logical_id == "Method")
    assert method.path == "/${ParentResource}"
    assert method.integration is not None
    assert (method.integration.function, method.integration.qualifier) == ("Fn", "${Alias}")
    assert all(api.external for api in template.apis)
    assert "AWS::Serverless resources without the transform" in texts(template)
    assert "MemorySize is not a number (many)" in texts(template)


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    [
        ("t.yaml", "", "is empty"),
        ("t.yaml", "# only a comment\n", "it holds nothing"),
        ("t.yaml", "- a\n- b\n", "it holds a list"),
        ("t.yaml", "just words", "it holds a single text"),
        ("main.tf", 'resource "aws_lambda_function" "f" {\n}\n', "is Terraform"),
        ("t.yaml", 'resource "aws_lambda_function" "f" {\n  timeout = 3\n}\n', "is Terraform"),
        ("serverless.yml", "service: shop\nprovider: {name: aws}\n", "Serverless Framework"),
        ("d.yaml", "services: {web: {image: x}}\n", "Docker Compose"),
        ("k.yaml", "apiVersion: v1\nkind: Pod\n", "Kubernetes"),
        ("w.yaml", "on: push\njobs: {}\n", "GitHub workflow"),
        ("plan.json", '{"planned_values": {}}', "plan of a Terraform"),
        ("manifest.json", '{"version": "36.0.0", "artifacts": {}}', "CDK assembly"),
        ("package.json", '{"name": "x", "version": "1", "dependencies": {}}', "package.json"),
        ("t.yaml", "AWSTemplateFormatVersion: 2010-09-09\nOutputs: {}\n", "without Resources"),
        ("t.yaml", "a: 1\n", "neither a template nor an API description"),
        ("t.yaml", "Resources:\n\tFn: 1\n", r"t.yaml:2:1: a tab indents this line"),
        ("t.yaml", "Resources:\n  Fn: [1, 2\n", r"t.yaml:3:1: this is no valid YAML"),
        ("t.yaml", "a: *nowhere\n", r"t.yaml:1:4: the alias \*nowhere has no anchor"),
        ("t.json", '{"Resources": {"Fn": ]}}', r"t.json:1:22: a value is expected"),
        ("t.json", '{"Resources": {"Fn": {"Type": "x"', "the file ends in the middle of a value"),
        ("t.yaml", "a: \x07\n", "control character"),
        ("notes.txt", "a: b: c", "a .txt file is no template"),
    ],
)
def test_other_files_are_refused_with_one_sentence(tmp_path: Path, name: str, text: str, sentence: str) -> None:
    """The sentence says what the file is or where it is broken, and the hint what to do."""
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(DoctorError, match=sentence) as caught:
        read_template(path)
    assert caught.value.hint
    assert "\n" not in caught.value.message


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    """Missing, a directory, binary, too large, an impossible name."""
    (tmp_path / "template.yaml").write_text("Resources: {}")
    (tmp_path / "binary").write_bytes(b"PK\x03\x04\0\0\0\0")
    (tmp_path / "large.yaml").write_bytes(b"#" * (MAX_BYTES + 1))
    with pytest.raises(NothingReadable, match="does not exist"):
        read_template(tmp_path / "gone.yaml")
    with pytest.raises(UsageError, match="is a directory") as caught:
        read_template(tmp_path)
    assert "template.yaml" in caught.value.hint
    with pytest.raises(NothingReadable, match="binary file"):
        read_template(tmp_path / "binary")
    with pytest.raises(NothingReadable, match="at most"):
        read_template(tmp_path / "large.yaml")
    for name in ("x" * 5_000, "a\0b"):
        with pytest.raises(NothingReadable, match=r"cannot be read|does not exist"):
            read_template(tmp_path / name)


def test_an_empty_template_is_read(tmp_path: Path) -> None:
    """A template without resources has no APIs, and that is no fault."""
    (tmp_path / "t.yaml").write_text("Resources: {}")
    assert read_template(tmp_path / "t.yaml").apis == ()


def test_utf_16_and_stray_bytes(tmp_path: Path) -> None:
    """A template of another encoding is read; a stray byte in a comment hinders nothing."""
    (tmp_path / "a.yaml").write_bytes("Resources: {}".encode("utf-16"))
    (tmp_path / "b.yaml").write_bytes(b"# caf\xe9\nResources: {}\n")
    assert read_template(tmp_path / "a.yaml").functions == ()
    assert read_template(tmp_path / "b.yaml").functions == ()


def test_all_marks_lie_in_their_files() -> None:
    """Every mark of every record points into a file that exists, at a line that it has."""
    for path in sorted(FILES.glob("[!c]*.*")):
        template = read_template(path)
        marks = [mark for one in template.functions for mark in one.marks.values()]
        marks += [mark for _, one in template.routes() for mark in (one.mark, *one.marks.values())]
        for mark in marks:
            lines = Path(mark.file).read_text(encoding="utf-8-sig").split("\n")
            assert 1 <= mark.line <= len(lines), (path, mark)
            assert 1 <= mark.column <= len(lines[mark.line - 1]) + 1, (path, mark)


def test_misspelt_properties_are_told(tmp_path: Path) -> None:
    """A property that AWS does not know leaves the default in place, so it is named."""
    (tmp_path / "t.yaml").write_text(
        "Resources:\n  Fn:\n    Type: AWS::Lambda::Function\n    Properties: {TimeOut: 30, Memorysize: 512, Role: x}\n"
    )
    template = read_template(tmp_path / "t.yaml")
    assert template.functions[0].timeout_ms == 3_000
    assert [(one.column, one.text) for one in template.problems] == [
        (18, "Fn: TimeOut is not known; perhaps Timeout is meant"),
        (31, "Fn: Memorysize is not known; perhaps MemorySize is meant"),
    ]


def test_nested_templates_are_told(tmp_path: Path) -> None:
    """APIs of a nested template are not in this one, and the reader says so."""
    (tmp_path / "t.yaml").write_text(
        "Resources:\n  Inner: {Type: AWS::CloudFormation::Stack, Properties: {TemplateURL: inner.yaml}}\n"
    )
    template = read_template(tmp_path / "t.yaml")
    assert texts(template) == "Inner is a template of its own; name its file to have it read"
    assert template.others[0].values == {"TemplateURL": "inner.yaml"}
