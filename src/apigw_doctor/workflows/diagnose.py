"""`diagnose`: files in, the whole answer out."""

import gc
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import msgspec

from apigw_doctor.attribution.assemble import Assembled, Subject, assemble
from apigw_doctor.attribution.clocks import integration_time_ms
from apigw_doctor.attribution.effective_limit import ABOUT_MS, stated_timeout
from apigw_doctor.diagnosis.coverage import coverage_of
from apigw_doctor.diagnosis.findings import (
    BURST_LEAST,
    BURST_WINDOW_MS,
    PERIODIC_LEAST,
    SetWork,
    findings_of,
)
from apigw_doctor.diagnosis.fixes import ranked_fixes
from apigw_doctor.diagnosis.judge import UNDETERMINED, Judged
from apigw_doctor.diagnosis.metric_failures import NAME as FAILURES_IN_METRICS
from apigw_doctor.diagnosis.metric_failures import counts_server_errors, no_proof
from apigw_doctor.diagnosis.remedies import Place
from apigw_doctor.diagnosis.verdict import (
    SCHEMA,
    Diagnosis,
    Finding,
    RouteStatistics,
    Summary,
    UnreadLines,
    Window,
)
from apigw_doctor.engine.duckdb_engine import DuckDbEngine, RequestFact, TimesFact
from apigw_doctor.evidence.crowd import Crowd
from apigw_doctor.evidence.tables import Evidence, GatewayRequest, LambdaInvocation, MetricSeries, TargetTiming
from apigw_doctor.evidence.traffic import ACCESS, EXECUTION, RequestPlace, Traffic
from apigw_doctor.model.terms import ApiType, Confidence, EvidenceKind, Kind, Outcome
from apigw_doctor.model.times import iso_or_none
from apigw_doctor.model.watch import Watcher
from apigw_doctor.sources.collect import collect
from apigw_doctor.workflows.judging import judge_all
from apigw_doctor.workflows.redaction import Hiding

_RETRY_SLACK_MS = 6000.0
_PERIOD_SHARE = 0.1
_PERIOD_MARGIN_MS = 60_000.0


class Period(msgspec.Struct, frozen=True):
    """Only requests that arrived in it count; epoch ms, either end open."""

    start: float | None = None
    end: float | None = None

    def holds(self, at: float | None) -> bool:
        """Whether the moment lies inside; an unknown one does."""
        return at is None or ((self.start is None or at >= self.start) and (self.end is None or at <= self.end))

    def widened(self, margin_ms: float) -> "Period":
        """The same with a margin at both ends."""
        return Period(
            None if self.start is None else self.start - margin_ms, None if self.end is None else self.end + margin_ms
        )


def diagnose_files(
    paths: Iterable[str],
    *,
    formats: Iterable[str] = (),
    period: Period | None = None,
    watcher: Watcher | None = None,
    hiding: Hiding | None = None,
) -> Diagnosis:
    """Diagnose everything behind `paths` (files, folders, globs, `-` for standard input).

    `formats` are access-log format strings of stages; `watcher` is told how far the reading is. Without `hiding` the
    answer is not redacted yet: see `redacted`.

    Raises:
        NothingReadable: when nothing in the input could be evidence.
    """
    evidence = collect(tuple(paths), formats=tuple(formats), watcher=watcher)
    if watcher is not None:
        watcher.phase("judging")
    return diagnose(evidence, period or Period(), hiding)


def diagnose(evidence: Evidence, period: Period, hiding: Hiding | None = None) -> Diagnosis:
    """Diagnose evidence that was read already; with `hiding` the answer comes redacted."""
    with _no_collections():
        diagnosis = _diagnose(evidence, period, hiding)
        return diagnosis if hiding is None else hiding.answer(diagnosis)


@contextmanager
def _no_collections() -> Iterator[None]:
    """Rows and answers hold no cycles: to look for some in all of them, again and again, is time lost.

    It would also write into every page that workers share with this process, which copies it.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _diagnose(evidence: Evidence, period: Period, hiding: Hiding | None) -> Diagnosis:
    given, evidence = evidence, _within(evidence, period)
    if given is not evidence and not _requests(evidence) and not _invocations(evidence) and not evidence.metrics:
        return _nothing_then(given)
    assembled = assemble(evidence)
    everything = msgspec.structs.replace(evidence, requests=list(assembled.requests))
    subjects = [subject for subject in assembled.subjects if _is_asked(subject, period)]
    with _SetWork(everything) as work:
        judged, verdicts = judge_all(subjects, assembled.timeline, hiding, meanwhile=work.prepare)
        sets, routes = work.of(judged)
    findings = findings_of(everything, judged, sets)
    place = _usual_place(judged, everything)
    coverage = coverage_of(everything, place)
    return Diagnosis(
        schema=SCHEMA,
        summary=_summary(everything, judged, findings),
        coverage=coverage,
        verdicts=verdicts,
        findings=findings,
        fixes=ranked_fixes(judged, findings, _wanted_evidence(everything, judged)),
        unread=tuple(UnreadLines(origin=row.origin, lines=row.lines, reason=row.reason) for row in evidence.unread),
        routes=routes,
        notes=_notes(everything, assembled),
        gaps=tuple(f"{gap.origin}: {gap.reason}" for gap in evidence.gaps),
    )


def _within(evidence: Evidence, period: Period) -> Evidence:
    if period.start is None and period.end is None:
        return evidence
    requests = [row for row in evidence.requests if period.holds(_moment(row))]
    traffic = evidence.traffic.within(period.holds)
    # A request at the very end may have its invocation a little later.
    about = period.widened(_PERIOD_MARGIN_MS) if requests or len(traffic) else period
    invocations = [row for row in evidence.invocations if about.holds(row.begun_at)]
    crowd = evidence.crowd.within(about.holds)
    return msgspec.structs.replace(
        evidence,
        requests=requests,
        invocations=invocations,
        traffic=traffic,
        crowd=crowd,
        metrics=[found for row in evidence.metrics if (found := _series_within(row, period)) is not None],
    )


def _series_within(row: MetricSeries, period: Period) -> MetricSeries | None:
    """The points of the periods that lie inside as a whole; None when the series lies elsewhere."""
    length = row.period_ms or _PERIOD_MARGIN_MS
    inside = [(at, value) for at, value in zip(row.times, row.values, strict=True) if period.holds(at)]
    if period.end is not None:
        inside = [(at, value) for at, value in inside if at + length <= period.end]
    outside = (row.last_at is not None and period.start is not None and row.last_at < period.start) or (
        row.first_at is not None and period.end is not None and row.first_at > period.end
    )
    if outside:
        return None
    first, last = row.first_at, row.last_at
    return msgspec.structs.replace(
        row,
        times=tuple(at for at, _ in inside),
        values=tuple(value for _, value in inside),
        first_at=first if first is None or period.start is None else max(first, period.start),
        last_at=last if last is None or period.end is None else min(last, period.end),
    )


def _requests(evidence: Evidence) -> int:
    return len(evidence.requests) + len(evidence.traffic)


def _invocations(evidence: Evidence) -> int:
    return len(evidence.invocations) + len(evidence.crowd)


def _is_asked(subject: Subject, period: Period) -> bool:
    """An invocation that failed by itself counts only inside the period."""
    return subject.request is not None or subject.invocation is None or period.holds(subject.invocation.begun_at)


def _nothing_then(given: Evidence) -> Diagnosis:
    """The answer when all of the evidence lies outside the period that was asked for."""
    window = _window(given)
    headline = f"nothing in the period asked for: what was given runs from {window.from_} to {window.to}"
    nothing = msgspec.structs.replace(given, requests=[], invocations=[], traffic=Traffic(), crowd=Crowd(), metrics=[])
    whole = _diagnose(nothing, Period(), None)
    summary = msgspec.structs.replace(whole.summary, headline=headline)
    return msgspec.structs.replace(whole, summary=summary, coverage=coverage_of(given, Place()), fixes=())


def _moment(row: GatewayRequest) -> float | None:
    return row.arrived_at if row.arrived_at is not None else row.last_line_at


def _usual_place(judged: list[Judged], evidence: Evidence) -> Place:
    places = Counter(item.place for item in judged)
    if places:
        return places.most_common(1)[0][0]
    counts = Counter(map(_place, evidence.requests))
    for number, count in Counter(evidence.traffic.place).items():
        counts[_place(evidence.traffic.places[number])] += count
    # With API and stage a command can be copied as it stands.
    return max(counts, key=lambda place: (_told(place, 2), counts[place], _told(place), repr(place)), default=Place())


def _place(row: GatewayRequest | RequestPlace) -> Place:
    return Place(
        api_type=row.api_type,
        api_id=row.api_id,
        stage=row.stage,
        method=row.method,
        route=row.route,
        function=row.function,
    )


def _told(place: Place, first: int | None = None) -> int:
    """How many parts of the place, or of its first ones, are known."""
    parts = (place.api_id, place.stage, place.method, place.route, place.function)
    return sum(part is not None for part in parts[:first])


# over all requests


class _SetWork:
    """Work over all requests; what no verdict changes is done while others judge, if there is time."""

    def __init__(self, evidence: Evidence) -> None:
        self._evidence = evidence
        self._engine: DuckDbEngine | None = None

    def __enter__(self) -> "_SetWork":
        return self

    def __exit__(self, *_: object) -> None:
        if self._engine is not None:
            self._engine.close()

    def prepare(self) -> None:
        """Start the engine and give it the requests without rows."""
        if _requests(self._evidence):
            self._engine = DuckDbEngine()
            self._engine.times(_times(self._evidence.traffic))

    def of(self, judged: list[Judged]) -> tuple[SetWork, tuple[RouteStatistics, ...]]:
        if self._engine is None:
            self.prepare()
        if self._engine is None:
            return SetWork(), ()
        self._engine.requests(_facts(self._evidence, judged))
        run = self._engine.run
        sets = SetWork(
            retries=run("retry_storm", about=2 * ABOUT_MS, slack=_RETRY_SLACK_MS),
            bursts=run("burst", window=BURST_WINDOW_MS, least=BURST_LEAST),
            periods=run("periodic", least=PERIODIC_LEAST, share=_PERIOD_SHARE, about=_RETRY_SLACK_MS),
        )
        return sets, tuple(RouteStatistics(**row) for row in run("routes"))


def _facts(evidence: Evidence, judged: list[Judged]) -> Iterable[RequestFact]:
    by_key = {item.request.key: item.told for item in judged if item.request is not None}
    for row in evidence.requests:
        told = by_key.get(row.key)
        failed = told is not None and told.kind is Kind.FAILED
        yield RequestFact(
            key=row.key,
            api_id=row.api_id,
            stage=row.stage,
            method=row.method,
            route=row.route or row.path,
            path=row.path,
            client_ip=row.client_ip,
            arrived_at=row.arrived_at,
            integration_ms=integration_time_ms(row),
            status=row.status,
            failed=failed,
            timed_out=told.timed_out if told is not None and failed else stated_timeout(row),
            limit_ms=told.limit_ms if told is not None else None,
            cause=told.cause if told is not None and failed else None,
        )


def _times(traffic: Traffic) -> Iterable[TimesFact]:
    """Integration times of the requests without rows, equal ones counted together."""
    span: dict[int, tuple[float, float]] = {}
    for number, at in zip(traffic.place, traffic.arrived_at, strict=True):
        if at == at:
            low, high = span.get(number, (at, at))
            if at <= low or at >= high:
                span[number] = (min(low, at), max(high, at))
    for (number, took), count in Counter(zip(traffic.place, traffic.integration_ms, strict=True)).items():
        place = traffic.places[number]
        first, last = span.get(number, (None, None))
        yield TimesFact(
            api_id=place.api_id,
            stage=place.stage,
            method=place.method,
            route=place.route or place.path,
            integration_ms=took if took == took else None,
            n=count,
            first_at=first,
            last_at=last,
        )


# what is said of the whole


def _summary(evidence: Evidence, judged: list[Judged], findings: tuple[Finding, ...]) -> Summary:
    failed = [item for item in judged if item.told.kind is Kind.FAILED]
    near = len(judged) - len(failed)
    window = _window(evidence)
    return Summary(
        headline=_headline(evidence, failed, near, findings),
        requests=_requests(evidence),
        invocations=_invocations(evidence),
        failed=len(failed),
        timed_out=sum(item.told.timed_out for item in failed),
        by_layer=_counts(item.told.layer.value for item in failed),
        by_cause=_counts(item.told.cause for item in failed),
        by_boundary=_counts(item.told.boundary.value for item in failed),
        window=window,
        near_limit=near,
    )


def _counts(values: Iterable[str]) -> dict[str, int]:
    return dict(Counter(values).most_common())


def _window(evidence: Evidence) -> Window:
    times: list[float] = []
    for row in evidence.requests:
        times.extend(at for at in (row.arrived_at, row.completed_at, row.failed_at) if at is not None)
    for invocation in evidence.invocations:
        times.extend(at for at in (invocation.begun_at, invocation.finished_at) if at is not None)
    times.extend(evidence.traffic.span() or ())
    times.extend(evidence.crowd.span() or ())
    if not times:
        times.extend(at for row in evidence.metrics for at in (row.first_at, row.last_at) if at is not None)
    return Window(from_=iso_or_none(min(times, default=None)), to=iso_or_none(max(times, default=None)))


def _headline(evidence: Evidence, failed: list[Judged], near: int, findings: tuple[Finding, ...]) -> str:
    requests = _requests(evidence)
    if not failed:
        return _quiet_headline(evidence, near, findings)
    if requests:
        timed_out = sum(item.told.timed_out for item in failed)
        what = f"{len(failed)} of {requests} requests failed, {timed_out} of them timed out"
    else:
        killed = sum(item.invocation is not None and item.invocation.outcome is Outcome.TIMEOUT for item in failed)
        what = f"{_plural(len(failed), 'invocation')} failed, {killed} of them killed at the function's own timeout"
    cause, count = Counter(item.told.cause for item in failed).most_common(1)[0]
    example = max((item for item in failed if item.told.cause == cause), key=lambda item: item.told.confidence.rank)
    share = "all" if count == len(failed) and count > 1 else f"{count}"
    mostly = f"{share} by {cause}" if len(failed) > 1 else cause
    where, told = _where(example.request), example.told
    if cause == UNDETERMINED:
        return f"{what} - cause not determined for {count}{where}: {told.summary}"
    return f"{what} - {mostly}{where} ({told.confidence.value}): {told.summary}"


def _where(request: GatewayRequest | None) -> str:
    route = (request.route or request.path) if request is not None else None
    return f" on {request.method or ''} {route}".replace("  ", " ") if request is not None and route else ""


def _quiet_headline(evidence: Evidence, near: int, findings: tuple[Finding, ...]) -> str:
    counted = [finding for finding in findings if finding.name == FAILURES_IN_METRICS]
    if counted:
        more = f" (and {_plural(len(counted) - 1, 'place')} more, see the findings)" if len(counted) > 1 else ""
        return f"{counted[0].detail.partition('; ')[0]}{more}: cause undetermined"
    if _requests(evidence):
        seen = _plural(_requests(evidence), "request")
    elif _invocations(evidence):
        seen = _plural(_invocations(evidence), "invocation")
    elif counts_server_errors(evidence):
        return "no request in what was given; its metrics count no failure, which is no proof of health"
    else:
        return "no request and no invocation in what was given" + (
            f"; {_plural(len(findings), 'finding')} about its configuration" if findings else ""
        )
    if near:
        return f"no failed request among {seen}; {near} came near the limit"
    return f"no failed request among {seen}"


def _plural(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"


def _wanted_evidence(evidence: Evidence, judged: list[Judged]) -> tuple[str, ...]:
    """Fixes that only bring evidence, for answers that are not sure."""
    if not any(item.told.confidence in (Confidence.POSSIBLE, Confidence.UNDETERMINED) for item in judged):
        return ()
    sources = {kind for row in evidence.requests for kind in row.sources}
    wanted = []
    traffic = evidence.traffic
    types = {row.api_type for row in evidence.requests} | {place.api_type for place in traffic.places}
    for mark, kind in ((EXECUTION, EvidenceKind.EXECUTION_LOG), (ACCESS, EvidenceKind.ACCESS_LOG)):
        if traffic.count(mark):
            sources.add(kind)
    if EvidenceKind.EXECUTION_LOG not in sources and types != {ApiType.HTTP}:
        wanted.append("execution-logging")
    if EvidenceKind.ACCESS_LOG not in sources:
        wanted.append("access-logging")
    if not evidence.segments:
        wanted.append("tracing")
    return tuple(wanted)


def _notes(evidence: Evidence, assembled: Assembled) -> tuple[str, ...]:
    notes = list(evidence.notes)
    if not _requests(evidence) and (doubt := no_proof(evidence)) is not None:
        notes.append(doubt)
    if assembled.moved:
        hours = ", ".join(f"{zone / 3_600_000:+.2f} h" for zone in sorted(set(assembled.moved.values())))
        notes.append(
            f"the times of {_plural(len(assembled.moved), 'Lambda log file')} were {hours} off the gateway's,"
            " as joins by id show; they were moved"
        )
    if evidence.targets:
        notes.extend(_target_note(row) for row in evidence.targets)
    if assembled.clock_skew_ms is not None:
        notes.append(
            f"the Lambda log's clock is {assembled.clock_skew_ms:+.0f} ms off the gateway's, by"
            f" {assembled.joins_by_id} joins by id; joins by time allow for it"
        )
    if evidence.unjoined_records:
        notes.append(
            f"{evidence.unjoined_records} records name a request id that several requests share, and no extended id:"
            " they were left unjoined"
        )
    if assembled.unclaimed:
        notes.append(_unclaimed(assembled.unclaimed))
    return tuple(notes)


def _target_note(row: TargetTiming) -> str:
    """Pasted `curl -w` timings speak of the target, at the time and place of the curl."""
    parts = (("connect", row.connect_ms), ("first byte", row.first_byte_ms), ("total", row.total_ms))
    told = ", ".join(f"{name} after {value:.0f} ms" for name, value in parts if value is not None)
    where = "from where curl ran; about the target, not about one request"
    return f"target {row.host or 'timed with curl'}: {told or 'no timing'} ({where})"


def _unclaimed(rows: tuple[LambdaInvocation, ...]) -> str:
    named = ", ".join(
        f"{row.request_id} ({row.function or 'unnamed function'}, {iso_or_none(row.started_at) or 'no time'})"
        for row in rows[:3]
    )
    untimed = sum(row.begun_at is None for row in rows)
    why = (
        "no id or time fits" if not untimed else f"{untimed} of them without a time, for the others no id or time fits"
    )
    return f"{_plural(len(rows), 'failed invocation')} joined to no request of the gateway's logs ({why}): {named}"
