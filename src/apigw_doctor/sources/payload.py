"""From one message, wherever it was wrapped, to the source that understands it.

`Payloads` owns the sources of one reading and answers for each message: which evidence it was, or
that nobody knew it. It is told the message's time, group and stream by whoever unwrapped it.
"""

from copy import copy
from functools import partial
from typing import Any

import msgspec

from apigw_doctor.evidence.tables import Evidence, LambdaInvocation, StageSettings
from apigw_doctor.model.ids import function_from_group
from apigw_doctor.sources import client, cloudfront, configuration, load_balancer, metrics, xray
from apigw_doctor.sources.access_log import AccessLog
from apigw_doctor.sources.execution_log import ExecutionLog, TestTranscript
from apigw_doctor.sources.lambda_log import LambdaLog
from apigw_doctor.sources.lambda_words import Where
from apigw_doctor.sources.requests import Requests

#: Keys under which functions log their own request id, and those that only loggers write.
_OWN_IDS = frozenset(
    {"AWSRequestId", "AWSrequestId", "awsRequestId", "aws_request_id", "function_request_id", "lambda_request_id"}
)
_LOGGER_KEYS = frozenset({"level", "logger", "levelname", "severity", "loglevel", "log.level", "logLevel"})

_DOCUMENTS = (
    ("traces", xray.parse_document),
    ("metrics", metrics.parse_document),
    ("configuration", configuration.parse_document),
)


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """One log message as its container gave it."""

    text: str
    origin: str
    file: str
    at: float | None = None
    group: str | None = None
    stream: str | None = None
    #: the function whose log this is, where the path says so; the group goes before it
    function: str | None = None

    def where(self) -> Where:
        """The same, as the Lambda log wants it."""
        function = (function_from_group(self.group) if self.group else None) or self.function
        return Where(
            at=self.at, origin=self.origin, function=function, stream=self.stream, file=self.file, group=self.group
        )


class Read(msgspec.Struct, frozen=True):
    """What a message was: a kind of evidence, and whether its next lines may be its continuation."""

    kind: str
    continues: bool = False


class Payloads:
    """All sources of one reading, behind one door."""

    def __init__(self, formats: tuple[str, ...] = (), known: Evidence | None = None) -> None:
        #: what earlier readings told, so that this one knows what matters
        self.known = known or Evidence()
        self.requests = Requests()
        self.execution = ExecutionLog(self.requests)
        self.access = AccessLog(self.requests, formats)
        self.lambdas = LambdaLog()
        self.evidence = Evidence()
        #: what was made of times without a zone -> the files that have such
        self.zoneless: dict[str, list[str]] = {}
        for stage in self.known.stages:
            if stage.access_log_format:
                self.access.add_format(stage.access_log_format)

    def text(self, message: Message) -> Read | None:
        """Read a message that is text; only its first line decides what it is."""
        head, _, rest = message.text.partition("\n")
        if not head.strip():
            return Read("blank")
        found = self._text(head, message)
        if found is not None and rest and found.kind == "lambda-log":
            where = message.where()
            for line in rest.split("\n"):
                if line.strip():
                    self.lambdas.continues(line, where)
        return found

    def _text(self, head: str, message: Message) -> Read | None:
        if head.startswith("("):
            continues = self.execution.line(message.text, at=message.at, origin=message.origin, group=message.group)
            if continues is not None:
                return Read("execution-log", continues)
        where = message.where()
        if self.lambdas.line(head, where):
            return Read("lambda-log", not head.startswith(("START", "END", "INIT_")))
        if (row := load_balancer.parse_line(head, message.origin)) is not None:
            self._add(row)
            return Read("load-balancer-log")
        if self.access.line(head, at=message.at, origin=message.origin):
            return Read("access-log")
        if head.startswith("XRAY TraceId:"):
            self.lambdas.continues(head, where)
            return Read("lambda-log")
        return None

    def passing(self, execution: ExecutionLog) -> "Payloads":
        """The same sources, but execution logs are read by `execution`."""
        other = copy(self)
        other.execution = execution
        return other

    def context_text(self, message: Message, *, strict: bool) -> bool:
        """A text without marks, which only its stream can explain: an application line."""
        return self.lambdas.context_line(message.text, message.where(), strict=strict)

    def value(self, value: object, message: Message) -> Read | None:
        """Read a JSON value that is no container."""
        if isinstance(value, dict) and not metrics.is_answer(value):
            found = self._object(value, message)
            if found is not None:
                return found
        for kind, parse in _DOCUMENTS:
            rows = parse(value, message.origin)
            if rows is not None:
                for row in rows:
                    self._add(row)
                return Read(kind)
        if isinstance(value, dict):
            reply = client.parse_body(value, message.origin)
            if reply is not None:
                self._add(reply)
                return Read("client")
        return None

    def _object(self, value: dict[str, Any], message: Message) -> Read | None:
        where = message.where()
        kind = value.get("type")
        if isinstance(kind, str) and kind.startswith("platform."):
            return Read("lambda-log") if self.lambdas.event(value, where) else None
        app_like = bool(_OWN_IDS & value.keys()) or (
            bool(_LOGGER_KEYS & value.keys()) and bool({"message", "msg", "event"} & value.keys())
        )
        if not app_like and self.access.mapping(value, at=message.at, origin=message.origin, text=message.text):
            return Read("access-log")
        if app_like or where.function or {"errorType", "errorMessage"} <= value.keys():
            return Read("lambda-log", continues=False) if self.lambdas.event(value, where) else None
        return None

    def insights_row(self, row: dict[str, str], message: Message) -> Read | None:
        """Read an Insights row that has no message: discovered Lambda fields, or access-log fields."""
        if self.lambdas.insights_row(row, message.where()):
            return Read("lambda-log")
        if self.access.mapping(row, at=message.at, origin=message.origin, text=message.text):
            return Read("access-log")
        return None

    def edge(self, log: cloudfront.CloudFrontLog, line: str, origin: str) -> Read | None:
        """Read a CloudFront line."""
        row = log.parse_line(line, origin)
        if row is None:
            return None
        self._add(row)
        return Read("edge-log")

    def replies(self, transcript: client.Transcript) -> None:
        """Take what a client transcript held."""
        for row in transcript.finish():
            self._add(row)

    def test_transcript(self) -> TestTranscript:
        """A reader for one console Test transcript."""
        return TestTranscript(self.requests)

    def _add(self, row: Any) -> None:  # noqa: ANN401 - one of the row types of `tables`
        table = self.evidence.table(type(row))
        if not any(_same(row, known) for known in table[-200:]):
            table.append(row)
        if isinstance(row, StageSettings) and row.access_log_format:
            self.access.add_format(row.access_log_format)

    def so_far(self) -> Evidence:
        """What is known of requests and configuration by now, without invocations; the reading may go on."""
        given = self.given()
        return msgspec.structs.replace(
            given,
            requests=[*self.known.requests, *self.requests.rows_so_far()],
            integrations=configuration.join_routes(given.integrations),
        )

    def given(self) -> Evidence:
        """What earlier readings and this one tell beside requests and invocations."""
        tables = {
            name: [*getattr(self.known, name), *value]
            for name in self.evidence.__struct_fields__
            if isinstance(value := getattr(self.evidence, name), list)
        }
        return msgspec.structs.replace(self.evidence, **tables)

    def finish(self) -> Evidence:
        """All rows, with the functions of unnamed logs filled in where a file's name tells."""
        self.evidence.requests = self.requests.rows()
        self.evidence.unjoined_records = self.requests.unjoined_records
        for said, files in self.zoneless.items():
            named = files[0] if len(files) == 1 else f"{files[0]} and {len(files) - 1} more"
            self.evidence.notes.append(f"times without a zone {said} ({named})")
        self.evidence.integrations = configuration.join_routes(self.evidence.integrations)
        with_name = partial(named_by_file, names=functions_of(self.evidence))
        self.evidence.invocations = [with_name(row) for row in self.lambdas.last_rows()]
        return self.evidence


def _same(row: object, known: object) -> bool:
    """Equal but for where it was read: the same event given twice counts once."""
    if type(row) is not type(known):
        return False
    return all(
        getattr(row, field) == getattr(known, field)
        for field in row.__struct_fields__  # type: ignore[attr-defined]
        if field != "cites"
    )


def functions_of(evidence: Evidence) -> set[str]:
    """Functions that requests and configuration name."""
    found = {row.function for row in evidence.requests} | {row.function for row in evidence.functions}
    found |= {row.function for row in evidence.integrations} | {place.function for place in evidence.traffic.places}
    return {name for name in found if name}


def named_by_file(row: LambdaInvocation, names: set[str]) -> LambdaInvocation:
    """Give an unnamed invocation the function whose full name stands in its file's name."""
    if row.function is not None or not row.cites:
        return row
    file = row.cites[0].origin.rpartition(":")[0].replace("\\", "/")
    tokens = f"/{file}/"
    fitting = [name for name in names if name and _delimited(tokens, name)]
    if not fitting:
        return row
    return msgspec.structs.replace(row, function=max(fitting, key=len))


def _delimited(text: str, name: str) -> bool:
    at = text.find(name)
    while at >= 0:
        before, after = text[at - 1 : at], text[at + len(name) : at + len(name) + 1]
        if not before.isalnum() and not after.isalnum():
            return True
        at = text.find(name, at + 1)
    return False
