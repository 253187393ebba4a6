"""The native gatherer of execution logs: what it gives for a block, and what it does with what it cannot take."""

from collections.abc import Callable
from typing import Any

import pytest

from apigw_doctor.evidence.traffic import COLUMNS, Traffic, half_id, id64
from apigw_doctor.sources.execution_shapes import COMPLETED, EXTENDED, OTHER, STARTED, Shapes
from apigw_doctor.sources.layout import Layout, Moments
from apigw_doctor.sources.native import native

module = native()
pytestmark = pytest.mark.skipif(module is None, reason="the native part was not built")

LAYOUT = Layout(25, timed=True)
ONE, TWO = "c0ffee00-0000-4000-8000-000000000001", "c0ffee00-0000-4000-8000-000000000002"
URI = "https://lambda.eu-west-1.amazonaws.com/2015-03-31/functions/arn:aws:lambda:eu-west-1:1:function:orders-fn/invocations"
COURSE = (
    "Extended Request Id: AbCdEfGhIjKlMnO=",
    "Starting execution for request: {id}",
    "HTTP Method: GET, Resource Path: /orders",
    "API Key  authorized because method 'GET /orders' does not require API Key.",
    f"Endpoint request URI: {URI}",
    f"Sending request to {URI}",
    "Received response. Status: 200, Integration latency: 41 ms",
    "Endpoint response headers: {{x-amzn-RequestId=aaaaaaaa-0000-4000-8000-000000000009, Connection=keep-alive}}",
    'Endpoint response body before transformations: {{"ok": true}}',
    "Method completed with status: 200",
)


def lines(request_id: str, second: int = 0, course: tuple[str, ...] = COURSE) -> list[str]:
    return [
        f"2026-03-01T10:00:{second:02d}.{at:03d}Z ({request_id}) {words.format(id=request_id)}"
        for at, words in enumerate(course, 100)
    ]


def block(*parts: list[str], end: str = "\n") -> bytes:
    return "".join(f"{line}{end}" for part in parts for line in part).encode()


def gatherer(**changed: Any) -> Any:
    shapes = Shapes()
    given: dict[str, Any] = {
        "column": LAYOUT.column,
        "words": LAYOUT.words,
        "stamped": False,
        "slow_from_ms": 2000.0,
        "moment_of": Moments(LAYOUT).of,
        "kind_of": shapes.learn,
        "plan_of": shapes.places_told,
        "place_of": lambda course, lines: 7,
        "names_invocation": lambda body: False,
        "idents": frozenset(),
        "asks_for": None,
    }
    assert module is not None
    return module.Execution(**given | changed)


def entries(columns: tuple[bytes, ...]) -> list[tuple[Any, ...]]:
    traffic = Traffic()
    traffic.take_columns(columns)
    return list(zip(*(getattr(traffic, name) for name in COLUMNS), strict=True))


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r\r\n"])
def test_an_ordinary_request_becomes_one_entry(end: str) -> None:
    """With all that its lines say."""
    found = gatherer()
    assert found.gather(block(lines(ONE), end=end)) == (len(COURSE), len(COURSE) - 1, [])
    columns, slow, others = found.settle(({}, {}, set()), None)
    assert (slow, others) == ([], [])
    begun = 1772359200100.0
    assert entries(columns) == [
        (
            id64(ONE), half_id("AbCdEfGhIjKlMnO="), id64("aaaaaaaa-0000-4000-8000-000000000009"), 7,
            begun, begun + 9, 41.0, 200, 29,
        )
    ]  # fmt: skip


def test_interleaved_requests_are_told_apart() -> None:
    """Also where one is not complete; its lines come back as they stand."""
    found = gatherer()
    both = [line for pair in zip(lines(ONE), lines(TWO), strict=True) for line in pair]
    found.gather(block(both[:-1]))
    columns, _, others = found.settle(({}, {}, set()), None)
    assert [row[0] for row in entries(columns)] == [id64(ONE)]
    [(key, positions, kept, course)] = others
    assert (key, positions) == (f"({TWO}) ".encode(), list(range(1, 19, 2)))
    assert [line.decode() for line in kept] == lines(TWO)[:-1]
    assert (course[:2], COMPLETED in course) == ((EXTENDED, STARTED), False)


def test_odd_lines_are_told_in_runs() -> None:
    """With the line of the layout before them; blank lines are passed over, and end a run."""
    text = [*lines(ONE)[:9], '  "a": 1,', "}", "", "what is this", *lines(ONE)[9:]]
    found = gatherer()
    assert found.gather(block(text)) == (14, 13, [(9, 2, 8), (12, 1, 8)])
    assert (found.stretch(9, 2), found.line(12)) == (b'  "a": 1,\n}', b"what is this")
    assert found.gather(b"odd\nodd too") == (2, -1, [(0, 2, -1)])


def test_an_odd_line_can_join_a_request() -> None:
    """Which is then handed over, its lines in the order of the file."""
    found = gatherer()
    found.gather(block(lines(ONE)[:3], ["joined"], lines(ONE)[3:]))
    found.join(f"({ONE}) ".encode(), 3)
    for taken in (0, 3):
        with pytest.raises(ValueError, match="has its request"):
            found.join(b"(another) ", taken)
    columns, _, others = found.settle(({}, {}, set()), None)
    assert entries(columns) == []
    [(key, positions, _, course)] = others
    assert (key, positions, course[3]) == (f"({ONE}) ".encode(), list(range(11)), OTHER)


def test_slow_requests_are_kept_too() -> None:
    """As a list of lines, or packed."""
    course = tuple(words.replace("41 ms", "2000 ms") for words in COURSE)
    found = gatherer()
    found.gather(block(lines(ONE), lines(TWO, course=course)))
    columns, slow, _ = found.settle(({}, {}, set()), None)
    assert ([row[6] for row in entries(columns)], [entry for entry, _, _ in slow]) == ([41.0, 2000.0], [1])
    found.gather(block(lines(TWO, course=course)))
    _, (numbers, lengths, packed), _ = found.settle(({}, {}, set()), (3, 1000))
    assert (len(numbers), int.from_bytes(lengths, "little")) == (8, len(packed))


@pytest.mark.parametrize(
    "changed",
    [
        {"idents": frozenset((id64(ONE),))},
        {"asks_for": lambda ident, at: True},
        {"place_of": lambda course, lines: None},
        {"moment_of": lambda line: None},
        {"plan_of": lambda course: None},
    ],
)
def test_what_is_asked_for_or_not_known_is_handed_over(changed: dict[str, Any]) -> None:
    """Nothing is entered then."""
    found = gatherer(**changed)
    found.gather(block(lines(ONE)))
    columns, _, others = found.settle(({}, {}, set()), None)
    assert (entries(columns), len(others)) == ([], 1)


@pytest.mark.parametrize("apart", [({f"({ONE}) ".encode(): 1}, {}, set()), ({}, {}, {f"({ONE}) ".encode()})])
def test_requests_that_go_on_from_elsewhere_are_handed_over(apart: tuple[Any, ...]) -> None:
    """They may have lines in another block."""
    found = gatherer()
    found.gather(block(lines(ONE)))
    assert len(found.settle(apart, None)[2]) == 1


@pytest.mark.parametrize(
    ("at", "words"),
    [
        (6, "Received response. Status: 500, Integration latency: 41 ms"),
        (6, "Received response. Status: 429, Integration latency: 41 ms"),
        (6, "Received response. Integration latency: 4111111111111111 ms"),
        (6, "Received response. Integration latency: ms"),
        (5, "Sending request to https://elsewhere.example.com/"),
        (7, "Endpoint response headers: {{X-Amzn-Requestid=aaaaaaaa-0000-4000-8000-000000000009}}"),
        (7, "Endpoint response headers: {{x-amzn-RequestId=aaaaaaaa}}"),
        (9, "Method completed with status: 500"),
        (9, "Method completed with status: "),
        (0, "Extended Request Id: \u00e4"),
    ],
)
def test_words_of_another_form_are_handed_over(at: int, words: str) -> None:
    """Python knows what they mean."""
    course = (*COURSE[:at], words, *COURSE[at + 1 :])
    found = gatherer()
    found.gather(block(lines(ONE, course=course)))
    columns, _, others = found.settle(({}, {}, set()), None)
    assert (entries(columns), len(others)) == ([], 1)


def test_events_are_stamped() -> None:
    """Where all times are whole and all messages text; else Python has to do it."""
    found = gatherer(column=14, words=53, stamped=True)
    messages = [line[25:] for line in lines(ONE)]
    times: list[float | None] = [1772359200100.0 + at for at in range(len(messages))]
    assert found.gather_events(times, messages) == (len(messages), len(messages) - 1, [])
    assert found.line(0) == b"1772359200100 " + messages[0].encode()
    assert len(entries(found.settle(({}, {}, set()), None)[0])) == 1
    for odd in (None, 0.5, -1.0, 1e13, float("nan")):
        assert found.gather_events([odd, *times[1:]], messages) is None
    assert found.gather_events(times, ["\ud800", *messages[1:]]) is None


def settled(found: Any, text: bytes) -> Any:
    found.gather(text)
    return found.settle(({}, {}, set()), None)


def raising(*_: object) -> Any:
    raise RuntimeError("asked")


@pytest.mark.parametrize("name", ["kind_of", "plan_of", "place_of", "moment_of", "asks_for", "names_invocation"])
def test_what_python_raises_comes_through(name: str) -> None:
    """And the gatherer can be used again."""
    course = (*COURSE[:7], "Endpoint response body before transformations: RequestId: x", COURSE[9])
    found = gatherer(**{name: raising})
    for _ in range(2):
        with pytest.raises(RuntimeError, match="asked"):
            settled(found, block(lines(ONE, course=course)))


@pytest.mark.parametrize(
    ("misuse", "error"),
    [
        (lambda found: found.gather("text"), TypeError),
        (lambda found: found.gather(["text"]), TypeError),
        (lambda found: found.gather_events([1.0], []), ValueError),
        (lambda found: found.line(0), IndexError),
        (lambda found: found.line(-1), IndexError),
        (lambda found: found.stretch(0, 1), IndexError),
        (lambda found: found.join(b"", 0), ValueError),
        (lambda found: found.join(b"(x) ", 0), IndexError),
        (lambda found: found.holds(b"()"), ValueError),
        (lambda found: found.settle([], None), TypeError),
        (lambda found: gatherer(words=3), ValueError),
    ],
)
def test_misuse_raises(misuse: Callable[[Any], object], error: type[Exception]) -> None:
    """It reads nothing that is not there."""
    with pytest.raises(error):
        misuse(gatherer())


def test_a_line_that_was_cut_spoils_no_other() -> None:
    """Kinds are looked up by first words, which a damaged line may share with a sound one; in either order."""
    for damaged in ("Method completed wi", "Method completed withAstatus: 200", "Endpoint response headerS: {{}}"):
        for before in (True, False):
            found = gatherer()
            odd = lines(TWO, course=(damaged,))
            found.gather(block(odd, lines(ONE)) if before else block(lines(ONE), odd))
            columns, _, others = found.settle(({}, {}, set()), None)
            assert ([row[0] for row in entries(columns)], len(others)) == ([id64(ONE)], 1)
            found.gather(block(odd))
            assert found.settle(({}, {}, set()), None)[2][0][3] == (OTHER,)


def test_the_earliest_line_tells_the_arrival() -> None:
    """Whichever it is; one whose time cannot be read has to be looked at."""
    begun = lines(ONE)
    early = [begun[0], begun[1].replace(".101Z", ".001Z"), *begun[2:]]
    found = gatherer()
    found.gather(block(early))
    assert entries(found.settle(({}, {}, set()), None)[0])[0][4] == 1772359200001.0
    found.gather(block([begun[0], begun[1].replace("10:00:00", "10:00:\x0b0"), *begun[2:]]))
    assert len(found.settle(({}, {}, set()), None)[2]) == 1


def test_more_than_one_authorizer_is_handed_over() -> None:
    """Which of the endpoints was called last only Python tells."""
    course = (*COURSE[:4], "Endpoint request URI: https://a", "Endpoint request URI: https://b", *COURSE[4:])
    found = gatherer()
    found.gather(block(lines(ONE, course=course)))
    assert len(found.settle(({}, {}, set()), None)[2]) == 1


@pytest.mark.parametrize("name", ["kind_of", "plan_of", "place_of", "moment_of"])
def test_it_cannot_be_used_while_it_asks(name: str) -> None:
    """Its block would be another one when Python has answered."""
    asked: list[Any] = []

    def back(*_: object) -> Any:
        return asked[0].gather(b"x" * 10_000)

    asked.append(gatherer(**{name: back}))
    with pytest.raises(RuntimeError, match="at work"):
        settled(asked[0], block(lines(ONE)))
