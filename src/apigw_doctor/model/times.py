"""Times as logs write them, in and out.

Inside, a time is a float: milliseconds since the epoch, UTC.

>>> parse_time("2026-03-01T10:00:00.250Z")
1772359200250.0
>>> parse_time("2026-03-01 19:00:00,250+0900"), parse_time("1772359200250"), parse_time("1772359200.25")
(1772359200250.0, 1772359200250.0, 1772359200250.0)
>>> parse_time("01/Mar/2026:10:00:00 +0000"), parse_time("Sun, 01 Mar 2026 10:00:00 GMT")
(1772359200000.0, 1772359200000.0)
>>> parse_time("Sun Mar 01 10:00:00 UTC 2026"), parse_time("yesterday")
(1772359200000.0, None)
>>> iso(1772359200250.0)
'2026-03-01T10:00:00.250Z'
"""

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache

ISO_PATTERN = (
    r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}:\d{2}(?:[.,]\d{1,9})?"
    r"(?: ?(?:Z|UTC|[+-]\d{2}:?\d{2}(?![\d-])| ?\([+-]\d{2}:?\d{2}\)))?"
)
_ISO = re.compile(
    r"(\d{4})-(\d{2})-(\d{2})[T ](\d{2}):(\d{2}):(\d{2})(?:[.,](\d{1,9}))?"
    r" ?\(?(Z|UTC|GMT|[+-]\d{2}:?\d{2})?\)?"
)
_CLF = re.compile(r"\[?(\d{1,2})/([A-Z][a-z]{2})/(\d{4}):(\d{2}):(\d{2}):(\d{2}) ?([+-]\d{4})?\]?")
_HTTP = re.compile(r"(?:[A-Z][a-z]{2}, )?(\d{1,2}) ([A-Z][a-z]{2}) (\d{4}) (\d{2}):(\d{2}):(\d{2})(?: (?:GMT|UTC))?")
_UNIX = re.compile(r"[A-Z][a-z]{2} ([A-Z][a-z]{2}) +(\d{1,2}) (\d{2}):(\d{2}):(\d{2}) (?:UTC|GMT|Z) (\d{4})")
_KIBANA = re.compile(r"([A-Z][a-z]{2}) (\d{1,2}), (\d{4}) @ (\d{2}):(\d{2}):(\d{2})(?:\.(\d{3}))?")
_NUMBER = re.compile(r"\d{9,19}(?:\.\d+)?(?:[eE]\+?\d+)?|\d\.\d+[eE]\+?\d+")
_MONTHS = {
    name: number
    for number, name in enumerate(
        ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"), start=1
    )
}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
#: Of the year 2286: no log is younger.
_LAST_NS = 1e19
#: The years 1 and 9999: what reckoning makes of a garbled time may lie beyond.
_FIRST_MS, _LAST_MS = -62_135_596_800_000, 253_402_300_799_999


def parse_time(text: str) -> float | None:
    """Epoch milliseconds from any of the forms above; None when it is none of them.

    A time without a zone is taken as UTC (`is_naive` tells); an epoch number is read by its magnitude.
    """
    text = text.strip()
    if match := _ISO.fullmatch(text):
        return _from_iso(match)
    if _NUMBER.fullmatch(text):
        return from_epoch(float(text))
    if match := _KIBANA.fullmatch(text):
        whole = _from_parts(match, "mdyHMS")
        return None if whole is None else whole + float(match[7] or 0)
    for pattern, order in ((_CLF, "dmyHMS"), (_HTTP, "dmyHMS"), (_UNIX, "mdHMSy")):
        if match := pattern.fullmatch(text):
            return _from_parts(match, order)
    return None


def is_naive(text: str) -> bool:
    """True for an ISO time that names no zone."""
    match = _ISO.fullmatch(text.strip())
    return match is not None and match[8] is None


def from_epoch(number: float) -> float | None:
    """Epoch seconds, milliseconds, microseconds or nanoseconds, told apart by magnitude, as milliseconds."""
    if number > _LAST_NS:
        return None
    for above, divisor in ((1e17, 1e6), (1e14, 1e3), (1e11, 1.0), (1e8, 1e-3)):
        if number >= above:
            return number / divisor if divisor >= 1 else round(number * 1000.0, 3)
    return None


def iso(at: float) -> str:
    """ISO 8601 UTC with milliseconds."""
    moment = _EPOCH + timedelta(milliseconds=round(min(max(at, _FIRST_MS), _LAST_MS)))
    return f"{moment.isoformat(timespec='milliseconds')[:-6]}Z"


def iso_or_none(at: float | None) -> str | None:
    """Like `iso`, with None for None."""
    return None if at is None else iso(at)


@lru_cache(maxsize=512)
def _midnight(year: int, month: int, day: int) -> float | None:
    try:
        return (datetime(year, month, day, tzinfo=UTC) - _EPOCH).total_seconds() * 1000.0
    except ValueError:
        return None


def _from_iso(match: re.Match[str]) -> float | None:
    year, month, day, hour, minute, second, fraction, zone = match.groups()
    midnight = _midnight(int(year), int(month), int(day))
    if midnight is None:
        return None
    at = midnight + ((int(hour) * 60 + int(minute)) * 60 + int(second)) * 1000.0
    if fraction:
        at += round(int(fraction) * 1000.0 / 10 ** len(fraction), 3)
    return at - _offset_ms(zone)


def _offset_ms(zone: str | None) -> float:
    if not zone or zone[0] not in "+-":
        return 0.0
    digits = zone[1:].replace(":", "")
    minutes = int(digits[:2]) * 60 + int(digits[2:])
    return (minutes if zone[0] == "+" else -minutes) * 60_000.0


def _from_parts(match: re.Match[str], order: str) -> float | None:
    value = dict(zip(order, match.groups(), strict=False))
    month = _MONTHS.get(value["m"])
    midnight = _midnight(int(value["y"]), month, int(value["d"])) if month else None
    if midnight is None:
        return None
    clock = ((int(value["H"]) * 60 + int(value["M"])) * 60 + int(value["S"])) * 1000.0
    zone = match.group(7) if match.re is _CLF else None
    return midnight + clock - _offset_ms(zone)
