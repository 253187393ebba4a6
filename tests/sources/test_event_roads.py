"""Two readers, one truth, in JSON containers: the fast roads give the rows of the tolerant reader."""

import json
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any
from unittest import mock

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.sources import logs
from tests.sources.roads import BOTH_WAYS, Alike, differences, fast, surveyed, tolerant, way  # noqa: F401 - a fixture

from apigw_doctor.attribution.unremarkable import unremarkable
from apigw_doctor.evidence.tables import Evidence
from apigw_doctor.evidence.traffic import id64
from apigw_doctor.model.times import iso
from apigw_doctor.sources import event_pieces
from apigw_doctor.sources.portions import Pieces
from apigw_doctor.sources.survey import Road

WHOLE = 10**9
GROUP = "API-Gateway-Execution-Logs_a1b2c3d4e5/prod"
Event = dict[str, Any]
"""at, message, stream, group, id."""


# what files hold


def execution_events(draw: Random, requests: int) -> list[Event]:
    """Requests of every course, interleaved."""
    found: list[Event] = []
    at = logs.START_MS
    group = draw.choice((GROUP, GROUP, GROUP, "API-Gateway-Execution-Logs_z9y8x7w6v5/test"))
    for _ in range(requests):
        at += draw.choice((0, 1, 30, 400, 5000))
        course = logs.execution(draw, at)
        stream = draw.choice(("s1", "s2"))
        found += [{"at": when, "message": text, "stream": stream, "group": group} for when, text in course]
    found.sort(key=lambda event: event["at"])
    return found


STRANGE = (
    "",
    "  ",
    "what is this",
    "first\nsecond",
    '{"requestId": "c0ffee00-0000-4000-8000-000000000077", "status": "504", "httpMethod": "GET", "resourcePath": "/x"}',
    '{"a": 1}',
    "{broken",
    "(no id) words",
    "2026-03-01T10:00:00.250Z (c0ffee00-0000-4000-8000-000000000078) Method completed with status: 504",
    "(c0ffee00-0000-4000-8000-000000000079) Execution failed due to a timeout error",
    "(c0ffee00-0000-4000-8000-000000000079)Method completed with status: 504",
    "(JKJaXmPLvHcESHA=) Execution failed due to a timeout error",
)


def disturbed(draw: Random, events: list[Event], *, wild: bool = True) -> list[Event]:
    """The events after some accidents; wild times are decades away."""
    for _ in range(draw.choice((0, 0, 1, 2, 4))):
        at = draw.randrange(len(events)) if events else 0
        match draw.randrange(6):
            case 0:
                del events[at : at + draw.choice((1, 3, 12))]
            case 1:
                events[at:at] = [event for event in events[at : at + draw.choice((1, 4))] if event["at"] is not None]
            case 2:
                part = events[at : at + 10]
                events[at : at + 10] = draw.sample(part, len(part))
            case 3 if events:
                events.insert(at, events[at] | {"message": draw.choice(STRANGE)})
            case 4 if events and events[at]["at"] is not None and events.count(events[at]) == 1:
                events[at] = events[at] | {
                    "at": draw.choice((None, events[at]["at"] + 0.5, *((1.0, 1e12 - 1) if wild else ())))
                }
            case 5 if events:
                text = events[at]["message"]
                events[at] = events[at] | {"message": text[: draw.randrange(len(text) + 1)]}
    return events


# containers


def as_lines(draw: Random, events: list[Event]) -> bytes:
    """One flat object a line."""
    names = draw.choice((("stream",), ("stream", "group"), (), ("group",)))
    keys = {"stream": "logStreamName", "group": "logGroupName"}
    lines = []
    for event in events:
        line = {"timestamp": _number(event["at"]), "message": event["message"]}
        lines.append(json.dumps(line | {keys[name]: event[name] for name in names}))
    return "\n".join([*lines, ""] if draw.random() < 0.8 else lines).encode()


def as_rows(draw: Random, events: list[Event]) -> bytes:
    """Rows of an Insights query, one a line or as an array."""
    rows = [
        {
            "@timestamp": str(_number(event["at"])),
            "@message": event["message"],
            "@logStream": event["stream"],
            "@ptr": str(at),
        }
        for at, event in enumerate(events)
    ]
    if draw.random() < 0.5:
        return json.dumps(rows, indent=draw.choice((None, 2))).encode()
    return "\n".join(map(json.dumps, rows)).encode()


def as_documents(draw: Random, events: list[Event]) -> bytes:
    """What `aws logs filter-log-events` or `get-log-events` print."""
    named, indent, ids = draw.random() < 0.7, draw.choice((None, 4)), draw.random() < 0.7
    pages: list[str] = []
    size = draw.choice((7, 100, 10_000))
    for start in range(0, len(events), size):
        page: list[Event] = []
        for at, event in enumerate(events[start : start + size], start):
            item: Event = {"logStreamName": event["stream"]} if named else {}
            if event["at"] is not None:
                item["timestamp"] = _number(event["at"])
            item |= {"message": event["message"], "ingestionTime": 1}
            page.append(item | ({"eventId": f"39{at:054d}"} if ids else {}))
        pages.append(json.dumps({"events": page, "searchedLogStreams": []}, indent=indent))
    return "\n".join([*pages, ""]).encode()


def as_envelopes(draw: Random, events: list[Event]) -> bytes:
    """What a subscription delivers."""
    pages: list[str] = []
    start = 0
    while start < len(events):
        one = events[start]
        end = start + 1
        while end < len(events) and end - start < 9 and events[end]["stream"] == one["stream"]:
            end += 1
        inner = [
            {"id": str(at), "timestamp": _number(event["at"]), "message": event["message"]}
            for at, event in enumerate(events[start:end], start)
        ]
        page = {"messageType": "DATA_MESSAGE", "owner": "1", "logGroup": one["group"], "logStream": one["stream"]}
        pages.append(json.dumps(page | {"subscriptionFilters": ["x"], "logEvents": inner}))
        start = end
    return draw.choice(("\n", "\n", "")).join(pages).encode()


def _number(at: float | None) -> float | int | None:
    return int(at) if at is not None and at == int(at) else at


CONTAINERS: tuple[Callable[[Random, list[Event]], bytes], ...] = (as_lines, as_rows, as_documents, as_envelopes)


# both readers


def differing(data: bytes, name: str, draw: Random, *, calm: bool = False) -> list[object]:
    """In what the readers differ, the fast one with small blocks, and small batches where all is in order."""
    pieces = Pieces(1, WHOLE, draw.choice((200, 3000, 1 << 20)))
    with (
        tempfile.TemporaryDirectory() as folder,
        mock.patch.object(event_pieces, "_TOGETHER", 200 if calm else 4096),
    ):
        surveyed(Path(folder) / name, data)
        one, other = tolerant(Path(folder)), fast(Path(folder), pieces)
    answered = set(other.traffic.ident)
    # Stray lines of a request are forgotten when another one with its id was answered well.
    one.requests = [
        row for row in one.requests if row.status or row.failure or id64(row.request_id or "") not in answered
    ]
    return differences(one, other, Alike())


MANY = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@pytest.mark.parametrize("container", CONTAINERS, ids=lambda container: container.__name__)
def test_containers_of_execution_events_take_the_fast_road(container: Callable[..., bytes], tmp_path: Path) -> None:
    """Whatever holds the events."""
    for seed in range(8):
        draw = Random(seed)
        data = container(draw, execution_events(draw, 12))
        assert surveyed(tmp_path / "events.json", data).road is Road.EXECUTION


@BOTH_WAYS
@given(st.integers(0, 1 << 32))
@MANY
def test_execution_events_give_the_rows_of_the_tolerant_reader(seed: int) -> None:
    """In every container, after accidents, wherever blocks and parts are cut."""
    draw = Random(seed)
    calm = draw.random() < 0.3
    events = execution_events(draw, draw.choice((3, 12, 40)))
    events = events if calm else disturbed(draw, events)
    assert differing(draw.choice(CONTAINERS)(draw, events), "events.json", draw, calm=calm) == []


@BOTH_WAYS
@given(st.integers(0, 1 << 32))
@MANY
def test_files_read_in_parts_tell_the_same_of_every_request(seed: int) -> None:
    """But for what lines behind the last one add when they lie in the next part, and which lines are cited."""
    draw = Random(seed)
    data = draw.choice((as_lines, as_envelopes))(draw, execution_events(draw, 40))
    with tempfile.TemporaryDirectory() as folder:
        surveyed(Path(folder) / "events.json", data)
        one, other = tolerant(Path(folder)), fast(Path(folder), Pieces(1, 20_000, 3000))
    assert _essence(one) == _essence(other)


def _essence(evidence: Evidence) -> tuple[list[tuple[object, ...]], list[tuple[object, ...]]]:
    """Failures with their words; of all other requests which they were, when, and how they ended."""
    failed: list[tuple[object, ...]] = []
    others: list[tuple[object, ...]] = []
    for row in evidence.requests:
        if unremarkable(row):
            others.append((id64(row.request_id or ""), row.arrived_at, row.completed_at, row.status))
        else:
            failed.append((row.request_id, row.arrived_at, row.completed_at, row.status, row.failure))
    others += [(entry[0], *entry[4:6], entry[7]) for entry in evidence.traffic.records()]
    return sorted(failed, key=repr), sorted(others, key=repr)


def access_events(draw: Random, records: int) -> list[Event]:
    """Records of one format."""
    more = draw.choice(
        ({}, {"requestTimeEpoch": "epoch"}, {"requestTime": "time"}, {"requestTimeEpoch": "seconds"}, {"time": "iso"})
    )
    found: list[Event] = []
    at = logs.START_MS
    for _ in range(records):
        at += draw.choice((0, 1, 30, 400, 5000))
        shown = datetime.fromtimestamp(int(at) // 1000, UTC)
        times = {
            "epoch": str(int(at)),
            "seconds": str(int(at) // 1000),
            "time": shown.strftime("%d/%b/%Y:%H:%M:%S +0000"),
            "iso": shown.isoformat(),
        }
        record = {
            "requestId": logs.uuid(draw),
            "extendedRequestId": logs.extended_id(draw),
            "status": draw.choice(("200", "200", "201", "404", "429", "502", 200)),
            "httpMethod": draw.choice(("GET", "POST")),
            "resourcePath": draw.choice(("/orders", "/orders/{id}")),
            "responseLatency": draw.choice(("12", "250", "28990", "-", 31)),
            "integrationLatency": draw.choice(("10", "2400", "24000", "29010", "-", "x")),
            "error.message": draw.choice(("-", "-", "-", "Internal server error")),
            **{name: times[kind] for name, kind in more.items()},
        }
        group = draw.choice(("/aws/apigateway/access", "access"))
        text = json.dumps(record)
        found.append({"at": at + draw.choice((0, 3, 900, 2500)), "message": text, "stream": "s", "group": group})
    return found


@BOTH_WAYS
@given(st.integers(0, 1 << 32))
@MANY
def test_access_events_give_the_rows_of_the_tolerant_reader(seed: int) -> None:
    """In every container, after accidents."""
    draw = Random(seed)
    events = access_events(draw, draw.choice((3, 12, 40)))
    events = events if draw.random() < 0.3 else disturbed(draw, events)
    assert differing(draw.choice(CONTAINERS)(draw, events), "events.json", draw) == []


@pytest.mark.parametrize("container", CONTAINERS, ids=lambda container: container.__name__)
def test_containers_of_access_records_take_the_fast_road(container: Callable[..., bytes], tmp_path: Path) -> None:
    """Whatever holds them."""
    for seed in range(8):
        draw = Random(seed)
        data = container(draw, access_events(draw, 12))
        assert surveyed(tmp_path / "events.json", data).road is Road.ACCESS


def invocation(draw: Random, at: float, *, first: bool) -> list[tuple[float, str]]:
    """The events of one invocation: well or not, with what functions, runtimes and extensions write."""
    name = logs.uuid(draw)
    found: list[tuple[float, str]] = []
    init = draw.random() < 0.8 and first
    if init:
        found.append((at, "INIT_START Runtime Version: python:3.13.v21\tRuntime Version ARN: arn:aws:lambda:x"))
        at += draw.choice((90, 400, 5000))
    found.append((at, f"START RequestId: {name} Version: $LATEST"))
    started = at
    for _ in range(draw.choice((0, 1, 2, 4))):
        at += draw.choice((1, 5, 300))
        shown = f"{datetime.fromtimestamp(at / 1000, UTC):%Y-%m-%dT%H:%M:%S}.{int(at) % 1000:03d}Z"
        texts = (
            f"[INFO]\t{shown}\t{name}\tPOST https://psp.example.com/v1/charge",
            f"[INFO]\t{shown}\t{name}\tReceived GET /orders",
            f"{shown}\t{name}\tINFO\tSELECT 1",
            f"[INFO]\t{shown}\t{name}\tReceived GET /orders",
            f"[ERROR]\t{shown}\t{name}\tsomething failed",
            f"[INFO]\t{shown}\t{name}\tfirst\nsecond",
            "a bare line",
            json.dumps({"level": "INFO", "message": "hello", "timestamp": shown, "requestId": name}),
            json.dumps({"level": "ERROR", "message": "hello", "timestamp": shown}),
            "[ERROR] ValueError: boom\nTraceback (most recent call last):\n  File x",
        )
        found.append((at, draw.choices(texts, (9, 9, 9, 9, 1, 1, 1, 1, 1, 1))[0]))
    at += draw.choice((1, 40, 2900))
    took = at - started
    if draw.random() < 0.08:
        found.append((at, f"{iso(at)} {name} Task timed out after 3.00 seconds\n"))
    trace = f"\nXRAY TraceId: 1-69a40e21-{'0' * 24}\tSegmentId: 0123456789abcdef\tSampled: true\t\n"
    report = (
        f"REPORT RequestId: {name}\tDuration: {took:.2f} ms\tBilled Duration: {int(took) + 1} ms\tMemory Size: 128 MB"
        f"\tMax Memory Used: 71 MB\t{'Init Duration: 84.10 ms' if init else ''}{draw.choice(('', '', trace))}"
    )
    return [*found, (at, f"END RequestId: {name}"), (at, report)]


def lambda_events(draw: Random, invocations: int) -> list[Event]:
    """Several streams of one function, in turn."""
    found: list[Event] = []
    for number in range(draw.choice((1, 1, 3))):
        at = logs.START_MS + number
        stream = f"2026/03/01/[$LATEST]{number:032x}"
        for position in range(invocations // 3 + 1):
            course = invocation(draw, at, first=position == 0)
            found += [
                {"at": float(int(when)), "message": text, "stream": stream, "group": "/aws/lambda/orders-fn"}
                for when, text in course
            ]
            at = course[-1][0] + draw.choice((3, 20, 900, 60_000))
    found.sort(key=lambda event: event["at"])
    return found


NAMES = (
    "aws/lambda/orders-fn/2026-03-01-[$LATEST]0123456789abcdef0123456789abcdef/000000.json",
    "events.json",
    "aws/lambda/mails-fn.jsonl",
)


@BOTH_WAYS
@given(st.integers(0, 1 << 32))
@MANY
def test_lambda_events_give_the_rows_of_the_tolerant_reader(seed: int) -> None:
    """In every container, streams in turn, after accidents."""
    draw = Random(seed)
    events = lambda_events(draw, draw.choice((3, 12, 40)))
    events = events if draw.random() < 0.5 else disturbed(draw, events, wild=False)
    assert differing(draw.choice(CONTAINERS)(draw, events), draw.choice(NAMES), draw) == []


@BOTH_WAYS
def test_the_function_of_an_events_group_goes_before_that_of_the_files_name(tmp_path: Path) -> None:
    """A suffix of the name is no part of a function's, either."""
    events = lambda_events(Random(1), 12)
    grouped = [{"timestamp": e["at"], "message": e["message"], "logGroup": e["group"]} for e in events]
    bare = [{"timestamp": e["at"], "message": e["message"]} for e in events]
    for lines, function in ((grouped, "orders-fn"), (bare, "mails-fn")):
        surveyed(tmp_path / NAMES[2], "\n".join(map(json.dumps, lines)).encode())
        for reading in (tolerant(tmp_path), fast(tmp_path, Pieces(1, WHOLE, 3000))):
            named = {row.function for row in reading.invocations} | {told.name for told in reading.crowd.functions}
            assert named == {function}


@pytest.mark.parametrize("container", CONTAINERS, ids=lambda container: container.__name__)
def test_containers_of_lambda_events_take_the_fast_road(container: Callable[..., bytes], tmp_path: Path) -> None:
    """Where function and stream are known."""
    for seed in range(8):
        draw = Random(seed)
        data = container(draw, lambda_events(draw, 12))
        assert surveyed(tmp_path / NAMES[0], data).road is Road.LAMBDA
