"""Uniform access logs: one flat JSON object a line, with the same keys on every line.

>>> line = b'{"requestId": "c0ffee00-0000-4000-8000-000000000001", "status": "200", "httpMethod": "GET"}'
>>> access_layout_of(line + bytes([10])).keys
('requestId', 'status', 'httpMethod')
>>> access_layout_of(b'{"timestamp": 1772359200250, "message": "START RequestId: x"}') is None
True
"""

import re

import msgspec

from apigw_doctor.sources import documents
from apigw_doctor.sources.payload import Message, Payloads

_LEAST_SHARE = 0.5
#: No name that a decoder could be told.
_ODD_KEY = re.compile(r'[\\"\x00-\x1f]|^absent attribute ')
_MOST_LINES = 200


class AccessLayout(msgspec.Struct, frozen=True):
    """The keys of every record, in the order of the first."""

    keys: tuple[str, ...]


def access_layout_of(head: bytes) -> AccessLayout | None:
    """The layout of an access log, from its first lines; None when they are not alike."""
    lines = head.split(b"\n")
    records = [value for line in (lines[:-1] or lines)[:_MOST_LINES] if (value := _object(line)) is not None]
    if not records or len(records) < _LEAST_SHARE * len(lines[:_MOST_LINES][:-1] or lines):
        return None
    keys = tuple(dict.fromkeys(key for record in records for key in record))
    flat = all(not isinstance(value, dict | list) for record in records for value in record.values())
    if not flat or any(_ODD_KEY.search(key) for key in keys) or not all(map(_is_access_record, records[:3])):
        return None
    return AccessLayout(keys)


def _object(line: bytes) -> dict[str, object] | None:
    try:
        value = msgspec.json.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _is_access_record(record: dict[str, object]) -> bool:
    items = list(documents.unwrap(record))
    if len(items) != 1 or items[0].text is not None or items[0].value != record:
        return False
    read = Payloads().value(record, Message(text="", origin="", file=""))
    return read is not None and read.kind == "access-log"
