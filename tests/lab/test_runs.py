"""`lab run`, `lab scenarios`, `lab try`: what they write, what they say, and that the truth is no evidence."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.labelled.harness import invoke
from tests.matrix.compare import RIGHT, compare

from apigw_doctor.lab.scenarios.catalogue import scenarios
from apigw_doctor.lab.scenarios.incident import Scenario
from apigw_doctor.lab.truth import TruthRow


def lab_run(folder: Path, name: str = "cold-start", *, requests: int = 60, seed: int = 7) -> list[TruthRow]:
    """Play a scenario into `folder`; its truth."""
    arguments = ["lab", "run", name, "--requests", str(requests), "--seed", str(seed), "--time-scale", "1000"]
    status, _ = invoke([*arguments, "--out", str(folder)], None)
    assert status in (0, 3)
    lines = (folder / "truth.jsonl").read_text(encoding="utf-8").splitlines()
    return [msgspec.json.decode(line, type=TruthRow) for line in lines]


def diagnosed(folder: Path) -> dict[str, Any]:
    """What `diagnose` answers."""
    _, output = invoke(["diagnose", str(folder), "--format", "json"], None)
    answer: dict[str, Any] = json.loads(output)
    return answer


def test_diagnose_agrees_with_the_truth_of_a_run(tmp_path: Path) -> None:
    truth = lab_run(tmp_path / "run")
    answer = diagnosed(tmp_path / "run")
    score = compare(tuple(truth), answer, "cold-start", 7)
    failed = sum(row.cause is not None for row in truth)
    assert failed > 0
    assert (score.total(RIGHT), answer["summary"]["failed"]) == (failed, failed)
    assert answer["summary"]["requests"] == 60


def test_a_truth_full_of_lies_changes_nothing(tmp_path: Path) -> None:
    lab_run(tmp_path / "run")
    before = diagnosed(tmp_path / "run")
    file = tmp_path / "run" / "truth.jsonl"
    rows = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    lies = [row | {"cause": "stalled-call", "status": 504, "boundary": "function-timeout"} for row in rows]
    file.write_text("".join(json.dumps(row) + "\n" for row in lies), encoding="utf-8")
    after = diagnosed(tmp_path / "run")
    assert after["verdicts"] == before["verdicts"]
    assert after["summary"] == before["summary"]


def test_the_same_seed_gives_the_same_schedule(tmp_path: Path) -> None:
    first, second = lab_run(tmp_path / "a"), lab_run(tmp_path / "b")
    assert [(row.request_id, row.cause, row.status) for row in first] == [
        (row.request_id, row.cause, row.status) for row in second
    ]


def test_another_seed_gives_another_schedule(tmp_path: Path) -> None:
    assert lab_run(tmp_path / "a")[5].request_id != lab_run(tmp_path / "b", seed=8)[5].request_id


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["lab", "run", "no-such-thing", "--out", "X"], "no scenario 'no-such-thing'"),
        (["lab", "run", "cold-start", "--requests", "0", "--out", "X"], "--requests is 0"),
        (["lab", "run", "cold-start", "--time-scale", "0.5", "--out", "X"], "--time-scale is 0.5"),
        (["lab", "try", "no-such-fix", "--scenario", "cold-start"], "cannot try 'no-such-fix'"),
    ],
)
def test_wrong_words_get_one_sentence(arguments: list[str], words: str, tmp_path: Path) -> None:
    from click.testing import CliRunner

    from apigw_doctor.cli.main import cli
    from apigw_doctor.model.errors import DoctorError

    given = [str(tmp_path / "new") if one == "X" else one for one in arguments]
    result = CliRunner().invoke(cli, given)
    assert isinstance(result.exception, DoctorError)
    assert words in result.exception.message


def test_a_folder_that_holds_something_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("precious", encoding="utf-8")
    status, _ = invoke(["lab", "run", "healthy", "--out", str(tmp_path)], None)
    assert status == 2
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_scenarios_as_json_have_name_description_and_causes() -> None:
    _, output = invoke(["lab", "scenarios", "--format", "json"], None)
    rows = json.loads(output)
    assert {"name", "description", "causes"} == set(rows[0])
    assert len(rows) >= 24


@pytest.mark.parametrize("scenario", scenarios().values(), ids=lambda one: one.name)
def test_every_scenario_says_what_it_is(scenario: Scenario) -> None:
    from apigw_doctor.diagnosis.catalogue import catalogue

    known = {rule.name for rule in catalogue()}
    assert scenario.description.endswith(".")
    assert set(scenario.causes) <= known


@pytest.mark.parametrize(
    ("fix", "scenario"),
    [
        ("provisioned-concurrency", "cold-start"),
        ("integration-timeout", "integration-timeout-too-low"),
        ("client-timeouts", "stalled-call"),
    ],
)
def test_a_remedy_saves_what_was_predicted(fix: str, scenario: str) -> None:
    arguments = ["lab", "try", fix, "--scenario", scenario, "--requests", "80", "--seed", "3", "--time-scale", "1000"]
    _, output = invoke([*arguments, "--format", "json"], None)
    trial = json.loads(output)
    assert trial["failed_before"] > 0
    assert abs(trial["predicted_percent"] - trial["saved_percent"]) <= 5.0
    assert trial["broken"] == 0
