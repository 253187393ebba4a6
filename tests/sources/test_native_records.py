"""Access-log records read in C and in Python: the same columns, places, rows, unread lines and slow requests."""

import json
import re
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from unittest import mock

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.sources import logs
from tests.sources.roads import surveyed
from tests.sources.test_event_roads import CONTAINERS, access_events, disturbed

from apigw_doctor.evidence.traffic import COLUMNS, Traffic, id64
from apigw_doctor.sources.access_log import EMPTY
from apigw_doctor.sources.access_road import _ATTRIBUTES, AccessRoad
from apigw_doctor.sources.native import native
from apigw_doctor.sources.portions import Assignment, Shared, Stretch, read_portion
from apigw_doctor.sources.survey import Road, Surveyed
from apigw_doctor.sources.wanted import Wanted
from apigw_doctor.sources.wanted_invocations import WantedInvocations

pytestmark = pytest.mark.skipif(native() is None, reason="the C module was not built")

SEEDS = st.integers(0, 2**32)
MANY = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
UUID = "30830d0b-bdba-4569-aa1a-7e4d519cc5cd"
ROOT = "1-69a40e20-ac6798177621b06cbfa966b4"
#: Values as they may stand behind a key, plain and not.
VALUES = [
    *(f'"{empty}"' for empty in EMPTY), '" "', '" -"', '"NONE"', '"-1"', "null", "true", "false", "nul", "nullx",
    "200", '"200"', '" 200"', '"0200"', "200.0", "0200", "2e2", "429", '"429"', '"499"', '"500"', '"99"', '"2OO"',
    "0", "-0", "-5", "007", "1.", ".5", "1.5", "-1.5e3", "999999999999999", "1000000000000000", "9" * 25, '"12"',
    '"007"', '"1_000"', '"1e3"', '"inf"', '"nan"', '"-7"', '"7.5"', '"999999999999999"', '"1000000000000000"',
    '"29000"', '"\uff11\uff12"', '"1772359200116"', "1772359200116", '"0772359200116"', '"1772359200"', "1772359200.5",
    '"01/Mar/2026:10:00:07 +0000"', '"2026-03-01T10:00:00.250Z"', '"2026-03-01T10:00:00.1234567Z"', '"soon"',
    f'"{UUID}"', f'"{UUID.upper()}"', f'" {UUID} "', f'"{UUID}x"', '"E7yUzGV1yfOZn1A="', '"E7yUzGV1yfOZn1Axxxxxxxxxxx="',
    f'"Root={ROOT}"', f'"{ROOT}"', f'"a{ROOT}"', f'"{ROOT}f"', f'"Self={ROOT};Root={ROOT.replace("6", "7")}"',
    f'"{UUID.replace("-", "")}"', '"\\u0032\\u0030\\u0030"', '"a\\"b"', '"\\ud800"', '"é"', '"a\tb"', '"a\x7fb"', '"a\0b"',
    "[]", "{}", '["a"]', '{"status": 200}', '"START RequestId: x"', '"{"', '"THROTTLED"', '"Forbidden"', '"Rate exceeded"',
    '"Endpoint request timed out"', '"timeout error"', '"Too Many Requests"', '"INTEGRATION_TIMEOUT"', '"UNAUTHORIZED"',
    '"/orders"', '"GET /orders/{id}"', '"$default"', '"$connect"', "", '"', '"open', "--", "tru", '"a""b"',
]  # fmt: skip
_PAIR = re.compile(r'"(?P<key>[^"]+)"(?P<mark>: ?)(?P<value>"(?:[^"\\]|\\.)*"|[^,}]+)')


def read_by(one: Surveyed, wanted: Wanted, block_bytes: int, *, in_c: bool) -> dict[str, object]:
    """Everything that a task tells of a file."""
    with TemporaryDirectory() as folder, mock.patch.dict("os.environ", APIGW_DOCTOR_NATIVE="1" if in_c else "0"):
        shared = Shared(Path(folder), wanted, WantedInvocations(), block_bytes=block_bytes)
        portion = read_portion(Assignment(0, (Stretch(one),)), shared)
        slow = list(portion.spool.read(list(range(len(portion.spool.entries)))))
    columns = {name: list(map(repr, getattr(portion.traffic, name))) for name in COLUMNS}
    (read,) = portion.stretches
    return {
        **columns,
        "places": portion.traffic.places,
        "facts": read.facts,
        "unread": read.unread,
        "kinds": read.kinds,
        "lines": (read.lines, read.size, read.notices),
        "entries": list(portion.spool.entries),
        "slow": slow,
    }


def differing(data: bytes, clean: bytes, wanted: Wanted, block_bytes: int, name: str = "access.log") -> list[str]:
    """What both readings tell differently."""
    with TemporaryDirectory() as folder:
        path = Path(folder, name)
        one = surveyed(path, clean)
        if one.road is not Road.ACCESS:
            return []
        path.write_bytes(data)
        in_python, in_c = (read_by(one, wanted, block_bytes, in_c=way) for way in (False, True))
    return [f"{name}: {in_python[name]} {in_c[name]}" for name in in_python if in_python[name] != in_c[name]]


def some_wanted(draw: Random, lines: list[str]) -> Wanted:
    """Requests of these lines that are asked for by id or by time."""
    named = re.findall(r'"(?:requestId|extendedRequestId)": "([^"]+)"', "\n".join(lines))
    idents = frozenset(map(id64, draw.sample(named, min(len(named), draw.choice((0, 0, 1, 5))))))
    begins = [logs.START_MS + draw.randrange(100_000) for _ in range(draw.choice((0, 0, 1, 3)))]
    return Wanted(idents, tuple((at, at + draw.choice((0, 500))) for at in begins), draw.choice((0.0, 1999.0, 2000.0)))


def altered(draw: Random, line: str) -> str:
    """The record with one thing changed that may or may not be seen."""
    pairs = [(found["key"], found["mark"], found["value"]) for found in _PAIR.finditer(line)]
    at = draw.randrange(len(pairs))
    key, mark, value = pairs[at]
    change = draw.choice(("value", "value", "value", "value", "swap", "drop", "double", "space", "key", "end", "open"))
    if change == "value":
        pairs[at] = (key, mark, draw.choice(VALUES))
    elif change == "swap":
        draw.shuffle(pairs)
    elif change == "drop":
        del pairs[at]
    elif change == "double":
        pairs.append((key, mark, draw.choice((value, draw.choice(VALUES)))))
    elif change == "key":
        pairs[at] = (draw.choice((f"{key}x", key[:-1], key.upper(), "absent attribute status")), mark, value)
    joint = draw.choice((", ", ",", " , ", ",\t")) if change == "space" else ", "
    text = "{" + joint.join(f'"{key}"{mark}{value}' for key, mark, value in pairs) + "}"
    if change == "end":
        text += draw.choice((" ", "\r", "\r\r", "x", "{}", ",", "}", " \r"))
    return draw.choice((text[:-1], text[1:], f" {text}", f"[{text}]")) if change == "open" else text


@given(SEEDS)
@MANY
def test_damaged_logs(seed: int) -> None:
    """Lines dropped, doubled, cut, garbled; blocks of every size."""
    draw = Random(seed)
    lines = logs.access_log(draw, draw.choice((2, 10, 40)), draw.choice((0.0, 0.2)))
    clean = "".join(f"{line}\n" for line in lines).encode()
    data = logs.damaged(draw, lines)
    assert not differing(data, clean, some_wanted(draw, lines), draw.choice((1, 700, 1 << 20)))


@given(SEEDS)
@settings(MANY, max_examples=400)
def test_values_of_every_kind_under_every_key(seed: int) -> None:
    """Numbers and texts, escapes, nested values, keys in any order and twice, text around the record."""
    draw = Random(seed)
    lines = logs.access_log(draw, 25, 0.0)
    clean = "".join(f"{line}\n" for line in lines).encode()
    changed = [altered(draw, line) if draw.random() < 0.7 else line for line in lines]
    data = "\n".join(changed).encode("utf-8", "surrogatepass")
    if draw.random() < 0.2:
        at = draw.randrange(len(data))
        data = data[:at] + bytes([draw.choice((0, 9, 0x7F, 0x80, 0xC3, 0xFF))]) + data[at + 1 :]
    assert not differing(data, clean, some_wanted(draw, lines), draw.choice((1, 700, 1 << 20)))


@given(SEEDS)
@settings(MANY, max_examples=300)
def test_records_in_containers(seed: int) -> None:
    """Records that came with times, also such as go before what the records tell."""
    draw = Random(seed)
    events = access_events(draw, draw.choice((3, 12, 40)))
    container, state = draw.choice(CONTAINERS), draw.getstate()
    clean = container(draw, events)
    changed = [
        {**event, "message": altered(draw, event["message"])} if draw.random() < 0.5 else event for event in events
    ]
    if draw.random() < 0.3:
        changed = disturbed(draw, changed)
    wanted = some_wanted(draw, [event["message"] for event in events])
    block_bytes = draw.choice((1, 700, 1 << 20))
    draw.setstate(state)
    assert not differing(container(draw, changed), clean, wanted, block_bytes, "events.json")


@pytest.mark.parametrize("attribute", [key for key in _ATTRIBUTES if key not in ("connectionId", "eventType")])
def test_each_value_under_each_variable(attribute: str) -> None:
    """One record for each, of an API whose records name every variable."""
    record = {key: "-" for key in _ATTRIBUTES if key not in ("connectionId", "eventType", "error.messageString")}
    record |= {"requestId": UUID, "status": "200", "requestTimeEpoch": "1772359200116", "integrationLatency": "12"}
    plain = json.dumps(record)
    told = dict(record, **{attribute: "@@"})
    lines = [plain, *(json.dumps(told).replace('"@@"', value) for value in VALUES), plain]
    less = {key: value for key, value in told.items() if key not in ("requestTimeEpoch", "integrationLatency")}
    lines += [json.dumps(less).replace('"@@"', value) for value in VALUES]
    clean = f"{plain}\n".encode() * 3
    data = "".join(f"{line}\n" for line in lines).encode("utf-8", "surrogatepass")
    assert not differing(data, clean, Wanted(), 1 << 20)


@pytest.mark.parametrize("quoted", [True, False])
def test_ordinary_records_are_read_in_c(tmp_path: Path, *, quoted: bool) -> None:
    """Else nothing above would be tested."""
    draw = Random(5)
    record: dict[str, object] = {
        "httpMethod": "GET",
        "resourcePath": "/orders/{id}",
        "path": "/orders/1",
        "userAgent": "curl/8.5.0",
        "error.message": "-",
        "xrayTraceId": f"Root={ROOT}",
        "integrationRequestId": UUID,
        "requestTime": "01/Mar/2026:10:00:07 +0000",
    }
    lines = []
    for number in range(100):
        record |= {"requestId": logs.uuid(draw), "extendedRequestId": logs.extended_id(draw)}
        numbers = {"status": 200, "requestTimeEpoch": 1772359200116 + number, "integrationLatency": 40 * number}
        record |= {key: str(value) if quoted else value for key, value in numbers.items()}
        lines.append(json.dumps(record, separators=None if quoted else (",", ":")))
    one = surveyed(tmp_path / "access.log", "".join(f"{line}\n" for line in lines).encode())
    with mock.patch.object(AccessRoad, "_read", side_effect=AssertionError):
        told = read_by(one, Wanted(), 1 << 20, in_c=True)
    assert len(told["ident"]) == 100  # type: ignore[arg-type]
    assert told["entries"] == list(range(50, 100))


def test_a_block_may_be_read_from_anywhere() -> None:
    """Positions outside of it are its end."""
    records = native().Records(keys=(b'"status"',), targets=(4,), idents=b"", windows=b"", slow_from_ms=1.0)  # type: ignore[union-attr]
    for start in (-5, 3, 9, 2**40):
        assert records.lines(b"\n\n\n", start, 7, 0, Traffic)[2] == 7
    assert records.lines(b"\n{\n", 0, 7, 0, Traffic) == (1, 2, 8)
