"""The finding about failures that only metrics count: fires, stays silent, and says what cannot be told."""

from typing import Any

import msgspec

from apigw_doctor.diagnosis.judge import Judged, Told
from apigw_doctor.diagnosis.metric_failures import failures_in_metrics, no_proof
from apigw_doctor.diagnosis.verdict import Finding
from apigw_doctor.evidence.tables import (
    ApiSettings,
    Cite,
    ConcurrencySettings,
    Evidence,
    FunctionSettings,
    GatewayRequest,
    GatewayResponseSettings,
    IntegrationSettings,
    LambdaInvocation,
    MetricSeries,
    StageSettings,
)
from apigw_doctor.model.terms import ApiType, Boundary, Confidence, Kind, Layer, LimitBasis, Outcome
from apigw_doctor.sources.metrics import METRICS

AT = 1_799_661_600_000.0
MINUTE = 60_000.0
SHOP = ("ApiName=shop", "Stage=prod")


def series(metric: str, *values: float, statistic: str | None = "Sum", place: tuple[str, ...] = SHOP) -> MetricSeries:
    points = [(AT + number * MINUTE, value) for number, value in enumerate(values) if value]
    return MetricSeries(
        label=metric,
        namespace=METRICS[metric],
        metric=metric,
        dimensions=place,
        statistic=statistic,
        period_ms=MINUTE,
        first_at=AT,
        last_at=AT + (len(values) - 1) * MINUTE,
        points=len(values),
        times=tuple(at for at, _ in points),
        values=tuple(value for _, value in points),
    )


def failed(at: float | None, **more: Any) -> Judged:
    told = Told(
        kind=Kind.FAILED,
        cause="undetermined",
        layer=Layer.UNKNOWN,
        boundary=Boundary.UNKNOWN,
        confidence=Confidence.UNDETERMINED,
        timed_out=False,
        fixes=(),
        summary="",
        limit_ms=29_000.0,
        limit_basis=LimitBasis.DEFAULT,
        default_limit_ms=29_000.0,
    )
    return Judged(told, GatewayRequest(key=str(at), arrived_at=at, status=504, **more))


def found(*rows: MetricSeries, judged: list[Judged] | None = None, **tables: Any) -> list[Finding]:
    return failures_in_metrics(Evidence(metrics=list(rows), **tables), judged or [])


SETTINGS: dict[str, Any] = {
    "apis": [ApiSettings(api_id="a1b2c3", name="shop", api_type=ApiType.REST)],
    "stages": [StageSettings(api_type=ApiType.REST, stage="prod", execution_logging="INFO")],
    "integrations": [IntegrationSettings(api_type=ApiType.REST, function="orders-fn", timeout_ms=29_000.0)],
    "functions": [FunctionSettings(function="orders-fn", timeout_ms=10_000.0)],
}


def test_fires_with_place_minutes_latency_limits_and_the_command() -> None:
    rows = (series("5XXError", 2, 0, 3), series("IntegrationLatency", 10_021, 300, 9_000, statistic="Maximum"))
    (finding,) = found(*rows, **SETTINGS)
    assert finding.count == 5
    for words in (
        "metrics count 5 failed requests (5XXError) of API shop, stage prod, between 2027-01-11 10:00 and 10:03 UTC",
        "none of them is in this evidence",
        "IntegrationLatency reached 10,021 ms",
        "the integration's limit is 29,000 ms",
        "the timeout of orders-fn is 10,000 ms",
        "cause is undetermined",
    ):
        assert words in finding.detail
    assert finding.command == (
        "aws logs filter-log-events --log-group-name API-Gateway-Execution-Logs_a1b2c3/prod"
        f" --start-time {AT:.0f} --end-time {AT + 4 * MINUTE:.0f} > execution.json"
    )


def test_fires_for_the_failures_that_are_not_in_the_evidence() -> None:
    (finding,) = found(series("5XXError", 2, 0, 0, 0, 3), judged=[failed(AT + 1000), failed(AT + 2000)])
    assert finding.count == 3
    assert "2 are in this evidence" in finding.detail
    assert finding.command is not None
    assert f"--start-time {AT + 4 * MINUTE:.0f}" in finding.command


def test_silent_when_every_failure_is_in_the_evidence() -> None:
    """Counted in the next minute, or at a time that is not known, it is the same failure."""
    assert not found(series("5XXError", 1, 1), judged=[failed(AT + 100), failed(AT + MINUTE - 100)])
    assert not found(series("5XXError", 0, 1), judged=[failed(AT + MINUTE - 100)])
    assert not found(series("5XXError", 0, 1), judged=[failed(None)])


def test_failures_of_another_stage_are_others() -> None:
    assert found(series("5XXError", 1), judged=[failed(AT, stage="test")])
    assert not found(series("5XXError", 1), judged=[failed(AT, stage="prod")])


def test_silent_without_failures_and_for_other_services() -> None:
    assert not found(series("5XXError", 0, 0), series("4XXError", 9), series("Latency", 29_000, statistic="Maximum"))
    assert not found(msgspec.structs.replace(series("5XXError", 3), namespace="AWS/AppSync"))


def test_the_same_failures_in_several_dimensions_are_told_once() -> None:
    (finding,) = found(series("5XXError", 4, place=("ApiName=shop",)), series("5XXError", 4))
    assert (finding.count, "stage prod" in finding.detail) == (4, True)
    (finding,) = found(series("5XXError", 4, place=()), series("5XXError", 4))
    assert "stage prod" in finding.detail


def test_not_decidable_which_statistic_is_said() -> None:
    (finding,) = found(series("5XXError", 4, statistic=None, place=()))
    assert "the label names no statistic" in finding.detail
    assert not found(series("5XXError", 120, statistic="SampleCount"))


def test_not_decidable_how_many_is_at_least_one_a_period() -> None:
    (finding,) = found(series("5XXError", 0.1, 0.5, statistic="Average"))
    assert "at least 2 failed requests" in finding.detail
    (finding,) = found(series("5XXError", 0.1, 0.5, statistic="Average"), series("5XXError", 3, 7))
    assert finding.count == 10


def test_a_function_behind_the_api_is_told_with_it_and_another_by_itself() -> None:
    rows = [series("5XXError", 1)]
    rows += [series("Errors", 1, place=(f"FunctionName={name}",)) for name in ("orders-fn", "nightly-fn")]
    gateway, other = found(*rows, **SETTINGS)
    assert "Lambda counts 1 Errors of orders-fn" in gateway.detail
    assert "failed invocation (Errors) of function nightly-fn" in other.detail
    assert other.command is not None
    assert "/aws/lambda/nightly-fn" in other.command


def test_a_throttled_function_is_told_with_what_is_reserved_for_it() -> None:
    rows = series("Throttles", 6, place=("FunctionName=orders-fn",))
    cite = Cite(origin="aws/get-function-concurrency-orders-fn.json:1", text="")
    (finding,) = found(rows, concurrency=[ConcurrencySettings(reserved=5, cites=(cite,))])
    assert "5 environments are reserved for orders-fn" in finding.detail
    for name in ("orders-fn-2", "all-orders-fn"):
        other = Cite(origin=f"aws/get-function-concurrency-{name}.json:1", text="")
        (finding,) = found(rows, concurrency=[ConcurrencySettings(reserved=5, cites=(other,))])
        assert "reserved" not in finding.detail


def test_failed_invocations_in_a_lambda_log_are_those_of_the_metric() -> None:
    rows = [series("Errors", 1, place=("FunctionName=orders-fn",))]
    log = [LambdaInvocation(request_id="i", function="orders-fn", started_at=AT, outcome=Outcome.TIMEOUT)]
    assert not found(*rows, invocations=log)
    assert found(*rows, invocations=[msgspec.structs.replace(log[0], outcome=Outcome.SUCCESS)])


def test_the_access_log_is_named_where_no_execution_log_is_written() -> None:
    arn = "arn:aws:logs:eu-west-1:123456789012:log-group:shop-access:*"
    stage = StageSettings(api_type=ApiType.REST, stage="prod", access_log_destination=arn)
    (finding,) = found(series("5XXError", 1), stages=[stage])
    assert finding.command is not None
    assert "--log-group-name shop-access --start-time" in finding.command
    (finding,) = found(series("5XXError", 1), stages=[msgspec.structs.replace(stage, access_log_destination=None)])
    assert "the stage wrote none" in finding.detail


def test_websocket_http_and_load_balancer_count_too() -> None:
    place = ("ApiId=w1", "Stage=prod")
    (finding,) = found(series("IntegrationError", 2, place=place), series("ExecutionError", 1, place=place))
    assert (finding.count, "4XX too" in finding.detail) == (3, True)
    (finding,) = found(series("5xx", 2, place=("ApiId=h1", "Stage=$default")))
    assert "API h1, stage $default" in finding.detail
    (finding,) = found(series("HTTPCode_ELB_5XX_Count", 2, place=("LoadBalancer=app/x/1",)))
    assert "load balancer app/x/1" in finding.detail


def test_no_5xx_is_no_proof_and_modified_responses_are_named() -> None:
    changed = GatewayResponseSettings(response_type="INTEGRATION_TIMEOUT", status=418, is_default=False)
    told = no_proof(Evidence(metrics=[series("5XXError", 0), series("4XXError", 7)], gateway_responses=[changed]))
    assert told is not None
    assert "count 7 of them" in told
    assert "INTEGRATION_TIMEOUT (418)" in told
    assert no_proof(Evidence(metrics=[series("Errors", 0)])) is None
