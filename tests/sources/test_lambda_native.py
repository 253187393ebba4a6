"""The native part of the Lambda road and the Python code say the same of every stream, and in the same order."""

from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from tests.sources import logs
from tests.sources.roads import NATIVE, PYTHON, in_way

from apigw_doctor.attribution.inconspicuous import call_shape
from apigw_doctor.evidence.crowd import COLUMNS, Crowd
from apigw_doctor.evidence.tables import LambdaInvocation
from apigw_doctor.evidence.traffic import id64
from apigw_doctor.model.times import iso, parse_time
from apigw_doctor.sources.event_reader import EventReader
from apigw_doctor.sources.file_reader import FileReader
from apigw_doctor.sources.lambda_containers import StreamRoad
from apigw_doctor.sources.lambda_layout import LambdaLayout
from apigw_doctor.sources.lambda_road import LambdaRoad
from apigw_doctor.sources.lambda_words import ANY_ID
from apigw_doctor.sources.layout import Layout, Moments
from apigw_doctor.sources.native import native
from apigw_doctor.sources.payload import Payloads
from apigw_doctor.sources.reading import Input, find_inputs
from apigw_doctor.sources.stamps import WIDTH, StampMoments, stamped
from apigw_doctor.sources.wanted_invocations import WantedInvocations, Window

pytestmark = pytest.mark.skipif(native() is None, reason="the native part was not built")
SEEDS = st.integers(0, 2**32)
MANY = settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
COLUMN = len("2026-03-01T10:00:00.250Z ")
_LEVELS = ("[INFO]", "[DEBUG]", "[WARNING]", "[ERROR]", "INFO", "WARN", "TRACE", "DEBUG", "ERROR", "")
_WORDS = (
    *("error", "Exception", "Rejection", "exited", "Traceback", "timed out", "INIT_REPORT", "RESTORE", "EXTENSION"),
    *("TELEMETRY", "LOGS\t", "LOGS ", "platform.", "race", "tRaCe", "trace", "{", "[", "x\ty"),
)
_HARMLESS = (
    *(
        "calling https://x.example.com",
        "GET /orders/17",
        "dynamodb GetItem",
        "-> 200",
        "took 12 ms",
        "s3",
        "LOG",
        "rro",
    ),
    *("é", "\xa0", "b=c", "a", "-", "+", "0"),
)
_IDS = (
    "JKJaXmPLvHcESHA=",
    "JKJaXmPLvHcESHAJKJaXmP==",
    "JKJaXmPLvHc=",
    "xJKJaXmPLvHcESHA===",
    "é=",
    "c0ffee00-0000-4000",
)


def stream(draw: Random) -> bytes:
    """A stream with texts of every kind, after some accidents."""
    lines = logs.lambda_log(draw, draw.choice((1, 4, 12)))
    ids, share = _ids(lines) or ["-"], draw.choice((0.05, 0.3, 0.6))
    for at, line in enumerate(lines):
        own = (_ids(lines[: at + 1]) or ids)[-1]
        if draw.random() < share:
            lines[at] = _retold(draw, line, own if draw.random() < 0.9 else draw.choice(ids))
    data = logs.damaged(draw, lines) if draw.random() < 0.6 else "".join(f"{line}\n" for line in lines).encode()
    if draw.random() < 0.2:
        data = data.replace(b"\n", b"\r\n")
    if draw.random() < 0.2:
        data = data.replace(b"12.", draw.choice((b"12,", b"99.", b"12")))
    return data


def _ids(lines: list[str]) -> list[str]:
    return [line[COLUMN + 17 : COLUMN + 53] for line in lines if line.startswith("START RequestId: ", COLUMN)]


def _retold(draw: Random, line: str, own: str) -> str:
    """The line with another text, or with other numbers."""
    words = line[COLUMN:]
    if words.startswith("REPORT"):
        number = draw.choice(
            ("0", "1.", "3000.00", "3001.5", "0012.50", "123456789012.123456789", "1234567890123", "x")
        )
        field = draw.choice(("Duration: ", "Billed Duration: ", "Init Duration: ", "Memory Size: "))
        front, found, rest = line.partition(field)
        return front + found + number + rest[rest.find(" ") :] if found else line
    if words.startswith("INIT"):
        return f"{iso(logs.START_MS + draw.randrange(-20, 60_000))} {words}"
    if words.startswith(("START", "END", "XRAY")):
        return line + draw.choice((" ", "\t", "x", "\x0b"))
    time, kinds = line[: COLUMN - 1], _LEVELS if draw.random() < 0.3 else _LEVELS[:3] + _LEVELS[4:8]
    level = draw.choice(kinds)
    own_words = f"{level}\t{time}\t{own}" if level.startswith("[") else f"{time}\t{own}\t{level}"
    return f"{time} {own_words}\t{_text(draw, own)}"


def _text(draw: Random, own: str) -> str:
    """Mostly nothing of note, sometimes an id that may be asked for, or a word that tells of trouble."""
    parts = draw.choices(_HARMLESS, k=draw.choice((1, 2, 4)))
    if draw.random() < 0.3:
        parts.append(draw.choice((*_IDS, logs.uuid(draw), logs.extended_id(draw), own)))
    if draw.random() < 0.15:
        parts.append(draw.choice(_WORDS))
    draw.shuffle(parts)
    return draw.choice((" ", "", "=", "\t")).join(parts)


def asked(draw: Random, data: bytes) -> WantedInvocations:
    """Some of the stream's invocations are asked for, in every way."""
    texts = data.decode("utf-8", "replace").split("\n")
    ids = [text for text in _ids(texts) if len(text) == 36]
    idents = {id64(text) for text in ids if draw.random() < 0.1}
    idents.update(id64(text[14:49]) for text in texts if text.startswith("XRAY") and draw.random() < 0.2)
    logged = {found for text in texts for found in ANY_ID.findall(text) if draw.random() < 0.1}
    logged.update(found for found in _IDS if draw.random() < 0.2)
    windows = []
    moments = [at for text in texts if (at := parse_time(text[: COLUMN - 1])) is not None] or [logs.START_MS]
    for _ in range(draw.choice((0, 0, 1, 5))):
        begin, end = (draw.choice(moments) + draw.choice((-1.0, 0.0, 1.0, 40.0)) for _ in range(2))
        wide, late = draw.choice((0.0, 10.0, 5000.0, 1e6)), draw.choice((0.0, 10.0, 1e5))
        function = draw.choice((None, "orders-fn", "payments-fn"))
        windows.append(Window(begin - wide, begin, end - late, end, function, draw.random() < 0.5))
    return WantedInvocations(frozenset(idents), frozenset(logged if draw.random() < 0.5 else ()), tuple(windows))


def blocks(draw: Random, data: bytes) -> Iterator[bytes]:
    """The file in blocks that end behind a line, but for the last."""
    size = draw.choice((1, 300, 3000, 1 << 20))
    while data:
        end = data.find(b"\n", min(size, len(data)) - 1) + 1 or len(data)
        yield data[:end]
        data = data[end:]


def told(road: LambdaRoad, crowd: Crowd, reader: FileReader, *, fit: bool) -> list[Any]:
    """All that a road says."""
    columns = {name: getattr(crowd, name).tobytes() for name in COLUMNS}
    return [
        fit,
        columns,
        repr(crowd.functions),
        list(map(_bare, road.rows)),
        reader.counted(),
    ]


def _bare(row: LambdaInvocation) -> bytes:
    return msgspec.json.encode(row)


def read(source: Input, data: bytes, wanted: WantedInvocations, way: str, seed: int) -> list[Any]:
    """One stream, read twice by one road."""
    found: list[Any] = []
    with in_way(way):
        road = LambdaRoad(wanted)
        for function in ("orders-fn", None):
            payloads, crowd = Payloads(), Crowd()
            reader = FileReader(source, payloads)
            road.begin(LambdaLayout(COLUMN, function, "s"), reader, payloads, crowd)
            number = 1
            for block in blocks(Random(seed), data):
                number = road.feed(block, number)
            fit = road.finish()
            found.append((number, *told(road, crowd, reader, fit=fit)))
            road.rows = []
    return found


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Input:
    """A file whose name tells the stream."""
    path: Path = tmp_path_factory.mktemp("stream") / "aws/lambda/orders-fn/2026/03/01/[$LATEST]0123456789abcdef.log"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"")
    return find_inputs((str(path),))[0]


@given(SEEDS)
@MANY
def test_a_stream_reads_the_same_in_c_and_in_python(source: Input, seed: int) -> None:
    """Whatever it holds, whatever is asked for, wherever its blocks are cut."""
    draw = Random(seed)
    data = stream(draw)
    wanted = asked(draw, data)
    assert read(source, data, wanted, NATIVE, seed) == read(source, data, wanted, PYTHON, seed)


def as_events(draw: Random, data: bytes) -> tuple[list[float | None], list[str]]:
    """The lines as messages, some of them joined."""
    times: list[float | None] = []
    messages: list[str] = []
    for line in data.decode("utf-8", "replace").split("\n"):
        if messages and (line.startswith("XRAY") or draw.random() < 0.02):
            messages[-1] += f"\n{line}"
        else:
            times.append(logs.START_MS + len(times) * draw.choice((0, 1, 40)))
            messages.append(line[COLUMN:])
    return times, messages


def read_events(source: Input, data: bytes, wanted: WantedInvocations, way: str, seed: int) -> list[Any]:
    """One stream of a container."""
    draw = Random(seed)
    with in_way(way):
        payloads, crowd = Payloads(), Crowd()
        reader = EventReader(source, payloads)
        road = StreamRoad(wanted, StampMoments(), None)
        layout = LambdaLayout(WIDTH, "orders-fn", "s")
        road.start(layout, reader, payloads, crowd, ("/aws/lambda/orders-fn", "s"))
        times, messages = as_events(draw, data)
        size = draw.choice((1, 10, 1000))
        for at in range(0, len(times), size):
            lines = stamped(times[at : at + size], messages[at : at + size])
            road.feed_events([(number, None) for number in range(at, at + len(lines))], lines)
        return told(road, crowd, reader, fit=road.finish())


@given(SEEDS)
@MANY
def test_events_of_a_container_read_the_same_in_c_and_in_python(source: Input, seed: int) -> None:
    """Also messages of several lines."""
    draw = Random(seed)
    data = stream(draw)
    wanted = asked(draw, data)
    assert read_events(source, data, wanted, NATIVE, seed) == read_events(source, data, wanted, PYTHON, seed)


_PARTS = (
    *(
        "calling ",
        "Received GET /orders/",
        "dynamodb GetItem table=orders",
        " -> ",
        "-> 200",
        " in 5 ms",
        "took ",
        "s3",
    ),
    *("SELECT * FROM t", "[cached since 3.1s ago]", "[AWS dynamodb 200 0.052s 0 retries] getItem", 'HTTP/1.1" 200 22'),
    *("http-outgoing-7 >> ", "HikariPool-1 - added ", "connect_tcp.started", "received ", "response ", "GET request "),
    *("https://x.example.com/", "Making HEAD request to ", "event=", "'", '"', "-", ".", ":", "/", " ", "=", "é", "x"),
    *(
        "retrying ",
        "<-- 404 ",
        "END",
        "update orders set",
        "putItem ",
        "getObject",
        "the db",
        "in ",
        "ms",
        "s ",
        " retr",
    ),
)
_NUMBERS = st.from_regex(
    r"[0-9]{1,14}|[0-9a-f]{1,14}|[0-9A-F]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9]{4}-[0-9a-f]{12}", fullmatch=True
)


@given(st.lists(st.one_of(st.sampled_from(_PARTS), _NUMBERS), max_size=12).map("".join))
@settings(max_examples=3000, deadline=None)
@example("received 12345678-1234-1234-1234-123456789abc")
@example("x" * 395 + " 1234567")
@example("-> 200:00000000000a'calling ")
def test_texts_that_differ_only_in_ids_and_numbers_announce_the_same_call(text: str) -> None:
    """So that one of them has to be looked at."""
    module = native()
    assert module is not None
    stands_for = module.Stream.alike(text.encode())
    assert call_shape(stands_for.decode()) == call_shape(text)
    assert module.Stream.alike(stands_for) == stands_for


def test_ids_and_numbers_of_a_text_are_left_out() -> None:
    """But for what the patterns see of them."""
    module = native()
    assert module is not None
    text = b"GET /orders/56963 s3 x17 0.25s 504 9f3a1b2c-1111-4000-8000-000000000001 0a1b2c3d4e5f6"
    assert module.Stream.alike(text) == (
        b"GET /orders/10000 s3 x10 6.10s 100 aaaaaaaa-aaaa-aaaa-aaaa-aaaaaaaaaaaa aaaaaaaaaaaaa"
    )


_OWN = "c0ffee00-0000-4000-8000-000000000001"
_LOGGED = "c0ffee00-0000-4000-8000-000000000009"
_TOLD_OF = frozenset((_LOGGED, "JKJaXmPLvHcESHA=", "JKJaXmPLvHc=="))


def ordinary(text: str) -> bytes:
    """An invocation that wrote one line."""
    words = (
        f"START RequestId: {_OWN} Version: 7",
        f"[INFO]\t2026-03-01T10:00:00.250Z\t{_OWN}\t{text}",
        f"END RequestId: {_OWN}",
        f"REPORT RequestId: {_OWN}\tDuration: 12.50 ms\tBilled Duration: 13 ms\tMemory Size: 128 MB\tMax Memory Used: 7 MB",
    )
    return "".join(f"2026-03-01T10:00:00.250Z {line}\n" for line in words).encode()


@pytest.mark.parametrize(
    ("text", "entered"),
    [
        *(
            (text, True)
            for text in ("hello", "rro", "LOGS x", "é", "a" * 5000, "JKJaXmPLvHcESHAx=", "x=JKJaXmPLvHcESHA=x")
        ),
        *((f"so the {word} it is", False) for word in ("error", "Exception", "rejection", "exited", "Traceback")),
        *(
            (f"so the {word} it is", False)
            for word in ("timed out", "INIT_REPORT", "RESTORE", "EXTENSION", "TELEMETRY")
        ),
        *((f"so the {word} it is", False) for word in ("LOGS\t", "platform.", "tRaCe", "race")),
        *((text, False) for text in ("", " x", "{x", "[x", "(x", "\tx")),
        *(
            (text, False)
            for text in (f"for {_LOGGED}", f"{_LOGGED}0", "JKJaXmPLvHcESHA=", "id=JKJaXmPLvHc==;", f"x {_OWN}")
        ),
    ],
)
def test_what_an_ordinary_invocation_may_say(source: Input, text: str, entered: bool) -> None:
    """Words of trouble and ids that are asked for are left to Python, which decides."""
    wanted, data = WantedInvocations(logged=_TOLD_OF), ordinary(text)
    assert read(source, data, wanted, NATIVE, 0) == read(source, data, wanted, PYTHON, 0)
    module = native()
    assert module is not None
    stream = module.Stream(wanted.idents, wanted.logged, 1000.0, 0.5)
    stream.begin(COLUMN, False, bytes(8), bytes(8))
    asks: tuple[Any, ...] = (lambda *_: None, Moments(Layout(COLUMN, timed=True)).of, lambda _: -1)
    stream.feed(data, 1, *asks)
    stream.finish(*asks)
    assert (stream.take() is not None) == entered


def test_a_message_of_several_lines_is_read_closely(source: Input) -> None:
    """In either way, as its other lines may tell of anything."""
    start, said, end, report = (line[COLUMN:] for line in ordinary("hello").decode().split("\n")[:4])
    found = []
    for way in (NATIVE, PYTHON):
        with in_way(way):
            payloads, crowd = Payloads(), Crowd()
            reader = EventReader(source, payloads)
            road = StreamRoad(WantedInvocations(), StampMoments(), None)
            place = ("/aws/lambda/orders-fn", "s")
            road.start(LambdaLayout(WIDTH, "orders-fn", "s"), reader, payloads, crowd, place)
            messages = [start, f"{said}\nTraceback (most recent call last):", end, f"{report}\nmore\nXRAY TraceId: x"]
            road.feed_events([(1, None)] * 4, stamped([logs.START_MS] * 4, messages))
            found.append(told(road, crowd, reader, fit=road.finish()))
    assert found[0] == found[1]
