"""`truth.jsonl`: what really happened to every request, written from the schedule.

Shares no code with `diagnosis/`: the courses of the calls say what was injected, the journal says under which ids.
"""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec

from apigw_doctor.lab.records import Exchange, InvocationEnded
from apigw_doctor.lab.scenarios.course import Course, Part, Truth, truth
from apigw_doctor.lab.scenarios.incident import Call
from apigw_doctor.model.terms import Boundary

TRUTH_FILE = "truth.jsonl"


class TruthRow(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the file: the keys of a verdict that are facts; cause None: nothing went wrong."""

    request_id: str
    extended_request_id: str
    connection_id: str | None
    status: int | None
    timed_out: bool
    boundary: str
    layer: str | None
    cause: str | None
    also: tuple[str, ...]
    elapsed_ms: float
    limit_ms: float
    timer_ms: float | None
    invocation: dict[str, str] | None
    segments: tuple[dict[str, Any], ...]


def truth_row(call: Call, exchange: Exchange, invocation: InvocationEnded | None) -> TruthRow:
    """The truth about one call, under the ids that it had."""
    said = truth(call.course)
    status: int | None = exchange.status
    if said.boundary is Boundary.EDGE_TIMEOUT:
        status = 504
    elif said.boundary is Boundary.CLIENT_TIMEOUT:
        status = None
    return TruthRow(
        request_id=exchange.request_id,
        extended_request_id=exchange.extended_request_id,
        connection_id=exchange.connection_id,
        status=status,
        timed_out=said.timed_out,
        boundary=said.boundary.value,
        layer=None if said.layer is None else said.layer.value,
        cause=said.cause,
        also=said.also,
        # At the gateway, also where somebody before it gave up sooner.
        elapsed_ms=round(exchange.completed_at - exchange.arrived_at, 3),
        limit_ms=call.course.clocks.limit_ms,
        timer_ms=said.timer_ms,
        invocation=None if invocation is None else {"request_id": invocation.request_id},
        segments=tuple(_segments(call.course, said)),
    )


def _segments(course: Course, said: Truth) -> Iterable[dict[str, Any]]:
    """The parts of the schedule up to the end of the request."""
    at_ms = 0.0
    parts: tuple[Part, ...] = (*course.authorizer, *course.init, *course.path, *course.run)
    for part in parts:
        spent_ms = min(part.ms, max(said.ended_ms - at_ms, 0.0))
        if spent_ms > 0:
            yield {
                "layer": part.layer.value,
                "name": part.name,
                "start_ms": round(at_ms, 3),
                "duration_ms": round(spent_ms, 3),
                "injected": part.cause,
            }
        at_ms += spent_ms


def write_truth(rows: Iterable[TruthRow], folder: Path) -> None:
    """Write the file; `diagnose` skips it."""
    lines = (json.dumps(msgspec.to_builtins(row)) + "\n" for row in rows)
    (folder / TRUTH_FILE).write_text("".join(lines), encoding="utf-8")
