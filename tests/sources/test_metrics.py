"""CloudWatch metrics as the AWS CLI prints them."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apigw_doctor.evidence.tables import MetricSeries, Unread
from apigw_doctor.sources.metrics import parse_document, read_label

MINUTE = 60_000.0


def result(label: str, values: list[Any], **more: Any) -> dict[str, Any]:
    times = [f"2027-01-11T10:{minute:02d}:00+00:00" for minute in range(len(values))]
    return {"Id": "m0", "Label": label, "Timestamps": times, "Values": values, "StatusCode": "Complete"} | more


def read(value: object) -> tuple[list[MetricSeries], int]:
    rows = parse_document(value, "m.json:1")
    assert rows is not None
    lines = sum(row.lines for row in rows if isinstance(row, Unread))
    return [row for row in rows if isinstance(row, MetricSeries)], lines


@pytest.mark.parametrize(
    ("label", "namespace", "metric", "dimensions", "statistic"),
    [
        ("5XXError", None, "5XXError", (), None),
        ("shop prod 5XXError", None, "5XXError", (), None),
        ("p99 Latency", None, "Latency", (), "p99"),
        (
            "AWS/ApiGateway 5XXError ApiName=my shop Stage=$default Sum",
            "AWS/ApiGateway",
            "5XXError",
            ("ApiName=my shop", "Stage=$default"),
            "Sum",
        ),
        ("AWS/AppSync 5XXError Sum", "AWS/AppSync", "5XXError", (), "Sum"),
        ("what my dashboard calls it", None, None, (), None),
        ("", None, None, (), None),
    ],
)
def test_a_label_gives_what_stands_in_it(
    label: str, namespace: str | None, metric: str | None, dimensions: tuple[str, ...], statistic: str | None
) -> None:
    found = read_label(label)
    assert (found.namespace, found.metric, found.dimensions, found.statistic) == (
        namespace,
        metric,
        dimensions,
        statistic,
    )


def test_a_series_keeps_its_span_and_the_points_that_are_not_zero() -> None:
    (row,), unread = read({"MetricDataResults": [result("5XXError Sum", [0.0, 2.0, 0.0])]})
    assert (row.points, row.values, row.period_ms, unread) == (3, (2.0,), MINUTE, 0)
    assert row.last_at is not None
    assert row.first_at is not None
    assert row.last_at - row.first_at == 2 * MINUTE


def test_the_pages_of_one_answer_are_one_series() -> None:
    first = result("5XXError Sum", [1.0, 2.0], StatusCode="PartialData")
    second = result("5XXError Sum", [0.0, 0.0, 3.0])
    (row,), _ = read({"MetricDataResults": [first, second]})
    assert (row.points, row.values, row.complete) == (3, (3.0,), True)


def test_each_statistic_of_a_data_point_is_a_series() -> None:
    point = {"Timestamp": "2027-01-11T10:00:00Z", "Maximum": 9.0, "Unit": "Milliseconds"}
    other = {"Timestamp": "2027-01-11T09:59:00Z", "ExtendedStatistics": {"p99": 7.0}}
    rows, _ = read({"Label": "Latency", "Datapoints": [point, other]})
    assert [(row.statistic, row.values) for row in rows] == [("Maximum", (9.0,)), ("p99", (7.0,))]


def test_points_without_time_or_number_are_counted() -> None:
    broken = result("5XXError Sum", ["x", 1.0, None])
    (row,), unread = read({"MetricDataResults": [broken, {"Id": "m1"}, 7]})
    assert (row.points, unread) == (1, 4)


@pytest.mark.parametrize("value", [None, [], {}, {"Label": "x"}, {"Datapoints": []}, {"MetricDataResults": {}}])
def test_other_json_is_not_claimed(value: object) -> None:
    assert parse_document(value, "x:1") is None


LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=20),
    st.sampled_from([10**400, "1e9", "9" * 18]),
)
KEYS = st.sampled_from(
    "MetricDataResults Id Label Timestamps Values StatusCode Datapoints Timestamp Sum Maximum ExtendedStatistics Unit"
    " NextToken".split()
)
ANYTHING = st.recursive(
    LEAVES,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(KEYS, inner, max_size=6)),
    max_leaves=25,
)


@given(ANYTHING)
def test_no_json_value_raises(value: object) -> None:
    parse_document(value, "x:1")


@given(
    st.lists(st.one_of(ANYTHING, st.fixed_dictionaries({"Timestamps": st.lists(LEAVES), "Values": st.lists(LEAVES)})))
)
def test_no_result_and_no_point_raises(values: list[Any]) -> None:
    parse_document({"MetricDataResults": values}, "x:1")
    parse_document({"Label": values, "Datapoints": values}, "x:1")


@given(st.text())
def test_no_label_raises(label: str) -> None:
    read_label(label)
    read_label(f"AWS/ApiGateway 5XXError ApiName={label} Stage={label} Sum")
