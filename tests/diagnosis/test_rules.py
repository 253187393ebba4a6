"""Runs every case in `cases/`, and checks that every rule has the three kinds of case and a page."""

from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml

from apigw_doctor.attribution import timeline as parts
from apigw_doctor.diagnosis.catalogue import catalogue
from apigw_doctor.diagnosis.rule import Cause, NotDecidable, Rule
from apigw_doctor.evidence import tables

CASES = Path(__file__).parent / "cases"
BY_CODE = {rule.code: rule for rule in catalogue()}

KINDS: dict[str, type] = {
    "clocks": parts.Clocks,
    "pairing": parts.Pairing,
    "surroundings": parts.Surroundings,
    "silence": parts.Silence,
    "trace": parts.Trace,
    "target": parts.Target,
    "request": tables.GatewayRequest,
    "invocation": tables.LambdaInvocation,
    "load_balancer": tables.LoadBalancerRequest,
    "edge": tables.EdgeRequest,
    "client": tables.ClientReply,
    "settings": tables.FunctionSettings,
}
#: what a case need not say: the fields that a type requires and that do not matter to the case
FILLERS: dict[str, dict[str, Any]] = {
    "clocks": {
        "kind": "failed",
        "boundary": "integration-timeout",
        "limit_ms": 29000.0,
        "limit_basis": "default",
        "default_limit_ms": 29000.0,
    },
    "silence": {"last_origin": "lambda.log:1"},
    "request": {"key": "r"},
    "invocation": {"request_id": "i"},
    "load_balancer": {"ended_at": 0.0, "load_balancer": "app/x/1"},
    "edge": {"ended_at": 0.0},
    "settings": {"function": "f"},
}


def load() -> list[Any]:
    return [
        pytest.param(BY_CODE[file.stem], case, id=f"{file.stem}-{name}")
        for file in sorted(CASES.glob("*.yaml"))
        for name, case in yaml.safe_load(file.read_text(encoding="utf-8")).items()
    ]


@pytest.mark.parametrize(("rule", "case"), load())
def test_case(rule: Rule, case: dict[str, Any]) -> None:
    """The rule answers as the case says."""
    given = {"pairing": {}, "surroundings": {}} | {key: value for key, value in case.items() if key != "expect"}
    rows: dict[type, Any] = {
        KINDS[name]: msgspec.convert(FILLERS.get(name, {}) | fields, KINDS[name]) for name, fields in given.items()
    }
    expect = case["expect"]
    match rule.evaluate_parts(rows):
        case None:
            assert expect == "silent"
        case NotDecidable(missing=missing):
            assert expect == {"missing": list(missing)}
        case Cause() as cause:
            assert isinstance(expect, dict), f"fired: {cause.summary}"
            assert {key: getattr(cause, key) for key in expect} == expect


@pytest.mark.parametrize("rule", catalogue(), ids=lambda rule: rule.code)
def test_every_rule_has_cases_that_fire_stay_silent_and_are_not_decidable(rule: Rule) -> None:
    """A rule without all three kinds of case is not proven."""
    names = yaml.safe_load((CASES / f"{rule.code}.yaml").read_text(encoding="utf-8"))
    assert {name.split("_")[0] for name in names} == {"fires", "silent", "not"}


@pytest.mark.parametrize("rule", catalogue(), ids=lambda rule: rule.code)
def test_every_rule_has_a_complete_page_a_source_and_a_fix(rule: Rule) -> None:
    """`explain` and the docs print these."""
    for heading in ("What it finds", "How it decides", "What would mislead it", "What to do"):
        assert f"## {heading}" in rule.page
    assert rule.references
    assert rule.fixes or rule.code == "UNK000"


def test_codes_names_and_files_are_unique_and_every_case_file_has_a_rule() -> None:
    """Nothing is said twice, and no case file lies about unused."""
    assert len({rule.name for rule in catalogue()}) == len(catalogue()) == len(BY_CODE)
    assert {file.stem for file in CASES.glob("*.yaml")} == set(BY_CODE)
