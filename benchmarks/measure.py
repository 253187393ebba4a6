"""Runs a command and measures the whole tree of its processes: wall time, CPU time, peak memory.

Memory is the sum of PSS (proportional set size) over the tree, read from /proc every 20 ms: pages that processes share
count once in the sum, pages of mapped files count where they are mapped. Peaks between two looks are not seen.
"""

import os
import shlex
import subprocess
import threading
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

_EVERY_S = 0.02
#: Looking may take this share of the time at most; a large tree is looked at less often.
_SHARE = 0.05
_KB = 1024


@dataclass(frozen=True, slots=True)
class Measured:
    """One run."""

    wall_s: float
    cpu_s: float
    peak_mb: float
    exit_status: int


def measure(command: str, output: Path) -> Measured:
    """Run a shell command with its standard output to a file; the CPU time is that of all its descendants."""
    environment = {**os.environ, "LC_ALL": "C"}
    with output.open("wb") as out, Path(os.devnull).open("rb") as nothing:
        start = perf_counter()
        process = subprocess.Popen(
            ["bash", "-c", f"set -o pipefail; {command}"],
            stdin=nothing,
            stdout=out,
            stderr=subprocess.DEVNULL,
            env=environment,
            start_new_session=True,
        )
        watch = _Watch(process.pid)
        watch.start()
        _, status, usage = os.wait4(process.pid, 0)
        wall = perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        watch.stop()
    return Measured(wall, usage.ru_utime + usage.ru_stime, watch.peak_kb / _KB, process.returncode)


def quoted(*parts: str | Path) -> str:
    """Words for the shell."""
    return shlex.join(str(part) for part in parts)


class _Watch(threading.Thread):
    """Looks at the memory of a process and its descendants until told to stop."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self._pid = pid
        self._over = threading.Event()
        self.peak_kb = 0

    def run(self) -> None:
        pause = 0.0
        while not self._over.wait(pause):
            start = perf_counter()
            self.peak_kb = max(self.peak_kb, sum(map(_pss_kb, _tree(self._pid))))
            pause = max(_EVERY_S, (perf_counter() - start) / _SHARE)

    def stop(self) -> None:
        self._over.set()
        self.join()


def _tree(pid: int) -> list[int]:
    """A process and all its descendants."""
    found = [pid]
    for parent in found:
        for thread in Path(f"/proc/{parent}/task").glob("*/children"):
            found.extend(map(int, _text(thread).split()))
    return found


def _pss_kb(pid: int) -> int:
    for line in _text(Path(f"/proc/{pid}/smaps_rollup")).splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1])
    return 0


def _text(path: Path) -> str:
    """Empty for a process that is gone."""
    try:
        return path.read_text()
    except OSError:
        return ""
