"""`apigw-doctor why`."""

import difflib
import sys
from pathlib import Path

import click

from apigw_doctor.cli.options import answer, evidence_options, exit_status, wants_color, write
from apigw_doctor.diagnosis.remedies import REMEDIES
from apigw_doctor.diagnosis.verdict import Diagnosis, Verdict
from apigw_doctor.model.errors import UsageError
from apigw_doctor.model.ids import trace_root

EXAMPLE = "apigw-doctor why 1f0c2a77-... exported-logs/"


@click.command("why")
@click.argument("request_id")
@click.argument("paths", nargs=-1, metavar="PATH...")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
@evidence_options
def command(
    request_id: str,
    paths: tuple[str, ...],
    form: str,
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
    """Draw the timeline of one request: its segments to scale, the clock that fired, the proof, the fix.

    REQUEST_ID is a request id, an extended request id, a trace id, a connection id, or the id of a Lambda
    invocation; its first characters are enough where they are unique.
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
    found = _find(diagnosis, request_id)
    colored = wants_color(color, output)
    if form == "json":
        import msgspec

        text = msgspec.json.format(msgspec.json.encode(found), indent=2).decode()
    else:
        from apigw_doctor.reports import why

        encoding = (sys.stdout.encoding or "utf-8").lower().replace("-", "")
        titles = {remedy.id: remedy.title for remedy in REMEDIES.values()}
        text = "\n\n".join(
            why.render(verdict, titles=titles, color=colored, ascii_only=not encoding.startswith("utf"))
            for verdict in found
        )
    write(text, output, color=colored)
    sys.exit(exit_status(diagnosis, exit_zero=False) if found[0].kind == "failed" else 0)


def _ids(verdict: Verdict) -> list[str]:
    invocation = verdict.invocation.request_id if verdict.invocation else None
    ids = (verdict.request_id, verdict.extended_request_id, verdict.trace_id, verdict.connection_id, invocation)
    return [item for item in ids if item]


def _find(diagnosis: Diagnosis, wanted: str) -> list[Verdict]:
    key = (trace_root(wanted) or wanted).lower()
    exact = [verdict for verdict in diagnosis.verdicts if any(item.lower() == key for item in _ids(verdict))]
    if exact:
        return exact
    starting = [
        verdict for verdict in diagnosis.verdicts if any(item.lower().startswith(key) for item in _ids(verdict))
    ]
    if len(starting) == 1:
        return starting
    known = sorted({item for verdict in diagnosis.verdicts for item in _ids(verdict)})
    if starting:
        raise UsageError(
            f"{wanted} is the beginning of {len(starting)} requests",
            "one of: " + ", ".join(_ids(verdict)[0] for verdict in starting[:6]),
        )
    near = difflib.get_close_matches(wanted, known, n=4, cutoff=0.3) or known[:4]
    hint = f"the nearest are: {', '.join(near)}" if near else "no request failed or came near its limit"
    raise UsageError(f"no failed or near-limit request has the id {wanted}", hint)
