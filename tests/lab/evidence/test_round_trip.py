"""What a lab writes is read by our own readers: in every container, level and form, and the answers are right."""

from collections.abc import Callable, Set
from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest
from tests.lab.evidence import journals
from tests.lab.evidence.journals import Scene
from tests.labelled.harness import TEXTS, invoke

from apigw_doctor.lab.evidence.access import CONSOLE
from apigw_doctor.lab.evidence.containers import CONTAINERS
from apigw_doctor.lab.evidence.files import Container, write_evidence

SCENES: dict[str, Callable[[], Scene]] = {"rest": journals.rest, "http": journals.http, "websocket": journals.websocket}
LOGS = frozenset({"execution-log", "access-log", "lambda-log"})
REST_KINDS = LOGS | {"load-balancer-log", "edge-log"}
EVERYTHING = REST_KINDS | {"traces", "client", "configuration"}
#: Read by nobody yet, and counted as unread.
NOT_READ = ("get-gateway-responses", "get-function-concurrency", "get-metric-data")


def diagnosed(scene: Scene, folder: Path, *, include: Set[str] = REST_KINDS, **options: Any) -> dict[str, Any]:
    """The answer to the scene's evidence."""
    write_evidence(scene.journal, scene.setup, folder, include=include, **options)
    _, output = invoke(["diagnose", str(folder), "--format", "json"], None)
    answer: dict[str, Any] = msgspec.json.decode(output)
    return answer


def differences(scene: Scene, answer: dict[str, Any]) -> list[str]:
    """What is not as the scene says: requests counted, failed ones with status, cause and invocation, lines unread."""
    wrong: list[str] = []
    if answer["summary"]["requests"] != len(scene.journal.exchanges):
        wrong.append(f"{answer['summary']['requests']} requests, not {len(scene.journal.exchanges)}")
    unread = [row for row in answer["unread"] if not any(name in str(row) for name in NOT_READ)]
    wrong.extend(f"unread: {row}" for row in unread)
    failed = [verdict for verdict in answer["verdicts"] if verdict["kind"] == "failed"]
    found = {
        one["request_id"]: (one["cause"], one["status"], (one["invocation"] or {}).get("request_id")) for one in failed
    }
    if len(found) != len(failed):
        wrong.append(f"{len(failed)} verdicts on {len(found)} requests")
    for request_id in found.keys() | scene.expected.keys():
        if found.get(request_id) != scene.expected.get(request_id):
            wrong.append(f"{request_id}: {found.get(request_id)}, not {scene.expected.get(request_id)}")
    return wrong


def test_every_container_has_its_name() -> None:
    assert get_args(Container) == tuple(CONTAINERS)


@pytest.mark.parametrize("container", get_args(Container))
@pytest.mark.parametrize("name", SCENES)
def test_every_container_gives_the_same_right_answers(name: str, container: Container, tmp_path: Path) -> None:
    scene = SCENES[name]()
    assert differences(scene, diagnosed(scene, tmp_path, container=container)) == []


@pytest.mark.parametrize(
    "options",
    [
        {"log_level": "ERROR"},
        {"log_level": "INFO"},
        {"log_level": "data-trace"},
        {"log_form": "text-old"},
        {"log_form": "json"},
        {"timeout_latency": "-1"},
        {"timeout_latency": "limit"},
    ],
    ids=str,
)
@pytest.mark.parametrize("container", ["export", "filter-log-events"])
@pytest.mark.parametrize("name", SCENES)
def test_every_level_and_form_gives_the_same_right_answers(
    name: str, container: Container, options: dict[str, Any], tmp_path: Path
) -> None:
    scene = SCENES[name]()
    assert differences(scene, diagnosed(scene, tmp_path, container=container, **options)) == []


@pytest.mark.parametrize("structure", ["new", "old"])
@pytest.mark.parametrize("name", SCENES)
def test_everything_together(name: str, structure: str, tmp_path: Path) -> None:
    scene = SCENES[name]()
    assert differences(scene, diagnosed(scene, tmp_path, include=EVERYTHING, trace_structure=structure)) == []


@pytest.mark.parametrize("form", CONSOLE)
@pytest.mark.parametrize("name", SCENES)
def test_access_logs_of_the_console_with_the_stages_settings(name: str, form: str, tmp_path: Path) -> None:
    scene = SCENES[name]()
    kinds = frozenset({"access-log", "configuration"})
    answer = diagnosed(scene, tmp_path, include=kinds, access_format=CONSOLE[form][scene.setup.api.api_type])
    failed = {one["request_id"]: one["status"] for one in answer["verdicts"] if one["kind"] == "failed"}
    assert failed == {one.request_id: one.status for one in scene.journal.exchanges if one.status >= 500}
    assert not [row for row in answer["unread"] if not any(known in str(row) for known in NOT_READ)]


def test_the_same_run_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("one", "two"):
        scene = journals.rest()
        write_evidence(scene.journal, scene.setup, tmp_path / name)
    files = sorted(path.relative_to(tmp_path / "one") for path in (tmp_path / "one").rglob("*") if path.is_file())
    assert len(files) > 30
    assert all((tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes() for file in files)


@pytest.mark.parametrize("form", ["json", *TEXTS])
def test_no_secret_of_a_data_trace_reaches_an_answer(form: str, tmp_path: Path) -> None:
    scene = journals.rest()
    write_evidence(scene.journal, scene.setup, tmp_path, include=EVERYTHING, container="plain")
    written = "".join(path.read_text() for path in tmp_path.glob("API-Gateway*/**/*.log"))
    assert "very-secret-token" in written  # a proxy event is logged in clear
    assert "Security-Token=IQoJ" in written
    _, output = invoke(["diagnose", str(tmp_path), "--format", form], None)
    assert "very-secret" not in output
    assert "IQoJ" not in output
