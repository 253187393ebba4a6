r"""Uniform Lambda logs in text: one stream a file, every event behind a time of the same width.

>>> start = b"2026-03-01T10:00:00.250Z START RequestId: c0ffee00-0000-4000-8000-000000000001 Version: $LATEST"
>>> lambda_layout_of(start + bytes([10]), "aws/lambda/orders/2026-03-01-[$LATEST]0123456789abcdef/000000.gz").column
25
>>> lambda_layout_of(start + bytes([10]), "orders.log") is None
True
"""

import re

import msgspec

from apigw_doctor.model.ids import function_from_group
from apigw_doctor.model.times import ISO_PATTERN, is_naive, parse_time
from apigw_doctor.sources.reading import BOM

STREAM_IN_PATH = re.compile(r"(?:\d{4}[-/_]\d{2}[-/_]\d{2}[-/_])?(?:[\w.-]+)?\[[\w$.-]+\][0-9a-f]{3,32}")
_EVENT = re.compile(rf"({ISO_PATTERN})[ \t](?:INIT_START |START RequestId: |END RequestId: |REPORT RequestId: )")
_MINUTE = len("2026-03-01T10:00:")
#: What a file's name ends with is no part of a function's name, which has no dot.
_SUFFIXES = re.compile(r"(?:\.(?:jsonl|ndjson|json|log|csv|tsv|txt|gz|zst))+$", re.IGNORECASE)


class LambdaLayout(msgspec.Struct, frozen=True):
    """Column of the first word, and the stream that the file's name tells."""

    column: int
    function: str | None
    stream: str


def function_from_path(path: str) -> str | None:
    """Function name from a path that has its log group's name in it.

    >>> function_from_path("logs/aws/lambda/orders.log.gz")
    'orders'
    """
    return function_from_group(_SUFFIXES.sub("", path.replace("\\", "/")))


def lambda_layout_of(head: bytes, name: str) -> LambdaLayout | None:
    """The layout of a stream's log, from its name and first lines; None when it is no such file."""
    path = name.replace("\\", "/")
    stream = STREAM_IN_PATH.search(path)
    if stream is None:
        return None
    match = _EVENT.match(head.removeprefix(BOM)[:200].decode("latin-1"))
    if match is None or is_naive(match[1]) or parse_time(match[1]) is None or match[1][_MINUTE + 2] not in ".,":
        return None
    return LambdaLayout(len(match[1]) + 1, function_from_path(path), stream[0])
