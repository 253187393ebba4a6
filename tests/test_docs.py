"""The generated pages are fresh, and everything that has a name has a page."""

import subprocess
import sys
from pathlib import Path
from typing import get_args

import pytest

from apigw_doctor.cli.main import _COMMANDS
from apigw_doctor.diagnosis.catalogue import catalogue
from apigw_doctor.diagnosis.finding_pages import PAGES
from apigw_doctor.diagnosis.remedies import REMEDIES
from apigw_doctor.diagnosis.rule import Rule
from apigw_doctor.workflows.article import CLAIMS, Judgement
from apigw_doctor.workflows.explain import names, page

ROOT = Path(__file__).parent.parent
CONTRACT_FIXES = frozenset(
    "integration-timeout quota-increase execution-logging access-logging tracing function-timeout memory"
    " provisioned-concurrency snapstart authorizer-cache load-balancer-idle-timeout log-retention alarms client-timeouts"
    " vpc-endpoint database-proxy keep-alive response-streaming async-conversion move-work-to-init reduce-package"
    " retry-transient fix-application concurrency network-path edge-timeout extension configuration".split()
)
CONTRACT_CAUSES = frozenset(
    "GTW101 FUN101 FUN102 DEP101 FUN103 DEP102 DEP103 DEP104 DEP105 INI101 INI102 INI103 FUN104 FUN106 FUN105 CAP101 NET101"
    " NET102 NET103 NET104 NET105 NET106 NET107 AUT101 EDG101 CLI101 NOT101 NOT102 NOT103 NOT104 UNK000".split()
)


def test_generated_pages_are_fresh() -> None:
    """`make docs` would change nothing."""
    done = subprocess.run(
        [sys.executable, "docs/generate.py", "--check"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_every_cause_fix_and_finding_of_the_contract_exists() -> None:
    """Names are fixed: others rely on them."""
    assert {rule.code for rule in catalogue()} == CONTRACT_CAUSES
    assert set(REMEDIES) == CONTRACT_FIXES
    assert all(fix in REMEDIES for rule in catalogue() for fix in rule.fixes)


@pytest.mark.parametrize("name", [part for name, _ in names() for part in name.split()])
def test_explain_knows_every_name_in_any_case(name: str) -> None:
    """Whatever the list shows can be asked for."""
    assert page(name) == page(name.upper()) is not None


def test_explain_article_answers_every_claim_with_a_source() -> None:
    """25 claims, each judged, each with a link."""
    text = page("article") or ""
    assert len(CLAIMS) == 25
    sections = text.split("\n## ")[1:]
    assert len(sections) == len(CLAIMS)
    for number, (claim, section) in enumerate(zip(CLAIMS, sections, strict=True), start=1):
        assert section.startswith(f"{number}. {claim.claim}\n")
        assert claim.judgement in get_args(Judgement)
        assert f"**{claim.judgement}** - {claim.fact}" in section
        assert f"Source: {claim.source}" in section
        assert claim.source.startswith("https://")


def test_every_finding_has_a_section_and_every_command_stands_in_the_readme() -> None:
    """A newcomer finds them by name."""
    findings = (ROOT / "docs" / "findings.md").read_text(encoding="utf-8")
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert all(f"\n## {name}\n" in findings for name in PAGES)
    assert all(f"apigw-doctor {name}" in readme for name in _COMMANDS)


def test_every_cause_fix_and_source_has_its_page_or_section() -> None:
    """The generator reads what there is; nothing is listed by hand."""
    docs = ROOT / "docs"
    fixes = (docs / "fixes.md").read_text(encoding="utf-8")
    sources = (docs / "sources.md").read_text(encoding="utf-8")
    modules = (ROOT / "src" / "apigw_doctor" / "sources").glob("[a-z]*.py")
    assert {path.stem for path in (docs / "rules").glob("[A-Z]*[0-9].md")} == {rule.code for rule in catalogue()}
    assert all(f"\n## {name}\n" in fixes for name in REMEDIES)
    assert all(f"\n## {module.stem}\n" in sources for module in modules)


def test_findings_name_remedies_that_exist() -> None:
    """A fix that nobody knows cannot be looked up."""
    assert all(fix in REMEDIES for found in PAGES.values() for fix in found.fixes)


@pytest.mark.parametrize("rule", catalogue(), ids=lambda rule: rule.code)
def test_a_rule_page_shows_the_cases_of_its_file(rule: Rule) -> None:
    """One that fires, and one that stays silent."""
    text = (ROOT / "docs" / "rules" / f"{rule.code}.md").read_text(encoding="utf-8")
    assert text.count("\n## Example: ") == 2
