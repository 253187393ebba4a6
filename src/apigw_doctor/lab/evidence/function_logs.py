"""Logs of functions: text as before and after 2025's change of timeout lines, and JSON.

What a function, its runtime and its SDKs wrote is passed on; what Lambda's platform writes round it is made here.
Messages of text logs end with a line end, as CloudWatch keeps them.
"""

import json
import math
import re
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping

from apigw_doctor.lab.evidence.forms import digest, iso, lambda_stream, stamp
from apigw_doctor.lab.records import (
    FunctionLine,
    InitEnded,
    InitStarted,
    InvocationEnded,
    InvocationStarted,
    LambdaRecord,
)
from apigw_doctor.lab.setup import LabFunction, LogForm

#: runtime identifier -> the version that INIT_START names
_RUNTIMES = {
    "python3.11": "python:3.11.v46",
    "python3.12": "python:3.12.v38",
    "python3.13": "python:3.13.v21",
    "nodejs20.x": "nodejs:20.v45",
    "nodejs22.x": "nodejs:22.v18",
    "java21": "java:21.v27",
}
_PYTHON = re.compile(r"\[(?P<level>[A-Z]+)\]\t(?P<time>\S+)\t(?P<id>\S*)\t(?P<text>.*)", re.DOTALL)
_EXIT = "Runtime."

Event = tuple[str, int, str]
"""Stream, time, message."""


def function_events(records: list[LambdaRecord], function: LabFunction, form: LogForm | None = None) -> Iterator[Event]:
    """The events of one function, in the order in which the journal has them."""
    writer = _Json(function) if (form or function.log_form) == "json" else _Text(function, form or function.log_form)
    ends = {
        one.request_id: one for one in records if isinstance(one, InvocationEnded) and one.function == function.name
    }
    streams: dict[str, str] = {}
    #: streams whose environment has to begin its init again
    failed: set[str] = set()
    for record in records:
        if record.function != function.name:
            continue
        # The name of a stream has the day on which the environment began.
        stream = streams.setdefault(record.stream, lambda_stream(record.at, record.version, record.stream))
        end = ends.get(record.request_id) if isinstance(record, InvocationStarted) else None
        again = isinstance(record, InitStarted) and record.stream in failed
        if isinstance(record, InitEnded) and record.outcome != "success" and record.phase == "init":
            failed.add(record.stream)
        elif again:
            failed.discard(record.stream)
        for at, message in writer.events(record, end, again=again):
            yield stream, stamp(at), message


def billed_ms(record: InvocationEnded, *, init: bool) -> int:
    """Whole milliseconds that are paid for; since August 2025 the init phase is, too."""
    return math.ceil(record.duration_ms + (record.init_ms or 0.0 if init else 0.0) - 1e-6)


def reported_ms(record: InvocationEnded) -> float:
    """`Duration` of a killed invocation is the timeout, whatever the clock said."""
    return min(record.duration_ms, record.timeout_ms) if record.outcome == "timeout" else record.duration_ms


def _runtime(name: str) -> tuple[str, str]:
    version = _RUNTIMES.get(name, f"{name}.v1")
    return version, digest("runtime", version) + digest("runtime", version, 2)


class _Writer(ABC):
    def __init__(self, function: LabFunction) -> None:
        self.function = function

    def events(self, record: LambdaRecord, end: InvocationEnded | None, *, again: bool) -> Iterator[tuple[float, str]]:
        """Time and message of what a record makes Lambda write.

        `end` is how an invocation that begins will end; `again`: an init that failed is run a second time.
        """
        match record:
            case InitStarted():
                yield from self.init_started(record, again=again)
            case InitEnded():
                yield from self.init_ended(record)
            case InvocationStarted():
                yield from self.started(record, None if end is None else end.restore_ms)
            case FunctionLine():
                yield record.at, self.line(record)
            case InvocationEnded():
                yield from self.ended(record)

    @abstractmethod
    def init_started(self, record: InitStarted, *, again: bool) -> Iterator[tuple[float, str]]:
        """An environment begins its init phase."""

    @abstractmethod
    def init_ended(self, record: InitEnded) -> Iterator[tuple[float, str]]:
        """An init phase ended."""

    @abstractmethod
    def started(self, record: InvocationStarted, restore_ms: float | None) -> Iterator[tuple[float, str]]:
        """An invocation begins."""

    @abstractmethod
    def line(self, record: FunctionLine) -> str:
        """What the function or its runtime wrote."""

    @abstractmethod
    def ended(self, record: InvocationEnded) -> Iterator[tuple[float, str]]:
        """An invocation ended."""

    @property
    def runtime_arn(self) -> str:
        """The ARN that tells the runtime's build."""
        return f"arn:aws:lambda:{self.function.region}::runtime:{_runtime(self.function.runtime)[1]}"


class _Text(_Writer):
    def __init__(self, function: LabFunction, form: LogForm) -> None:
        super().__init__(function)
        self._old = form == "text-old"

    def init_started(self, record: InitStarted, *, again: bool) -> Iterator[tuple[float, str]]:
        if not again:  # the log has one INIT_START, and an INIT_REPORT of each attempt
            yield record.at, f"INIT_START {self._version(record.runtime)}"

    def _version(self, runtime: str) -> str:
        return f"Runtime Version: {_runtime(runtime)[0]}\tRuntime Version ARN: {self.runtime_arn}\n"

    def init_ended(self, record: InitEnded) -> Iterator[tuple[float, str]]:
        # Written for failures, and always where environments are made ahead of requests (AWS: runtime environment).
        if record.outcome == "success" and (record.kind == "on-demand" or record.phase == "invoke"):
            return
        error = f"\tError Type: {record.error_type}" if record.error_type and record.outcome == "error" else ""
        said = f"INIT_REPORT Init Duration: {record.duration_ms:.2f} ms\tPhase: {record.phase}"
        yield record.at, f"{said}\tStatus: {record.outcome}{error}\n"

    def started(self, record: InvocationStarted, restore_ms: float | None) -> Iterator[tuple[float, str]]:
        if restore_ms is not None:
            yield record.at - restore_ms, f"RESTORE_START {self._version(self.function.runtime)}"
            yield record.at, f"RESTORE_REPORT Restore Duration: {restore_ms:.2f} ms\n"
        yield record.at, f"START RequestId: {record.request_id} Version: {record.version}\n"

    def line(self, record: FunctionLine) -> str:
        text = record.text
        if record.level is not None and not text.startswith(("[", "{")):
            text = f"[{record.level}]\t{iso(record.at)}\t{record.request_id or ''}\t{text}"
        return text if text.endswith("\n") else f"{text}\n"

    def ended(self, record: InvocationEnded) -> Iterator[tuple[float, str]]:
        killed = self._old and record.outcome == "timeout"
        if killed:
            said = (
                f"{iso(record.at)} {record.request_id} Task timed out after {record.duration_ms / 1000.0:.2f} seconds"
            )
            yield record.at, f"{said}\n\n"
        yield record.at, f"END RequestId: {record.request_id}\n"
        yield record.at, self._report(record)
        if self._old and record.outcome == "error" and (record.error_type or "").startswith(_EXIT):
            said = record.error_message or "Runtime exited without providing a reason"
            yield record.at, f"RequestId: {record.request_id} Error: {said}\n{record.error_type}\n"

    def _report(self, record: InvocationEnded) -> str:
        duration = record.duration_ms if self._old else reported_ms(record)
        billed = billed_ms(record, init=False) if self._old else math.ceil(duration + (record.init_ms or 0.0) - 1e-6)
        if self._old and record.outcome == "timeout":
            billed = min(billed, round(record.timeout_ms))
        fields = [
            f"REPORT RequestId: {record.request_id}",
            f"Duration: {duration:.2f} ms",
            f"Billed Duration: {billed} ms",
            f"Memory Size: {record.memory_mb} MB",
            f"Max Memory Used: {record.max_memory_mb} MB",
        ]
        if record.init_ms is not None:
            fields.append(f"Init Duration: {record.init_ms:.2f} ms")
        if record.restore_ms is not None:
            fields.append(f"Restore Duration: {record.restore_ms:.2f} ms")
            fields.append(f"Billed Restore Duration: {math.ceil(record.restore_ms)} ms")
        if not self._old:
            fields.extend(_status(record))
        report = "\t".join([*fields, "\n"])
        if record.sampled and record.trace_id is not None:
            report += f"XRAY TraceId: {record.trace_id}\tSegmentId: {record.segment_id}\tSampled: true\t\n"
        return report


def _status(record: InvocationEnded) -> list[str]:
    """A handler's own exception is no failure of the environment, and REPORT does not speak of it."""
    if record.outcome == "timeout":
        return ["Status: timeout"]
    if record.outcome == "error" and (record.error_type or "").startswith(_EXIT):
        return ["Status: error", f"Error Type: {record.error_type}"]
    return []


class _Json(_Writer):
    def init_started(self, record: InitStarted, *, again: bool) -> Iterator[tuple[float, str]]:
        yield (
            record.at,
            _event(
                record.at,
                "initStart",
                {
                    "initializationType": record.kind,
                    "phase": "invoke" if again else "init",
                    "runtimeVersion": _runtime(record.runtime)[0],
                    "runtimeVersionArn": self.runtime_arn,
                    "functionName": record.function,
                    "functionVersion": record.version,
                    "instanceId": digest("instance", record.stream),
                    "instanceMaxMemory": self.function.memory_mb * 1024 * 1024,
                },
            ),
        )

    def init_ended(self, record: InitEnded) -> Iterator[tuple[float, str]]:
        report: dict[str, object] = {"initializationType": record.kind, "phase": record.phase, "status": record.outcome}
        if record.error_type is not None:
            report["errorType"] = record.error_type
        report["metrics"] = {"durationMs": round(record.duration_ms, 3)}
        yield record.at, _event(record.at, "initReport", report)

    def started(self, record: InvocationStarted, restore_ms: float | None) -> Iterator[tuple[float, str]]:
        if restore_ms is not None:
            at = record.at - restore_ms
            version = {"runtimeVersion": _runtime(self.function.runtime)[0], "runtimeVersionArn": self.runtime_arn}
            yield at, _event(at, "restoreStart", version)
            metrics = {"durationMs": round(restore_ms, 3)}
            yield record.at, _event(record.at, "restoreReport", {"status": "success", "metrics": metrics})
        body = {"requestId": record.request_id, "version": record.version}
        yield record.at, _event(record.at, "start", body)

    def line(self, record: FunctionLine) -> str:
        if record.text.startswith("{"):
            return record.text
        level, text = record.level, record.text
        if (match := _PYTHON.match(text)) is not None:
            level, text = match["level"], match["text"]
        if level is None:
            return text  # print() goes out as it is, whatever the log format
        said = {"timestamp": iso(record.at), "level": level, "message": text.rstrip("\n"), "logger": "root"}
        if record.request_id is not None:
            said["requestId"] = record.request_id
        return json.dumps(said)

    def ended(self, record: InvocationEnded) -> Iterator[tuple[float, str]]:
        done: dict[str, object] = {"requestId": record.request_id, "status": record.outcome}
        if record.outcome == "error" and record.error_type is not None:
            done["errorType"] = record.error_type
        if record.response_ms is not None:
            done["spans"] = [_span("responseLatency", record.started_at, record.response_ms)]
        done["metrics"] = {"durationMs": round(record.duration_ms - record.extension_ms, 3), "producedBytes": 0}
        done |= _tracing(record)
        done_at = record.at - record.extension_ms
        yield done_at, _event(done_at, "runtimeDone", done)
        yield record.at, _event(record.at, "report", self._report(record))

    def _report(self, record: InvocationEnded) -> dict[str, object]:
        duration = reported_ms(record)
        metrics: dict[str, object] = {
            "durationMs": round(duration, 3),
            "billedDurationMs": math.ceil(duration + (record.init_ms or 0.0) - 1e-6),
            "memorySizeMB": record.memory_mb,
            "maxMemoryUsedMB": record.max_memory_mb,
        }
        if record.init_ms is not None:
            metrics["initDurationMs"] = round(record.init_ms, 3)
        if record.restore_ms is not None:
            metrics["restoreDurationMs"] = round(record.restore_ms, 3)
            metrics["billedRestoreDurationMs"] = math.ceil(record.restore_ms)
        report: dict[str, object] = {"requestId": record.request_id, "metrics": metrics} | _tracing(record)
        if record.extension_ms:
            ended_at = record.at - record.extension_ms
            report["spans"] = [_span("extensionOverhead", ended_at, record.extension_ms)]
        report["status"] = record.outcome
        if record.outcome == "error" and record.error_type is not None:
            report["errorType"] = record.error_type
        return report


def _tracing(record: InvocationEnded) -> dict[str, object]:
    if record.trace_id is None:
        return {}
    parent = f";Parent={record.parent_segment_id}" if record.parent_segment_id else ""
    value = f"Root={record.trace_id}{parent};Sampled={int(record.sampled)}"
    return {"tracing": {"spanId": record.segment_id, "type": "X-Amzn-Trace-Id", "value": value}}


def _span(name: str, at: float, duration_ms: float) -> dict[str, object]:
    return {"name": name, "start": iso(at), "durationMs": round(duration_ms, 3)}


def _event(at: float, kind: str, record: Mapping[str, object]) -> str:
    event = {"time": iso(at), "type": f"platform.{kind}", "record": record}
    return json.dumps(event, separators=(",", ":"))
