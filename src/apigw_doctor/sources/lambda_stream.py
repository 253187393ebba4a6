"""What is known of one log stream and of its invocations while lines are being read."""

import re
from collections.abc import Callable

import msgspec

from apigw_doctor.evidence.tables import AppLine, Cite, InitReport
from apigw_doctor.model.ids import trace_root
from apigw_doctor.model.terms import Outcome
from apigw_doctor.sources.lambda_words import ANY_ID, CRASH, GATEWAY_ID_KEYS, Facts, Where

#: Application lines kept for one invocation; of more, the middle ones without a gap beside them go.
MAX_LINES = 160
LINE_CHARS = 500
_MAX_CITES = 8
_MAX_IDS = 24


class Stream(msgspec.Struct, kw_only=True):
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
    #: the last REPORT line, which may go on over the next lines
    report: str | None = None
    #: invocations that were settled while reading goes on, their last moment, and the end of the last one
    settled: int = 0
    settled_until: float = 0.0
    previous_ended_at: float | None = None


class Invocations:
    """All invocations of one reading, and the streams that they came in."""

    def __init__(self) -> None:
        self.facts: dict[str, Facts] = {}
        self.streams: dict[str, Stream] = {}
        #: function names that events told of a stream
        self.functions: dict[str, str] = {}
        #: told of every line of an invocation, while much input is read
        self.met: Callable[[Invocations, str, Stream | None, float | None], None] | None = None

    def stream(self, where: Where) -> Stream:
        """The stream that a line stands in."""
        key = where.stream_key
        if (stream := self.streams.get(key)) is None:
            stream = self.streams[key] = Stream(named=where.stream is not None)
        return stream

    def begin(self, request_id: str, where: Where) -> Facts:
        """The invocation, noted as one of the line's stream."""
        stream = self.stream(where)
        facts = self.of(request_id, where)
        stream.report = None
        if request_id not in facts.setdefault("streams", {}):
            facts["streams"][request_id] = where.stream_key
            stream.ids.append(request_id)
        stream.last_id = request_id
        return facts

    def of(self, request_id: str, where: Where) -> Facts:
        """The invocation with this id; what the line's place tells is filled in."""
        if self.met is not None:
            self.met(self, request_id, self.streams.get(where.stream_key), where.at)
        facts = self.facts.setdefault(request_id, {})
        facts.setdefault("stream_key", where.stream_key)
        if where.function and not facts.get("function"):
            facts["function"] = where.function
        if where.stream and not facts.get("stream"):
            facts["stream"] = where.stream
        if where.group and not facts.get("log_group"):
            facts["log_group"] = where.group
        return facts

    def close(self, request_id: str, where: Where) -> None:
        """The invocation has ended: lines without an id are no longer its own."""
        stream = self.stream(where)
        if request_id in stream.open:
            stream.open.remove(request_id)

    def mark_timeout(self, facts: Facts, timeout_ms: float, message: str, where: Where) -> None:
        """A line says that the function was killed at its timeout."""
        facts["outcome"] = Outcome.TIMEOUT
        # The line says 3.00, 3.01 or 3.02 seconds for a limit of 3: limits are whole seconds.
        facts["timeout_ms"] = float(int(timeout_ms / 1000.0 + 0.001)) * 1000.0 or timeout_ms
        cite(facts, where.origin, message)

    def add_line(self, facts: Facts, line: AppLine, message: str, where: Where) -> None:
        """Keep an application line."""
        lines: list[AppLine] = facts.setdefault("lines", [])
        if any(known.at == line.at and known.text == line.text for known in lines[-3:]):
            return
        facts["line_count"] = facts.get("line_count", 0) + 1
        lines.append(line)
        if len(lines) > MAX_LINES:
            facts["lines"] = _thinned(lines)
        note_logged_ids(facts, message)
        if CRASH.search(message):
            facts.setdefault("error_text", message[:LINE_CHARS])
            if facts.get("outcome") is None:
                facts["outcome"] = Outcome.ERROR
            cite(facts, where.origin, message)

    def start(self, request_id: str, message: str, where: Where) -> None:
        """START: the invocation runs from here on."""
        facts = self.begin(request_id, where)
        if where.at is not None:
            facts["started_at"] = min(where.at, facts.get("started_at") or where.at)
        facts["saw_start"] = True
        if version := re.search(r"Version: (\S+)", message):
            facts["version"] = version[1]
        stream = self.stream(where)
        if request_id not in stream.open and not facts.get("saw_end"):
            stream.open.append(request_id)
        cite(facts, where.origin, message)


def append_time(times: list[float], at: float | None) -> None:
    """Add a time that is known."""
    if at is not None:
        times.append(at)


def note_logged_ids(facts: Facts, message: str) -> None:
    """Note the ids that a line names; only those of gateway requests will ever count."""
    known: tuple[str, ...] = facts.get("logged_ids", ())
    for found in (*GATEWAY_ID_KEYS.findall(message), *ANY_ID.findall(message)):
        if len(known) >= _MAX_IDS:
            break
        if found not in known:
            known = (*known, found)
    facts["logged_ids"] = known
    if facts.get("trace_id") is None and "trace" in message.lower() and (root := trace_root(message)):
        facts["logged_trace_id"] = root
        facts["trace_id"] = root


def cite(facts: Facts, origin: str, text: str) -> None:
    """Keep a line as proof; the same words twice count once."""
    cites: list[Cite] = facts.setdefault("cites", [])
    short = text[:1000]
    if len(cites) < _MAX_CITES and all(known.text != short for known in cites):
        cites.append(Cite(origin=origin, text=short))


def _thinned(lines: list[AppLine]) -> list[AppLine]:
    """Half as many lines: the ends stay, and those beside the longest gaps."""
    gaps = sorted(range(1, len(lines)), key=lambda i: (lines[i].at or 0.0) - (lines[i - 1].at or 0.0), reverse=True)[
        :12
    ]
    keep = (
        {index for gap in gaps for index in (gap - 1, gap)} | set(range(24)) | set(range(len(lines) - 32, len(lines)))
    )
    return [line for index, line in enumerate(lines) if index in keep]
