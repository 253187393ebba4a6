"""All log events of a lab: what is in CloudWatch Logs afterwards, group by group."""

from collections.abc import Iterator

import msgspec

from apigw_doctor.lab.evidence.access import TimeoutLatency, access_event
from apigw_doctor.lab.evidence.execution import execution_events
from apigw_doctor.lab.evidence.forms import access_group, digest, execution_group, lambda_group
from apigw_doctor.lab.evidence.function_logs import function_events
from apigw_doctor.lab.records import Exchange, Journal
from apigw_doctor.lab.setup import LabApi, LabSetup, LogForm

#: How many streams of a stage's log groups are written to; AWS spreads requests over many.
_STREAMS = 4


class LogEvent(msgspec.Struct, frozen=True):
    """One event of a log group; `at` in epoch milliseconds."""

    group: str
    stream: str
    at: int
    message: str


def log_events(
    journal: Journal,
    setup: LabSetup,
    *,
    access_format: str | None = None,
    log_form: LogForm | None = None,
    timeout_latency: TimeoutLatency = "-",
) -> Iterator[LogEvent]:
    """Every event, group by group; inside a group in the order of the journal, not by time."""
    yield from execution_log(journal, setup.api)
    yield from access_log(journal, setup.api, access_format, timeout_latency=timeout_latency)
    yield from lambda_logs(journal, setup, log_form)


def execution_log(journal: Journal, api: LabApi) -> Iterator[LogEvent]:
    """The stage's execution log; all events of a request are in one stream."""
    group = execution_group(api)
    for exchange in journal.exchanges:
        stream = _stream(group, exchange)
        for at, message in execution_events(exchange, api):
            yield LogEvent(group, stream, at, message)


def access_log(
    journal: Journal, api: LabApi, access_format: str | None = None, *, timeout_latency: TimeoutLatency = "-"
) -> Iterator[LogEvent]:
    """The stage's access log, if it has one."""
    template = access_format or api.access_log_format
    if template is None:
        return
    group = access_group(api)
    for exchange in journal.exchanges:
        at, message = access_event(exchange, api, template, timeout_latency=timeout_latency)
        yield LogEvent(group, _stream(group, exchange), at, message)


def lambda_logs(journal: Journal, setup: LabSetup, log_form: LogForm | None = None) -> Iterator[LogEvent]:
    """The logs of all functions."""
    for function in setup.functions:
        group = lambda_group(function.name)
        for stream, at, message in function_events(journal.functions, function, log_form):
            yield LogEvent(group, stream, at, message)


def by_stream(events: Iterator[LogEvent]) -> dict[tuple[str, str], list[LogEvent]]:
    """The events of each stream by time, as CloudWatch gives them; those of one millisecond keep their order."""
    found: dict[tuple[str, str], list[LogEvent]] = {}
    for event in events:
        found.setdefault((event.group, event.stream), []).append(event)
    for stream in found.values():
        stream.sort(key=lambda event: event.at)
    return found


def _stream(group: str, exchange: Exchange) -> str:
    number = int(digest("stream of", exchange.extended_request_id)[:4], 16) % _STREAMS
    return digest("stream", group, number)
