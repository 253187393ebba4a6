"""Words of Lambda logs: platform lines, application lines, fields of REPORT, signs of a crash."""

import re
from typing import Any

import msgspec

from apigw_doctor.evidence.tables import Cite, InitReport
from apigw_doctor.model.ids import UUID_PATTERN
from apigw_doctor.model.terms import Outcome
from apigw_doctor.model.times import ISO_PATTERN

Facts = dict[str, Any]
"""What is known of one invocation, by the field names of `LambdaInvocation`."""


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
        return (
            f"{self.group or self.function or ''}|{self.stream}" if self.stream else f"{self.file}|{self.group or ''}"
        )


PLATFORM = re.compile(
    # Posters mask ids, so any word will do behind these three.
    r"(START|END|REPORT) RequestId: (\S{1,80})|(INIT_START|INIT_REPORT|RESTORE_START|RESTORE_REPORT)\b"
    r"|(EXTENSION|TELEMETRY|LOGS)\s+Name:"
)
_FIELD = re.compile(r"(?:^|\s)((?:[A-Z][A-Za-z]*)(?: (?:[A-Z][A-Za-z]*))*): (\S+(?: (?:ms|MB|seconds))?)")
TIMED_OUT = re.compile(
    rf"({UUID_PATTERN}|[^\s:\"']{{6,80}}):?(?: Error:)?\s+Task timed out after (\d{{1,9}}(?:\.\d{{1,9}})?) seconds"
)
NODE = re.compile(
    rf"({ISO_PATTERN})\s+({UUID_PATTERN}|undefined)\s+(?:(TRACE|DEBUG|INFO|WARN|ERROR|FATAL)\s+)?(.*)", re.DOTALL
)
PYTHON = re.compile(rf"\[(\w+)\]\s+({ISO_PATTERN})\s+({UUID_PATTERN})?\s*(.*)", re.DOTALL)
ID_FIRST = re.compile(rf"(?:RequestId: )?({UUID_PATTERN})\s+(?:(TRACE|DEBUG|INFO|WARN|ERROR|FATAL)\s+)?(.*)", re.DOTALL)
BRACKET_ID = re.compile(
    rf"\[?(TRACE|DEBUG|INFO|WARN(?:ING)?|ERROR|FATAL|CRITICAL)\]?\s+(?:RequestId[:=]\s*)?({UUID_PATTERN})\s*(.*)",
    re.DOTALL,
)
GATEWAY_ID_KEYS = re.compile(
    r"(?:request_?id|extended_?request_?id|apigw[-_]?request_?id|apigw[-_]?id|correlation[-_]?id|gateway\w*id)"
    r"""["']?\s*[:=]\s*\\?["']?([A-Za-z0-9_+/-]{11,22}={1,2}|""" + UUID_PATTERN + ")",
    re.IGNORECASE,
)
#: Any id: only one that equals a gateway's request id will ever count.
ANY_ID = re.compile(rf"(?<![\w-])({UUID_PATTERN}|[A-Za-z0-9_+/-]{{11,22}}={{1,2}})(?![\w=])")
CRASH = re.compile(
    r"Invoke Error|Uncaught Exception|Unhandled Promise Rejection|Runtime exited|Runtime\.\w+(?:Error|Exit\w*)"
    r"|^\[ERROR\]\s+[\w.]*(?:Error|Exception|Exit)\b"
    r"|Traceback \(most recent call last\)|Process exited before completing"
)
_FAILED_STATUS = frozenset({"error", "failure"})


def fields_of(message: str) -> dict[str, str]:
    """The `Name: value` fields of a REPORT-like line."""
    body = re.sub(r"^(?:REPORT RequestId: \S+|INIT_REPORT|RESTORE_REPORT)", "", message)
    return {match[1]: match[2] for match in _FIELD.finditer(body.replace("\t", "  "))}


def init_report(message: str, where: Where, duration: str) -> InitReport:
    """An INIT_REPORT or RESTORE_REPORT line as a row."""
    fields = fields_of(message)
    return InitReport(
        phase=fields.get("Phase", "init"),
        status=fields.get("Status"),
        duration_ms=leading_number(fields.get(duration)),
        at=where.at,
        error_type=fields.get("Error Type"),
        cite=Cite(origin=where.origin, text=message),
    )


def take_status(facts: Facts, status: str | None, error_type: str | None) -> None:
    """Note how the run ended, from `Status` and `Error Type`."""
    if error_type is not None:
        facts["error_type"] = error_type
    if status == "timeout" or (error_type or "").endswith("Timedout"):
        facts["outcome"] = Outcome.TIMEOUT
    elif status in _FAILED_STATUS and facts.get("outcome") is not Outcome.TIMEOUT:
        facts["outcome"] = Outcome.ERROR


def take_spans(facts: Facts, spans: object) -> None:
    """Note what a platform report tells of extension and response time."""
    for span in spans if isinstance(spans, list) else ():
        if isinstance(span, dict) and (value := number_of(span.get("durationMs"))) is not None:
            if span.get("name") == "extensionOverhead":
                facts["extension_overhead_ms"] = value
            elif span.get("name") == "responseLatency":
                facts["response_latency_ms"] = value


def whole_seconds(duration_ms: float | None) -> float | None:
    """A function timeout is a whole number of seconds; Duration may say a little more."""
    if duration_ms is None:
        return None
    whole = round(duration_ms / 1000.0) * 1000.0
    return whole if whole and abs(duration_ms - whole) < 200.0 else duration_ms


def leading_number(text: str | None) -> float | None:
    """The number before its unit."""
    return number_of(text.split()[0]) if text and text.strip() else None


def number_of(value: object) -> float | None:
    """A number from JSON or text; None for anything else."""
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        return None
    return number if abs(number) < 1e15 else None


def text_of(value: object) -> str | None:
    """A string from JSON; None for anything else."""
    return value if isinstance(value, str) else None


def by_extension(text: str) -> bool:
    """An extension wrote the line, not the function."""
    return text.startswith(
        ("[NR_EXT]", "EXTENSION", "TELEMETRY", "DD_EXTENSION", "[DD_EXT", "[AppConfig", "[extension")
    ) or ("DD_EXTENSION |" in text[:40])
