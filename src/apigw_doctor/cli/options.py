"""Options that commands share, and the exit statuses of the contract."""

import os
import re
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import click

from apigw_doctor.cli.progress import Progress
from apigw_doctor.diagnosis.findings import ADVISORY
from apigw_doctor.diagnosis.verdict import Diagnosis
from apigw_doctor.model.errors import UsageError
from apigw_doctor.model.times import parse_time
from apigw_doctor.workflows.diagnose import Period, diagnose_files
from apigw_doctor.workflows.redaction import Hiding

_AGO = re.compile(r"(\d{1,6})([smhd])")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
OK, FAILURES, USAGE, INCOMPLETE, INTERRUPTED = 0, 1, 2, 3, 130

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


def evidence_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Options about what is read and what may be shown."""
    for option in reversed(_EVIDENCE):
        function = option(function)
    return function


_EVIDENCE: tuple[Decorator, ...] = (
    click.option(
        "--case",
        type=click.Path(path_type=Path),
        metavar="FILE",
        help="Keep what is read in this case file, and answer from it; nothing is read twice.",
    ),
    click.option(
        "--access-log-format",
        "formats",
        multiple=True,
        metavar="FORMAT",
        help="The stage's access-log format string ($context...); reads any line it writes. May be repeated.",
    ),
    click.option(
        "--from", "start", metavar="TIME", help="Only requests from this moment on (ISO 8601; UTC unless it says)."
    ),
    click.option("--since", metavar="AGO", help="The same, counted back from now: 90s, 30m, 6h, 2d."),
    click.option("--to", "end", metavar="TIME", help="Only requests up to this moment."),
    click.option("--no-redact", is_flag=True, help="Show secrets as logged. For a report that stays on this machine."),
    click.option(
        "--anonymize",
        is_flag=True,
        help="Also hide client addresses, principals and query values. For a report that leaves.",
    ),
    click.option(
        "--color/--no-color", default=None, help="Colour; by default only on a terminal and without NO_COLOR."
    ),
    click.option(
        "--output", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE", help="Write the report here."
    ),
)


def answer(
    paths: tuple[str, ...],
    *,
    example: str,
    formats: tuple[str, ...],
    start: str | None,
    since: str | None,
    end: str | None,
    no_redact: bool,
    anonymize: bool,
    case: Path | None = None,
) -> Diagnosis:
    """The redacted diagnosis of the given inputs, or of a case file."""
    if not paths and case is None:
        raise UsageError("no input was given", f"for example: {example}")
    if no_redact and case is not None:
        raise UsageError("a case file never holds secrets: --no-redact cannot go with --case", "leave one of them out")
    if no_redact and anonymize:
        raise UsageError("--no-redact and --anonymize contradict each other", "leave one of them out")
    if since is not None and start is not None:
        raise UsageError("--since and --from both say where to begin", "leave one of them out")
    if no_redact:
        click.echo(
            "apigw-doctor: secrets are shown as logged (--no-redact); keep this report on this machine", err=True
        )
    begin = _moment(start, "--from") if since is None else _before_now(since)
    period = Period(begin, _moment(end, "--to"))
    with Progress() as progress:
        if case is not None:
            return _from_case(case, paths, formats, period, progress, anonymize=anonymize)
        hiding = Hiding(secrets_out=not no_redact, anonymous=anonymize)
        return diagnose_files(paths, formats=formats, period=period, watcher=progress, hiding=hiding)


def _from_case(
    case: Path,
    paths: tuple[str, ...],
    formats: tuple[str, ...],
    period: Period,
    progress: Progress,
    *,
    anonymize: bool,
) -> Diagnosis:
    from apigw_doctor.workflows.case import Stopped, diagnose_case

    try:
        return diagnose_case(case, paths, formats=formats, period=period, watcher=progress, anonymous=anonymize)
    except Stopped as stopped:
        progress.close()
        click.echo(f"apigw-doctor: {stopped.message}\n  {stopped.hint}", err=True)
        sys.exit(INTERRUPTED)


def _moment(text: str | None, option: str) -> float | None:
    if text is None:
        return None
    at = parse_time(text if len(text) != 10 else f"{text}T00:00:00Z")
    if at is None and len(text) == 16:
        at = parse_time(f"{text}:00")
    if at is None:
        raise UsageError(f"{option} {text!r} is no time", "write it as 2026-03-01T10:00:00Z")
    return at


def _before_now(text: str) -> float:
    match = _AGO.fullmatch(text.strip())
    if match is None:
        raise UsageError(f"--since {text!r} is no length of time", "write it as 90s, 30m, 6h or 2d")
    return (time.time() - int(match[1]) * _SECONDS[match[2]]) * 1000.0


def exit_status(diagnosis: Diagnosis, *, exit_zero: bool) -> int:
    """0 no failed request, 1 failures or findings about them, 3 evidence asked for could not be had."""
    if diagnosis.gaps:
        return INCOMPLETE
    failing = diagnosis.summary.failed or any(finding.name not in ADVISORY for finding in diagnosis.findings)
    return FAILURES if failing and not exit_zero else OK


def wants_color(choice: bool | None, output: Path | None) -> bool:
    """Colour where a person looks: a terminal, no NO_COLOR, no file."""
    if choice is not None:
        return choice
    return (
        output is None and sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    )


def write_parts(parts: Iterable[bytes], output: Path | None) -> None:
    """A report that comes in pieces, to standard output or to its file."""
    if output is None:
        for part in parts:
            click.echo(part, nl=False)
        return
    try:
        with output.open("wb") as file:
            file.writelines(parts)
    except OSError as error:
        raise UsageError(f"{output}: cannot be written: {error.strerror or error}") from error


def write(text: str, output: Path | None, *, color: bool = False) -> None:
    """The report to standard output or to its file."""
    if output is None:
        click.echo(text.rstrip("\n"), color=color)
        return
    try:
        output.write_text(text.rstrip("\n") + "\n", encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{output}: cannot be written: {error.strerror or error}") from error
