"""Reading into a case file, and answering from it."""

import os
import shlex
import time
from collections.abc import Iterable
from pathlib import Path

import msgspec

from apigw_doctor import __version__
from apigw_doctor.diagnosis.verdict import Diagnosis
from apigw_doctor.engine.case_file import About, Batch, CaseFile, Source, opened
from apigw_doctor.engine.case_open import CaseFileError
from apigw_doctor.evidence.tables import Evidence, Gap
from apigw_doctor.model.errors import DoctorError, UsageError
from apigw_doctor.model.times import iso
from apigw_doctor.model.watch import Watcher
from apigw_doctor.sources.collect import BULK_BYTES, Reading, read
from apigw_doctor.sources.inputs import Input, find_inputs
from apigw_doctor.sources.survey import Road, survey
from apigw_doctor.workflows.case_again import wanted_again
from apigw_doctor.workflows.case_clean import Cleaner
from apigw_doctor.workflows.case_join import frozen, joined
from apigw_doctor.workflows.case_key import key_path, known_key, new_key, print_of
from apigw_doctor.workflows.case_sources import Plan, Planner, Stamp, source_of, stamp_of
from apigw_doctor.workflows.diagnose import Period, diagnose
from apigw_doctor.workflows.redaction import redacted

#: More than this on disk is read and kept in groups: a reading that is stopped loses one group at the most.
GROUP_BYTES = 2_000_000_000
SECRETS, PEOPLE = "secrets", "secrets, people"
#: Logs that tell which invocations matter go before those that tell of invocations.
_ROADS = (Road.TOLERANT, Road.ACCESS, Road.EXECUTION, Road.LAMBDA)


_LOST = (
    "some logs in the case file were read before other logs that ask for more of them, and are gone by now: what those"
    " requests called is known in numbers only; read all of them into a new case file to have it"
)


class Stopped(DoctorError):  # noqa: N818 - a state of the work
    """The reading was interrupted; what was read is kept."""


def diagnose_case(
    case: Path,
    paths: Iterable[str] = (),
    *,
    formats: Iterable[str] = (),
    period: Period | None = None,
    watcher: Watcher | None = None,
    anonymous: bool = False,
    group_bytes: int = GROUP_BYTES,
) -> Diagnosis:
    """Diagnose what a case file holds, after reading into it what is new behind `paths`. The answer is redacted.

    Raises:
        CaseFileError: when the file cannot be opened or used.
        NothingReadable: when nothing behind `paths` could be evidence.
        Stopped: when the reading was interrupted.
    """
    paths = tuple(paths)
    batches = None
    if paths:
        inputs = [source for source in find_inputs(paths) if not _is_ours(source, case)]
        keeper = Keeper(case, paths, tuple(formats), watcher, anonymous=anonymous, group_bytes=group_bytes)
        batches = keeper.keep(inputs)
    return _answer(case, period or Period(), batches, anonymous=anonymous)


def _is_ours(source: Input, case: Path) -> bool:
    """The case file may lie in the folder that is read."""
    ours = (case, key_path(case), case.with_name(f"{case.name}.wal"))
    return source.path is not None and any(
        source.path.name == path.name and source.path.resolve() == path.resolve() for path in ours
    )


# reading


class Keeper:
    """Reads what is new into a case file."""

    def __init__(
        self,
        case: Path,
        paths: tuple[str, ...],
        formats: tuple[str, ...],
        watcher: Watcher | None,
        *,
        anonymous: bool,
        group_bytes: int,
    ) -> None:
        self._case = case
        self._paths = paths
        self._formats = formats
        self._watcher = watcher
        self._group_bytes = group_bytes
        #: loaded when something is to be joined to them
        self._batches: list[Batch] = []
        self._loaded = not case.exists()
        self._sources: list[Source] = []
        self._unread: dict[int, tuple[str, ...]] = {}
        self._stage_formats: set[str] = set()
        #: batches that kept in columns what a later one asks for
        self._wanted: set[int] = set()
        self._about = self._look(anonymous=anonymous)
        self._key: bytes | None = None
        if self._about is not None and self._about.redaction == PEOPLE:
            self._key = known_key(case, self._about.key_print)
        elif anonymous:
            self._key = new_key(case)
        self._cleaner = Cleaner(self._key)
        self._bulk_from = BULK_BYTES

    def _look(self, *, anonymous: bool) -> About | None:
        if not self._case.exists():
            _check_folder(self._case)
            return None
        with opened(self._case, write=True) as file:  # better now than after the reading
            if anonymous and file.about.redaction != PEOPLE:
                raise UsageError(
                    f"{self._case} was written without --anonymize and holds addresses",
                    "start another case file with --anonymize, or leave the PATHs out to anonymize the report alone",
                )
            self._sources = file.sources()
            self._unread = file.unread_batches()
            self._stage_formats = file.stage_formats()
            return file.about

    def keep(self, inputs: list[Input]) -> list[Batch] | None:
        """Read the inputs that are new or have changed; all that the file holds, if there were any."""
        before = self._revision()
        tried: set[int] = set()
        while True:
            reread = self._worth_another() - tried
            tried |= reread
            plan = Planner(inputs, self._sources, self._cleaner).plan(reread)
            self._say_lost(self._wanted - plan.stale)
            if not plan.inputs:
                return self._batches if self._revision() != before else None
            self._load()
            self._read_all(plan)
            inputs = []  # once more: what came may explain lines that nobody could read, or ask for more

    def _revision(self) -> int:
        return self._about.revision if self._about is not None else 0

    def _load(self) -> None:
        if not self._loaded:
            with opened(self._case) as file:
                self._batches = file.batches()
            self._loaded = True

    def _worth_another(self) -> set[int]:
        """Batches with unread lines that were read without a format that is known now."""
        given = {self._cleaner.text(text) for text in self._formats}
        formats = {text for text in given | self._stage_formats if "$context." in text}
        return self._wanted | {number for number, then in self._unread.items() if formats.difference(then)}

    def _say_lost(self, numbers: set[int]) -> None:
        """Tell in the answer what is asked for and cannot be read again."""
        for number in numbers:
            with opened(self._case, write=True) as file, file.change():
                file.note(number, _LOST)
                self._about = file.about
            for batch in self._batches:
                if batch.batch == number and _LOST not in batch.evidence.notes:
                    batch.evidence.notes.append(_LOST)
        self._wanted -= numbers

    def _read_all(self, plan: Plan) -> None:
        groups = list(_groups(plan.inputs, self._group_bytes))
        self._bulk_from = BULK_BYTES if len(groups) == 1 else 0
        recognised, last = False, Reading(Evidence(), False, [])
        try:
            for number, group in enumerate(groups):
                rest = [source for later in groups[number + 1 :] for source in later]
                last = self._read(group, plan.stale if not number else set(), rest, needed=not recognised and not rest)
                recognised |= last.recognised
        except KeyboardInterrupt as error:
            raise self._stopped() from error
        if not recognised:
            raise last.nothing(plan.inputs)

    def _read(self, group: list[Input], stale: set[int], rest: list[Input], *, needed: bool) -> Reading:
        """Read one group and write it down."""
        stamps = [(source, stamp) for source in group if (stamp := stamp_of(source)) is not None]
        staying = [batch for batch in self._batches if batch.batch not in stale]
        known = joined(staying, in_columns=True)
        reading = read(group, formats=self._formats, watcher=self._watcher, known=known, bulk_from=self._bulk_from)
        if needed and not reading.recognised:
            return reading  # nothing at all in any of them: no case file is made of that
        batch = self._batch(reading, stamps)
        self._write(batch, stale, [self._cleaner.text(source.name) for source in rest])
        self._batches = [*staying, batch]
        self._wanted -= stale
        if staying:
            self._wanted |= wanted_again(batch, staying, known, joined(self._batches, in_columns=True))
        self._sources = [one for kept in self._batches for one in kept.sources]
        self._stage_formats |= {row.access_log_format for row in batch.evidence.stages if row.access_log_format}
        self._unread = {number: then for number, then in self._unread.items() if number not in stale}
        if batch.evidence.unread:
            self._unread[batch.batch] = batch.formats
        return reading

    def _batch(self, reading: Reading, stamps: list[tuple[Input, Stamp]]) -> Batch:
        clean = self._cleaner
        batch = Batch(
            read_at=now(),
            tool_version=__version__,
            formats=tuple(dict.fromkeys(map(clean.text, (*reading.formats, *self._formats)))),
            sources=[source_of(source, stamp, clean) for source, stamp in stamps],
            evidence=clean.evidence(reading.evidence),
            facts=[frozen(clean.facts(facts)) for facts in reading.facts],
        )
        clean.forget()
        return batch

    def _write(self, batch: Batch, stale: set[int], rest: list[str]) -> None:
        seen = self._revision()
        with opened(self._case, new=self._new_about(), write=True) as file:
            if file.about.revision != seen:
                raise CaseFileError(f"{self._case} was changed by another process meanwhile", "run the command again")
            with file.change():
                file.remove(stale)
                batch.batch = file.add(batch)
                batch.sources = [msgspec.structs.replace(one, batch=batch.batch) for one in batch.sources]
                file.set_pending(rest)
            self._about = file.about

    def _new_about(self) -> About:
        return About(
            tool_version=__version__,
            created_at=now(),
            redaction=PEOPLE if self._key is not None else SECRETS,
            key_print=None if self._key is None else print_of(self._key),
        )

    def _stopped(self) -> Stopped:
        held = len(self._sources)
        if not held:
            return Stopped("stopped before anything was written to the case file", "run the same command again")
        more = f"{self._case} holds {held} {'input' if held == 1 else 'inputs'}"
        words = ["apigw-doctor", "diagnose", *self._paths, "--case", str(self._case)]
        words += [word for text in self._formats for word in ("--access-log-format", text)]
        return Stopped(f"stopped: {more}", f"this reads the rest: {shlex.join(words)}")


def _check_folder(case: Path) -> None:
    if not os.access(case.parent, os.W_OK):
        raise CaseFileError(f"{case}: cannot be written", "check the folder and its permissions")


def _groups(inputs: list[Input], group_bytes: int) -> Iterable[list[Input]]:
    """The inputs in groups of about this size, in an order in which each knows what the next must keep."""
    sizes = {id(source): stamp.size if (stamp := stamp_of(source)) else 0 for source in inputs}
    if sum(sizes.values()) <= group_bytes:
        yield inputs
        return
    group: list[Input] = []
    weight = 0
    for source in sorted(inputs, key=_road):
        if group and weight + sizes[id(source)] > group_bytes:
            yield group
            group, weight = [], 0
        group.append(source)
        weight += sizes[id(source)]
    yield group


def _road(source: Input) -> int:
    try:
        return _ROADS.index(survey(source).road)
    except OSError:
        return 0


def now() -> str:
    """This moment, in words."""
    return iso(time.time() * 1000.0)


# answering


def _answer(case: Path, period: Period, batches: list[Batch] | None, *, anonymous: bool) -> Diagnosis:
    whole = period.start is None and period.end is None
    with opened(case) as file:
        hidden, revision = file.about.redaction == PEOPLE, file.about.revision
        diagnosis = file.answer(__version__) if whole else None
        evidence = _evidence(file, file.batches() if batches is None else batches) if diagnosis is None else None
    if evidence is not None:
        diagnosis = redacted(diagnose(evidence, period))
        if whole:
            _remember(case, diagnosis, revision)
    assert diagnosis is not None  # noqa: S101 - one of both is there
    return redacted(diagnosis, anonymous=True, key=new_key(case)) if anonymous and not hidden else diagnosis


def _evidence(file: CaseFile, batches: list[Batch]) -> Evidence:
    evidence = joined(batches)
    pending = file.pending()
    if pending:
        named = pending[0] if len(pending) == 1 else f"{pending[0]} and {len(pending) - 1} more"
        reason = f"the reading was stopped before {named}"
        evidence.gaps.append(Gap(origin="case file", reason=reason, remedy="give the same PATHs again"))
    return evidence


def _remember(case: Path, diagnosis: Diagnosis, revision: int) -> None:
    """Keep the answer, unless the file cannot be written now or has changed: it can be given again."""
    try:
        with opened(case, write=True) as file:
            if file.about.revision == revision:
                with file.change():
                    file.set_answer(diagnosis, __version__)
    except CaseFileError:
        return
