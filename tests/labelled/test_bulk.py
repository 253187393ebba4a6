"""Every labelled case gets the same answer on the fast roads as from the tolerant reader alone."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import pytest

from apigw_doctor.model.errors import DoctorError
from apigw_doctor.sources.collect import collect
from apigw_doctor.workflows.diagnose import Period, diagnose
from tests.labelled.harness import CASES, case_files, encoded, load

NEVER = 10**12
#: Case -> what differs in its answer, and why it may.
EXCEPTIONS = {
    # The two logs name different routes for one request: which of them counts is not settled by any reader. A
    # well-answered request stands in the columns as the execution log tells it.
    "field/execution_log_for_half_of_requests": {"routes"},
}


def answer(folder: Path, case: dict[str, Any], bulk_from: int) -> dict[str, Any] | str:
    """What comes out, but for the choice and order of the lines shown as evidence; or why nothing does."""
    arguments = case.get("args", [])
    formats = [value for name, value in pairwise(arguments) if name == "--access-log-format"]
    try:
        evidence = collect((str(folder),), formats=tuple(formats), bulk_from=bulk_from, processes=1)
    except DoctorError as error:
        return str(error)
    found: dict[str, Any] = msgspec.to_builtins(diagnose(evidence, Period()))
    for verdict in found["verdicts"]:
        del verdict["evidence"]
    return found


@pytest.mark.parametrize("path", case_files(), ids=lambda path: str(path.relative_to(CASES).with_suffix("")))
def test_both_readers_give_one_answer(path: Path, tmp_path: Path) -> None:
    """Verdicts, summary, coverage, findings, fixes, routes, unread lines, gaps and notes are the same."""
    case = load(path)
    for name, text in case["files"].items():
        target = tmp_path / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(encoded(text, case.get("encode", {}).get(name, [])))
    one, other = answer(tmp_path, case, NEVER), answer(tmp_path, case, 0)
    if isinstance(one, str) or isinstance(other, str):
        assert one == other
        return
    allowed = EXCEPTIONS.get(str(path.relative_to(CASES).with_suffix("")), set())
    assert {name for name in one if one[name] != other[name]} == allowed
