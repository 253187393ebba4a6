"""Which of the given inputs a case file holds already, which are new, and which have changed."""

import hashlib
from collections import defaultdict
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import BinaryIO

import msgspec

from apigw_doctor.engine.case_file import Source
from apigw_doctor.model.errors import UsageError
from apigw_doctor.sources.inputs import Input
from apigw_doctor.workflows.case_clean import Cleaner

_AT_ONCE = 1 << 20


class Stamp(msgspec.Struct, frozen=True):
    """Size and time of a file: as long as both stay, it is taken for the same."""

    size: int
    modified_ns: int | None


class Plan(msgspec.Struct):
    """What has to be read, and which batches that replaces."""

    inputs: list[Input]
    stale: set[int]


def stamp_of(source: Input) -> Stamp | None:
    """Size and time of an input; None when it cannot be opened. A paste has no time."""
    try:
        if source.path is not None:
            told = source.path.stat()
            return Stamp(told.st_size, told.st_mtime_ns)
        with source.open() as file:
            return Stamp(file.seek(0, 2), None)
    except OSError:
        return None


def source_of(source: Input, stamp: Stamp, cleaner: Cleaner) -> Source:
    """An input as a case file remembers it."""
    return Source(
        name=cleaner.text(source.name),
        size=stamp.size,
        modified_ns=stamp.modified_ns,
        sha256=_hash_of(source, stamp.size),
    )


def _hash_of(source: Input, size: int) -> str:
    """SHA-256 of the first `size` bytes: a file may grow while it is read."""
    digest = hashlib.sha256()
    with source.open() as file:
        while size and (some := file.read(min(size, _AT_ONCE))):
            digest.update(some)
            size -= len(some)
    return digest.hexdigest()


def _opened(name: str) -> BinaryIO:
    return Path(name).open("rb")


class Planner:
    """Compares given inputs with those of a case file."""

    def __init__(self, inputs: list[Input], known: list[Source], cleaner: Cleaner) -> None:
        self._given = {cleaner.text(source.name): source for source in inputs}
        self._by_name: dict[str, list[Source]] = defaultdict(list)
        self._by_size: dict[int, set[str]] = defaultdict(set)
        self._by_batch: dict[int, list[Source]] = defaultdict(list)
        for one in known:
            self._by_name[one.name].append(one)
            self._by_size[one.size].add(one.sha256)
            self._by_batch[one.batch].append(one)

    def plan(self, reread: Iterable[int] = ()) -> Plan:
        """What to read; `reread` are batches that are worth another reading if their inputs are still there.

        Raises:
            UsageError: when a changed file was read together with one that is no longer there.
        """
        reading: dict[str, Input] = {}
        stale = {batch for batch in reread if all(map(self._again, self._by_batch[batch]))}
        for name, source in self._given.items():
            same, changed = self._met(name, source)
            if not same:
                reading[name] = source
                stale |= changed
        for one in [one for batch in sorted(stale) for one in self._by_batch[batch]]:
            if one.name not in reading:
                reading[one.name] = self._companion(one, next(iter(reading), one.name))
        return Plan(list(reading.values()), stale)

    def _met(self, name: str, source: Input) -> tuple[bool, set[int]]:
        """Whether the input is in the file as it is, and else the batches that hold it as it was."""
        stamp = stamp_of(source)
        if stamp is None:
            return False, set()
        named = self._by_name.get(name, []) if source.path is not None else []
        if any((one.size, one.modified_ns) == (stamp.size, stamp.modified_ns) for one in named):
            return True, set()
        alike = self._by_size.get(stamp.size)
        if alike and _hash_of(source, stamp.size) in alike:
            return True, set()
        return False, {one.batch for one in named}

    def _companion(self, one: Source, changed: str) -> Input:
        """What was read together with something that changed is read with it again: their joins are one."""
        again = self._again(one)
        if again is None:
            raise UsageError(
                f"{changed} has changed, and {one.name}, which was read together with it, is gone or has changed too",
                "give both, or start another case file",
            )
        return again

    def _again(self, one: Source) -> Input | None:
        """The input of an earlier reading, if it still is what it was."""
        source = self._given.get(one.name)
        if source is None and one.modified_ns is not None:
            source = Input(one.name, partial(_opened, one.name), Path(one.name))
        stamp = stamp_of(source) if source is not None else None
        if source is None or stamp is None or stamp.size != one.size:
            return None
        same = stamp.modified_ns is not None and stamp.modified_ns == one.modified_ns
        return source if same or _hash_of(source, one.size) == one.sha256 else None
