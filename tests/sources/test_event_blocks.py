"""Batches of events are the events that the tolerant reader finds, in every container; damage loses nothing."""

import io
import itertools
import json
import random
import re
from collections.abc import Iterator
from typing import Any
from unittest import mock

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apigw_doctor.sources import event_blocks, event_documents, json_blocks
from apigw_doctor.sources.documents import Wrapped, unwrap
from apigw_doctor.sources.event_blocks import Cut, EventBlock, Odd, Shape, TooLong, recognise, split
from apigw_doctor.sources.event_shapes import _time
from apigw_doctor.sources.reading import Input, Line, read_lines

ID = "c0ffee00-0000-4000-8000-000000000001"
GROUP = "API-Gateway-Execution-Logs_abc123/prod"
AT = 1773136800120
Row = tuple[int, str | None, float | None, str | None, str | None, str | None]

NASTY = (
    "}, {",
    '}, {"message": "',
    '"events": [',
    '{"events":[{"message":"x"}]}',
    '],"nextToken":"x"}',
    "]}",
    "\n",
    '"',
    "\\",
    "\\n",
    "é",
    "\U0001f600",
    "\u2028",
    "\x85",
    "\t",
    " ",
    "\r",
)
texts = st.lists(st.sampled_from(NASTY) | st.text(max_size=4), max_size=6).map("".join)


# what the tolerant reader makes of a file


def _rows(number: int, items: Iterator[Wrapped]) -> list[Row]:
    return [
        (
            number,
            item.text if item.text is not None else repr(item.value),
            item.at,
            item.group,
            item.stream,
            item.event_id,
        )
        for item in items
        if item.ignored is None
    ]


def tolerant(lines: Iterator[tuple[int, str]]) -> list[Row]:
    """As the line reader does it: documents on one line or over several, each under the number of its first line."""
    rows: list[Row] = []
    block: json_blocks.Block | None = None
    for number, text in lines:
        if block is not None:
            done = block.feed(text)
            found, rest = block.take(), ""
            block = None if done else block
        elif json_blocks.starts(text):
            found, rest = json_blocks.decode_line(number, text)
            if rest and json_blocks.starts(rest):
                block = json_blocks.Block(number, rest)
        else:
            continue
        for document in found:
            rows += _rows(document.number, unwrap(document.value))
    return rows


def numbered(data: bytes) -> Iterator[tuple[int, str]]:
    for item in read_lines(Input("x", lambda: io.BytesIO(data))):
        if isinstance(item, Line):
            yield item.number, item.text


def fast(items: list[Any]) -> list[Row]:
    rows: list[Row] = []
    for item in items:
        if isinstance(item, EventBlock):
            columns = (item.numbers, item.messages, item.times, item.groups, item.streams, item.event_ids)
            rows += zip(*columns, strict=True)
        elif isinstance(item, Odd):
            rows += tolerant(item.lines())
    return rows


def in_small_steps(shape: Shape, data: bytes, seed: int) -> list[Any]:
    """Read with small limits and random blocks, so that every border falls everywhere."""
    rng = random.Random(seed)
    size = rng.choice((1, 7, 50, 400, 5000))
    cuts = sorted({0, len(data), *(rng.randrange(len(data) + 1) for _ in range(len(data) // size))})
    blocks = [data[start:stop] for start, stop in itertools.pairwise(cuts)]
    limit = rng.choice((40, 300, 2000, 1 << 18))
    with (
        mock.patch.multiple(event_blocks, SLICE=limit, _GATHERED=rng.choice((3, 1 << 16))),
        mock.patch.multiple(event_documents, SLICE=limit, _SMALL_SLICE=limit // 2),
    ):
        return list(split(shape, blocks))


# containers


@st.composite
def events(draw: st.DrawFn, *, odd: bool = False, least: int = 0) -> list[dict[str, Any]]:
    found = []
    for index, text in enumerate(draw(st.lists(texts, min_size=least, max_size=12))):
        event: dict[str, Any] = {
            "logStreamName": "stream" + "é" * (index % 2),
            "timestamp": AT + index,
            "message": f"({ID}) mark{index:03d}. {text}",
            "ingestionTime": AT + 900,
            "eventId": f"{index:056d}",
        }
        change = draw(st.integers(0, 30)) if odd else 99
        if change == 0:
            del event["message"]
        elif change == 1:
            event |= {"timestamp": None, "logStreamName": ""}
        elif change == 2:
            event |= {"eventId": 7, "more": [{"a": 1}, {"message": text}, {"b": {"c": []}}]}
        elif change == 3:
            event |= {"message": {"level": "INFO", "message": text}}
        elif change == 4:
            event |= {"timestamp": "2026-03-10T10:00:00.120Z", "extra": [{"x": text}, {"y": [{"z": 1}]}]}
        elif change == 5:
            event |= {"timestamp": 1773136800.25, "message": text}
        elif change == 6:
            event["timestamp"] = True
        found.append(event)
    return found


def shuffled(value: dict[str, Any], rng: random.Random) -> dict[str, Any]:
    keys = list(value)
    rng.shuffle(keys)
    return {key: value[key] for key in keys}


@st.composite
def styles(draw: st.DrawFn) -> dict[str, Any]:
    compact = draw(st.booleans())
    return {
        "indent": None if compact else draw(st.sampled_from((4, 2, 1, None))),
        "separators": (",", ":") if compact else None,
        "ensure_ascii": draw(st.booleans()),
    }


HEADS: tuple[dict[str, Any], ...] = (
    {},
    {},
    {"logGroupName": "/aws/lambda/orders", "logStreamName": "outer"},
    {"ResponseMetadata": {"RequestId": "x}", "HTTPHeaders": {"a": "1", "b": "{"}, "RetryAttempts": 0}},
    {"searchedLogStreams": [], "timestamp": AT},
)
TAILS: tuple[dict[str, Any], ...] = (
    {},
    {"searchedLogStreams": [], "nextToken": "abc"},
    {"nextForwardToken": "f/1/s", "nextBackwardToken": "b/1/s"},
    {"searchedLogStreams": [{"logStreamName": f"s{n}", "searchedCompletely": True} for n in range(9)], "more": "],}"},
)


@st.composite
def documents_file(draw: st.DrawFn, *, odd: bool = False, least: int = 0) -> bytes:
    style, rng = draw(styles()), random.Random(draw(st.integers(0, 99)))
    pages = []
    for page in draw(st.lists(events(odd=odd, least=least), min_size=1, max_size=3)):
        head, tail = draw(st.sampled_from(HEADS)), draw(st.sampled_from(TAILS))
        document = head | {"events": [shuffled(event, rng) for event in page]}
        pages.append(json.dumps(document | {k: v for k, v in tail.items() if k not in head}, **style))
    joint = draw(st.sampled_from(("\n", "\n\n"))) if style["indent"] else draw(st.sampled_from(("\n", "", " ")))
    end = draw(st.sampled_from(("", "\n", "\r\n")))
    text = joint.join(pages) + end
    return draw(st.sampled_from((b"", b"\xef\xbb\xbf"))) + text.encode()


def flat(event: dict[str, Any], kind: int) -> dict[str, Any]:
    message, at = event.get("message"), event.get("timestamp")
    if kind == 0:
        return {"timestamp": at, "message": message, "logGroup": GROUP, "logStream": event["logStreamName"]}
    if kind == 1:
        return {"time": "2026-03-10T10:00:00.120Z", "log": message, "host": "ip-10-0-0-1", "type": "log"}
    if kind == 2:
        return {
            "@timestamp": "2026-03-10 10:00:00.120",
            "@message": message,
            "@log": f"123456789012:{GROUP}",
            "@ptr": "CmEKJg",
        }
    return event


@st.composite
def lines_file(draw: st.DrawFn, *, odd: bool = False) -> bytes:
    rng, kind = random.Random(draw(st.integers(0, 99))), draw(st.integers(0, 3))
    ascii_only = draw(st.booleans())
    lines = [
        json.dumps(shuffled(flat(event, kind), rng), ensure_ascii=ascii_only)
        for event in draw(events(odd=odd, least=1))
    ]
    if odd:
        for line in draw(
            st.lists(st.sampled_from(("", '{"a": 1}', "{}", "[]", '{"a": {"b": []}}, {"c": 1}')), max_size=3)
        ):
            lines.insert(rng.randrange(len(lines) + 1), line)
    return (draw(st.sampled_from(("\n", "\r\n"))).join(lines) + draw(st.sampled_from(("", "\n")))).encode()


@st.composite
def array_file(draw: st.DrawFn, *, odd: bool = False) -> bytes:
    rng, kind = random.Random(draw(st.integers(0, 99))), draw(st.integers(0, 3))
    found = [shuffled(flat(event, kind), rng) for event in draw(events(odd=odd, least=1))]
    return json.dumps(found, **draw(styles())).encode() + draw(st.sampled_from((b"", b"\n")))


@st.composite
def envelopes_file(draw: st.DrawFn, *, odd: bool = False) -> bytes:
    pages = draw(st.lists(events(odd=odd, least=1), min_size=1, max_size=4))
    if odd:
        pages.insert(draw(st.integers(0, len(pages))), [])
    lines = []
    for page in pages:
        kind = {
            "messageType": "DATA_MESSAGE" if page else "CONTROL_MESSAGE",
            "owner": "1",
            "logGroup": GROUP if page else "",
        }
        inner = [{"id": e["eventId"], "timestamp": e["timestamp"], "message": e.get("message")} for e in page]
        lines.append(json.dumps(kind | {"logStream": "s", "subscriptionFilters": ["x"], "logEvents": inner}))
    return draw(st.sampled_from(("\n", ""))).join(lines).encode()


def check(data: bytes, seed: int, *, odd: bool) -> None:
    shape = recognise(data[: 1 << 16])
    if shape is None and odd:
        return
    assert shape is not None
    items = in_small_steps(shape, data, seed)
    assert not any(isinstance(item, Cut | TooLong) for item in items)
    if not odd:
        assert not any(isinstance(item, Odd) for item in items), items
    assert fast(items) == tolerant(numbered(data))


MANY = settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@given(documents_file() | lines_file() | array_file() | envelopes_file(), st.integers(0, 1 << 16))
@MANY
def test_events_of_uniform_files_are_those_of_the_tolerant_reader(data: bytes, seed: int) -> None:
    """All of them in batches, wherever the blocks are cut."""
    check(data, seed, odd=False)


@given(
    documents_file(odd=True) | lines_file(odd=True) | array_file(odd=True) | envelopes_file(odd=True),
    st.integers(0, 1 << 16),
)
@MANY
def test_odd_entries_are_handed_out_with_their_context(data: bytes, seed: int) -> None:
    """What the tolerant reader makes of them is the same as in the whole file, in the same order."""
    check(data, seed, odd=True)


@st.composite
def damaged(draw: st.DrawFn) -> tuple[bytes, bytes, set[bytes]]:
    """A file, the same with a stretch changed, and the marks of the events that the change does not touch."""
    data = draw(documents_file(least=1) | lines_file() | array_file() | envelopes_file())
    start = draw(st.integers(0, len(data)))
    stop = min(len(data), start + draw(st.sampled_from((0, 1, 1, 2, 10, 200))))
    new = draw(
        st.sampled_from(
            (b"", b'"', b"\\", b"}", b"]", b"{", b"[", b",", b"\n", b"\xff", b"\x00", b"],", b"}]}", b'{"events":[')
        )
        | st.binary(max_size=6)
    )
    before, behind = _marks(data[:start])[:-1], _marks(data[stop:])[1:]
    if b"]" in data[start:stop]:
        behind = []  # the rest of the file may have become a key of one event
    return data, data[:start] + new + data[stop:], {*before, *behind}


def _marks(data: bytes) -> list[bytes]:
    return re.findall(rb"mark\d{3}\.", data)


@given(damaged(), st.integers(0, 1 << 16))
@settings(max_examples=600, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_damage_raises_nothing_and_loses_nothing(case: tuple[bytes, bytes, set[bytes]], seed: int) -> None:
    """Every event outside of the damage is one, or in a stretch that is handed out as it stands."""
    data, changed, marks = case
    recognise(changed[: 1 << 16])
    shape = recognise(data[: 1 << 16])
    assert shape is not None
    items = in_small_steps(shape, changed, seed)
    seen = b""
    for item in items:
        if isinstance(item, EventBlock):
            seen += "\n".join(item.messages).encode()
        elif isinstance(item, Odd):
            seen += item.raw
            assert list(item.lines())
    assert {mark for mark in marks if mark not in seen} == set()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[",
        "{}",
        "[]",
        '{"a":1}\n',
        '{"events":[1,2]}',
        '{"events":[{"a":1}]}',
        '{"Records":[{"message":"x"}]}',
        '{"messageType":"CONTROL_MESSAGE","logEvents":[{"message":"x"}]}',
        '{"level":"INFO","timestamp":"2026-03-10T10:00:00Z","message":"Received GET /orders"}\n',
        '{"requestId":"x","status":"504","timestamp":"2026-03-10T10:00:00Z"}\n',
        '{"type":"platform.start","time":"2026-03-10T10:00:00Z","message":"START RequestId: x"}\n',
        '{"attributes":{"message":"START RequestId: x"},"timestamp":1}\n',
        "2026-03-10T10:00:00Z START RequestId: x\n",
        '[{"field":"@message","value":"x"}]',
        '[{"events":[{"message":"x"}]}]',
    ],
)
def test_other_files_are_left_to_the_tolerant_reader(text: str) -> None:
    """Also such as only look alike."""
    assert recognise(text.encode()) is None


@pytest.mark.parametrize(("joint", "kind"), [("", "documents"), ("\n", "envelopes")])
def test_a_subscription_may_begin_with_a_control_message(joint: str, kind: str) -> None:
    """As the files of a new delivery stream do."""
    control = {"messageType": "CONTROL_MESSAGE", "logGroup": "", "logEvents": [{"id": "", "message": "CWL CONTROL"}]}
    inner = [{"id": "1", "timestamp": AT, "message": f"({ID}) Method completed with status: 504"}]
    page = {"messageType": "DATA_MESSAGE", "logGroup": GROUP, "logStream": "s", "logEvents": inner}
    data = joint.join(json.dumps(value) for value in (control, page, page)).encode()
    shape = recognise(data)
    assert shape is not None
    assert shape.kind == kind
    items = list(split(shape, [data]))
    assert [type(item) for item in items[:2]] == [Odd, EventBlock]
    assert not any(isinstance(item, Odd) for item in items[1:])
    assert fast(items) == tolerant(numbered(data))


def test_a_document_without_end_is_said_to_be_cut() -> None:
    """Its events count all the same."""
    data = json.dumps({"events": [{"message": "a", "timestamp": AT}, {"message": "b"}]}, indent=4).encode()
    shape = Shape("documents")
    items = list(split(shape, [data[: data.index(b'"b"')]]))
    assert [type(item) for item in items] == [EventBlock, Odd, Cut]
    assert items[0].messages == ["a"]  # type: ignore[union-attr]


def test_bytes_that_are_no_utf8_make_one_odd_element_only() -> None:
    """It keeps its document round it, and is read as the line reader reads such lines."""
    data = b'{"events":[{"message":"a"},{"message":"caf\xe9","eventId":"7"},{"message":"c"}]}'
    odd = list(split(Shape("documents"), [data]))[1]
    assert isinstance(odd, Odd)
    assert tolerant(odd.lines()) == [(1, "café", None, None, None, "7")]


def test_an_overlong_line_is_passed_over_and_counted() -> None:
    """Memory stays flat; the next lines are read under their own numbers."""
    line = b'{"timestamp":1773136800120,"message":"START RequestId: x"}\n'
    shape = recognise(line)
    assert shape is not None
    with mock.patch.object(event_blocks, "LIMIT", 1000), mock.patch.object(event_blocks, "_GATHERED", 1):
        items = list(split(shape, [line, b"x" * 800, b"y" * 800, b"z\n" + line, line]))
    assert [type(item) for item in items] == [EventBlock, TooLong, EventBlock, EventBlock]
    assert items[1] == TooLong(2, 1602)
    assert [list(item.numbers) for item in items if isinstance(item, EventBlock)] == [[1], [3], [4]]


@given(st.datetimes().map(lambda at: at.isoformat(timespec="milliseconds") + "Z") | st.text(max_size=26))
def test_times_of_one_second_are_read_as_any_time(text: str) -> None:
    """The short way through a second seen before gives the same number."""
    from apigw_doctor.model.times import parse_time

    assert _time(text) == parse_time(text)
