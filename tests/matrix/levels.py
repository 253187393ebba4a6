"""The levels of evidence: from everything that the lab writes down to what most teams have."""

from pathlib import Path
from typing import Any

import msgspec

from apigw_doctor.lab.evidence.access import CONSOLE
from apigw_doctor.lab.evidence.files import ALL, write_evidence
from apigw_doctor.lab.playing import Played
from apigw_doctor.lab.records import FunctionLine, Journal


class Level(msgspec.Struct, frozen=True, kw_only=True):
    """What a diagnosis gets to see."""

    name: str
    include: frozenset[str]
    #: the console's CLF format instead of the stage's own
    default_format: bool = False
    errors_only: bool = False
    #: the function's own log does not have the gateway's request id
    unlogged_ids: bool = False


EVERYTHING = Level(name="everything", include=ALL)
LEVELS = (
    EVERYTHING,
    Level(name="no traces", include=ALL - {"traces"}),
    Level(name="no request id in the function's log", include=ALL, unlogged_ids=True),
    Level(name="no Lambda log", include=ALL - {"lambda-log"}),
    Level(name="access log only", include=frozenset({"access-log"})),
    Level(name="default-format access log", include=frozenset({"access-log"}), default_format=True),
    Level(name="ERROR-level execution log only", include=frozenset({"execution-log"}), errors_only=True),
    Level(name="Lambda log only", include=frozenset({"lambda-log"})),
    Level(name="metrics and configuration only", include=frozenset({"metrics", "configuration"})),
)


def write_level(played: Played, level: Level, folder: Path) -> None:
    """Write what a level shows of a run."""
    options: dict[str, Any] = {}
    if level.default_format:
        options["access_format"] = CONSOLE["clf"][played.setup.api.api_type]
    if level.errors_only:
        options["log_level"] = "ERROR"
    journal = without_logged_ids(played) if level.unlogged_ids else played.journal
    write_evidence(journal, played.setup, folder, include=level.include, **options)


def without_logged_ids(played: Played) -> Journal:
    """The same run, had the functions not logged the gateway's request ids."""
    ids = {exchange.request_id for exchange in played.journal.exchanges}
    journal = Journal()
    for name, records in vars(played.journal).items():
        setattr(journal, name, records)
    journal.functions = [
        record
        for record in played.journal.functions
        if not (isinstance(record, FunctionLine) and any(word.strip('",}') in ids for word in record.text.split()))
    ]
    return journal
