"""The same set in other containers: gzip, JSON as `aws logs filter-log-events` prints it, JSON lines.

Every file of the plain form becomes one file; an event is what begins with a time (a line of an access log, which has
none in front, is one event too), and lines without one belong to the event before.
"""

import json
import os
import re
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime
from functools import cache
from gzip import GzipFile
from pathlib import Path
from shutil import copyfileobj
from typing import BinaryIO

FORMS = ("plain", "gzip", "filter-log-events", "json-lines")
Event = tuple[int, str]
"""Epoch milliseconds and message."""

_GZIP_LEVEL = 6
_BUFFER = 1 << 20
_EPOCH = re.compile(r'"requestTimeEpoch": "(\d+)"')
_STAMP = len("2026-03-01T10:00:00.250Z")


def convert(plain: Path, folder: Path, form: str) -> None:
    """Write all files of a plain set in another form, the large ones first."""
    files = sorted((path for path in plain.rglob("*") if path.is_file()), key=lambda path: -path.stat().st_size)
    targets = [folder / path.relative_to(plain).with_name(path.name + _SUFFIX[form]) for path in files]
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        for _ in pool.map(_convert_file, files, targets, [form] * len(files), chunksize=1):
            pass


def _convert_file(source: Path, target: Path, form: str) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    with source.open("rb") as reader, target.open("wb", buffering=_BUFFER) as writer:
        _WRITERS[form](reader, writer, _stream_name(source))


def _stream_name(source: Path) -> str:
    """The log stream that a file holds."""
    parts = source.with_suffix("").parts
    return "/".join(parts[-4:]) if "[$LATEST]" in source.name else parts[-1]


def _gzip(reader: BinaryIO, writer: BinaryIO, stream: str) -> None:
    with GzipFile(filename="", mode="wb", compresslevel=_GZIP_LEVEL, fileobj=writer, mtime=0) as packed:
        copyfileobj(reader, packed, _BUFFER)


def _json_lines(reader: BinaryIO, writer: BinaryIO, stream: str) -> None:
    name = json.dumps(stream)
    for at, message in events(reader):
        line = f'{{"timestamp": {at}, "message": {json.dumps(message)}, "logStreamName": {name}}}\n'
        writer.write(line.encode("ascii"))


def _filter_log_events(reader: BinaryIO, writer: BinaryIO, stream: str) -> None:
    """As `aws logs filter-log-events` prints it: indented by four."""
    name, comma = json.dumps(stream), ""
    writer.write(b'{\n    "events": [')
    for number, (at, message) in enumerate(events(reader)):
        text = (
            f'{comma}\n        {{\n            "logStreamName": {name},\n            "timestamp": {at},\n'
            f'            "message": {json.dumps(message)},\n            "ingestionTime": {at + 1200},\n'
            f'            "eventId": "39{at}{number:041d}"\n        }}'
        )
        writer.write(text.encode("ascii"))
        comma = ","
    writer.write(b'\n    ],\n    "searchedLogStreams": []\n}\n')


def events(reader: BinaryIO) -> Iterator[Event]:
    """The events of a plain file."""
    at, lines = 0, list[str]()
    for raw in reader:
        line = raw.decode("ascii")
        if line.startswith('{"requestId"'):
            found = _EPOCH.search(line)
            yield int(found[1]) if found else 0, line.rstrip("\n")
        elif line.startswith("2026-") and line[_STAMP - 1 : _STAMP + 1] == "Z ":
            if lines:
                yield at, "".join(lines).rstrip("\n")
            at, lines = _epoch_ms(line), [line[_STAMP + 1 :]]
        else:
            lines.append(line)
    if lines:
        yield at, "".join(lines).rstrip("\n")


def _epoch_ms(line: str) -> int:
    return _second_ms(line[:19]) + int(line[20:23])


@cache
def _second_ms(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 1000


_SUFFIX = {"gzip": ".gz", "filter-log-events": ".json", "json-lines": ".jsonl"}
_WRITERS: dict[str, Callable[[BinaryIO, BinaryIO, str], None]] = {
    "gzip": _gzip,
    "filter-log-events": _filter_log_events,
    "json-lines": _json_lines,
}
