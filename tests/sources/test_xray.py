"""X-Ray documents and OpenTelemetry spans."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apigw_doctor.sources.xray import parse_document

TRACE = "1-69afeba0-1a7c3e5b9d1f20486ace1351"
SEGMENT: dict[str, Any] = {
    "id": "aa010b0c0d0e0f01",
    "name": "orders/prod",
    "trace_id": TRACE,
    "start_time": 1773136800.12,
    "end_time": 1773136829.131,
    "fault": True,
    "origin": "AWS::ApiGateway::Stage",
    "http": {"response": {"status": 504}},
    "aws": {"api_gateway": {"rest_api_id": "k9x2m7p4q1", "stage": "prod", "request_id": "r-1"}},
    "subsegments": [
        {
            "id": "aa010b0c0d0e0f02",
            "name": "Lambda",
            "start_time": 1773136800.13,
            "in_progress": True,
            "namespace": "aws",
            "aws": {"function_name": "orders:live", "operation": "Invoke", "request_id": "l-1"},
            "subsegments": [{"name": "inner", "start_time": 1773136800.2, "aws": {"request_id": "d-1"}}],
        }
    ],
}
FORMS = [
    {"Traces": [{"Id": TRACE, "Segments": [{"Id": "a", "Document": json.dumps(SEGMENT)}]}], "UnprocessedTraceIds": []},
    {"traces": [{"id": TRACE, "segments": [{"id": "a", "document": SEGMENT}]}]},
    {"RetrievalStatus": "COMPLETE", "Traces": [{"Id": TRACE, "Spans": [{"Id": "a", "Document": json.dumps(SEGMENT)}]}]},
    {"Id": TRACE, "Segments": [{key: item for key, item in SEGMENT.items() if key != "trace_id"}]},
    {"Id": "a", "Document": json.dumps(SEGMENT)},
    SEGMENT,
    [SEGMENT, "something else", None],
]


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_a_trace_gives_the_same_segments(form: object) -> None:
    rows = parse_document(form, "t:1")
    assert rows is not None
    gateway, call, inner = rows
    assert (gateway.gateway_request_id, gateway.api_id, gateway.stage) == ("r-1", "k9x2m7p4q1", "prod")
    assert (gateway.status, gateway.fault, gateway.ended_at) == (504, True, 1773136829131.0)
    assert (call.parent_id, call.function, call.in_progress, call.ended_at) == (gateway.id, "orders", True, None)
    assert (inner.parent_id, inner.id) == (call.id, f"{call.id}/2")


def test_only_the_call_of_the_gateway_names_the_invocation() -> None:
    rows = parse_document(SEGMENT, "t:1")
    assert rows is not None
    assert [row.lambda_request_id for row in rows] == [None, "l-1", None]


def test_a_request_id_of_the_metadata_serves_where_aws_has_none() -> None:
    segment = SEGMENT | {"aws": {}, "metadata": {"default": {"request_id": "r-2", "extended_request_id": "e="}}}
    rows = parse_document(segment, "t:1")
    assert rows is not None
    assert (rows[0].gateway_request_id, rows[0].extended_request_id) == ("r-2", "e=")


def test_numbers_with_exponents_and_as_strings_are_read() -> None:
    rows = parse_document(SEGMENT | {"start_time": "1.77313680012E9", "end_time": 1.773136829131e9}, "t:1")
    assert rows is not None
    assert (rows[0].started_at, rows[0].ended_at) == (1773136800120.0, 1773136829131.0)


def test_a_segment_without_a_start_is_left_out_and_its_children_are_kept() -> None:
    rows = parse_document(SEGMENT | {"start_time": None}, "t:1")
    assert rows is not None
    assert [row.name for row in rows] == ["Lambda", "inner"]


def test_an_unreadable_document_leaves_the_others() -> None:
    broken = {"Id": "b", "Document": '{"id": "cut he'}
    rows = parse_document({"Traces": [{"Id": TRACE, "Segments": [broken, {"Id": "a", "Document": SEGMENT}]}]}, "t:1")
    assert rows is not None
    assert len(rows) == 3


def test_an_answer_without_traces_is_x_ray_all_the_same() -> None:
    assert parse_document({"Traces": [], "UnprocessedTraceIds": [TRACE]}, "t:1") == []


@pytest.mark.parametrize(
    "value",
    [
        None,
        [],
        {},
        {"Traces": []},
        {"traces": [{"id": 1}]},
        {"spans": [{"name": "x"}]},
        {"id": "a", "name": "b", "start_time": 1773136800.1},
        {"trace_id": TRACE, "level": "INFO", "message": "x"},
    ],
)
def test_other_json_is_not_claimed(value: object) -> None:
    assert parse_document(value, "t:1") is None


def test_depth_is_bounded() -> None:
    node: dict[str, Any] = {"id": "x", "name": "deepest", "start_time": 1773136800.1}
    for _ in range(5000):
        node = {"id": "x", "name": "n", "start_time": 1773136800.1, "subsegments": [node]}
    rows = parse_document(node | {"trace_id": TRACE}, "t:1")
    assert rows is not None
    assert len(rows) < 100


def test_a_span_of_transaction_search_becomes_a_segment() -> None:
    span = {
        "traceId": "69afeba01a7c3e5b9d1f20486ace1351",
        "spanId": "bb010b0c0d0e0f01",
        "parentSpanId": "aa010b0c0d0e0f01",
        "name": "orders/handler",
        "kind": "SERVER",
        "startTimeUnixNano": 1773136800158000000,
        "endTimeUnixNano": 1773136831163000000,
        "attributes": {"faas.invocation_id": "ae5d2c90", "faas.name": "orders"},
        "resource": {"attributes": {"cloud.resource_id": "arn:aws:lambda:eu-west-1:123456789012:function:orders-api"}},
        "status": {"code": "ERROR"},
    }
    rows = parse_document(span, "spans:1")
    assert rows is not None
    (row,) = rows
    assert (row.trace_id, row.parent_id) == (TRACE, "aa010b0c0d0e0f01")
    assert (row.lambda_request_id, row.function, row.fault) == ("ae5d2c90", "orders-api", True)
    export = {
        "resourceSpans": [
            {
                "resource": {},
                "scopeSpans": [
                    {"spans": [span | {"attributes": [{"key": "http.status_code", "value": {"intValue": "429"}}]}]}
                ],
            }
        ]
    }
    rows = parse_document(export, "spans:1")
    assert rows is not None
    assert (rows[0].status, rows[0].throttle, rows[0].error, rows[0].fault) == (429, True, True, False)


NAMES = (
    "Traces traces Segments Spans Document Id id trace_id start_time end_time subsegments aws api_gateway http response"
    " status name origin metadata default annotations resourceSpans scopeSpans spans traceId spanId startTimeUnixNano"
    " attributes resource key value function_arn in_progress"
)
KEYS = st.sampled_from(NAMES.split())
LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=5),
    st.sampled_from(
        [TRACE, "69afeba01a7c3e5b9d1f20486ace1351", 1773136800.1, 10**400, json.dumps(SEGMENT), "AWS::Lambda"]
    ),
)
ANYTHING = st.recursive(
    LEAVES,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(KEYS, inner, max_size=8)),
    max_leaves=20,
)


@given(ANYTHING)
def test_no_json_value_raises(value: object) -> None:
    parse_document(value, "x:1")


@given(KEYS, ANYTHING)
def test_no_wrong_type_in_a_segment_raises(key: str, value: object) -> None:
    parse_document(SEGMENT | {key: value}, "x:1")
    parse_document(
        SEGMENT | {"aws": {key: value, "api_gateway": value}, "http": value, "metadata": {key: value}}, "x:1"
    )
