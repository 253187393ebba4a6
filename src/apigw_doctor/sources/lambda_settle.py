"""When all lines are read: which init belongs to which invocation, who came first in its stream, how each ended."""

from bisect import bisect_left

from apigw_doctor.evidence.tables import AppLine, LambdaInvocation
from apigw_doctor.model.terms import Outcome
from apigw_doctor.sources.lambda_stream import Stream, cite
from apigw_doctor.sources.lambda_words import CRASH, Facts, whole_seconds


def settle(stream: Stream, all_facts: dict[str, Facts], functions: dict[str, str]) -> None:
    """Give every invocation of one stream what only the whole stream tells."""
    ordered = sorted(
        (all_facts[request_id] for request_id in dict.fromkeys(stream.ids)),
        key=lambda facts: _start_of(facts) if _start_of(facts) is not None else float("inf"),  # type: ignore[arg-type,return-value]
    )
    for facts in ordered:
        facts["extensions"] = tuple(dict.fromkeys(stream.extensions))
        if facts.get("function") is None:
            facts["function"] = functions.get(facts["stream_key"])
    _settle_inits(stream, ordered)
    if stream.named:
        _settle_positions(stream, ordered)
    _settle_loose(stream, ordered)


def _start_of(facts: Facts) -> float | None:
    if facts.get("started_at") is not None:
        return float(facts["started_at"])
    ended = facts.get("ended_at") or facts.get("reported_at")
    return None if ended is None else float(ended) - (facts.get("duration_ms") or 0.0)


def _settle_inits(stream: Stream, ordered: list[Facts]) -> None:
    """Give every INIT_START and init report to the invocation that began next after it."""
    starts = [(facts, at) for facts in ordered if (at := _start_of(facts)) is not None]
    times = [at for _, at in starts]
    for at in sorted(set(stream.init_starts)):
        place = bisect_left(times, at - 5.0)
        if place == len(starts):
            continue
        facts, start = starts[place]
        init_ms = facts.get("init_ms") or 0.0
        # A gap between init and START means a pre-warmed environment; the caller did not wait for that.
        failed_inits = any(report.status in ("timeout", "error") for report in stream.init_reports)
        if stream.named or len(starts) == 1 or start - at < init_ms + 1500.0:
            if start - at <= max(init_ms, facts.get("restore_ms") or 0.0) + 2000.0 or failed_inits:
                facts.setdefault("init_started_at", at)
            facts["saw_init"] = True
    for report in (*stream.init_reports, *stream.restore_reports):
        place = 0 if report.at is None else bisect_left(times, report.at - 5.0)
        candidates = [facts for facts, _ in starts[place : place + 1]] or (ordered[:1] if report.at is None else [])
        for facts in candidates:
            reports = facts.setdefault("init_reports", [])
            if all(
                (known.at, known.phase, known.duration_ms) != (report.at, report.phase, report.duration_ms)
                for known in reports
            ):
                reports.append(report)
                if report.cite is not None:
                    cite(facts, report.cite.origin, report.cite.text)
            if report.init_type and not facts.get("init_type"):
                facts["init_type"] = report.init_type
            facts["saw_init"] = True
    for at_or_none, kind in stream.init_types:
        place = len(starts) if at_or_none is None else bisect_left(times, at_or_none - 5.0)
        for facts, _ in starts[place : place + 1]:
            facts.setdefault("init_type", kind)


def _settle_positions(stream: Stream, ordered: list[Facts]) -> None:
    beginning_seen = bool(ordered) and bool(
        ordered[0].get("saw_init") or ordered[0].get("init_ms") or ordered[0].get("restore_ms")
    )
    previous: Facts | None = None
    for number, facts in enumerate(ordered):
        if number or beginning_seen:
            facts["first_in_stream"] = number == 0
            facts["position"] = number
        if previous is not None:
            facts["previous_ended_at"] = previous.get("ended_at") or previous.get("reported_at")
        previous = facts


def _settle_loose(stream: Stream, ordered: list[Facts]) -> None:
    for line in stream.loose:
        if line.at is None:
            continue
        for facts in ordered:
            start, end = _start_of(facts), facts.get("reported_at") or facts.get("ended_at")
            if start is not None and start <= line.at and (end is None or line.at <= end + 5.0):
                lines = facts.setdefault("lines", [])
                if line not in lines:
                    lines.append(line)
                break
        else:
            following = next((f for f in ordered if (_start_of(f) or 0.0) >= line.at), None)
            if following is not None and CRASH.search(line.text):
                following.setdefault("error_text", line.text)


def invocation_row(request_id: str, facts: Facts) -> LambdaInvocation:
    """The finished row."""
    values = {field: value for field, value in facts.items() if field in _FIELDS}
    lines = sorted(facts.get("lines", ()), key=lambda line: line.at if line.at is not None else float("-inf"))
    values["lines"] = tuple(_deduplicated(lines))
    values["cites"] = tuple(facts.get("cites", ()))
    values["init_reports"] = tuple(facts.get("init_reports", ()))
    values["logged_ids"] = tuple(item for item in facts.get("logged_ids", ()) if item != request_id)
    values["outcome"] = _outcome(facts)
    if values["outcome"] is Outcome.TIMEOUT and values.get("timeout_ms") is None:
        values["timeout_ms"] = whole_seconds(facts.get("duration_ms"))
    return LambdaInvocation(request_id=request_id, **values)


def _outcome(facts: Facts) -> Outcome:
    outcome: Outcome | None = facts.get("outcome")
    if outcome is not None:
        return outcome
    duration, billed, init = facts.get("duration_ms"), facts.get("billed_ms"), facts.get("init_ms") or 0.0
    if duration is None:
        failed_init = any(report.status == "error" for report in facts.get("init_reports", ()))
        return Outcome.ERROR if failed_init and not facts.get("lines") else Outcome.UNKNOWN
    if billed is not None and duration > billed + 1.0 and billed >= 1000.0 and billed % 1000.0 == 0.0 and not init:
        # Old format: a killed run is billed up to its timeout and reported a little longer.
        facts["timeout_ms"] = billed
        return Outcome.TIMEOUT
    return Outcome.SUCCESS


def _deduplicated(lines: list[AppLine]) -> list[AppLine]:
    kept: list[AppLine] = []
    for line in lines:
        if not any(known.at == line.at and known.text == line.text for known in kept[-8:]):
            kept.append(line)
    return kept


_FIELDS = frozenset(LambdaInvocation.__struct_fields__) - {"request_id"}
