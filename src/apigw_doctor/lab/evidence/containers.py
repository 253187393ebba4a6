r"""The ways in which log events leave CloudWatch: exports, CLI answers, console downloads, subscriptions.

Each takes the events by stream and gives files: a path with `/`, and its bytes.

>>> from apigw_doctor.lab.evidence.events import LogEvent
>>> event = LogEvent("/aws/lambda/orders", "2026/03/10/[$LATEST]ab", 1773136800120, "END RequestId: x" + chr(10))
>>> [(path, data) for path, data in CONTAINERS["plain"]({("/aws/lambda/orders", event.stream): [event]})]
[('aws/lambda/orders/2026-03-10-[$LATEST]ab.log', b'2026-03-10T10:00:00.120Z END RequestId: x\n')]
"""

import base64
import csv
import gzip
import heapq
import io
import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from apigw_doctor.lab.evidence.events import LogEvent
from apigw_doctor.lab.evidence.forms import digest, iso, iso_offset, moment, uuid
from apigw_doctor.lab.setup import ACCOUNT

Streams = Mapping[tuple[str, str], list[LogEvent]]
Files = Iterator[tuple[str, bytes]]
#: An event's id is its time, shifted by so many bits, and a number.
_ID_SHIFT = 144
_BATCH = 250


def plain(streams: Streams) -> Files:
    """A text file a stream, each event behind its time."""
    for (group, stream), events in streams.items():
        yield f"{_folder(group)}/{_file(stream)}.log", _lines(events)


def gzipped(streams: Streams) -> Files:
    """The same, compressed."""
    for path, data in plain(streams):
        yield f"{path}.gz", _gzip(data)


def export(streams: Streams) -> Files:
    """`CreateExportTask`: a task a log group, a folder a stream; the order inside a file is not guaranteed."""
    for (group, stream), events in streams.items():
        folder = f"exportedlogs/{_folder(group)}/{uuid('export', group)}/{_file(stream)}"
        yield f"{folder}/000000.gz", _gzip(_lines(events))


def filter_log_events(streams: Streams) -> Files:
    """`aws logs filter-log-events` of each group."""
    for group, events in _groups(streams):
        found = [
            {
                "logStreamName": event.stream,
                "timestamp": event.at,
                "message": event.message,
                "ingestionTime": _ingested(event),
                "eventId": _event_id(event, number),
            }
            for number, event in enumerate(events)
        ]
        yield f"{_folder(group)}/filter-log-events.json", _document({"events": found, "searchedLogStreams": []})


def get_log_events(streams: Streams) -> Files:
    """`aws logs get-log-events` of each stream."""
    for (group, stream), events in streams.items():
        found = [{"timestamp": e.at, "message": e.message, "ingestionTime": _ingested(e)} for e in events]
        tokens = {
            "nextForwardToken": f"f/{_event_id(events[-1], len(events))}/s",
            "nextBackwardToken": f"b/{_event_id(events[0], 0)}/s",
        }
        yield f"{_folder(group)}/{_file(stream)}.json", _document({"events": found, **tokens})


def json_lines(streams: Streams) -> Files:
    """One JSON object a line, as shippers write them."""
    for group, events in _groups(streams):
        lines = (
            {"timestamp": e.at, "message": e.message.rstrip("\n"), "logGroup": group, "logStream": e.stream}
            for e in events
        )
        yield f"{_folder(group)}/events.jsonl", "".join(f"{json.dumps(line)}\n" for line in lines).encode()


def insights(streams: Streams) -> Files:
    """The console's CSV download of one query over all groups, the latest first."""
    out = io.StringIO(newline="")
    rows = csv.DictWriter(out, ["@timestamp", "@message", "@logStream", "@log"], lineterminator="\n")
    rows.writeheader()
    rows.writerows(_rows(streams))
    yield "logs-insights-results.csv", out.getvalue().encode()


def insights_json(streams: Streams) -> Files:
    """The console's JSON download of the same."""
    yield "logs-insights-results.json", _document(list(_rows(streams)), indent=2)


def get_query_results(streams: Streams) -> Files:
    """`aws logs get-query-results` of the same."""
    results = [
        [
            *({"field": name, "value": value} for name, value in row.items()),
            {"field": "@ptr", "value": base64.b64encode(digest("ptr", number, *row.values()).encode()).decode()},
        ]
        for number, row in enumerate(_rows(streams))
    ]
    statistics = {"recordsMatched": float(len(results)), "recordsScanned": float(len(results))}
    statistics["bytesScanned"] = float(sum(len(e.message) for events in streams.values() for e in events))
    yield "get-query-results.json", _document({"results": results, "statistics": statistics, "status": "Complete"})


def subscription(streams: Streams) -> Files:
    """Events as a subscribed Lambda function gets them: base64 of gzip, one a line."""
    for group, batches in _batches(streams):
        lines = (json.dumps({"awslogs": {"data": base64.b64encode(data).decode()}}) for data in batches)
        yield f"{_folder(group)}/subscription.jsonl", "".join(f"{line}\n" for line in lines).encode()


def firehose(streams: Streams) -> Files:
    """Objects of a delivery stream that does not decompress: gzip members one behind the other."""
    for group, batches in _batches(streams):
        yield f"{_folder(group)}/firehose-1-2026-03-10-10-00-00.gz", b"".join(batches)


def console_csv(streams: Streams) -> Files:
    """The console's CSV download of a stream."""
    for (group, stream), events in streams.items():
        out = io.StringIO(newline="")
        rows = csv.writer(out, lineterminator="\n")
        rows.writerow(["timestamp", "message"])
        rows.writerows([event.at, event.message] for event in events)
        yield f"{_folder(group)}/{_file(stream)}.csv", out.getvalue().encode()


def tail(streams: Streams) -> Files:
    """`aws logs tail` of each group."""
    for group, events in _groups(streams):
        texts = (f"{_tail_time(e.at)} {e.stream} {e.message.rstrip(chr(10))}\n" for e in events)
        yield f"{_folder(group)}/tail.txt", "".join(texts).encode()


CONTAINERS: dict[str, Callable[[Streams], Files]] = {
    "export": export,
    "gzip": gzipped,
    "filter-log-events": filter_log_events,
    "get-log-events": get_log_events,
    "json-lines": json_lines,
    "insights": insights,
    "insights-json": insights_json,
    "get-query-results": get_query_results,
    "subscription": subscription,
    "firehose": firehose,
    "console-csv": console_csv,
    "tail": tail,
    "plain": plain,
}


def _folder(group: str) -> str:
    return group.strip("/")


def _file(stream: str) -> str:
    return stream.replace("/", "-")


def _lines(events: list[LogEvent]) -> bytes:
    texts = (f"{iso(event.at)} {event.message.rstrip(chr(10))}\n" for event in events)
    return "".join(texts).encode()


def _gzip(data: bytes) -> bytes:
    return gzip.compress(data, mtime=0)


def _document(value: object, indent: int = 4) -> bytes:
    return f"{json.dumps(value, indent=indent)}\n".encode()


def _groups(streams: Streams) -> Iterator[tuple[str, list[LogEvent]]]:
    """The events of each group by time."""
    for group in dict.fromkeys(group for group, _ in streams):
        events = [known for (name, _), known in streams.items() if name == group]
        yield group, list(heapq.merge(*events, key=lambda event: event.at))


def _ingested(event: LogEvent) -> int:
    return event.at + 900 + int(digest("ingested", event.stream, event.at)[:3], 16)


def _event_id(event: LogEvent, number: int) -> str:
    noise = int(digest("id", event.group, event.stream), 16)
    return str((event.at << _ID_SHIFT) + (noise << 16) + number)


def _tail_time(at: int) -> str:
    return f"{moment(at):%Y-%m-%dT%H:%M:%S.%f}+00:00" if at % 1000 else iso_offset(at)


def _rows(streams: Streams) -> Iterator[dict[str, str]]:
    ordered = list(heapq.merge(*streams.values(), key=lambda event: event.at))
    for event in reversed(ordered):
        yield {
            "@timestamp": iso(event.at).replace("T", " ").rstrip("Z"),
            "@message": event.message,
            "@logStream": event.stream,
            "@log": f"{ACCOUNT}:{event.group}",
        }


def _batches(streams: Streams) -> Iterator[tuple[str, list[bytes]]]:
    """What a subscription delivers of each group, each batch compressed on its own; first it says that it is there."""
    for group in dict.fromkeys(group for group, _ in streams):
        test = {"id": "", "timestamp": 0, "message": "CWL CONTROL MESSAGE: Checking health of destination Firehose."}
        batches = [_message("CONTROL_MESSAGE", "CloudwatchLogs", "", "", [test])]
        for (name, stream), events in streams.items():
            starts = range(0, len(events) if name == group else 0, _BATCH)
            batches.extend(_message("DATA_MESSAGE", ACCOUNT, group, stream, _batch(events, n)) for n in starts)
        yield group, batches


def _batch(events: list[LogEvent], start: int) -> list[dict[str, Any]]:
    chosen = enumerate(events[start : start + _BATCH], start)
    return [{"id": _event_id(e, number), "timestamp": e.at, "message": e.message} for number, e in chosen]


def _message(kind: str, owner: str, group: str, stream: str, events: list[dict[str, Any]]) -> bytes:
    message = {"messageType": kind, "owner": owner, "logGroup": group, "logStream": stream}
    filters = {"subscriptionFilters": ["lab-logs"] if kind == "DATA_MESSAGE" else []}
    return _gzip(json.dumps(message | filters | {"logEvents": events}, separators=(",", ":")).encode())
