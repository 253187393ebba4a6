r"""Lambda logs, text and JSON: one row per invocation, with the lines that its function wrote.

Platform lines: INIT_START, START, END, REPORT, INIT_REPORT, RESTORE_REPORT, `Task timed out`, and their
JSON twins `platform.*`. `Init Duration` stands beside `Duration`, not inside it. The new log format has no
`Task timed out` line, only `Status: timeout` in REPORT; the old one has no status, only the line (or a
`Duration` that passes `Billed Duration`). Which init belongs to which invocation is decided by time at the
end, as the lines of a stream need not come in order.

>>> log = LambdaLog()
>>> where = Where(at=None, origin="x:1", function="orders", stream=None, file="x")
>>> log.line("REPORT RequestId: c0ffee00-0000-4000-8000-000000000001\tDuration: 3000.00 ms\t"
...          "Billed Duration: 3085 ms\tMemory Size: 128 MB\tMax Memory Used: 71 MB\t"
...          "Init Duration: 84.10 ms\tStatus: timeout", where)
True
>>> row = log.rows()[0]
>>> row.duration_ms, row.init_ms, row.outcome.value, row.timeout_ms
(3000.0, 84.1, 'timeout', 3000.0)
"""

import re
from typing import Any

import msgspec

from apigw_doctor.evidence.tables import AppLine, Cite, InitReport, LambdaInvocation
from apigw_doctor.model.ids import UUID_PATTERN, trace_root
from apigw_doctor.model.terms import Outcome
from apigw_doctor.model.times import ISO_PATTERN, parse_time

Facts = dict[str, Any]

_LAMBDA_ID = rf"({UUID_PATTERN}|[0-9a-f]{{8}}-[0-9a-z-]{{4,40}})"
_PLATFORM = re.compile(
    rf"(START|END|REPORT) RequestId: {_LAMBDA_ID}|(INIT_START|INIT_REPORT|RESTORE_START|RESTORE_REPORT)\b"
    r"|(EXTENSION|TELEMETRY|LOGS)\s+Name:"
)
_FIELD = re.compile(r"(?:^|\s)((?:[A-Z][A-Za-z]*)(?: (?:[A-Z][A-Za-z]*))*): (\S+(?: (?:ms|MB|seconds))?)")
_TIMED_OUT = re.compile(rf"{_LAMBDA_ID}.{{0,20}}?Task timed out after (\d+(?:\.\d+)?) seconds")
_NODE = re.compile(rf"({ISO_PATTERN})\s+({UUID_PATTERN}|undefined)\s+(?:(TRACE|DEBUG|INFO|WARN|ERROR|FATAL)\s+)?(.*)", re.DOTALL)
_PYTHON = re.compile(rf"\[(\w+)\]\s+({ISO_PATTERN})\s+({UUID_PATTERN})?\s*(.*)", re.DOTALL)
_ID_FIRST = re.compile(rf"(?:RequestId: )?({UUID_PATTERN})\s+(?:(TRACE|DEBUG|INFO|WARN|ERROR|FATAL)\s+)?(.*)", re.DOTALL)
_BRACKET_ID = re.compile(rf"\[?(TRACE|DEBUG|INFO|WARN(?:ING)?|ERROR|FATAL|CRITICAL)\]?\s+(?:RequestId[:=]\s*)?({UUID_PATTERN})\s*(.*)", re.DOTALL)
_GATEWAY_ID_KEYS = re.compile(
    r"(?:request_?id|extended_?request_?id|apigw[-_]?request_?id|apigw[-_]?id|correlation[-_]?id|gateway\w*id)"
    r"""["']?\s*[:=]\s*\\?["']?([A-Za-z0-9_+/-]{11,15}=|"""
    + UUID_PATTERN
    + ")",
    re.IGNORECASE,
)
#: Any id: only one that equals a gateway's request id will ever count.
_ANY_ID = re.compile(rf"(?<![\w-])({UUID_PATTERN}|[A-Za-z0-9_+/-]{{11,15}}=)(?![\w=])")
_MAX_IDS = 24
_CRASH = re.compile(
    r"Invoke Error|Uncaught Exception|Unhandled Promise Rejection|Runtime exited|Runtime\.\w+(?:Error|Exit\w*)"
    r"|^\[ERROR\]\s+[\w.]*(?:Error|Exception|Exit)\b|Traceback \(most recent call last\)|Process exited before completing"
)
_FAILED_STATUS = frozenset({"error", "failure"})
#: Application lines kept for one invocation; of more, the middle ones without a gap beside them go.
_MAX_LINES = 160
_LINE_CHARS = 500
_MAX_CITES = 8


class Where(msgspec.Struct, frozen=True, kw_only=True):
    """Where a line stands: its time, its stream, its function as far as known."""

    at: float | None
    origin: str
    function: str | None
    stream: str | None
    file: str
    group: str | None = None

    @property
    def stream_key(self) -> str:
        """Lines with the same key come from one execution environment, as far as anybody can tell."""
        return f"{self.group or self.function or ''}|{self.stream}" if self.stream else f"{self.file}|{self.group or ''}"


class _Stream(msgspec.Struct, kw_only=True):
    """What is known of one log stream."""

    named: bool
    #: invocations begun and not ended, in order
    open: list[str] = []
    ids: list[str] = []
    init_starts: list[float] = []
    init_reports: list[InitReport] = []
    restore_reports: list[InitReport] = []
    init_types: list[tuple[float | None, str]] = []
    extensions: list[str] = []
    #: lines that came while no invocation was open
    loose: list[AppLine] = []
    last_id: str | None = None


class LambdaLog:
    """Reads lines and JSON events into invocations."""

    def __init__(self) -> None:
        self._facts: dict[str, Facts] = {}
        self._streams: dict[str, _Stream] = {}
        #: function names that JSON events told of a stream
        self._functions: dict[str, str] = {}

    def line(self, message: str, where: Where) -> bool:
        """Read one platform or application line; False when it is no line of a Lambda log."""
        match = _PLATFORM.match(message)
        if match is not None:
            return self._platform(match, message, where)
        if (timed_out := _TIMED_OUT.search(message)) is not None and timed_out.start() < 60:
            return self._timed_out(timed_out, message, where)
        for pattern, order in ((_NODE, "til"), (_PYTHON, "lti"), (_BRACKET_ID, "li"), (_ID_FIRST, "il")):
            if (found := pattern.match(message)) is not None:
                return self._app_line(dict(zip(order, found.groups(), strict=False)), found.groups()[-1], message, where)
        return False

    def context_line(self, message: str, where: Where, *, strict: bool) -> bool:
        """A line without any mark: it belongs to the invocation that is open in its stream.

        With `strict` it must be the only one that is open.
        """
        if "Task timed out after" in message and (cut := re.search(r"Task timed out after ([\d.]+) seconds", message)):
            stream = self._stream(where)
            if len(stream.open) == 1:
                self._mark_timeout(self._of(stream.open[0], where), float(cut[1]) * 1000.0, message, where)
                return True
        stream = self._streams.get(where.stream_key)
        if stream is None or (strict and len(stream.open) != 1):
            return False
        line = AppLine(at=where.at, text=message[:_LINE_CHARS], origin=where.origin, extension=_by_extension(message))
        if len(stream.open) == 1:
            self._add_line(self._of(stream.open[0], where), line, message, where)
        elif len(stream.loose) < _MAX_LINES:
            stream.loose.append(line)
        return True

    def continues(self, message: str, where: Where) -> None:
        """A further physical line of the last message: only errors in it matter."""
        stream = self._streams.get(where.stream_key)
        if stream is not None and stream.last_id is not None:
            facts = self._facts[stream.last_id]
            if (found := trace_root(message)) is not None and message.lstrip().startswith("XRAY TraceId"):
                facts["trace_id"] = found
            lines = facts.get("lines")
            if lines and len(lines[-1].text) < _LINE_CHARS:
                joined = f"{lines[-1].text}\n{message.strip()}"[:_LINE_CHARS]
                lines[-1] = msgspec.structs.replace(lines[-1], text=joined)
            _logged_ids(facts, message)

    def event(self, value: dict[str, Any], where: Where) -> bool:
        """Read one JSON event; False when it is neither a platform event nor an application line."""
        kind = value.get("type")
        if isinstance(kind, str) and kind.startswith("platform.") and isinstance(value.get("record"), dict):
            at = parse_time(value["time"]) if isinstance(value.get("time"), str) else where.at
            self._platform_event(kind, value["record"], msgspec.structs.replace(where, at=at))
            return True
        return self._app_event(value, where)

    def insights_row(self, row: dict[str, str], where: Where) -> bool:
        """Read an Insights row with discovered fields instead of the message (`@requestId`, `@duration`)."""
        request_id, duration = row.get("@requestId"), row.get("@duration")
        if not request_id or not duration:
            return False
        facts = self._begin(request_id, where)
        facts["duration_ms"] = float(duration)
        for field, key in (("init_ms", "@initDuration"), ("billed_ms", "@billedDuration")):
            if row.get(key):
                facts[field] = float(row[key])
        if row.get("@xrayTraceId"):
            facts["trace_id"] = trace_root(row["@xrayTraceId"])
        facts["reported_at"] = where.at
        _cite(facts, where.origin, ", ".join(f"{key}={value}" for key, value in row.items() if value and key != "@ptr"))
        return True

    def rows(self) -> list[LambdaInvocation]:
        """Every invocation, after inits and loose lines have found theirs."""
        for stream in self._streams.values():
            self._settle(stream)
        return [_row(request_id, facts) for request_id, facts in self._facts.items()]

    # platform lines

    def _platform(self, match: re.Match[str], message: str, where: Where) -> bool:
        stream = self._stream(where)
        if (word := match[1]) is not None:
            getattr(self, f"_{word.lower()}")(match[2], message, where)
        elif match[3] == "INIT_START":
            _append_time(stream.init_starts, where.at)
        elif match[3] == "INIT_REPORT":
            stream.init_reports.append(_init_report(message, where, "Init Duration"))
        elif match[3] == "RESTORE_REPORT":
            stream.restore_reports.append(_init_report(message, where, "Restore Duration"))
        elif match[4] == "EXTENSION" and (name := re.search(r"Name:\s*([\w.-]+)", message)):
            stream.extensions.append(name[1])
        return True

    def _start(self, request_id: str, message: str, where: Where) -> None:
        facts = self._begin(request_id, where)
        if where.at is not None:
            facts["started_at"] = min(where.at, facts.get("started_at") or where.at)
        facts["saw_start"] = True
        if version := re.search(r"Version: (\S+)", message):
            facts["version"] = version[1]
        stream = self._stream(where)
        if request_id not in stream.open and not facts.get("saw_end"):
            stream.open.append(request_id)
        _cite(facts, where.origin, message)

    def _end(self, request_id: str, message: str, where: Where) -> None:
        facts = self._begin(request_id, where)
        if where.at is not None:
            facts["ended_at"] = where.at
        facts["saw_end"] = True
        self._close(request_id, where)

    def _report(self, request_id: str, message: str, where: Where) -> None:
        facts = self._begin(request_id, where)
        fields = _fields(message)
        facts["reported_at"] = where.at
        for field, name in (("duration_ms", "Duration"), ("billed_ms", "Billed Duration"), ("init_ms", "Init Duration"),
                            ("restore_ms", "Restore Duration"), ("memory_mb", "Memory Size"),
                            ("max_memory_mb", "Max Memory Used")):
            if (number := _leading_number(fields.get(name))) is not None:
                facts[field] = int(number) if field.endswith("_mb") else number
        if (root := trace_root(message)) is not None:
            facts["trace_id"] = root
        _status(facts, fields.get("Status"), fields.get("Error Type"))
        self._close(request_id, where)
        _cite(facts, where.origin, message)

    def _timed_out(self, match: re.Match[str], message: str, where: Where) -> bool:
        self._mark_timeout(self._begin(match[1], where), float(match[2]) * 1000.0, message, where)
        return True

    def _mark_timeout(self, facts: Facts, timeout_ms: float, message: str, where: Where) -> None:
        facts["outcome"] = Outcome.TIMEOUT
        # The line says 3.00, 3.01 or 3.02 seconds for a limit of 3: limits are whole seconds.
        facts["timeout_ms"] = float(int(timeout_ms / 1000.0 + 0.001)) * 1000.0 or timeout_ms
        _cite(facts, where.origin, message)

    def _app_line(self, found: dict[str, str | None], text: str, message: str, where: Where) -> bool:
        request_id = found.get("i")
        own_time = parse_time(found["t"]) if found.get("t") else None
        at = where.at if where.at is not None else own_time
        if request_id is None or request_id == "undefined":
            return self.context_line(message, msgspec.structs.replace(where, at=at), strict=False)
        line = AppLine(
            at=at, text=text[:_LINE_CHARS], origin=where.origin, level=found.get("l"), extension=_by_extension(text)
        )
        self._add_line(self._of(request_id, where), line, message, where)
        self._stream(where).last_id = request_id
        return True

    def _add_line(self, facts: Facts, line: AppLine, message: str, where: Where) -> None:
        lines: list[AppLine] = facts.setdefault("lines", [])
        if any(known.at == line.at and known.text == line.text for known in lines[-3:]):
            return
        facts["line_count"] = facts.get("line_count", 0) + 1
        lines.append(line)
        if len(lines) > _MAX_LINES:
            facts["lines"] = _thinned(lines)
        _logged_ids(facts, message)
        if _CRASH.search(message):
            facts.setdefault("error_text", message[:_LINE_CHARS])
            if facts.get("outcome") is None:
                facts["outcome"] = Outcome.ERROR
            _cite(facts, where.origin, message)

    # JSON events

    def _platform_event(self, kind: str, record: dict[str, Any], where: Where) -> None:
        stream = self._stream(where)
        metrics = record.get("metrics") if isinstance(record.get("metrics"), dict) else {}
        if isinstance(record.get("functionName"), str):
            self._functions[where.stream_key] = record["functionName"]
        request_id = record.get("requestId")
        if isinstance(request_id, str):
            self._invocation_event(kind, request_id, record, metrics or {}, where)
        elif kind == "platform.initStart":
            _append_time(stream.init_starts, where.at)
            if isinstance(record.get("initializationType"), str):
                stream.init_types.append((where.at, record["initializationType"]))
        elif kind in ("platform.initReport", "platform.restoreReport"):
            reports = stream.init_reports if kind == "platform.initReport" else stream.restore_reports
            reports.append(
                InitReport(
                    phase=str(record.get("phase", "init")),
                    status=_text(record.get("status")),
                    duration_ms=_float((metrics or {}).get("durationMs")),
                    at=where.at,
                    init_type=_text(record.get("initializationType")),
                    error_type=_text(record.get("errorType")),
                    cite=Cite(origin=where.origin, text=msgspec.json.encode({"type": kind, "record": record}).decode()),
                )
            )
        elif kind == "platform.extension" and isinstance(record.get("name"), str):
            stream.extensions.append(record["name"])

    def _invocation_event(
        self, kind: str, request_id: str, record: dict[str, Any], metrics: dict[str, Any], where: Where
    ) -> None:
        if kind == "platform.start":
            self._start(request_id, f"START RequestId: {request_id} Version: {record.get('version', '?')}", where)
        facts = self._begin(request_id, where)
        if kind == "platform.runtimeDone":
            if where.at is not None:
                facts.setdefault("ended_at", where.at)
            facts.setdefault("duration_ms", _float(metrics.get("durationMs")))
        if kind == "platform.report":
            facts["reported_at"] = where.at
            for field, name in (("duration_ms", "durationMs"), ("billed_ms", "billedDurationMs"), ("init_ms", "initDurationMs"),
                                ("restore_ms", "restoreDurationMs"), ("memory_mb", "memorySizeMB"),
                                ("max_memory_mb", "maxMemoryUsedMB")):
                if (number := _float(metrics.get(name))) is not None:
                    facts[field] = int(number) if field.endswith("_mb") else number
        if kind in ("platform.runtimeDone", "platform.report"):
            _status(facts, _text(record.get("status")), _text(record.get("errorType")))
            _spans(facts, record.get("spans"))
            self._close(request_id, where)
            _cite(facts, where.origin, msgspec.json.encode({"type": kind, "record": record}).decode())
        tracing = record.get("tracing")
        if isinstance(tracing, dict) and (root := trace_root(str(tracing.get("value", "")))):
            facts["trace_id"] = root

    def _app_event(self, value: dict[str, Any], where: Where) -> bool:
        request_id = next(
            (value[key] for key in ("requestId", "AWSRequestId", "AWSrequestId", "awsRequestId", "aws_request_id",
                                    "function_request_id", "lambdaRequestId", "lambda_request_id", "request_id")
             if isinstance(value.get(key), str) and re.fullmatch(UUID_PATTERN, value[key])),
            None,
        )
        stream = self._stream(where)
        message = value.get("message", value.get("msg", value.get("event", value.get("errorMessage"))))
        if message is None and "level" not in value:
            return False
        text = message if isinstance(message, str) else msgspec.json.encode(message if message is not None else value).decode()
        times = (value.get(key) for key in ("timestamp", "time", "@timestamp", "ts"))
        own_time = next((parse_time(str(time)) for time in times if time is not None), None)
        at = where.at if where.at is not None else own_time
        known = isinstance(request_id, str) and (request_id in self._facts or not stream.open)
        if isinstance(request_id, str) and (known or self._looks_own(value, request_id)):
            target: str | None = request_id
        else:
            target = stream.open[0] if len(stream.open) == 1 else None
        whole = msgspec.json.encode(value).decode()
        extra = " ".join(f"{key}={value[key]}" for key in _TELLING_KEYS if key in value and key != "message")
        line = AppLine(at=at, text=f"{text} {extra}".strip()[:_LINE_CHARS], origin=where.origin,
                       level=_text(value.get("level", value.get("logLevel"))), extension=_by_extension(text))
        if target is None:
            if not where.function and not where.stream:
                return False
            stream.loose.append(line)
            return True
        facts = self._of(target, where)
        self._add_line(facts, line, whole, where)
        stream.last_id = target
        return True

    def _looks_own(self, value: dict[str, Any], request_id: str) -> bool:
        return any(key in value for key in ("AWSRequestId", "AWSrequestId", "awsRequestId", "aws_request_id",
                                            "function_request_id", "lambdaRequestId", "lambda_request_id")) or (
            "level" in value and "timestamp" in value and value.get("requestId") == request_id
        )

    # bookkeeping

    def _stream(self, where: Where) -> _Stream:
        key = where.stream_key
        if (stream := self._streams.get(key)) is None:
            stream = self._streams[key] = _Stream(named=where.stream is not None)
        return stream

    def _begin(self, request_id: str, where: Where) -> Facts:
        stream = self._stream(where)
        facts = self._of(request_id, where)
        if request_id not in facts.setdefault("streams", {}):
            facts["streams"][request_id] = where.stream_key
            stream.ids.append(request_id)
        stream.last_id = request_id
        return facts

    def _of(self, request_id: str, where: Where) -> Facts:
        facts = self._facts.setdefault(request_id, {})
        facts.setdefault("stream_key", where.stream_key)
        if where.function and not facts.get("function"):
            facts["function"] = where.function
        if where.stream and not facts.get("stream"):
            facts["stream"] = where.stream
        if where.group and not facts.get("log_group"):
            facts["log_group"] = where.group
        return facts

    def _close(self, request_id: str, where: Where) -> None:
        stream = self._stream(where)
        if request_id in stream.open:
            stream.open.remove(request_id)

    def _settle(self, stream: _Stream) -> None:
        ordered = sorted(
            (self._facts[request_id] for request_id in dict.fromkeys(stream.ids)),
            key=lambda facts: _start_of(facts) if _start_of(facts) is not None else float("inf"),  # type: ignore[arg-type,return-value]
        )
        for facts in ordered:
            facts["extensions"] = tuple(dict.fromkeys(stream.extensions))
            if facts.get("function") is None:
                facts["function"] = self._functions.get(facts["stream_key"])
        _settle_inits(stream, ordered)
        if stream.named:
            _settle_positions(stream, ordered)
        _settle_loose(stream, ordered)


_TELLING_KEYS = ("url", "target", "host", "duration", "duration_ms", "durationMs", "elapsed", "elapsed_ms", "error",
                 "errorType", "errorMessage", "operation", "service", "attempt", "cold_start", "coldStart")


def _start_of(facts: Facts) -> float | None:
    if facts.get("started_at") is not None:
        return float(facts["started_at"])
    ended = facts.get("ended_at") or facts.get("reported_at")
    return None if ended is None else float(ended) - (facts.get("duration_ms") or 0.0)


def _settle_inits(stream: _Stream, ordered: list[Facts]) -> None:
    """Give every INIT_START and init report to the invocation that began next after it."""
    starts = [(facts, at) for facts in ordered if (at := _start_of(facts)) is not None]
    for at in sorted(set(stream.init_starts)):
        following = next(((facts, start) for facts, start in starts if start >= at - 5.0), None)
        if following is None:
            continue
        facts, start = following
        init_ms = facts.get("init_ms") or 0.0
        # A gap between init and START means a pre-warmed environment; the caller did not wait for that.
        failed_inits = any(report.status in ("timeout", "error") for report in stream.init_reports)
        if stream.named or len(starts) == 1 or start - at < init_ms + 1500.0:
            if start - at <= max(init_ms, facts.get("restore_ms") or 0.0) + 2000.0 or failed_inits:
                facts.setdefault("init_started_at", at)
            facts["saw_init"] = True
    for report in (*stream.init_reports, *stream.restore_reports):
        following = next(((f, s) for f, s in starts if report.at is None or s >= report.at - 5.0), None)
        facts = following[0] if following else (ordered[0] if ordered and report.at is None else None)  # type: ignore[assignment]
        if facts is not None:
            reports = facts.setdefault("init_reports", [])
            if all((known.at, known.phase, known.duration_ms) != (report.at, report.phase, report.duration_ms) for known in reports):
                reports.append(report)
                if report.cite is not None:
                    _cite(facts, report.cite.origin, report.cite.text)
            if report.init_type and not facts.get("init_type"):
                facts["init_type"] = report.init_type
            facts["saw_init"] = True
    for at_or_none, kind in stream.init_types:
        facts = next((f for f, s in starts if at_or_none is not None and s >= at_or_none - 5.0), None)  # type: ignore[assignment]
        if facts is not None:
            facts.setdefault("init_type", kind)


def _settle_positions(stream: _Stream, ordered: list[Facts]) -> None:
    beginning_seen = bool(ordered) and bool(
        ordered[0].get("saw_init") or ordered[0].get("init_ms") or ordered[0].get("restore_ms")
    )
    previous: Facts | None = None
    for number, facts in enumerate(ordered):
        if number or beginning_seen:
            facts["first_in_stream"] = number == 0
            facts["position"] = number
        if previous is not None:
            facts["previous_ended_at"] = previous.get("ended_at") or previous.get("reported_at")
        previous = facts


def _settle_loose(stream: _Stream, ordered: list[Facts]) -> None:
    for line in stream.loose:
        if line.at is None:
            continue
        for facts in ordered:
            start, end = _start_of(facts), facts.get("reported_at") or facts.get("ended_at")
            if start is not None and start <= line.at and (end is None or line.at <= end + 5.0):
                lines = facts.setdefault("lines", [])
                if line not in lines:
                    lines.append(line)
                break
        else:
            following = next((f for f in ordered if (_start_of(f) or 0.0) >= line.at), None)
            if following is not None and _CRASH.search(line.text):
                following.setdefault("error_text", line.text)


def _row(request_id: str, facts: Facts) -> LambdaInvocation:
    values = {field: value for field, value in facts.items() if field in _FIELDS}
    lines = sorted(facts.get("lines", ()), key=lambda line: line.at if line.at is not None else float("-inf"))
    values["lines"] = tuple(_deduplicated(lines))
    values["cites"] = tuple(facts.get("cites", ()))
    values["init_reports"] = tuple(facts.get("init_reports", ()))
    values["logged_ids"] = tuple(item for item in facts.get("logged_ids", ()) if item != request_id)
    values["outcome"] = _outcome(facts)
    if values["outcome"] is Outcome.TIMEOUT and values.get("timeout_ms") is None:
        values["timeout_ms"] = _whole_seconds(facts.get("duration_ms"))
    return LambdaInvocation(request_id=request_id, **values)


def _outcome(facts: Facts) -> Outcome:
    outcome: Outcome | None = facts.get("outcome")
    if outcome is not None:
        return outcome
    duration, billed, init = facts.get("duration_ms"), facts.get("billed_ms"), facts.get("init_ms") or 0.0
    if duration is None:
        failed_init = any(report.status == "error" for report in facts.get("init_reports", ()))
        return Outcome.ERROR if failed_init and not facts.get("lines") else Outcome.UNKNOWN
    if billed is not None and duration > billed + 1.0 and billed >= 1000.0 and billed % 1000.0 == 0.0 and not init:
        # Old format: a killed run is billed up to its timeout and reported a little longer.
        facts["timeout_ms"] = billed
        return Outcome.TIMEOUT
    return Outcome.SUCCESS


def _whole_seconds(duration_ms: float | None) -> float | None:
    if duration_ms is None:
        return None
    whole = round(duration_ms / 1000.0) * 1000.0
    return whole if whole and abs(duration_ms - whole) < 200.0 else duration_ms


def _status(facts: Facts, status: str | None, error_type: str | None) -> None:
    if error_type is not None:
        facts["error_type"] = error_type
    if status == "timeout" or (error_type or "").endswith("Timedout"):
        facts["outcome"] = Outcome.TIMEOUT
    elif status in _FAILED_STATUS and facts.get("outcome") is not Outcome.TIMEOUT:
        facts["outcome"] = Outcome.ERROR


def _spans(facts: Facts, spans: object) -> None:
    for span in spans if isinstance(spans, list) else ():
        if isinstance(span, dict) and (value := _float(span.get("durationMs"))) is not None:
            if span.get("name") == "extensionOverhead":
                facts["extension_overhead_ms"] = value
            elif span.get("name") == "responseLatency":
                facts["response_latency_ms"] = value


def _fields(message: str) -> dict[str, str]:
    body = re.sub(r"^(?:REPORT RequestId: \S+|INIT_REPORT|RESTORE_REPORT)", "", message)
    return {match[1]: match[2] for match in _FIELD.finditer(body.replace("\t", "  "))}


def _init_report(message: str, where: Where, duration: str) -> InitReport:
    fields = _fields(message)
    return InitReport(
        phase=fields.get("Phase", "init"),
        status=fields.get("Status"),
        duration_ms=_leading_number(fields.get(duration)),
        at=where.at,
        error_type=fields.get("Error Type"),
        cite=Cite(origin=where.origin, text=message),
    )


def _leading_number(text: str | None) -> float | None:
    return _float(text.split()[0]) if text else None


def _float(value: object) -> float | None:
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return None
    return number if abs(number) < 1e15 else None


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _append_time(times: list[float], at: float | None) -> None:
    if at is not None:
        times.append(at)


def _by_extension(text: str) -> bool:
    return text.startswith(("[NR_EXT]", "EXTENSION", "TELEMETRY", "DD_EXTENSION", "[DD_EXT", "[AppConfig", "[extension")) or (
        "DD_EXTENSION |" in text[:40]
    )


def _logged_ids(facts: Facts, message: str) -> None:
    known: tuple[str, ...] = facts.get("logged_ids", ())
    for found in (*_GATEWAY_ID_KEYS.findall(message), *_ANY_ID.findall(message)):
        if len(known) >= _MAX_IDS:
            break
        if found not in known:
            known = (*known, found)
    facts["logged_ids"] = known
    if facts.get("trace_id") is None and "trace" in message.lower() and (root := trace_root(message)):
        facts["logged_trace_id"] = root
        facts["trace_id"] = root


def _cite(facts: Facts, origin: str, text: str) -> None:
    cites: list[Cite] = facts.setdefault("cites", [])
    short = text[:1000]
    if len(cites) < _MAX_CITES and all(known.text != short for known in cites):
        cites.append(Cite(origin=origin, text=short))


def _deduplicated(lines: list[AppLine]) -> list[AppLine]:
    kept: list[AppLine] = []
    for line in lines:
        if not any(known.at == line.at and known.text == line.text for known in kept[-8:]):
            kept.append(line)
    return kept


def _thinned(lines: list[AppLine]) -> list[AppLine]:
    """Half as many lines: the ends stay, and those beside the longest gaps."""
    gaps = sorted(
        range(1, len(lines)), key=lambda i: (lines[i].at or 0.0) - (lines[i - 1].at or 0.0), reverse=True
    )[:12]
    keep = {index for gap in gaps for index in (gap - 1, gap)} | set(range(24)) | set(range(len(lines) - 32, len(lines)))
    return [line for index, line in enumerate(lines) if index in keep]


_FIELDS = frozenset(LambdaInvocation.__struct_fields__) - {"request_id"}
