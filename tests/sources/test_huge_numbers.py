"""Numbers of hundreds of digits are no times and no durations; none of them raises."""

from pathlib import Path

import pytest

from apigw_doctor.model.times import from_epoch, iso, parse_time
from apigw_doctor.sources.collect import collect

HUGE = "9" * 400
ID = "c0ffee00-0000-4000-8000-000000000001"


@pytest.mark.parametrize("text", [HUGE, "1772359200250.5e400", "1.7e300", f"{HUGE}.5"])
def test_no_time(text: str) -> None:
    assert parse_time(text) is None


def test_no_epoch() -> None:
    assert from_epoch(int(HUGE)) is None
    assert from_epoch(float("inf")) is None


def test_times_out_of_range_can_be_written() -> None:
    """Garbled years, reckoned with an offset."""
    assert iso(-1e15).startswith("0001-01-01T00:00:00")
    assert iso(1e30) == "9999-12-31T23:59:59.999Z"


@pytest.mark.parametrize(
    "line",
    [
        f'{{"timestamp": {HUGE}, "message": "({ID}) Method completed with status: 504"}}',
        f'{{"requestId": "{ID}", "status": "504", "requestTimeEpoch": {HUGE}, "responseLatency": {HUGE}}}',
        f'{{"requestId": "{ID}", "status": {HUGE}, "httpMethod": "GET"}}',
        f'{{"type": "platform.report", "record": {{"requestId": "{ID}", "metrics": {{"durationMs": {HUGE}}}}}}}',
        f"({ID}) Received response. Status: {HUGE}, Integration latency: {HUGE} ms",
        f"REPORT RequestId: {ID}\tDuration: {HUGE} ms\tBilled Duration: {HUGE} ms\tMemory Size: {HUGE} MB",
        f"2026-03-01T10:00:00.250Z {ID} Task timed out after {HUGE} seconds",
    ],
)
def test_a_line_with_a_huge_number_is_evidence_without_it(line: str, tmp_path: Path) -> None:
    Path(tmp_path, "input.log").write_text(f"{line}\n", encoding="utf-8")
    evidence = collect((str(tmp_path),))
    assert len(evidence.requests) + len(evidence.invocations) == 1
