"""Writes log events, metrics and segments in portions that the APIs take; what is waiting is bounded."""

from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

from apigw_doctor.aws.clients import Caller, Document
from apigw_doctor.aws.errors import NotSupportedError, RefusedError
from apigw_doctor.aws.writing import (
    LOG_BYTES,
    LOG_EVENTS,
    LOG_OVERHEAD,
    LOG_SPAN_MS,
    METRIC_BYTES,
    METRIC_DATA,
    METRIC_VALUES,
    SEGMENT_BYTES,
    SEGMENTS,
    Logs,
    Metrics,
    Traces,
)
from apigw_doctor.lab.evidence.events import LogEvent
from apigw_doctor.lab.evidence.metrics import MetricPoint
from apigw_doctor.lab.publish.ledger import Ledger

#: Messages that wait in all streams together, in bytes; then the fullest is written.
WAITING_BYTES = 32 * 1_048_576
#: Rough sizes of a datum in a call: itself, each dimension, each value with its count.
_DATUM, _DIMENSION, _VALUE = 300, 120, 40


class LogWriter:
    """Puts events into streams, which it creates."""

    def __init__(self, caller: Caller, ledger: Ledger, *, waiting_bytes: int = WAITING_BYTES) -> None:
        self._caller, self._logs, self._ledger = caller, Logs(caller), ledger
        self._limit, self._waiting = waiting_bytes, 0
        self._streams: dict[tuple[str, str], _Stream] = {}
        self._known: set[tuple[str, str]] = set()
        #: how many events were taken, and why others were not
        self.written = 0
        self.rejected: Counter[str] = Counter()

    def write(self, events: Iterable[LogEvent]) -> None:
        """Write all events."""
        for event in events:
            size = len(event.message.encode()) + LOG_OVERHEAD
            if not event.message or size > LOG_BYTES:
                self.rejected["empty log events" if not event.message else "log events over 1 MB"] += 1
                continue
            place = (event.group, event.stream)
            stream = self._streams.setdefault(place, _Stream())
            if stream.size + size > LOG_BYTES or len(stream.events) == LOG_EVENTS:
                self._flush(place)
                stream = self._streams.setdefault(place, _Stream())
            stream.add(event.at, event.message, size)
            self._waiting += size
            if self._waiting > self._limit:
                self._flush(max(self._streams, key=lambda one: self._streams[one].size))
        for place in list(self._streams):
            self._flush(place)

    def _flush(self, place: tuple[str, str]) -> None:
        stream = self._streams.pop(place)
        self._waiting -= stream.size
        self._create(place)
        for batch in _days(stream.events):
            refused = self._logs.put(*place, batch)
            counts = {"too old": refused.too_old, "too new": refused.too_new, "expired": refused.expired}
            for reason, count in counts.items():
                if count:
                    self.rejected[f"{reason} log events"] += count
            self.written += len(batch) - sum(counts.values())

    def _create(self, place: tuple[str, str]) -> None:
        if place in self._known:
            return
        self._known.add(place)
        group, stream = place
        if self._logs.create_stream(group, stream):
            params = {"logGroupName": group, "logStreamName": stream}
            if not any(one.what == "log group" and one.name == group for one in self._ledger.created):
                self._ledger.add(self._caller, "log stream", stream, "delete_log_stream", **params)


class _Stream:
    """What waits for a stream."""

    def __init__(self) -> None:
        self.events: list[tuple[int, str]] = []
        self.size = 0

    def add(self, at: int, message: str, size: int) -> None:
        self.events.append((at, message))
        self.size += size


def _days(events: list[tuple[int, str]]) -> Iterator[list[tuple[int, str]]]:
    """By time, those of one millisecond as they came; in portions that span less than a day."""
    ordered = sorted(events, key=lambda event: event[0])
    begin = 0
    for n, (at, _) in enumerate(ordered):
        if at - ordered[begin][0] >= LOG_SPAN_MS:
            yield ordered[begin:n]
            begin = n
    yield ordered[begin:]


class MetricWriter:
    """Puts metric points, each value as often as it was seen."""

    def __init__(self, caller: Caller, ledger: Ledger) -> None:
        self._caller, self._metrics, self._ledger = caller, Metrics(caller), ledger
        self.written = 0
        self.rejected: Counter[str] = Counter()

    def write(self, points: Iterable[MetricPoint]) -> None:
        """Write all points; one point may need several data."""
        waiting: list[Document] = []
        namespace, size, begun = "", 0, 0
        for point in points:
            for datum in _data(point):
                weight = _weight(datum)
                full = len(waiting) == METRIC_DATA or size + weight > METRIC_BYTES * 0.9
                if waiting and (full or point.namespace != namespace):
                    self._put(namespace, waiting, begun)
                    waiting, size, begun = [], 0, 0
                namespace = point.namespace
                waiting.append(datum)
                size += weight
            begun += 1
        if waiting:
            self._put(namespace, waiting, begun)

    def _put(self, namespace: str, data: list[Document], points: int) -> None:
        try:
            self._metrics.put(namespace, data)
        except NotSupportedError as error:
            self._ledger.lacks(f"{self._caller.service} put_metric_data", error.message)
        except RefusedError as error:
            # CloudWatch itself keeps the namespaces of AWS to AWS, and takes nothing older than two weeks.
            self._ledger.note(error.message)
            self.rejected["metric points"] += points
        else:
            self.written += points


def _data(point: MetricPoint) -> Iterator[Document]:
    counts = Counter(point.values)
    values = sorted(counts)
    for n in range(0, len(values), METRIC_VALUES):
        part = values[n : n + METRIC_VALUES]
        yield {
            "MetricName": point.name,
            "Dimensions": [{"Name": name, "Value": value} for name, value in point.dimensions],
            "Timestamp": datetime.fromtimestamp(point.at / 1000.0, UTC),
            "Unit": point.unit,
            "Values": part,
            "Counts": [float(counts[value]) for value in part],
        }


def _weight(datum: Document) -> int:
    return _DATUM + _DIMENSION * len(datum["Dimensions"]) + _VALUE * len(datum["Values"])


class SegmentWriter:
    """Puts segment documents."""

    def __init__(self, caller: Caller, ledger: Ledger) -> None:
        self._caller, self._traces, self._ledger = caller, Traces(caller), ledger
        self.written = 0
        self.rejected: Counter[str] = Counter()

    def write(self, traces: Iterable[Document]) -> None:
        """Write the documents of all traces (items as BatchGetTraces gives them)."""
        waiting: list[str] = []
        for trace in traces:
            for segment in trace["Segments"]:
                document: str = segment["Document"]
                if len(document.encode()) > SEGMENT_BYTES:
                    self.rejected["segments over 64 KB"] += 1
                    continue
                waiting.append(document)
                if len(waiting) == SEGMENTS:
                    self._put(waiting)
                    waiting = []
        if waiting:
            self._put(waiting)

    def _put(self, documents: list[str]) -> None:
        try:
            refused = self._traces.put(documents)
        except NotSupportedError as error:
            self._ledger.lacks(f"{self._caller.service} put_trace_segments", error.message)
            return
        for one in refused:
            self._ledger.note(f"X-Ray did not take a segment: {one.code} {one.message}".rstrip())
        if refused:
            self.rejected["segments"] += len(refused)
        self.written += len(documents) - len(refused)
