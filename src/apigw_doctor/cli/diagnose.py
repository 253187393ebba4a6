"""`apigw-doctor diagnose`."""

import sys
from pathlib import Path

import click

from apigw_doctor.cli.options import answer, evidence_options, exit_status, wants_color, write, write_parts
from apigw_doctor.diagnosis.verdict import Diagnosis

EXAMPLE = "apigw-doctor diagnose exported-logs/   (or '-' for a paste on standard input)"


@click.command("diagnose")
@click.argument("paths", nargs=-1, metavar="PATH...")
@click.option("--format", "form", type=click.Choice(["text", "json", "markdown"]), default="text", show_default=True)
@click.option("--exit-zero", is_flag=True, help="Exit with 0 where failed requests were found (2 and 3 stay).")
@evidence_options
def command(
    paths: tuple[str, ...],
    form: str,
    exit_zero: bool,
    formats: tuple[str, ...],
    start: str | None,
    since: str | None,
    end: str | None,
    no_redact: bool,
    anonymize: bool,
    case: Path | None,
    color: bool | None,
    output: Path | None,
) -> None:
    """Say for every failed request whose clock ran out, who spent the time, and what would have saved it.

    PATH is a file, a folder, a glob, a compressed file (.gz, .zst), or - for standard input. Formats are
    detected, never asked for; one file may mix several: execution, access and Lambda logs in any container,
    ALB and CloudFront logs, X-Ray traces, client transcripts, and configuration printed by the AWS CLI.

    Exit status: 0 no failed request, 1 failed requests, 2 nothing readable or wrong usage, 3 an answer was
    given but some evidence could not be had.
    """
    diagnosis = answer(
        paths,
        example=EXAMPLE,
        formats=formats,
        start=start,
        since=since,
        end=end,
        no_redact=no_redact,
        anonymize=anonymize,
        case=case,
    )
    if form == "json":
        from apigw_doctor.reports.json_report import parts

        write_parts(parts(diagnosis), output)
    else:
        colored = wants_color(color, output)
        where = paths if case is None else ("--case", str(case))
        write(_render(diagnosis, form, where, color=colored), output, color=colored)
    sys.exit(exit_status(diagnosis, exit_zero=exit_zero))


def _render(diagnosis: Diagnosis, form: str, paths: tuple[str, ...], *, color: bool) -> str:
    if form == "markdown":
        from apigw_doctor.reports.markdown import render as render_markdown

        return render_markdown(diagnosis)
    from apigw_doctor.reports.text import render as render_text

    return render_text(diagnosis, paths=paths, color=color)
