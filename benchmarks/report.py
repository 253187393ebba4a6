"""The tables, as Markdown; and their place in docs/performance.md."""

import platform
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.bars import Bar, bars
from benchmarks.results import Results
from benchmarks.tools import OURS, TOOLS

PAGE = Path(__file__).parent.parent / "docs" / "performance.md"
_INTRODUCTION = """\
# Performance

What one machine does with the reference sets, ours and other tools side by side on the same files in the same run.
Ratios are what counts; seconds depend on the machine. `make bench` makes this page's tables (`make bench-full` those of
the largest set); how the sets are made and what each tool does is in `benchmarks/`.
"""


def tables(results: Results) -> str:
    """Everything that was measured."""
    parts = [_machine(), "### Bars\n", _bar_table(bars(results))]
    for size in results.sizes():
        parts += [f"### {size:g} GB of execution logs\n", _size_table(results, size)]
    if results.skipped:
        parts += ["### Not measured\n", "\n".join(f"- {key[0]}: {why}" for key, why in results.skipped.items()) + "\n"]
    return "\n".join(parts)


def write_page(section: str, text: str) -> None:
    """Put the tables between the marks of their section; the rest of the page stays."""
    begin, end = f"<!-- {section}: begin, made by benchmarks/run.py -->", f"<!-- {section}: end -->"
    page = PAGE.read_text() if PAGE.exists() else _INTRODUCTION
    if begin not in page:
        page = f"{page.rstrip()}\n\n{begin}\n{end}\n"
    before, _, rest = page.partition(begin)
    PAGE.write_text(f"{before}{begin}\n\n{text}\n{end}{rest.partition(end)[2]}")


def _machine() -> str:
    """When and where."""
    cores = _values("/proc/cpuinfo", "model name")
    memory_gb = int(_values("/proc/meminfo", "MemTotal")[0].split()[0]) / 1e6
    system = f"{platform.system()} {platform.release().split('-')[0]}"
    return (
        f"{datetime.now(UTC):%Y-%m-%d}, {len(cores)} cores ({cores[0]}), {memory_gb:.0f} GB of memory, "
        f"Python {platform.python_version()}, {system}. Files in the page cache, runs interleaved in "
        "rounds, medians; memory is the highest sum of PSS over the tool's processes.\n"
    )


def _values(path: str, name: str) -> list[str]:
    lines = Path(path).read_text().splitlines()
    return [line.partition(":")[2].strip() for line in lines if line.startswith(name)] or ["unknown"]


def _bar_table(found: Iterable[Bar]) -> str:
    rows = (
        (
            bar.what,
            f"<= {bar.limit:.3g} {bar.unit}",
            f"{bar.measured:.3g} {bar.unit}",
            "holds" if bar.holds else "**missed**",
        )
        for bar in found
    )
    return _table(("what", "bar", "measured", ""), rows)


def _size_table(results: Results, size: float) -> str:
    heads = ("tool", "form", "wall s", "CPU s", "peak MB", "against ours", "answer", "runs")
    return _table(heads, _size_rows(results, size))


def _size_rows(results: Results, size: float) -> Iterator[tuple[str, ...]]:
    for tool in TOOLS:
        key = (tool.name, tool.form, size)
        if key in results.skipped:
            yield tool.name, tool.form, "", "", "", "", results.skipped[key], ""
        found, ours = results.median(*key), results.wall(OURS, tool.form, size)
        if found is None:
            continue
        against = "" if ours is None or tool.name == OURS else f"{found.wall_s / ours:.2f} x"
        yield (
            tool.name,
            tool.form,
            f"{found.wall_s:.2f}",
            f"{found.cpu_s:.2f}",
            f"{found.peak_mb:.0f}",
            against,
            results.wrong.get(key, "not checked" if tool.check.__name__ == "check_nothing" else "right"),
            str(found.runs),
        )


def _table(heads: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    body = [heads, tuple("---" for _ in heads), *rows]
    return "".join(f"| {' | '.join(row)} |\n" for row in body)
