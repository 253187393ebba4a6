r"""Events of containers as lines: the time in thirteen digits and a blank before the message.

Times that are no whole number of milliseconds, or are not told, keep the width and sort before all others.

>>> stamp(1772359200250.0) + b"(c0ffee00-0000-4000-8000-000000000001) Starting execution"
b'1772359200250 (c0ffee00-0000-4000-8000-000000000001) Starting execution'
>>> at_of(stamp(1772359200250.5)), at_of(stamp(None)), len(stamp(None))
(1772359200250.5, None, 14)
"""

import base64
import struct

from apigw_doctor.sources.layout import Layout, Moments

_DIGITS = 13
#: Width of a stamp: the column of the message.
WIDTH = _DIGITS + 1
_BELOW = 10.0**_DIGITS
_MAX_CACHED = 100_000
_NAN = float("nan")


def stamp(at: float | None) -> bytes:
    """The time as it stands before a message."""
    if at is not None and 0 <= at < _BELOW and at == int(at):
        return b"%013d " % int(at)
    return b" " + base64.b64encode(struct.pack(">d", _NAN if at is None else at)) + b" "


def at_of(line: bytes) -> float | None:
    """The time of a stamped line, exactly; None when it was not told."""
    digits = line[:_DIGITS]
    if digits.isdigit():
        return float(digits)
    at: float = struct.unpack(">d", base64.b64decode(line[1:_DIGITS]))[0]
    return None if at != at else at


def stamped(times: list[float | None], messages: list[str]) -> list[bytes]:
    """Messages behind their times."""
    try:
        whole = list(map(int, times))  # type: ignore[arg-type]
        if whole == times and min(whole) >= 0 and max(whole) < _BELOW:
            return [b"%013d " % at + text.encode() for at, text in zip(whole, messages, strict=True)]
    except (TypeError, ValueError, OverflowError):
        pass
    return [stamp(at) + text.encode("utf-8", "replace") for at, text in zip(times, messages, strict=True)]


class StampMoments(Moments):
    """Times of stamped lines, looked up."""

    def __init__(self) -> None:
        super().__init__(Layout(WIDTH, timed=True))
        self._known: dict[bytes, float] = {}

    def of(self, line: bytes) -> float | None:
        """Epoch ms of the line's time; None when it is no whole number, so that the line has to be read closely."""
        digits = line[:_DIGITS]
        at = self._known.get(digits)
        if at is None:
            if not digits.isdigit():
                return None
            if len(self._known) > _MAX_CACHED:
                self._known.clear()
            at = self._known[digits] = float(digits)
        return at
