"""`explain`: the page of a cause, a finding, a fix, or the web article."""

import re

from apigw_doctor.diagnosis.catalogue import catalogue, find
from apigw_doctor.diagnosis.finding_pages import PAGES, FindingPage
from apigw_doctor.diagnosis.remedies import REMEDIES, Place, Remedy
from apigw_doctor.diagnosis.rule import Rule
from apigw_doctor.workflows.article import article_page

ARTICLE = "article"
#: The words that stand for ids in the commands of `remedies`; a word of a setting (INFO) is none.
_PLACE = re.compile(r"\b(?:[A-Z]+_(?:[A-Z]+_)?(?:ID|ARN)|STAGE|METHOD|FUNCTION|ALIAS|N)\b")


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
        f"- Fixes: {_titled(rule.fixes) or 'none: more evidence first'}",
        "",
        "## Sources",
        "",
        *(f"- {reference}" for reference in rule.references),
    ]
    return "\n".join(lines) + "\n"


def finding_page(finding: FindingPage) -> str:
    """One finding about many requests."""
    lines = [
        f"# {finding.name}",
        "",
        finding.what,
        "",
        "## How it decides",
        "",
        finding.how,
        "",
        "## What to do",
        "",
        finding.do,
    ]
    if finding.fixes:
        lines += ["", f"Fixes: {_titled(finding.fixes)}"]
    return "\n".join(lines) + "\n"


def fix_page(remedy: Remedy) -> str:
    """One remedy with its command, and the places in it to fill in."""
    command = remedy.command(Place())
    named_by = [f"{rule.code} {rule.name}" for rule in sorted(catalogue(), key=_code) if remedy.id in rule.fixes]
    named_by += [f"finding {found.name}" for found in PAGES.values() if remedy.id in found.fixes]
    lines = [
        f"# {remedy.id}",
        "",
        f"{remedy.title}.",
        "",
        f"- Why: {remedy.why}",
        f"- Applicability: {remedy.applicability}",
        f"- Named by: {', '.join(named_by) or 'no cause or finding yet'}",
    ]
    if command is not None:
        lines += ["", *_to_fill_in(command), "```sh", command, "```"]
    return "\n".join(lines) + "\n"


def first_sentence(text: str) -> str:
    """The first sentence of a page, on one line."""
    paragraph = " ".join(text.split("\n\n")[0].split())
    return re.split(r"(?<=\.)\s", paragraph)[0]


def _code(rule: Rule) -> str:
    return rule.code


def _to_fill_in(command: str) -> list[str]:
    """Which words in CAPITALS stand for what the evidence would say."""
    places = dict.fromkeys(_PLACE.findall(command))
    return [f"To fill in: {', '.join(f'`{place}`' for place in places)}", ""] if places else []


def _titled(fixes: tuple[str, ...]) -> str:
    """`memory` -> `` `memory` (Give the function more memory ...) ``."""
    return ", ".join(f"`{fix}` ({REMEDIES[fix].title})" for fix in fixes)


def _words(kind: type) -> str:
    """`LambdaInvocation` -> `lambda invocation`."""
    return re.sub(r"(?<!^)(?=[A-Z])", " ", kind.__name__).lower()
