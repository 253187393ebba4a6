"""What evidence there was, of which kind, and what its absence costs."""

from collections.abc import Callable

from apigw_doctor.diagnosis.remedies import REMEDIES, Place
from apigw_doctor.diagnosis.verdict import Coverage
from apigw_doctor.evidence.tables import Evidence
from apigw_doctor.evidence.traffic import ACCESS, EXECUTION, INFO, LATENCY, TRACE
from apigw_doctor.model.terms import EvidenceKind
from apigw_doctor.model.times import iso


def coverage_of(evidence: Evidence, place: Place) -> tuple[Coverage, ...]:
    """One row per kind of evidence, in the order of the contract."""
    return tuple(judge(evidence, place) for judge in _JUDGES)


def _row(kind: EvidenceKind, state: str, detail: str, remedy: str | None = None) -> Coverage:
    return Coverage(evidence=kind, state=state, detail=detail, remedy=remedy)  # type: ignore[arg-type]


def _execution(evidence: Evidence, place: Place) -> Coverage:
    kind = EvidenceKind.EXECUTION_LOG
    rows = [row for row in evidence.requests if kind in row.sources]
    traffic = evidence.traffic
    count = len(rows) + traffic.count(EXECUTION)
    if not count:
        return _row(kind, "absent", "none given", REMEDIES["execution-logging"].command(place))
    info = any(row.saw_info for row in rows) or traffic.count(EXECUTION | INFO)
    trace = any(row.saw_trace for row in rows) or traffic.count(EXECUTION | TRACE)
    if not info:
        detail = f"{count} requests at ERROR level: no start, so no elapsed time"
        return _row(kind, "partial", detail, REMEDIES["execution-logging"].command(place))
    level = "with data trace" if trace else "at INFO, without data trace: no sending and no latency lines"
    return _row(kind, "present" if trace else "partial", f"{count} requests {level}")


def _access(evidence: Evidence, place: Place) -> Coverage:
    kind = EvidenceKind.ACCESS_LOG
    rows = [row for row in evidence.requests if kind in row.sources]
    count = len(rows) + evidence.traffic.count(ACCESS)
    remedy = REMEDIES["access-logging"].command(place)
    if not count:
        return _row(kind, "absent", "none given", remedy)
    latencies = sum(row.response_latency_ms is not None or row.integration_latency_ms is not None for row in rows)
    latencies += evidence.traffic.count(ACCESS | LATENCY)
    if not latencies:
        return _row(kind, "partial", f"{count} requests without latencies or error types (a default format)", remedy)
    return _row(kind, "present", f"{count} requests, {latencies} with latencies")


def _lambda(evidence: Evidence, place: Place) -> Coverage:
    kind = EvidenceKind.LAMBDA_LOG
    rows, crowd = evidence.invocations, evidence.crowd
    if not rows and not len(crowd):
        group = f"/aws/lambda/{place.function_name}"
        command = f"aws logs filter-log-events --log-group-name {group} --start-time MS --end-time MS > lambda.json"
        lost = "" if evidence.segments else ": who spent the time behind the gateway cannot be told"
        return _row(kind, "absent", f"none given{lost}", command)
    functions = sorted(name for name in {row.function for row in rows} | crowd.names() if name)
    named = (
        f" of {', '.join(functions[:3])}{' ...' if len(functions) > 3 else ''}"
        if functions
        else " of an unnamed function"
    )
    reported = sum(row.duration_ms is not None for row in rows) + crowd.reported()
    state = "present" if reported else "partial"
    return _row(kind, state, f"{len(rows) + len(crowd)} invocations{named}, {reported} with a REPORT")


def _traces(evidence: Evidence, place: Place) -> Coverage:
    traces = {row.trace_id for row in evidence.segments}
    if traces:
        return _row(EvidenceKind.TRACES, "present", f"{len(traces)} traces, {len(evidence.segments)} segments")
    return _row(EvidenceKind.TRACES, "absent", "none given", REMEDIES["tracing"].command(place))


def _metrics(evidence: Evidence, place: Place) -> Coverage:
    rows = evidence.metrics
    if not rows:
        return _row(EvidenceKind.METRICS, "absent", "none given")
    detail = f"{len(rows)} series"
    periods = sorted({row.period_ms for row in rows if row.period_ms is not None})
    if periods:
        longest = f" to {periods[-1] / 1000:,.0f}" if periods[-1] > periods[0] else ""
        detail += f", a point every {periods[0] / 1000:,.0f}{longest} s"
    begins = [row.first_at for row in rows if row.first_at is not None]
    ends = [row.last_at for row in rows if row.last_at is not None]
    if begins and ends:
        detail += f", {iso(min(begins))[:16]}Z to {iso(max(ends))[:16]}Z"
    unnamed = sum(row.metric is None for row in rows)
    if unnamed:
        detail += f"; the labels of {unnamed} name no metric that is known"
    cut = sum(not row.complete for row in rows)
    if cut:
        detail += f"; {cut} are not complete"
    return _row(EvidenceKind.METRICS, "partial" if cut or unnamed == len(rows) else "present", detail)


def _configuration(evidence: Evidence, place: Place) -> Coverage:
    counts = {
        "stages": len(evidence.stages),
        "integrations": len(evidence.integrations),
        "functions": len(evidence.functions),
        "APIs": len(evidence.apis),
    }
    told = ", ".join(f"{count} {name}" for name, count in counts.items() if count)
    if told:
        state = "present" if evidence.integrations and evidence.functions else "partial"
        return _row(EvidenceKind.CONFIGURATION, state, told)
    command = f"aws apigateway get-resources --rest-api-id {place.api} --embed methods --limit 500 > resources.json"
    return _row(EvidenceKind.CONFIGURATION, "absent", "none given: limits are observed or defaults", command)


def _load_balancer(evidence: Evidence, place: Place) -> Coverage:
    if evidence.load_balancer:
        return _row(EvidenceKind.LOAD_BALANCER_LOG, "present", f"{len(evidence.load_balancer)} requests")
    return _row(EvidenceKind.LOAD_BALANCER_LOG, "absent", "none given")


def _edge(evidence: Evidence, place: Place) -> Coverage:
    if evidence.edge:
        return _row(EvidenceKind.EDGE_LOG, "present", f"{len(evidence.edge)} requests")
    return _row(EvidenceKind.EDGE_LOG, "absent", "none given")


def _client(evidence: Evidence, place: Place) -> Coverage:
    if evidence.clients or evidence.targets:
        detail = f"{len(evidence.clients)} replies, {len(evidence.targets)} target timings"
        return _row(EvidenceKind.CLIENT, "present", detail)
    return _row(EvidenceKind.CLIENT, "absent", "none given")


_JUDGES: tuple[Callable[[Evidence, Place], Coverage], ...] = (
    _execution,
    _access,
    _lambda,
    _traces,
    _metrics,
    _configuration,
    _load_balancer,
    _edge,
    _client,
)
