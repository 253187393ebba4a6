"""`explain`: the page of a cause, a finding, a fix, or the web article."""

import re

from apigw_doctor.diagnosis.catalogue import catalogue, find
from apigw_doctor.diagnosis.finding_pages import PAGES, FindingPage
from apigw_doctor.diagnosis.remedies import REMEDIES, Place, Remedy
from apigw_doctor.diagnosis.rule import Rule
from apigw_doctor.workflows.article import article_page

ARTICLE = "article"


def names() -> list[tuple[str, str]]:
    """Everything that has a page: its name (causes: code and name) and the page's first sentence."""
    causes = [(f"{rule.code} {rule.name}", first_sentence(rule.page)) for rule in sorted(catalogue(), key=_code)]
    findings = [(page.name, page.what) for page in PAGES.values()]
    fixes = [(remedy.id, remedy.title) for remedy in REMEDIES.values()]
    return [*causes, *findings, *fixes, (ARTICLE, "The web article's claims, one by one.")]


def page(code_or_name: str) -> str | None:
    """The page as Markdown; None when nothing has that code or name."""
    wanted = code_or_name.strip().lower()
    if wanted == ARTICLE:
        return article_page()
    if (rule := find(wanted)) is not None:
        return rule_page(rule)
    if wanted in PAGES:
        return finding_page(PAGES[wanted])
    if wanted in REMEDIES:
        return fix_page(REMEDIES[wanted])
    return None


def rule_page(rule: Rule) -> str:
    """One cause: its page, its facts, its sources."""
    evidence = ", ".join(_words(kind) for kind in rule.required) or "whatever is there"
    helpful = ", ".join(_words(kind) for kind in rule.optional) or "nothing more"
    lines = [
        f"# {rule.code} {rule.name}",
        "",
        rule.page,
        "",
        "## Facts",
        "",
        f"- Layer: {rule.layer.value}",
        f"- Needs: {evidence}; uses where given: {helpful}",
        f"- Since: {rule.since}",
        "- Fixes: "
        + (", ".join(f"`{fix}` ({REMEDIES[fix].title})" for fix in rule.fixes) or "none: more evidence first"),
        "",
        "## Sources",
        "",
        *(f"- {reference}" for reference in rule.references),
    ]
    return "\n".join(lines) + "\n"


def finding_page(finding: FindingPage) -> str:
    """One finding about many requests."""
    return (
        f"# {finding.name}\n\n{finding.what}\n\n## How it decides\n\n{finding.how}\n\n## What to do\n\n{finding.do}\n"
    )


def fix_page(remedy: Remedy) -> str:
    """One remedy with its command, places to fill in CAPITALS."""
    command = remedy.command(Place())
    causes = ", ".join(f"{rule.code} {rule.name}" for rule in sorted(catalogue(), key=_code) if remedy.id in rule.fixes)
    lines = [
        f"# {remedy.id}",
        "",
        f"{remedy.title}.",
        "",
        f"- Why: {remedy.why}",
        f"- Applicability: {remedy.applicability}",
        f"- Named by: {causes or 'findings and missing evidence'}",
    ]
    if command is not None:
        lines += ["", "```sh", command, "```"]
    return "\n".join(lines) + "\n"


def first_sentence(text: str) -> str:
    """The first sentence of a page, on one line."""
    paragraph = " ".join(text.split("\n\n")[0].split())
    return re.split(r"(?<=\.)\s", paragraph)[0]


def _code(rule: Rule) -> str:
    return rule.code


def _words(kind: type) -> str:
    """`LambdaInvocation` -> `lambda invocation`."""
    return re.sub(r"(?<!^)(?=[A-Z])", " ", kind.__name__).lower()
