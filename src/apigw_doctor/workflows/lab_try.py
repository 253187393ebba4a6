"""`lab try`: what a remedy was predicted to save, and what it saves when the same arrivals are played with it."""

import tempfile
from pathlib import Path

import msgspec

from apigw_doctor.diagnosis.verdict import Diagnosis
from apigw_doctor.lab.evidence.files import write_evidence
from apigw_doctor.lab.fixing import FIXES, apply
from apigw_doctor.lab.playing import Played, play_incident
from apigw_doctor.lab.scenarios.catalogue import find
from apigw_doctor.model.terms import Kind
from apigw_doctor.sources.collect import collect
from apigw_doctor.workflows.diagnose import Period, diagnose
from apigw_doctor.workflows.lab import checked, run_number

__all__ = ["FIXES", "Trial", "try_fix"]


class Trial(msgspec.Struct, frozen=True, kw_only=True):
    """A remedy's promise and what became of it."""

    fix: str
    scenario: str
    requests: int
    #: failed without the remedy, and with it
    failed_before: int
    failed_after: int
    #: how many of the failed the report said the remedy would save; None: the report does not rank it
    predicted: int | None
    #: requests that failed before and do not fail now, and the other way round
    saved: int
    broken: int
    worst_drift_ms: float

    @property
    def predicted_percent(self) -> float | None:
        """Share of the failed requests that the remedy was said to save."""
        return None if self.predicted is None or not self.failed_before else 100.0 * self.predicted / self.failed_before

    @property
    def saved_percent(self) -> float:
        """Share of the failed requests that it did save."""
        return 100.0 * self.saved / self.failed_before if self.failed_before else 0.0


def try_fix(fix: str, name: str, *, requests: int, seed: int, scale: float) -> Trial:
    """Play a scenario without and with a remedy, on the same arrivals."""
    checked(requests, scale)
    incident = find(name).incident(seed=seed, requests=requests)
    changed = apply(fix, incident)
    number = run_number(name, seed)
    before = play_incident(incident, seed=number, scale=scale)
    after = play_incident(changed, seed=number, scale=scale)
    failed_before, failed_after = _failed(before), _failed(after)
    return Trial(
        fix=fix,
        scenario=name,
        requests=len(before.truth),
        failed_before=len(failed_before),
        failed_after=len(failed_after),
        predicted=_predicted(fix, _diagnosed(before)),
        saved=len(failed_before - failed_after),
        broken=len(failed_after - failed_before),
        worst_drift_ms=max(before.worst_drift_ms, after.worst_drift_ms),
    )


def _failed(played: Played) -> set[str]:
    """Traces whose caller did not get an answer below 500: as measured, not as scheduled."""
    failed = set()
    for trace, status in played.outcomes.items():
        if status is None or status >= 500:
            failed.add(trace)
    return failed


def _diagnosed(played: Played) -> Diagnosis:
    with tempfile.TemporaryDirectory(prefix="apigw-lab-try-") as name:
        folder = Path(name)
        write_evidence(played.journal, played.setup, folder)
        return diagnose(collect((str(folder),)), Period())


def _predicted(fix: str, diagnosis: Diagnosis) -> int | None:
    ranked = {one.id: one.saves for one in diagnosis.fixes}
    if fix in ranked:
        return ranked[fix] or 0
    named = any(fix in verdict.fixes for verdict in diagnosis.verdicts if verdict.kind is Kind.FAILED)
    return 0 if named else None
