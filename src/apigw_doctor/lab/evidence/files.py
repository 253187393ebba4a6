"""Writes a lab's evidence to files, as users have it after they exported it.

`container` says how the logs were taken out of CloudWatch; folders are log groups and streams. Names and contents
follow from the journal alone, so the same run gives the same bytes.
"""

import gzip
import json
from collections.abc import Iterator, Set
from pathlib import Path
from typing import Literal

import msgspec

from apigw_doctor.lab.evidence.access import TimeoutLatency
from apigw_doctor.lab.evidence.balancer import balancer_line
from apigw_doctor.lab.evidence.client import transcripts
from apigw_doctor.lab.evidence.configuration import configuration
from apigw_doctor.lab.evidence.containers import CONTAINERS
from apigw_doctor.lab.evidence.edge import DISTRIBUTION, HEADER, edge_line
from apigw_doctor.lab.evidence.events import LogEvent, access_log, by_stream, execution_log, lambda_logs
from apigw_doctor.lab.evidence.forms import digest, moment
from apigw_doctor.lab.evidence.metrics import metric_data, metric_points
from apigw_doctor.lab.evidence.traces import Structure, batches, traces
from apigw_doctor.lab.records import Journal
from apigw_doctor.lab.setup import LabApi, LabSetup, LogForm
from apigw_doctor.model.terms import EvidenceKind

Container = Literal[
    "export",
    "gzip",
    "filter-log-events",
    "get-log-events",
    "json-lines",
    "insights",
    "insights-json",
    "get-query-results",
    "subscription",
    "firehose",
    "console-csv",
    "tail",
    "plain",
]
ExecutionLevel = Literal["ERROR", "INFO", "data-trace"]
ALL: frozenset[str] = frozenset(EvidenceKind)
_FIVE_MINUTES, _HOUR = 300_000, 3_600_000


def write_evidence(
    journal: Journal,
    setup: LabSetup,
    folder: Path,
    *,
    container: Container = "export",
    include: Set[str] = ALL,
    log_level: ExecutionLevel | None = None,
    access_format: str | None = None,
    log_form: LogForm | None = None,
    timeout_latency: TimeoutLatency = "-",
    trace_structure: Structure = "new",
) -> None:
    """Write the chosen kinds of evidence (values of `EvidenceKind`) below `folder`."""
    api = with_level(setup.api, log_level)
    if access_format is not None:
        api = msgspec.structs.replace(api, access_log_format=access_format)
    setup = msgspec.structs.replace(setup, api=api)
    files = _logs(journal, setup, container, include, log_form, timeout_latency)
    for path, data in files:
        _save(folder, path, data)
    for path, data in _others(journal, setup, include, timeout_latency, trace_structure):
        _save(folder, path, data)


def with_level(api: LabApi, level: ExecutionLevel | None) -> LabApi:
    """The API with another level of its execution log."""
    match level:
        case None:
            return api
        case "data-trace":
            return msgspec.structs.replace(api, log_level="INFO", data_trace=True)
        case _:
            return msgspec.structs.replace(api, log_level=level, data_trace=False)


def _save(folder: Path, path: str, data: bytes) -> None:
    target = folder / path
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(data)


def _logs(
    journal: Journal,
    setup: LabSetup,
    container: Container,
    include: Set[str],
    log_form: LogForm | None,
    timeout_latency: TimeoutLatency,
) -> Iterator[tuple[str, bytes]]:
    def chosen() -> Iterator[LogEvent]:
        if EvidenceKind.EXECUTION_LOG in include:
            yield from execution_log(journal, setup.api)
        if EvidenceKind.ACCESS_LOG in include:
            yield from access_log(journal, setup.api, timeout_latency=timeout_latency)
        if EvidenceKind.LAMBDA_LOG in include:
            yield from lambda_logs(journal, setup, log_form)

    if streams := by_stream(chosen()):
        yield from CONTAINERS[container](streams)


def _others(
    journal: Journal, setup: LabSetup, include: Set[str], timeout_latency: TimeoutLatency, structure: Structure
) -> Iterator[tuple[str, bytes]]:
    if EvidenceKind.TRACES in include:
        answers = batches(list(traces(journal, setup, structure=structure)))
        yield from ((f"xray/batch-get-traces-{n}.json", _printed(answer)) for n, answer in enumerate(answers, 1))
    if EvidenceKind.METRICS in include and (points := metric_points(journal, setup, timeout_latency=timeout_latency)):
        yield "cloudwatch/get-metric-data.json", _printed(metric_data(points))
    if EvidenceKind.CONFIGURATION in include:
        yield from ((path, _printed(document)) for path, document in configuration(setup).items())
    if EvidenceKind.LOAD_BALANCER_LOG in include:
        yield from _balancer_files(journal, setup)
    if EvidenceKind.EDGE_LOG in include:
        yield from _edge_files(journal)
    if EvidenceKind.CLIENT in include:
        numbered = enumerate(transcripts(journal.clients), 1)
        yield from ((f"client/transcript-{number:04d}.txt", text.encode()) for number, text in numbered)


def _printed(document: object) -> bytes:
    """As the AWS CLI prints it."""
    return f"{json.dumps(document, indent=4)}\n".encode()


def _balancer_files(journal: Journal, setup: LabSetup) -> Iterator[tuple[str, bytes]]:
    """Objects of five minutes each, named by the end of the interval."""
    api = setup.api
    parts: dict[tuple[str, int], list[tuple[float, str]]] = {}
    for entry in journal.balancers:
        until = (int(entry.ended_at) // _FIVE_MINUTES + 1) * _FIVE_MINUTES
        line = balancer_line(entry, region=api.region, account_id=api.account_id)
        parts.setdefault((entry.balancer, until), []).append((entry.ended_at, line))
    for (name, until), lines in parts.items():
        ended = moment(until)
        folder = f"AWSLogs/{api.account_id}/elasticloadbalancing/{api.region}/{ended:%Y/%m/%d}"
        node = f"{ended:%Y%m%dT%H%MZ}_10.0.1.57_{digest('node', name)[:8]}"
        file = f"{api.account_id}_elasticloadbalancing_{api.region}_{name.replace('/', '.')}_{node}.log.gz"
        yield f"{folder}/{file}", _gzip([line for _, line in sorted(lines)])


def _edge_files(journal: Journal) -> Iterator[tuple[str, bytes]]:
    """An object an hour."""
    hours: dict[int, list[tuple[float, str]]] = {}
    for entry in journal.edges:
        hours.setdefault(int(entry.ended_at) // _HOUR, []).append((entry.ended_at, edge_line(entry)))
    for hour, lines in hours.items():
        name = f"{DISTRIBUTION}.{moment(hour * _HOUR):%Y-%m-%d-%H}.{digest('edge', hour)[:8]}.gz"
        yield f"cloudfront/{name}", _gzip([*HEADER, *(line for _, line in sorted(lines))])


def _gzip(lines: list[str]) -> bytes:
    return gzip.compress("".join(f"{line}\n" for line in lines).encode(), mtime=0)
