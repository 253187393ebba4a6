"""Prints how the tool does on all labelled cases, per cause: right, undetermined, possible but wrong, wrong.

Exits with 1 when an answer is confidently wrong: that is the worst defect.
"""

import sys
import tempfile
from collections import Counter, defaultdict
from pathlib import Path

from tests.labelled.harness import case_files, load, run

_KINDS = ("right", "undetermined", "possible, wrong", "wrong")


def kind_of(given: str, accepted: tuple[str, ...], confidence: str) -> str:
    """How one answer counts."""
    if given in accepted:
        return "right"
    if given == "undetermined":
        return "undetermined"
    return "possible, wrong" if confidence == "possible" else "wrong"


def measure() -> dict[str, Counter[str]]:
    """Counts per labelled cause."""
    table: dict[str, Counter[str]] = defaultdict(Counter)
    for path in case_files():
        with tempfile.TemporaryDirectory() as folder:
            outcome = run(load(path), Path(folder))
        for wanted, given, accepted, confidence in outcome.causes:
            table[wanted][kind_of(given, accepted, confidence)] += 1
    return table


def render(table: dict[str, Counter[str]]) -> str:
    """The table as text."""
    lines = [f"{'cause':<30}" + "".join(f"{kind:>17}" for kind in _KINDS)]
    for cause in sorted(table):
        lines.append(f"{cause:<30}" + "".join(f"{table[cause][kind]:>17}" for kind in _KINDS))
    total: Counter[str] = sum(table.values(), Counter())
    lines.append(f"{f'all ({total.total()} verdicts)':<30}" + "".join(f"{total[kind]:>17}" for kind in _KINDS))
    return "\n".join(lines)


def main() -> None:
    """Measure and print."""
    table = measure()
    print(render(table))  # noqa: T201 - a report for people
    sys.exit(1 if any(counts["wrong"] for counts in table.values()) else 0)


if __name__ == "__main__":
    main()
