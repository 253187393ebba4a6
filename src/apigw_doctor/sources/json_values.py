"""Single values out of JSON whose shape nobody guarantees: wrong types read as absent.

>>> node = {"TimeoutInMillis": "6500", "tags": None}
>>> number(get(node, "timeoutInMillis", "TimeoutInMillis")), text(get(node, "name")), mapping(node["tags"])
(6500.0, None, {})
"""

import json
import math
from typing import Any

from apigw_doctor.evidence.tables import Cite
from apigw_doctor.model.times import from_epoch

CITED_CHARS = 1000
_MAX_WHOLE = 2**53
#: 2103-01-01; a later "time" is a mistake, and would not survive the way back into a date
_LATEST_MS = 4_197_052_800_000.0
_ENCODER = json.JSONEncoder(default=str, skipkeys=True, ensure_ascii=False)


def get(node: object, *names: str) -> Any:  # noqa: ANN401 - a JSON value
    """The first value in an object under one of the names; None when it is no object or has none."""
    if not isinstance(node, dict):
        return None
    for name in names:
        if (value := node.get(name)) is not None:
            return value
    return None


def mapping(value: object) -> dict[str, Any]:
    """The object itself, or an empty one."""
    return value if isinstance(value, dict) else {}


def array(value: object) -> list[Any]:
    """The array itself, or an empty one."""
    return value if isinstance(value, list) else []


def text(value: object) -> str | None:
    """A string that says something."""
    return value if isinstance(value, str) and value and value != "-" else None


def number(value: object) -> float | None:
    """A finite number, also where it is written as a string."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        result = float(value)
    except (ValueError, OverflowError):
        return None
    return result if math.isfinite(result) else None


def whole(value: object) -> int | None:
    """A whole number of a size that every store takes."""
    result = number(value)
    return int(result) if result is not None and abs(result) < _MAX_WHOLE else None


def flag(value: object) -> bool | None:
    """A truth value, also where YAML or a query wrote it as a word."""
    if isinstance(value, str):
        return {"true": True, "false": False}.get(value.lower())
    return value if isinstance(value, bool) else None


def epoch_ms(value: object) -> float | None:
    """Epoch milliseconds of an epoch number of any unit, when it lies in this century."""
    result = number(value)
    at = from_epoch(result) if result is not None else None
    return at if at is not None and at < _LATEST_MS else None


def cite(origin: str, value: object) -> tuple[Cite, ...]:
    """The beginning of a JSON value as proof.

    Written piece by piece and cut: YAML aliases can stand for far more text than the input had.
    """
    pieces: list[str] = []
    length = 0
    try:
        for piece in [value] if isinstance(value, str) else _ENCODER.iterencode(value):
            pieces.append(piece)
            length += len(piece)
            if length >= CITED_CHARS:
                break
    except (RecursionError, ValueError, TypeError):
        pieces.append(" ...")
    return (Cite(origin=origin, text="".join(pieces)[:CITED_CHARS]),)
