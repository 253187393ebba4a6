"""Writes the documentation pages that are made from the code; `--check` names the stale ones and exits with 1.

Run from the project's root: `python docs/generate.py`.
"""

import ast
import inspect
import re
import sys
from pathlib import Path

import yaml

from apigw_doctor.diagnosis.catalogue import catalogue
from apigw_doctor.diagnosis.finding_pages import PAGES
from apigw_doctor.diagnosis.remedies import REMEDIES
from apigw_doctor.diagnosis.rule import Rule
from apigw_doctor.diagnosis.verdict import Verdict
from apigw_doctor.engine.case_open import STORAGE_VERSION
from apigw_doctor.engine.case_tables import SCHEMA_VERSION, FunctionRow, row_tables, tables
from apigw_doctor.evidence.traffic import RequestPlace
from apigw_doctor.lab.scenarios.catalogue import scenarios
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

_SCENARIOS_HEAD = """# Scenarios of the lab

`apigw-doctor lab run NAME --requests 200 --seed 7 --out DIR` plays one and writes its evidence and `DIR/truth.jsonl`;
[lab.md](lab.md) says how, [accuracy.md](accuracy.md) how the verdicts do on all of them.

| name | what happens | causes |
|---|---|---|
"""

_CASE_FILE_HEAD = """# The case file

`diagnose --case FILE` keeps the evidence of one incident and the answer in one DuckDB file: whoever has it can ask
further without the logs and without access to the account. It is written in DuckDB's storage format {storage}, which
DuckDB 1.1 and later open, and `apigw-doctor case export FILE --output DIR` writes its tables as Parquet.

```sql
-- duckdb incident.duckdb
SELECT cause, layer, count(*) FROM verdicts WHERE kind = 'failed' GROUP BY ALL ORDER BY ALL;
SELECT name, size, sha256 FROM sources;
```

Secrets were taken out of every text before it was written (with `--anonymize` also addresses, principals and query
values). Times (`..._at`) are milliseconds since 1970-01-01 UTC, durations (`..._ms`) milliseconds; NULL stands for what
the evidence did not say. The version of the tables is {schema}: within it tables and columns are added, never renamed,
removed or changed in meaning; a file of another version is refused.

What was read together is a *batch*. A request that two batches tell of has a row in each; `facts` holds what is needed
to join them, and `verdicts` has every request once. Requests and invocations that went well in much input have no row
of their own: `traffic` and `crowd` hold their times, and numbers of 64 bits made of their ids.
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
    pages["case-file.md"] = NOTE + _case_file()
    pages["scenarios.md"] = NOTE + _scenarios()
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


def _scenarios() -> str:
    codes = {rule.name: rule.code for rule in catalogue()}
    rows = [
        f"| `{one.name}` | {one.description} | "
        + (", ".join(f"[{cause}](rules/{codes[cause]}.md)" for cause in one.causes) or "nothing wrong")
        + " |"
        for one in scenarios().values()
    ]
    return _SCENARIOS_HEAD + "\n".join(rows) + "\n"


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


def _case_file() -> str:
    """The tables of a case file, from the types that they are made of."""
    kinds = {**row_tables(), "places": RequestPlace, "crowd_functions": FunctionRow, "verdicts": Verdict}
    lines = [_CASE_FILE_HEAD.format(schema=SCHEMA_VERSION, storage=STORAGE_VERSION)]
    for table in tables().values():
        lines.append(f"## {table.name}\n\n{table.text}\n")
        notes = _field_notes(kinds[table.name]) if table.name in kinds else {}
        lines.append("| column | type | |\n|---|---|---|")
        lines += [f"| `{name}` | `{kind}` | {notes.get(name, '')} |" for name, kind in table.columns.items()]
        lines.append("")
    return "\n".join(lines)


def _field_notes(kind: type) -> dict[str, str]:
    """Field -> the comment that stands over it."""
    found: dict[str, str] = {}
    note: list[str] = []
    for line in inspect.getsource(kind).splitlines():
        if line.strip().startswith("#:"):
            note.append(line.strip().removeprefix("#:").strip())
        elif note and (field := re.match(r"    (\w+): ", line)):
            found[field[1]] = " ".join(note).replace("|", "\\|")
            note = []
    return found


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
