r"""OpenTelemetry spans as X-Ray's Transaction Search keeps them in the log group `aws/spans`.

Attributes are an object there, and a list of `{"key", "value"}` in an OTLP export; both are read.

>>> rows = parse({"traceId": "69afeba01a7c3e5b9d1f20486ace1351", "spanId": "aa010b0c0d0e0f01", "name": "orders/prod",
...     "startTimeUnixNano": 1773136800120000000, "endTimeUnixNano": 1773136829131000000,
...     "attributes": {"http.response.status_code": 504}, "status": {"code": "ERROR"}}, origin="spans:1")
>>> rows[0].trace_id, rows[0].started_at, rows[0].status, rows[0].fault
('1-69afeba0-1a7c3e5b9d1f20486ace1351', 1773136800120.0, 504, True)
"""

from typing import Any

from apigw_doctor.evidence.tables import TraceSegment
from apigw_doctor.model.ids import function_from_uri, trace_root
from apigw_doctor.sources.json_values import array, cite, epoch_ms, get, mapping, text, whole

_SERVER_ERRORS, _CLIENT_ERRORS, _THROTTLED = 500, 400, 429
_LAMBDA = "AWS::Lambda::Function"
_ERROR_CODES = ("ERROR", "STATUS_CODE_ERROR", 2)
_CLIENT_KINDS = ("CLIENT", "SPAN_KIND_CLIENT", 3)


def is_otel(node: dict[str, Any]) -> bool:
    """One span, or an OTLP export with many."""
    return "resourceSpans" in node or ("spanId" in node and "traceId" in node and "startTimeUnixNano" in node)


def parse(node: dict[str, Any], origin: str) -> list[TraceSegment]:
    """The spans of a record; none for a span without usable id or time."""
    if "resourceSpans" not in node:
        return [row] if (row := _row(node, mapping(node.get("resource")), origin)) is not None else []
    return [
        row
        for group in array(node.get("resourceSpans"))
        for scope in array(get(group, "scopeSpans"))
        for span in array(get(scope, "spans"))
        if isinstance(span, dict) and (row := _row(span, mapping(get(group, "resource")), origin)) is not None
    ]


def _row(span: dict[str, Any], resource: dict[str, Any], origin: str) -> TraceSegment | None:
    trace_id = trace_root(text(span.get("traceId")) or "")
    span_id, started_at = text(span.get("spanId")), epoch_ms(span.get("startTimeUnixNano"))
    if trace_id is None or span_id is None or started_at is None:
        return None
    said = _attributes(resource.get("attributes")) | _attributes(span.get("attributes"))
    status = whole(get(said, "http.response.status_code", "http.status_code"))
    failed = get(span.get("status"), "code") in _ERROR_CODES
    invoked, _ = function_from_uri(text(get(said, "aws.lambda.invoked_arn", "cloud.resource_id", "faas.id")) or "")
    invocation = text(get(said, "faas.invocation_id", "faas.execution", "aws.lambda.request_id"))
    return TraceSegment(
        trace_id=trace_id,
        id=span_id,
        parent_id=text(span.get("parentSpanId")),
        name=text(span.get("name")) or "",
        origin=text(get(said, "aws.xray.origin")) or (_LAMBDA if invocation else None),
        namespace="remote" if span.get("kind") in _CLIENT_KINDS else None,
        started_at=started_at,
        ended_at=epoch_ms(span.get("endTimeUnixNano")),
        fault=status >= _SERVER_ERRORS if status is not None else failed,
        error=status is not None and _CLIENT_ERRORS <= status < _SERVER_ERRORS,
        throttle=status == _THROTTLED,
        status=status,
        operation=text(get(said, "rpc.method", "aws.operation", "db.operation")),
        gateway_request_id=text(get(said, "aws.api_gateway.request_id")),
        lambda_request_id=invocation,
        function=invoked or text(get(said, "faas.name")),
        api_id=text(get(said, "aws.api_gateway.rest_api_id", "aws.api_id")),
        stage=text(get(said, "aws.api_gateway.stage", "aws.api_stage")),
        cites=cite(origin, span),
    )


def _attributes(value: object) -> dict[str, Any]:
    if isinstance(value, dict):
        return value
    found: dict[str, Any] = {}
    for item in array(value):
        key, inner = text(get(item, "key")), mapping(get(item, "value"))
        if key is not None and inner:
            found[key] = next(iter(inner.values()))
    return found
