"""Reads one input line by line into evidence: detects what each line is, unwraps it, counts what it is not.

A line is, in this order of trying: part of an open JSON document or table, the start of one, a log
message behind a prefix, a line of a client's transcript, a continuation of the message before it, or
unread. Nothing is held but the requests, the invocations and the document at hand.
"""

import re
from collections.abc import Iterator

from apigw_doctor.evidence.tables import Evidence, Gap, InputFile, Unread
from apigw_doctor.evidence.traffic import Traffic
from apigw_doctor.model.ids import UUID_PATTERN, api_from_group
from apigw_doctor.sources import configuration, documents, json_blocks, tables_text
from apigw_doctor.sources.blocks import Watch
from apigw_doctor.sources.client import Transcript
from apigw_doctor.sources.cloudfront import CloudFrontLog
from apigw_doctor.sources.execution_log import Passing
from apigw_doctor.sources.lambda_layout import function_from_path
from apigw_doctor.sources.payload import Message, Payloads, Read
from apigw_doctor.sources.prefix import CHROME, STRONG, Prefix, peel, unpasted, zone_offset_ms
from apigw_doctor.sources.reading import Cut, Input, Line, TooLong, head_text, is_binary, read_lines
from apigw_doctor.sources.spool import Label
from apigw_doctor.sources.wanted import Wanted

_STREAM_IN_PATH = re.compile(r"(?:\d{4}[-/_]\d{2}[-/_]\d{2}[-/_])?(?:[\w.-]+)?\[[\w$.-]+\][0-9a-f]{3,32}")
_YAML_START = re.compile(r"(?m)^(?:openapi|swagger)\s*:\s*['\"]?[23]")
#: A log's own line, also right behind a client's transcript.
_LOG_LINE = re.compile(r"\([\w+/=-]{8,64}\) [A-Z]|(?:START|END|REPORT) RequestId: |INIT_START |INIT_REPORT ")
#: `curl -v --trace-time`
_TRACE_TIME = re.compile(r"^\d\d:\d\d:\d\d\.\d{3,6} (?=[*<>] )")
#: The first half of a platform line that a mailer wrapped
_HALF = re.compile(r"(?:START|END|REPORT) RequestId:\s*")
_NO_LINE = "no line of a known log"
GROUND_TRUTH = "truth.jsonl"
_MILLISECONDS = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"
#: What the platform and runtimes write behind a time, in the forms that `LambdaLog.line` always knows.
_RUNTIME_WORDS = re.compile(
    (
        r"(?:START|END|REPORT) RequestId: [!-~]|INIT_START "
        rf"|\[[A-Z]{{4,8}}\]\t{_MILLISECONDS}\t{UUID_PATTERN}\t"
        rf"|{_MILLISECONDS}\t{UUID_PATTERN}\t(?:TRACE|DEBUG|INFO|WARN|ERROR|FATAL)\t"
    ).encode()
)


class FileReader:
    """Reads one input."""

    def __init__(self, source: Input, payloads: Payloads) -> None:
        self._source = source
        self._payloads = payloads
        path = source.name.replace("\\", "/")
        self._function = function_from_path(path)
        stream = _STREAM_IN_PATH.search(path)
        self._stream = stream[0] if stream else None
        self._group = path if "api-gateway-execution-logs" in path.lower() else None
        self._test = payloads.test_transcript()
        self._transcript = Transcript()
        self._edge = CloudFrontLog()
        self._block: json_blocks.Block | None = None
        #: what stood before the open document on its first line
        self._block_message: Message | None = None
        self._table: tables_text.Table | None = None
        self._zone_ms: float | None = None
        self._last = Read("")
        self._last_prefixed = False
        self._unread: dict[str, list[int]] = {}
        self._kinds: set[str] = set()
        self._lambda_stream: tuple[str | None, str | None] = (None, None)
        self._naive = False
        self._time_above: Prefix | None = None
        #: a line behind a time that could not be read: perhaps the next one is its other half
        self._half_line: str | None = None
        #: the quote marks or indentation that pasting put before lines
        self._pasted_before = ""
        #: a query result or table was read, whatever it held
        self._container = False
        self.problems: list[str] = []

    # for a reader that knows where lines begin (`ExecutionRoad`)

    def twin(self) -> "FileReader":
        """Another reader of the same input, at another place in it; what they count goes together."""
        other = FileReader(self._source, self._payloads)
        other._unread, other._kinds, other._zone_ms = self._unread, self._kinds, self._zone_ms
        return other

    def pass_events(self) -> Passing:
        """From now on leave the events of execution logs to whoever asks `Passing` for them."""
        passing = Passing(self._payloads.requests)
        self._payloads = self._payloads.passing(passing)
        return passing

    def look_ahead(self, head: str) -> None:
        """See from the first lines how far times without a zone are from UTC."""
        self._zone_ms = zone_offset_ms(head.splitlines()[:400])

    def restart(self, kind: str = "") -> None:
        """Go on as if nothing had been read yet, or only one line of this kind."""
        if self._block is not None:
            self._give_up_block()
        self._table, self._half_line, self._time_above = None, None, None
        self._last, self._last_prefixed, self._pasted_before = Read(kind), False, ""
        self._lambda_stream = (None, None)

    def api_and_stage(self) -> tuple[str | None, str | None]:
        """What the input's name tells of the API."""
        return api_from_group(self._group) if self._group is not None else (None, None)

    def event(self, number: int, text: str, at: float | None, group: str | None = None) -> None:
        """Read one event of an execution log, whose time was read already."""
        if self._block is not None:
            self._give_up_block()
        self._table = None
        read = self._payloads.execution.line(text, at=at, origin=self._origin(number), group=group or self._group)
        if read is None:
            self._count_unread(number, _NO_LINE)
        else:
            self.after_event(continues=read, prefixed=at is not None)

    def request(self, request_id: str, events: list[tuple[Label, str, float | None]]) -> None:
        """Read the events of one request, each of one line: its number, its words, its time."""
        self._payloads.execution.request(request_id, events, name=self._source.name, group=self._group)
        self._kinds.add("execution-log")

    def after_event(self, *, continues: bool, prefixed: bool) -> None:
        """Go on as if the line before had been an event of an execution log."""
        if self._block is not None:
            self._give_up_block()
        self._table, self._half_line, self._time_above = None, None, None
        self._last_prefixed = prefixed
        self._know(Read("execution-log", continues))

    def odd_line(self, number: int, line: bytes) -> None:
        """Read a line that may be anything."""
        self._line(number, decoded(line))

    def timed_line(self, number: int, line: bytes, column: int, at: float | None) -> None:
        """Read a line of a Lambda log, whose words begin at this column behind its time.

        The words of the platform and of runtimes say themselves what they are: nothing else has to be tried.
        """
        if at is not None and _RUNTIME_WORDS.match(line, column) is not None and self._awaits_no_other():
            read = self._payloads.text(self._message(number, Prefix(rest=decoded(line[column:]), at=at)))
            if read is not None:
                self._last_prefixed = True
                self._know(read)
                return
        self.odd_line(number, line)

    def _awaits_no_other(self) -> bool:
        """No line before tells how the next one has to be read."""
        open_before = self._block is not None or self._table is not None or self._pasted_before
        return not open_before and self._last.kind in ("", "lambda-log") and not self._payloads.access.formats()

    def counted(self) -> tuple[set[str], dict[str, tuple[int, int]]]:
        """Kinds of evidence that were met; and of unread lines: reason -> number of the first, how many."""
        return self._kinds, {reason: (numbers[0], len(numbers)) for reason, numbers in self._unread.items()}

    def after_record(self) -> None:
        """Go on as if the line before had been a record of an access log."""
        if self._block is not None:
            self._give_up_block()
        self._table, self._half_line, self._time_above = None, None, None
        self._know(Read("access-log"))

    def inside_document(self) -> bool:
        """A JSON document has begun and not ended."""
        return self._block is not None

    def unread_lines(self) -> int:
        """How many lines could not be read so far."""
        return sum(map(len, self._unread.values()))

    def requests_met(self) -> int:
        """How many requests are known by id."""
        return len(self._payloads.requests)

    def newest(self, count: int) -> list[str]:
        """Ids of the requests that were met last."""
        return self._payloads.requests.newest(count)

    def release(self, request_id: str, traffic: Traffic, wanted: Wanted) -> int:
        """Enter the requests with this id into the traffic, unless they are remarkable; how many were entered."""
        return self._payloads.requests.release(request_id, traffic, wanted.asks_for)

    def read(self, watch: Watch = lambda _: None) -> bool:
        """Read all of it; True when something in it was evidence. `watch` is told the bytes on disk read so far."""
        name, evidence = self._source.name, self._payloads.evidence
        if name.rpartition("/")[2] == GROUND_TRUTH:
            evidence.unread.append(Unread(origin=name, lines=0, reason="skipped: ground truth is never evidence"))
            return False
        if is_binary(self._source):
            self.problems.append(f"{name}: binary data, no text log")
            evidence.unread.append(Unread(origin=name, lines=0, reason="binary data, no text log"))
            return False
        head = head_text(self._source)
        if _YAML_START.search(head) and not head.lstrip().startswith("{") and self._read_yaml():
            return True
        self.look_ahead(head)
        lines, size = 0, 0
        for item in read_lines(self._source, watch=watch):
            if isinstance(item, Line):
                lines, size = item.number, size + len(item.text) + 1
                self._line(item.number, item.text)
            else:
                self._trouble(item)
        self.end()
        if lines == 0 and not self.problems:
            self.problems.append(f"{name}: the file is empty")
            evidence.unread.append(Unread(origin=name, lines=0, reason="the file is empty"))
        for reason, numbers in self._unread.items():
            evidence.unread.append(Unread(origin=f"{name}:{numbers[0]}", lines=len(numbers), reason=reason))
        evidence.files.append(InputFile(name=name, bytes_read=size, lines=lines, kinds=tuple(sorted(self._kinds))))
        if self._naive:
            self._note_zone()
        return bool(self._kinds) or self._container

    def _note_zone(self) -> None:
        offset = self._zone_ms
        said = "were taken as UTC" if offset is None else f"are {offset / 3_600_000:+.2f} h from UTC, as messages show"
        self._payloads.zoneless.setdefault(said, []).append(self._source.name)

    def _trouble(self, item: TooLong | Cut) -> None:
        number = item.number if isinstance(item, TooLong) else item.lines
        self.problems.extend(notice_of(self._source.name, number, item, self._payloads.evidence))

    def _read_yaml(self) -> bool:
        text = "\n".join(item.text for item in read_lines(self._source) if isinstance(item, Line))
        rows = configuration.parse_yaml(text, f"{self._source.name}:1")
        if not rows:
            return False
        for row in rows:
            self._payloads.evidence.table(type(row)).append(row)
        self._payloads.evidence.files.append(
            InputFile(
                name=self._source.name, bytes_read=len(text), lines=text.count("\n") + 1, kinds=("configuration",)
            )
        )
        return True

    # one line

    def _line(self, number: int, text: str) -> None:
        if self._block is not None:
            if self._in_block(number, text):
                return
        elif self._table is not None and self._in_table(number, text):
            return
        if not text.strip():
            return
        if self._pasted_before and text.startswith(self._pasted_before):
            inner = text[len(self._pasted_before) :]
            text = inner if STRONG.match(inner) else text
        bare = unpasted(text)
        marked = bare is not text and text[: len(text) - len(bare)].strip() != ""
        if marked or not (self._last.continues and self._last_prefixed):
            if bare is not text and not text[: len(text) - len(bare)].strip(" >\t"):
                self._pasted_before = text[: len(text) - len(bare)]
            # A client's transcript has its own "> " lines.
            text = bare if self._last.kind != "client" or not bare.startswith("{") else text
        if self._opens(number, text):
            return
        self._plain(number, text)

    def _opens(self, number: int, text: str) -> bool:
        """A JSON document or a table begins here."""
        if self._last.kind == "client" and self._transcript.feed(text, self._origin(number)):
            return True
        if text[0].isdigit() or text[0] == "(":
            return False  # the usual log line
        if (payloads := documents.delivered(text)) is not None:
            for payload in payloads:
                self._document(json_blocks.Document(number, payload, ""))
            return True
        if json_blocks.starts(text) and not (self._last.continues and text[:1].isspace()):
            return self._json(number, text)
        if self._edge.header(text):
            self._kinds.add("edge-log")
            return True
        table = tables_text.open_table(text) if not self._last.continues else None
        if table is None and number == 1 and tables_text.looks_like_access_header(text):
            names = [name.strip().strip('"') for name in text.split(",")]
            table = tables_text.Delimited(names, ",")
        if table is None:
            return False
        self._table = table
        self._container = True
        if isinstance(table, tables_text.Html):
            self._in_table(number, text)
        return True

    def _json(self, number: int, text: str) -> bool:
        found, rest = json_blocks.decode_line(number, text)
        for document in found:
            self._document(document)
        if not rest:
            return bool(found)
        if found and not json_blocks.starts(rest):
            self._count_unread(number, "text after a JSON document")
            return True
        if rest.rstrip().endswith("}") and self._access_text(number, rest):
            return True
        block = json_blocks.Block(number, rest)
        if block.broken:
            return False
        self._block = block
        return True

    def _access_text(self, number: int, text: str) -> bool:
        if self._payloads.access.line(text, at=None, origin=self._origin(number)):
            self._know(Read("access-log"))
            return True
        return False

    def _in_block(self, number: int, text: str) -> bool:
        block = self._block
        assert block is not None  # noqa: S101 - the caller looked
        if STRONG.match(text) and not (text.startswith(("{", "[")) and self._fits_inside(block)):
            self._give_up_block()
            return False
        done = block.feed(text)
        for document in block.take():
            self._block_document(document)
        if done:
            message, self._block, self._block_message = self._block_message, None, None
            if block.broken:
                self._abandoned(block, message)
        return True

    def _block_document(self, document: json_blocks.Document) -> None:
        """A document that began behind a time and a stream has them too (`aws logs tail --format json`)."""
        message = self._block_message
        if message is None:
            self._document(document)
        elif (read := self._message_text(changed(message, text=document.text))) is not None:
            self._know(read)
        else:
            self._count_unread(document.number, "JSON of no kind that is known")

    def _fits_inside(self, block: json_blocks.Block) -> bool:
        """An object at the line's start may be an element of an open array."""
        return block.in_array or (bool(block.lines) and block.lines[-1].rstrip().endswith(":"))

    def _give_up_block(self) -> None:
        block, message = self._block, self._block_message
        self._block, self._block_message = None, None
        if block is not None:
            self._abandoned(block, message)

    def _abandoned(self, block: json_blocks.Block, message: Message | None) -> None:
        """Without a time of its own it may go on with the message before it; else its lines are unread."""
        if message is not None or not self._last.continues:
            lines = ["lost"] * block.lost + block.lines
            for number, line in enumerate(lines, block.number):
                if line.strip():
                    self._count_unread(number, "a JSON document that never ends")

    def _in_table(self, number: int, text: str) -> bool:
        table = self._table
        assert table is not None  # noqa: S101 - the caller looked
        rows = table.feed(number, text)
        if rows is None:
            self._rows(table.end())
            self._table = None
            return False
        self._rows(rows)
        return True

    def _rows(self, rows: list[tables_text.TableRow]) -> None:
        for row in rows:
            self._wrapped(documents.row_of(row.cells), row.number, ", ".join(f"{k}={v}" for k, v in row.cells.items()))

    # documents

    def _document(self, document: json_blocks.Document) -> None:
        known = False
        unknown = 0
        for item in documents.unwrap(document.value):
            if self._wrapped(item, document.number, document.text, count=False):
                known = True
            else:
                unknown += 1
        if known:
            for _ in range(unknown):
                self._count_unread(document.number, "an entry of a document that holds nothing known")
        elif isinstance(document.value, dict) and isinstance(document.value.get("results"), list):
            self._container = True
            for item in documents.unwrap(document.value):
                self._count_unread(document.number, _why_no_row(item.row))
        elif not self._last.continues and not self._as_line(document):
            for number, line in enumerate((document.text or "{}").split("\n"), document.number):
                if line.strip():
                    self._count_unread(number, "JSON of no kind that is known")

    def _as_line(self, document: json_blocks.Document) -> bool:
        """JSON that a function printed: a line of the invocation open in this file."""
        message = self._message(document.number, Prefix(rest=document.text[:2000]))
        return self._payloads.context_text(message, strict=False)

    def _wrapped(self, item: documents.Wrapped, number: int, text: str, *, count: bool = True) -> bool:
        if item.ignored is not None:
            return True
        origin = self._origin(number) if item.event_id is None or not item.stream else f"{item.stream}/{item.event_id}"
        message = Message(
            text=item.text if item.text is not None else text,
            origin=origin,
            file=self._source.name,
            at=item.at,
            group=item.group or self._group,
            stream=item.stream or self._stream,
            function=self._function,
        )
        read = self._unwrapped(item, message, number)
        if read is not None:
            self._know(read)
            return True
        if count:
            self._count_unread(number, _why_no_row(item.row))
        return False

    def _unwrapped(self, item: documents.Wrapped, message: Message, number: int) -> Read | None:
        if item.row is not None:
            if set(item.row) <= {"@ptr"}:
                return None
            return self._payloads.insights_row(item.row, message)
        if item.text is None:
            return self._payloads.value(item.value, message)
        if not item.text.strip():
            return Read("blank")
        return self._message_text(message)

    def _message_text(self, message: Message) -> Read | None:
        """A message that a container delimited: its text is whole, whatever it holds."""
        text = message.text
        if json_blocks.starts(text):
            found, _rest = json_blocks.decode_line(0, text)
            read = None
            for document in found:
                for item in documents.unwrap(document.value):
                    read = self._inner(item, message, document.text) or read
            if read is not None:
                return read
            if self._payloads.access.line(text, at=message.at, origin=message.origin):
                return Read("access-log")
        read = self._payloads.text(message)
        if read is None:
            inner = peel(text)
            if not inner.bare or inner.test_form:
                again = changed(message, text=inner.rest, at=message.at if message.at is not None else inner.at)
                read = self._payloads.text(again)
        if read is None and (message.stream or message.function or self._last.kind == "lambda-log"):
            strict = message.stream is None
            read = Read("lambda-log") if self._payloads.context_text(message, strict=strict) else None
        return read

    def _inner(self, item: documents.Wrapped, message: Message, text: str) -> Read | None:
        inner = changed(
            message,
            text=item.text if item.text is not None else text,
            at=message.at if message.at is not None else item.at,
            group=message.group or item.group,
            stream=message.stream or item.stream,
        )
        if item.text is not None:
            return self._payloads.text(inner)
        return None if item.value is None else self._payloads.value(item.value, inner)

    # plain lines

    def _plain(self, number: int, text: str) -> None:
        if self._test.header(text):
            self._know(Read("execution-log"))
            return
        if CHROME.fullmatch(text.strip()):
            return
        if self._payloads.access.of_known_format(text, at=None, origin=self._origin(number)):
            self._know(Read("access-log"))
            return
        prefix = peel(text)
        if prefix.naive:
            self._naive = True
        if prefix.at is not None and not prefix.rest.strip():
            self._time_above = prefix  # the console copies the time on a line of its own
            return
        message = self._message(number, prefix)
        if prefix.bare and self._half_line is not None and self._rejoined(number, text):
            return
        if prefix.bare and self._last.continues and self._last_prefixed and not STRONG.match(text):
            self._continue(message)
            return
        read = self._read_plain(number, prefix, message, text)
        if read is not None:
            self._last_prefixed = not prefix.bare
            self._know(read)
        elif self._last.continues and prefix.bare:
            self._continue(message)
        else:
            self._count_unread(number, _NO_LINE)
            self._half_line = None if prefix.bare else text
            self._last = Read(self._last.kind)

    def _rejoined(self, number: int, text: str) -> bool:
        """A mailer may have wrapped the line before: read both as one."""
        half, self._half_line = self._half_line, None
        if half is None:
            return False
        whole = f"{half.rstrip()} {text.strip()}"
        prefix = peel(whole)
        read = self._read_plain(number, prefix, self._message(number, prefix), whole)
        if read is None:
            return False
        self._unread[_NO_LINE].pop()
        if not self._unread[_NO_LINE]:
            del self._unread[_NO_LINE]
        self._last_prefixed = True
        self._know(read)
        return True

    def _read_plain(self, number: int, prefix: Prefix, message: Message, text: str) -> Read | None:
        if prefix.test_form or (prefix.bare and self._last.kind in ("", "test")):
            continues = self._test.line(prefix.rest, at=prefix.at, origin=message.origin)
            if continues is not None:
                return Read("test" if not prefix.test_form else "execution-log", continues)
        if self._last.kind != "client" or not prefix.bare or _LOG_LINE.match(text):
            read = self._payloads.text(message)
            if read is not None:
                return read
        if json_blocks.starts(prefix.rest) and not prefix.bare:
            block = json_blocks.Block(int(message.origin.rpartition(":")[2]), prefix.rest)
            if not block.broken and not block.documents:
                self._block, self._block_message = block, message
                return Read("blank")
            if (read := self._message_text(message)) is not None:
                return read
        if (read := self._payloads.edge(self._edge, text, message.origin)) is not None:
            return read
        if self._transcript.feed(_TRACE_TIME.sub("", text), message.origin):
            return Read("client")
        return self._in_stream(prefix, message)

    def _in_stream(self, prefix: Prefix, message: Message) -> Read | None:
        """A line without marks in a Lambda log: the function wrote it."""
        in_lambda = self._last.kind == "lambda-log" or self._function is not None or message.stream is not None
        if not in_lambda or not prefix.rest.strip() or _HALF.fullmatch(prefix.rest):
            return None
        if prefix.bare and self._last.kind != "lambda-log" and self._function is None:
            return None
        known = self._payloads.context_text(message, strict=message.stream is None and self._function is None)
        if not known and (prefix.rest.startswith("[NR_EXT]") or not prefix.bare):
            known = self._last.kind == "lambda-log"
        return Read("lambda-log", continues=True) if known else None

    def _continue(self, message: Message) -> None:
        if self._last.kind == "execution-log":
            self._payloads.execution.continues(message.text)
        if self._last.kind == "lambda-log":
            group, stream = self._lambda_stream
            self._payloads.lambdas.continues(message.text, changed(message, group=group, stream=stream).where())

    def _message(self, number: int, prefix: Prefix) -> Message:
        timed, self._time_above = (prefix if prefix.at is not None else self._time_above or prefix), None
        at = timed.at
        if at is not None and timed.naive and self._zone_ms is not None:
            at -= self._zone_ms
        message = Message(
            text=prefix.rest,
            origin=self._origin(number),
            file=self._source.name,
            at=at,
            group=prefix.group or self._group,
            stream=prefix.stream or self._stream,
            function=self._function,
        )
        if not prefix.bare:
            self._lambda_stream = (message.group, message.stream)
        return message

    def _know(self, read: Read) -> None:
        if read.kind == "blank":
            return
        self._last = read
        if read.kind:
            self._kinds.add(read.kind)

    def _origin(self, number: int) -> str:
        return f"{self._source.name}:{number}"

    def _count_unread(self, number: int, reason: str) -> None:
        self._unread.setdefault(reason, []).append(number)

    def end(self) -> None:
        """Nothing more comes."""
        self._give_up_block()
        if self._table is not None:
            self._rows(self._table.end())
        self._payloads.replies(self._transcript)


def notice_of(name: str, number: int, item: TooLong | Cut, evidence: Evidence) -> Iterator[str]:
    """Note what was wrong with an input at or after this line, and say so in a sentence."""
    if isinstance(item, TooLong):
        reason = f"a line of {item.length / 1e6:.0f} MB is no log line; it was passed over"
        evidence.unread.append(Unread(origin=f"{name}:{number}", lines=1, reason=reason))
        yield f"{name}:{number}: {reason}"
    else:
        reason = f"{item.reason} (after {number} lines)"
        evidence.gaps.append(Gap(origin=name, reason=reason, remedy="copy or export the file again"))
        yield f"{name}: {reason}"


def decoded(line: bytes) -> str:
    """A line's text: UTF-8, else Windows-1252, which never fails."""
    try:
        return line.decode("utf-8")
    except UnicodeDecodeError:
        return line.decode("cp1252", "replace")


def _why_no_row(row: dict[str, str] | None) -> str:
    if row is not None and set(row) <= {"@ptr"}:
        return "rows with only @ptr carry no data: let the query display @timestamp, @message"
    return "a row without a message or known fields: let the query display @timestamp, @message"


def changed(message: Message, **changes: object) -> Message:
    """A message with some of its fields changed."""
    return Message(**{field: getattr(message, field) for field in message.__struct_fields__} | changes)
