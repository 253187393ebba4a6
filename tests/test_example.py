"""The example incident: made the same every time, and diagnosed as it was made."""

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from apigw_doctor.diagnosis.verdict import Diagnosis
from apigw_doctor.model.terms import Kind
from apigw_doctor.workflows.diagnose import diagnose_files

EXAMPLES = Path(__file__).parent.parent / "examples"
INCIDENT = EXAMPLES / "checkout-incident"
TRUTH: list[dict[str, Any]] = [
    json.loads(line) for line in (INCIDENT / "truth.jsonl").read_text(encoding="utf-8").splitlines()
]


@pytest.fixture(scope="module")
def diagnosis() -> Diagnosis:
    """The tool's answer."""
    return diagnose_files([str(INCIDENT)])


def files(folder: Path) -> dict[Path, bytes]:
    """Everything below `folder`."""
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_generator_writes_the_committed_files(tmp_path: Path) -> None:
    """Nobody edited the example by hand, and it stays small."""
    subprocess.run([sys.executable, str(EXAMPLES / "make_incident.py"), str(tmp_path)], check=True)
    assert files(tmp_path) == files(INCIDENT)
    assert sum(map(len, files(INCIDENT).values())) < 600_000


def test_exactly_the_requests_that_failed_are_told_as_failed(diagnosis: Diagnosis) -> None:
    """No red herring among them: refusals, retries, a slow authorizer, an init before the first request."""
    failed = [verdict.request_id for verdict in diagnosis.verdicts if verdict.kind is Kind.FAILED]
    assert sorted(map(str, failed)) == sorted(row["request_id"] for row in TRUTH)


@pytest.mark.parametrize("row", TRUTH, ids=lambda row: f"{row['cause']}-{row['request_id'][:8]}")
def test_every_failed_request_is_diagnosed_as_it_was_made(diagnosis: Diagnosis, row: dict[str, Any]) -> None:
    """Cause, boundary, layer, status, timer and invocation agree with the schedule."""
    verdict = next(verdict for verdict in diagnosis.verdicts if verdict.request_id == row["request_id"])
    told = {key: getattr(verdict, key) for key in ("cause", "boundary", "layer", "status", "timed_out")}
    assert told == {key: row[key] for key in told}
    joined = verdict.invocation.request_id if verdict.invocation else None
    assert joined == (row["invocation"] or {}).get("request_id")


def test_the_headline_names_the_counts(diagnosis: Diagnosis) -> None:
    """How many failed, how many of them by a timer, and the commonest cause."""
    requests = len((INCIDENT / "access.log").read_text(encoding="utf-8").splitlines())
    timed_out = sum(row["timed_out"] for row in TRUTH)
    causes = Counter(row["cause"] for row in TRUTH)
    headline = diagnosis.summary.headline
    assert headline.startswith(f"{len(TRUTH)} of {requests} requests failed, {timed_out} of them timed out")
    assert f"{max(causes.values())} by " in headline
    assert dict(diagnosis.summary.by_cause) == causes


def test_only_the_request_of_27_seconds_is_near_its_limit(diagnosis: Diagnosis) -> None:
    """Provisioned concurrency ran its init minutes before the first quote, off that request's clock."""
    near = [verdict for verdict in diagnosis.verdicts if verdict.kind is Kind.NEAR_LIMIT]
    assert [(verdict.route, verdict.status) for verdict in near] == [("/search", 200)]


def test_lies_in_truth_jsonl_change_nothing(tmp_path: Path) -> None:
    """Ground truth is never evidence."""
    (tmp_path / "truth.jsonl").write_text(
        '{"request_id": "x", "status": 504, "cause": "cold-start"}\n', encoding="utf-8"
    )
    (tmp_path / "access.log").write_bytes((INCIDENT / "access.log").read_bytes())
    told = diagnose_files([str(tmp_path)])
    assert all(verdict.request_id != "x" for verdict in told.verdicts)
    assert any("truth.jsonl" in row.origin for row in told.unread)
