"""Reads with boto3 what was published, as a stranger would."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3

from apigw_doctor.lab.evidence.metrics import MetricPoint, Statistic


@contextmanager
def client(service: str, url: str, region: str = "eu-west-1") -> Iterator[Any]:
    """A boto3 client that is closed afterwards."""
    made = boto3.client(service, endpoint_url=url, region_name=region)
    try:
        yield made
    finally:
        made.close()


def messages(url: str, group: str, region: str = "eu-west-1") -> list[tuple[str, int, str]]:
    """Stream, time and message of all events of a group."""
    with client("logs", url, region) as logs:
        pages = logs.get_paginator("filter_log_events").paginate(logGroupName=group)
        events = [event for page in pages for event in page["events"]]
    return [(one["logStreamName"], one["timestamp"], one["message"]) for one in events]


STATISTICS: tuple[Statistic, ...] = ("SampleCount", "Sum", "Average", "Minimum", "Maximum")


def statistics(url: str, points: list[MetricPoint], region: str = "eu-west-1") -> dict[MetricPoint, dict[str, float]]:
    """What CloudWatch says of each minute of each metric, asked with GetMetricData."""
    asked = [(point, name) for point in points for name in STATISTICS]
    begin, end = min(one.at for one in points), max(one.at for one in points)
    found: dict[MetricPoint, dict[str, float]] = {point: {} for point in points}
    with client("cloudwatch", url, region) as cloudwatch:
        for n in range(0, len(asked), 500):
            part = asked[n : n + 500]
            answer = cloudwatch.get_metric_data(
                MetricDataQueries=[_query(f"m{k}", *one) for k, one in enumerate(part)],
                StartTime=datetime.fromtimestamp(begin / 1000, UTC),
                EndTime=datetime.fromtimestamp(end / 1000, UTC) + timedelta(minutes=1),
            )
            for one in answer["MetricDataResults"]:
                point, name = part[int(one["Id"][1:])]
                at = datetime.fromtimestamp(point.at / 1000, UTC)
                known = dict(zip(one["Timestamps"], one["Values"], strict=True))
                found[point][name] = known[at]
    return found


def _query(name: str, point: MetricPoint, statistic: str) -> dict[str, Any]:
    dimensions = [{"Name": key, "Value": value} for key, value in point.dimensions]
    metric = {"Namespace": point.namespace, "MetricName": point.name, "Dimensions": dimensions}
    return {"Id": name, "MetricStat": {"Metric": metric, "Period": 60, "Stat": statistic}}


def documents(url: str, trace_ids: list[str]) -> dict[str, list[str]]:
    """The segment documents of each trace."""
    with client("xray", url) as xray:
        traces = xray.batch_get_traces(TraceIds=trace_ids)["Traces"]
    return {trace["Id"]: sorted(segment["Document"] for segment in trace["Segments"]) for trace in traces}
