"""The answer as JSON, exactly as the shipped schema describes it."""

from collections.abc import Iterator

import msgspec

from apigw_doctor.diagnosis.packed import PackedVerdicts
from apigw_doctor.diagnosis.verdict import Diagnosis
from apigw_doctor.reports.escape import clean_values

#: Where the verdicts stand in the answer: no text of a log can hold the line break.
_NO_VERDICTS = b'\n  "verdicts": []'
_HEAD, _TAIL = b'{\n  "verdicts": [', b"\n  ]\n}"


def render(diagnosis: Diagnosis) -> str:
    """Return the answer as JSON: two spaces of indent, letters as they are, no control characters."""
    return b"".join(parts(diagnosis)).decode()


def parts(diagnosis: Diagnosis) -> Iterator[bytes]:
    """The same in pieces: packed verdicts, which have neither secrets nor controls, are never all in memory."""
    verdicts = diagnosis.verdicts
    if not isinstance(verdicts, PackedVerdicts) or not verdicts:
        whole = msgspec.structs.replace(diagnosis, verdicts=tuple(verdicts))
        yield _formatted(msgspec.json.encode(clean_values(msgspec.to_builtins(whole)))) + b"\n"
        return
    rest = clean_values(msgspec.to_builtins(msgspec.structs.replace(diagnosis, verdicts=())))
    before, _, after = _formatted(msgspec.json.encode(rest)).partition(_NO_VERDICTS)
    yield before + _NO_VERDICTS[:-1]
    for number, part in enumerate(verdicts.json_parts()):
        if number:
            yield b","
        yield _formatted(b'{"verdicts":' + part + b"}")[len(_HEAD) : -len(_TAIL)]
    yield b"\n  ]" + after + b"\n"


def _formatted(data: bytes) -> bytes:
    return msgspec.json.format(data, indent=2)
