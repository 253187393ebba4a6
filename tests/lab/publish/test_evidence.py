"""Portions are as large as the APIs take, and no larger; what is not taken is counted."""

import json
import random
from collections import Counter

import pytest
from tests.lab.publish.calls import FakeCaller

from apigw_doctor.aws.errors import ExistsError, NotSupportedError, RefusedError
from apigw_doctor.lab.evidence.events import LogEvent
from apigw_doctor.lab.evidence.metrics import MetricPoint
from apigw_doctor.lab.publish.evidence import LogWriter, MetricWriter, SegmentWriter
from apigw_doctor.lab.publish.ledger import Ledger

HOUR, DAY = 3_600_000, 86_400_000


def event(at: int, message: str = "x", stream: str = "s", group: str = "g") -> LogEvent:
    return LogEvent(group, stream, at, message)


def written(events: list[LogEvent], caller: FakeCaller | None = None, **options: int) -> tuple[FakeCaller, LogWriter]:
    caller = caller or FakeCaller()
    writer = LogWriter(caller, Ledger(), **options)
    writer.write(iter(events))
    return caller, writer


def test_at_most_ten_thousand_events_a_call() -> None:
    caller, writer = written([event(n) for n in range(25_000)])
    assert [len(one["logEvents"]) for one in caller.of("put_log_events")] == [10_000, 10_000, 5_000]
    assert writer.written == 25_000


def test_at_most_a_mebibyte_a_call_with_26_bytes_an_event() -> None:
    # 1,048,576 = 1,024 events of 998 + 26 bytes; the letters have two bytes each.
    caller, writer = written([event(n, "é" * 499) for n in range(2_500)])
    assert [len(one["logEvents"]) for one in caller.of("put_log_events")] == [1_024, 1_024, 452]
    assert writer.written == 2_500


def test_a_call_spans_less_than_a_day() -> None:
    caller, _ = written([event(n * HOUR) for n in range(49)])
    spans = [(one["logEvents"][0]["timestamp"], len(one["logEvents"])) for one in caller.of("put_log_events")]
    assert spans == [(0, 24), (DAY, 24), (2 * DAY, 1)]


def test_events_of_a_call_are_in_order_and_those_of_one_millisecond_as_they_came() -> None:
    chance = random.Random(7)
    events = [event(chance.randrange(50), f"{n}") for n in range(500)]
    caller, _ = written(events)
    (call,) = caller.of("put_log_events")
    wanted = sorted(events, key=lambda one: one.at)
    assert [(one["timestamp"], one["message"]) for one in call["logEvents"]] == [(e.at, e.message) for e in wanted]


def test_streams_are_created_once_and_listed_where_the_group_was_there_before() -> None:
    ledger, caller = Ledger(), FakeCaller(answers={"create_log_stream": [{}, {}, ExistsError("there")]})
    ledger.add(caller, "log group", "own", "delete_log_group", logGroupName="own")
    writer = LogWriter(caller, ledger)
    writer.write([event(1, group="own"), event(1, group="old"), event(1, group="old", stream="theirs")])
    writer.write([event(2, group="own")])
    assert len(caller.of("create_log_stream")) == 3
    assert [(one.what, one.name) for one in ledger.created] == [("log group", "own"), ("log stream", "s")]
    assert ledger.created[1].params == {"logGroupName": "old", "logStreamName": "s"}


def test_what_waits_is_bounded() -> None:
    events = [event(n, "y" * 974, stream=f"s{n % 40}") for n in range(4_000)]
    caller, writer = written(events, waiting_bytes=100_000)
    calls = caller.of("put_log_events")
    assert max(len(one["logEvents"]) for one in calls) <= 100
    assert writer.written == 4_000
    found = Counter(one["logStreamName"] for one in calls for _ in one["logEvents"])
    assert set(found.values()) == {100}


def test_rejected_events_are_counted_by_their_reason() -> None:
    refused = {"tooOldLogEventEndIndex": 3, "tooNewLogEventStartIndex": 8}
    caller = FakeCaller(answers={"put_log_events": [{"rejectedLogEventsInfo": refused}]})
    _, writer = written([event(n) for n in range(10)], caller)
    assert writer.rejected == {"too old log events": 3, "too new log events": 2}
    assert writer.written == 5

    caller = FakeCaller(answers={"put_log_events": [{"rejectedLogEventsInfo": {"expiredLogEventEndIndex": 4}}]})
    _, writer = written([event(n) for n in range(10)], caller)
    assert (writer.written, writer.rejected) == (6, {"expired log events": 4})


def test_events_that_no_call_can_hold_are_counted() -> None:
    caller, writer = written([event(1, ""), event(2, "z" * 1_048_551), event(3, "z" * 1_048_550)])
    assert [len(one["logEvents"]) for one in caller.of("put_log_events")] == [1]
    assert writer.rejected == {"empty log events": 1, "log events over 1 MB": 1}


def point(name: str = "Latency", values: tuple[float, ...] = (1.0,), namespace: str = "AWS/ApiGateway") -> MetricPoint:
    dimensions = (("ApiName", "shop"),)
    at = 1_773_136_800_000
    return MetricPoint(namespace=namespace, name=name, dimensions=dimensions, unit="Count", at=at, values=values)


def test_values_are_put_with_how_often_they_were_seen() -> None:
    caller = FakeCaller("cloudwatch")
    MetricWriter(caller, Ledger()).write([point(values=(2.0, 1.0, 2.0, 2.0))])
    (call,) = caller.of("put_metric_data")
    (datum,) = call["MetricData"]
    assert (datum["Values"], datum["Counts"]) == ([1.0, 2.0], [1.0, 3.0])
    assert datum["Timestamp"].isoformat() == "2026-03-10T10:00:00+00:00"
    assert datum["Dimensions"] == [{"Name": "ApiName", "Value": "shop"}]


def test_a_datum_has_150_values_and_a_call_1000_data_of_one_namespace() -> None:
    caller = FakeCaller("cloudwatch")
    writer = MetricWriter(caller, Ledger())
    writer.write([point(values=tuple(float(n) for n in range(400)))])
    assert [len(one["Values"]) for one in caller.of("put_metric_data")[0]["MetricData"]] == [150, 150, 100]
    caller.calls.clear()
    writer.write([*(point(f"m{n}") for n in range(1_500)), point(namespace="AWS/Lambda")])
    assert [(one["Namespace"], len(one["MetricData"])) for one in caller.of("put_metric_data")] == [
        ("AWS/ApiGateway", 1_000),
        ("AWS/ApiGateway", 500),
        ("AWS/Lambda", 1),
    ]
    assert writer.written == 1_502


def test_a_call_of_full_data_stays_under_a_mebibyte() -> None:
    caller = FakeCaller("cloudwatch")
    full = tuple(n + 0.123456 for n in range(150))
    MetricWriter(caller, Ledger()).write([point(f"m{n}", full) for n in range(1_000)])
    for call in caller.of("put_metric_data"):
        assert len(json.dumps(call, default=str)) < 1_048_576
    assert sum(len(one["MetricData"]) for one in caller.of("put_metric_data")) == 1_000


def test_metrics_that_are_refused_or_unknown_are_told() -> None:
    ledger = Ledger()
    answers = [RefusedError("the namespace is AWS's"), NotSupportedError("no such call")]
    caller = FakeCaller("cloudwatch", {"put_metric_data": list(answers)})
    writer = MetricWriter(caller, ledger)
    writer.write([point("a"), point("b"), point("c", namespace="AWS/Lambda")])
    assert (writer.written, writer.rejected) == (0, {"metric points": 2})
    assert ledger.not_supported == {"cloudwatch put_metric_data": 1}
    assert ledger.notes == ["the namespace is AWS's", "no such call"]


def trace(*documents: str) -> dict[str, object]:
    return {"Segments": [{"Id": "x", "Document": one} for one in documents]}


def test_at_most_fifty_documents_a_call() -> None:
    caller = FakeCaller("xray")
    writer = SegmentWriter(caller, Ledger())
    writer.write(trace("{}", "{}", "{}") for _ in range(40))
    assert [len(one["TraceSegmentDocuments"]) for one in caller.of("put_trace_segments")] == [50, 50, 20]
    assert writer.written == 120


def test_documents_that_are_not_taken_are_told() -> None:
    ledger = Ledger()
    refused = {"Id": "x", "ErrorCode": "MissingTraceId", "Message": "no trace id"}
    caller = FakeCaller("xray", {"put_trace_segments": [{"UnprocessedTraceSegments": [refused]}]})
    writer = SegmentWriter(caller, ledger)
    writer.write([trace("{}", "{}", "{" + " " * 65_536 + "}")])
    assert (writer.written, writer.rejected) == (1, {"segments over 64 KB": 1, "segments": 1})
    assert ledger.notes == ["X-Ray did not take a segment: MissingTraceId no trace id"]


@pytest.mark.parametrize("error", [NotSupportedError("xray: 501")])
def test_an_endpoint_without_traces_is_no_failure(error: NotSupportedError) -> None:
    ledger = Ledger()
    caller = FakeCaller("xray", {"put_trace_segments": [error, error]})
    SegmentWriter(caller, ledger).write(trace("{}") for _ in range(60))
    assert ledger.not_supported == {"xray put_trace_segments": 2}
    assert ledger.notes == ["xray: 501"]
