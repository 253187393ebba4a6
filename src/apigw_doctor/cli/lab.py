"""`apigw-doctor lab`: a local API that times out like the real one."""

import importlib.util
import json
import sys
from pathlib import Path

import click

from apigw_doctor.cli.lab_up import command as up
from apigw_doctor.model.errors import DoctorError

_NEEDS = ("aiohttp", "awslambdaric")
_SCALE = "How much faster waiting passes; evidence keeps to its schedule within 200 ms, or the run says so."
_OUT = "A new folder for evidence and truth.jsonl."
_CONTAINER = "How the logs are exported: export, gzip, filter-log-events, json-lines, insights ..."
_LEVEL = "The execution log's level; default: as the scenario says."


@click.group("lab")
def command() -> None:
    """A local API that times out like the real one, and knows the truth.

    \b
    Examples:
      apigw-doctor lab scenarios
      apigw-doctor lab run cold-start --requests 200 --seed 7 --out cold-start/
      apigw-doctor diagnose cold-start/
    """  # noqa: D301 - click wants the control character, not two characters
    missing = [name for name in _NEEDS if importlib.util.find_spec(name) is None]
    if missing:
        raise DoctorError(f"the lab needs {' and '.join(missing)}", hint="pip install 'apigw-doctor[lab]'")


command.add_command(up)


@command.command("scenarios")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
def list_them(form: str) -> None:
    """List the scenarios and the causes that happen in each."""
    from apigw_doctor.workflows.lab import list_scenarios

    known = list_scenarios()
    if form == "json":
        rows = [{"name": one.name, "description": one.description, "causes": list(one.causes)} for one in known]
        click.echo(json.dumps(rows, indent=1))
        return
    wide = max(len(one.name) for one in known)
    for one in known:
        causes = ", ".join(one.causes) or "nothing wrong"
        click.echo(f"{one.name:<{wide}}  {one.description}\n{'':<{wide}}  causes: {causes}")


@command.command("run")
@click.argument("name")
@click.option("--requests", type=int, default=200, show_default=True, help="How many requests are made.")
@click.option("--seed", type=int, default=0, show_default=True, help="Chance: the same seed gives the same schedule.")
@click.option("--time-scale", "scale", type=float, default=200.0, show_default=True, help=_SCALE)
@click.option("--out", "folder", type=click.Path(path_type=Path, file_okay=False), required=True, help=_OUT)
@click.option("--container", default="export", show_default=True, help=_CONTAINER)
@click.option("--log-level", "log_level", type=click.Choice(["ERROR", "INFO", "data-trace"]), help=_LEVEL)
def run(name: str, requests: int, seed: int, scale: float, folder: Path, container: str, log_level: str | None) -> None:
    """Play a scenario and write its evidence, and the truth, into a folder.

    Exit status: 0 done, 2 wrong usage, 3 the machine could not hold the schedule: some evidence is more than
    200 ms off it.
    """
    from apigw_doctor.lab.evidence.containers import CONTAINERS
    from apigw_doctor.workflows.lab import run_scenario

    if container not in CONTAINERS:
        raise click.BadParameter(f"{container!r}; known are {', '.join(CONTAINERS)}", param_hint="--container")
    done = run_scenario(
        name,
        folder,
        requests=requests,
        seed=seed,
        scale=scale,
        container=container,  # type: ignore[arg-type]
        log_level=log_level,  # type: ignore[arg-type]
    )
    causes = ", ".join(f"{cause} {count}" for cause, count in done.causes.items()) or "none"
    click.echo(f"{done.requests} requests, {done.failed} failed by the schedule: {causes}")
    click.echo(f"evidence and truth.jsonl are in {folder}; now: apigw-doctor diagnose {folder}")
    if done.drifted:
        click.echo(
            f"apigw-doctor: {done.drifted} requests are up to {done.worst_drift_ms:.0f} ms off their schedule: this"
            f" machine could not hold --time-scale {scale:g}; a smaller one gives evidence that keeps to it",
            err=True,
        )
        sys.exit(3)


@command.command("try")
@click.argument("fix")
@click.option("--scenario", "name", required=True, help="The scenario to play without and with the remedy.")
@click.option("--requests", type=int, default=200, show_default=True, help="How many requests are made.")
@click.option("--seed", type=int, default=0, show_default=True, help="Chance: both runs have the same arrivals.")
@click.option("--time-scale", "scale", type=float, default=200.0, show_default=True, help=_SCALE)
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
def try_it(fix: str, name: str, requests: int, seed: int, scale: float, form: str) -> None:
    """Play a scenario again with a remedy in place: what it was predicted to save, and what it saves.

    FIX is a remedy's id as reports give it: integration-timeout, provisioned-concurrency, snapstart,
    client-timeouts, function-timeout, concurrency, load-balancer-idle-timeout.
    """
    from apigw_doctor.workflows.lab_try import try_fix

    trial = try_fix(fix, name, requests=requests, seed=seed, scale=scale)
    if form == "json":
        import msgspec

        told = msgspec.to_builtins(trial)
        told |= {"predicted_percent": trial.predicted_percent, "saved_percent": trial.saved_percent}
        click.echo(json.dumps(told, indent=1))
        return
    of = f"of {trial.failed_before} failed requests"
    said = "the report does not name it" if trial.predicted is None else f"{trial.predicted} {of}"
    click.echo(f"{trial.scenario}, {trial.requests} requests, without and with {trial.fix}")
    click.echo(f"  predicted to save  {said}" + _percent(trial.predicted_percent))
    click.echo(f"  saves              {trial.saved} {of}{_percent(trial.saved_percent)}")
    if trial.broken:
        click.echo(f"  newly failing      {trial.broken}")
    click.echo(f"  still failing      {trial.failed_after}")


def _percent(share: float | None) -> str:
    return "" if share is None else f" ({share:.0f} %)"
