"""Findings about many requests at once.

Windows and groupings over all requests come ready from the engine as rows (`SetWork`); what needs the parts
of timelines is decided here.
"""

from collections import Counter, defaultdict
from typing import Any

import msgspec

from apigw_doctor.diagnosis.judge import Judged
from apigw_doctor.diagnosis.metric_failures import failures_in_metrics
from apigw_doctor.diagnosis.verdict import EvidenceText, Finding
from apigw_doctor.evidence.tables import Evidence, LoadBalancerRequest
from apigw_doctor.evidence.traffic import ACCESS, EXECUTION, LATENCY
from apigw_doctor.model.terms import ApiType, EvidenceKind, Kind, LimitBasis
from apigw_doctor.model.times import iso

Rows = list[dict[str, Any]]

#: F up to this much above L is deliberate: the gateway then always loses first.
DELIBERATE_MARGIN_MS = 5000.0
BURST_WINDOW_MS = 10_000.0
BURST_LEAST = 5
PERIODIC_LEAST = 3
_STALL_CAUSES = frozenset(
    [
        "stalled-call",
        "retry-product",
        "dependency-slow",
        "function-hung",
        "backend-slower-than-limit",
        "connection-pool-exhausted",
        "no-egress",
        "blocked-target",
        "dns-stall",
        "event-loop-not-drained",
        "extension-overhead",
    ]
)
#: Findings that do not count as failures for the exit status.
ADVISORY = frozenset({"evidence-off", "function-timeout-far-above-limit", "alias-not-used"})


class SetWork(msgspec.Struct, frozen=True, kw_only=True):
    """What the engine worked out over all requests."""

    retries: Rows = []
    bursts: Rows = []
    periods: Rows = []


def findings_of(evidence: Evidence, judged: list[Judged], sets: SetWork) -> tuple[Finding, ...]:
    """All findings, the ones about failures first."""
    failed = [item for item in judged if item.told.kind is Kind.FAILED]
    found: list[Finding] = failures_in_metrics(evidence, judged)
    found.extend(_retry_storms(sets.retries))
    found.extend(_bursts(sets.bursts))
    found.extend(_periods(sets.periods))
    found.extend(_zones(evidence.load_balancer))
    found.extend(_stall_then_throttle(failed))
    found.extend(_far_above(evidence, judged))
    found.extend(_aliases(evidence, judged))
    found.extend(_evidence_off(evidence))
    return tuple(found)


def _finding(name: str, title: str, count: int, detail: str, evidence: tuple[EvidenceText, ...] = ()) -> Finding:
    return Finding(code=name, name=name, title=title, count=count, detail=detail, evidence=evidence)


def _retry_storms(rows: Rows) -> list[Finding]:
    return [
        _finding(
            "retry-storm",
            "The same client sends the same request again about every timeout",
            int(row["n"]),
            f"{row['method'] or 'requests'} {row['target'] or ''} from {row['client_ip']}: {row['n']} failures,"
            f" {row['spacing_ms'] / 1000:.1f} s apart - one root cause, {row['n']} victims;"
            " each retry starts the work again",
        )
        for row in rows
    ]


def _bursts(rows: Rows) -> list[Finding]:
    for row in rows:
        window = row["window_ms"] or 0.0
        # In a window hardly longer than the burst itself, "many in the same seconds" says nothing.
        if window > 6 * BURST_WINDOW_MS and row["n"] >= 0.5 * row["failures"]:
            return [
                _finding(
                    "burst",
                    "Many requests failed in the same seconds",
                    int(row["n"]),
                    f"{row['n']} of {row['failures']} failures arrived between {iso(row['first_at'])} and"
                    f" {iso(row['last_at'])}: look for a deployment, a batch job or a noisy neighbour at that time",
                )
            ]
    return []


def _periods(rows: Rows) -> list[Finding]:
    return [
        _finding(
            "periodic",
            "One client fails at a fixed period",
            int(row["n"]),
            f"{row['method'] or 'requests'} {row['target'] or ''} from {row['client_ip']} fails every"
            f" {row['period_ms'] / 1000:.1f} s, {row['n']} times: a poller, a warmer or a forgotten tab",
        )
        for row in rows
    ]


def _zones(rows: list[LoadBalancerRequest]) -> list[Finding]:
    """One of n targets fails always, the others (almost) never."""
    results: dict[str, Counter[bool]] = defaultdict(Counter)
    for row in rows:
        if row.target is not None:
            results[row.target][row.target_status is None and (row.status or 0) >= 460] += 1
    if len(results) < 2:
        return []
    dead = [target for target, count in results.items() if count[True] >= 2 and count[False] == 0]
    healthy = [target for target, count in results.items() if count[True] <= 0.05 * count.total()]
    if len(dead) != 1 or len(healthy) != len(results) - 1 or sum(results[t].total() for t in healthy) < 3:
        return []
    failures = results[dead[0]].total()
    total = sum(count.total() for count in results.values())
    cites = [cite for row in rows if row.target == dead[0] for cite in row.cites][:3]
    return [
        _finding(
            "zone-impaired",
            "One of several targets fails every request",
            failures,
            f"target {dead[0]} failed all of its {failures} requests ({failures / total:.0%} of {total});"
            f" the other {len(healthy)} answered: one zone or target behind the load balancer is dead",
            tuple(EvidenceText(origin=cite.origin, text=cite.text) for cite in cites),
        )
    ]


def _stall_then_throttle(failed: list[Judged]) -> list[Finding]:
    """Throttles as the second act of stalled calls on the same function."""
    stalls: dict[str | None, list[float]] = defaultdict(list)
    throttles: dict[str | None, list[float]] = defaultdict(list)
    for item in failed:
        request = item.request
        at = request.arrived_at if request is not None else None
        if request is None or at is None:
            continue
        function = request.function or (item.invocation.function if item.invocation else None)
        if item.told.cause == "function-throttled":
            throttles[function].append(at)
        elif item.told.cause in _STALL_CAUSES or item.told.boundary == "integration-timeout":
            stalls[function].append(at)
    found = []
    for function, times in throttles.items():
        before = [at for at in stalls.get(function, []) if min(times) - 900_000.0 <= at <= max(times)]
        if len(before) >= 2 and min(before) < min(times):
            found.append(
                _finding(
                    "concurrency-after-stall",
                    "Throttles follow stalled calls of the same function",
                    len(times),
                    f"{len(before)} stalled requests held environments of {function or 'the function'} before"
                    f" {len(times)} were throttled: mend the stall, not the concurrency",
                )
            )
    return found


def _far_above(evidence: Evidence, judged: list[Judged]) -> list[Finding]:
    """F more than a few seconds above L: work goes on, paid and unseen, after the gateway gave up."""
    timeouts = {row.function: row.timeout_ms for row in evidence.functions if row.timeout_ms is not None}
    for row in evidence.invocations:
        if row.timeout_ms is not None:
            timeouts.setdefault(row.function or "", row.timeout_ms)
    limits: dict[str, tuple[float, LimitBasis]] = {}
    for item in judged:
        request, invocation = item.request, item.invocation
        name = (request.function if request else None) or (invocation.function if invocation and request else None)
        if request is not None and (name or (invocation is not None)):
            limits.setdefault(name or "", (item.told.limit_ms, item.told.limit_basis))
    for setting in evidence.integrations:
        if setting.function and setting.timeout_ms is not None:
            limits.setdefault(setting.function, (setting.timeout_ms, LimitBasis.CONFIGURED))
    found = []
    for name, (limit, _) in limits.items():
        timeout = timeouts.get(name)
        if timeout is not None and timeout > limit + DELIBERATE_MARGIN_MS:
            found.append(
                _finding(
                    "function-timeout-far-above-limit",
                    "The function may run much longer than the gateway waits",
                    1,
                    f"{name or 'the function'} may run {timeout / 1000:.0f} s behind a limit of {limit / 1000:.1f} s:"
                    " work goes on, paid and unseen, after the caller has its error",
                )
            )
    return found


def _aliases(evidence: Evidence, judged: list[Judged]) -> list[Finding]:
    """Provisioned concurrency on an alias cannot help an integration that calls $LATEST."""
    prepared = {row.function: row for row in evidence.functions if row.provisioned}
    prepared_by_log = {
        row.function for row in evidence.invocations if row.init_type == "provisioned-concurrency" and row.function
    } | {told.name for told in evidence.crowd.functions if told.name and "provisioned-concurrency" in told.init_types}
    found = []
    called: dict[str, str | None] = {}
    for setting in evidence.integrations:
        if setting.function:
            called[setting.function] = setting.qualifier
    for item in judged:
        request = item.request
        if request is not None and request.function:
            called.setdefault(request.function, request.qualifier)
    for name, qualifier in called.items():
        if (name in prepared or name in prepared_by_log) and qualifier in (None, "$LATEST"):
            alias = prepared[name].alias if name in prepared else None
            found.append(
                _finding(
                    "alias-not-used",
                    "Provisioned concurrency is paid for and not used",
                    1,
                    f"the integration calls {name} without its alias{f' {alias}' if alias else ''} ($LATEST), so the"
                    " environments kept ready for the alias never serve it",
                )
            )
    return found


_USEFUL = ("responseLatency", "integration")


def _evidence_off(evidence: Evidence) -> list[Finding]:
    off: list[str] = []
    for stage in evidence.stages:
        name = f"stage {stage.stage}"
        if stage.execution_logging in (None, "OFF") and stage.api_type is not ApiType.HTTP:
            off.append(f"{name}: execution logging is off")
        elif not stage.execution_logging_everywhere:
            off.append(f"{name}: execution logging covers only some methods")
        if stage.access_log_format is None:
            off.append(f"{name}: no access log")
        elif not all(word in stage.access_log_format for word in _USEFUL):
            off.append(f"{name}: the access log's format has no latencies or integration fields")
        if stage.tracing is False and stage.api_type is ApiType.REST:
            off.append(f"{name}: tracing is off")
    poor = [row for row in evidence.requests if row.sources == (EvidenceKind.ACCESS_LOG,)]
    traffic = evidence.traffic
    lines = len(poor) + sum(count for seen, count in traffic.marked().items() if seen & (EXECUTION | ACCESS) == ACCESS)
    if (
        lines
        and not evidence.stages
        and not traffic.count(ACCESS | LATENCY)
        and all(
            row.response_latency_ms is None and row.integration_latency_ms is None and row.response_type is None
            for row in poor
        )
    ):
        off.append(f"the access log ({lines} lines) has no latency, no error type and no integration status")
    if not off:
        return []
    return [_finding("evidence-off", "Evidence is switched off", len(off), "; ".join(off))]
