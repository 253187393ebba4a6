r"""Lambda logs, text and JSON: one row per invocation, with the lines that its function wrote.

Platform lines: INIT_START, START, END, REPORT, INIT_REPORT, RESTORE_REPORT, `Task timed out`, and their
JSON twins `platform.*`. `Init Duration` stands beside `Duration`, not inside it. The new log format has no
`Task timed out` line, only `Status: timeout` in REPORT; the old one has no status, only the line (or a
`Duration` that passes `Billed Duration`). Which init belongs to which invocation is decided by time at the
end, as the lines of a stream need not come in order.

>>> from apigw_doctor.sources.lambda_words import Where
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
from collections.abc import Iterator

import msgspec

from apigw_doctor.evidence.tables import AppLine, LambdaInvocation
from apigw_doctor.model.ids import trace_root
from apigw_doctor.model.times import ISO_PATTERN, parse_time
from apigw_doctor.sources.lambda_events import LambdaEvents
from apigw_doctor.sources.lambda_settle import invocation_row, settle
from apigw_doctor.sources.lambda_stream import LINE_CHARS, MAX_LINES, Invocations, append_time, cite, note_logged_ids
from apigw_doctor.sources.lambda_words import (
    BRACKET_ID,
    ID_FIRST,
    NODE,
    PLATFORM,
    PYTHON,
    TIMED_OUT,
    Where,
    by_extension,
    fields_of,
    init_report,
    leading_number,
    number_of,
    take_status,
)

#: Fields of a REPORT line that was wrapped
_MORE_FIELDS = re.compile(r"\b(?:Duration|Memory Size|Max Memory Used|Status|Error Type): |^\s*(?:ms|MB)\s")


_CUT = re.compile(r"Task timed out after (\d{1,9}(?:\.\d{1,9})?) seconds")
_SLS = re.compile(r"START|END Duration: ([\d.]+) ms(?: \(init: ([\d.]+) ms\))? Memory Used: (\d+) MB")


class LambdaLog:
    """Reads lines and JSON events into invocations."""

    def __init__(self) -> None:
        self.invocations = Invocations()
        self._events = LambdaEvents(self.invocations)
        self.event = self._events.event

    def line(self, message: str, where: Where) -> bool:
        """Read one platform or application line; False when it is no line of a Lambda log."""
        if (short := _SLS.fullmatch(message.strip())) is not None:
            return self._short_form(short, message, where)
        match = PLATFORM.match(message)
        if match is not None:
            return self._platform(match, message, where)
        timed_out = TIMED_OUT.search(message) if "Task timed out after" in message else None
        if timed_out is not None and timed_out.start() < 60:
            return self._timed_out(timed_out, message, where)
        for pattern, order in ((NODE, "til"), (PYTHON, "lti"), (BRACKET_ID, "li"), (ID_FIRST, "il")):
            if (found := pattern.match(message)) is not None:
                return self._app_line(
                    dict(zip(order, found.groups(), strict=False)), found.groups()[-1], message, where
                )
        return False

    def context_line(self, message: str, where: Where, *, strict: bool) -> bool:
        """A line without any mark: it belongs to the invocation that is open in its stream.

        With `strict` it must be the only one that is open.
        """
        if "Task timed out after" in message and (cut := _CUT.search(message)):
            running = self.invocations.stream(where).open
            if len(running) == 1:
                self.invocations.mark_timeout(
                    self.invocations.of(running[0], where), float(cut[1]) * 1000.0, message, where
                )
                return True
        stream = self.invocations.streams.get(where.stream_key)
        if stream is None or (strict and len(stream.open) != 1):
            return False
        line = AppLine(at=where.at, text=message[:LINE_CHARS], origin=where.origin, extension=by_extension(message))
        if len(stream.open) == 1:
            self.invocations.add_line(self.invocations.of(stream.open[0], where), line, message, where)
        elif len(stream.loose) < MAX_LINES:
            stream.loose.append(line)
        return True

    def continues(self, message: str, where: Where) -> None:
        """A further physical line of the last message: only errors in it matter."""
        stream = self.invocations.streams.get(where.stream_key)
        if stream is not None and stream.last_id is not None:
            facts = self.invocations.facts[stream.last_id]
            if message.lstrip().startswith("XRAY TraceId"):
                facts["trace_id"] = trace_root(message) or facts.get("trace_id")
                return
            if stream.report is not None and _MORE_FIELDS.search(message):
                stream.report = f"{stream.report} {message.strip()}"
                self._report(stream.last_id, stream.report, where)
                return
            lines = facts.get("lines")
            if lines and len(lines[-1].text) < LINE_CHARS:
                joined = f"{lines[-1].text}\n{message.strip()}"[:LINE_CHARS]
                lines[-1] = msgspec.structs.replace(lines[-1], text=joined)
            note_logged_ids(facts, message)

    def insights_row(self, row: dict[str, str], where: Where) -> bool:
        """Read an Insights row with discovered fields instead of the message (`@requestId`, `@duration`)."""
        request_id, duration = row.get("@requestId"), number_of(row.get("@duration"))
        if not request_id or duration is None:
            return False
        facts = self.invocations.begin(request_id, where)
        facts["duration_ms"] = duration
        for field, key in (("init_ms", "@initDuration"), ("billed_ms", "@billedDuration")):
            if (value := number_of(row.get(key))) is not None:
                facts[field] = value
        if row.get("@xrayTraceId"):
            facts["trace_id"] = trace_root(row["@xrayTraceId"])
        facts["reported_at"] = where.at
        cite(facts, where.origin, ", ".join(f"{key}={value}" for key, value in row.items() if value and key != "@ptr"))
        return True

    def rows(self) -> list[LambdaInvocation]:
        """Every invocation, after inits and loose lines have found theirs."""
        for stream in self.invocations.streams.values():
            settle(stream, self.invocations.facts, self.invocations.functions)
        return [invocation_row(request_id, facts) for request_id, facts in self.invocations.facts.items()]

    def last_rows(self) -> Iterator[LambdaInvocation]:
        """The same when nothing more will be read; each is forgotten when it was given."""
        for stream in self.invocations.streams.values():
            settle(stream, self.invocations.facts, self.invocations.functions)
        for request_id, facts in self.invocations.facts.items():
            yield invocation_row(request_id, facts)
            facts.clear()

    def tells_of_one(self) -> bool:
        """All lines are of one invocation whose START was among them, or of none."""
        facts, streams = self.invocations.facts, self.invocations.streams
        ids = {request_id for stream in streams.values() for request_id in stream.ids}
        if len(streams) > 1 or len(ids) > 1 or ids != facts.keys():
            return False
        starts = [known.get("started_at") for known in facts.values() if known.get("saw_start")]
        if len(starts) < len(facts):
            return False
        # Lines without an id belong to the init, or it has to be found out whose they are.
        loose = [line.at for stream in streams.values() for line in stream.loose]
        return all(at is not None and start is not None and at < start for at in loose for start in starts)

    def is_running(self) -> bool:
        """The end of an invocation is missing."""
        return any(stream.open for stream in self.invocations.streams.values())

    def extensions(self) -> list[str]:
        """Names of the extensions that were met."""
        return [name for stream in self.invocations.streams.values() for name in stream.extensions]

    def _short_form(self, match: re.Match[str], message: str, where: Where) -> bool:
        """`START` and `END Duration: ...` without an id, as `sls logs` (v3) prints them: the line number serves."""
        stream = self.invocations.stream(where)
        if match[1] is None:
            self.invocations.start(f"no-id@{where.origin}", message, where)
            return True
        if len(stream.open) != 1:
            return False
        init = f"\tInit Duration: {match[2]} ms" if match[2] else ""
        fields = f"Duration: {match[1]} ms\tMax Memory Used: {match[3]} MB{init}"
        self._report(stream.open[0], f"REPORT RequestId: x\t{fields}", where)
        return True

    def _platform(self, match: re.Match[str], message: str, where: Where) -> bool:
        stream = self.invocations.stream(where)
        if (word := match[1]) is not None:
            self._of_invocation(word, match[2], message, where)
        elif match[3] == "INIT_START":
            append_time(stream.init_starts, where.at)
        elif match[3] == "INIT_REPORT":
            stream.init_reports.append(init_report(message, where, "Init Duration"))
        elif match[3] == "RESTORE_REPORT":
            stream.restore_reports.append(init_report(message, where, "Restore Duration"))
        elif match[4] == "EXTENSION" and (name := re.search(r"Name:\s*([\w.-]+)", message)):
            stream.extensions.append(name[1])
        return True

    def _end(self, request_id: str, message: str, where: Where) -> None:
        facts = self.invocations.begin(request_id, where)
        if where.at is not None:
            facts["ended_at"] = where.at
        facts["saw_end"] = True
        self.invocations.close(request_id, where)

    def _report(self, request_id: str, message: str, where: Where) -> None:
        facts = self.invocations.begin(request_id, where)
        self.invocations.stream(where).report = message
        fields = fields_of(message)
        facts["reported_at"] = where.at
        for field, name in (
            ("duration_ms", "Duration"),
            ("billed_ms", "Billed Duration"),
            ("init_ms", "Init Duration"),
            ("restore_ms", "Restore Duration"),
            ("memory_mb", "Memory Size"),
            ("max_memory_mb", "Max Memory Used"),
        ):
            if (number := leading_number(fields.get(name))) is not None:
                facts[field] = int(number) if field.endswith("_mb") else number
        if (root := trace_root(message)) is not None:
            facts["trace_id"] = root
        take_status(facts, fields.get("Status"), fields.get("Error Type"))
        self.invocations.close(request_id, where)
        cite(facts, where.origin, message)

    def _timed_out(self, match: re.Match[str], message: str, where: Where) -> bool:
        facts = self.invocations.begin(match[1], where)
        time = re.search(ISO_PATTERN, message[: match.start()])
        at = where.at if where.at is not None else parse_time(time[0]) if time else None
        if at is not None:
            facts.setdefault("ended_at", at)
        self.invocations.mark_timeout(facts, float(match[2]) * 1000.0, message, where)
        return True

    def _app_line(self, found: dict[str, str | None], text: str, message: str, where: Where) -> bool:
        request_id = found.get("i")
        time = found.get("t")
        at = where.at if where.at is not None or not time else parse_time(time)
        if request_id is None or request_id == "undefined":
            return self.context_line(message, msgspec.structs.replace(where, at=at), strict=False)
        line = AppLine(
            at=at, text=text[:LINE_CHARS], origin=where.origin, level=found.get("l"), extension=by_extension(text)
        )
        self.invocations.add_line(self.invocations.of(request_id, where), line, message, where)
        self.invocations.stream(where).last_id = request_id
        return True

    def _of_invocation(self, word: str, request_id: str, message: str, where: Where) -> None:
        if word == "START":
            self.invocations.start(request_id, message, where)
        elif word == "END":
            self._end(request_id, message, where)
        else:
            self._report(request_id, message, where)
