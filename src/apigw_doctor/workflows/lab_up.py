"""The lab as a server: the user's own template, or a scenario, on a port of this machine until it is stopped."""

import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import msgspec

from apigw_doctor.lab.evidence.files import write_evidence
from apigw_doctor.lab.from_template import template_lab
from apigw_doctor.lab.scenarios.catalogue import find
from apigw_doctor.lab.scenarios.incident import Call
from apigw_doctor.lab.serving import Answered, Job, Served, Stopper, Watcher, serve
from apigw_doctor.model.errors import UsageError
from apigw_doctor.templates.read import read_template

__all__ = ["Answered", "Plan", "Watcher", "plan_scenario", "plan_template", "publish", "serve_plan", "write"]

#: A scenario's schedule has so many calls, one after the other, and from the beginning again.
SCHEDULED = 200


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What will be served, and what the user should know of it beforehand."""

    job: Job
    #: where it comes from: a file, or a scenario
    origin: str
    notes: tuple[str, ...] = ()
    #: a call that is worth trying
    example: Call | None = None


@contextmanager
def plan_template(
    path: Path, *, parameters: Mapping[str, str], api: str | None, scale: float, port: int, seed: int, keep: bool
) -> Iterator[Plan]:
    """Read a template into a plan; code that it holds lies in a folder that goes with the plan."""
    if scale != 1:
        raise UsageError(
            f"--time-scale {scale:g} is for scenarios: the functions of a template run at the wall's own time",
            "leave it out; an integration timeout lowered in the template makes tries quick",
        )
    with tempfile.TemporaryDirectory(prefix="apigw-lab-code-") as folder:
        lab = template_lab(read_template(path, parameters), Path(folder), api)
        job = Job(setup=lab.setup, unavailable=lab.unavailable, port=port, seed=seed, keep=keep)
        yield Plan(job=job, origin=str(path), notes=lab.notes)


def plan_scenario(name: str, *, scale: float, port: int, seed: int, keep: bool) -> Plan:
    """The API of a scenario, whose requests follow its schedule."""
    if scale < 1:
        raise UsageError(f"--time-scale is {scale:g}; the lab's clock runs at 1 (as on the wall) or faster")
    incident = find(name).incident(seed=seed, requests=SCHEDULED)
    job = Job(setup=incident.setup, incident=incident, port=port, seed=seed, scale=scale, keep=keep)
    return Plan(job=job, origin=f"scenario {name}", example=incident.calls[0] if incident.calls else None)


class Publication(msgspec.Struct, frozen=True, kw_only=True):
    """Under which ids the evidence is at the endpoint."""

    api_id: str
    stage: str
    notes: tuple[str, ...]


def check_folder(folder: Path) -> None:
    """A folder that evidence can be written to; made now, so that nothing is lost at the end."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(f"{folder} is not empty", "name a new folder with --out, or empty it first")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"{folder}: cannot be made: {error.strerror or error}") from error


def check_endpoint(url: str) -> None:
    """Whether evidence may be published there; asked before anything is served, so that nothing is lost at the end."""
    # Here, for clients of AWS take long to load.
    from apigw_doctor.lab.publish.safety import is_local

    if not url.startswith(("http://", "https://")) or not is_local(url):
        raise UsageError(
            f"{url} is no address of a local AWS endpoint; the lab's evidence does not belong into a real account",
            "name a loopback or private address, as --aws-endpoint http://127.0.0.1:5000",
        )


def serve_plan(plan: Plan, watcher: Watcher, stopper: Stopper) -> Served:
    """Serve until stopped."""
    return serve(plan.job, watcher, stopper)


def write(served: Served, folder: Path) -> None:
    """Write the evidence into a folder."""
    write_evidence(served.journal, served.setup, folder)


def publish(served: Served, endpoint: str) -> Publication:
    """Write the evidence to an AWS endpoint."""
    from apigw_doctor.lab.publish import publishing

    # The clock of a scenario may have run ahead of the wall's; logs are taken up to now.
    done = publishing.publish(served.journal, served.setup, endpoint_url=endpoint, newest_at=time.time() * 1000.0)
    return Publication(api_id=done.api_id, stage=done.stage, notes=done.notes)
