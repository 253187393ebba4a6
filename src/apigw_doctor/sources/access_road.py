"""The fast road through uniform access logs: a record of a well-answered request becomes one entry of `Traffic`.

Each line is decoded once, by a decoder made for the keys of this file. Records that tell of any trouble, and
lines that are no JSON, go to the reader that reads everything else.

Where the native part is there (`native/records.c`), it enters the records that are certainly ordinary, and hands over
all others at their turn. What it enters and what `_entered` enters is the same.
"""

from array import array
from typing import TYPE_CHECKING, Any

import msgspec

from apigw_doctor.attribution.unremarkable import place_of, unremarkable
from apigw_doctor.evidence.traffic import ACCESS, LATENCY, Traffic, half_id, id64
from apigw_doctor.model.ids import UUID, trace_root
from apigw_doctor.sources.access_layout import AccessLayout
from apigw_doctor.sources.access_log import EMPTY, AccessLog, arrival_of, fill, put
from apigw_doctor.sources.documents import _MESSAGE_KEYS, TIME_KEYS, may_be_message
from apigw_doctor.sources.file_reader import FileReader
from apigw_doctor.sources.native import native
from apigw_doctor.sources.reading import lines_of
from apigw_doctor.sources.requests import Facts, row_of
from apigw_doctor.sources.spool import Spool
from apigw_doctor.sources.wanted import Wanted

if TYPE_CHECKING:
    from apigw_doctor.sources._native import Records

#: `$context` variable -> attribute of a decoded record.
_ATTRIBUTES = {
    "requestId": "request_id",
    "extendedRequestId": "extended_id",
    "requestTimeEpoch": "epoch",
    "requestTime": "time",
    "status": "status",
    "integration.status": "integration_status",
    "integrationStatus": "service_status",
    "authorizer.status": "authorizer_status",
    "integrationLatency": "integration_latency",
    "responseLatency": "response_latency",
    "authorizer.latency": "authorizer_latency",
    "waf.latency": "waf_latency",
    "integration.requestId": "lambda_id",
    "xrayTraceId": "trace",
    "error.responseType": "response_type",
    "error.message": "error_message",
    "error.messageString": "error_string",
    "integration.error": "integration_error",
    "authorizer.error": "authorizer_error",
    "connectionId": "connection",
    "eventType": "event",
    "httpMethod": "method",
    "resourcePath": "resource",
    "routeKey": "route_key",
    "path": "path",
    "apiId": "api",
    "stage": "stage",
    "endpointType": "endpoint_type",
    "integration.uri": "uri",
}
_NOTHING = EMPTY | {None}
_FAILED, _THROTTLED = 500, 429
_MAX_CACHED = 20_000
_UNKNOWN = object()
#: What is raised for lines that are no JSON, and for values where none was expected: they are read closely.
BAD = (msgspec.DecodeError, UnicodeDecodeError, RecursionError, TypeError, ValueError, AttributeError)


class AccessRoad:
    """Reads blocks of one uniform file."""

    def __init__(
        self,
        layout: AccessLayout,
        reader: FileReader,
        access: AccessLog,
        traffic: Traffic,
        wanted: Wanted,
        spool: Spool,
    ) -> None:
        self._reader = reader
        self._spool = spool
        self._traffic = traffic
        self._wanted = wanted
        #: entries of the traffic when the reader last read a line
        self._entries = len(traffic)
        attributes = _attributes(layout, access)
        self._decode = _decoder(attributes)
        #: reads ordinary records in C, and hands over all others; None where Python reads them all
        self._records = records_of(layout, attributes, wanted)
        #: attributes of values that may be what the whole record is about
        self._messages = [f"message_{number}" for number, key in enumerate(layout.keys) if key in _MESSAGE_KEYS]
        self._places: dict[tuple[object, ...], int] = {}
        self._statuses: dict[object, int | None] = {}
        self._moments: dict[object, float | None] = {}
        self._calm: dict[tuple[object, object], bool] = {}

    def feed(self, block: bytes, number: int) -> int:
        """Read a block that ends at a line's end and whose first line has this number; the number after its last."""
        if self._records is not None:
            return self._feed_natively(self._records, block, number)
        lines = lines_of(block)
        for at, line in enumerate(lines, number):
            self._read(at, line, line)
        return number + len(lines)

    def _feed_natively(self, records: "Records", block: bytes, number: int) -> int:
        start = 0
        while True:
            start, end, number = records.lines(block, start, number, len(self._traffic), self._told_natively)
            self._take(records)
            if start == end:
                self._spool.add_lines(*records.take_slow())
                return number
            line = block[start:end].rstrip(b"\r")
            self._read(number, line, line)
            start, number = end + 1, number + 1

    def _take(self, records: "Records") -> None:
        """Enter what was read in C: before any other record, as their order counts."""
        self._traffic.take_columns(records.take())

    def _told_natively(self, text: bytes) -> tuple[int, float] | None:
        """Place and arrival of a record, for other records of the same ones; None: it has to be read closely."""
        try:
            record = self._decode(text)
            request_id = record.request_id if record.request_id not in _NOTHING else record.extended_id
            if not self._is_calm(record):
                return None
            place, at = self._place(record, rest=UUID.fullmatch(request_id) is not None), self._told_at(record)
        except BAD:
            return None
        return None if place is None else (place, at if at is not None else float("nan"))

    def _read(self, number: int, line: bytes, record: bytes | str | None) -> None:
        """Read a line of any kind, and the record that it is or holds; None where it holds none."""
        try:
            if record is not None and self._entered(self._decode(record), number, line):
                return
        except BAD:
            pass
        if line and not line.isspace():
            self._close(number, line)

    def finish(self) -> None:
        """Nothing waits."""

    def _close(self, number: int, line: bytes) -> None:
        """Give a line to the line reader; what turns out unremarkable goes into the traffic."""
        if len(self._traffic) != self._entries:
            self._reader.after_record()
        before, continued = self._reader.requests_met(), self._reader.inside_document()
        self._reader.odd_line(number, line)
        self._entries = len(self._traffic)
        if continued:
            return  # a record over several lines: it stays as it is
        for request_id in self._reader.newest(self._reader.requests_met() - before):
            first = len(self._traffic)
            self._reader.release(request_id, self._traffic, self._wanted)
            for entry in range(first, len(self._traffic)):
                if self._traffic.integration_ms[entry] >= self._wanted.slow_from_ms:
                    self._keep(entry, number, line)
        self._entries = len(self._traffic)

    def _entered(self, record: Any, number: int, line: bytes) -> bool:  # noqa: ANN401 - a record of `_decoder`
        """Enter a record into the traffic; False when it has to be read closely."""
        if not (
            record.error_string in _NOTHING
            and record.integration_error in _NOTHING
            and record.authorizer_error in _NOTHING
            and record.connection in _NOTHING
            and record.event in _NOTHING
        ):
            return False
        for name in self._messages:
            if (text := getattr(record, name, None)) not in _NOTHING and may_be_message(text):
                return False
        status = self._status(record.status)
        others = (
            self._status(record.integration_status),
            self._status(record.service_status),
            self._status(record.authorizer_status),
        )
        if not status or None in others or _THROTTLED in others or not self._is_calm(record):
            return False
        request_id = record.request_id if record.request_id not in _NOTHING else record.extended_id
        if type(request_id) is not str or request_id in _NOTHING:
            return False
        place = self._place(record, rest=UUID.fullmatch(request_id) is not None)
        integration_ms, told = _integration_ms(record)
        arrived_at = self._arrived_at(record)
        ident = id64(request_id)
        if place is None or self._wanted.asks_for(ident, arrived_at):
            return False
        if integration_ms is not None and integration_ms >= self._wanted.slow_from_ms:
            self._keep(len(self._traffic), number, line)
        marks = ACCESS | LATENCY if told else ACCESS
        self._traffic.add(
            ident, _extended(record, request_id), _claim(record), place, arrived_at, None, integration_ms, status, marks
        )
        return True

    def _keep(self, entry: int, number: int, line: bytes) -> None:
        """Keep a slow record, behind those that were read in C before it."""
        if self._records is not None:
            self._spool.add_lines(*self._records.take_slow())
        self._spool.add(entry, [(number, line)])

    def _status(self, value: object) -> int | None:
        """The status; 0 where there is none, None for a failure and what is no status."""
        if isinstance(value, bool | float):
            return None  # they are equal to whole numbers, and told otherwise
        status = self._statuses.get(value, _UNKNOWN)
        if status is not _UNKNOWN:
            return status  # type: ignore[return-value]
        if len(self._statuses) > _MAX_CACHED:
            self._statuses.clear()
        text = str(value).strip() if value is not None else ""
        if text in EMPTY:
            found: int | None = 0
        else:
            found = int(text) if text.isascii() and text.isdigit() and 100 <= int(text) < _FAILED else None
        self._statuses[value] = found
        return found

    def _is_calm(self, record: Any) -> bool:  # noqa: ANN401 - a record of `_decoder`
        """What the gateway says of an answer that is no failure by its status is no failure either."""
        told = (record.response_type, record.error_message)
        if told[0] in _NOTHING and told[1] in _NOTHING:
            return True
        calm = self._calm.get(told)
        if calm is None:
            if len(self._calm) > _MAX_CACHED:
                self._calm.clear()
            calm = self._calm[told] = _says_no_failure(*told)
        return calm

    def _arrived_at(self, record: Any) -> float | None:  # noqa: ANN401 - a record of `_decoder`
        return self._told_at(record)

    def _told_at(self, record: Any) -> float | None:  # noqa: ANN401 - a record of `_decoder`
        """The arrival as the record tells it."""
        epoch = record.epoch
        if type(epoch) is str and len(epoch) == _EPOCH_MS and epoch.isdigit() and epoch.isascii():
            return float(epoch)
        key = (epoch, record.time)
        at = self._moments.get(key, _UNKNOWN)
        if at is _UNKNOWN:
            if len(self._moments) > _MAX_CACHED:
                self._moments.clear()
            context = {
                name: str(value)
                for name, value in (("requestTimeEpoch", epoch), ("requestTime", record.time))
                if value not in _NOTHING
            }
            at = self._moments[key] = arrival_of(context, None)[0]
        return at  # type: ignore[return-value]

    def _place(self, record: Any, *, rest: bool) -> int | None:  # noqa: ANN401 - a record of `_decoder`
        path = record.path if record.resource in _NOTHING and record.route_key in _NOTHING else None
        key = (
            record.method, record.resource, record.route_key, path, record.api, record.stage, record.endpoint_type,
            record.uri, rest, None if rest else record.request_id in _NOTHING,
            None if rest else _tail(record.request_id), record.trace in _NOTHING,
        )  # fmt: skip
        number = self._places.get(key)
        if number is None:
            if len(self._places) > _MAX_CACHED:
                self._places.clear()
            facts: Facts = {}
            context = {
                name: str(value).strip()
                for name, attribute in _ATTRIBUTES.items()
                if (value := getattr(record, attribute)) not in _NOTHING and str(value).strip() not in EMPTY
            }
            fill(facts, context, None, 1.0)
            number = self._places[key] = self._traffic.number(place_of(row_of(dict(facts, key=""))))
        return number


_EPOCH_MS = 13


def _says_no_failure(response_type: object, error_message: object) -> bool:
    """An answer with these words, and a status that is none of a failure, is unremarkable."""
    if not all(text is None or isinstance(text, str) for text in (response_type, error_message)):
        return False
    facts: Facts = {"key": "", "request_id": "-", "status": 200}
    words = {"error.responseType": response_type, "error.message": error_message}
    context: dict[str, str] = {}
    for variable, text in words.items():
        put(context, variable, text if isinstance(text, str) else "")
    fill(facts, context, None, 1.0)
    return unremarkable(row_of(facts))


def _tail(request_id: object) -> object:
    """What tells the kind of API by a request id that is no UUID."""
    return (request_id.endswith("="), len(request_id) <= 24) if isinstance(request_id, str) else None


def _extended(record: Any, request_id: str) -> int:  # noqa: ANN401 - a record of `_decoder`
    extended = record.extended_id
    if extended not in _NOTHING:
        return half_id(extended.strip())
    return 0 if UUID.fullmatch(request_id) else half_id(request_id)  # other APIs have one id for both


def _claim(record: Any) -> int:  # noqa: ANN401 - a record of `_decoder`
    lambda_id = record.lambda_id
    if lambda_id not in _NOTHING and UUID.fullmatch(lambda_id.strip()):
        return id64(lambda_id.strip().lower())
    trace = record.trace
    root = trace_root(trace) if trace not in _NOTHING else None
    return id64(root) if root is not None else 0


def _integration_ms(record: Any) -> tuple[float | None, bool]:  # noqa: ANN401 - a record of `_decoder`
    """The time that counts against the limit, and whether any latency was told."""
    integration, response = _duration(record.integration_latency), _duration(record.response_latency)
    if integration is not None:
        return integration, True
    if response is None:
        return None, False
    before = (_duration(record.authorizer_latency) or 0.0) + (_duration(record.waf_latency) or 0.0)
    return max(response - before, 0.0), True


def _duration(value: object) -> float | None:
    """A number of milliseconds; None where there is none.

    Raises:
        ValueError: when it is neither.
    """
    if value in _NOTHING:
        return None
    number = float(value)  # type: ignore[arg-type]
    if not 0 <= number < 1e15:
        raise ValueError(value)
    return number


def _attributes(layout: AccessLayout, access: AccessLog) -> dict[str, str]:
    """Attribute of a decoded record -> its key, for every key of the layout, in its order."""
    variables = access.variables(layout.keys)
    told = list(variables.values())
    times = {variables.get(key, key) for key in layout.keys if key in TIME_KEYS} - {"requestTime", "requestTimeEpoch"}
    if any(told.count(name) > 1 for name in told) or (times and "requestTimeEpoch" not in told):
        variables = {}  # no telling which of them counts: every record is read closely
    attributes: dict[str, str] = {}
    for number, key in enumerate(layout.keys):
        attribute = _ATTRIBUTES.get(variables.get(key, ""))
        other = f"message_{number}" if key in _MESSAGE_KEYS else f"other_{number}"
        attributes[attribute if attribute is not None else other] = key
    return attributes


def _decoder(attributes: dict[str, str]) -> Any:  # noqa: ANN401 - msgspec's decode method
    """A decoder for records with exactly these keys; others do not decode."""
    fields: list[tuple[str, Any, Any]] = [
        (name, msgspec.Raw, msgspec.Raw()) if name.startswith("other_") else (name, Any, None) for name in attributes
    ]
    absent = [name for name in _ATTRIBUTES.values() if name not in attributes]
    fields += [(name, Any, None) for name in absent]
    names = attributes | {name: f"absent attribute {name}" for name in absent}
    record = msgspec.defstruct("Record", fields, rename=names, forbid_unknown_fields=True, gc=False)
    return msgspec.json.Decoder(record).decode


#: Of keys that stand for no attribute: what the whole record may be about, and all others.
_MESSAGE_TARGET = len(_ATTRIBUTES)
_OTHER_TARGET = _MESSAGE_TARGET + 1


def records_of(layout: AccessLayout, attributes: dict[str, str], wanted: Wanted) -> "Records | None":
    """The reader in C of records with these keys; None where there is none, or where it could take none."""
    module = native()
    if module is None or "status" not in attributes or not {"request_id", "extended_id"} & attributes.keys():
        return None
    numbers = {attribute: number for number, attribute in enumerate(_ATTRIBUTES.values())}
    target_of = {
        key: numbers.get(name, _MESSAGE_TARGET if name.startswith("message_") else _OTHER_TARGET)
        for name, key in attributes.items()
    }
    try:
        keys = tuple(f'"{key}"'.encode() for key in layout.keys)
    except UnicodeEncodeError:
        return None
    starts, ends = array("d"), array("d")
    for start, end in wanted.windows:
        starts.append(start)
        ends.append(end)
    records: Records = module.Records(
        keys=keys,
        targets=tuple(target_of[key] for key in layout.keys),
        idents=array("Q", sorted(wanted.idents)).tobytes(),
        windows=(starts + ends).tobytes(),
        slow_from_ms=wanted.slow_from_ms,
    )
    return records
