"""Reports against gold files; `UPDATE_GOLD=1` rewrites them for review in the diff."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from apigw_doctor.reports import json_report, markdown, text, why
from tests.reports import sample

GOLD = Path(__file__).parents[1] / "gold"


def killed() -> str:
    return why.render(next(item for item in sample.failed() if item.status == 502), titles=sample.TITLES)


RENDERED: dict[str, Callable[[], str]] = {
    "report.txt": lambda: text.render(sample.diagnosis()),
    "quiet.txt": lambda: text.render(sample.quiet()),
    "report.json": lambda: json_report.render(sample.diagnosis()),
    "report.md": lambda: markdown.render(sample.diagnosis()),
    "quiet.md": lambda: markdown.render(sample.quiet()),
    "why.txt": lambda: why.render(sample.verdict(), titles=sample.TITLES),
    "why_ascii.txt": lambda: why.render(sample.verdict(), titles=sample.TITLES, ascii_only=True),
    "why_killed.txt": killed,
    "why_near.txt": lambda: why.render(sample.near()[0], titles=sample.TITLES),
    "why_undetermined.txt": lambda: why.render(sample.failed()[12], titles={}),
}


@pytest.mark.parametrize("name", RENDERED)
def test_the_report_is_as_the_gold_file(name: str) -> None:
    """What users see changes only on purpose."""
    actual = RENDERED[name]()
    file = GOLD / name
    if os.environ.get("UPDATE_GOLD"):
        file.write_text(actual, encoding="utf-8")
    assert actual == file.read_text(encoding="utf-8")
