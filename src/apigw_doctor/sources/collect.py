"""Everything behind the given names, read into one evidence."""

from collections.abc import Callable
from functools import partial

import msgspec

from apigw_doctor.evidence.tables import Evidence, Gap, Unread
from apigw_doctor.model.errors import NothingReadable
from apigw_doctor.model.watch import Silent, Watcher
from apigw_doctor.sources.bulk import AskedLater, Bulk, Unfit
from apigw_doctor.sources.file_reader import FileReader
from apigw_doctor.sources.heads import forget, head
from apigw_doctor.sources.lambda_sweep import Disordered
from apigw_doctor.sources.payload import Payloads
from apigw_doctor.sources.portions import Pieces
from apigw_doctor.sources.reading import Input, find_inputs
from apigw_doctor.sources.requests import Facts
from apigw_doctor.sources.slow import TooShort
from apigw_doctor.sources.survey import Surveyed, survey
from apigw_doctor.sources.wanted import SLOW_FROM_MS, Wanted

#: From so much text on, well-answered requests are kept in columns and processes share the work.
BULK_BYTES = 6_000_000


def collect(
    paths: tuple[str, ...],
    *,
    formats: tuple[str, ...] = (),
    watcher: Watcher | None = None,
    bulk_from: int = BULK_BYTES,
    processes: int | None = None,
) -> Evidence:
    """Read everything behind `paths`; as much as `bulk_from` bytes of text in up to `processes` processes.

    Raises:
        NothingReadable: when no input holds anything that could be evidence.
    """
    inputs = find_inputs(paths)
    reading = read(inputs, formats=formats, watcher=watcher, bulk_from=bulk_from, processes=processes)
    if not reading.recognised:
        raise reading.nothing(inputs)
    return reading.evidence


class Reading(msgspec.Struct):
    """What some inputs held."""

    evidence: Evidence
    #: something in them was of a kind that is known
    recognised: bool
    problems: list[str]
    #: access-log formats that were known in the end
    formats: tuple[str, ...] = ()
    #: what joins each of the evidence's requests to other readings
    facts: list[Facts] = []

    def nothing(self, inputs: list[Input]) -> NothingReadable:
        """What to say when nothing was recognised."""
        return NothingReadable(_nothing(inputs, self.problems, self.evidence.unread), _EXAMPLE)


def read(
    inputs: list[Input],
    *,
    formats: tuple[str, ...] = (),
    watcher: Watcher | None = None,
    bulk_from: int = BULK_BYTES,
    processes: int | None = None,
    known: Evidence | None = None,
) -> Reading:
    """Read these inputs; `known` is what earlier readings told, and makes this one tell what joins it to them."""
    surveyed: list[Surveyed] = []
    unreadable: list[tuple[str, str]] = []
    for source in _configuration_first(inputs):
        try:
            surveyed.append(survey(source))
        except OSError as error:
            unreadable.append((source.name, f"cannot be read: {error.strerror or error}"))
    start = partial(_payloads, formats, known)
    if sum(one.text_size for one in surveyed) >= bulk_from:
        reading = _in_bulk(surveyed, start, watcher or Silent(), processes)
    else:
        reading = _one_by_one(surveyed, start(), watcher or Silent())
    for name, reason in unreadable:
        reading.evidence.gaps.append(Gap(origin=name, reason=reason, remedy="check the file's permissions"))
        reading.problems.append(f"{name}: {reason}")
    return reading


def _payloads(formats: tuple[str, ...], known: Evidence | None) -> Payloads:
    payloads = Payloads(formats, known)
    if known is not None:
        payloads.requests.told = []
    return payloads


def _reading(evidence: Evidence, payloads: Payloads, problems: list[str], *, recognised: bool) -> Reading:
    return Reading(evidence, recognised, problems, payloads.access.formats(), payloads.requests.told or [])


def _one_by_one(surveyed: list[Surveyed], payloads: Payloads, watcher: Watcher) -> Reading:
    recognised = False
    problems: list[str] = []
    watcher.phase("reading")
    watcher.total(sum(one.size for one in surveyed))
    before = 0
    for one in surveyed:
        reader = FileReader(one.source, payloads)
        try:
            recognised |= reader.read(partial(_further, watcher, before))
        except OSError as error:
            reason = f"cannot be read: {error.strerror or error}"
            payloads.evidence.gaps.append(
                Gap(origin=one.source.name, reason=reason, remedy="check the file's permissions")
            )
            problems.append(f"{one.source.name}: {reason}")
        problems.extend(reader.problems)
        before += one.size
    return _reading(payloads.finish(), payloads, problems, recognised=recognised)


def _further(watcher: Watcher, before: int, count: int) -> None:
    watcher.done(before + count)


def _in_bulk(
    surveyed: list[Surveyed], start: Callable[[], Payloads], watcher: Watcher, processes: int | None
) -> Reading:
    slow_from_ms, known, pieces = SLOW_FROM_MS, Wanted(), Pieces(processes)
    for one in surveyed:
        forget(one.source)  # the heads of many files are megabytes, and have told what they can
    while True:
        payloads = start()
        bulk = Bulk(surveyed, payloads, watcher, slow_from_ms, pieces, known)
        try:
            return _reading(bulk.collect(), payloads, bulk.problems, recognised=bulk.recognised)
        except Unfit as unfit:
            surveyed = [one.tolerantly() if one.source.name in unfit.names else one for one in surveyed]
        except Disordered:
            pieces = msgspec.structs.replace(pieces, lambda_sweeps=False)
        except AskedLater as later:
            known = later.wanted
        except TooShort as short:
            slow_from_ms = short.slow_from_ms


_EXAMPLE = (
    "give execution, access or Lambda logs of the API: exported files, a folder, or a paste on standard input"
    " (`pbpaste | apigw-doctor diagnose -`)"
)


def _nothing(inputs: list[Input], problems: list[str], unread: list[Unread]) -> str:
    if not inputs:
        return "the folder holds no file"
    if problems:
        return problems[0] if len(problems) == 1 else f"{problems[0]} (and {len(problems) - 1} more)"
    lines = sum(row.lines for row in unread)
    where = inputs[0].name if len(inputs) == 1 else f"{len(inputs)} inputs"
    return f"{where}: none of {lines} lines is of a kind that apigw-doctor knows"


def _configuration_first(inputs: list[Input]) -> list[Input]:
    """Stage documents first: they hold the format that the access logs are written in."""
    return sorted(inputs, key=lambda source: b"ccessLogSettings" not in head(source) if len(inputs) > 1 else False)
