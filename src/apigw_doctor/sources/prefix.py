r"""What stands before a log message on a line: times, groups, streams and separators.

>>> peel("2026-03-01T10:00:00.250+00:00 2026/03/01/[$LATEST]0123456789abcdef0123456789abcdef START RequestId: x").rest
'START RequestId: x'
>>> peel("2023-03-03T17:47:06.921+01:00 | END RequestId: x").rest
'END RequestId: x'
>>> found = peel("/aws/lambda/orders 2026/03/01/[4]0123456789abcdef0123456789abcdef 2026-03-01T10:00:00Z END")
>>> found.group, found.at, found.rest
('/aws/lambda/orders', 1772359200000.0, 'END')
"""

import re

import msgspec

from apigw_doctor.model.times import ISO_PATTERN, is_naive, parse_time

_TIME = re.compile(rf"[\[(]?({ISO_PATTERN})[\])]?(?=$|[\s|,:;-])")
_EPOCH = re.compile(r"(1[0-9]{12})(?=$|[\s|,])")
_TEST_TIME = re.compile(r"([A-Z][a-z]{2} [A-Z][a-z]{2} +\d{1,2} \d{2}:\d{2}:\d{2} (?:UTC|GMT) \d{4}) ?: ?")
_STREAM = re.compile(r"(\d{4}/\d{2}/\d{2}/(?:[\w.-]+)?\[[\w$.-]+\][0-9a-f]{6,32}|[0-9a-f]{32})(?=$|[\s|])")
#: `chalice logs` prints the first letters of the stream behind a time without a zone
_SHORT_STREAM = re.compile(r"((?=[a-f]*\d)[0-9a-f]{6})(?=\s)")
_GROUP = re.compile(r"((?:\d{12}:)?(?:/aws/[\w./-]+|API-Gateway-Execution-Logs[_/][\w*./-]+))(?=$|\s)", re.IGNORECASE)
_SEPARATOR = re.compile(r"[ \t]*(?:[|]|-(?=\s)|:(?=\s))?[ \t]*")


#: What only a log's own lines begin with; bodies and prose do not.
STRONG = re.compile(
    r"\((?:[0-9a-fA-F-]{36}|[\w+/-]{11,22}={1,2})\) |(?:START|END|REPORT) RequestId: |INIT_START |INIT_REPORT "
    r"|\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}:\d{2}|\{\"|\[\{\"|\d{4}/\d{2}/\d{2}/\["
    r"|[A-Z][a-z]{2} [A-Z][a-z]{2} +\d{1,2} \d{2}:\d{2}:\d{2} (?:UTC|GMT) \d{4} ?: "
)
_PASTED = re.compile(
    r"(?:\s*>)*\s*(?:[\w.-]{1,60}\s{1,20}\|\s)?(?:[\w./\[\]$@-]+\.(?:log|txt|json|jsonl|csv|gz):)?"
    r"(?:\d{1,7}(?::(?!\d\d:)|\t| \|) ?)?"
    r"\s*\"?(?:\d{1,2}:\d{2}:\d{2}(?:[.,]\d+)?(?: ?[ap]m)?\s+)?(?:(?:INFO|DEBUG|WARN|ERROR)\s+)?"
)
#: A time of day alone on its line (without a date it tells nothing), and what the console writes round its events.
CHROME = re.compile(
    r"No (?:older|newer) events (?:at this moment|found).*|There are (?:older|newer) events to load.*"
    r"|Auto retry paused.*|Load (?:more|older|newer).*|Timestamp|Message|Timestamp\s+Message|```\w*|"
    r"\s*\d{1,2}:\d{2}(?::\d{2}(?:[.,]\d+)?)?(?: ?[AaPp][Mm])?\s*"
)


def unpasted(line: str) -> str:
    """The line without what pasting put before it: quote marks, indentation, line numbers, a file's name of grep.

    >>> unpasted("  > (c0ffee00-0000-4000-8000-000000000001) Method"), unpasted("api.log:12:START RequestId: x")
    ('(c0ffee00-0000-4000-8000-000000000001) Method', 'START RequestId: x')
    >>> unpasted("> GET /orders HTTP/2"), unpasted('    "status": 500,')
    ('> GET /orders HTTP/2', '    "status": 500,')
    """
    if line[:1] in ("(", "{", "["):
        return line
    if STRONG.match(line):
        return line
    match = _PASTED.match(line)
    end = match.end() if match else 0
    return line[end:] if end and STRONG.match(line, end) else line


_OWN_LINE = re.compile(r"\s+(?:\([0-9a-fA-F-]{36}\) |(?:START|END|REPORT) RequestId: |INIT_START )")


class Prefix(msgspec.Struct, frozen=True, kw_only=True):
    """What was peeled off, and the message that remains."""

    rest: str
    at: float | None = None
    #: `at` was written without a zone
    naive: bool = False
    group: str | None = None
    stream: str | None = None
    #: the date form of a console Test transcript
    test_form: bool = False

    @property
    def bare(self) -> bool:
        """Nothing was peeled off."""
        return self.at is None and self.group is None and self.stream is None


def peel(line: str) -> Prefix:
    """Take times, log groups and stream names off the front of a line."""
    if (first := line[:1]) == "(" or not first:
        return Prefix(rest=line)
    if (match := _TEST_TIME.match(line)) is not None:
        return Prefix(rest=line[match.end() :], at=parse_time(match[1]), test_form=True)
    rest, at, naive, group, stream = line.lstrip(), None, False, None, None
    for _ in range(4):
        if at is None and (found := _time(rest)):
            at, naive, end = found
        elif stream is None and (match := _STREAM.match(rest) or (_SHORT_STREAM.match(rest) if naive else None)):
            stream, end = match[1], match.end()
        elif group is None and (match := _GROUP.match(rest)):
            group, end = match[1], match.end()
        else:
            break
        rest = rest[_SEPARATOR.match(rest, end).end() :]  # type: ignore[union-attr]
    if at is None and group is None and stream is None:
        return Prefix(rest=line)
    if at is not None and (inner := _time(rest)) and _OWN_LINE.match(rest, inner[2]):
        # Another tool's time stands before the log's own (CI, docker): the log's own counts.
        at, naive, end = inner
        rest = rest[_SEPARATOR.match(rest, end).end() :]  # type: ignore[union-attr]
    return Prefix(rest=rest, at=at, naive=naive, group=group, stream=stream)


def _time(text: str) -> tuple[float, bool, int] | None:
    if not text[:1].isdigit() and text[:1] not in "[(":
        return None
    match = _TIME.match(text) or _EPOCH.match(text)
    at = parse_time(match[1]) if match else None
    return None if match is None or at is None else (at, is_naive(match[1]), match.end())


def zone_offset_ms(lines: list[str]) -> float | None:
    """Offset of the zoneless times at the line starts, where messages carry their own time with a zone.

    Local time less UTC in milliseconds, a multiple of 15 minutes; None when nothing tells.
    """
    for line in lines:
        outer = peel(line)
        if outer.at is None or not outer.naive:
            continue
        inner = re.search(rf"(?<![\d-])({ISO_PATTERN})", outer.rest)
        at = parse_time(inner[1]) if inner and not is_naive(inner[1]) else None
        if at is not None:
            quarters = round((outer.at - at) / 900_000.0)
            near = abs(outer.at - at - quarters * 900_000.0) < 90_000.0
            return quarters * 900_000.0 if near and abs(quarters) <= 56 else None
    return None
