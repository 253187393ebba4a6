"""The reference sets of the benchmarks: always the same, true to their truth, and the harness around them works."""

import doctest
import gzip
import json
import re
import shutil
import sys
from collections import Counter
from pathlib import Path

import pytest
from benchmarks.access import access_line, is_json
from benchmarks.bars import bars
from benchmarks.checks import Truth
from benchmarks.execution import TELLING, execution_chunks, telling_lines
from benchmarks.forms import events
from benchmarks.generate import make_set
from benchmarks.measure import Measured, measure, quoted
from benchmarks.plan import GENERATOR_VERSION, OUTCOMES, Request, plan, shape_of
from benchmarks.report import write_page
from benchmarks.results import Results
from benchmarks.run import main
from benchmarks.tools import FLOOR

_EVENT = re.compile(r"2026-03-01T\d\d:\d\d:\d\d\.\d{3}Z \([0-9a-f-]{36}\) \S")
_MESSAGE_CHARS = 1024 + len(" [TRUNCATED]")


@pytest.fixture(scope="module")
def requests() -> list[Request]:
    """The requests of a set in which every outcome happens."""
    shape = shape_of(0.1)
    return list(plan(shape, 0, shape.blocks))


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of its own, and no program but ours and the C floor."""
    monkeypatch.setenv("APIGW_DOCTOR_BENCH_CACHE", str(tmp_path))
    return tmp_path


def test_a_set_has_the_number_of_requests_and_failures_that_it_promises(requests: list[Request]) -> None:
    """16,000 requests at a tenth of a GB, about 2 % of them failed, of every kind some."""
    outcomes = Counter(request.outcome.name for request in requests)
    assert len(requests) == 16_000
    assert 0.017 < sum(request.outcome.failed for request in requests) / len(requests) < 0.023
    assert set(outcomes) == {*(outcome.name for outcome in OUTCOMES), "fine"}
    assert len({request.id for request in requests}) == len({request.lambda_id for request in requests}) == 16_000


def test_an_event_begins_with_time_and_id_and_is_cut_as_the_gateway_cuts(requests: list[Request]) -> None:
    """Messages have at most 1,024 characters; only bodies go on over lines of their own."""
    for request in requests[:500]:
        text = "".join(chunk for _, chunk in execution_chunks(request))
        for message in re.split(r"\n(?=2026-)", text.rstrip("\n")):
            assert _EVENT.match(message)
            assert len(message) - len("2026-03-01T10:00:00.250Z ") <= _MESSAGE_CHARS
            assert "\n" not in message or " body " in message


def test_the_telling_lines_are_counted_right(requests: list[Request]) -> None:
    """A search for them finds as many as the truth says, in every kind of outcome."""
    for request in requests[:4000]:
        text = "".join(chunk for _, chunk in execution_chunks(request))
        assert len(re.findall(TELLING, text)) == telling_lines(request)


def test_the_traps_are_there(requests: list[Request]) -> None:
    """Bodies quote the gateway's words, and some are printed over several lines."""
    text = "".join(chunk for request in requests[:500] for _, chunk in execution_chunks(request))
    assert "Integration latency: 31000 ms" in text
    assert re.search(r"^(?!2026).*Method completed with status: 500", text, re.MULTILINE)


def test_rows_of_the_access_log_are_json_where_the_truth_says_so(requests: list[Request]) -> None:
    """The others have a doubled quote or an unquoted hyphen."""
    broken = 0
    for request in requests:
        line = access_line(request)
        try:
            json.loads(line)
        except ValueError:
            broken += 1
            assert not is_json(request)
            assert '""' in line or '"integrationLatency": -' in line
        else:
            assert is_json(request)
    assert broken


def test_a_set_is_made_again_byte_by_byte(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The truth and every file are the same in two makings."""
    first = make_set(0.01)
    monkeypatch.setenv("APIGW_DOCTOR_BENCH_CACHE", str(cache / "again"))
    again = make_set(0.01)
    names = [path.relative_to(first) for path in first.rglob("*") if path.is_file()]
    assert names
    assert all((first / name).read_bytes() == (again / name).read_bytes() for name in names)


def test_all_forms_hold_the_same_events(cache: Path) -> None:
    """A container changes nothing in times and messages."""
    plain = next((make_set(0.01) / "execution").rglob("*.log"))
    with plain.open("rb") as file:
        expected = list(events(file))
    relative = plain.relative_to(make_set(0.01))
    packed = make_set(0.01, "gzip") / f"{relative}.gz"
    assert gzip.decompress(packed.read_bytes()) == plain.read_bytes()
    printed = json.loads((make_set(0.01, "filter-log-events") / f"{relative}.json").read_text())
    assert [(event["timestamp"], event["message"]) for event in printed["events"]] == expected
    lines = (make_set(0.01, "json-lines") / f"{relative}.jsonl").read_text().splitlines()
    assert [(row["timestamp"], row["message"]) for row in map(json.loads, lines)] == expected


def test_memory_and_time_of_all_processes_are_measured(tmp_path: Path) -> None:
    """A child's memory counts, and the exit status is that of the command."""
    hold = "import time; held = bytearray(60_000_000); time.sleep(0.3)"
    found = measure(f"{quoted(sys.executable, '-c', hold)}; exit 3", tmp_path / "out")
    assert found.exit_status == 3
    assert found.wall_s >= 0.3
    assert 55 < found.peak_mb < 150


def test_a_section_of_the_page_is_replaced_and_the_rest_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What people wrote around the tables survives, and so does the other section."""
    page = tmp_path / "performance.md"
    monkeypatch.setattr("benchmarks.report.PAGE", page)
    write_page("bench", "first")
    write_page("bench-full", "full")
    page.write_text(page.read_text() + "\nwritten by hand\n")
    write_page("bench", "second")
    text = page.read_text()
    assert text.startswith("# Performance\n")
    assert "first" not in text
    assert text.index("second") < text.index("full") < text.index("written by hand")


def test_bars_are_ratios_inside_one_run() -> None:
    """Ours in 2 s holds 3.5 times a floor of 1 s; 301 MB miss the bar of 300."""
    results = Results()
    results.add(("ours", "plain", 1.0), Measured(2.0, 3.0, 301.0, 1), "")
    results.add((FLOOR, "plain", 1.0), Measured(1.0, 1.0, 10.0, 0), "")
    assert [(bar.measured, bar.holds) for bar in bars(results)] == [(2.0, True), (301.0, False)]


def test_the_examples_in_the_plan_hold() -> None:
    """The docstrings of the plan are run."""
    assert doctest.testmod(sys.modules[plan.__module__]).failed == 0


@pytest.mark.skipif(shutil.which("gcc") is None, reason="no C compiler")
@pytest.mark.parametrize("only", ["ours plain", "C floor"])
def test_the_harness_measures_and_checks(cache: Path, only: str) -> None:
    """The smallest set end to end: our verdicts and the counts of the floor are those of the truth."""
    assert main(["--quick", "--only", only]) == 0
    assert Truth.load(cache / f"v{GENERATOR_VERSION}" / "0.01").totals["requests"] == 1_600
