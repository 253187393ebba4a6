"""Log events as JSON containers write them, decoded many at a time into columns.

Three kinds of objects hold a message: an event of CloudWatch (inside `events` or `logEvents`), a row of an
Insights query (`@message`), and the flat object of a shipper, whose keys are learnt from the first ones.
Each batch is read exactly as `documents.unwrap` reads it, or not at all: then the caller looks closer.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from operator import attrgetter
from typing import Annotated, Any, Literal

import msgspec

from apigw_doctor.model.times import from_epoch, parse_time
from apigw_doctor.sources.documents import (
    _GROUP_KEYS,
    _MESSAGE_KEYS,
    _STREAM_KEYS,
    TIME_KEYS,
    Wrapped,
    all_system,
    unwrap,
)
from apigw_doctor.sources.native import alike_lines

#: What decoders raise for what is not as expected.
BAD = (ValueError, OverflowError, RecursionError)
#: Stands for the events of a document in questions about what its other keys say.
PROBE = b'{"message":"-"}'


class EventBlock(msgspec.Struct):
    """A batch of log events, column by column."""

    #: the line that origins cite: where a document begins, or the JSON line itself
    numbers: Sequence[int]
    messages: list[str]
    times: list[float | None]
    streams: list[str | None]
    groups: list[str | None]
    event_ids: list[str | None]

    def label(self, index: int) -> int | str:
        """Where one event was read, as the tolerant reader says it: an origin, or the number of a line."""
        stream, event_id = self.streams[index], self.event_ids[index]
        return f"{stream}/{event_id}" if stream and event_id is not None else self.numbers[index]

    def is_alone(self, index: int) -> bool | None:
        """The event's document holds no other one; None at the ends of the batch, where that is not to be seen."""
        if 0 < index < len(self.numbers) - 1:
            return self.numbers[index] not in (self.numbers[index - 1], self.numbers[index + 1])
        return None

    def by_group(self) -> "Iterator[tuple[str | None, EventBlock]]":
        """The events of each log group."""
        first = self.groups[0] if self.groups else None
        if self.groups.count(first) == len(self.groups):
            yield first, self
            return
        places: dict[str | None, list[int]] = {}
        for index, group in enumerate(self.groups):
            places.setdefault(group, []).append(index)
        for group, chosen in places.items():
            yield group, self.chosen(chosen)

    def chosen(self, places: list[int]) -> "EventBlock":
        """Some of the events."""
        return EventBlock(*([column[place] for place in places] for column in msgspec.structs.astuple(self)))

    def extend(self, other: "EventBlock") -> None:
        """Take another batch behind this one."""
        if not isinstance(self.numbers, list):
            self.numbers = list(self.numbers)
        self.numbers.extend(other.numbers)
        for column in ("messages", "times", "streams", "groups", "event_ids"):
            getattr(self, column).extend(getattr(other, column))


class Odd(msgspec.Struct, frozen=True):
    """A stretch that is no event of the expected kind: the tolerant reader may know more.

    `raw` is as it stands in the file, from line `number` on. A complete element of a document has the
    document's line, and in `before` and `after` what makes it a document of its own.
    """

    number: int
    raw: bytes
    before: bytes = b""
    after: bytes = b""

    def ends_at(self, number: int) -> bool:
        """What begins on that line may be put behind it."""
        return not self.after and self.number + self.raw.count(b"\n") == number

    def lines(self) -> Iterator[tuple[int, str]]:
        """Numbers and texts to feed the tolerant reader with."""
        if self.after:
            inner = b" ".join(line.strip() for line in self.raw.split(b"\n"))
            yield self.number, _decoded(b" ".join(self.before.split(b"\n")) + inner + self.after)
            return
        for offset, line in enumerate(self.raw.removesuffix(b"\n").split(b"\n")):
            yield self.number + offset, _decoded(line.rstrip(b"\r"))


def _decoded(line: bytes) -> str:
    try:
        return line.decode("utf-8")
    except UnicodeDecodeError:
        return line.decode("cp1252", "replace")


def is_utf8(data: bytes) -> bool:
    """Also keys and values that nobody asked for count: a decoder passes over them unseen."""
    if data.isascii():
        return True
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


# events of CloudWatch


class Event(msgspec.Struct, gc=False):
    """One element of `events` or `logEvents`."""

    message: str
    timestamp: int | float | str | None = None
    stream_name: str | None = msgspec.field(name="logStreamName", default=None)
    event_id: str | None = msgspec.field(name="eventId", default=None)
    group_name: str | None = msgspec.field(name="logGroupName", default=None)
    stream: str | None = msgspec.field(name="logStream", default=None)
    group: str | None = msgspec.field(name="logGroup", default=None)
    id: str | None = None


_EVENTS = msgspec.json.Decoder(list[Event])


def decode_events(elements: bytes, here: Wrapped) -> EventBlock | None:
    """Events separated by commas; None when something among them is none."""
    if not is_utf8(elements):
        return None
    try:
        return _event_columns(_EVENTS.decode(b"[" + elements + b"]"), here)
    except BAD:
        return None


def _event_columns(events: list[Event], here: Wrapped) -> EventBlock:
    return EventBlock(
        numbers=(),
        messages=[event.message.rstrip("\r\n") for event in events],
        times=_times([event.timestamp for event in events], here.at),
        streams=[event.stream_name or event.stream or here.stream for event in events],
        groups=[event.group_name or event.group or here.group for event in events],
        event_ids=[event.event_id or event.id or None for event in events],
    )


def context_of(document: dict[str, Any]) -> Wrapped | None:
    """What a document with `PROBE` as its event tells all its events; None when they are not read as such."""
    found = list(unwrap(document))
    return found[0] if len(found) == 1 and found[0].text == "-" and found[0].ignored is None else None


# times


def _times(values: list[Any], default: float | None = None) -> list[float | None]:
    try:
        if values and min(values) >= 1e11 and max(values) < 1e14:
            return list(map(float, values))
    except TypeError:
        pass
    return [default if value is None else _time(value) for value in values]


def _time(value: float | str) -> float | None:
    if not isinstance(value, str):
        return from_epoch(value)
    if len(value) == 24 and value[4] == "-" and value[19] == "." and value[23] == "Z" and value[20:23].isdecimal():
        second = _second(value[:19])
        return None if second is None else second + int(value[20:23])
    return parse_time(value)


@lru_cache(maxsize=1024)
def _second(text: str) -> float | None:
    return parse_time(text + "Z")


# flat objects


class FlatKeys(msgspec.Struct, frozen=True):
    """Under which keys the objects of a file hold what; `row` is read as an Insights row."""

    message: str
    time: str
    group: str | None = None
    stream: str | None = None
    event_id: str | None = None
    row: bool = False


_Nothing = Literal["\x00"]
#: What makes an object a container or another kind of record, whatever message it has beside it.
_OTHERS = (
    "messageType", "logEvents", "events", "results", "awslogs", "Records", "records", "data", "logs", "messages",
    "rows", "hits",
)  # fmt: skip
_ROW_GROUPS = (
    "@log",
    "log_group",
    "loggroup",
    "logGroup",
    "@log_group",
    "aws.cloudwatch.log_group",
    "awslogs.loggroup",
)
_ROW_STREAMS = (
    "@logStream", "@logstream", "log_stream", "logstream", "logStream", "logstreamname", "logStreamName",
    "@log_stream", "aws.cloudwatch.log_stream",
)  # fmt: skip
_NoPlatform = Annotated[str, msgspec.Meta(pattern=r"^(?!platform\.)")]


def _before(keys: Sequence[str], chosen: str | None) -> Sequence[str]:
    """The keys that would win over the chosen one."""
    return keys if chosen is None else keys[: keys.index(chosen)]


def _unwanted(keys: FlatKeys) -> set[str]:
    """Keys that must be absent (or null) for an object to be read by the chosen keys alone."""
    if keys.row:
        found = {*_OTHERS, *_before(_ROW_GROUPS, keys.group), *_before(_ROW_STREAMS, keys.stream)}
        found |= set() if keys.event_id else {"@ptr"}
    else:
        found = {*_OTHERS, "aws", "attributes", *_before(_MESSAGE_KEYS, keys.message), *_before(TIME_KEYS, keys.time)}
        found |= {*_before(_GROUP_KEYS, keys.group), *_before(_STREAM_KEYS, keys.stream), "@message", "@logStream"}
    return found - {keys.message, keys.time, keys.group, keys.stream, keys.event_id}


def record_decoder(keys: FlatKeys) -> Callable[[bytes], Any]:
    """Decodes flat objects to their `text` and `time`, whose message is a record as long as it is no logger's line."""
    return msgspec.json.Decoder(_flat_type(keys, ("level",))).decode


def time_of(value: float | str) -> float | None:
    """The time that an object tells."""
    return _times([value])[0]


@lru_cache(maxsize=16)
def _flat_type(keys: FlatKeys, never: tuple[str, ...] = ()) -> type[Any]:
    fields: list[Any] = [("text", str), ("time", str if keys.row else int | float | str)]
    names = {"text": keys.message, "time": keys.time}
    for field in ("group", "stream", "event_id"):
        if (name := getattr(keys, field)) is not None:
            fields.append((field, str))
            names[field] = name
    fields.append(("type", _NoPlatform | None, None))
    for index, name in enumerate(sorted({*_unwanted(keys), *never})):
        absent = name in ("@message", "@logStream", "@ptr", *never)
        fields.append((f"no_{index}", _Nothing if absent else None, None))
        names[f"no_{index}"] = name
    return msgspec.defstruct("Flat", fields, rename=names, gc=False)


class FlatReader:
    """Decodes flat objects that hold their message under the same keys."""

    def __init__(self, keys: FlatKeys) -> None:
        self._keys = keys
        flat = _flat_type(keys)
        self._each = msgspec.json.Decoder(flat)
        self._many = msgspec.json.Decoder(list[flat])  # type: ignore[valid-type]
        self._lines = msgspec.json.Decoder(list[tuple[flat]])  # type: ignore[valid-type]

    def elements(self, elements: bytes) -> EventBlock | None:
        """Objects separated by commas; None when something among them is not as expected."""
        try:
            return self._columns(self._many.decode(b"[" + elements + b"]")) if is_utf8(elements) else None
        except BAD:
            return None

    def lines(self, lines: bytes, count: int) -> EventBlock | None:
        """One object a line (`count` of them, each from its line's first column on), else None."""
        try:
            if not is_utf8(lines):
                return None
            if alike_lines(lines) == count:
                # Behind a value of JSON no other one begins but at its very end: every line holds at least one object.
                items = self._each.decode_lines(lines)
            else:
                items = [item for (item,) in self._lines.decode(_bracketed(lines))]
            return self._columns(items) if len(items) == count else None
        except BAD:
            return None

    def _columns(self, items: list[Any]) -> EventBlock | None:
        keys = self._keys
        texts = _column(items, "text")
        streams: list[str | None] = _column(items, "stream") if keys.stream else [None] * len(items)
        groups: list[str | None] = _column(items, "group") if keys.group else [None] * len(items)
        if "" in streams or "" in groups or "" in texts:
            return None
        times = _column(items, "time")
        if keys.row:
            groups = [group.rpartition(":")[2] if group else None for group in groups]
            messages = [text.rstrip("\n") for text in texts]
            at = [_time(time) if time else None for time in times]
        else:
            groups = list(map(group_of, groups))
            if not all(groups) and not all_system(texts if not any(groups) else _ungrouped(texts, groups)):
                return None
            messages, at = [text.rstrip("\r\n") for text in texts], _times(times)
        ids: list[str | None] = _column(items, "event_id") if keys.event_id else [None] * len(items)
        return EventBlock(numbers=(), messages=messages, times=at, streams=streams, groups=groups, event_ids=ids)


def _column(items: list[Any], name: str) -> list[Any]:
    return list(map(attrgetter(name), items))


def _bracketed(lines: bytes) -> bytes:
    """Lines as a list of lists: whatever is not exactly one object a line does not decode, or not to as many."""
    return b"[[" + lines.replace(b"\n{", b"],[{") + b"]]"


def _ungrouped(texts: list[str], groups: Iterable[str | None]) -> Iterable[str]:
    return (text for text, group in zip(texts, groups, strict=True) if not group)


@lru_cache(maxsize=4096)
def group_of(name: str | None) -> str | None:
    """The log group that a value names; None when it is none of AWS."""
    here = context_of({"logGroup": name, "events": [{"message": "-"}]}) if name else None
    return here.group if here else None


#: So many objects of a file's head are looked at closely.
_SAMPLES = 32


def flat_keys(samples: list[dict[str, Any]]) -> FlatKeys | None:
    """The keys that nearly all of the samples are read by; None when there are no such keys."""
    samples = samples[:: max(1, len(samples) // _SAMPLES)]
    votes = Counter(filter(None, map(keys_of, samples)))
    for keys, _ in votes.most_common(1):
        reader = FlatReader(keys)
        fitting = sum(_reads_alike(reader, sample) for sample in samples)
        return keys if fitting >= 0.9 * len(samples) else None
    return None


def keys_of(sample: dict[str, Any]) -> FlatKeys | None:
    """Under which keys an object holds a message and its time."""
    if "@message" in sample:
        there = {key: key for key in ("@log", "@logStream", "@ptr") if key in sample}
        names = there.get("@log"), there.get("@logStream"), there.get("@ptr")
        return FlatKeys("@message", "@timestamp", *names, row=True)
    message = next((key for key in _MESSAGE_KEYS if isinstance(sample.get(key), str)), None)
    time = next((key for key in TIME_KEYS if sample.get(key) is not None), None)
    group, stream = (
        next((key for key in keys if isinstance(sample.get(key), str)), None) for keys in (_GROUP_KEYS, _STREAM_KEYS)
    )
    return FlatKeys(message, time, group, stream) if message and time else None


def _reads_alike(reader: FlatReader, sample: dict[str, Any]) -> bool:
    block = reader.elements(msgspec.json.encode(sample))
    if block is None:
        return False
    told = Wrapped(
        text=block.messages[0],
        at=block.times[0],
        group=block.groups[0],
        stream=block.streams[0],
        event_id=block.event_ids[0],
    )
    return [told] == list(unwrap(sample))


# subscription envelopes


_Filled = Annotated[str, msgspec.Meta(min_length=1)]
_NOT_IN_ENVELOPES = (*TIME_KEYS, "type", "aws", "attributes")
#: `{"messageType":"DATA_MESSAGE","logGroup":...,"logStream":...,"logEvents":[...]}`
_ENVELOPE = msgspec.defstruct(
    "Envelope",
    [
        ("kind", Literal["DATA_MESSAGE"]),
        ("group", _Filled),
        ("stream", _Filled),
        ("events", list[Event]),
        *((f"no_{index}", None, None) for index in range(len(_NOT_IN_ENVELOPES))),
    ],
    rename={"kind": "messageType", "group": "logGroup", "stream": "logStream", "events": "logEvents"}
    | {f"no_{index}": name for index, name in enumerate(_NOT_IN_ENVELOPES)},
    gc=False,
)
_ENVELOPES: msgspec.json.Decoder[list[tuple[Any]]] = msgspec.json.Decoder(list[tuple[_ENVELOPE]])  # type: ignore[valid-type]


def decode_envelopes(lines: bytes, count: int, first: int) -> EventBlock | None:
    """The events of `count` envelopes, one a line from line `first` on; None when a line is none."""
    if not is_utf8(lines):
        return None
    try:
        found = _ENVELOPES.decode(_bracketed(lines))
        if len(found) != count:
            return None
        block = EventBlock([], [], [], [], [], [])
        for number, (envelope,) in enumerate(found, first):
            part = _event_columns(envelope.events, _envelope_context(envelope.group, envelope.stream))
            part.numbers = [number] * len(envelope.events)
            block.extend(part)
    except BAD:
        return None
    return block


@lru_cache(maxsize=4096)
def _envelope_context(group: str, stream: str) -> Wrapped:
    return context_of({"logGroup": group, "logStream": stream, "events": [{"message": "-"}]}) or Wrapped()
