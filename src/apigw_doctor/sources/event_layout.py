r"""Uniform JSON containers whose events are of one kind of log.

>>> line = b'{"timestamp":1772359200250,"message":"(c0ffee00-0000-4000-8000-000000000001) Starting execution"}\n'
>>> layout = event_layout_of(line * 3, "execution.jsonl")
>>> layout.kind, layout.shape.kind
('execution', 'lines')
>>> event_layout_of(line.replace(b"(c0ff", b"#c0ff"), "execution.jsonl") is None
True
"""

import re
from typing import Literal

import msgspec

from apigw_doctor.model.ids import function_from_group
from apigw_doctor.sources.access_layout import AccessLayout, access_layout_of
from apigw_doctor.sources.event_blocks import EventBlock, Shape, recognise, split
from apigw_doctor.sources.lambda_layout import STREAM_IN_PATH, function_from_path
from apigw_doctor.sources.layout import KEY

_MOST_EVENTS = 400
_LEAST_SHARE = 0.5
_KEY = re.compile(KEY.pattern.decode())
_LAMBDA_LINE = re.compile(r"(?:START|END|REPORT) RequestId: |INIT_START ")


def _is_known(group: str | None, stream: str | None, name: str) -> bool:
    """Of which function and stream of Lambda an event is."""
    path = name.replace("\\", "/")
    function = (function_from_group(group) if group else None) or function_from_path(path)
    return function is not None and (stream is not None or STREAM_IN_PATH.search(path) is not None)


class EventLayout(msgspec.Struct, frozen=True):
    """How the events are held, and of which log they are."""

    shape: Shape
    kind: Literal["execution", "access", "lambda"]
    #: the keys of the records of an access log
    access: AccessLayout | None = None

    @property
    def by_lines(self) -> bool:
        """Every line stands for itself, so that the file can be read in parts."""
        return self.shape.kind in ("lines", "envelopes")


def event_layout_of(head: bytes, name: str) -> EventLayout | None:
    """The layout of a container, from its first bytes; None when it is none, or holds logs of several kinds."""
    shape = recognise(head)
    if shape is None:
        return None
    batches = [item for item in split(shape, [head]) if isinstance(item, EventBlock)]
    messages = [message for batch in batches for message in batch.messages][:_MOST_EVENTS]
    events = sum(_KEY.match(message) is not None for message in messages)
    others = any(_LAMBDA_LINE.match(message) for message in messages)
    if events and events >= _LEAST_SHARE * len(messages) and not others:
        return EventLayout(shape, "execution")
    if others or events:
        places = {place for batch in batches for place in zip(batch.groups, batch.streams, strict=True)}
        known = all(_is_known(group, stream, name) for group, stream in places)
        return EventLayout(shape, "lambda") if known and not events else None
    access = access_layout_of("".join(f"{text}\n" for text in messages if "\n" not in text).encode("utf-8", "replace"))
    if access is not None:
        return EventLayout(shape, "access", access)
    return None
