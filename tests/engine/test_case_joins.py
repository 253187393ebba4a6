"""Whatever was read together or apart, one evidence comes of it: over the labelled cases, and over much input."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from benchmarks.generate import make_set
from tests.labelled.harness import CASES, case_files, encoded, load

from apigw_doctor.diagnosis.verdict import Diagnosis
from apigw_doctor.engine.case_file import opened
from apigw_doctor.model.errors import DoctorError
from apigw_doctor.workflows import case as cases
from apigw_doctor.workflows.case import diagnose_case
from apigw_doctor.workflows.diagnose import diagnose_files
from apigw_doctor.workflows.redaction import redacted

#: One labelled case in so many is diagnosed here; the others were when this was written.
_ONE_IN = 29
#: A quoted line is cut to its first characters, and without its secrets it has others.
_CUT_ELSEWHERE = "formats/secrets_in_other_loggers.yaml"


def laid_out(path: Path, folder: Path) -> tuple[list[str], tuple[str, ...]]:
    """The files of a labelled case, and the formats that it is diagnosed with."""
    case = load(path)
    for name, text in case["files"].items():
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(encoded(text, case.get("encode", {}).get(name, [])))
    args = [str(word) for word in case.get("args", [])]
    formats = tuple(args[at + 1] for at, word in enumerate(args) if word == "--access-log-format")
    return sorted(str(folder / name) for name in case["files"]), formats


def attempt(make: Callable[[], Diagnosis]) -> Diagnosis | None:
    try:
        return make()
    except DoctorError:
        return None


def told(diagnosis: Diagnosis | None) -> Any:
    """What must be equal however the files were read: the proof may come in another order, or more of it."""
    if diagnosis is None:
        return None
    found = msgspec.json.decode(msgspec.json.encode(diagnosis))
    for verdict in found["verdicts"]:
        del verdict["evidence"]
    found["verdicts"].sort(key=lambda verdict: (verdict["arrived_at"] or "", str(verdict["request_id"])))
    for name in ("unread", "notes", "gaps"):
        del found[name]
    return found


SOME = case_files()[::_ONE_IN]
NAMES = [str(path.relative_to(CASES)) for path in SOME]


@pytest.mark.parametrize("path", SOME, ids=NAMES)
def test_the_answer_of_a_labelled_case_is_the_same_from_its_case_file(path: Path, tmp_path: Path) -> None:
    """Judged from evidence without secrets, written down and read again."""
    _, formats = laid_out(path, tmp_path / "in")
    kept = tmp_path / "case.duckdb"
    straight = attempt(lambda: redacted(diagnose_files((str(tmp_path / "in"),), formats=formats)))
    first = attempt(lambda: diagnose_case(kept, (str(tmp_path / "in"),), formats=formats))
    if str(path.relative_to(CASES)) != _CUT_ELSEWHERE:
        assert first == straight
    if first is not None:
        with opened(kept, write=True) as file, file.change():
            file.note(1, "the answer is to be given again")
        again = diagnose_case(kept)
        assert msgspec.structs.replace(again, notes=first.notes) == first


SEVERAL = [path for path in case_files() if len(load(path)["files"]) > 1][::_ONE_IN]


@pytest.mark.parametrize("path", SEVERAL, ids=[str(path.relative_to(CASES)) for path in SEVERAL])
@pytest.mark.parametrize("backwards", [False, True])
def test_a_labelled_case_read_file_by_file_gives_the_same(path: Path, tmp_path: Path, backwards: bool) -> None:
    """In either order."""
    names, formats = laid_out(path, tmp_path / "in")
    straight = attempt(lambda: redacted(diagnose_files((str(tmp_path / "in"),), formats=formats)))
    kept = tmp_path / "case.duckdb"
    for name in names[::-1] if backwards else names:
        attempt(lambda name=name: diagnose_case(kept, (name,), formats=formats))  # type: ignore[misc]
    assert told(attempt(lambda: diagnose_case(kept))) == told(straight)


# much input


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """1,600 requests with their access, execution and Lambda logs."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("APIGW_DOCTOR_BENCH_CACHE", str(tmp_path_factory.mktemp("sets")))
        return make_set(0.01)


@pytest.fixture
def in_bulk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small sets are read as if they were large."""
    monkeypatch.setattr(cases, "BULK_BYTES", 0)


@pytest.fixture(scope="module")
def straight(logs: Path, tmp_path_factory: pytest.TempPathFactory) -> Diagnosis:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cases, "BULK_BYTES", 0)
        return diagnose_case(tmp_path_factory.mktemp("case") / "case.duckdb", (str(logs),))


def assert_alike(found: Diagnosis, straight: Diagnosis) -> None:
    """Verdicts and findings are equal; a few well-answered requests may lose their route, or one of their logs."""
    one, other = told(found), told(straight)
    counts = [{row["route"]: row["n"] for row in answer.pop("routes")} for answer in (one, other)]
    for answer in (one, other):
        answer["coverage"] = [(row["evidence"], row["state"]) for row in answer["coverage"]]
    assert one == other
    assert sum(counts[0].values()) == sum(counts[1].values())
    assert sum(abs(counts[0].get(route, 0) - n) for route, n in counts[1].items()) < 5


@pytest.mark.usefixtures("in_bulk")
def test_groups_of_much_input_are_joined_as_one(logs: Path, straight: Diagnosis, tmp_path: Path) -> None:
    """A well-answered request whose lines stood in files of two groups may lose its route, nothing else."""
    kept = tmp_path / "case.duckdb"
    found = diagnose_case(kept, (str(logs),), group_bytes=3_000_000)
    with opened(kept) as file:
        assert len(file.batches()) > 2
        assert sum(len(batch.evidence.traffic) for batch in file.batches()) > 1000
    assert_alike(found, straight)


@pytest.mark.usefixtures("in_bulk")
@pytest.mark.parametrize("order", [("access", "execution", "lambda"), ("lambda", "execution", "access")])
def test_logs_that_come_one_after_the_other_are_joined(
    logs: Path, straight: Diagnosis, tmp_path: Path, order: tuple[str, ...]
) -> None:
    """Lambda logs that came first are read again for the invocations that turn out to matter."""
    for name in order:
        found = diagnose_case(tmp_path / "case.duckdb", (str(logs / name),))
    assert_alike(found, straight)


@pytest.mark.usefixtures("in_bulk")
def test_logs_that_are_gone_when_more_is_asked_of_them_are_missed(
    logs: Path, straight: Diagnosis, tmp_path: Path
) -> None:
    """The answer says so, and everything but what needs them is told."""
    gone = tmp_path / "gone"
    shutil.copytree(logs / "lambda", gone)
    diagnose_case(tmp_path / "case.duckdb", (str(gone),))
    shutil.rmtree(gone)
    found = diagnose_case(tmp_path / "case.duckdb", (str(logs / "execution"), str(logs / "access")))
    assert found.summary.failed == straight.summary.failed
    assert any("were read before other logs that ask for more of them" in note for note in found.notes)
    assert diagnose_case(tmp_path / "case.duckdb") == found


@pytest.mark.usefixtures("in_bulk")
def test_read_twice_nothing_is_added(logs: Path, straight: Diagnosis, tmp_path: Path) -> None:
    """A copy under another name, in another case file, merged: each event counts once."""
    shutil.copytree(logs, tmp_path / "copy")
    with (tmp_path / "copy" / "access" / "more.json").open("w", encoding="utf-8") as file:
        file.write("{}\n")
    kept = tmp_path / "case.duckdb"
    diagnose_case(kept, (str(logs / "access"), str(logs / "execution")))
    found = diagnose_case(kept, (str(tmp_path / "copy"),))
    assert found.summary.requests == straight.summary.requests
    assert found.summary.failed == straight.summary.failed
