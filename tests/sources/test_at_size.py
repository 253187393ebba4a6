"""What happens to large inputs on their way: answered, counted, nothing held that need not be."""

import gzip
import os
import signal
import time
from pathlib import Path
from random import Random

import pytest
from tests.sources import logs
from tests.sources.roads import WHOLE, Alike, differences, fast, tolerant

from apigw_doctor.model.errors import DoctorError
from apigw_doctor.model.watch import Silent
from apigw_doctor.sources.bulk import Bulk
from apigw_doctor.sources.collect import collect
from apigw_doctor.sources.crew import run
from apigw_doctor.sources.execution_road import ExecutionRoad
from apigw_doctor.sources.payload import Payloads
from apigw_doctor.sources.portions import Pieces
from apigw_doctor.sources.reading import find_inputs
from apigw_doctor.sources.survey import Surveyed, survey
from apigw_doctor.workflows.diagnose import diagnose_files

ID = "c0ffee00-0000-4000-8000-000000000001"
TIME = "2026-03-01T10:00:00.250Z"
PARTS = Pieces(processes=1, part_bytes=20_000, block_bytes=5000)


def written(path: Path, lines: list[str]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


def surveys(folder: Path) -> list[Surveyed]:
    return [survey(source) for source in find_inputs((str(folder),))]


def some_log(seed: int = 1) -> list[str]:
    return logs.execution_log(Random(seed), 40, 0.0, in_order=True)


def test_a_request_of_very_many_lines_is_read_as_it_goes(tmp_path: Path) -> None:
    """It says the same as read in one piece, and its lines are not held."""
    call = f"{TIME} ({ID}) Endpoint request URI: https://example.com/"
    lines = [
        f"{TIME} ({ID}) Extended Request Id: GVY5nsQl2EcxXLo=",
        f"{TIME} ({ID}) Starting execution for request: {ID}",
    ]
    lines += [f"{call}{number % 7}" for number in range(60_000)]
    lines += [
        f"{TIME} ({ID}) Execution failed due to a timeout error",
        f"{TIME} ({ID}) Method completed with status: 504",
    ]
    written(tmp_path / "execution.log", lines)
    pieces = Pieces(processes=1, part_bytes=10**9, block_bytes=100_000)
    assert not differences(tolerant(tmp_path), fast(tmp_path, pieces), Alike(every_line=False))


def test_of_a_value_over_very_many_lines_only_the_beginning_is_held(tmp_path: Path) -> None:
    """Prose and pretty-printed JSON alike."""
    for kind in ('  "key": "value",', "prose that goes on"):
        lines = [f"{TIME} ({ID}) Starting execution for request: {ID}"] * 3
        lines += [f"{TIME} ({ID}) Endpoint response body before transformations: x", *[kind] * 5000]
        lines += [f"{TIME} ({ID}) Method completed with status: 504"]
        written(tmp_path / "execution.log", lines)
        assert not differences(tolerant(tmp_path), fast(tmp_path, WHOLE), Alike())


def test_a_line_of_many_megabytes_is_passed_over_and_counted(tmp_path: Path) -> None:
    """The lines beside it are read, also in parts."""
    lines = some_log()
    path = written(tmp_path / "execution.log", [*lines[:50], "x" * 9_000_000, *lines[50:]])
    evidence = Bulk(surveys(tmp_path), Payloads(), Silent(), pieces=PARTS).collect()
    assert [row.lines for row in evidence.unread if "MB" in row.reason] == [1]
    assert sum(file.lines for file in evidence.files) == len(lines) + 1
    path.unlink()


def test_a_file_that_grows_while_it_is_read_is_read_to_where_it_ended(tmp_path: Path) -> None:
    """Or further, but never the same line twice."""
    lines = some_log()
    path = written(tmp_path / "execution.log", lines)
    seen = surveys(tmp_path)
    with path.open("a", encoding="utf-8") as file:
        file.write(f"{TIME} ({ID}) Method completed with status: 504\n{TIME} ({ID}) half a li")
    evidence = Bulk(seen, Payloads(), Silent(), pieces=PARTS).collect()
    assert sum(file.lines for file in evidence.files) in (len(lines), len(lines) + 1, len(lines) + 2)
    assert len({row.key for row in evidence.requests}) == len(evidence.requests)


@pytest.mark.parametrize("name", ["execution.log", "access.log", "a/2026/03/01/[$LATEST]0123456789abcdef.log", "x.txt"])
def test_a_file_that_is_gone_when_its_turn_comes_is_a_gap(name: str, tmp_path: Path) -> None:
    """One sentence; the others are read."""
    lines = {
        "execution.log": some_log(2),
        "access.log": logs.access_log(Random(1), 40, 0.0),
        "x.txt": ["what is this"] * 9,
    }.get(name) or logs.lambda_log(Random(1), 9)
    gone, _ = written(tmp_path / name, lines), written(tmp_path / "other.log", some_log())
    seen = surveys(tmp_path)
    gone.unlink()
    evidence = Bulk(seen, Payloads(), Silent(), pieces=PARTS).collect()
    assert [gap.origin for gap in evidence.gaps] == [str(gone)]
    assert len(evidence.requests) + len(evidence.traffic) > 30


def test_empty_files_among_large_ones_are_counted(tmp_path: Path) -> None:
    """They say so, and nothing else changes."""
    written(tmp_path / "execution.log", some_log())
    (tmp_path / "empty.log").touch()
    evidence = collect((str(tmp_path),), bulk_from=0, processes=1)
    assert [row.reason for row in evidence.unread] == ["the file is empty"]


def test_chunks_in_any_order_tell_the_same(tmp_path: Path) -> None:
    """Exported chunks follow no order; every chunk is in order inside."""
    lines = some_log(3)
    size = 40
    chunks = [lines[at : at + size] for at in range(0, len(lines), size)]
    Random(1).shuffle(chunks)
    # A value that goes on in another chunk cannot be told from other lines: leave them out.
    written(tmp_path / "execution.log", [line for chunk in chunks for line in chunk if "(" in line[:90]])
    assert not differences(tolerant(tmp_path), fast(tmp_path, WHOLE), Alike())


def test_a_damaged_member_of_a_compressed_log_is_a_gap_on_the_fast_road(tmp_path: Path) -> None:
    """What stands before and behind it is read."""
    lines = some_log()
    thirds = [lines[at::3] for at in range(3)]
    members = [bytearray(gzip.compress("".join(f"{line}\n" for line in third).encode())) for third in thirds]
    middle = len(members[1]) // 2
    members[1][middle : middle + 40] = bytes(40)
    (tmp_path / "execution.log.gz").write_bytes(b"".join(members))
    evidence = collect((str(tmp_path),), bulk_from=0, processes=1)
    assert len(evidence.gaps) == 1
    assert sum(file.lines for file in evidence.files) > len(thirds[0]) + len(thirds[2])


def test_many_small_files_are_read_together(tmp_path: Path) -> None:
    """One request each."""
    for number in range(300):
        request_id = f"{ID[:-4]}{number:04d}"
        status = 504 if number % 50 == 0 else 200
        words = (f"Starting execution for request: {request_id}", f"Method completed with status: {status}")
        written(tmp_path / f"{number}.log", [f"{TIME} ({request_id}) {text}" for text in words])
    diagnosis = diagnose_files((str(tmp_path),))
    assert (diagnosis.summary.requests, diagnosis.summary.failed) == (300, 6)


def _killed(task: int, shared: object) -> int:
    if task == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return task


def test_a_worker_that_is_killed_ends_the_run_in_one_sentence() -> None:
    """It does not hang."""
    with pytest.raises(DoctorError, match="a worker process was killed"):
        list(run(_killed, range(8), None, 2))


def test_long_runs_of_odd_lines_take_time_in_proportion(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The event before them is looked for once."""
    looked = 0
    look = ExecutionRoad._event_before

    def counted(road: ExecutionRoad, at: int) -> tuple[int, bytes] | None:
        nonlocal looked
        looked += at - road._looked_at
        return look(road, at)

    monkeypatch.setenv("APIGW_DOCTOR_NATIVE", "0")
    monkeypatch.setattr(ExecutionRoad, "_event_before", counted)
    written(tmp_path / "execution.log", [*some_log(), *["what is this"] * 20_000])
    fast(tmp_path, Pieces(1, 10**9, 1 << 20), surveys_of(some_log(), tmp_path.parent / "clean.log"))
    assert looked < 50_000


def surveys_of(lines: list[str], path: Path) -> Surveyed:
    return survey(find_inputs((str(written(path, lines)),))[0])


def _waits(task: int, shared: object) -> bytes:
    if task:
        time.sleep(0.2)
    return bytes(5_000_000)


def test_a_run_that_is_given_up_ends_while_results_are_on_the_way() -> None:
    """A worker that is told to stop never leaves half a result, which would be waited for without end."""
    for _ in range(5):
        results = run(_waits, range(12), None, 2)
        next(results)
        with pytest.raises(ZeroDivisionError):
            results.throw(ZeroDivisionError())  # type: ignore[attr-defined]
