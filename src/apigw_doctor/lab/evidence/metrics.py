"""CloudWatch metrics, minute by minute: the names and dimensions of facts 5.

Every point keeps the values it is made of, so that a publisher can put them and percentiles are right.
"""

from collections.abc import Iterator
from typing import Literal

import msgspec

from apigw_doctor.lab.evidence.access import TimeoutLatency
from apigw_doctor.lab.evidence.execution import latency_ms
from apigw_doctor.lab.evidence.forms import iso_offset, whole
from apigw_doctor.lab.records import BalancerEntry, Exchange, InvocationEnded, Journal
from apigw_doctor.lab.setup import LabApi, LabFunction, LabSetup
from apigw_doctor.model.terms import ApiType

Unit = Literal["Count", "Milliseconds", "Seconds", "Bytes"]
Dimensions = tuple[tuple[str, str], ...]
Statistic = Literal["SampleCount", "Sum", "Average", "Minimum", "Maximum"]
MINUTE = 60_000.0
_GATEWAY, _LAMBDA, _BALANCER = "AWS/ApiGateway", "AWS/Lambda", "AWS/ApplicationELB"

Sample = tuple[str, str, Dimensions, Unit, float, float]
"""Namespace, name, dimensions, unit, time, value."""


class MetricPoint(msgspec.Struct, frozen=True, kw_only=True):
    """The values of one metric in one minute; `at` is the minute's start in epoch milliseconds."""

    namespace: str
    name: str
    dimensions: Dimensions
    unit: Unit
    at: int
    values: tuple[float, ...]

    def statistic(self, name: Statistic) -> float:
        """One of CloudWatch's statistics."""
        values = self.values
        match name:
            case "SampleCount":
                return float(len(values))
            case "Sum":
                return float(sum(values))
            case "Average":
                return sum(values) / len(values)
            case "Minimum":
                return min(values)
            case "Maximum":
                return max(values)


def metric_points(
    journal: Journal, setup: LabSetup, *, detailed: bool = False, timeout_latency: TimeoutLatency = "-"
) -> list[MetricPoint]:
    """All points by metric and time; `detailed` adds those per method and resource of a REST API."""
    found: dict[tuple[str, str, Dimensions, Unit], dict[int, list[float]]] = {}
    for namespace, name, dimensions, unit, at, value in _samples(journal, setup, detailed, timeout_latency):
        minutes = found.setdefault((namespace, name, dimensions, unit), {})
        minutes.setdefault(int(at // MINUTE * MINUTE), []).append(value)
    return [
        MetricPoint(namespace=n, name=name, dimensions=d, unit=unit, at=at, values=tuple(values))
        for (n, name, d, unit), minutes in sorted(found.items())
        for at, values in sorted(minutes.items())
    ]


def metric_data(points: list[MetricPoint], statistics: tuple[Statistic, ...] = ("Sum", "Average", "Maximum")) -> object:
    """What `aws cloudwatch get-metric-data` answers; each result's label names metric, dimensions and statistic."""
    series: dict[tuple[str, Statistic], list[MetricPoint]] = {}
    for point in points:
        label = " ".join([point.namespace, point.name, *(f"{name}={value}" for name, value in point.dimensions)])
        for statistic in statistics:
            series.setdefault((label, statistic), []).append(point)
    results = [
        {
            "Id": f"m{number}",
            "Label": f"{label} {statistic}",
            # The newest first, unless asked otherwise.
            "Timestamps": [iso_offset(point.at) for point in reversed(known)],
            "Values": [round(point.statistic(statistic), 6) for point in reversed(known)],
            "StatusCode": "Complete",
        }
        for number, ((label, statistic), known) in enumerate(series.items())
    ]
    return {"MetricDataResults": results, "Messages": []}


def _samples(journal: Journal, setup: LabSetup, detailed: bool, timeout_latency: TimeoutLatency) -> Iterator[Sample]:
    for exchange in journal.exchanges:
        yield from _gateway(exchange, setup.api, detailed, timeout_latency)
    invocations = [one for one in journal.functions if isinstance(one, InvocationEnded)]
    functions = {function.name: function for function in setup.functions}
    for record in invocations:
        yield from _invocation(record, functions.get(record.function))
    for name, calls in _by_function(invocations).items():
        for at, running in _concurrency(calls):
            yield _LAMBDA, "ConcurrentExecutions", (("FunctionName", name),), "Count", at, float(running)
    for exchange in journal.exchanges:
        call = exchange.integration
        if call is not None and call.function and call.service_status == 429:
            yield _LAMBDA, "Throttles", (("FunctionName", call.function),), "Count", call.sent_at, 1.0
    for entry in journal.balancers:
        yield from _balancer(entry)


def _gateway(exchange: Exchange, api: LabApi, detailed: bool, timeout_latency: TimeoutLatency) -> Iterator[Sample]:
    for dimensions in _api_dimensions(exchange, api, detailed):
        for name, unit, value in _of_exchange(exchange, api, timeout_latency):
            yield _GATEWAY, name, dimensions, unit, exchange.arrived_at, value


def _api_dimensions(exchange: Exchange, api: LabApi, detailed: bool) -> Iterator[Dimensions]:
    whose = ("ApiName", api.name) if api.api_type is ApiType.REST else ("ApiId", api.api_id)
    yield (whose,)
    yield (whose, ("Stage", api.stage))
    if detailed and exchange.route is not None and api.api_type is not ApiType.WEBSOCKET:
        yield (whose, ("Stage", api.stage), ("Method", exchange.method), ("Resource", exchange.route.path))


def _of_exchange(exchange: Exchange, api: LabApi, timeout_latency: TimeoutLatency) -> Iterator[tuple[str, Unit, float]]:
    call = exchange.integration
    if call is not None and (call.answered or timeout_latency == "limit"):
        yield "IntegrationLatency", "Milliseconds", float(latency_ms(call))
    status = exchange.status
    if api.api_type is ApiType.WEBSOCKET:
        if exchange.event_type in ("CONNECT", "MESSAGE"):
            yield "ConnectCount" if exchange.event_type == "CONNECT" else "MessageCount", "Count", 1.0
        failed = exchange.error_type is not None
        yield "IntegrationError", "Count", float(failed and call is not None)
        yield "ClientError", "Count", float(400 <= status < 500)
        yield "ExecutionError", "Count", float(failed and call is None and status >= 500)
        return
    rest = api.api_type is ApiType.REST
    yield "Count", "Count", 1.0
    yield "4XXError" if rest else "4xx", "Count", float(400 <= status < 500)
    yield "5XXError" if rest else "5xx", "Count", float(status >= 500)
    yield "Latency", "Milliseconds", float(whole(exchange.completed_at - exchange.arrived_at))
    if not rest:
        yield "DataProcessed", "Bytes", float(len(exchange.response_body.encode()))


def _invocation(record: InvocationEnded, function: LabFunction | None) -> Iterator[Sample]:
    for dimensions in _function_dimensions(record, function):
        # The time of all of them is the start of the invocation.
        at = record.started_at
        yield _LAMBDA, "Invocations", dimensions, "Count", at, 1.0
        yield _LAMBDA, "Errors", dimensions, "Count", at, float(record.outcome != "success")
        yield _LAMBDA, "Duration", dimensions, "Milliseconds", at, float(round(record.duration_ms, 2))
        if record.extension_ms:
            extra = float(round(record.extension_ms, 2))
            yield _LAMBDA, "PostRuntimeExtensionsDuration", dimensions, "Milliseconds", at, extra


def _function_dimensions(record: InvocationEnded, function: LabFunction | None) -> Iterator[Dimensions]:
    """The function; the alias or version that was called; the version that an alias led to."""
    named = ("FunctionName", record.function)
    yield (named,)
    called = function.qualifier if function is not None else None
    if called is not None:
        yield (named, ("Resource", f"{record.function}:{called}"))
        if called != record.version:
            yield (named, ("Resource", f"{record.function}:{called}"), ("ExecutedVersion", record.version))


def _by_function(invocations: list[InvocationEnded]) -> dict[str, list[InvocationEnded]]:
    found: dict[str, list[InvocationEnded]] = {}
    for record in invocations:
        found.setdefault(record.function, []).append(record)
    return found


def _concurrency(calls: list[InvocationEnded]) -> Iterator[tuple[float, int]]:
    """How many invocations were under way, whenever one began, and at the start of each minute that one spans."""
    edges = [(call.started_at, 1) for call in calls] + [(call.at, -1) for call in calls]
    minutes = {at for call in calls for at in _minutes(call)}
    running = 0
    for at, change in sorted([*edges, *((minute, 0) for minute in minutes)]):
        running += change
        if change >= 0:
            yield at, running


def _minutes(call: InvocationEnded) -> Iterator[float]:
    at = (call.started_at // MINUTE + 1) * MINUTE
    while at < call.at:
        yield at
        at += MINUTE


def _balancer(entry: BalancerEntry) -> Iterator[Sample]:
    dimensions: Dimensions = (("LoadBalancer", entry.balancer),)
    at = entry.ended_at
    yield _BALANCER, "RequestCount", dimensions, "Count", at, 1.0
    if entry.target_ms >= 0:
        yield _BALANCER, "TargetResponseTime", dimensions, "Seconds", at, round(entry.target_ms / 1000.0, 6)
    if entry.target_status is not None:
        yield _BALANCER, f"HTTPCode_Target_{entry.target_status // 100}XX_Count", dimensions, "Count", at, 1.0
        return
    if entry.status >= 500:
        yield _BALANCER, "HTTPCode_ELB_5XX_Count", dimensions, "Count", at, 1.0
        if entry.status in (500, 502, 503, 504):
            yield _BALANCER, f"HTTPCode_ELB_{entry.status}_Count", dimensions, "Count", at, 1.0
        if entry.request_ms < 0:
            yield _BALANCER, "TargetConnectionErrorCount", dimensions, "Count", at, 1.0
    elif entry.status >= 400:
        yield _BALANCER, "HTTPCode_ELB_4XX_Count", dimensions, "Count", at, 1.0
