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
from apigw_doctor.sources.event_shapes import FlatKeys, keys_of
from apigw_doctor.sources.payload import Message, Payloads

_LEAST_SHARE = 0.5
#: No name that a decoder could be told.
_ODD_KEY = re.compile(r'[\\"\x00-\x1f]|^absent attribute ')
_MOST_LINES = 200


class AccessLayout(msgspec.Struct, frozen=True):
    """The keys of every record, in the order of the first."""

    keys: tuple[str, ...]
    #: where the record is the message of a flat object
    wrapper: FlatKeys | None = None


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


def wrapped_access_layout_of(head: bytes) -> AccessLayout | None:
    """The layout of an access log whose records are the messages of flat objects, one a line."""
    lines = head.split(b"\n")
    lines = (lines[:-1] or lines)[:_MOST_LINES]
    objects = [value for line in lines if (value := _object(line)) is not None]
    wrapper = keys_of(objects[0]) if objects else None
    if wrapper is None or len(objects) < _LEAST_SHARE * len(lines):
        return None
    records = [text for value in objects if isinstance(text := value.get(wrapper.message), str) and "\n" not in text]
    layout = access_layout_of("".join(f"{text}\n" for text in records).encode("utf-8", "replace"))
    if layout is None or not all(_holds_record(value, wrapper) for value in objects[:3]):
        return None
    return AccessLayout(layout.keys, wrapper)


def _holds_record(value: dict[str, object], wrapper: FlatKeys) -> bool:
    """The record is all that the object is about."""
    text = value.get(wrapper.message)
    items = list(documents.unwrap(value))
    if len(items) != 1 or not isinstance(text, str):
        return False
    return items[0].text == text or (
        items[0].text is None and items[0].value == _object(text.encode("utf-8", "replace"))
    )


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
