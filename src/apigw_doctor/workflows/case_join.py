"""Batches of a case file into one evidence: the same joins that one reading makes, on what each batch kept."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import Any

import msgspec

from apigw_doctor.engine.case_file import Batch
from apigw_doctor.evidence.crowd import Crowd
from apigw_doctor.evidence.tables import AppLine, Cite, Evidence, Gap, InputFile, LambdaInvocation, Row
from apigw_doctor.evidence.traffic import ACCESS, EXECUTION, INFO, TRACE, Traffic, id64, merged
from apigw_doctor.model.terms import ApiType, EvidenceKind, Outcome
from apigw_doctor.sources.configuration import join_routes
from apigw_doctor.sources.payload import named_by_file
from apigw_doctor.sources.requests import Facts, Moment, Requests, moment_of, seen
from apigw_doctor.sources.slow import near_from_ms
from apigw_doctor.sources.wanted import SLOW_FROM_MS, wishes_of

#: Rows that tell the same but for where they stand are one.
_EACH_ONCE = (
    "load_balancer",
    "edge",
    "segments",
    "clients",
    "targets",
    "integrations",
    "stages",
    "apis",
    "functions",
    "authorizers",
    "load_balancer_settings",
    "gateway_responses",
    "concurrency",
    "metrics",
)


def frozen(facts: Facts) -> bytes:
    """Facts as JSON."""
    return msgspec.json.encode(facts)


def thawed(data: bytes, cites: tuple[Cite, ...]) -> Facts:
    """Facts from JSON, with the lines that prove them."""
    facts: Facts = msgspec.json.decode(data)
    for name in ("sends", "uris"):
        if name in facts:
            facts[name] = [tuple(item) for item in facts[name]]
    if "failures" in facts:
        facts["failures"] = {tuple(item) for item in facts["failures"]}
    if "sources" in facts:
        facts["sources"] = tuple(map(EvidenceKind, facts["sources"]))
    if facts.get("api_type") is not None:
        facts["api_type"] = ApiType(facts["api_type"])
    if cites:
        facts["cites"] = list(cites)
    return facts


def joined(batches: list[Batch], *, in_columns: bool = False) -> Evidence:
    """What all batches tell; with `in_columns` what is unremarkable has no row, as in a reading of much input."""
    if len(batches) < 2 and not in_columns:
        return batches[0].evidence if batches else Evidence()
    every = [batch.evidence for batch in batches]
    found = Evidence(
        notes=list(dict.fromkeys(note for one in every for note in one.notes)),
        files=_files(every),
        unjoined_records=sum(one.unjoined_records for one in every),
    )
    for name in _EACH_ONCE:
        setattr(found, name, _each_once(getattr(one, name) for one in every))
    found.unread = list(dict.fromkeys(row for one in every for row in one.unread))
    found.gaps = _gaps(every)
    found.integrations = join_routes(found.integrations)
    requests = Requests()
    for batch in batches:
        rows = batch.evidence.requests
        requests.adopt([thawed(facts, row.cites) for facts, row in zip(batch.facts, rows, strict=True)])
    if in_columns or any(len(one.traffic) for one in every):
        found.traffic = _traffic(found, every, requests)
    found.requests = requests.rows()
    found.unjoined_records += requests.unjoined_records
    found.invocations = _invocations(every, _function_names(found))
    crowd = Crowd()
    for one in every:
        crowd.extend(one.crowd)
    found.crowd = crowd.without({id64(row.request_id.lower()) for row in found.invocations})
    return found


def _traffic(given: Evidence, every: list[Evidence], requests: Requests) -> Traffic:
    """The requests without rows, each once, less those that have a row."""
    slow_from_ms = min(SLOW_FROM_MS, near_from_ms(given))
    released = Traffic()
    requests.release_rest(released, wishes_of(given, slow_from_ms).asks_for, slow_from_ms)
    execution, access = Traffic(), Traffic()
    for one in (*(evidence.traffic for evidence in every), released):
        told, others = one.split(EXECUTION)
        execution.extend(told)
        access.extend(others)
    requests.drop_fragments(execution)
    rows = _Rows(requests.parts())
    return merged(*(part.chosen([not told for told in rows.take(part)]) for part in (execution, access)))


class _Rows:
    """Requests with rows, by the number that columns know them by."""

    def __init__(self, parts: list[Facts]) -> None:
        self._by_ident: dict[int, list[tuple[Moment, Facts]]] = defaultdict(list)
        for facts in parts:
            if facts.get("request_id"):
                self._by_ident[id64(facts["request_id"])].append((moment_of(facts), facts))

    def take(self, traffic: Traffic) -> Iterator[bool]:
        """For each entry whether its request has a row, which is told then which logs spoke of it."""
        columns = zip(traffic.ident, traffic.extended, traffic.arrived_at, traffic.marks, strict=True)
        for ident, extended, at, marks in columns:
            same = [facts for moment, facts in self._by_ident.get(ident, ()) if moment.is_of(extended, at)]
            for facts in same[:1]:
                _note(facts, marks)
            yield bool(same)


def _note(facts: Facts, marks: int) -> None:
    for mark, kind in ((EXECUTION, EvidenceKind.EXECUTION_LOG), (ACCESS, EvidenceKind.ACCESS_LOG)):
        if marks & mark:
            seen(facts, kind)
    for mark, field in ((INFO, "saw_info"), (TRACE, "saw_trace")):
        if marks & mark:
            facts[field] = True


def _each_once(tables: Iterable[list[Row]]) -> list[Row]:
    found: list[Row] = []
    known: set[bytes] = set()
    for rows in tables:
        keys = [msgspec.msgpack.encode(msgspec.structs.replace(row, cites=())) for row in rows]
        found.extend(row for key, row in zip(keys, rows, strict=True) if key not in known)
        known.update(keys)
    return found


def _gaps(every: list[Evidence]) -> list[Gap]:
    """What could not be had, and did not come with a later batch."""
    found: dict[Gap, None] = {}
    for one in every:
        read = {file.name for file in one.files}
        found = {gap: None for gap in found if gap.origin not in read} | dict.fromkeys(one.gaps)
    return list(found)


def _files(every: list[Evidence]) -> list[InputFile]:
    """The newest reading of a file counts."""
    return list({file.name: file for one in every for file in one.files}.values())


def _function_names(evidence: Evidence) -> set[str]:
    tables: tuple[list[Any], ...] = (evidence.requests, evidence.functions, evidence.integrations)
    return {row.function for rows in tables for row in rows if row.function}


# invocations


def _invocations(every: list[Evidence], names: set[str]) -> list[LambdaInvocation]:
    found: dict[str, LambdaInvocation] = {}
    for one in every:
        for row in one.invocations:
            known = found.get(row.request_id)
            found[row.request_id] = row if known is None else _one(known, row)
    return [named_by_file(row, names) for row in _in_streams(list(found.values()))]


def _one(first: LambdaInvocation, second: LambdaInvocation) -> LambdaInvocation:
    """One invocation of which two batches tell, perhaps each a part."""
    if first == second:
        return first
    values = {
        name: value if (value := getattr(first, name)) is not None else getattr(second, name)
        for name in first.__struct_fields__
    }
    lines = _united(first.lines, second.lines)
    values["lines"] = tuple(sorted(lines, key=lambda line: line.at if line.at is not None else float("-inf")))
    values["line_count"] = max(first.line_count, second.line_count, len(lines))
    for name in ("cites", "logged_ids", "init_reports", "extensions"):
        values[name] = _united(getattr(first, name), getattr(second, name))
    if first.outcome is Outcome.UNKNOWN or (first.outcome is Outcome.SUCCESS and second.outcome is not Outcome.UNKNOWN):
        values["outcome"] = second.outcome
    return LambdaInvocation(**values)


def _united(first: tuple[Any, ...], second: tuple[Any, ...]) -> tuple[Any, ...]:
    """Both without what stands in the first already, wherever it was read."""
    known = [_told(item) for item in first]
    return (*first, *(item for item in second if _told(item) not in known))


def _told(item: object) -> object:
    match item:
        case Cite():
            return item.text
        case AppLine():
            return (item.at, item.text)
    return item


def _in_streams(rows: list[LambdaInvocation]) -> list[LambdaInvocation]:
    """Places in the stream and ends of the one before, where batches hold parts of one stream."""
    streams: dict[tuple[str | None, str], list[LambdaInvocation]] = defaultdict(list)
    for row in rows:
        if row.stream is not None and row.begun_at is not None:
            streams[row.function, row.stream].append(row)
    moved: dict[str, LambdaInvocation] = {}
    for members in streams.values():
        members.sort(key=lambda row: row.begun_at or 0.0)
        for before, row in pairwise(members):
            ended = before.ended_at if before.ended_at is not None else before.reported_at
            if row.previous_ended_at is None and row.position in (None, 0) and ended is not None:
                moved[row.request_id] = msgspec.structs.replace(
                    row, previous_ended_at=ended, first_in_stream=False, position=None
                )
    return [moved.get(row.request_id, row) for row in rows]
