"""Logs of another time zone are moved onto the gateway's clock where ids prove it."""

from datetime import datetime, timedelta
from pathlib import Path

from apigw_doctor.workflows.diagnose import diagnose_files

INCIDENT = Path(__file__).parent.parent.parent / "examples" / "checkout-incident"


def test_lambda_logs_in_local_time_without_a_zone_give_the_same_verdicts(tmp_path: Path) -> None:
    """Nine hours off, and no line says so."""
    for path in INCIDENT.rglob("*"):
        if path.is_file():
            target = tmp_path / path.relative_to(INCIDENT)
            target.parent.mkdir(parents=True, exist_ok=True)
            text = path.read_text(encoding="utf-8")
            target.write_text(
                text if path.suffix != ".log" or "lambda" not in path.parts else local(text), encoding="utf-8"
            )
    here, moved = diagnose_files([str(INCIDENT)]), diagnose_files([str(tmp_path)])
    assert [(v.request_id, v.cause, v.confidence) for v in moved.verdicts] == [
        (v.request_id, v.cause, v.confidence) for v in here.verdicts
    ]
    assert any("+9.00 h off the gateway's" in note for note in moved.notes)


def local(text: str) -> str:
    """Times nine hours later and without a zone; Python's own times in the line are left out."""
    lines = []
    for line in text.splitlines():
        time, _, rest = line.partition("Z ")
        try:
            at = datetime.fromisoformat(time) + timedelta(hours=9)
        except ValueError:
            lines.append(line)
            continue
        parts = rest.split("\t")
        if parts[0] == "[INFO]":
            rest = f"{parts[2]} INFO {parts[3]}"
        lines.append(f"{at.isoformat(sep=' ', timespec='milliseconds')} {rest}")
    return "\n".join(lines) + "\n"
