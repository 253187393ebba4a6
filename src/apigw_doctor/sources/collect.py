"""Everything behind the given names, read into one evidence."""

from apigw_doctor.evidence.tables import Evidence, Gap
from apigw_doctor.model.errors import NothingReadable
from apigw_doctor.sources.file_reader import FileReader
from apigw_doctor.sources.payload import Payloads
from apigw_doctor.sources.reading import Input, find_inputs, head_text


def collect(paths: tuple[str, ...], *, formats: tuple[str, ...] = ()) -> Evidence:
    """Read everything behind `paths`.

    Raises:
        NothingReadable: when no input holds anything that could be evidence.
    """
    inputs = find_inputs(paths)
    payloads = Payloads(formats)
    recognised = False
    problems: list[str] = []
    for source in _configuration_first(inputs):
        reader = FileReader(source, payloads)
        try:
            recognised |= reader.read()
        except OSError as error:
            reason = f"cannot be read: {error.strerror or error}"
            payloads.evidence.gaps.append(Gap(origin=source.name, reason=reason, remedy="check the file's permissions"))
            problems.append(f"{source.name}: {reason}")
        problems.extend(reader.problems)
    if not recognised:
        raise NothingReadable(_nothing(inputs, problems, payloads), _EXAMPLE)
    return payloads.finish()


_EXAMPLE = (
    "give execution, access or Lambda logs of the API: exported files, a folder, or a paste on standard input"
    " (`pbpaste | apigw-doctor diagnose -`)"
)


def _nothing(inputs: list[Input], problems: list[str], payloads: Payloads) -> str:
    if not inputs:
        return "the folder holds no file"
    if problems:
        return problems[0] if len(problems) == 1 else f"{problems[0]} (and {len(problems) - 1} more)"
    unread = sum(row.lines for row in payloads.evidence.unread)
    where = inputs[0].name if len(inputs) == 1 else f"{len(inputs)} inputs"
    return f"{where}: none of {unread} lines is of a kind that apigw-doctor knows"


def _configuration_first(inputs: list[Input]) -> list[Input]:
    """Stage documents first: they hold the format that the access logs are written in."""
    return sorted(inputs, key=lambda source: "ccessLogSettings" not in head_text(source) if len(inputs) > 1 else False)
