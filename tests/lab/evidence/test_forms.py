"""The small rules: cuts, masks, streams, billing, metrics, traces a call."""

import msgspec
import pytest
from tests.lab.evidence import journals
from tests.lab.evidence.journals import START

from apigw_doctor.lab.evidence.events import log_events
from apigw_doctor.lab.evidence.execution import CUT, MAX_BYTES, cut, execution_events
from apigw_doctor.lab.evidence.forms import lambda_stream, masked
from apigw_doctor.lab.evidence.metrics import metric_data, metric_points
from apigw_doctor.lab.evidence.traces import TRACES_PER_CALL, batches, traces
from apigw_doctor.lab.records import InvocationEnded


@pytest.mark.parametrize("letter", ["x", "ü", "\N{SNOWMAN}"])
def test_an_event_has_at_most_1024_bytes(letter: str) -> None:
    event = cut(f"(id) Method request body before transformations: {letter * 2000}")
    assert MAX_BYTES - 4 < len(event.encode()) <= MAX_BYTES
    assert event.endswith(CUT)
    assert cut("(id) short") == "(id) short"


def test_the_lines_of_a_request_are_in_the_order_of_time() -> None:
    for scene in (journals.rest(), journals.websocket()):
        for exchange in scene.journal.exchanges:
            times = [at for at, _ in execution_events(exchange, scene.setup.api)]
            assert times == sorted(times)


def test_a_secret_shows_its_last_characters_only() -> None:
    scene = journals.rest()
    lines = [
        text for _, text in execution_events(scene.journal.exchanges[0], scene.setup.api) if "request headers" in text
    ]
    assert not any("very-secret" in text for text in lines)
    assert masked("short") == "*****"


def test_only_a_stage_that_traces_names_the_trace() -> None:
    scene = journals.rest()
    quiet = msgspec.structs.replace(scene.setup.api, tracing=False)
    assert not any("X-ray" in text for _, text in execution_events(scene.journal.exchanges[0], quiet))


def test_a_stream_is_named_by_day_and_version() -> None:
    assert lambda_stream(START, "7", "0" * 32) == f"2026/03/10/[7]{'0' * 32}"
    assert lambda_stream(START, "7", "2026/03/09/[7]ab") == "2026/03/09/[7]ab"


def test_events_name_their_groups() -> None:
    scene = journals.rest()
    groups = {event.group for event in log_events(scene.journal, scene.setup)}
    assert groups == {
        "API-Gateway-Execution-Logs_a1b2c3d4e5/prod",
        "/aws/apigateway/shop-prod-access",
        "/aws/lambda/orders-fn",
        "/aws/lambda/reports-fn",
        "/aws/lambda/auth-fn",
        "/aws/lambda/quote-fn",
    }


def test_metrics_count_every_request_once_in_each_set_of_dimensions() -> None:
    scene = journals.rest()
    points = metric_points(scene.journal, scene.setup, detailed=True)
    for wanted in (1, 2, 4):
        counts = [one for one in points if one.name == "Count" and len(one.dimensions) == wanted]
        assert sum(one.statistic("Sum") for one in counts) == len(scene.journal.exchanges)
    failed = [one for one in points if one.name == "5XXError" and len(one.dimensions) == 1]
    assert sum(one.statistic("Sum") for one in failed) == sum(one.status >= 500 for one in scene.journal.exchanges)


def test_metric_data_has_the_newest_point_first() -> None:
    scene = journals.rest()
    answer = msgspec.json.decode(msgspec.json.encode(metric_data(metric_points(scene.journal, scene.setup))))
    times = answer["MetricDataResults"][0]["Timestamps"]
    assert times == sorted(times, reverse=True)
    assert {one["StatusCode"] for one in answer["MetricDataResults"]} == {"Complete"}


def test_only_sampled_requests_have_traces_and_five_come_in_a_call() -> None:
    scene = journals.rest()
    plain = msgspec.structs.replace(scene.journal.exchanges[1], sampled=False)
    scene.journal.exchanges[1] = plain
    found = list(traces(scene.journal, scene.setup))
    gateways = [one for one in found if "AWS::ApiGateway::Stage" in str(one)]
    assert len(gateways) == len(scene.journal.exchanges) - 1
    assert plain.trace_id not in {one["Id"] for one in gateways}
    assert max(len(answer["Traces"]) for answer in batches(found)) == TRACES_PER_CALL


def test_parts_of_an_sdk_find_their_parents_in_any_order() -> None:
    scene = journals.rest()
    trace_id = scene.journal.exchanges[0].trace_id
    function = next(one for one in scene.journal.functions if isinstance(one, InvocationEnded))
    part = {"type": "subsegment", "trace_id": trace_id, "end_time": START / 1000.0 + 0.49}
    scene.journal.segments += [
        part
        | {"id": "c" * 16, "name": "lost", "parent_id": "9" * 16, "start_time": function.started_at / 1000.0 + 0.001},
        part | {"id": "b" * 16, "name": "query", "parent_id": "a" * 16, "start_time": START / 1000.0 + 0.47},
        part | {"id": "a" * 16, "name": "table", "parent_id": function.segment_id, "start_time": START / 1000.0 + 0.46},
    ]
    trace = next(iter(traces(scene.journal, scene.setup)))
    documents = [msgspec.json.decode(one["Document"]) for one in trace["Segments"]]
    own = next(one for one in documents if one["origin"] == "AWS::Lambda::Function")
    assert [one["name"] for one in own["subsegments"]] == ["Init", "table", "lost"]
    assert [one["name"] for one in own["subsegments"][1]["subsegments"]] == ["query"]
