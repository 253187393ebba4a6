"""Writing evidence: log events, metric data, trace segments; each call within what the API takes at once."""

import msgspec

from apigw_doctor.aws.clients import Caller, Document
from apigw_doctor.aws.errors import ExistsError

#: PutLogEvents (CloudWatch Logs API reference): events and bytes per call, bytes counted beside each message, span.
LOG_EVENTS, LOG_BYTES, LOG_OVERHEAD, LOG_SPAN_MS = 10_000, 1_048_576, 26, 24 * 3_600_000
#: PutMetricData (CloudWatch API reference): data per call, different values per datum, bytes per call.
METRIC_DATA, METRIC_VALUES, METRIC_BYTES = 1_000, 150, 1_048_576
#: PutTraceSegments (X-Ray API reference): documents per call; the size of one is in facts 8.
SEGMENTS, SEGMENT_BYTES = 50, 65_536


class LogsRefused(msgspec.Struct, frozen=True, kw_only=True):
    """How many events of a batch were not taken."""

    too_old: int = 0
    too_new: int = 0
    expired: int = 0


class SegmentRefused(msgspec.Struct, frozen=True, kw_only=True):
    """A document that X-Ray did not take."""

    segment_id: str
    code: str
    message: str


class Logs:
    """CloudWatch Logs, as far as it is written to."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    def create_group(self, group: str) -> bool:
        """Create a group; False: it was there."""
        return self._create("create_log_group", {"logGroupName": group})

    def create_stream(self, group: str, stream: str) -> bool:
        """Create a stream; False: it was there."""
        return self._create("create_log_stream", {"logGroupName": group, "logStreamName": stream})

    def put(self, group: str, stream: str, events: list[tuple[int, str]]) -> LogsRefused:
        """Write events (time in epoch milliseconds, message) that are in order."""
        answer = self._caller.call(
            "put_log_events",
            logGroupName=group,
            logStreamName=stream,
            logEvents=[{"timestamp": at, "message": message} for at, message in events],
        )
        refused = answer.get("rejectedLogEventsInfo", {})
        too_new = refused.get("tooNewLogEventStartIndex")
        return LogsRefused(
            # Both ends are exclusive, the start is inclusive (service model of CloudWatch Logs).
            too_old=int(refused.get("tooOldLogEventEndIndex", 0)),
            too_new=0 if too_new is None else len(events) - int(too_new),
            expired=int(refused.get("expiredLogEventEndIndex", 0)),
        )

    def _create(self, operation: str, params: Document) -> bool:
        try:
            self._caller.call(operation, **params)
        except ExistsError:
            return False
        return True


class Metrics:
    """CloudWatch metrics, as far as they are written."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    def put(self, namespace: str, data: list[Document]) -> None:
        """Write up to `METRIC_DATA` data of one namespace."""
        self._caller.call("put_metric_data", Namespace=namespace, MetricData=data)


class Traces:
    """X-Ray, as far as it is written to."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    def put(self, documents: list[str]) -> list[SegmentRefused]:
        """Write up to `SEGMENTS` documents; those that were not taken."""
        answer = self._caller.call(
            "put_trace_segments", needs=("UnprocessedTraceSegments",), TraceSegmentDocuments=documents
        )
        return [
            SegmentRefused(
                segment_id=str(one.get("Id", "")),
                code=str(one.get("ErrorCode", "")),
                message=str(one.get("Message", "")),
            )
            for one in answer["UnprocessedTraceSegments"]
        ]
