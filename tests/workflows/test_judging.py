"""Many verdicts at once: made by workers, redacted there, packed, and written as they come."""

import pytest

from apigw_doctor.diagnosis.packed import PackedVerdicts
from apigw_doctor.evidence.tables import Cite, Evidence, GatewayRequest
from apigw_doctor.model.terms import ApiType
from apigw_doctor.reports import json_report, markdown, text
from apigw_doctor.workflows import judging
from apigw_doctor.workflows.diagnose import Period, diagnose
from apigw_doctor.workflows.redaction import Hiding, redacted

_SECRET = "hunter2hunter2"


def _evidence(words: str = "Endpoint request timed out") -> Evidence:
    requests = [
        GatewayRequest(
            key=f"k{number}",
            request_id=f"request-{number}",
            api_type=ApiType.REST,
            route=f"/orders/{number % 3}",
            arrived_at=1_772_359_200_000.0 + 100.0 * number,
            completed_at=1_772_359_229_000.0 + 100.0 * number,
            status=504,
            failure=words,
            cites=(Cite(origin=f"gw.log:{number}", text=f"{words} password={_SECRET} no {number}\x1b[31m"),),
        )
        for number in range(40)
    ]
    return Evidence(requests=requests)


@pytest.fixture(params=["one message", "many small ones, compressed"])
def eager(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Few requests go the way of many."""
    monkeypatch.setattr(judging, "_WORTH_SHARING", 0)
    if request.param != "one message":
        monkeypatch.setattr(judging, "_AT_ONCE", 3)
        monkeypatch.setattr(judging, "_WORTH_COMPRESSING", 10)


@pytest.mark.usefixtures("eager")
@pytest.mark.parametrize("words", ["Endpoint request timed out", "cut \ud800 in half"])
def test_packed_verdicts_make_the_same_reports(words: str) -> None:
    """Also where a text is no Unicode."""
    packed = diagnose(_evidence(words), Period(), Hiding())
    assert isinstance(packed.verdicts, PackedVerdicts)
    plain = redacted(packed)
    assert isinstance(plain.verdicts, tuple)
    assert len(packed.verdicts) == len(plain.verdicts) == 40
    assert json_report.render(packed) == json_report.render(plain)
    assert text.render(packed) == text.render(plain)
    assert markdown.render(packed) == markdown.render(plain)


@pytest.mark.usefixtures("eager")
@pytest.mark.parametrize("words", ["Endpoint request timed out", "cut \ud800 in half"])
def test_verdicts_without_hiding_are_as_one_process_makes_them(words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who asks for them as they are gets them so."""
    shared = diagnose(_evidence(words), Period())
    monkeypatch.setattr(judging, "_WORTH_SHARING", 1000)
    assert shared == diagnose(_evidence(words), Period())


@pytest.mark.usefixtures("eager")
def test_no_secret_and_no_control_is_packed() -> None:
    """Workers take them out before anything is kept."""
    packed = diagnose(_evidence(), Period(), Hiding())
    assert isinstance(packed.verdicts, PackedVerdicts)
    whole = b"".join(packed.verdicts.json_parts())
    assert _SECRET.encode() not in whole
    assert b"u001b" not in whole
    assert b"[REDACTED:password]" in whole


@pytest.mark.usefixtures("eager")
def test_packed_verdicts_are_a_sequence() -> None:
    """Looked at by number, from the end, in slices."""
    packed = diagnose(_evidence(), Period(), Hiding()).verdicts
    listed = list(packed)
    assert [packed[number] for number in range(-40, 40)] == listed * 2
    assert list(packed[3:9]) == listed[3:9]
    assert listed[5] in packed
    with pytest.raises(IndexError):
        packed[40]


def test_nothing_packed_is_an_empty_list() -> None:
    """An answer without verdicts is a report too."""
    answer = diagnose(Evidence(), Period(), Hiding())
    assert '"verdicts": []' in json_report.render(answer)
