"""The rarer parts of an API, and endpoints that have less, or more, than moto."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from botocore.stub import ANY, Stubber
from tests.lab.publish.calls import FakeCaller, FakeCallers
from tests.lab.publish.readback import client

from apigw_doctor.aws.clients import Access, Caller, Clients
from apigw_doctor.aws.errors import AccessDeniedError, ExistsError, MissingError, NotSupportedError, RefusedError
from apigw_doctor.lab.evidence.configuration import configuration
from apigw_doctor.lab.publish.functions import create_functions
from apigw_doctor.lab.publish.ledger import Ledger, take_back
from apigw_doctor.lab.publish.publishing import publish, remove
from apigw_doctor.lab.publish.resources import create_resources, log_groups
from apigw_doctor.lab.publish.routed_api import create_routed_api
from apigw_doctor.lab.records import Journal
from apigw_doctor.lab.setup import LabApi, LabAuthorizer, LabFunction, LabRoute, LabSetup
from apigw_doctor.model.terms import ApiType

CODE = Path("nowhere")
PRICED = LabFunction(
    name="priced",
    handler="app.handler",
    code=CODE,
    qualifier="live",
    version="7",
    provisioned_concurrency=2,
    reserved_concurrency=20,
    environment={"TABLE": "orders"},
    log_form="json",
)
AUTH = LabFunction(name="auth", handler="app.handler", code=CODE)


def rest_setup() -> LabSetup:
    routes = (
        LabRoute(method="GET", path="/", kind="mock", resource_id="root"),
        LabRoute(method="ANY", path="/inner/{proxy+}", kind="http-proxy", url="https://in.example/x", vpc_link=True),
        LabRoute(method="POST", path="/chat", function="priced", stream=True, timeout_ms=120_000, resource_id="ch"),
    )
    api = LabApi(api_id="a1b2c3d4e5", name="odd", api_type=ApiType.REST, routes=routes, log_level="OFF")
    return LabSetup(api=api, functions=(PRICED,))


def http_setup() -> LabSetup:
    authorizer = LabAuthorizer(id="au1", name="lam", function="auth", kind="REQUEST", simple_responses=True)
    routes = (
        LabRoute(method="GET", path="/a", function="priced", integration_id="i1", payload_format="2.0"),
        LabRoute(method="GET", path="/b", function="priced", integration_id="i1", authorizer="au1"),
        LabRoute(
            method="ANY", path="/c", kind="http-proxy", url="https://in.example", integration_id="i2", vpc_link=True
        ),
        LabRoute(method="GET", path="/d", kind="http-proxy", url="https://d.example", integration_id="i3"),
    )
    api = LabApi(
        api_id="h1b2c3d4e5",
        name="routed",
        api_type=ApiType.HTTP,
        routes=routes,
        authorizers=(authorizer,),
        access_log_format="$context.requestId",
    )
    return LabSetup(api=api, functions=(PRICED, AUTH))


def test_mocks_vpc_links_and_streams_of_a_rest_api(endpoint: str) -> None:
    region = "eu-west-2"
    made = publish(Journal(), rest_setup(), endpoint_url=endpoint, region=region)
    with client("apigateway", endpoint, region) as apigateway:
        items = apigateway.get_resources(restApiId=made.api_id, embed=["methods"])["items"]
        (link,) = apigateway.get_vpc_links()["items"]
        stage = apigateway.get_stage(restApiId=made.api_id, stageName="prod")
    methods = {one["path"]: one.get("resourceMethods", {}) for one in items}
    assert set(methods) == {"/", "/inner", "/inner/{proxy+}", "/chat"}
    mock = methods["/"]["GET"]["methodIntegration"]
    assert (mock["type"], list(mock["integrationResponses"])) == ("MOCK", ["200"])
    proxy = methods["/inner/{proxy+}"]["ANY"]["methodIntegration"]
    assert (proxy["type"], proxy["connectionType"], proxy["uri"]) == ("HTTP_PROXY", "VPC_LINK", "https://in.example/x")
    assert methods["/chat"]["POST"]["methodIntegration"]["timeoutInMillis"] == 120_000
    assert stage["methodSettings"]["*/*"]["loggingLevel"] == "OFF"
    assert link["name"] == "odd-link"
    assert [one.what for one in made.created].count("VPC link") == 1
    assert made.log_groups == ("/aws/lambda/priced",)
    assert (made.events, made.metrics, made.segments) == (0, 0, 0)
    assert remove(made.created, endpoint_url=endpoint, region=region).left == ()


def test_authorizers_and_shared_integrations_of_an_http_api(endpoint: str) -> None:
    region = "eu-west-3"
    made = publish(Journal(), http_setup(), endpoint_url=endpoint, region=region)
    with client("apigatewayv2", endpoint, region) as apis:
        routes = {one["RouteKey"]: one for one in apis.get_routes(ApiId=made.api_id)["Items"]}
        integrations = {one["IntegrationId"]: one for one in apis.get_integrations(ApiId=made.api_id)["Items"]}
        # moto has no GetAuthorizers here
        own = made.setup.api.authorizers[0].id
        authorizer = apis.get_authorizer(ApiId=made.api_id, AuthorizerId=own)
        (link,) = apis.get_vpc_links()["Items"]
    assert routes["GET /a"]["Target"] == routes["GET /b"]["Target"]
    assert len(integrations) == 3
    assert (routes["GET /b"]["AuthorizationType"], routes["GET /b"]["AuthorizerId"]) == (
        "CUSTOM",
        made.setup.api.authorizers[0].id,
    )
    assert authorizer["EnableSimpleResponses"] is True
    linked = integrations[routes["ANY /c"]["Target"].removeprefix("integrations/")]
    assert (linked["ConnectionType"], linked["ConnectionId"]) == ("VPC_LINK", link["VpcLinkId"])
    assert made.setup.api.routes[1].authorizer == authorizer["AuthorizerId"]
    assert remove(made.created, endpoint_url=endpoint, region=region).left == ()


@pytest.fixture
def stubs(monkeypatch: pytest.MonkeyPatch) -> Iterator["Stubs"]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    with Clients(Access(region="eu-west-1", endpoint_url="http://127.0.0.1:9")) as clients:
        made = Stubs(clients)
        yield made
        for stub in made.known.values():
            stub.assert_no_pending_responses()


@dataclass
class Stubs:
    """botocore's stubs in front of our clients."""

    clients: Clients
    known: dict[str, Stubber] = field(default_factory=dict)

    def of(self, name: str) -> Stubber:
        if name not in self.known:
            self.known[name] = Stubber(self.clients.service(name)._client)
            self.known[name].activate()
        return self.known[name]

    def service(self, name: str) -> Caller:
        return self.clients.service(name)


def test_provisioned_concurrency_goes_to_the_alias(stubs: Stubs) -> None:
    name = {"FunctionName": "priced"}
    role = "arn:aws:iam::123456789012:role/apigw-doctor-lab"
    stubs.of("iam").add_response(
        "create_role",
        {"Role": {"Path": "/", "RoleName": "apigw-doctor-lab", "RoleId": "A" * 16, "Arn": role, "CreateDate": 0}},
    )
    functions = stubs.of("lambda")
    functions.add_response(
        "create_function",
        {"FunctionArn": PRICED.arn},
        {
            **name,
            "Runtime": "python3.13",
            "Handler": "app.handler",
            "Timeout": 3,
            "MemorySize": 128,
            "Environment": {"Variables": {"TABLE": "orders"}},
            "TracingConfig": {"Mode": "PassThrough"},
            "LoggingConfig": {"LogFormat": "JSON", "LogGroup": "/aws/lambda/priced"},
            "Role": role,
            "Code": {"ZipFile": ANY},
        },
    )
    functions.add_response("publish_version", {"Version": "1"}, name)
    functions.add_response("create_alias", {}, {**name, "Name": "live", "FunctionVersion": "1"})
    functions.add_response("put_function_concurrency", {}, {**name, "ReservedConcurrentExecutions": 20})
    wanted = {**name, "Qualifier": "live", "ProvisionedConcurrentExecutions": 2}
    functions.add_response("put_provisioned_concurrency_config", {"Status": "IN_PROGRESS"}, wanted)
    functions.add_response("add_permission", {}, None)
    ledger = Ledger()
    assert create_functions(rest_setup(), stubs, ledger) == {"priced": "1"}
    assert [one.what for one in ledger.created] == ["role", "function"]
    assert (ledger.not_supported, ledger.notes) == ({}, [])


def test_a_websocket_stage_has_its_deployment(stubs: Stubs) -> None:
    route = LabRoute(method="", path="ask", function="auth", integration_id="i1", timeout_ms=9_000)
    api = LabApi(api_id="w1", name="talk", api_type=ApiType.WEBSOCKET, routes=(route,))
    setup, apis = LabSetup(api=api, functions=(AUTH,)), stubs.of("apigatewayv2")
    apis.add_response("create_api", {"ApiId": "w9"})
    apis.add_response("create_integration", {"IntegrationId": "i9"})
    apis.add_response("create_route", {"RouteId": "r9"})
    apis.add_response("create_deployment", {"DeploymentId": "d9"}, {"ApiId": "w9"})
    apis.add_response("create_stage", {}, None)
    ids = create_routed_api(setup, stubs.service("apigatewayv2"), Ledger())
    assert ids is not None
    assert (ids.api_id, ids.deployment_id, ids.integrations) == ("w9", "d9", {"ask": "i9"})


def test_an_endpoint_without_any_control_plane_keeps_the_labs_ids() -> None:
    class Nothing(FakeCaller):
        def call(self, operation: str, *, needs: tuple[str, ...] = (), **params: object) -> dict[str, Any]:
            raise NotSupportedError(f"no {operation}")

    ledger = Ledger()
    renaming = create_resources(rest_setup(), FakeCallers(Nothing()), ledger)
    assert renaming.api_id == "a1b2c3d4e5"
    assert ledger.created == []
    assert ledger.not_supported == {
        "sts get_caller_identity": 1,
        "iam create_role": 1,
        "lambda create_function": 1,
        "apigateway create_vpc_link": 1,
        "apigateway create_rest_api": 1,
    }


def test_a_link_that_is_refused_is_told_and_the_rest_goes_on() -> None:
    answers: dict[str, list[Any]] = {
        "get_caller_identity": [{"Account": "000000000000"}],
        "create_vpc_link": [RefusedError("no such balancer")],
        "create_role": [ExistsError("there")],
        "create_rest_api": [{"id": "n1", "rootResourceId": "root9"}],
        "create_resource": [{"id": f"n{n}"} for n in range(9)],
        "create_deployment": [{"id": "dep9"}],
        "publish_version": [{"Version": "3"}],
    }
    caller, ledger = FakeCaller(answers=answers), Ledger()
    renaming = create_resources(rest_setup(), FakeCallers(caller), ledger)
    assert ledger.notes == ["no such balancer"]
    assert (renaming.api_id, renaming.deployment_id, renaming.account_id) == ("n1", "dep9", "000000000000")
    assert renaming.resources["/"] == "root9"
    assert renaming.versions == {"priced": "3"}
    assert [one.what for one in ledger.created] == ["function", "REST API"]
    uris = [str(one["uri"]) for one in caller.of("put_integration") if "priced" in str(one.get("uri"))]
    assert uris == [
        "arn:aws:apigateway:eu-west-1:lambda:path/2021-11-15/functions/"
        "arn:aws:lambda:eu-west-1:000000000000:function:priced:live/response-streaming-invocations"
    ]


def test_without_routes_there_is_no_stage() -> None:
    api = LabApi(api_id="a1", name="empty", api_type=ApiType.REST)
    answers: dict[str, list[Any]] = {
        "get_caller_identity": [{"Account": "1"}],
        "create_rest_api": [{"id": "n1"}],
        "get_resources": [{"items": [{"id": "root9", "path": "/"}]}],
    }
    caller, ledger = FakeCaller(answers=answers), Ledger()
    assert create_resources(LabSetup(api=api), FakeCallers(caller), ledger).resources == {"/": "root9"}
    assert caller.of("create_deployment") == []
    assert ledger.notes == ["the API has no routes, so there is no deployment and no stage of it"]


def test_log_groups_are_those_that_are_written_to() -> None:
    assert log_groups(rest_setup()) == ["/aws/lambda/priced"]
    assert log_groups(http_setup()) == ["/aws/apigateway/routed-prod-access", "/aws/lambda/priced", "/aws/lambda/auth"]
    assert configuration(http_setup())


def test_what_cannot_be_taken_back_is_told() -> None:
    ledger = Ledger()
    answers: dict[str, list[Any]] = {"delete_b": [MissingError("gone")], "delete_a": [AccessDeniedError("you may not")]}
    caller = FakeCaller(answers=answers)
    for name in "abc":
        ledger.add(caller, "thing", name, f"delete_{name}", Name=name)
    removed = take_back(ledger.created, FakeCallers(caller))
    assert [name for name, _ in caller.calls] == ["delete_c", "delete_b", "delete_a"]
    assert removed.removed == 2
    assert [(one.name, words) for one, words in removed.left] == [("a", "you may not")]
