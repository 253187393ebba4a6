"""`apigw-doctor case`: what is done with case files themselves."""

from pathlib import Path
from typing import Any

import click

from apigw_doctor.model.errors import UsageError

_FILE = click.Path(dir_okay=False, path_type=Path)


@click.group("case")
def command() -> None:
    """Look into case files, merge two, export one, print their tables.

    A case file holds the evidence of one incident, without its secrets, and the answer. `diagnose` and `why`
    make, extend and read it with --case FILE.
    """


@command.command("info")
@click.argument("file", type=_FILE)
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
def info(file: Path, form: str) -> None:
    """Say what FILE holds."""
    from apigw_doctor.workflows.case_info import info_of

    told = info_of(file)
    if form == "json":
        import msgspec

        click.echo(msgspec.json.format(msgspec.json.encode(told), indent=2).decode())
        return
    for name, value in _lines(told):
        click.echo(f"{name:<14} {value}")


def _lines(told: Any) -> list[tuple[str, str]]:  # noqa: ANN401 - imported late
    rows = ", ".join(f"{name} {count:,}" for name, count in told.rows.items() if count)
    lines = [
        ("file", told.file),
        ("written by", f"apigw-doctor {told.tool_version}, {told.created_at}, tables of version {told.schema_version}"),
        ("without", told.redaction),
        ("answer", told.headline or "none is stored: diagnose --case gives one"),
        ("rows", rows or "none"),
        ("sources", f"{len(told.sources)}, read in {told.batches} batches"),
    ]
    lines += [("", f"{one.size:>13,} bytes  {one.sha256[:12]}  {one.name}") for one in told.sources[:_MOST]]
    if len(told.sources) > _MOST:
        lines.append(("", f"{len(told.sources) - _MOST} more: --format json lists them all"))
    lines += [("not read yet", name) for name in told.pending[:_MOST]]
    return lines


_MOST = 20


@command.command("merge")
@click.argument("first", type=_FILE)
@click.argument("second", type=_FILE)
@click.option("--output", type=_FILE, required=True, metavar="FILE", help="The new case file.")
@click.option("--force", is_flag=True, help="Merge even if nothing tells that both are of one incident.")
def merge(first: Path, second: Path, output: Path, force: bool) -> None:
    """Write a new case file that holds what FIRST and SECOND hold; what both have read counts once."""
    from apigw_doctor.workflows.case_merge import merge as merged

    told = merged(first, second, output, force=force)
    click.echo(f"{output}: {told.sources} sources in {told.batches} batches; {told.twice} of them were in both files")


@command.command("export")
@click.argument("file", type=_FILE)
@click.option(
    "--output", type=click.Path(file_okay=False, path_type=Path), required=True, metavar="DIR", help="A folder."
)
def export(file: Path, output: Path) -> None:
    """Write every table of FILE to a Parquet file in a folder."""
    from apigw_doctor.engine.case_export import export as exported

    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"{output}: cannot be made: {error.strerror or error}") from error
    written = exported(file, output)
    click.echo(f"{output}: {len(written)} tables")


@command.command("schema")
def schema() -> None:
    """Print the tables of a case file as SQL."""
    from apigw_doctor.engine.case_tables import definitions

    click.echo(definitions())
