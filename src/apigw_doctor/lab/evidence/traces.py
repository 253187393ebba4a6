"""X-Ray traces of sampled requests, as `aws xray batch-get-traces` prints them.

The gateway has a segment on REST APIs whose stage traces; a function has two where it traces: the service's
(`AWS::Lambda`), from the environment's preparation on, and its own (`AWS::Lambda::Function`). In the old structure
that one holds Initialization, Invocation and Overhead, in the new one Init only. What a function's SDK sent comes
below the segment or subsegment that it names.
"""

import json
from collections.abc import Iterator
from typing import Any, Literal
from urllib.parse import urlsplit

from apigw_doctor.lab.evidence.execution import called_uri
from apigw_doctor.lab.evidence.forms import digest, lambda_group
from apigw_doctor.lab.records import AuthorizerCall, Exchange, IntegrationCall, InvocationEnded, Journal
from apigw_doctor.lab.setup import LabApi, LabFunction, LabSetup
from apigw_doctor.model.terms import ApiType

Structure = Literal["new", "old"]
Document = dict[str, Any]
#: BatchGetTraces takes at most five trace ids.
TRACES_PER_CALL = 5
#: From the call of the service until an environment begins to work on it.
_PLACEMENT_MS = 6.0


def traces(journal: Journal, setup: LabSetup, *, structure: Structure = "new") -> Iterator[Document]:
    """The items of `Traces`, by trace in the order in which they began; `Document` is a JSON string."""
    found: dict[str, list[Document]] = {}
    for exchange in journal.exchanges:
        if exchange.sampled and setup.api.tracing and setup.api.api_type is ApiType.REST:
            found.setdefault(exchange.trace_id, []).append(_gateway(exchange, setup.api))
    callers = {one.trace_id: one.subsegment_id for one in journal.exchanges if one.sampled}
    functions = {one.name: one for one in setup.functions}
    for record in journal.functions:
        if not isinstance(record, InvocationEnded) or not record.sampled or record.trace_id is None:
            continue
        if (function := functions.get(record.function)) is not None and function.tracing:
            segments = found.setdefault(record.trace_id, [])
            segments.extend(_lambda(record, function, callers.get(record.trace_id), structure))
    sent: dict[str, list[Document]] = {}
    for document in journal.segments:
        sent.setdefault(str(document.get("trace_id")), []).append(document)
    for trace_id, segments in found.items():
        _join(segments, sent.get(trace_id, []))
    yield from (_trace(trace_id, segments) for trace_id, segments in found.items())


def batches(items: list[Document]) -> list[Document]:
    """What the calls answered that fetched these traces."""
    starts = range(0, len(items), TRACES_PER_CALL)
    return [{"Traces": items[n : n + TRACES_PER_CALL], "UnprocessedTraceIds": []} for n in starts]


def _trace(trace_id: str, segments: list[Document]) -> Document:
    segments.sort(key=lambda segment: float(segment["start_time"]))
    ends = [float(segment["end_time"]) for segment in segments if "end_time" in segment]
    began = float(segments[0]["start_time"])
    return {
        "Id": trace_id,
        "Duration": round(max([began, *ends]) - began, 3),
        "LimitExceeded": False,
        "Segments": [{"Id": one["id"], "Document": json.dumps(one, separators=(",", ":"))} for one in segments],
    }


def _seconds(at: float) -> float:
    return round(at / 1000.0, 3)


def _marks(status: int) -> Document:
    """How X-Ray marks a status."""
    if status == 429:
        return {"error": True, "throttle": True}
    return {"fault": True} if status >= 500 else {"error": True} if status >= 400 else {}


def _gateway(exchange: Exchange, api: LabApi) -> Document:
    subsegments = [] if exchange.authorizer is None else [_authorizer(exchange, exchange.authorizer, api)]
    if exchange.integration is not None:
        subsegments.append(_call(exchange, exchange.integration, api))
    stage = f"arn:aws:apigateway:{api.region}::/restapis/{api.api_id}/stages/{api.stage}"
    ids = {"extended_request_id": exchange.extended_request_id, "request_id": exchange.request_id}
    request = {
        "url": f"https://{exchange.host or api.domain_name}/{api.stage}{exchange.path}",
        "method": exchange.method,
        "user_agent": exchange.user_agent,
        "client_ip": exchange.source_ip,
        "x_forwarded_for": True,
    }
    gateway = {"account_id": api.account_id, "rest_api_id": api.api_id, "stage": api.stage}
    length = len(exchange.response_body.encode())
    return {
        "id": exchange.segment_id or digest("segment", exchange.request_id)[:16],
        "name": f"{api.name}/{api.stage}",
        "start_time": _seconds(exchange.arrived_at),
        "trace_id": exchange.trace_id,
        "end_time": _seconds(exchange.completed_at),
        **_marks(exchange.status),
        "http": {"request": request, "response": {"status": exchange.status, "content_length": length}},
        "aws": {"api_gateway": gateway | {"request_id": exchange.request_id}},
        "annotations": {"aws:api_id": api.api_id, "aws:api_stage": api.stage},
        "metadata": {"default": ids},
        "origin": "AWS::ApiGateway::Stage",
        "resource_arn": stage,
        **({"subsegments": subsegments} if subsegments else {}),
    }


def _call(exchange: Exchange, call: IntegrationCall, api: LabApi) -> Document:
    uri = called_uri(call, api)
    status = call.service_status if call.function else call.status
    document: Document = {
        "id": exchange.subsegment_id or digest("subsegment", exchange.request_id)[:16],
        "name": "Lambda" if call.function else urlsplit(uri).path or "/",
        "start_time": _seconds(call.sent_at),
        "end_time": _seconds(call.ended_at),
        **({"fault": True} if not call.answered else _marks(status or 200)),
        "http": {"request": {"url": uri, "method": "POST" if call.function else exchange.method}},
    }
    if call.answered:
        document["http"]["response"] = {"status": status or 200, "content_length": len(call.response_body.encode())}
    if call.function:
        document["aws"] = _invoke(call.function, api)
    document["namespace"] = "aws" if call.function else "remote"
    return document


def _authorizer(exchange: Exchange, call: AuthorizerCall, api: LabApi) -> Document:
    declared = next((one for one in api.authorizers if one.id == call.authorizer_id), None)
    document: Document = {
        "id": digest("authorizer", exchange.request_id)[:16],
        "name": "Lambda",
        "start_time": _seconds(call.started_at),
        "end_time": _seconds(call.ended_at),
        **({"fault": True} if call.timed_out or call.integration_status is None else {}),
    }
    if call.integration_status is not None:
        document["http"] = {"response": {"status": call.integration_status}}
    document["aws"] = _invoke(declared.function if declared else "authorizer", api)
    document["namespace"] = "aws"
    return document


def _invoke(function: str, api: LabApi) -> Document:
    name = function.partition(":")[0]
    return {"function_name": name, "region": api.region, "operation": "Invoke", "resource_names": [name]}


def _lambda(
    record: InvocationEnded, function: LabFunction, caller: str | None, structure: Structure
) -> tuple[Document, Document]:
    began = min(record.started_at, record.init_started_at or record.started_at) - _PLACEMENT_MS
    if record.restore_ms is not None:
        began -= record.restore_ms
    service_id = record.service_segment_id or digest("service", record.request_id)[:16]
    failed = {"fault": True} if record.outcome != "success" else {}
    parent = record.parent_segment_id or caller
    head = {"trace_id": record.trace_id, "end_time": _seconds(record.at)}
    service = {
        "id": service_id,
        "name": function.name,
        "start_time": _seconds(began),
        **head,
        **({"parent_id": parent} if parent else {}),
        **failed,
        "http": {"response": {"status": 200}},
        "aws": {"request_id": record.request_id},
        "origin": "AWS::Lambda",
        "resource_arn": function.called_arn,
    }
    aws = {
        "account_id": function.account_id,
        "function_arn": function.called_arn,
        "cloudwatch_logs": [{"log_group": lambda_group(function.name)}],
        "resource_names": [function.name],
    }
    own: Document = {
        "id": record.segment_id or digest("function", record.request_id)[:16],
        "name": function.name,
        "start_time": _seconds(record.started_at),
        **head,
        "parent_id": service_id,
        **failed,
        **({"cause": _cause(record)} if record.error_message else {}),
        "aws": aws,
        **({"annotations": notes} if structure == "new" and (notes := _notes(record)) else {}),
        "origin": "AWS::Lambda::Function",
    }
    if parts := list(_parts(record, function, structure)):
        own["subsegments"] = parts
    return service, own


def _cause(record: InvocationEnded) -> Document:
    exception = {"id": digest("exception", record.request_id)[:16], "message": record.error_message}
    return {"exceptions": [exception | {"type": record.error_type or "Error"}]}


def _notes(record: InvocationEnded) -> Document:
    """The times that the new structure has instead of subsegments."""
    notes = {} if record.response_ms is None else {"aws.responseLatency": round(record.response_ms, 3)}
    return notes | ({"aws.extensionOverhead": round(record.extension_ms, 3)} if record.extension_ms else {})


def _parts(record: InvocationEnded, function: LabFunction, structure: Structure) -> Iterator[Document]:
    """Initialization lies before the segment that it belongs to."""
    aws = {"function_arn": function.called_arn}

    def part(name: str, began: float, ended: float) -> Document:
        known = {"id": digest(name, record.request_id)[:16], "name": name}
        return known | {"start_time": _seconds(began), "end_time": _seconds(ended), "aws": aws}

    if record.init_ms is not None:
        began = record.init_started_at if record.init_started_at is not None else record.started_at - record.init_ms
        yield part("Init" if structure == "new" else "Initialization", began, began + record.init_ms)
    if record.restore_ms is not None:
        yield part("Restore", record.started_at - record.restore_ms, record.started_at)
    if structure == "old":
        done = record.at - record.extension_ms
        yield part("Invocation", record.started_at, done)
        yield part("Overhead", done, record.at)


def _join(segments: list[Document], sent: list[Document]) -> None:
    """Put what functions sent on its own where it belongs; a part may have come before the one that it is part of."""
    waiting = [one for one in sent if one.get("type") == "subsegment"]
    segments.extend(one for one in sent if one.get("type") != "subsegment")
    while waiting:
        parents = [(one, _find(str(one.get("parent_id")), segments)) for one in waiting]
        if not any(parent for _, parent in parents):
            # Nobody knows the parent of the rest: the function that was at work then is the nearest to it.
            parents = [(one, _at_work(segments, float(one["start_time"]))) for one in waiting]
        for document, parent in parents:
            if parent is not None:
                _adopt(document, parent)
        waiting = [one for one, parent in parents if parent is None]


def _adopt(document: Document, parent: Document) -> None:
    below = parent.setdefault("subsegments", [])
    handler = next((one for one in below if one["name"] == "Invocation" and "origin" in parent), None)
    if handler is not None:
        below = handler.setdefault("subsegments", [])
    below.append({key: value for key, value in document.items() if key not in ("type", "trace_id", "parent_id")})


def _at_work(segments: list[Document], at: float) -> Document:
    return next((one for one in segments if _holds(one, at)), segments[-1])


def _find(segment_id: str, segments: list[Document]) -> Document | None:
    for segment in segments:
        found = segment if segment.get("id") == segment_id else _find(segment_id, segment.get("subsegments", []))
        if found is not None:
            return found
    return None


def _holds(segment: Document, at: float) -> bool:
    own = segment.get("origin") == "AWS::Lambda::Function"
    return own and float(segment["start_time"]) <= at <= float(segment.get("end_time", at))
