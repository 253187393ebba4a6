"""Brings Lambda logs whose times were written in another zone onto the gateway's clock.

Exports often carry local times without a zone. Where ids join a file's invocations to requests and these
seem to begin hours away from them, by the same quarter hours each time, the file's times are moved.
"""

from collections import defaultdict
from statistics import median

import msgspec

from apigw_doctor.evidence.tables import Evidence, GatewayRequest, LambdaInvocation
from apigw_doctor.evidence.traffic import id64

_QUARTER_MS = 900_000.0
#: A request and its invocation are never this far apart.
_ZONE_APART_MS = 600_000.0
_EXACT_WITHIN_MS = 30_000.0
_MARGIN_MS = 120_000.0
_TIMES = ("init_started_at", "started_at", "ended_at", "reported_at", "previous_ended_at")


class Aligned(msgspec.Struct, frozen=True):
    """The evidence with its times moved, and what was moved by how much (milliseconds)."""

    evidence: Evidence
    moved: dict[str, float]


def align(evidence: Evidence) -> Aligned:
    """Move the files whose ids show that their times are of another zone."""
    files: dict[str, list[LambdaInvocation]] = defaultdict(list)
    for row in evidence.invocations:
        files[_file(row)].append(row)
    arrivals = _arrivals(evidence)
    zones = {name: zone for name, rows in files.items() if (zone := _zone_ms(rows, arrivals)) is not None}
    moved = {name: zone for name, zone in zones.items() if zone}
    if not moved:
        return Aligned(evidence, {})
    if len(set(moved.values())) == 1:
        zone = next(iter(moved.values()))
        unknown = {name: rows for name, rows in files.items() if name not in zones}
        moved |= {name: zone for name, rows in unknown.items() if _belongs(rows, zone, evidence.requests)}
    invocations = [_shifted(row, moved.get(_file(row), 0.0)) for row in evidence.invocations]
    return Aligned(msgspec.structs.replace(evidence, invocations=invocations), moved)


def _file(row: LambdaInvocation) -> str:
    """The file where the invocation was met; one stream's origins share their beginning."""
    return row.cites[0].origin.rpartition(":")[0] if row.cites else ""


def _arrivals(evidence: Evidence) -> dict[int, float]:
    """When the request arrived that holds an invocation: by `id64` of the invocation's id or of their trace."""
    ids = {id64(row.request_id.lower()) for row in evidence.invocations}
    ids |= {id64(row.trace_id) for row in evidence.invocations if row.trace_id}
    found = {
        claim: at
        for claim, at in zip(evidence.traffic.claim, evidence.traffic.arrived_at, strict=True)
        if claim in ids and at == at
    }
    for request in evidence.requests:
        if request.arrived_at is not None:
            if request.trace_id is not None:
                found[id64(request.trace_id)] = request.arrived_at
            if request.lambda_request_id is not None:
                found[id64(request.lambda_request_id.lower())] = request.arrived_at
    return found


def _zone_ms(rows: list[LambdaInvocation], arrivals: dict[int, float]) -> float | None:
    """Offset of a file in whole quarter hours; None when no id tells."""
    offsets = []
    for row in rows:
        arrived = arrivals.get(id64(row.request_id.lower()))
        if arrived is None and row.trace_id:
            arrived = arrivals.get(id64(row.trace_id))
        if arrived is not None and row.begun_at is not None:
            offsets.append(row.begun_at - arrived)
    if not offsets:
        return None
    typical = median(offsets)
    if abs(typical) < _ZONE_APART_MS:
        return 0.0
    zone = round(typical / _QUARTER_MS) * _QUARTER_MS
    return zone if abs(typical - zone) < _EXACT_WITHIN_MS else 0.0


def _belongs(rows: list[LambdaInvocation], zone: float, requests: list[GatewayRequest]) -> bool:
    """The file's times fall into the gateway's window only when moved."""
    arrivals = [row.arrived_at for row in requests if row.arrived_at is not None]
    starts = [row.started_at for row in rows if row.started_at is not None]
    if not arrivals or not starts:
        return False
    low, high = min(arrivals) - _MARGIN_MS, max(arrivals) + _MARGIN_MS
    return not low <= min(starts) <= high and low <= min(starts) - zone <= high


def _shifted(row: LambdaInvocation, by_ms: float) -> LambdaInvocation:
    if not by_ms:
        return row
    times = {field: getattr(row, field) - by_ms for field in _TIMES if getattr(row, field) is not None}
    return msgspec.structs.replace(
        row,
        **times,
        lines=tuple(
            msgspec.structs.replace(line, at=line.at - by_ms) if line.at is not None else line for line in row.lines
        ),
        init_reports=tuple(
            msgspec.structs.replace(report, at=report.at - by_ms) if report.at is not None else report
            for report in row.init_reports
        ),
    )
