"""CloudWatch metrics as `get-metric-data` and `get-metric-statistics` print them.

    {"MetricDataResults": [{"Id": "m0", "Label": "AWS/ApiGateway 5XXError ApiName=shop Stage=prod Sum",
      "Timestamps": ["2027-01-11T10:01:00+00:00", ...], "Values": [2.0, ...], "StatusCode": "Complete"}]}
    {"Label": "5XXError", "Datapoints": [{"Timestamp": "2027-01-11T10:01:00+00:00", "Sum": 2.0, "Unit": "Count"}]}

The answers name neither namespace nor dimensions, and a label is free text: what stands there is taken, in the form
above; a label that names only the metric (as CloudWatch makes it) gives a series of a place that is not known.
Points come in any order. Points without a time or a number are counted as unread.

>>> points = [{"Timestamp": "2027-01-11T10:01:00Z", "Sum": 2.0}, {"Timestamp": "2027-01-11T10:00:00Z", "Sum": 0.0}]
>>> rows = parse_document({"Label": "5XXError", "Datapoints": points}, "metrics.json")
>>> rows[0].metric, rows[0].statistic, rows[0].points, rows[0].values
('5XXError', 'Sum', 2, (2.0,))
>>> read_label("AWS/Lambda Errors FunctionName=orders-fn Sum").dimensions
('FunctionName=orders-fn',)
"""

import re
from collections.abc import Iterable
from itertools import pairwise
from typing import Any

import msgspec

from apigw_doctor.evidence.tables import MetricSeries, Row, Unread
from apigw_doctor.model.times import iso, parse_time
from apigw_doctor.sources.json_values import CITED_CHARS, array, cite, epoch_ms, mapping, number, text

_LABEL_CHARS = 500
_NAMESPACE = re.compile(r"(?<!\S)(?:AWS|ECS|CWAgent|LambdaInsights)(?:/[\w-]+)?(?!\S)")
_DIMENSIONS = (
    "ApiName|ApiId|Stage|Method|Resource|Route|FunctionName|ExecutedVersion|LoadBalancer|TargetGroup|AvailabilityZone"
    "|NatGatewayId|QueueName|CapacityProviderName|InstanceType"
)
_PAIR = re.compile(rf"(?<!\S)({_DIMENSIONS})=")
_STATISTICS = ("Sum", "Average", "Maximum", "Minimum", "SampleCount")
_STATISTIC = re.compile(
    rf"(?<!\S)(?:{'|'.join(_STATISTICS)}|IQM|p\d{{1,2}}(?:\.\d+)?|p100|(?:tm|wm|tc|ts)\d{{1,2}}(?:\.\d+)?"
    r"|(?:PR|TM|WM|TC|TS)\([\d.:%]{1,40}\))(?!\S)"
)
_WORD = re.compile(r"[A-Za-z0-9_]+")
_OWN = {
    "AWS/ApiGateway": "Count 4XXError 5XXError 4xx 5xx Latency IntegrationLatency CacheHitCount CacheMissCount"
    " DataProcessed ConnectCount MessageCount IntegrationError ClientError ExecutionError",
    "AWS/Lambda": "Invocations Errors Throttles Duration PostRuntimeExtensionsDuration ConcurrentExecutions"
    " UnreservedConcurrentExecutions ClaimedAccountConcurrency ProvisionedConcurrentExecutions"
    " ProvisionedConcurrencyUtilization ProvisionedConcurrencyInvocations ProvisionedConcurrencySpilloverInvocations",
    "AWS/ApplicationELB": "TargetResponseTime RequestCount TargetConnectionErrorCount RejectedConnectionCount"
    " HTTPCode_ELB_4XX_Count HTTPCode_ELB_5XX_Count HTTPCode_ELB_500_Count HTTPCode_ELB_502_Count"
    " HTTPCode_ELB_503_Count HTTPCode_ELB_504_Count HTTPCode_Target_2XX_Count HTTPCode_Target_3XX_Count"
    " HTTPCode_Target_4XX_Count HTTPCode_Target_5XX_Count HealthyHostCount UnHealthyHostCount LambdaInternalError"
    " LambdaUserError",
}
#: metric -> the namespace that it belongs to where a label does not say
METRICS = {name: namespace for namespace, names in _OWN.items() for name in names.split()}
Points = dict[float, float]


class Label(msgspec.Struct, frozen=True):
    """What a label says; None where it does not."""

    namespace: str | None
    metric: str | None
    dimensions: tuple[str, ...]
    statistic: str | None


def is_answer(value: dict[str, Any]) -> bool:
    """The document is one of the two."""
    return isinstance(value.get("MetricDataResults"), list) or (
        isinstance(value.get("Datapoints"), list) and "Label" in value
    )


def parse_document(value: object, origin: str) -> list[Row] | None:
    """One row a series, and what could not be read; None when it is no such answer."""
    if not isinstance(value, dict) or not is_answer(value):
        return None
    if isinstance(value.get("MetricDataResults"), list):
        return _data(value, origin)
    return _statistics(value, origin)


def read_label(label: str) -> Label:
    """Namespace, metric, dimensions and statistic, as far as they stand in a label."""
    label = label[:_LABEL_CHARS]
    pairs = list(_PAIR.finditer(label))
    head = label[: pairs[0].start()] if pairs else label
    ends = [pair.start() for pair in pairs[1:]] + [len(label)] * bool(pairs)
    values = [label[pair.end() : end].strip() for pair, end in zip(pairs, ends, strict=True)]
    statistic = None
    if values and (found := list(_STATISTIC.finditer(values[-1]))):
        statistic = found[-1].group()
        values[-1] = values[-1][: found[-1].start()].strip()
    elif found := list(_STATISTIC.finditer(head)):
        statistic = found[-1].group()
    namespace = _NAMESPACE.search(head)
    return Label(
        namespace=namespace.group() if namespace else None,
        metric=_metric(head[namespace.end() :] if namespace else head, whole=namespace is not None),
        dimensions=tuple(f"{pair.group(1)}={value}" for pair, value in zip(pairs, values, strict=True) if value),
        statistic=statistic,
    )


def _metric(words: str, *, whole: bool) -> str | None:
    found: list[str] = [word for word in _WORD.findall(words) if word not in _STATISTICS]
    known = [word for word in found if word in METRICS]
    if known:
        return known[0]
    return found[0] if whole and found else None


def _data(value: dict[str, Any], origin: str) -> list[Row]:
    """The CLI puts the pages of a long answer one after the other: the parts of a series go together."""
    series: dict[tuple[str, str], Points] = {}
    partial: set[tuple[str, str]] = set()
    unread = 0
    for result in array(value.get("MetricDataResults")):
        node = mapping(result)
        times, values = node.get("Timestamps"), node.get("Values")
        if not isinstance(times, list) or not isinstance(values, list):
            unread += 1
            continue
        key = (text(node.get("Id")) or "", text(node.get("Label")) or text(node.get("Id")) or "")
        points = series.setdefault(key, {})
        partial.discard(key)  # the last page tells
        if node.get("StatusCode") not in (None, "Complete"):
            partial.add(key)
        for at, amount in zip(times, values, strict=False):
            unread += not _put(points, at, amount)
        unread += abs(len(times) - len(values))
    more = value.get("NextToken") is not None
    rows: list[Row] = [
        _row(label, read_label(label), points, origin, complete=not more and (name, label) not in partial)
        for (name, label), points in series.items()
    ]
    return rows + _unread(unread, origin)


def _statistics(value: dict[str, Any], origin: str) -> list[Row]:
    label = text(value.get("Label")) or ""
    told = read_label(label)
    series: dict[str, Points] = {}
    units: dict[str, str | None] = {}
    unread = 0
    for point in array(value.get("Datapoints")):
        node = mapping(point)
        given = {name: node[name] for name in _STATISTICS if name in node}
        given |= {str(name)[:_LABEL_CHARS]: amount for name, amount in mapping(node.get("ExtendedStatistics")).items()}
        put = [_put(series.setdefault(name, {}), node.get("Timestamp"), amount) for name, amount in given.items()]
        for name in given:
            units.setdefault(name, text(node.get("Unit")))
        unread += not put or not all(put)
    rows: list[Row] = [
        _row(label, msgspec.structs.replace(told, statistic=name), points, origin, unit=units[name])
        for name, points in series.items()
        if points
    ]
    return rows + _unread(unread, origin)


def _put(points: Points, time: object, amount: object) -> bool:
    at = parse_time(time) if isinstance(time, str) else epoch_ms(time)
    value = number(amount)
    if at is None or value is None or at < 0:
        return False
    points[at] = value
    return True


def _row(
    label: str, told: Label, points: Points, origin: str, *, unit: str | None = None, complete: bool = True
) -> MetricSeries:
    times = sorted(points)
    kept = [at for at in times if points[at]]
    return MetricSeries(
        label=label[:_LABEL_CHARS],
        namespace=told.namespace or (METRICS.get(told.metric) if told.metric else None),
        metric=told.metric,
        dimensions=told.dimensions,
        statistic=told.statistic,
        unit=unit,
        period_ms=min((after - before for before, after in pairwise(times)), default=None),
        first_at=times[0] if times else None,
        last_at=times[-1] if times else None,
        points=len(times),
        times=tuple(kept),
        values=tuple(points[at] for at in kept),
        complete=complete,
        cites=cite(origin, _said(label, told, times, points)),
    )


def _said(label: str, told: Label, times: Iterable[float], points: Points) -> str:
    """The series in words short enough to be a proof."""
    words = [label if told.statistic is None or told.statistic in label.split() else f"{label} {told.statistic}"]
    length = len(words[0])
    for at in times:
        if points[at]:
            words.append(f"{iso(at)[:16]}Z {points[at]:.10g}")
            length += len(words[-1]) + 2
            if length > CITED_CHARS:
                break
    return ", ".join(words)


def _unread(count: int, origin: str) -> list[Row]:
    if not count:
        return []
    return [Unread(origin=origin, lines=count, reason="a point or series of a metric without time or number")]
