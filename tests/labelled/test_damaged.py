"""Real evidence gets cut, doubled, shuffled and garbled on its way: an answer or one sentence, never a traceback."""

import random
import re
import tempfile
from pathlib import Path

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apigw_doctor.diagnosis.verdict import Diagnosis
from apigw_doctor.model.errors import NothingReadable
from apigw_doctor.reports import json_report, markdown, text, why
from apigw_doctor.workflows.diagnose import diagnose_files
from apigw_doctor.workflows.redaction import redacted
from tests.labelled import harness

CASES = harness.case_files()
_NUMBER = re.compile(r"(?<!\d)\d+(?:\.\d+)?(?!\d)")
_HUGE = ("9" * 18, "9" * 400, "1" + "0" * 5000, "1e400", "1e18", "-1", "1.2.3", "0", "\u0664\u0662")
_GARBAGE = '{}[]"\\,:\t 0-9zé\x00\x1b|'


def _damage(lines: list[str], draw: random.Random) -> list[str]:
    """One accident of transport."""
    at = draw.randrange(len(lines))
    accident = draw.randrange(7)
    if accident == 0:
        return lines[:at] + lines[at + 1 :]
    if accident == 1:
        return [*lines[:at], lines[at][: draw.randrange(len(lines[at]) + 1)], *lines[at + 1 :]]
    if accident == 2:
        garbled = list(lines[at])
        for place in draw.sample(range(len(garbled)), min(3, len(garbled))):
            garbled[place] = draw.choice(_GARBAGE)
        return [*lines[:at], "".join(garbled), *lines[at + 1 :]]
    if accident == 3:
        return [*lines, lines[at]]
    if accident == 4:
        return draw.sample(lines, len(lines))
    if accident == 5:
        return [
            *lines[:at],
            _NUMBER.sub(lambda _: draw.choice(_HUGE), lines[at], count=draw.randint(1, 9)),
            *lines[at + 1 :],
        ]
    return lines[:at]


@given(seed=st.integers(0, 2**32))
@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_damaged_evidence_gets_an_answer_that_every_report_can_show(seed: int) -> None:
    """Also the answer's JSON reads back as itself."""
    draw = random.Random(seed)
    case = harness.load(draw.choice(CASES))
    with tempfile.TemporaryDirectory() as folder:
        for name, body in case.get("files", {}).items():
            lines = body.splitlines(keepends=True) if isinstance(body, str) else []
            for _ in range(draw.randint(1, 4)):
                lines = _damage(lines, draw) if lines else lines
            path = Path(folder) / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("".join(lines), encoding="utf-8")
        try:
            diagnosis = redacted(diagnose_files((folder,)), secrets_out=True, anonymous=True)
        except NothingReadable:
            return
    assert text.render(diagnosis)
    assert markdown.render(diagnosis)
    assert all(why.render(verdict, titles={}) for verdict in diagnosis.verdicts)
    assert msgspec.json.decode(json_report.render(diagnosis), type=Diagnosis).summary == diagnosis.summary
