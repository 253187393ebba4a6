"""JSON events of Lambda logs: `platform.*` of the system, and the lines that a function logs as JSON."""

import re
from typing import Any

import msgspec

from apigw_doctor.evidence.tables import AppLine, Cite, InitReport
from apigw_doctor.model.ids import UUID_PATTERN, function_from_uri, trace_root
from apigw_doctor.model.times import parse_time
from apigw_doctor.sources.lambda_stream import LINE_CHARS, Invocations, append_time, cite
from apigw_doctor.sources.lambda_words import Where, by_extension, number_of, take_spans, take_status, text_of

_TELLING_KEYS = (
    "url",
    "target",
    "host",
    "duration",
    "duration_ms",
    "durationMs",
    "elapsed",
    "elapsed_ms",
    "error",
    "errorType",
    "errorMessage",
    "operation",
    "service",
    "attempt",
    "cold_start",
    "coldStart",
)


def _function_named(value: dict[str, Any]) -> str | None:
    """The function's own name, as structured loggers add it to every line."""
    arn = next((value[key] for key in ("function_arn", "functionArn", "invokedFunctionArn") if key in value), None)
    if isinstance(arn, str) and (name := function_from_uri(arn)[0]) is not None:
        return name
    return text_of(value.get("function_name", value.get("functionName")))


class LambdaEvents:
    """Reads JSON events into invocations."""

    def __init__(self, invocations: Invocations) -> None:
        self.invocations = invocations

    def event(self, value: dict[str, Any], where: Where) -> bool:
        """Read one JSON event; False when it is neither a platform event nor an application line."""
        kind = value.get("type")
        if isinstance(kind, str) and kind.startswith("platform.") and isinstance(value.get("record"), dict):
            at = parse_time(value["time"]) if isinstance(value.get("time"), str) else where.at
            self._platform_event(kind, value["record"], msgspec.structs.replace(where, at=at))
            return True
        return self._app_event(value, where)

    def _platform_event(self, kind: str, record: dict[str, Any], where: Where) -> None:
        stream = self.invocations.stream(where)
        metrics = record.get("metrics") if isinstance(record.get("metrics"), dict) else {}
        if isinstance(record.get("functionName"), str):
            self.invocations.functions[where.stream_key] = record["functionName"]
        elif isinstance(record.get("functionArn"), str) and (name := function_from_uri(record["functionArn"])[0]):
            where = msgspec.structs.replace(where, function=where.function or name)
        request_id = record.get("requestId")
        if isinstance(request_id, str):
            self._invocation_event(kind, request_id, record, metrics or {}, where)
        elif kind == "platform.initStart":
            append_time(stream.init_starts, where.at)
            if isinstance(record.get("initializationType"), str):
                stream.init_types.append((where.at, record["initializationType"]))
        elif kind in ("platform.initReport", "platform.restoreReport"):
            reports = stream.init_reports if kind == "platform.initReport" else stream.restore_reports
            reports.append(
                InitReport(
                    phase=str(record.get("phase", "init")),
                    status=text_of(record.get("status")),
                    duration_ms=number_of((metrics or {}).get("durationMs")),
                    at=where.at,
                    init_type=text_of(record.get("initializationType")),
                    error_type=text_of(record.get("errorType")),
                    cite=Cite(origin=where.origin, text=msgspec.json.encode({"type": kind, "record": record}).decode()),
                )
            )
        elif kind == "platform.extension" and isinstance(record.get("name"), str):
            stream.extensions.append(record["name"])

    def _invocation_event(
        self, kind: str, request_id: str, record: dict[str, Any], metrics: dict[str, Any], where: Where
    ) -> None:
        if kind == "platform.start":
            self.invocations.start(
                request_id, f"START RequestId: {request_id} Version: {record.get('version', '?')}", where
            )
        facts = self.invocations.begin(request_id, where)
        if kind == "platform.runtimeDone":
            if where.at is not None:
                facts.setdefault("ended_at", where.at)
            facts.setdefault("duration_ms", number_of(metrics.get("durationMs")))
        if kind == "platform.report":
            facts["reported_at"] = where.at
            for field, name in (
                ("duration_ms", "durationMs"),
                ("billed_ms", "billedDurationMs"),
                ("init_ms", "initDurationMs"),
                ("restore_ms", "restoreDurationMs"),
                ("memory_mb", "memorySizeMB"),
                ("max_memory_mb", "maxMemoryUsedMB"),
            ):
                if (number := number_of(metrics.get(name))) is not None:
                    facts[field] = int(number) if field.endswith("_mb") else number
        if kind in ("platform.runtimeDone", "platform.report"):
            take_status(facts, text_of(record.get("status")), text_of(record.get("errorType")))
            take_spans(facts, record.get("spans"))
            self.invocations.close(request_id, where)
            cite(facts, where.origin, msgspec.json.encode({"type": kind, "record": record}).decode())
        tracing = record.get("tracing")
        if isinstance(tracing, dict) and (root := trace_root(str(tracing.get("value", "")))):
            facts["trace_id"] = root

    def _app_event(self, value: dict[str, Any], where: Where) -> bool:
        request_id = next(
            (
                value[key]
                for key in (
                    "requestId",
                    "AWSRequestId",
                    "AWSrequestId",
                    "awsRequestId",
                    "aws_request_id",
                    "function_request_id",
                    "lambdaRequestId",
                    "lambda_request_id",
                    "request_id",
                )
                if isinstance(value.get(key), str) and re.fullmatch(UUID_PATTERN, value[key])
            ),
            None,
        )
        stream = self.invocations.stream(where)
        message = value.get("message", value.get("msg", value.get("event", value.get("errorMessage"))))
        if message is None and "level" not in value:
            return False
        text = (
            message
            if isinstance(message, str)
            else msgspec.json.encode(message if message is not None else value).decode()
        )
        times = (value.get(key) for key in ("timestamp", "time", "@timestamp", "ts"))
        own_time = next((parse_time(str(time)) for time in times if time is not None), None)
        at = where.at if where.at is not None else own_time
        known = isinstance(request_id, str) and (request_id in self.invocations.facts or not stream.open)
        if isinstance(request_id, str) and (known or self._looks_own(value, request_id)):
            target: str | None = request_id
        else:
            target = stream.open[0] if len(stream.open) == 1 else None
        whole = msgspec.json.encode(value).decode()
        extra = " ".join(f"{key}={value[key]}" for key in _TELLING_KEYS if key in value and key != "message")
        line = AppLine(
            at=at,
            text=f"{text} {extra}".strip()[:LINE_CHARS],
            origin=where.origin,
            level=text_of(value.get("level", value.get("logLevel"))),
            extension=by_extension(text),
        )
        if target is None:
            if not where.function and not where.stream:
                return False
            stream.loose.append(line)
            return True
        facts = self.invocations.of(target, where)
        if facts.get("function") is None:
            facts["function"] = _function_named(value)
        self.invocations.add_line(facts, line, whole, where)
        stream.last_id = target
        return True

    def _looks_own(self, value: dict[str, Any], request_id: str) -> bool:
        return any(
            key in value
            for key in (
                "AWSRequestId",
                "AWSrequestId",
                "awsRequestId",
                "aws_request_id",
                "function_request_id",
                "lambdaRequestId",
                "lambda_request_id",
            )
        ) or ("level" in value and "timestamp" in value and value.get("requestId") == request_id)
