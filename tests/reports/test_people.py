"""What the reports for people promise: width, plainness, and that hostile text stays text."""

import re
from collections.abc import Callable

import pytest

from apigw_doctor.diagnosis.verdict import Diagnosis
from apigw_doctor.model.terms import Boundary, Kind, Layer
from apigw_doctor.reports import markdown, text, why
from tests.reports import sample

CONTROLS = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")
FENCE = re.compile(r"^(`{3,})\w*\n.*?^\1$", re.MULTILINE | re.DOTALL)

PLAIN: dict[str, Callable[[], str]] = {
    "text": lambda: text.render(sample.diagnosis()),
    "quiet": lambda: text.render(sample.quiet()),
    "markdown": lambda: markdown.render(sample.diagnosis()),
    "why": lambda: "".join(why.render(item, titles=sample.TITLES) for item in (*sample.failed(), *sample.near())),
    "ascii": lambda: why.render(sample.verdict(), titles={}, ascii_only=True),
}


def is_of_a_command(line: str) -> bool:
    """A command, or one of its continuation lines that is a single word."""
    return re.match(r" +(aws |apigw-doctor |['\"])", line) is not None


@pytest.mark.parametrize("name", PLAIN)
def test_no_control_character_leaves_a_report(name: str) -> None:
    """Neither colours, nor titles of windows, nor directions."""
    assert not CONTROLS.search(PLAIN[name]())


@pytest.mark.parametrize("width", [60, 80, 100, 140])
@pytest.mark.parametrize("answer", [sample.diagnosis(), sample.quiet()], ids=["failures", "quiet"])
def test_only_commands_are_wider_than_the_screen(answer: Diagnosis, width: int) -> None:
    """And of those only words that must not be broken."""
    wide = [line for line in text.render(answer, width=width).splitlines() if len(line) > width]
    assert [line for line in wide if not is_of_a_command(line)] == []


@pytest.mark.parametrize("width", [60, 80, 100, 140])
def test_one_request_fits_the_screen(width: int) -> None:
    """The drawing takes what room there is."""
    for item in (*sample.failed(), *sample.near()):
        wide = [line for line in why.render(item, titles=sample.TITLES, width=width).splitlines() if len(line) > width]
        assert [line for line in wide if not is_of_a_command(line)] == []


def test_the_first_screen_says_what_happened_whom_to_call_and_what_to_do() -> None:
    """Fifty lines are what one sees without scrolling."""
    lines = text.render(sample.diagnosis()).splitlines()
    screen = " ".join(" ".join(lines[:50]).split())
    assert screen.startswith("17 of 1,204 requests failed")
    assert "integration-timeout 12" in screen
    assert "the owner of the called service" in screen
    assert "client-timeouts): saves 12 of 17" in screen
    assert "stalled-call DEP101" in screen


def test_commands_arrive_whole() -> None:
    """They are to be pasted: continuation lines join to the very command."""
    joined = re.sub(r" \\\n +", " ", text.render(sample.diagnosis()))
    assert sample.RAISE_TIMEOUT in joined
    assert sample.ACCESS_LOGGING in joined


def test_a_command_that_was_shown_is_named_instead_of_repeated() -> None:
    """The access-log format alone is a screen full."""
    made = text.render(sample.diagnosis())
    assert made.count("$context.integration.error") == 1
    assert "command: the one of access-logging above" in made


def test_colour_is_only_where_it_was_asked_for() -> None:
    """NO_COLOR and pipes get the same words without one escape code."""
    colored = text.render(sample.diagnosis(), color=True)
    assert "\x1b[" in colored
    assert re.sub(r"\x1b\[[0-9;]*m", "", colored).split() == text.render(sample.diagnosis()).split()


def test_environment_does_not_force_colour(monkeypatch: pytest.MonkeyPatch) -> None:
    """The caller has decided; rich is not asked again."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TTY_COMPATIBLE", "1")
    assert "\x1b" not in text.render(sample.diagnosis())


def test_markup_of_rich_stays_text() -> None:
    """A line of a log is never read as a style or a link."""
    for made in (text.render(sample.diagnosis()), why.render(sample.verdict(), titles={})):
        assert "[bold red]owned[/bold red]" in made
        assert "<script>alert(1)</script>" in made


def test_hostile_text_is_inert_in_markdown() -> None:
    """Outside fences there is no tag, no mention and no link; every row of a table keeps its cells."""
    made = FENCE.sub("", markdown.render(sample.diagnosis()))
    outside = re.sub(r"(`+).+?\1", "", made)
    assert "<" not in outside
    assert "@" not in outside
    assert "http://" not in outside
    assert not re.search(r"(?<!\\)\]\(", outside)


def test_rows_of_markdown_tables_have_the_cells_of_their_heading() -> None:
    """A bar in a route or a file name does not open a new cell."""
    tables = re.findall(r"(?:^\|.*\|\n)+", FENCE.sub("", markdown.render(sample.diagnosis())), re.MULTILINE)
    assert len(tables) >= 4
    for table in tables:
        cells = {len(re.findall(r"(?<!\\)\|", line)) for line in table.splitlines()}
        assert len(cells) == 1


def test_no_failure_is_said_plainly() -> None:
    """With what was there and what came near."""
    made = text.render(sample.quiet())
    assert "no request failed in this evidence" in made
    assert "COVERAGE" in made
    assert "NEAR THE LIMIT" in made
    assert "CAUSES" not in made
    assert "FIXES" not in made


@pytest.mark.parametrize("part", ["findings", "unread", "notes", "gaps", "routes", "fixes", "coverage", "verdicts"])
def test_an_empty_section_has_no_heading(part: str) -> None:
    """Nor does any other section fail without it."""
    made = text.render(sample.diagnosis(**{part: ()})) + markdown.render(sample.diagnosis(**{part: ()}))
    heading = {"routes": "Worst routes", "verdicts": "Failed requests", "gaps": "not to be had"}.get(part, part)
    if part != "coverage":
        assert f"\n{heading.upper()}" not in made
    assert f"### {heading.capitalize()}" not in made


def test_every_cause_is_among_the_requests_shown() -> None:
    """A frequent cause does not crowd out a rare one."""
    shown = text.render(sample.diagnosis()).split("FAILED REQUESTS")[1]
    for code in ("DEP101", "CAP101", "UNK000", "FUN102", "INI101"):
        assert code in shown
    assert "5 more" in shown


def test_a_percentile_over_few_requests_carries_a_mark() -> None:
    """Ten slower requests are the least that one can lean on: n of 10 / (1 - p)."""
    made = text.render(sample.diagnosis())
    assert "29,003  29,003  29,000  POST /orders/{id}" in made
    assert "1,303*  29,003  29,000  GET /orders/{id}/items" in made


def test_the_ascii_drawing_is_ascii() -> None:
    """For a terminal that cannot show blocks."""
    assert why.render(sample.verdict(), titles={}, ascii_only=True).isascii()


def test_bars_are_to_scale_and_the_clock_stands_at_their_end() -> None:
    """A segment of half the time is half as long; work after the cut is drawn behind the line."""
    half = (
        sample.segment(Layer.INIT, "init", 0, 14_500),
        sample.segment(Layer.FUNCTION, "run", 14_500, 14_500, "inferred"),
    )
    item = sample.verdict(segments=half, elapsed_ms=29_000.0, invocation=None)
    rows = [line for line in why.render(item, titles={}).splitlines() if line.startswith(("  init ", "  function "))]
    assert abs(rows[0].count("█") - rows[1].count("░")) <= 1
    assert rows[0].index("│") == rows[1].index("│") == rows[1].rindex("░") + 1


@pytest.mark.parametrize("boundary", list(Boundary))
@pytest.mark.parametrize("kind", list(Kind))
def test_every_boundary_is_drawn_and_told(boundary: Boundary, kind: Kind) -> None:
    """Whatever is known of it."""
    timed_out = boundary not in (Boundary.NONE, Boundary.UNKNOWN) and kind is Kind.FAILED
    for known in (True, False):
        changes = {} if known else {"timer_ms": None, "elapsed_ms": None, "limit_ms": None, "limit_basis": None}
        made = why.render(sample.verdict(boundary=boundary, kind=kind, timed_out=timed_out, **changes), titles={})
        assert (f"{boundary.value}" in made) or not timed_out
