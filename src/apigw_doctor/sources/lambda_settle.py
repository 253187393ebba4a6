"""When all lines are read: which init belongs to which invocation, who came first in its stream, how each ended."""

from bisect import bisect_left

from apigw_doctor.evidence.tables import AppLine, InitReport, LambdaInvocation
from apigw_doctor.model.terms import Outcome
from apigw_doctor.sources.lambda_stream import Stream, cite
from apigw_doctor.sources.lambda_words import CRASH, Facts, whole_seconds

#: An init belongs to an invocation that began at most so long before it; so long behind its end come last lines.
_EARLY_MS, _LATE_MS = 5.0, 5.0
_NEVER = float("inf")


def settle(stream: Stream, all_facts: dict[str, Facts], functions: dict[str, str]) -> None:
    """Give every invocation of one stream what only the whole stream tells."""
    ordered = [facts for _, facts in in_order(stream, all_facts)]
    _settle_names(stream, ordered, functions)
    _settle_inits(stream, ordered)
    if stream.named:
        _settle_positions(stream, ordered)
    _settle_loose(stream, ordered)


def settle_beginning(stream: Stream, ordered: list[tuple[str, Facts]], count: int, functions: dict[str, str]) -> None:
    """The same for the first `count` invocations, of which nothing more will come: the stream forgets them."""
    first, following = [facts for _, facts in ordered[:count]], ordered[count][1]
    until = start_of(first[-1]) or 0.0
    later = _after(stream, until + _EARLY_MS)
    _settle_names(stream, first, functions)
    _settle_inits(stream, first)
    _settle_positions(stream, first)
    end = max((facts.get("reported_at") or facts.get("ended_at") or 0.0 for facts in first), default=0.0) + _LATE_MS
    loose, stream.loose = stream.loose, [line for line in stream.loose if line.at is None or line.at <= end]
    _settle_loose(stream, [*first, following])
    stream.loose = [line for line in loose if line.at is not None and line.at > end]
    stream.init_starts, stream.init_reports, stream.restore_reports, stream.init_types = later
    for facts in first:
        facts["settled"] = True
    gone = {request_id for request_id, _ in ordered[:count]}
    stream.ids = [request_id for request_id in stream.ids if request_id not in gone]
    stream.settled += count
    stream.settled_until = max(until, end - _LATE_MS, stream.settled_until)
    stream.previous_ended_at = first[-1].get("ended_at") or first[-1].get("reported_at")


_Inits = tuple[list[float], list[InitReport], list[InitReport], list[tuple[float | None, str]]]


def _after(stream: Stream, until: float) -> _Inits:
    """Inits of later invocations; the stream keeps the others for now."""
    later: _Inits = (
        [at for at in stream.init_starts if at > until],
        [report for report in stream.init_reports if report.at is not None and report.at > until],
        [report for report in stream.restore_reports if report.at is not None and report.at > until],
        [item for item in stream.init_types if item[0] is not None and item[0] > until],
    )
    stream.init_starts = [at for at in stream.init_starts if at <= until]
    stream.init_reports = [report for report in stream.init_reports if report not in later[1]]
    stream.restore_reports = [report for report in stream.restore_reports if report not in later[2]]
    stream.init_types = [item for item in stream.init_types if item not in later[3]]
    return later


def in_order(stream: Stream, all_facts: dict[str, Facts]) -> list[tuple[str, Facts]]:
    """The invocations of a stream by their beginning, those without one last."""
    found = [(request_id, all_facts[request_id]) for request_id in dict.fromkeys(stream.ids)]
    return sorted(found, key=lambda item: _NEVER if (start := start_of(item[1])) is None else start)


def _settle_names(stream: Stream, ordered: list[Facts], functions: dict[str, str]) -> None:
    for facts in ordered:
        facts["extensions"] = tuple(dict.fromkeys(stream.extensions))
        if facts.get("function") is None:
            facts["function"] = functions.get(facts["stream_key"])


def start_of(facts: Facts) -> float | None:
    """When the invocation began, as far as its lines tell."""
    if facts.get("started_at") is not None:
        return float(facts["started_at"])
    ended = facts.get("ended_at") or facts.get("reported_at")
    return None if ended is None else float(ended) - (facts.get("duration_ms") or 0.0)


def _settle_inits(stream: Stream, ordered: list[Facts]) -> None:
    """Give every INIT_START and init report to the invocation that began next after it."""
    starts = [(facts, at) for facts in ordered if (at := start_of(facts)) is not None]
    times = [at for _, at in starts]
    for at in sorted(set(stream.init_starts)):
        place = bisect_left(times, at - _EARLY_MS)
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
        place = 0 if report.at is None else bisect_left(times, report.at - _EARLY_MS)
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
        place = len(starts) if at_or_none is None else bisect_left(times, at_or_none - _EARLY_MS)
        for facts, _ in starts[place : place + 1]:
            facts.setdefault("init_type", kind)


def _settle_positions(stream: Stream, ordered: list[Facts]) -> None:
    beginning_seen = bool(ordered) and bool(
        ordered[0].get("saw_init") or ordered[0].get("init_ms") or ordered[0].get("restore_ms")
    )
    previous_ended_at = stream.previous_ended_at
    for number, facts in enumerate(ordered, stream.settled):
        if number or beginning_seen:
            facts["first_in_stream"] = number == 0
            facts["position"] = number
        if number:
            facts["previous_ended_at"] = previous_ended_at
        previous_ended_at = facts.get("ended_at") or facts.get("reported_at")


def _settle_loose(stream: Stream, ordered: list[Facts]) -> None:
    for line in stream.loose:
        if line.at is None:
            continue
        for facts in ordered:
            start, end = start_of(facts), facts.get("reported_at") or facts.get("ended_at")
            if start is not None and start <= line.at and (end is None or line.at <= end + _LATE_MS):
                lines = facts.setdefault("lines", [])
                if line not in lines:
                    lines.append(line)
                break
        else:
            following = next((f for f in ordered if (start_of(f) or 0.0) >= line.at), None)
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
