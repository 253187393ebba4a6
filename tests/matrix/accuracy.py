"""Plays every scenario and seed once, looks at its evidence through each level, and prints the confusion per level.

`--write` puts the tables into docs/accuracy.md. Exits with 1 when a bar is missed: with everything at least 99 % right
and nothing confidently wrong; below that right or honest, and "proven" never wrong.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import msgspec

from apigw_doctor.lab.scenarios.catalogue import find, scenarios
from apigw_doctor.model.errors import DoctorError
from apigw_doctor.reports.json_report import parts
from apigw_doctor.sources.collect import collect
from apigw_doctor.workflows.diagnose import Period, diagnose
from apigw_doctor.workflows.lab import play_scenario
from tests.matrix.compare import KINDS, LIKELY, NOTHING, PROVEN, RIGHT, Score, compare
from tests.matrix.levels import EVERYTHING, LEVELS, write_level

_PAGE = Path(__file__).parents[2] / "docs" / "accuracy.md"
#: The share of failed requests whose verdict must be right with all evidence.
_BAR = 0.99


class Job(msgspec.Struct, frozen=True):
    """One run of the lab."""

    scenario: str
    seed: int
    requests: int
    scale: float


def measure(job: Job) -> dict[str, Score]:
    """Play once, diagnose once per level."""
    played = play_scenario(job.scenario, requests=job.requests, seed=job.seed, scale=job.scale)
    scores = {}
    for level in LEVELS:
        with tempfile.TemporaryDirectory(prefix="apigw-matrix-") as name:
            folder = Path(name)
            write_level(played, level, folder)
            scores[level.name] = compare(
                played.truth, _answer(folder), job.scenario, job.seed, find(job.scenario).untold
            )
    return scores


def _answer(folder: Path) -> dict[str, Any]:
    try:
        diagnosis = diagnose(collect((str(folder),)), Period())
    except DoctorError:
        return {}
    answer: dict[str, Any] = msgspec.json.decode(b"".join(parts(diagnosis)))
    return answer


def run(jobs: Sequence[Job], workers: int) -> dict[str, Score]:
    """All runs, added up per level."""
    total = {level.name: Score() for level in LEVELS}
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        for scores in pool.map(measure, jobs):
            for name, score in scores.items():
                total[name].add(score)
    return total


def failures(total: dict[str, Score]) -> list[str]:
    """The bars that are missed, one sentence each."""
    missed = []
    whole = total[EVERYTHING.name]
    asked = sum(counts.total() for cause, counts in whole.kinds.items() if cause != NOTHING)
    right = whole.total(RIGHT)
    if asked and right / asked < _BAR:
        missed.append(f"{EVERYTHING.name}: {right} of {asked} right, less than {_BAR:.0%}")
    for kind in (LIKELY, PROVEN):  # told with confidence, and wrong
        if whole.total(kind):
            missed.append(f"{EVERYTHING.name}: {whole.total(kind)} {kind}")
    for level in LEVELS[1:]:
        for kind in (LIKELY, PROVEN):
            if total[level.name].total(kind):
                missed.append(f"{level.name}: {total[level.name].total(kind)} {kind}")
    return missed


def table(level: str, score: Score) -> str:
    """The confusion of one level as Markdown."""
    lines = [
        f"### {level}",
        "",
        f"| what happened | {' | '.join(KINDS)} | told instead |",
        "| --- |" + " ---: |" * len(KINDS) + " --- |",
    ]
    for cause in sorted(score.kinds):
        counts = score.kinds[cause]
        instead = ", ".join(f"{name} {count}" for name, count in score.instead.get(cause, {}).items())
        lines.append(f"| {cause} | {' | '.join(str(counts[kind] or '') for kind in KINDS)} | {instead} |")
    lines.append(f"| **all** | {' | '.join(str(score.total(kind)) for kind in KINDS)} | |")
    return "\n".join(lines)


def overview(total: dict[str, Score]) -> str:
    """All levels at a glance."""
    lines = ["| evidence | " + " | ".join(KINDS) + " |", "| --- |" + " ---: |" * len(KINDS)]
    lines += [
        f"| {level.name} | {' | '.join(str(total[level.name].total(kind)) for kind in KINDS)} |" for level in LEVELS
    ]
    return "\n".join(lines)


def page(total: dict[str, Score], jobs: Sequence[Job]) -> str:
    """The page of all levels."""
    seeds = len({job.seed for job in jobs})
    names = len({job.scenario for job in jobs})
    requests = sum(job.requests for job in jobs)
    head = f"""\
# Accuracy on what the lab plays

<!-- Made by `python -m tests.matrix.accuracy --write`. Do not edit. -->

{names} scenarios x {seeds} seeds, about {requests:,} requests. The lab knows what it injected, writes AWS's evidence, and
`diagnose` sees the same run through one level of evidence after the other. Counted are the requests that failed, and
those that are wrongly told as failed. *undetermined* is an honest answer, *possible* names several; *not seen* means
that this evidence holds no trace of the request's failure (a function's log does not know that the gateway gave up).
The scenarios were written by the people who wrote the rules: these figures say that verdicts agree with what was
injected, not how the field looks. *true, but general* is a row of the causes that fits as well, told because the evidence
for the more specific one is missing (killed at its own timeout, where only the function's log would show the stalled
call); with all evidence it counts as missed.
"""
    return "\n\n".join([head.rstrip(), overview(total), *(table(name, score) for name, score in total.items())]) + "\n"


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print, and write the page if asked to."""
    parser = argparse.ArgumentParser(prog="python -m tests.matrix.accuracy", description=__doc__)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--requests", type=int, default=60)
    parser.add_argument("--scale", type=float, default=500.0)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--quick", action="store_true", help="one seed, 30 requests, only the tables of all causes")
    parser.add_argument("--only", nargs="*", help="only these scenarios")
    parser.add_argument("--misses", action="store_true", help="print every verdict that is not the truth")
    parser.add_argument("--write", action="store_true", help="write docs/accuracy.md")
    options = parser.parse_args(arguments)
    if options.quick:
        options.seeds, options.requests = 1, 30
    names = options.only or list(scenarios())
    jobs = [Job(name, seed, options.requests, options.scale) for name in names for seed in range(1, options.seeds + 1)]
    began = time.monotonic()
    total = run(jobs, options.workers)
    text = page(total, jobs)
    print(overview(total) if options.quick else text)  # noqa: T201 - a report for people
    if options.misses:
        for level, score in total.items():
            for miss in score.misses:
                if miss.confidence == "undetermined" and level != EVERYTHING.name:
                    continue
                said = f"{miss.truth} told as {miss.given} ({miss.confidence}): {miss.summary}"
                print(f"{level}: {miss.scenario} seed {miss.seed} {miss.request_id}: {said}")  # noqa: T201
    for miss in total[EVERYTHING.name].boundary_wrong:
        print(f"boundary: {miss.scenario} seed {miss.seed} {miss.request_id}: {miss.truth}, told {miss.given}")  # noqa: T201
    if options.write:
        _PAGE.write_text(text, encoding="utf-8")
    print(f"{time.monotonic() - began:.0f} s")  # noqa: T201
    missed = failures(total)
    for sentence in missed:
        print(f"missed: {sentence}", file=sys.stderr)  # noqa: T201
    sys.exit(1 if missed else 0)


if __name__ == "__main__":
    main()
