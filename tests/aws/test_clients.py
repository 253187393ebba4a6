"""boto3's clients, its conventions, and its failures as one sentence."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.retries import standard
from botocore.stub import Stubber
from tests.aws.answering import answering

from apigw_doctor.aws import errors
from apigw_doctor.aws.clients import Access, Clients, Service
from apigw_doctor.aws.errors import AwsError
from apigw_doctor.model.errors import DoctorError, UsageError

LOCAL = Access(region="eu-west-1", endpoint_url="http://127.0.0.1:9")


@pytest.fixture
def clients() -> Iterator[Clients]:
    with Clients(LOCAL) as made:
        yield made


def made(access: Access, name: str = "logs") -> tuple[str, str]:
    with Clients(access) as clients:
        service = clients.service(name)
        assert clients.service(name) is service
        return service.endpoint_url, service.region


def test_boto3_is_imported_only_when_a_client_is_made() -> None:
    code = "import sys, apigw_doctor.aws.clients, apigw_doctor.lab.publish.publishing; print('botocore' in sys.modules)"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=20)
    assert out.stdout == "False\n"


def test_without_boto3_there_is_a_hint(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "botocore.config", None)
    with pytest.raises(DoctorError, match="boto3 is not installed") as told:
        made(LOCAL)
    assert "pip install" in told.value.hint


# --- conventions


def test_an_endpoint_that_is_named_holds_for_all_services(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_XRAY", "http://127.0.0.1:2")
    for name in ("logs", "xray", "apigateway", "lambda"):
        assert made(LOCAL, name) == ("http://127.0.0.1:9", "eu-west-1")


def test_otherwise_the_environment_says_where_service_by_service(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("AWS_ENDPOINT_URL_CLOUDWATCH_LOGS", "http://127.0.0.1:2")
    monkeypatch.setenv("AWS_ENDPOINT_URL_API_GATEWAY", "http://127.0.0.1:3")
    access = Access(region="eu-west-1")
    assert made(access, "logs")[0] == "http://127.0.0.1:2"
    assert made(access, "apigateway")[0] == "http://127.0.0.1:3"
    assert made(access, "xray")[0] == "http://127.0.0.1:1"


def test_region_and_profile_come_from_the_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "[default]\nregion = eu-north-1\n[profile work]\nregion = ap-south-1\nendpoint_url = http://127.0.0.1:7\n"
    (tmp_path / "config").write_text(text)
    assert made(Access()) == ("https://logs.eu-north-1.amazonaws.com", "eu-north-1")
    assert made(Access(profile="work")) == ("http://127.0.0.1:7", "ap-south-1")
    assert made(Access(profile="work", region="us-east-1"))[1] == "us-east-1"
    monkeypatch.setenv("AWS_DEFAULT_REGION", "sa-east-1")
    assert made(Access(default_region="eu-west-1"))[1] == "sa-east-1"


def test_without_any_region_the_callers_default_holds() -> None:
    assert made(Access(default_region="eu-west-1"))[1] == "eu-west-1"
    with pytest.raises(UsageError, match="no AWS region is named") as told:
        made(Access())
    assert "--region" in told.value.hint


@pytest.mark.parametrize(
    ("access", "words"),
    [
        (Access(profile="nobody", region="eu-west-1"), "there is no AWS profile nobody"),
        (Access(region="not a region"), "not a region"),
        (Access(region="eu-west-1", endpoint_url="127.0.0.1:5000"), "127.0.0.1:5000"),
    ],
)
def test_words_that_lead_nowhere_are_told(access: Access, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        made(access)


# --- failures


def stubbed(clients: Clients, name: str = "logs") -> tuple[Service, Stubber]:
    service = clients.service(name)
    return service, Stubber(service._client)


def test_an_answer_comes_back_as_it_is(clients: Clients) -> None:
    service, stub = stubbed(clients)
    answer: dict[str, Any] = {"logGroups": [{"logGroupName": "g"}]}
    stub.add_response("describe_log_groups", answer, {"logGroupNamePrefix": "g"})
    with stub:
        assert service.call("describe_log_groups", needs=("logGroups",), logGroupNamePrefix="g") == answer
    stub.assert_no_pending_responses()


@pytest.mark.parametrize(
    ("code", "status", "words", "kind", "hint"),
    [
        ("AccessDeniedException", 400, "no", errors.AccessDeniedError, "allow logs:DescribeLogGroups"),
        ("ExpiredTokenException", 400, "old", errors.CredentialsError, "aws sso login"),
        ("UnrecognizedClientException", 400, "bad", errors.CredentialsError, "AWS_ACCESS_KEY_ID"),
        ("ThrottlingException", 400, "Rate exceeded", errors.ThrottledError, "later"),
        ("ResourceNotFoundException", 400, "none", errors.MissingError, ""),
        ("ResourceAlreadyExistsException", 400, "one", errors.ExistsError, ""),
        ("InvalidParameterException", 400, "wrong", errors.RefusedError, ""),
        ("InternalFailure", 500, "broken", errors.RefusedError, ""),
        ("UnknownOperationException", 400, "", errors.NotSupportedError, ""),
        ("InvalidAction", 400, "Unknown action", errors.NotSupportedError, ""),
        ("NotImplemented", 501, "", errors.NotSupportedError, ""),
        ("404", 404, "Not Found", errors.NotSupportedError, ""),
        ("500", 500, "<!doctype html>\n<title>500</title>", errors.NotSupportedError, ""),
        ("", 400, "", errors.NotSupportedError, ""),
        ("NotFoundException", 404, "Unknown path: /vpclinks", errors.NotSupportedError, ""),
    ],
)
def test_a_refusal_is_one_sentence(
    clients: Clients, code: str, status: int, words: str, kind: type[AwsError], hint: str
) -> None:
    service, stub = stubbed(clients)
    stub.add_client_error("describe_log_groups", code, words, status)
    with stub, pytest.raises(AwsError) as told:
        service.call("describe_log_groups")
    assert type(told.value) is kind
    assert told.value.message.startswith(f"logs DescribeLogGroups at http://127.0.0.1:9: {code or 'refused'}")
    assert "\n" not in told.value.message
    assert hint in told.value.hint


def test_an_answer_without_what_it_must_have_is_noticed(clients: Clients) -> None:
    service, stub = stubbed(clients)
    stub.add_response("describe_log_groups", {})
    with stub, pytest.raises(errors.IncompleteError, match="the answer lacks logGroups"):
        service.call("describe_log_groups", needs=("logGroups",))


def test_an_answer_that_was_cut_in_the_middle_is_noticed() -> None:
    whole = b'{"logGroups": [{"logGroupName": "g"}]}'
    with answering((200, {"Content-Length": "500"}, whole[:20])) as server:
        access = Access(region="eu-west-1", endpoint_url=server.url)
        with Clients(access) as clients, pytest.raises((errors.IncompleteError, errors.UnreachableError)):
            clients.service("logs").call("describe_log_groups", needs=("logGroups",))


def test_throttling_is_told_after_all_attempts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(standard.ExponentialBackoff, "delay_amount", lambda *_: 0.0)
    body = b'{"__type": "ThrottlingException", "message": "Rate exceeded"}'
    with answering((400, {"Content-Type": "application/x-amz-json-1.1"}, body)) as server:
        access = Access(region="eu-west-1", endpoint_url=server.url)
        with Clients(access) as clients, pytest.raises(errors.ThrottledError, match="Rate exceeded"):
            clients.service("logs").call("describe_log_groups")
        assert server.asked == 4


def test_a_throttled_call_that_is_let_through_at_last_is_no_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(standard.ExponentialBackoff, "delay_amount", lambda *_: 0.0)
    head = {"Content-Type": "application/x-amz-json-1.1"}
    throttled = (400, head, b'{"__type": "ThrottlingException", "message": "Rate exceeded"}')
    with answering(throttled, throttled, (200, head, b'{"logGroups": []}')) as server:
        with Clients(Access(region="eu-west-1", endpoint_url=server.url)) as clients:
            assert clients.service("logs").call("describe_log_groups", needs=("logGroups",))["logGroups"] == []
        assert server.asked == 3


def test_nobody_there_is_told_with_the_address(clients: Clients, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(standard.ExponentialBackoff, "delay_amount", lambda *_: 0.0)
    with pytest.raises(
        errors.UnreachableError, match=r"xray PutTraceSegments at http://127\.0\.0\.1:9: no answer"
    ) as told:
        clients.service("xray").call("put_trace_segments", TraceSegmentDocuments=["{}"])
    assert "--endpoint-url" in told.value.hint


def test_without_credentials_it_is_said_how_to_get_some(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with (
        Clients(LOCAL) as clients,
        pytest.raises(errors.CredentialsError, match="there are no AWS credentials") as told,
    ):
        clients.service("logs").call("describe_log_groups")
    assert "--profile" in told.value.hint


def test_half_of_the_credentials_is_told_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(errors.CredentialsError, match="credentials"), Clients(LOCAL) as clients:
        clients.service("logs").call("describe_log_groups")


def test_our_own_mistakes_keep_their_traceback(clients: Clients) -> None:
    from botocore.exceptions import ParamValidationError

    with pytest.raises(ParamValidationError):
        clients.service("logs").call("put_log_events", logGroupName=3)
