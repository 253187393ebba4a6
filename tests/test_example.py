"""The example incident: made the same every time, and diagnosed as it was made."""

import json
import subprocess
import sys
from pathlib import Path

from apigw_doctor.model.terms import Kind
from apigw_doctor.workflows.diagnose import diagnose_files

EXAMPLES = Path(__file__).parent.parent / "examples"
INCIDENT = EXAMPLES / "checkout-incident"


def test_the_generator_writes_the_committed_files(tmp_path: Path) -> None:
    """Nobody edited the example by hand."""
    subprocess.run([sys.executable, str(EXAMPLES / "make_incident.py"), str(tmp_path)], check=True)
    committed = {path.relative_to(INCIDENT): path.read_bytes() for path in INCIDENT.rglob("*") if path.is_file()}
    made = {path.relative_to(tmp_path): path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert made == committed


def test_every_failed_request_is_diagnosed_as_it_was_made() -> None:
    """Cause, boundary, layer, status, timer and invocation agree with the schedule; nothing else failed."""
    verdicts = {v.request_id: v for v in diagnose_files([str(INCIDENT)]).verdicts if v.kind is Kind.FAILED}
    truth = [json.loads(line) for line in (INCIDENT / "truth.jsonl").read_text(encoding="utf-8").splitlines()]
    assert set(verdicts) == {row["request_id"] for row in truth}
    for row in truth:
        verdict = verdicts[row["request_id"]]
        told = {key: getattr(verdict, key) for key in ("cause", "boundary", "layer", "status", "timed_out")}
        assert told == {key: row[key] for key in told}
        joined = verdict.invocation.request_id if verdict.invocation else None
        assert joined == (row["invocation"] or {}).get("request_id")


def test_lies_in_truth_jsonl_change_nothing(tmp_path: Path) -> None:
    """Ground truth is never evidence."""
    (tmp_path / "truth.jsonl").write_text(
        '{"request_id": "x", "status": 504, "cause": "cold-start"}\n', encoding="utf-8"
    )
    (tmp_path / "access.log").write_bytes((INCIDENT / "access.log").read_bytes())
    diagnosis = diagnose_files([str(tmp_path)])
    assert all(verdict.request_id != "x" for verdict in diagnosis.verdicts)
    assert any("truth.jsonl" in row.origin for row in diagnosis.unread)
