"""Every labelled case gives what its label says."""

from pathlib import Path

import pytest

from tests.labelled.harness import CASES, case_files, load, run


@pytest.mark.parametrize("path", case_files(), ids=lambda path: str(path.relative_to(CASES).with_suffix("")))
def test_the_answer_is_what_the_label_says(path: Path, tmp_path: Path) -> None:
    """Verdicts, joins, numbers, findings, unread lines and the exit status agree with the label."""
    assert run(load(path), tmp_path).differences == []
