"""The JSON answer and the schema that ships with the package."""

import json
from importlib import resources

import jsonschema
import pytest

from apigw_doctor.diagnosis.verdict import SCHEMA, Diagnosis
from apigw_doctor.reports import json_report, schema
from tests.reports import sample


def test_the_shipped_schema_is_fresh() -> None:
    """Run `python -m apigw_doctor.reports.schema` after a change of the types."""
    assert schema.FILE.read_text(encoding="utf-8") == schema.schema_text()


def test_the_schema_is_in_the_package_and_is_one() -> None:
    """Users find it beside the code, and validators accept it."""
    shipped = json.loads(resources.files("apigw_doctor.reports").joinpath("diagnosis.schema.json").read_text("utf-8"))
    jsonschema.Draft202012Validator.check_schema(shipped)
    assert {"$id", "title", "description"} <= shipped.keys()


@pytest.mark.parametrize("answer", [sample.diagnosis(), sample.quiet()], ids=["failures", "quiet"])
def test_the_answer_fits_the_schema(answer: Diagnosis) -> None:
    """Every output is validated as a user would."""
    jsonschema.Draft202012Validator(schema.json_schema()).validate(json.loads(json_report.render(answer)))


def test_the_schema_refuses_another_version_and_an_unknown_word() -> None:
    """It is strict about the fixed words."""
    validator = jsonschema.Draft202012Validator(schema.json_schema())
    answer = json.loads(json_report.render(sample.diagnosis()))
    assert not validator.is_valid({**answer, "schema": "apigw-doctor/diagnosis/2"})
    answer["verdicts"][0]["boundary"] = "a-timeout-of-my-own"
    assert not validator.is_valid(answer)


def test_the_schema_allows_keys_that_a_later_release_adds() -> None:
    """Readers ignore what they do not know."""
    answer = json.loads(json_report.render(sample.diagnosis()))
    answer["verdicts"][0]["news"] = answer["news"] = 1
    jsonschema.Draft202012Validator(schema.json_schema()).validate(answer)


def test_the_answer_has_the_keys_of_the_contract_and_null_for_unknown() -> None:
    """Nothing is left out because it is empty."""
    answer = json.loads(json_report.render(sample.quiet()))
    keys = {"schema", "summary", "coverage", "verdicts", "findings", "fixes", "unread", "cost"}
    assert keys <= answer.keys()
    assert answer["schema"] == SCHEMA
    assert answer["cost"] is None
    assert answer["summary"]["window"].keys() == {"from", "to"}


def test_letters_stay_as_they_are_and_controls_go() -> None:
    """A route in Greek is readable; an escape code does not arrive."""
    made = json_report.render(sample.diagnosis(notes=("μηνύματα \x1b[31mred\x1b[0m \x9b2J\u202e",)))
    assert "μηνύματα red " in made
    assert "\\u001b" not in made
    assert not set(made) & set("\x1b\x9b\u202e\x7f")
