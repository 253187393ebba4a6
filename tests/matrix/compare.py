"""Compares the verdicts of one diagnosis with the truth of the run, request by request."""

from collections import Counter
from typing import Any

import msgspec

from apigw_doctor.lab.truth import TruthRow

RIGHT, GENERAL, UNDETERMINED, POSSIBLE, LIKELY, PROVEN, UNSEEN = (
    "right",
    "true, but general",
    "undetermined",
    "possible, wrong",
    "likely, wrong",
    "proven, wrong",
    "not seen",
)
KINDS = (RIGHT, GENERAL, UNDETERMINED, POSSIBLE, LIKELY, PROVEN, UNSEEN)
#: Rows of causes.md that fit as well where the evidence for the more specific one is missing: a function that is
#: killed inside a stalled call is killed at its own timeout all the same, one that waited for a slow call was slow.
GENERAL_CAUSES = {
    "dependency-slow": {"backend-slower-than-limit"},
    "dependency-resuming": {"backend-slower-than-limit"},
    "connection-pool-exhausted": {"backend-slower-than-limit"},
    "lazy-initialization": {"backend-slower-than-limit"},
    "init-timeout": {"backend-slower-than-limit", "function-timeout"},
    "stalled-call": {"function-timeout"},
    "retry-product": {"function-timeout"},
    "event-loop-not-drained": {"function-timeout"},
}
#: What a row is called when nothing was wrong with the request.
NOTHING = "(nothing wrong)"


class Miss(msgspec.Struct, frozen=True, kw_only=True):
    """A request whose verdict is not the truth."""

    scenario: str
    seed: int
    request_id: str
    truth: str
    given: str
    confidence: str
    summary: str


class Score(msgspec.Struct, kw_only=True):
    """Counts of one level: kind of answer per true cause, what was given instead, and the misses."""

    kinds: dict[str, Counter[str]] = {}
    instead: dict[str, Counter[str]] = {}
    boundary_wrong: list[Miss] = []
    misses: list[Miss] = []

    def count(self, truth: str, kind: str, given: str | None = None) -> None:
        """One more answer."""
        self.kinds.setdefault(truth, Counter())[kind] += 1
        if given is not None and kind != RIGHT:
            self.instead.setdefault(truth, Counter())[given] += 1

    def add(self, other: "Score") -> None:
        """Take over the counts of another run."""
        for truth, counts in other.kinds.items():
            self.kinds.setdefault(truth, Counter()).update(counts)
        for truth, counts in other.instead.items():
            self.instead.setdefault(truth, Counter()).update(counts)
        self.misses.extend(other.misses)
        self.boundary_wrong.extend(other.boundary_wrong)

    def total(self, kind: str) -> int:
        """How many answers were of a kind."""
        return sum(counts[kind] for counts in self.kinds.values())


def compare(
    rows: tuple[TruthRow, ...], answer: dict[str, Any], scenario: str, seed: int, untold: tuple[str, ...] = ()
) -> Score:
    """Score one diagnosis (its JSON answer, empty where nothing could be read).

    `untold` are the causes of which "undetermined" is the right answer, for no evidence of the scenario tells them.
    """
    score = Score()
    failed = [verdict for verdict in answer.get("verdicts", ()) if verdict["kind"] == "failed"]
    known: dict[str, dict[str, Any]] = {}
    for verdict in failed:
        known.update((name, verdict) for name in _ids(verdict))
    for row in rows:
        verdict = next((known[name] for name in _names(row) if name in known), None)
        miss = None if verdict is None else _miss(row, verdict, scenario, seed)
        if row.cause is None:
            if verdict is not None and miss is not None:
                score.count(NOTHING, _wrong(verdict), verdict["cause"])
                score.misses.append(miss)
            continue
        if verdict is None or miss is None:
            score.count(row.cause, UNSEEN)
        elif verdict["cause"] in _right(row, untold):
            score.count(row.cause, RIGHT)
            if verdict["boundary"] not in (row.boundary, "unknown"):
                score.boundary_wrong.append(miss)
        else:
            general = verdict["cause"] in GENERAL_CAUSES.get(row.cause, ()) and verdict["boundary"] == row.boundary
            score.count(row.cause, GENERAL if general else _wrong(verdict), verdict["cause"])
            if not general:
                score.misses.append(miss)
    return score


def _right(row: TruthRow, untold: tuple[str, ...]) -> tuple[str | None, ...]:
    return (row.cause, *row.also, *(("undetermined",) if row.cause in untold else ()))


def _miss(row: TruthRow, verdict: dict[str, Any], scenario: str, seed: int) -> Miss:
    return Miss(
        scenario=scenario,
        seed=seed,
        request_id=row.request_id,
        truth=f"{row.cause or NOTHING} / {row.boundary}",
        given=f"{verdict['cause']} / {verdict['boundary']}",
        confidence=verdict["confidence"],
        summary=verdict["summary"],
    )


def _wrong(verdict: dict[str, Any]) -> str:
    if verdict["cause"] == "undetermined":
        return UNDETERMINED
    return {"possible": POSSIBLE, "likely": LIKELY, "proven": PROVEN}.get(verdict["confidence"], UNDETERMINED)


def _ids(verdict: dict[str, Any]) -> list[str]:
    ids = [verdict["request_id"], verdict["extended_request_id"]]
    if verdict["request_id"] is None and verdict["invocation"] is not None:
        ids.append(verdict["invocation"]["request_id"])
    return [name for name in ids if name]


def _names(row: TruthRow) -> list[str]:
    return [row.request_id, row.extended_request_id, *(row.invocation or {}).values()]
