"""Everything behind the given names, read into one evidence."""

from apigw_doctor.evidence.tables import Evidence, Gap, Unread
from apigw_doctor.model.errors import NothingReadable
from apigw_doctor.model.watch import Silent, Watcher
from apigw_doctor.sources.bulk import Bulk, Unfit
from apigw_doctor.sources.file_reader import FileReader
from apigw_doctor.sources.payload import Payloads
from apigw_doctor.sources.reading import Input, find_inputs, head_text
from apigw_doctor.sources.slow import TooShort
from apigw_doctor.sources.survey import Road, Surveyed, survey
from apigw_doctor.sources.wanted import SLOW_FROM_MS

#: From so much text on, well-answered requests are kept in columns and processes share the work.
BULK_BYTES = 20_000_000


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
    inputs = _configuration_first(find_inputs(paths))
    surveyed: list[Surveyed] = []
    unreadable: list[tuple[str, str]] = []
    for source in inputs:
        try:
            surveyed.append(survey(source))
        except OSError as error:
            unreadable.append((source.name, f"cannot be read: {error.strerror or error}"))
    payloads = Payloads(formats)
    if sum(one.text_size for one in surveyed) >= bulk_from and any(one.road is not Road.TOLERANT for one in surveyed):
        evidence, recognised, problems = _in_bulk(surveyed, formats, watcher or Silent(), processes)
    else:
        evidence, recognised, problems = _one_by_one(surveyed, payloads)
    for name, reason in unreadable:
        evidence.gaps.append(Gap(origin=name, reason=reason, remedy="check the file's permissions"))
        problems.append(f"{name}: {reason}")
    if not recognised:
        raise NothingReadable(_nothing(inputs, problems, evidence.unread), _EXAMPLE)
    return evidence


def _one_by_one(surveyed: list[Surveyed], payloads: Payloads) -> tuple[Evidence, bool, list[str]]:
    recognised = False
    problems: list[str] = []
    for one in surveyed:
        reader = FileReader(one.source, payloads)
        try:
            recognised |= reader.read()
        except OSError as error:
            reason = f"cannot be read: {error.strerror or error}"
            payloads.evidence.gaps.append(
                Gap(origin=one.source.name, reason=reason, remedy="check the file's permissions")
            )
            problems.append(f"{one.source.name}: {reason}")
        problems.extend(reader.problems)
    return payloads.finish(), recognised, problems


def _in_bulk(
    surveyed: list[Surveyed], formats: tuple[str, ...], watcher: Watcher, processes: int | None
) -> tuple[Evidence, bool, list[str]]:
    slow_from_ms = SLOW_FROM_MS
    while True:
        payloads = Payloads(formats)
        bulk = Bulk(surveyed, payloads, watcher, slow_from_ms, processes)
        try:
            return bulk.collect(), bulk.recognised, bulk.problems
        except Unfit as unfit:
            surveyed = [one.tolerantly() if one.source.name in unfit.names else one for one in surveyed]
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
    return sorted(inputs, key=lambda source: "ccessLogSettings" not in head_text(source) if len(inputs) > 1 else False)
