"""The generated pages are fresh, and everything that has a name has a page."""

import subprocess
import sys
from pathlib import Path

import pytest

from apigw_doctor.cli.main import _COMMANDS
from apigw_doctor.diagnosis.catalogue import catalogue
from apigw_doctor.diagnosis.finding_pages import PAGES
from apigw_doctor.diagnosis.remedies import REMEDIES
from apigw_doctor.workflows.article import CLAIMS
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
    assert all(claim.claim in text and claim.fact in text and claim.source.startswith("https://") for claim in CLAIMS)


def test_every_finding_has_a_section_and_every_command_stands_in_the_readme() -> None:
    """A newcomer finds them by name."""
    findings = (ROOT / "docs" / "findings.md").read_text(encoding="utf-8")
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert all(f"# {name}" in findings for name in PAGES)
    assert all(f"apigw-doctor {name}" in readme for name in _COMMANDS)
