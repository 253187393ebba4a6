"""What was measured, and the medians of it."""

from collections import defaultdict
from dataclasses import dataclass, field
from statistics import median

from benchmarks.measure import Measured

Key = tuple[str, str, float]
"""Tool, form, size in GB; the size is 0 for what does not depend on a set."""


@dataclass(frozen=True, slots=True)
class Median:
    """Several runs of one tool on one set."""

    runs: int
    wall_s: float
    cpu_s: float
    peak_mb: float


@dataclass(slots=True)
class Results:
    """All runs, what was wrong with their answers, and why some tools did not run."""

    runs: defaultdict[Key, list[Measured]] = field(default_factory=lambda: defaultdict(list))
    wrong: dict[Key, str] = field(default_factory=dict)
    skipped: dict[Key, str] = field(default_factory=dict)

    def add(self, key: Key, run: Measured, wrong: str) -> None:
        """Keep one run; of wrong answers the last one."""
        self.runs[key].append(run)
        if wrong:
            self.wrong[key] = wrong

    def median(self, tool: str, form: str, size_gb: float) -> Median | None:
        """The middle of the times, and the highest peak; None when it did not run."""
        runs = self.runs.get((tool, form, size_gb))
        if not runs:
            return None
        return Median(
            len(runs),
            median(run.wall_s for run in runs),
            median(run.cpu_s for run in runs),
            max(run.peak_mb for run in runs),
        )

    def wall(self, tool: str, form: str, size_gb: float) -> float | None:
        """The median of the wall time."""
        found = self.median(tool, form, size_gb)
        return None if found is None else found.wall_s

    def sizes(self) -> list[float]:
        """Sizes of the sets that were read."""
        return sorted({size for _, _, size in self.runs} - {0.0})
