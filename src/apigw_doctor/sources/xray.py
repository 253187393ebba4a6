r"""X-Ray segment documents, as the API, the CLI and other tools print them.

`BatchGetTraces` carries each segment as a JSON string in `Document`; the SAM CLI and IATK print it
parsed; `ListRetrievedTraces` calls segments `Spans`, which may also be OpenTelemetry spans. Numbers may
be written `1.692291184114E9`. `Initialization` lies before the start of its parent; nothing is clipped.

>>> rows = parse_document({"Traces": [{"Id": "1-64de5070-34ff53fe0d2e1fbe64b28bef", "Segments": [{
...     "Id": "2b4e0ef3499cd781",
...     "Document": '{"id":"2b4e0ef3499cd781","name":"some-app/Prod","start_time":1.692291184114E9,"in_progress":true,'
...                 '"aws":{"api_gateway":{"request_id":"a8722fe5-a391-4c9f-bd89-024d8a6f595e"}}}'}]}]}, origin="t:1")
>>> rows[0].gateway_request_id, rows[0].started_at, rows[0].ended_at, rows[0].in_progress
('a8722fe5-a391-4c9f-bd89-024d8a6f595e', 1692291184114.0, None, True)
>>> parse_document({"level": "INFO", "message": "traces"}, origin="t:1") is None
True
"""

from typing import Any

import msgspec

from apigw_doctor.evidence.tables import TraceSegment
from apigw_doctor.model.ids import function_from_uri, trace_root
from apigw_doctor.sources import otel_spans
from apigw_doctor.sources.json_values import array, cite, epoch_ms, get, mapping, text, whole

_MAX_DEPTH = 64
_GATEWAY = "AWS::ApiGateway::Stage"
_LAMBDA_ORIGINS = ("AWS::Lambda", "AWS::Lambda::Function")
_TRACES = ("Traces", "traces")
_SEGMENTS = ("Segments", "segments", "Spans", "spans")
_DOCUMENT = ("Document", "document")
_ID = ("Id", "id")


def parse_document(value: object, origin: str) -> list[TraceSegment] | None:
    """Segments and subsegments of a document, parents before children; None when it is not X-Ray."""
    if isinstance(value, list):
        found = [rows for item in value if (rows := _object(item, origin)) is not None]
        return [row for rows in found for row in rows] if found else None
    return _object(value, origin)


def _object(value: object, origin: str) -> list[TraceSegment] | None:
    if not isinstance(value, dict):
        return None
    traces = get(value, *_TRACES)
    if isinstance(traces, list):
        known = [rows for trace in traces if (rows := _trace(trace, origin)) is not None]
        answered = any(key in value for key in ("UnprocessedTraceIds", "unprocessedTraceIds", "RetrievalStatus"))
        return [row for rows in known for row in rows] if known or answered else None
    found = _trace(value, origin)
    return found if found is not None else _segment_document(value, None, origin)


def _trace(value: object, origin: str) -> list[TraceSegment] | None:
    """One trace of any of the forms; None when its parts are no segments."""
    segments = get(value, *_SEGMENTS)
    if not isinstance(segments, list):
        return None
    trace_id = trace_root(text(get(value, *_ID)) or "")
    known = [rows for item in segments if (rows := _segment_document(item, trace_id, origin)) is not None]
    if not known and (segments or trace_id is None):
        return None
    return [row for rows in known for row in rows]


def _segment_document(value: object, trace_id: str | None, origin: str) -> list[TraceSegment] | None:
    """A segment with everything below it; None when it is none."""
    document = get(value, *_DOCUMENT)
    raw = document if isinstance(document, str) else None
    if raw is not None:
        try:
            document = msgspec.json.decode(raw)
        except (msgspec.MsgspecError, ValueError, RecursionError):
            return [] if text(get(value, *_ID)) and trace_id else None
    segment = document if isinstance(document, dict) else mapping(value)
    if otel_spans.is_otel(segment):
        return otel_spans.parse(segment, origin)
    trace_id = trace_root(text(segment.get("trace_id")) or "") or trace_id
    if trace_id is None or "start_time" not in segment or text(segment.get("id")) is None:
        return None
    return _flatten(segment, trace_id, origin, raw)


def _flatten(segment: dict[str, Any], trace_id: str, origin: str, raw: str | None) -> list[TraceSegment]:
    rows: list[TraceSegment] = []
    waiting: list[tuple[dict[str, Any], TraceSegment | None, int]] = [(segment, None, 0)]
    while waiting:
        node, parent, depth = waiting.pop()
        row = _row(node, trace_id, parent, len(rows), origin, raw if depth == 0 else None)
        if row is not None:
            rows.append(row)
        children = [child for child in array(node.get("subsegments")) if isinstance(child, dict)]
        if depth < _MAX_DEPTH:
            waiting.extend((child, row or parent, depth + 1) for child in reversed(children))
    return rows


def _row(
    node: dict[str, Any], trace_id: str, parent: TraceSegment | None, index: int, origin: str, raw: str | None
) -> TraceSegment | None:
    started_at = epoch_ms(node.get("start_time"))
    if started_at is None:
        return None
    aws, kind = mapping(node.get("aws")), text(node.get("origin"))
    gateway = mapping(aws.get("api_gateway"))
    is_gateway = bool(gateway) or kind == _GATEWAY
    notes = mapping(node.get("annotations"))
    logged = mapping(mapping(node.get("metadata")).get("default"))
    return TraceSegment(
        trace_id=trace_id,
        id=text(node.get("id")) or f"{parent.id if parent else trace_id}/{index}",
        parent_id=text(node.get("parent_id")) or (parent.id if parent else None),
        name=text(node.get("name")) or "",
        origin=kind,
        namespace=text(node.get("namespace")),
        started_at=started_at,
        ended_at=epoch_ms(node.get("end_time")),
        in_progress=node.get("in_progress") is True,
        fault=node.get("fault") is True,
        error=node.get("error") is True,
        throttle=node.get("throttle") is True,
        status=whole(mapping(mapping(node.get("http")).get("response")).get("status")),
        operation=text(aws.get("operation")),
        gateway_request_id=text(get(gateway, "request_id") or get(logged, "request_id")) if is_gateway else None,
        extended_request_id=text(logged.get("extended_request_id")) if is_gateway else None,
        lambda_request_id=text(aws.get("request_id")) if _names_invocation(node, parent) else None,
        function=_function(node, aws),
        api_id=text(get(gateway, "rest_api_id") or notes.get("aws:api_id")),
        stage=text(gateway.get("stage") or notes.get("aws:api_stage")),
        cites=cite(origin, raw or {key: item for key, item in node.items() if key != "subsegments"}),
    )


def _names_invocation(node: dict[str, Any], parent: TraceSegment | None) -> bool:
    """Whether `aws.request_id` is that of the invocation behind the gateway.

    Subsegments carry the id of the call they made; only the gateway's own call is that invocation.
    """
    if node.get("origin") in _LAMBDA_ORIGINS:
        return True
    called_by_gateway = parent is not None and parent.gateway_request_id is not None
    return called_by_gateway and node.get("name") == "Lambda"


def _function(node: dict[str, Any], aws: dict[str, Any]) -> str | None:
    for arn in (aws.get("function_arn"), aws.get("function_name"), node.get("resource_arn")):
        name, _ = function_from_uri(text(arn) or "")
        if name is not None:
            return name
    if (called := text(aws.get("function_name"))) is not None:
        return called.partition(":")[0]
    return text(node.get("name")) if node.get("origin") in _LAMBDA_ORIGINS else None
