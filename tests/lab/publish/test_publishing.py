"""What is published can be read back with boto3, word for word and value for value."""

import json
import socket
import time
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from tests.lab.evidence import journals
from tests.lab.publish.readback import STATISTICS, client, documents, messages, statistics

from apigw_doctor.aws.errors import UnreachableError
from apigw_doctor.lab.evidence.configuration import configuration
from apigw_doctor.lab.evidence.events import by_stream, log_events
from apigw_doctor.lab.evidence.metrics import metric_points
from apigw_doctor.lab.evidence.traces import traces
from apigw_doctor.lab.publish.code import zipped
from apigw_doctor.lab.publish.functions import ROLE
from apigw_doctor.lab.publish.publishing import Created, Published, publish, remove
from apigw_doctor.lab.publish.renaming import newest
from apigw_doctor.lab.records import Journal
from apigw_doctor.lab.setup import GatewayResponse, LabSetup
from apigw_doctor.model.errors import DoctorError, UsageError
from apigw_doctor.workflows.lab import play_scenario

RESPONSE = GatewayResponse(
    response_type="INTEGRATION_TIMEOUT", status=503, body='{"slow": true}', headers={"Retry-After": "5"}
)


def rest_setup(setup: LabSetup) -> LabSetup:
    """The REST lab with a changed gateway response and a route that is throttled."""
    routes = tuple(
        msgspec.structs.replace(one, throttle_rate=5.0, throttle_burst=9) if one.path == "/reports" else one
        for one in setup.api.routes
    )
    api = msgspec.structs.replace(setup.api, routes=routes, gateway_responses=(RESPONSE,))
    return msgspec.structs.replace(setup, api=api)


def events_of(made: Published) -> dict[tuple[str, str], list[tuple[int, str]]]:
    """The lab's own events of each stream."""
    found = by_stream(log_events(made.journal, made.setup))
    return {place: [(one.at, one.message) for one in events] for place, events in found.items()}


def events_there(url: str, made: Published, region: str = "eu-west-1") -> dict[tuple[str, str], list[tuple[int, str]]]:
    """The events of each stream as FilterLogEvents gives them."""
    found: dict[tuple[str, str], list[tuple[int, str]]] = {}
    for group in made.log_groups:
        for stream, at, message in messages(url, group, region):
            found.setdefault((group, stream), []).append((at, message))
    return found


@pytest.fixture(scope="module")
def rest(endpoint: str) -> Iterator[Published]:
    """The REST lab, published once for all tests here."""
    scene = journals.rest()
    made = publish(scene.journal, rest_setup(scene.setup), endpoint_url=endpoint, newest_at=time.time() * 1000)
    yield made
    assert remove(made.created, endpoint_url=endpoint).left == ()


def test_everything_is_told(rest: Published) -> None:
    assert (rest.events, rest.metrics, rest.segments) == (599, 97, 59)
    assert rest.rejected == {}
    assert rest.not_supported == {"lambda put_provisioned_concurrency_config": 1}
    assert rest.stage == "prod"
    assert rest.setup.api.api_id == rest.api_id != "a1b2c3d4e5"
    assert rest.log_groups[0] == f"API-Gateway-Execution-Logs_{rest.api_id}/prod"
    assert [one.what for one in rest.created] == ["role", *["function"] * 4, "REST API", *["log group"] * 6]


def test_log_events_are_the_labs_own(rest: Published, endpoint: str) -> None:
    assert events_there(endpoint, rest) == events_of(rest)
    assert sum(map(len, events_of(rest).values())) == 599


def test_every_metric_has_the_labs_statistics(rest: Published, endpoint: str) -> None:
    points = metric_points(rest.journal, rest.setup)
    wanted = {point: {name: pytest.approx(point.statistic(name)) for name in STATISTICS} for point in points}
    assert statistics(endpoint, points) == wanted
    assert len(wanted) == 97


def test_traces_are_the_labs_own(rest: Published, endpoint: str) -> None:
    wanted = {
        one["Id"]: sorted(part["Document"] for part in one["Segments"]) for one in traces(rest.journal, rest.setup)
    }
    assert documents(endpoint, list(wanted)) == wanted
    assert sum(map(len, wanted.values())) == 59


def test_resources_methods_and_integrations_are_as_the_evidence_describes_them(rest: Published, endpoint: str) -> None:
    with client("apigateway", endpoint) as apigateway:
        items = apigateway.get_resources(restApiId=rest.api_id, embed=["methods"], limit=500)["items"]
        integration = apigateway.get_integration(
            restApiId=rest.api_id, resourceId=rest.setup.api.routes[3].resource_id, httpMethod="GET"
        )
    wanted = configuration(rest.setup)["apigateway/get-resources.json"]["items"]
    assert [_told(one) for one in _by_path(items)] == [_told(one) for one in _by_path(wanted)]
    assert integration["timeoutInMillis"] == 6_500
    assert integration["uri"].endswith("function:quote-fn:live/invocations")


def _by_path(items: list[Any]) -> list[Any]:
    return sorted(items, key=lambda one: str(one["path"]))


def _told(resource: Any) -> Any:
    """What both say of a resource; those with methods have the endpoint's ids in both."""
    methods = {
        name: (
            method["authorizationType"],
            method.get("authorizerId"),
            *(method["methodIntegration"].get(key) for key in ("type", "httpMethod", "uri", "timeoutInMillis")),
        )
        for name, method in resource.get("resourceMethods", {}).items()
    }
    return resource["id"] if methods else None, resource.get("pathPart"), resource["path"], methods


def test_the_stage_logs_traces_and_throttles_as_the_labs(rest: Published, endpoint: str) -> None:
    with client("apigateway", endpoint) as apigateway:
        stage = apigateway.get_stage(restApiId=rest.api_id, stageName="prod")
    (wanted,) = configuration(rest.setup)["apigateway/get-stages.json"]["item"]
    for key in ("deploymentId", "tracingEnabled", "accessLogSettings"):
        assert stage[key] == wanted[key]
    kept = ("loggingLevel", "dataTraceEnabled", "metricsEnabled", "throttlingRateLimit", "throttlingBurstLimit")
    settings = {key: {name: value[name] for name in kept} for key, value in stage["methodSettings"].items()}
    # moto keeps `~1reports/POST` with its slash escaped, as AWS prints it.
    assert settings == {key: {name: value[name] for name in kept} for key, value in wanted["methodSettings"].items()}


def test_authorizers_and_gateway_responses_are_there(rest: Published, endpoint: str) -> None:
    with client("apigateway", endpoint) as apigateway:
        (authorizer,) = apigateway.get_authorizers(restApiId=rest.api_id)["items"]
        response = apigateway.get_gateway_response(restApiId=rest.api_id, responseType="INTEGRATION_TIMEOUT")
    assert authorizer["id"] == rest.setup.api.authorizers[0].id
    assert authorizer["authorizerUri"].endswith("function:auth-fn/invocations")
    assert response["statusCode"] == "503"
    assert response["responseTemplates"] == {"application/json": '{"slow": true}'}
    assert response["responseParameters"] == {"gatewayresponse.header.Retry-After": "'5'"}


def test_functions_have_their_settings(rest: Published, endpoint: str) -> None:
    with client("lambda", endpoint) as functions:
        for one in rest.setup.functions:
            found = functions.get_function_configuration(FunctionName=one.name)
            assert (found["Timeout"] * 1000, found["MemorySize"]) == (one.timeout_ms, one.memory_mb)
            assert found["TracingConfig"]["Mode"] == ("Active" if one.tracing else "PassThrough")
            assert bool(found.get("VpcConfig", {}).get("SubnetIds")) == one.in_vpc
            assert found["FunctionArn"] == one.arn
        reserved = functions.get_function_concurrency(FunctionName="quote-fn")
        alias = functions.get_alias(FunctionName="quote-fn", Name="live")
    assert reserved["ReservedConcurrentExecutions"] == 20
    assert alias["FunctionVersion"] == rest.setup.function("quote-fn").version == "1"


@pytest.mark.parametrize(("kind", "region"), [("http", "us-east-1"), ("websocket", "us-west-2")])
def test_http_and_websocket_apis_are_there_too_in_another_region(endpoint: str, kind: str, region: str) -> None:
    scene = getattr(journals, kind)()
    now = time.time() * 1000
    made = publish(scene.journal, scene.setup, endpoint_url=endpoint, region=region, newest_at=now)
    wanted = configuration(made.setup)
    with client("apigatewayv2", endpoint, region) as apis:
        routes = apis.get_routes(ApiId=made.api_id)["Items"]
        integrations = apis.get_integrations(ApiId=made.api_id)["Items"]
        stage = apis.get_stage(ApiId=made.api_id, StageName=made.stage)
    assert _rows(routes, "RouteKey", "Target") == _rows(
        wanted["apigatewayv2/get-routes.json"]["Items"], "RouteKey", "Target"
    )
    keys = ("IntegrationId", "IntegrationType", "IntegrationUri", "TimeoutInMillis")
    assert _rows(integrations, *keys) == _rows(wanted["apigatewayv2/get-integrations.json"]["Items"], *keys)
    assert all(f":{region}:" in one["IntegrationUri"] for one in integrations)
    assert stage["AccessLogSettings"] == wanted["apigatewayv2/get-stages.json"]["Items"][0]["AccessLogSettings"]

    assert events_there(endpoint, made, region) == events_of(made)
    removed = remove(made.created, endpoint_url=endpoint, region=region)
    assert (removed.removed, removed.left) == (len(made.created), ())
    with client("logs", endpoint, region) as logs:
        assert logs.describe_log_groups()["logGroups"] == []


def _rows(items: list[Any], *keys: str) -> set[tuple[Any, ...]]:
    return {tuple(one[key] for key in keys) for one in items}


def test_a_real_run_is_read_back_word_for_word(endpoint: str) -> None:
    played = play_scenario("cold-start", requests=20, seed=1, scale=1000)
    region, now = "eu-central-1", time.time() * 1000
    made = publish(played.journal, played.setup, endpoint_url=endpoint, region=region, newest_at=now)

    there = events_there(endpoint, made, region)
    assert there == events_of(made)
    assert made.rejected == {}
    assert sum(map(len, there.values())) == made.events > 20 * 20
    times = [at for events in there.values() for at, _ in events]
    assert now - 120_000 - _span(played.journal) < min(times) <= max(times) <= now
    ids = {row.request_id for row in played.truth}
    access = [
        json.loads(text) for (group, _), events in there.items() if group.endswith("access") for _, text in events
    ]
    assert {one["requestId"] for one in access} == ids
    assert {one["status"] for one in access} == {str(row.status) for row in played.truth}
    assert {one["apiId"] for one in access} == {made.api_id}
    points = metric_points(made.journal, made.setup)
    wanted = {point: {name: pytest.approx(point.statistic(name)) for name in STATISTICS} for point in points}
    assert statistics(endpoint, points, region) == wanted


def _span(journal: Journal) -> float:
    arrived = [one.arrived_at for one in journal.exchanges]
    return (newest(journal) or 0.0) - min(arrived) + 60_000.0


def test_a_function_of_that_name_stops_it_and_nothing_is_left_behind(endpoint: str) -> None:
    region, scene = "us-east-2", journals.http()
    with client("lambda", endpoint, region) as functions:
        functions.create_function(
            FunctionName="reports-fn",
            Runtime="python3.13",
            Handler="app.handler",
            Role=f"arn:aws:iam::123456789012:role/{ROLE}",
            Code={"ZipFile": zipped(scene.setup.functions[0])},
        )
        with pytest.raises(DoctorError, match=r"a function reports-fn exists at .* already: nothing was published"):
            publish(scene.journal, scene.setup, endpoint_url=endpoint, region=region)
        assert [one["FunctionName"] for one in functions.list_functions()["Functions"]] == ["reports-fn"]


def test_events_of_another_year_are_rejected_and_told(endpoint: str) -> None:
    scene = journals.websocket()
    made = publish(scene.journal, scene.setup, endpoint_url=endpoint, region="ap-south-1")
    assert made.rejected["too old log events"] > 0
    assert made.events < 53
    assert made.moved_ms == 0
    assert "log events were rejected for their time: newest_at moves them" in made.notes
    assert remove(made.created, endpoint_url=endpoint, region="ap-south-1").left == ()


def test_what_was_there_before_stays(endpoint: str) -> None:
    scene, region, group = journals.http(), "eu-north-1", "/aws/lambda/orders-fn"
    with client("logs", endpoint, region) as logs:
        logs.create_log_group(logGroupName=group)
        logs.create_log_stream(logGroupName=group, logStreamName="of somebody else")
        now = time.time() * 1000
        made = publish(scene.journal, scene.setup, endpoint_url=endpoint, region=region, newest_at=now)
        assert f"the log group {group} was there before; it holds other events, too" in made.notes
        assert remove(made.created, endpoint_url=endpoint, region=region).left == ()
        streams = logs.describe_log_streams(logGroupName=group)["logStreams"]
        assert [one["logStreamName"] for one in streams] == ["of somebody else"]


def test_a_real_account_is_refused_before_anything_is_sent(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    scene = journals.http()
    with pytest.raises(UsageError, match="no loopback or private address: nothing was published"):
        publish(scene.journal, scene.setup, endpoint_url=None, region="eu-west-1")
    # One service that is led elsewhere is enough.
    monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
    monkeypatch.setenv("AWS_ENDPOINT_URL_XRAY", "https://xray.eu-west-1.amazonaws.com")
    with pytest.raises(UsageError, match=r"xray would be called at https://xray\.eu-west-1\.amazonaws\.com"):
        publish(scene.journal, scene.setup, endpoint_url=None, region="eu-west-1")
    with pytest.raises(UsageError, match="lambda would be called at https://lambda"):
        remove(
            [Created(service="lambda", what="function", name="f", undo="delete_function", params={})],
            endpoint_url="https://lambda.eu-west-1.amazonaws.com",
        )


def test_services_may_lie_at_endpoints_of_their_own(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    for service in ("STS", "APIGATEWAYV2", "LAMBDA", "IAM", "CLOUDWATCH_LOGS", "CLOUDWATCH", "XRAY"):
        monkeypatch.setenv(f"AWS_ENDPOINT_URL_{service}", endpoint)
    scene = journals.websocket()
    made = publish(scene.journal, scene.setup, endpoint_url=None, region="sa-east-1", newest_at=time.time() * 1000)
    assert (made.events, made.rejected) == (53, {})
    assert remove(made.created, endpoint_url=None, region="sa-east-1").left == ()


def test_nobody_at_the_endpoint_is_one_sentence(endpoint: str) -> None:
    scene = journals.http()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(UnreachableError, match=r"sts GetCallerIdentity at http://127\.0\.0\.1:.*: no answer"):
            publish(scene.journal, scene.setup, endpoint_url=url)
