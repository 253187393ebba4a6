"""The writing half of Logs, CloudWatch and X-Ray, against botocore's own model of their answers."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from botocore.stub import Stubber

from apigw_doctor.aws.clients import Access, Clients
from apigw_doctor.aws.errors import IncompleteError, MissingError
from apigw_doctor.aws.writing import Logs, LogsRefused, Metrics, SegmentRefused, Traces


@pytest.fixture
def clients() -> Iterator[Clients]:
    with Clients(Access(region="eu-west-1", endpoint_url="http://127.0.0.1:9")) as made:
        yield made


def stub(clients: Clients, name: str) -> Stubber:
    return Stubber(clients.service(name)._client)


def test_a_group_or_stream_that_was_there_is_no_failure(clients: Clients) -> None:
    logs = Logs(clients.service("logs"))
    with stub(clients, "logs") as said:
        said.add_response("create_log_group", {}, {"logGroupName": "g"})
        said.add_client_error("create_log_group", "ResourceAlreadyExistsException")
        said.add_response("create_log_stream", {}, {"logGroupName": "g", "logStreamName": "s"})
        said.add_client_error("create_log_stream", "ResourceAlreadyExistsException")
        assert [logs.create_group("g"), logs.create_group("g")] == [True, False]
        assert [logs.create_stream("g", "s"), logs.create_stream("g", "s")] == [True, False]
        said.assert_no_pending_responses()


def test_a_stream_of_no_group_is_a_failure(clients: Clients) -> None:
    with stub(clients, "logs") as said:
        said.add_client_error(
            "create_log_stream", "ResourceNotFoundException", "The specified log group does not exist."
        )
        with pytest.raises(MissingError, match="does not exist"):
            Logs(clients.service("logs")).create_stream("g", "s")


def test_events_that_were_not_taken_are_counted(clients: Clients) -> None:
    events = [(n, f"line {n}") for n in range(6)]
    sent = [{"timestamp": at, "message": message} for at, message in events]
    wanted = {"logGroupName": "g", "logStreamName": "s", "logEvents": sent}
    refused = {"tooOldLogEventEndIndex": 2, "tooNewLogEventStartIndex": 5}
    with stub(clients, "logs") as said:
        said.add_response("put_log_events", {}, wanted)
        said.add_response("put_log_events", {"rejectedLogEventsInfo": refused}, wanted)
        logs = Logs(clients.service("logs"))
        assert logs.put("g", "s", events) == LogsRefused()
        assert logs.put("g", "s", events) == LogsRefused(too_old=2, too_new=1)


def test_metric_data_go_to_their_namespace(clients: Clients) -> None:
    datum = {
        "MetricName": "Latency",
        "Dimensions": [{"Name": "ApiName", "Value": "shop"}],
        "Timestamp": datetime(2026, 3, 10, tzinfo=UTC),
        "Unit": "Milliseconds",
        "Values": [1.0, 2.0],
        "Counts": [3.0, 1.0],
    }
    with stub(clients, "cloudwatch") as said:
        said.add_response("put_metric_data", {}, {"Namespace": "AWS/ApiGateway", "MetricData": [datum]})
        Metrics(clients.service("cloudwatch")).put("AWS/ApiGateway", [datum])
        said.assert_no_pending_responses()


def test_segments_that_were_not_taken_are_told(clients: Clients) -> None:
    refused = [{"Id": "s1", "ErrorCode": "ParseError", "Message": "no JSON"}]
    with stub(clients, "xray") as said:
        said.add_response("put_trace_segments", {"UnprocessedTraceSegments": []}, {"TraceSegmentDocuments": ["{}"]})
        said.add_response("put_trace_segments", {"UnprocessedTraceSegments": refused})
        said.add_response("put_trace_segments", {})
        traces = Traces(clients.service("xray"))
        assert traces.put(["{}"]) == []
        assert traces.put(["{"]) == [SegmentRefused(segment_id="s1", code="ParseError", message="no JSON")]
        with pytest.raises(IncompleteError):
            traces.put(["{}"])
