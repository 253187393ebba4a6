"""Two case files into one, if they are of one incident."""

import shutil
from pathlib import Path

import msgspec

from apigw_doctor import __version__
from apigw_doctor.engine.case_file import About, Batch, opened
from apigw_doctor.evidence.tables import Evidence
from apigw_doctor.model.errors import UsageError
from apigw_doctor.workflows.case import now
from apigw_doctor.workflows.case_key import key_path


class _Held(msgspec.Struct):
    """What a case file holds."""

    path: Path
    about: About
    batches: list[Batch]
    pending: list[str]


class Merged(msgspec.Struct, frozen=True):
    """What came of a merge."""

    batches: int
    sources: int
    #: inputs that both files held
    twice: int


def merge(first: Path, second: Path, output: Path, *, force: bool = False) -> Merged:
    """Write a new case file with what both hold; a source that both read counts once.

    Raises:
        CaseFileError: when one cannot be used.
        UsageError: when they do not belong together, or there is a file already.
    """
    if output.exists():
        raise UsageError(f"{output} exists already", "name a new file: a merge never writes over one")
    one, other = _held(first), _held(second)
    _check(one, other, force=force)
    known = {source.sha256 for batch in one.batches for source in batch.sources}
    # A batch of which everything was read in the other file too tells nothing new.
    added = [batch for batch in other.batches if not {source.sha256 for source in batch.sources} <= known]
    batches = [*one.batches, *added]
    names = {source.name for batch in batches for source in batch.sources}
    about = msgspec.structs.replace(one.about, tool_version=__version__, created_at=now(), revision=0)
    with opened(output, new=about, write=True) as file, file.change():
        for batch in batches:
            file.add(batch)
        file.set_pending(name for name in dict.fromkeys(one.pending + other.pending) if name not in names)
    _take_key(one, other, output)
    hashes = {source.sha256 for batch in batches for source in batch.sources}
    twice = len(known.intersection(source.sha256 for batch in other.batches for source in batch.sources))
    return Merged(batches=len(batches), sources=len(hashes), twice=twice)


def _held(path: Path) -> _Held:
    with opened(path) as file:
        return _Held(path, file.about, file.batches(), file.pending())


def _check(one: _Held, other: _Held, *, force: bool) -> None:
    if one.about.redaction != other.about.redaction:
        raise UsageError(
            f"{one.path} was cleaned of {one.about.redaction}, and {other.path} of {other.about.redaction}",
            "write both with --anonymize, or both without",
        )
    if one.about.key_print != other.about.key_print:
        raise UsageError(
            f"{one.path} and {other.path} were anonymized with different keys: one address has two hashes",
            f"copy {key_path(one.path).name} beside the second before it is written",
        )
    reason = None if force else _strangers(_traits(one), _traits(other))
    if reason is not None:
        raise UsageError(f"{one.path} and {other.path} have nothing in common: {reason}", "--force merges them anyway")


def _take_key(one: _Held, other: _Held, output: Path) -> None:
    for held in (one, other):
        if held.about.key_print is not None and key_path(held.path).exists():
            shutil.copy2(key_path(held.path), key_path(output))
            return


class _Traits(msgspec.Struct):
    """What tells one system from another."""

    apis: set[str]
    stages: set[str]
    functions: set[str]


def _traits(held: _Held) -> _Traits:
    every = [batch.evidence for batch in held.batches]
    apis = {name for evidence in every for name in _named(evidence, "api_id")}
    stages = {name for evidence in every for name in _named(evidence, "stage")}
    functions = {name for evidence in every for name in _named(evidence, "function")}
    functions |= {told.name for evidence in every for told in evidence.crowd.functions if told.name}
    return _Traits(apis, stages, functions)


def _named(evidence: Evidence, field: str) -> set[str]:
    tables = [*(getattr(evidence, name) for name in evidence.__struct_fields__), evidence.traffic.places]
    rows = (row for table in tables if isinstance(table, list) for row in table if hasattr(row, field))
    return {name for row in rows if (name := getattr(row, field))}


def _strangers(one: _Traits, other: _Traits) -> str | None:
    """Why the two cannot be of one incident; None when they can."""
    if one.apis and other.apis:
        if one.apis.isdisjoint(other.apis):
            return f"one is of the API {_some(one.apis)}, the other of {_some(other.apis)}"
        if one.stages and other.stages and one.stages.isdisjoint(other.stages):
            return f"one is of the stage {_some(one.stages)}, the other of {_some(other.stages)}"
        return None
    if one.functions and other.functions and one.functions.isdisjoint(other.functions):
        return f"one is of the function {_some(one.functions)}, the other of {_some(other.functions)}"
    return None


def _some(names: set[str]) -> str:
    first, *rest = sorted(names)
    return f"{first} and {len(rest)} more" if rest else first
