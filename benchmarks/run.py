"""Ours and the peers side by side: `make bench`, `make bench-full`, `python -m benchmarks.run --quick`.

Every round runs all tools once, one after the other, so that what else the machine does hits all alike. Every answer is
checked against the truth of its set. The tables are printed and, except for the quick mode, put into the documentation.
"""

import argparse
import compileall
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

from benchmarks.bars import HELP, PASTE, SECOND_RUN, bars
from benchmarks.checks import Check, Truth, check_nothing, check_verdicts
from benchmarks.forms import FORMS
from benchmarks.generate import drop_set, make_set, set_folder
from benchmarks.measure import measure, quoted
from benchmarks.report import tables, write_page
from benchmarks.results import Key, Results
from benchmarks.tools import OURS, TOOLS, Tool, floor_program, program

_ROUNDS = {0.01: 1, 0.1: 5, 1.0: 3, 4.0: 2, 10.0: 1}
#: A tool that takes longer runs only once.
_LONG_S = 30.0
#: In all forms up to this size; beyond it plain only, and the set is deleted afterwards.
_ALL_FORMS_GB = 1.0
#: After so long every tool still gets its first run, and no second one.
_ENOUGH_S = 660.0
_SMALL_RUNS = 5
_PASTE_LINES = 50
_READ_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Choice:
    """What to measure."""

    sizes: tuple[float, ...]
    forms: tuple[str, ...]
    only: tuple[str, ...]
    rounds: int | None

    def forms_of(self, size_gb: float) -> tuple[str, ...]:
        """The forms in which a size is generated."""
        return tuple(form for form in self.forms if size_gb <= _ALL_FORMS_GB or form == "plain")

    def wants(self, name: str) -> bool:
        """The tool is among those that were asked for."""
        return not self.only or any(text in name for text in self.only)

    def tools_of(self, size_gb: float) -> list[Tool]:
        """The tools for a size."""
        forms = self.forms_of(size_gb)
        wanted = {*forms, *(["access"] if "plain" in forms and size_gb <= _ALL_FORMS_GB else [])}
        return [
            tool
            for tool in TOOLS
            if tool.form in wanted and size_gb <= tool.largest_gb and self.wants(f"{tool.name} {tool.form}")
        ]


class Bench:
    """Runs tools and keeps what came out."""

    def __init__(self, choice: Choice) -> None:
        self.choice = choice
        self.results = Results()
        self._until = perf_counter() + _ENOUGH_S

    def sets(self) -> None:
        """All sizes, one after the other."""
        for size in self.choice.sizes:
            try:
                self._one_size(size)
            finally:
                if size > _ALL_FORMS_GB:
                    drop_set(size)

    def _one_size(self, size: float) -> None:
        for form in self.choice.forms_of(size):
            start = perf_counter()
            _warm(make_set(size, form))
            _say(f"{size:g} GB {form}: there after {perf_counter() - start:.0f} s")
        _compile_floor()
        self._rounds(size)
        self._second_run(size)

    def small(self) -> None:
        """What does not depend on a set: start-up, and a paste."""
        if not self.choice.wants(OURS):
            return
        paste = _paste(make_set(0.01))
        for _ in range(_SMALL_RUNS):
            self._run((HELP, "", 0.0), f"exec {quoted(program(), '--help')}", 0)
            command = f"exec {quoted(program(), 'diagnose', '-', '--format', 'json')} < {quoted(paste)}"
            self._run((PASTE, "", 0.0), command, 1)

    def _rounds(self, size: float) -> None:
        truth, tools = Truth.load(set_folder(size)), self.choice.tools_of(size)
        for number in range(self.choice.rounds or _ROUNDS.get(size, 1)):
            for tool in tools:
                key = (tool.name, tool.form, size)
                if not tool.installed:
                    self.results.skipped[key] = f"not installed: {tool.needs}"
                elif number == 0 or self._again(tool, key):
                    folder = set_folder(size) / ("plain" if tool.form == "access" else tool.form)
                    self._run(key, tool.command(folder), tool.exit_status, tool.check, truth)

    def _again(self, tool: Tool, key: Key) -> bool:
        """Another round is worth its time."""
        return not tool.once and self.results.runs[key][-1].wall_s < _LONG_S and perf_counter() < self._until

    def _second_run(self, size: float) -> None:
        """The same answer from a case file, where the tool can keep one."""
        if size > _ALL_FORMS_GB or not self.choice.wants(f"{OURS} plain"):
            return
        key = (SECOND_RUN, "", size)
        help_text = subprocess.run(
            [program(), "diagnose", "--help"], capture_output=True, text=True, check=False
        ).stdout
        if "--case" not in help_text:
            self.results.skipped[key] = "diagnose has no --case yet"
            return
        case = set_folder(size) / "incident.duckdb"
        case.unlink(missing_ok=True)
        folder, truth = set_folder(size) / "plain", Truth.load(set_folder(size))
        command = quoted(program(), "diagnose", "--format", "json", "--case", case)
        self._run(("ours, writing a case file", "plain", size), f"{command} {quoted(folder)}", 1, check_verdicts, truth)
        for _ in range(_SMALL_RUNS):
            self._run(key, command, 1, check_verdicts, truth)
        case.unlink(missing_ok=True)

    def _run(
        self, key: Key, command: str, status: int, check: Check = check_nothing, truth: Truth | None = None
    ) -> None:
        output = set_folder(key[2]).parent / "answer"
        run = measure(command, output)
        wrong = f"exit status {run.exit_status}" if run.exit_status != status else ""
        if not wrong and truth is not None:
            wrong = _checked(check, output, truth)
        self.results.add(key, run, wrong)
        output.unlink()
        times = f"{run.wall_s:7.2f} s {run.cpu_s:7.2f} s cpu {run.peak_mb:6.0f} MB"
        _say(f"{key[2]:g} GB {key[1]:>17}  {times}  {key[0]}  {wrong}")


def _checked(check: Check, output: Path, truth: Truth) -> str:
    """What is wrong with an answer; one that cannot be read at all is wrong too."""
    try:
        return check(output, truth)
    except (ValueError, KeyError, TypeError) as error:
        return f"unreadable: {error!r}"[:120]


def _compile_floor() -> None:
    if shutil.which("gcc") is None:
        return
    source = Path(__file__).with_name("floor.c")
    target = floor_program(set_folder(0.01).parent)
    subprocess.run(["gcc", "-O2", "-o", str(target), str(source)], check=True)


def _warm(folder: Path) -> None:
    """Read everything once, so that all tools find it in the page cache."""
    for path in folder.rglob("*"):
        if path.is_file():
            with path.open("rb", buffering=0) as file:
                while file.read(_READ_BYTES):
                    pass


def _paste(folder: Path) -> Path:
    """Fifty lines around a request that failed, as somebody copies them."""
    target = folder.parent / "paste.txt"
    for path in sorted((folder / "execution").rglob("*.log")):
        lines = path.read_text().splitlines(keepends=True)
        for number, line in enumerate(lines):
            if "Execution failed due to a timeout error" in line[60:110]:
                request = line[26:62]
                own = [text for text in lines if request in text[:64]]
                others = [text for text in lines[max(number - 60, 0) : number] if request not in text[:64]]
                target.write_text("".join(sorted([*others[-(_PASTE_LINES - len(own)) :], *own])))
                return target
    raise SystemExit("the smallest set has no request that timed out")


def _say(text: str) -> None:
    sys.stderr.write(text.rstrip() + "\n")


def _choice(arguments: list[str] | None) -> tuple[Choice, str]:
    """The options; and the section of the page that the tables go to, if any."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.run", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="0.01 GB, one round, the page stays as it is")
    parser.add_argument("--full", action="store_true", help="10 GB plain, made and deleted, beside 0.1 GB")
    parser.add_argument("--sizes", type=float, nargs="+", metavar="GB")
    parser.add_argument("--forms", nargs="+", choices=FORMS, default=list(FORMS))
    parser.add_argument("--only", nargs="+", default=[], metavar="TEXT", help="tools whose name and form contain one")
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--no-page", action="store_true", help="print the tables and leave the page as it is")
    options = parser.parse_args(arguments)
    sizes: list[float] = options.sizes or (
        [0.01] if options.quick else [0.1, 10.0] if options.full else [0.1, 1.0, 4.0]
    )
    forms = ["plain"] if options.full else options.forms
    partial = options.sizes or options.quick or options.only or options.no_page or options.forms != list(FORMS)
    section = "" if partial else "bench-full" if options.full else "bench"
    return Choice(tuple(sizes), tuple(forms), tuple(options.only), options.rounds), section


def _failures(results: Results) -> Iterator[str]:
    for bar in bars(results):
        if not bar.holds:
            yield f"missed: {bar.what}: {bar.measured:.3g} {bar.unit}, bar {bar.limit:.3g}"
    for key, wrong in results.wrong.items():
        yield f"wrong answer: {key[0]} on {key[2]:g} GB {key[1]}: {wrong}"


def _compile_ours() -> None:
    """As pip does when it installs: a source tree may be compiled anew at every start, where nothing is written."""
    import apigw_doctor

    for folder in apigw_doctor.__path__:
        compileall.compile_dir(folder, quiet=2)


def main(arguments: list[str] | None = None) -> int:
    """Measure, print, write; 1 when an answer was wrong, or a bar missed by a whole run."""
    choice, section = _choice(arguments)
    bench = Bench(choice)
    start = perf_counter()
    _compile_ours()
    bench.small()
    bench.sets()
    text = tables(bench.results)
    sys.stdout.write(text)
    if section:
        write_page(section, text)
    failures = list(_failures(bench.results))
    _say("\n".join([f"took {perf_counter() - start:.0f} s", *failures]))
    return 1 if bench.results.wrong or (section and failures) else 0


if __name__ == "__main__":
    raise SystemExit(main())
