"""Ours and the peers: what each is called, what it reads, its shell command, and how its answer is checked."""

import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.checks import (
    Check,
    check_access_alone,
    check_access_query,
    check_counts,
    check_failed_count,
    check_line_count,
    check_nothing,
    check_status_table,
    check_verdicts,
)
from benchmarks.execution import TELLING
from benchmarks.measure import quoted

_HERE = Path(__file__).parent
_PEERS = _HERE / "peers"
_FAILED = ") Method completed with status: 5"
_LNAV_QUERY = (
    r";SELECT regexp_match('Method completed with status: (\d+)', log_body) AS status, count(*) FROM generic_log"
    r" WHERE log_body LIKE '%) Method completed with status:%' GROUP BY status"
)
_FAILED_REQUESTS, _NOTHING_WRONG = 1, 0


@dataclass(frozen=True, slots=True)
class Tool:
    """One row of the table."""

    name: str
    form: str
    command: Callable[[Path], str]
    check: Check
    needs: str = "bash"
    #: larger sets are not for it
    largest_gb: float = 10.0
    #: one run is enough: it is slow and no bar hangs on it
    once: bool = False
    exit_status: int = _NOTHING_WRONG

    @property
    def installed(self) -> bool:
        """The program is there."""
        return shutil.which(self.needs) is not None


def program() -> str:
    """Our own command, of the environment that runs the benchmark."""
    beside = Path(sys.executable).with_name("apigw-doctor")
    return str(beside) if beside.exists() else "apigw-doctor"


def floor_program(folder: Path) -> Path:
    """Where the compiled floor lies."""
    return folder / "floor"


def _ours(folder: Path) -> str:
    return f"exec {quoted(program(), 'diagnose', folder, '--format', 'json')}"


def _ours_in_python(folder: Path) -> str:
    return f"APIGW_DOCTOR_NATIVE=0 {_ours(folder)}"


def _floor(folder: Path) -> str:
    return f"exec {quoted(floor_program(folder.parent.parent), folder)}"


def _grep(*options: str) -> Callable[[Path], str]:
    return lambda folder: f"exec {quoted(*options, folder / 'execution')}"


def _awk(script: str) -> str:
    return quoted("mawk", "-f", _PEERS / script)


def _group(folder: Path) -> str:
    return f"{quoted('grep', '-rhE', TELLING, folder / 'execution')} | {_awk('group.awk')}"


def _whole(folder: Path) -> str:
    lines = (
        quoted("grep", "-rhE", TELLING, folder / "execution"),
        quoted("grep", "-rh", "", folder / "lambda"),
        quoted("grep", "-rhF", '"status": "5', folder / "access"),
    )
    return f"{{ {'; '.join(lines)}; }} | {_judge()}"


def _judge() -> str:
    return f"{_awk('whole.awk')} | sort -k1,1 -k2,2n | {_awk('p99.awk')}"


def _unpack(folder: Path, program: str = "zcat") -> str:
    return f"find {quoted(folder)} -name '*.gz' -print0 | sort -z | xargs -0 {program}"


def _gzip_group(folder: Path) -> str:
    return f"{_unpack(folder / 'execution')} | {quoted('grep', '-E', TELLING)} | {_awk('group.awk')}"


def _gzip_whole(folder: Path) -> str:
    lines = (
        f"{_unpack(folder / 'execution')} | {quoted('grep', '-E', TELLING)}",
        _unpack(folder / "lambda"),
        f"{_unpack(folder / 'access')} | {quoted('grep', '-F', chr(34) + 'status' + chr(34) + ': ' + chr(34) + '5')}",
    )
    return f"{{ {'; '.join(lines)}; }} | {_judge()}"


def _gzip_only(folder: Path) -> str:
    return f"{_unpack(folder, 'gzip -dc')} > /dev/null"


def _lnav(folder: Path) -> str:
    files = f"$(find {quoted(folder / 'execution')} -type f)"
    return f"{quoted('lnav', '-n', '-c', _LNAV_QUERY, '-c', ':write-csv-to -')} {files}"


def _python(script: str, part: str) -> Callable[[Path], str]:
    return lambda folder: f"exec {quoted(sys.executable, _PEERS / script, folder / part)}"


OURS = "ours"
FLOOR = "C floor: the same extraction, one core"
GROUP = "grep + mawk, groups only"
WHOLE = "grep + mawk + sort, whole job"
GZIP = "gzip -dc alone"
DUCKDB = "DuckDB read_json, written by hand"

TOOLS = (
    Tool(OURS, "plain", _ours, check_verdicts, exit_status=_FAILED_REQUESTS),
    Tool(
        "ours, without its C part",
        "plain",
        _ours_in_python,
        check_verdicts,
        largest_gb=1.0,
        once=True,
        exit_status=_FAILED_REQUESTS,
    ),
    Tool(FLOOR, "plain", _floor, check_counts, "gcc"),
    Tool("rg -c, one literal", "plain", _grep("rg", "-c", "-F", _FAILED), check_failed_count, "rg"),
    Tool("rg -c, the line kinds", "plain", _grep("rg", "-c", TELLING), check_line_count, "rg"),
    Tool("grep -c, one literal", "plain", _grep("grep", "-rcF", _FAILED), check_failed_count),
    Tool("grep -c, the line kinds", "plain", _grep("grep", "-rcE", TELLING), check_line_count),
    Tool(GROUP, "plain", _group, check_counts, "mawk"),
    Tool(WHOLE, "plain", _whole, check_counts, "mawk"),
    Tool("lnav, one GROUP BY", "plain", _lnav, check_status_table, "lnav", largest_gb=1.0, once=True),
    Tool(
        "Python, re on every line", "plain", _python("naive.py", "execution"), check_counts, largest_gb=1.0, once=True
    ),
    Tool(OURS, "gzip", _ours, check_verdicts, exit_status=_FAILED_REQUESTS),
    Tool(GZIP, "gzip", _gzip_only, check_nothing),
    Tool("zcat + grep + mawk, groups only", "gzip", _gzip_group, check_counts, "mawk"),
    Tool("zcat + grep + mawk + sort, whole job", "gzip", _gzip_whole, check_counts, "mawk"),
    Tool(OURS, "filter-log-events", _ours, check_verdicts, exit_status=_FAILED_REQUESTS),
    Tool(OURS, "json-lines", _ours, check_verdicts, exit_status=_FAILED_REQUESTS),
    Tool(OURS, "access", lambda folder: _ours(folder / "access"), check_access_alone, exit_status=_FAILED_REQUESTS),
    Tool(DUCKDB, "access", _python("access_duckdb.py", "access"), check_access_query),
)
