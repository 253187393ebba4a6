"""Writes the documentation pages that are made from the code; `--check` names the stale ones and exits with 1.

Run from the project's root: `python docs/generate.py`.
"""

import ast
import re
import sys
from pathlib import Path

import yaml

from apigw_doctor.diagnosis.catalogue import catalogue
from apigw_doctor.diagnosis.finding_pages import PAGES
from apigw_doctor.diagnosis.remedies import REMEDIES
from apigw_doctor.diagnosis.rule import Rule
from apigw_doctor.limits.table import LIMITS, Limit
from apigw_doctor.reports.schema import json_schema
from apigw_doctor.workflows.article import article_page
from apigw_doctor.workflows.explain import finding_page, first_sentence, fix_page, rule_page

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
NOTE = "<!-- made by docs/generate.py; change the code, not this page -->\n\n"
_LIMITS_HEAD = """# Limits and other dated facts

What holds when nobody has set anything, the range that can be set, and whether AWS raises the maximum on request.
`-` stands for what is not bounded, not documented or has no meaning there.

Marks: B read in the AWS service model or in the named client's source, D in AWS's documentation or price page,
O observed in public logs, issues or posts, I inferred from such facts, U not verified.

| id | what | value | least | most | unit | raised | as of | mark | |
|---|---|---|---|---|---|---|---|---|---|
"""


def main() -> None:
    """Write or check all pages."""
    pages = all_pages()
    stale = [name for name, text in pages.items() if not _same(DOCS / name, text)]
    unknown = {str(path.relative_to(DOCS)) for path in (DOCS / "rules").glob("*.md")} - set(pages)
    if "--check" in sys.argv:
        if stale or unknown:
            sys.exit("stale pages (run `make docs`): " + ", ".join(sorted({*stale, *unknown})))
        return
    for name in unknown:
        (DOCS / name).unlink()
    for name in stale:
        target = DOCS / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(pages[name], encoding="utf-8")


def all_pages() -> dict[str, str]:
    """Name below docs/ -> text."""
    rules = sorted(catalogue(), key=lambda rule: rule.code)
    pages = {f"rules/{rule.code}.md": NOTE + rule_page(rule) + _cases(rule) for rule in rules}
    pages["rules/README.md"] = NOTE + _rules_index(rules)
    pages["findings.md"] = NOTE + _together("Findings", [finding_page(page) for page in PAGES.values()])
    pages["fixes.md"] = NOTE + _together("Fixes", [fix_page(remedy) for remedy in REMEDIES.values()])
    pages["limits.md"] = NOTE + _limits()
    pages["sources.md"] = NOTE + _sources()
    pages["article.md"] = NOTE + article_page()
    pages["answer.md"] = NOTE + _answer()
    return pages


def _same(path: Path, text: str) -> bool:
    return path.exists() and path.read_text(encoding="utf-8") == text


def _together(title: str, pages: list[str]) -> str:
    """Several pages as sections of one: their headings go one level down."""
    return f"# {title}\n\n" + "\n".join(re.sub(r"(?m)^(#+ )", r"#\1", page) for page in pages)


def _cases(rule: Rule) -> str:
    """The first case that fires and the first that stays silent."""
    file = ROOT / "tests" / "diagnosis" / "cases" / f"{rule.code}.yaml"
    if not file.exists():
        return ""
    cases = yaml.safe_load(file.read_text(encoding="utf-8"))
    parts = []
    for kind in ("fires", "silent"):
        name = next((name for name in cases if name.startswith(kind)), None)
        if name is not None:
            text = yaml.safe_dump({name: cases[name]}, sort_keys=False, allow_unicode=True, width=100)
            parts.append(f"\n## Example: {kind}\n\n```yaml\n{text}```\n")
    return "".join(parts)


def _rules_index(rules: list[Rule]) -> str:
    rows = [
        f"| [{rule.code}]({rule.code}.md) | {rule.name} | {rule.layer.value} | {first_sentence(rule.page)} |"
        for rule in rules
    ]
    return "# Causes\n\n| code | name | layer | what it finds |\n|---|---|---|---|\n" + "\n".join(rows) + "\n"


def _limits() -> str:
    rows = [
        f"| `{item.id}` | {item.title} | {_number(item.value)} | {_number(item.minimum)} | {_number(item.maximum)} |"
        f" {item.unit} | {_raised(item)} | {item.as_of} | {item.mark} | [source]({item.source}) |"
        for item in LIMITS.values()
    ]
    return _LIMITS_HEAD + "\n".join(rows) + "\n"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:,.10g}"


def _raised(item: Limit) -> str:
    """Whether AWS raises the maximum, and the quota that names it."""
    if item.adjustable is None:
        return "-"
    return "no" if not item.adjustable else f"yes {item.quota_code or ''}".strip()


def _sources() -> str:
    """One section a source module, from its docstring."""
    sections = ["# Sources\n\nWhat is read, and how each form is recognised.\n"]
    for path in sorted((ROOT / "src" / "apigw_doctor" / "sources").glob("*.py")):
        text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
        if text and path.stem != "__init__":
            prose, _, sample = text.partition(">>>")
            block = f"\n```pycon\n>>>{sample}\n```\n" if sample else ""
            sections.append(f"## {path.stem}\n\n{prose.strip()}\n{block}")
    return "\n".join(sections)


def _answer() -> str:
    """The keys of the JSON answer, from its schema."""
    schema = json_schema()
    lines = ["# The JSON answer\n", f"{schema['description']} The schema ships in the package.\n"]
    for name, part in schema["$defs"].items():
        if "properties" not in part:
            continue
        lines.append(f"## {name}\n\n{part.get('description', '').strip()}\n")
        lines.append("| key | type |\n|---|---|")
        lines += [f"| `{key}` | {_type(value)} |" for key, value in part["properties"].items()]
        lines.append("")
    lines += ["## Words\n", "| type | words |\n|---|---|"]
    lines += [f"| {name} | {_type(part)} |" for name, part in schema["$defs"].items() if "enum" in part]
    return "\n".join(lines) + "\n"


def _type(value: dict[str, object]) -> str:
    if "const" in value:
        return f"`{value['const']}`"
    if "$ref" in value:
        return str(value["$ref"]).rpartition("/")[2]
    if isinstance(options := value.get("anyOf"), list):
        return " or ".join(_type(option) for option in options)
    if value.get("type") == "array" and isinstance(items := value.get("items"), dict):
        return f"list of {_type(items)}"
    if isinstance(words := value.get("enum"), list):
        return " or ".join(f"`{word}`" for word in words)
    return str(value.get("type", "any"))


if __name__ == "__main__":
    main()
