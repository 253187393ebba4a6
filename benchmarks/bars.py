"""The bars that our speed and memory must hold, as ratios inside one run."""

from collections.abc import Iterator
from dataclasses import dataclass

from benchmarks.results import Results
from benchmarks.tools import DUCKDB, FLOOR, GROUP, GZIP, OURS, WHOLE

#: The reference set; ratios are taken there, or on the largest smaller set that was measured.
_REFERENCE_GB = 1.0
_PEAK_MB = 300.0
_GROWTH = 1.3

HELP, PASTE, SECOND_RUN = "ours: --help", "ours: 50 lines on standard input", "ours: again, from the case file"


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar: what is measured must not be more than the limit."""

    what: str
    measured: float
    limit: float
    unit: str

    @property
    def holds(self) -> bool:
        """The measured value is within the limit."""
        return self.measured <= self.limit


def bars(results: Results) -> list[Bar]:
    """All bars for which there are figures."""
    sizes = results.sizes()
    reference = max((size for size in sizes if size <= _REFERENCE_GB), default=0.0)
    return [
        *_ratios(results, reference),
        *_memory(results, sizes),
        *_growth(results, sizes),
        *_seconds(results, reference),
    ]


def _ratios(results: Results, size: float) -> Iterator[Bar]:
    plain = (OURS, "plain")
    compared = (
        ("plain, against the C floor", plain, (FLOOR, "plain"), 3.5),
        ("plain, against grep + mawk that only groups", plain, (GROUP, "plain"), 1.0),
        ("plain, against grep + mawk doing the whole job", plain, (WHOLE, "plain"), 1 / 2.5),
        ("gzip, against gzip -dc alone", (OURS, "gzip"), (GZIP, "gzip"), 1.0),
        ("access logs alone, against DuckDB", (OURS, "access"), (DUCKDB, "access"), 2.0),
        ("filter-log-events, against plain", (OURS, "filter-log-events"), plain, 3.0),
        ("JSON lines, against plain", (OURS, "json-lines"), plain, 3.0),
    )
    for what, ours, other, limit in compared:
        ours_s, other_s = results.wall(*ours, size), results.wall(*other, size)
        if ours_s is not None and other_s:
            yield Bar(f"{what}, {size:g} GB", ours_s / other_s, limit, "x")


def _memory(results: Results, sizes: list[float]) -> Iterator[Bar]:
    for size in sizes:
        peaks = [
            run.peak_mb for (tool, _, at), runs in results.runs.items() if tool == OURS and at == size for run in runs
        ]
        if peaks:
            yield Bar(f"peak memory of all processes, any form, {size:g} GB", max(peaks), _PEAK_MB, "MB")


def _growth(results: Results, sizes: list[float]) -> Iterator[Bar]:
    known = [(size, wall) for size in sizes if (wall := results.wall(OURS, "plain", size))]
    if len(known) > 1:
        (small, small_s), (large, large_s) = known[0], known[-1]
        growth = (large_s / large) / (small_s / small)
        yield Bar(f"time per GB at {large:g} GB, against {small:g} GB", growth, _GROWTH, "x")


def _seconds(results: Results, reference: float) -> Iterator[Bar]:
    for what, size, limit in ((HELP, 0.0, 0.3), (PASTE, 0.0, 1.0), (SECOND_RUN, reference, 1.0)):
        wall = results.wall(what, "", size)
        if wall is not None:
            yield Bar(what.removeprefix("ours: "), wall, limit, "s")
