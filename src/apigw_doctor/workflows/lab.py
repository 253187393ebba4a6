"""The lab: play a scenario into a folder of evidence with its truth."""

import zlib
from pathlib import Path

import msgspec

from apigw_doctor.lab.evidence.files import Container, ExecutionLevel, write_evidence
from apigw_doctor.lab.playing import Played, play_incident
from apigw_doctor.lab.scenarios.catalogue import find, scenarios
from apigw_doctor.lab.scenarios.incident import Scenario
from apigw_doctor.lab.truth import write_truth
from apigw_doctor.model.errors import UsageError

__all__ = ["LabRun", "list_scenarios", "play_scenario", "run_scenario"]

DEFAULT_SCALE = 200.0
MAX_REQUESTS = 100_000


class LabRun(msgspec.Struct, frozen=True, kw_only=True):
    """What a run came to."""

    scenario: str
    requests: int
    failed: int
    causes: dict[str, int]
    folder: Path
    worst_drift_ms: float
    #: how many requests were further off their schedule than they may be
    drifted: int


def list_scenarios() -> list[Scenario]:
    """All scenarios, by name."""
    return list(scenarios().values())


def play_scenario(name: str, *, requests: int, seed: int, scale: float = DEFAULT_SCALE) -> Played:
    """Play a scenario; nothing is written."""
    checked(requests, scale)
    scenario = find(name)
    # Ids and days of one scenario are not those of another, so that two folders can be read together.
    return play_incident(scenario.incident(seed=seed, requests=requests), seed=run_number(name, seed), scale=scale)


def checked(requests: int, scale: float) -> None:
    """Refuse what the lab cannot play."""
    if not 1 <= requests <= MAX_REQUESTS:
        raise UsageError(f"--requests is {requests}; the lab plays 1 to {MAX_REQUESTS:,} requests")
    if not scale >= 1:
        raise UsageError(f"--time-scale is {scale:g}; the lab's clock runs at 1 (as on the wall) or faster")


def run_number(name: str, seed: int) -> int:
    """The number that ids and the day of a run follow from."""
    return zlib.crc32(f"{name} {seed}".encode())


def run_scenario(
    name: str,
    folder: Path,
    *,
    requests: int,
    seed: int,
    scale: float = DEFAULT_SCALE,
    container: Container = "export",
    log_level: ExecutionLevel | None = None,
) -> LabRun:
    """Play a scenario and write its evidence and `truth.jsonl` into `folder`."""
    if folder.exists() and any(folder.iterdir()):
        raise UsageError(f"{folder} is not empty", hint="name a new folder with --out, or empty it first")
    played = play_scenario(name, requests=requests, seed=seed, scale=scale)
    folder.mkdir(parents=True, exist_ok=True)
    write_evidence(played.journal, played.setup, folder, container=container, log_level=log_level)
    write_truth(played.truth, folder)
    causes: dict[str, int] = {}
    for row in played.truth:
        if row.cause is not None:
            causes[row.cause] = causes.get(row.cause, 0) + 1
    return LabRun(
        scenario=name,
        requests=len(played.truth),
        failed=sum(causes.values()),
        causes=dict(sorted(causes.items(), key=lambda item: -item[1])),
        folder=folder,
        worst_drift_ms=played.worst_drift_ms,
        drifted=len(played.drifts),
    )
