"""`apigw-doctor explain`."""

import difflib
import sys

import click

from apigw_doctor.cli.options import wants_color
from apigw_doctor.model.errors import UsageError
from apigw_doctor.workflows.explain import names, page


@click.command("explain")
@click.argument("code", required=False)
@click.option("--color/--no-color", default=None, help="Colour; by default only on a terminal and without NO_COLOR.")
def command(code: str | None, color: bool | None) -> None:
    """Print what CODE means: a cause (INI101, cold-start), a finding, a fix, or `article`.

    `explain article` answers the web article "AWS API Gateway Timeouts: How to Diagnose and Fix" claim by
    claim. Without CODE: the list of all.
    """
    if code is None:
        for name, title in names():
            click.echo(f"{name:<42} {title}")
        return
    text = page(code)
    if text is None:
        known = [name.split()[0] for name, _ in names()] + [part for name, _ in names() for part in name.split()[1:]]
        near = difflib.get_close_matches(code, known, n=3, cutoff=0.4)
        raise UsageError(
            f"nothing is known by the name {code}", f"did you mean {', '.join(near)}?" if near else "see `explain`"
        )
    click.echo(_show(text, color=wants_color(color, None)), color=color)
    sys.exit(0)


def _show(text: str, *, color: bool) -> str:
    if not color:
        return text
    from io import StringIO

    from rich.console import Console
    from rich.markdown import Markdown

    out = StringIO()
    Console(file=out, width=100, force_terminal=True).print(Markdown(text))
    return out.getvalue()
