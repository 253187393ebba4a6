"""JSON documents that hold log messages: what AWS, its CLI and third parties wrap round them.

`unwrap` gives the messages, Insights rows and bare values of a document, each with the time, group and
stream that the wrapping told; `None` inside means "read and rightly ignored" (a CONTROL_MESSAGE).
"""

import base64
import binascii
import gzip
import re
import zlib
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from apigw_doctor.model.times import from_epoch, parse_time
from apigw_doctor.sources import json_blocks
from apigw_doctor.sources.tables_text import GROUP_COLUMNS, STREAM_COLUMNS, TEXT_COLUMNS, TIME_COLUMNS, column

_MAX_DEPTH = 6
_MESSAGE_KEYS = (
    "@message",
    "message",
    "log",
    "event",
    "msg",
    "content",
    "body",
    "_raw",
    "raw",
    "text",
    "line",
    "textPayload",
    "data",
)
_NESTED_KEYS = ("_source", "attributes", "content", "event", "fields", "result", "record", "jsonPayload", "source")
TIME_KEYS = ("@timestamp", "timestamp", "time", "eventTimestamp", "date", "ts", "_time", "datetime")
_GROUP_KEYS = (
    "logGroup",
    "logGroupName",
    "log_group",
    "log_group_name",
    "@log_group",
    "@log",
    "cloudwatch_log_group",
    "host",
    "source",
)
_STREAM_KEYS = ("logStream", "logStreamName", "log_stream", "log_stream_name", "@log_stream", "@logStream")
_GROUP_LIKE = re.compile(r"/aws/|API-Gateway-Execution-Logs", re.IGNORECASE)


class Wrapped(msgspec.Struct, frozen=True, kw_only=True):
    """A message (`text`), an Insights row (`row`) or a JSON value, with what the wrapping told."""

    text: str | None = None
    row: dict[str, str] | None = None
    value: Any = None
    at: float | None = None
    group: str | None = None
    stream: str | None = None
    event_id: str | None = None
    #: read and rightly ignored
    ignored: str | None = None


def unwrap(value: object, outer: Wrapped | None = None, depth: int = 0) -> Iterator[Wrapped]:
    """The messages and values in a JSON document, in order."""
    outer = outer or Wrapped()
    if depth > _MAX_DEPTH:
        yield Wrapped(value=value, at=outer.at, group=outer.group, stream=outer.stream)
    elif isinstance(value, list):
        yield from _list(value, outer, depth)
    elif isinstance(value, dict):
        yield from _object(value, outer, depth)
    else:
        yield Wrapped(value=value)


def _list(values: list[Any], outer: Wrapped, depth: int) -> Iterator[Wrapped]:
    if values and all(isinstance(item, dict) and {"field", "value"} <= item.keys() for item in values):
        yield _query_row(values, outer)
        return
    for item in values:
        if isinstance(item, list) and item:
            yield from _list(item, outer, depth + 1)
        elif isinstance(item, dict):
            yield from unwrap(item, outer, depth + 1)
        elif isinstance(item, str):
            if (inner := delivered(item)) is None:
                yield msgspec.structs.replace(outer, text=item)
            for document in inner or ():
                yield from unwrap(document, outer, depth + 1)


def _query_row(cells: list[dict[str, Any]], outer: Wrapped) -> Wrapped:
    row = {str(cell["field"]): str(cell["value"]) for cell in cells}
    return row_of(row, outer)


def row_of(row: dict[str, str], outer: Wrapped | None = None) -> Wrapped:
    """An Insights (or CSV) row: its message where it has one, else its fields."""
    outer = outer or Wrapped()
    time = row.get(column(row, TIME_COLUMNS) or "")
    group = row.get(column(row, GROUP_COLUMNS) or "") or outer.group
    if group and ":" in group:
        group = group.rpartition(":")[2]
    text = row.get(column(row, TEXT_COLUMNS) or "") or None
    at = parse_time(time) if time else outer.at
    return Wrapped(
        text=text.rstrip("\n") if text is not None else None,
        row=None if text is not None else row,
        at=at,
        group=group,
        stream=row.get(column(row, STREAM_COLUMNS) or "") or outer.stream,
        event_id=row.get("@ptr"),
    )


def _object(value: dict[str, Any], outer: Wrapped, depth: int) -> Iterator[Wrapped]:
    if str(value.get("type", "")).startswith("platform."):
        yield msgspec.structs.replace(outer, value=value, text=None)
    elif value.get("messageType") == "CONTROL_MESSAGE":
        yield Wrapped(ignored="a subscription's CONTROL_MESSAGE")
    elif isinstance(value.get("logEvents"), list):
        here = _context(value, outer)
        for event in value["logEvents"]:
            yield from _event(event, here, depth)
    elif isinstance(value.get("events"), list) and all(isinstance(event, dict) for event in value["events"]):
        here = _context(value, outer)
        for event in value["events"]:
            yield from _event(event, here, depth)
    elif isinstance(value.get("results"), list):
        yield from _list(value["results"], outer, depth) if value["results"] else [Wrapped(ignored="an empty result")]
    elif (inner := _encoded(value)) is not None:
        for document in inner:
            yield from unwrap(document, outer, depth + 1)
    elif (rows := _only_list(value)) is not None:
        yield from _list(rows, outer, depth)
    elif isinstance(hits := value.get("hits"), list | dict):
        yield from unwrap(hits.get("hits", []) if isinstance(hits, dict) else hits, outer, depth + 1)
    else:
        yield from _plain_object(value, outer, depth)


def _only_list(value: dict[str, Any]) -> list[Any] | None:
    """The records of a search result (`{"data": [...]}`, as Datadog and others answer)."""
    for key in ("data", "logs", "messages", "rows"):
        rows = value.get(key)
        if isinstance(rows, list) and rows and all(isinstance(row, dict) and _holds_message(row) for row in rows[:3]):
            return rows
    return None


def _event(event: object, here: Wrapped, depth: int) -> Iterator[Wrapped]:
    if not isinstance(event, dict) or not isinstance(event.get("message"), str):
        yield from unwrap(event, here, depth + 1)
        return
    at = event.get("timestamp")
    yield Wrapped(
        text=event["message"].rstrip("\r\n"),
        at=_time(at) if at is not None else here.at,
        group=_first_text(event, ("logGroupName", "logGroup")) or here.group,
        stream=_first_text(event, ("logStreamName", "logStream")) or here.stream,
        event_id=_first_text(event, ("eventId", "id")),
    )


def _plain_object(value: dict[str, Any], outer: Wrapped, depth: int) -> Iterator[Wrapped]:
    here = _context(value, outer)
    if "@message" in value or ("@timestamp" in value and "@logStream" in value):
        row = {key: item if isinstance(item, str) else _as_text(item) for key, item in value.items()}
        yield row_of(row, outer)
        return
    for key in _MESSAGE_KEYS:
        text = value.get(key)
        if isinstance(text, str) and (is_system_message(text) or here.group):
            yield msgspec.structs.replace(here, text=text.rstrip("\r\n"), value=None)
            return
        if isinstance(text, str) and text.lstrip()[:1] == "{" and "level" not in value:
            documents, rest = json_blocks.decode_line(0, text)
            if documents and not rest.strip():
                for document in documents:
                    yield from unwrap(document.value, here, depth + 1)
                return
            if not documents and '":' in text:
                yield msgspec.structs.replace(here, text=text)
                return
    for key in _NESTED_KEYS:
        inner = value.get(key)
        if isinstance(inner, dict) and (_holds_message(inner)):
            yield from unwrap(inner, here, depth + 1)
            return
    if (payloads := delivered(_data_of(value) or "")) is not None:
        for payload in payloads:
            yield from unwrap(payload, outer, depth + 1)
        return
    yield msgspec.structs.replace(here, value=value, text=None)


def may_be_message(value: object) -> bool:
    """What stands under one of `_MESSAGE_KEYS` may be what the whole object is about."""
    return not isinstance(value, str) or value.lstrip()[:1] == "{" or is_system_message(value)


def _holds_message(value: dict[str, Any], depth: int = 0) -> bool:
    if {"messageType", "logEvents"} & value.keys() or "@message" in value:
        return True
    if any(
        isinstance(value.get(key), str) and (is_system_message(value[key]) or value[key][:1] == "{")
        for key in _MESSAGE_KEYS
    ):
        return True
    if any(isinstance(value.get(key), str) for key in _MESSAGE_KEYS) and _context(value, Wrapped()).group:
        return True
    if depth < 2 and any(
        isinstance(value.get(key), dict) and _holds_message(value[key], depth + 1) for key in _NESTED_KEYS
    ):
        return True
    return bool({"requestId", "status"} <= value.keys() or str(value.get("type", "")).startswith("platform."))


_SYSTEM = re.compile(
    r"\((?:[0-9a-fA-F-]{36}|[\w+/-]{11,22}={1,2})\) |(?:START|END|REPORT) RequestId: |INIT_START "
    r"|INIT_REPORT |RESTORE_REPORT "
    r"|\d{4}-\d\d-\d\dT\S+\s+[0-9a-f]{8}-[0-9a-f-]{27}\s|\[[A-Z]+\]\s+\d{4}-\d\d-\d\dT\S+\s+[0-9a-f]{8}-[0-9a-f-]{27}"
    r"|.{0,80}Task timed out after [\d.]+ seconds|(?:https?|h2|wss?) \d{4}-\d\d-\d\dT\S+ app/"
)


def is_system_message(text: str) -> bool:
    """A message that only the gateway, Lambda's platform or a load balancer writes."""
    return _SYSTEM.match(text) is not None


def all_system(texts: Iterable[str]) -> bool:
    """All of them are such messages."""
    return all(map(_SYSTEM.match, texts))


def _context(value: dict[str, Any], outer: Wrapped) -> Wrapped:
    group = _first_text(value, _GROUP_KEYS)
    if group is not None and not _GROUP_LIKE.search(group):
        group = None
    if group and ":" in group:
        group = group.rpartition(":")[2]
    time = next((value[key] for key in TIME_KEYS if value.get(key) is not None), None)
    here = Wrapped(
        at=(_time(time) if time is not None else None) or outer.at,
        group=group or outer.group,
        stream=_first_text(value, _STREAM_KEYS) or outer.stream,
    )
    inner = _cloudwatch(value)
    return here if inner is None else _context(inner, here)


def _cloudwatch(value: dict[str, Any]) -> dict[str, Any] | None:
    """Where shippers put the log group and stream: `aws.awslogs`, perhaps below `attributes`."""
    for holder in (value, value.get("attributes")):
        aws = holder.get("aws") if isinstance(holder, dict) else None
        if isinstance(aws, dict) and isinstance(aws.get("awslogs"), dict):
            found: dict[str, Any] = aws["awslogs"]
            return found
    return None


def _time(value: object) -> float | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return from_epoch(value)
    return parse_time(value) if isinstance(value, str) else None


def _first_text(value: dict[str, Any], keys: tuple[str, ...]) -> str | None:
    return next((value[key] for key in keys if isinstance(value.get(key), str) and value[key]), None)


def _as_text(item: object) -> str:
    return msgspec.json.encode(item).decode()


def _encoded(value: dict[str, Any]) -> list[Any] | None:
    """Documents that travel as base64 and gzip: subscriptions to Lambda, Kinesis and Firehose, in their batches."""
    if isinstance(logs := value.get("awslogs"), dict) and isinstance(logs.get("data"), str):
        return _inflate(logs["data"])
    records = value.get("Records", value.get("records"))
    if not isinstance(records, list):
        return None
    found: list[Any] = []
    for record in records:
        if isinstance(record, dict) and (data := _data_of(record)) is not None:
            found.extend(_inflate(data) or [])
    return found or None


def _data_of(record: dict[str, Any]) -> str | None:
    """The payload of a record: of Firehose, of `aws kinesis get-records`, or of Kinesis as a function gets it."""
    kinesis = record.get("kinesis")
    return _first_text(record, ("data", "Data")) or _first_text(kinesis if isinstance(kinesis, dict) else {}, ("data",))


#: gzip in base64
_GZIP = "H4sI"


def delivered(text: str) -> list[Any] | None:
    """What a subscription delivers, as base64 of gzip and nothing else: one payload, or several between blanks.

    >>> delivered("H4sIAAAAAAAA") is None
    True
    """
    if not text.startswith(_GZIP):
        return None
    found: list[Any] = []
    for token in text.split():
        payloads = _inflate(token) if token.startswith(_GZIP) else None
        if not payloads or not all(isinstance(one, dict) and "messageType" in one for one in payloads):
            return None
        found.extend(payloads)
    return found


def _inflate(data: str) -> list[Any] | None:
    try:
        raw = base64.b64decode(data, validate=True)
        if raw[:2] == b"\x1f\x8b":
            raw = gzip.decompress(raw)
        text = raw.decode("utf-8", "replace")
    except (binascii.Error, ValueError, OSError, EOFError, zlib.error):
        return None
    documents, _ = json_blocks.decode_line(0, text)
    return [document.value for document in documents]
