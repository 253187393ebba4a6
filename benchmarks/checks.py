"""What an answer is worth: every tool's output against the truth of the set."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Truth:
    """The sums of a set, and every request that failed or came near its limit."""

    totals: dict[str, int]
    causes: dict[str, int]
    input_bytes: dict[str, int]
    requests: dict[str, tuple[str, str]] = field(repr=False)
    """Request id -> kind and cause."""

    @classmethod
    def load(cls, home: Path) -> "Truth":
        """Read `set.json` and `truth.jsonl`."""
        sums: Json = json.loads((home / "set.json").read_text())
        requests = {}
        with (home / "truth.jsonl").open() as file:
            for row in map(json.loads, file):
                requests[row["request_id"]] = (row["kind"], row["cause"])
        return cls(sums["totals"], sums["causes"], sums["bytes"], requests)


Check = Callable[[Path, Truth], str]
"""Takes a tool's output; an empty string when it is right, else what is wrong."""


def check_counts(output: Path, truth: Truth) -> str:
    """A line of JSON whose counts must be those of the truth."""
    found: Json = json.loads(output.read_text())
    expected: Json = {**truth.totals, "causes": truth.causes, "access_failed": truth.totals["failed"]}
    return _differences(found, expected)


def check_access_query(output: Path, truth: Truth) -> str:
    """Counts of a strict JSON reader: rows that are no JSON are not in them."""
    found: Json = json.loads(output.read_text())
    totals = truth.totals
    return _differences(found, {"requests": totals["access_valid"], "failed": totals["access_valid_failed"]})


def check_failed_count(output: Path, truth: Truth) -> str:
    """Lines `file:count` of grep; the sum is the number of failed requests."""
    return _differences({"failed": _sum_of_counts(output)}, truth.totals)


def check_line_count(output: Path, truth: Truth) -> str:
    """The same for all lines that tell something."""
    return _differences({"telling_lines": _sum_of_counts(output)}, truth.totals)


def _sum_of_counts(output: Path) -> int:
    return sum(int(line.rpartition(":")[2]) for line in output.read_text().splitlines())


def check_status_table(output: Path, truth: Truth) -> str:
    """Lines `status,count`."""
    rows = [line.split(",") for line in output.read_text().splitlines() if line[:1].isdigit()]
    found = {"requests": sum(int(n) for _, n in rows), "failed": sum(int(n) for code, n in rows if code >= "500")}
    return _differences(found, truth.totals)


def check_nothing(output: Path, truth: Truth) -> str:
    """For tools that answer nothing."""
    return ""


def check_verdicts(output: Path, truth: Truth) -> str:
    """Our answer: the counts, and kind and cause of every single request."""
    found: Json = json.loads(output.read_text())
    names = ("requests", "failed", "near_limit", "invocations")
    wrong = [_differences({name: found["summary"][name] for name in names}, truth.totals)]
    routes = found["routes"]
    by_route = {"requests": sum(row["n"] for row in routes), "failed": sum(row["failed"] for row in routes)}
    wrong.append(_differences(by_route, truth.totals, "routes: "))
    return "; ".join(filter(None, [*wrong, wrong_causes(found, truth)]))


def check_access_alone(output: Path, truth: Truth) -> str:
    """Our answer to access logs alone: every failed request is found, be its row JSON or not."""
    found: Json = json.loads(output.read_text())
    wrong = _differences({name: found["summary"][name] for name in ("requests", "failed")}, truth.totals)
    failed = {row["request_id"] for row in found["verdicts"] if row["kind"] == "failed"}
    return wrong or _missing(failed, {request for request, (kind, _) in truth.requests.items() if kind == "failed"})


def wrong_causes(found: Json, truth: Truth) -> str:
    """How many requests have another verdict than they should; empty when none."""
    verdicts = {row["request_id"]: (row["kind"], row["cause"]) for row in found["verdicts"]}
    right = sum(verdicts.get(request) == expected for request, expected in truth.requests.items())
    extra = len(verdicts.keys() - truth.requests.keys())
    if right == len(truth.requests) and not extra:
        return ""
    return f"{right} of {len(truth.requests)} verdicts right, {extra} too many"


def _missing(found: set[str], expected: set[str]) -> str:
    return "" if found == expected else f"{len(expected - found)} requests missing, {len(found - expected)} too many"


def _differences(found: Json, expected: Json, what: str = "") -> str:
    shared = {name: value for name, value in found.items() if name in expected}
    wrong = {name: value for name, value in shared.items() if value != expected[name]}
    if not shared:
        return f"{what}no counts"
    return "; ".join(f"{what}{name} {value}, should be {expected[name]}" for name, value in wrong.items())
