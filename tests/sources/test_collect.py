"""The reader as a whole: nothing makes it raise, nothing is lost, order and repetition do not matter."""

import random
import tempfile
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apigw_doctor.evidence.tables import Evidence
from apigw_doctor.model.errors import NothingReadable
from apigw_doctor.sources.collect import collect
from apigw_doctor.workflows.diagnose import diagnose_files

INCIDENT = Path(__file__).parent.parent.parent / "examples" / "checkout-incident"
LINES = [
    line
    for path in sorted(INCIDENT.rglob("*"))
    if path.is_file() and path.name != "truth.jsonl"
    for line in path.read_text(encoding="utf-8").splitlines()
]
FRAGMENTS = [
    "(c0ffee00-0000-4000-8000-000000000001) ",
    "Execution failed due to a timeout error",
    "Method completed with status: 504",
    "Extended Request Id: K2G9wEbUoAMEvag=",
    "2026-03-01T10:00:00.250Z ",
    "START RequestId: c0ffee00-0000-4000-8000-000000000002 Version: $LATEST",
    "REPORT RequestId: c0ffee00-0000-4000-8000-000000000002\tDuration: 3000.00 ms\tBilled Duration: 3000 ms",
    '{"requestId": "c0ffee00-0000-4000-8000-000000000001", "status": "504"',
    "}",
    "[",
    '"',
    "| @timestamp | @message |",
    "timestamp,message\n",
    "<tr><td>",
    "#Fields: date time",
    "\n",
    "\x00",
    "\x1b[31m",
    "> GET / HTTP/2\n< HTTP/2 504\n",
]


def read(data: bytes, name: str = "input.log") -> Evidence | None:
    """The evidence in one file; None when there is none."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / name).write_bytes(data)
        try:
            return collect((folder,))
        except NothingReadable:
            return None


def facts(evidence: Evidence) -> dict[str, set[bytes]]:
    """Rows without their places, to compare readings."""
    rows: dict[str, set[bytes]] = {}
    for name in ("requests", "invocations"):
        bare = []
        for row in getattr(evidence, name):
            value = msgspec.to_builtins(row)
            for field in (
                "cites",
                "lines",
                "init_reports",
                "endpoint_body",
                "line_count",
                "stream",
                "log_group",
                "function",
            ):
                value.pop(field, None)
            for field in (
                "first_in_stream",
                "position",
                "previous_ended_at",
                "sources",
                "logged_ids",
                "api_id",
                "stage",
            ):
                value.pop(field, None)
            bare.append(value)
        rows[name] = {msgspec.json.encode(value, order="deterministic") for value in bare}
    return rows


@given(st.lists(st.sampled_from(FRAGMENTS) | st.text(max_size=40), max_size=40).map("".join))
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_no_text_makes_the_reader_raise(text: str) -> None:
    """Whatever is pasted, there is an answer or one clear sentence."""
    evidence = read(text.encode("utf-8", "surrogatepass"))
    assert evidence is None or evidence.files


@given(st.binary(max_size=400))
@settings(max_examples=150, deadline=None)
def test_no_bytes_make_the_reader_raise(data: bytes) -> None:
    """Also behind the marks of compressed files."""
    for head in (b"", b"\x1f\x8b\x08\x00", b"\x28\xb5\x2f\xfd", b"\xff\xfe"):
        evidence = read(head + data)
        assert evidence is None or evidence.files or evidence.gaps


@given(st.lists(st.sampled_from(LINES), min_size=1, max_size=60), st.data())
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_mutated_lines_of_a_real_incident_are_diagnosed_without_a_traceback(
    lines: list[str], data: st.DataObject
) -> None:
    """Cut, doubled and mixed lines may be counted as unread, but never break anything."""
    at = data.draw(st.integers(0, len(lines) - 1))
    lines[at] = lines[at][: data.draw(st.integers(0, len(lines[at])))]
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "paste.txt").write_text("\n".join(lines), encoding="utf-8")
        try:
            diagnosis = diagnose_files([folder])
        except NothingReadable:
            return
    assert diagnosis.summary.failed <= len(diagnosis.verdicts)


@pytest.mark.parametrize("seed", range(5))
def test_the_order_of_execution_log_lines_does_not_matter(seed: int) -> None:
    """Exported chunks are not sorted inside."""
    path = next(INCIDENT.glob("API-Gateway*/prod/*.log"))
    # Bodies over several lines are one event each: keep them together.
    text = path.read_text(encoding="utf-8").replace("\n  ", "\\n  ").replace("\n}", "\\n}")
    lines = text.splitlines()
    shuffled = random.Random(seed).sample(lines, len(lines))
    straight, mixed = read("\n".join(lines).encode()), read("\n".join(shuffled).encode())
    assert straight is not None
    assert mixed is not None
    assert facts(straight)["requests"] == facts(mixed)["requests"]


def test_the_same_export_twice_adds_nothing() -> None:
    """As a copy of the folder beside the first one."""
    once = diagnose_files([str(INCIDENT)])
    twice = diagnose_files([str(INCIDENT), str(INCIDENT / "access.log")])
    with tempfile.TemporaryDirectory() as folder:
        for number in (1, 2):
            for path in INCIDENT.rglob("*"):
                target = Path(folder) / str(number) / path.relative_to(INCIDENT)
                if path.is_file():
                    target.parent.mkdir(parents=True, exist_ok=True)
                    target.write_bytes(path.read_bytes())
        doubled = diagnose_files([folder])
    for other in (twice, doubled):
        assert other.summary.requests == once.summary.requests
        assert other.summary.invocations == once.summary.invocations
        assert [(v.request_id, v.cause, v.confidence) for v in other.verdicts] == [
            (v.request_id, v.cause, v.confidence) for v in once.verdicts
        ]


def test_every_line_of_a_container_free_log_is_known_or_counted() -> None:
    """Nothing is dropped silently."""
    evidence = read(
        b"START RequestId: c0ffee00-0000-4000-8000-000000000002 Version: 1\nhello\nEND RequestId: c0ffee00-0000-4000-8000-000000000002\nwhat is this\nand this\n"
    )
    assert evidence is not None
    assert sum(row.lines for row in evidence.unread) == 2
