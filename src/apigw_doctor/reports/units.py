"""Numbers and times as all reports write them.

>>> duration(870.4), duration(29004.0), duration(0.25), duration(None)
('870 ms', '29.0 s', '0.2 ms', 'unknown')
>>> exact(29004.0), moment("2026-03-01T10:00:05.123Z")
('29,004 ms', '2026-03-01 10:00:05.123Z')
>>> plural(1, "request"), plural(1204, "request")
('1 request', '1,204 requests')
"""

from collections.abc import Mapping

UNKNOWN = "unknown"


def duration(ms: float | None) -> str:
    """A duration to be read at a glance."""
    if ms is None:
        return UNKNOWN
    return exact(ms) if round(ms) < 1000 else f"{ms / 1000:,.1f} s"


def exact(ms: float | None) -> str:
    """A duration where the millisecond matters, as beside a limit."""
    return UNKNOWN if ms is None else f"{number(ms)} ms"


def number(value: float | None) -> str:
    """A bare number for a table whose heading names the unit."""
    if value is None:
        return "?"
    return f"{value:.1f}" if abs(value) < 10 and value != round(value) else f"{value:,.0f}"


def moment(iso: str | None) -> str:
    """A time for people: a space where ISO 8601 has a T."""
    return "time unknown" if iso is None else iso.replace("T", " ", 1)


def plural(count: int, noun: str) -> str:
    """A count with its noun."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def counted(counts: Mapping[str, int], most: int = 5) -> str:
    """The largest counts of a tally: `dependency 12, function 2`."""
    ranked = sorted(counts.items(), key=lambda item: -item[1])
    told = ", ".join(f"{name} {count:,}" for name, count in ranked[:most])
    rest = len(ranked) - most
    return f"{told} and {rest} more" if rest > 0 else told
