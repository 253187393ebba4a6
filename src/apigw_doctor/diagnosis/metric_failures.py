"""Failures that metrics count and no request in the evidence shows.

Metrics do not tell single requests: how many failed, when and where is all that they say. Their points are matched
with the failures that the evidence holds, period by period; what is left over is the finding.
"""

import re
from collections import defaultdict
from collections.abc import Iterable

import msgspec

from apigw_doctor.diagnosis.judge import Judged
from apigw_doctor.diagnosis.remedies import REMEDIES, Place, shell
from apigw_doctor.diagnosis.verdict import EvidenceText, Finding
from apigw_doctor.evidence.tables import Cite, Evidence, IntegrationSettings, MetricSeries, StageSettings
from apigw_doctor.limits.defaults import default_integration_limit_ms
from apigw_doctor.model.terms import ApiType, Kind, Outcome
from apigw_doctor.model.times import iso

NAME = "failures-in-metrics"
_GATEWAY, _LAMBDA, _BALANCER = "AWS/ApiGateway", "AWS/Lambda", "AWS/ApplicationELB"
_MINUTE_MS = 60_000.0
#: A request may be counted in the minute of its arrival or of its answer.
_SLACK_MS = 60_000.0
_MOST = 1e15
#: So much more time outside the integration is seldom spent.
_APART_MS = 1000.0
_FAILURES: dict[str, tuple[str, ...]] = {
    _GATEWAY: ("5XXError", "5xx", "IntegrationError", "ExecutionError"),
    _LAMBDA: ("Errors", "Throttles"),
    _BALANCER: ("HTTPCode_ELB_5XX_Count", "HTTPCode_Target_5XX_Count"),
}
_TYPES = {
    "5XXError": ApiType.REST,
    "5xx": ApiType.HTTP,
    "IntegrationError": ApiType.WEBSOCKET,
    "ExecutionError": ApiType.WEBSOCKET,
}
_OWNERS = ("ApiName", "ApiId", "FunctionName", "LoadBalancer")
#: Of several sets of dimensions that count the same failures, these are told.
_TOLD_FIRST = (("ApiName", "Stage"), ("ApiId", "Stage"), ("FunctionName",), ("LoadBalancer",))
_CLIENT_ERRORS = ("4XXError", "4xx")
#: More integrations or functions than this are not named one by one.
_MOST_NAMED = 3


class _Tally(msgspec.Struct):
    """Failures per period: of one metric in one place."""

    counts: dict[float, float]
    period_ms: float
    #: 2: sums; 1: the statistic is not named, and the values may be sums; 0: only that there were some
    exactness: int
    cites: tuple[Cite, ...]

    @property
    def total(self) -> float:
        return sum(self.counts.values())


class _Failing(msgspec.Struct):
    """A place whose metrics count failures."""

    namespace: str
    dimensions: dict[str, str]
    tallies: dict[str, _Tally]
    #: period -> failures in it that the evidence does not hold
    missing: dict[float, float] = {}

    @property
    def period_ms(self) -> float:
        return max(tally.period_ms for tally in self.tallies.values())

    @property
    def total(self) -> float:
        return sum(tally.total for tally in self.tallies.values())

    @property
    def api_type(self) -> ApiType:
        return next((_TYPES[name] for name in self.tallies if name in _TYPES), ApiType.UNKNOWN)


def failures_in_metrics(evidence: Evidence, judged: list[Judged]) -> list[Finding]:
    """One finding a stage, function or load balancer, the gateway's first."""
    if not evidence.metrics:
        return []
    failed = [item for item in judged if item.told.kind is Kind.FAILED]
    left = []
    for one in _failing(evidence.metrics):
        one.missing = _unmatched(one, _times_of(one, evidence, failed))
        if one.missing:
            left.append(one)
    gateways = [one for one in left if one.namespace == _GATEWAY]
    told: set[str] = set()
    found = []
    for one in gateways:
        behind = [other for other in left if other.namespace == _LAMBDA and _is_behind(other, one, evidence)]
        told |= {other.dimensions["FunctionName"] for other in behind}
        found.append(_finding(one, evidence, behind))
    others = (one for one in left if one.namespace != _GATEWAY and one.dimensions.get("FunctionName") not in told)
    return found + [_finding(one, evidence, []) for one in others]


def no_proof(evidence: Evidence) -> str | None:
    """Why metrics of a REST API that count no (or few) 5XX do not say that all is well; None without such metrics."""
    metrics = [row for row in evidence.metrics if row.namespace == _GATEWAY]
    if not any(row.metric == "5XXError" for row in metrics):
        return None
    client = sum(tally.total for tally in _told_places(metrics, _CLIENT_ERRORS).values())
    said = f"these metrics count {client:,.0f} of them" if client else "none is counted here"
    if not any(row.metric in _CLIENT_ERRORS for row in metrics):
        said = "that metric was not given"
    changed = sorted(
        f"{row.response_type} ({row.status})"
        for row in evidence.gateway_responses
        if row.is_default is False and row.status is not None
    )
    named = f"; changed here: {', '.join(changed)}" if changed else ""
    return (
        "5XXError may be too low: API Gateway counts gateway responses with a modified status, timeouts too, as"
        f" 4XXError ({said}){named}"
    )


def counts_server_errors(evidence: Evidence) -> bool:
    """The metrics hold one that would count the gateway's failures."""
    return any(row.namespace == _GATEWAY and row.metric in _FAILURES[_GATEWAY] for row in evidence.metrics)


# what the series say


def _failing(rows: list[MetricSeries]) -> list[_Failing]:
    places: dict[tuple[str, tuple[str, ...]], _Failing] = {}
    for namespace, names in _FAILURES.items():
        own = [row for row in rows if row.namespace == namespace]
        for (metric, dimensions), tally in _told_places(own, names).items():
            if tally.total > 0:
                made = _Failing(namespace, _named(dimensions), {})
                places.setdefault((namespace, dimensions), made).tallies[metric] = tally
    return list(places.values())


def _told_places(rows: list[MetricSeries], names: Iterable[str]) -> dict[tuple[str, tuple[str, ...]], _Tally]:
    """(metric, dimensions) -> its failures; where several sets of dimensions count the same ones, one of them."""
    found: dict[tuple[str, tuple[str, ...]], _Tally] = {}
    for metric in names:
        alike: dict[tuple[str, ...], list[MetricSeries]] = defaultdict(list)
        for row in rows:
            if row.metric == metric:
                alike[row.dimensions].append(row)
        tallies = {place: tally for place, some in alike.items() if (tally := _tally(some)) is not None}
        owners: dict[str | None, dict[tuple[str, ...], dict[tuple[str, ...], _Tally]]] = {}
        for place, tally in tallies.items():
            given = _named(place)
            owner = next((given[name] for name in _OWNERS if name in given), None)
            owners.setdefault(owner, {}).setdefault(tuple(given), {})[place] = tally
        chosen = {owner: max(levels.items(), key=_weight)[1] for owner, levels in owners.items()}
        nameless = chosen.pop(None, {})
        known = sum(tally.total for level in chosen.values() for tally in level.values())
        if sum(tally.total for tally in nameless.values()) > known:
            chosen[None] = nameless
        found |= {(metric, place): tally for level in chosen.values() for place, tally in level.items()}
    return found


def _weight(level: tuple[tuple[str, ...], dict[tuple[str, ...], _Tally]]) -> tuple[float, bool, int]:
    names, places = level
    return sum(tally.total for tally in places.values()), names in _TOLD_FIRST, -len(names)


def _tally(rows: list[MetricSeries]) -> _Tally | None:
    """The best of what one metric of one place was asked for; None when it was only how many samples there are."""
    groups: dict[tuple[str | None, float], list[MetricSeries]] = defaultdict(list)
    for row in rows:
        if row.statistic != "SampleCount":
            groups[row.statistic, row.period_ms or _MINUTE_MS].append(row)
    found = []
    for (statistic, period_ms), some in groups.items():
        points: dict[float, float] = {}
        for row in some:
            for at, value in zip(row.times, row.values, strict=False):
                if value > 0:
                    points[at] = max(value, points.get(at, 0.0))
        exactness = 2 if statistic == "Sum" else 0
        if statistic is None and all(value == round(value) for value in points.values()):
            exactness = 1
        counts = {at: min(value, _MOST) if exactness else 1.0 for at, value in points.items()}
        found.append(_Tally(counts, period_ms, exactness, tuple(cite for row in some for cite in row.cites)))
    return max(found, key=lambda tally: (tally.exactness, tally.total), default=None)


def _named(dimensions: tuple[str, ...]) -> dict[str, str]:
    return {name: value for name, _, value in (pair.partition("=") for pair in dimensions)}


# what the evidence holds of them


def _unmatched(one: _Failing, times: list[float | None]) -> dict[float, float]:
    """Period -> failures that none of these moments can be; a moment that is not known can be any."""
    counts: dict[float, float] = defaultdict(float)
    for tally in one.tallies.values():
        for at, count in tally.counts.items():
            counts[at] += count
    moments = sorted(at for at in times if at is not None)
    jokers = float(len(times) - len(moments))
    missing: dict[float, float] = {}
    place = 0
    for at in sorted(counts):
        left = counts[at]
        while place < len(moments) and moments[place] < at - _SLACK_MS:
            place += 1
        while left >= 1 and place < len(moments) and moments[place] < at + one.period_ms + _SLACK_MS:
            place += 1
            left -= 1
        used = min(left, jokers)
        jokers -= used
        if left - used > 0:
            missing[at] = left - used
    return missing


def _times_of(one: _Failing, evidence: Evidence, failed: list[Judged]) -> list[float | None]:
    """When the failures in the evidence happened that this place's metrics would count."""
    if one.namespace == _LAMBDA:
        return _times_of_function(one.dimensions.get("FunctionName"), evidence, failed)
    if one.namespace == _BALANCER:
        balancer = one.dimensions.get("LoadBalancer")
        return [
            row.ended_at
            for row in evidence.load_balancer
            if (row.status or 0) >= 500 and balancer in (None, row.load_balancer)
        ] or [_moment(item) for item in failed]
    api_id, stage = _api_of(one, evidence), one.dimensions.get("Stage")
    return [
        _moment(item)
        for item in failed
        if item.request is None or (_fits(item.request.api_id, api_id) and _fits(item.request.stage, stage))
    ]


def _times_of_function(name: str | None, evidence: Evidence, failed: list[Judged]) -> list[float | None]:
    own = [row for row in evidence.invocations if _fits(row.function, name)]
    throttled = [_moment(item) for item in failed if item.told.cause == "function-throttled"]
    if own:
        return [row.begun_at for row in own if row.outcome in (Outcome.ERROR, Outcome.TIMEOUT)] + throttled
    integrated = {row.function for row in evidence.integrations}
    return [
        _moment(item)
        for item in failed
        if item.request is None or name not in integrated or _fits(item.request.function, name)
    ]


def _moment(item: Judged) -> float | None:
    if item.request is not None:
        request = item.request
        return request.arrived_at if request.arrived_at is not None else request.last_line_at
    return item.invocation.begun_at if item.invocation is not None else None


def _fits(one: str | None, other: str | None) -> bool:
    return one is None or other is None or one == other


# what belongs to them


def _api_of(one: _Failing, evidence: Evidence) -> str | None:
    if "ApiId" in one.dimensions:
        return one.dimensions["ApiId"]
    name = one.dimensions.get("ApiName")
    named = [api.api_id for api in evidence.apis if name is None or name in (_ascii(api.name), api.api_id)]
    return named[0] if len(named) == 1 else None


def _ascii(name: str | None) -> str | None:
    """The dimension has no other characters."""
    return None if name is None else name.encode("ascii", "ignore").decode()


def _stage_of(one: _Failing, evidence: Evidence) -> tuple[str | None, StageSettings | None]:
    api_id, stage = _api_of(one, evidence), one.dimensions.get("Stage")
    rows = [row for row in evidence.stages if _fits(row.stage, stage) and _fits(row.api_id, api_id)]
    if len(rows) != 1:
        return stage, None
    return rows[0].stage, rows[0]


def _integrations_of(one: _Failing, evidence: Evidence) -> list[IntegrationSettings]:
    api_id, route = _api_of(one, evidence), one.dimensions.get("Resource") or one.dimensions.get("Route")
    return [row for row in evidence.integrations if _fits(row.api_id, api_id) and _fits(row.route, route)]


def _is_behind(function: _Failing, gateway: _Failing, evidence: Evidence) -> bool:
    name = function.dimensions.get("FunctionName")
    return name is not None and any(row.function == name for row in _integrations_of(gateway, evidence))


# words


def _finding(one: _Failing, evidence: Evidence, behind: list[_Failing]) -> Finding:
    command, why = _command(one, evidence)
    parts = [
        _head(one, evidence),
        *_latencies(one, evidence),
        *_limits(one, evidence),
        *(_function(other, evidence) for other in behind),
        *(words for other in (one, *behind) for words in _reserved(other, evidence)),
        *_caveats(one),
        f"metrics do not tell single requests: the cause is undetermined until {why}",
    ]
    cites = [cite for other in (one, *behind) for tally in other.tallies.values() for cite in tally.cites[:1]]
    return Finding(
        code=NAME,
        name=NAME,
        title="Metrics count failures that no request in this evidence shows",
        count=round(sum(one.missing.values())),
        detail="; ".join(parts),
        evidence=tuple(EvidenceText(origin=cite.origin, text=cite.text) for cite in cites[:4]),
        command=command,
    )


def _head(one: _Failing, evidence: Evidence) -> str:
    total, missing = one.total, sum(one.missing.values())
    held = "none of them is in this evidence" if missing >= total else f"{total - missing:,.0f} are in this evidence"
    least = "" if all(tally.exactness for tally in one.tallies.values()) else "at least "
    what = f"failed {'invocation' if one.namespace == _LAMBDA else 'request'}{'' if round(total) == 1 else 's'}"
    names = ", ".join(f"{name} {tally.total:,.0f}" for name, tally in one.tallies.items())
    by = names if len(one.tallies) > 1 else next(iter(one.tallies))
    return f"metrics count {least}{total:,.0f} {what} ({by}) of {_place(one, evidence)}, {_when(one)}, and {held}"


def _place(one: _Failing, evidence: Evidence) -> str:
    given = one.dimensions
    if one.namespace == _LAMBDA:
        return f"function {given['FunctionName']}" if "FunctionName" in given else "a function that the label lacks"
    if one.namespace == _BALANCER:
        return f"load balancer {given['LoadBalancer']}" if "LoadBalancer" in given else "a load balancer"
    name = given.get("ApiName") or given.get("ApiId") or _api_of(one, evidence)
    parts = [f"API {name}" if name else "an API that the label lacks"]
    if "Stage" in given:
        parts.append(f"stage {given['Stage']}")
    if route := given.get("Resource") or given.get("Route"):
        parts.append(f"{given.get('Method', '')} {route}".strip())
    return ", ".join(parts)


def _when(one: _Failing) -> str:
    first, last = min(one.missing), max(one.missing) + one.period_ms
    begin, end = (iso(at)[:16].replace("T", " ") for at in (first, last))
    return f"between {begin} and {end[11:] if end[:10] == begin[:10] else end} UTC"


def _latencies(one: _Failing, evidence: Evidence) -> list[str]:
    if one.namespace == _LAMBDA:
        return _reached(one, evidence, "Duration")
    if one.namespace != _GATEWAY:
        return []
    inner, whole = _peak(one, evidence, "IntegrationLatency"), _peak(one, evidence, "Latency")
    if inner is None or whole is None or whole[1] - inner[1] < _APART_MS:
        return _reached(one, evidence, "IntegrationLatency") or _reached(one, evidence, "Latency")
    told = _reached(one, evidence, "IntegrationLatency") + _reached(one, evidence, "Latency")
    return [*told, "requests that a timer cut may be without IntegrationLatency"]


def _reached(one: _Failing, evidence: Evidence, metric: str) -> list[str]:
    peak = _peak(one, evidence, metric)
    return [] if peak is None else [f"{peak[0]} reached {peak[1]:,.0f} ms then"]


def _peak(one: _Failing, evidence: Evidence, metric: str) -> tuple[str, float] | None:
    """The highest value in the failing minutes; of the same place, else of one that the label lacks."""
    rows = [row for row in evidence.metrics if row.namespace == one.namespace and row.metric == metric]
    for place in (one.dimensions, {}):
        for statistic in ("Maximum", "p100", "p99.9", "p99", "p95", "p90"):
            values = [
                value
                for row in rows
                if row.statistic == statistic and _named(row.dimensions) == place
                for at, value in zip(row.times, row.values, strict=False)
                if _overlaps(one, at, row.period_ms or _MINUTE_MS)
            ]
            if values:
                of = metric if statistic in ("Maximum", "p100") else f"the {statistic} of {metric}"
                return of, max(values)
    return None


def _overlaps(one: _Failing, at: float, period_ms: float) -> bool:
    if at in one.missing:
        return True
    return period_ms != one.period_ms and min(one.missing) - period_ms < at < max(one.missing) + one.period_ms


def _limits(one: _Failing, evidence: Evidence) -> list[str]:
    if one.namespace == _LAMBDA:
        return _timeouts({one.dimensions.get("FunctionName")}, evidence)
    if one.namespace != _GATEWAY:
        return []
    rows = _integrations_of(one, evidence)
    limits = sorted({_limit_ms(row, one) for row in rows})
    found = []
    if len(limits) == 1:
        found.append(f"the integration's limit is {limits[0]:,.0f} ms")
    elif limits:
        found.append(f"the integrations' limits are {limits[0]:,.0f} to {limits[-1]:,.0f} ms")
    return found + _timeouts({row.function for row in rows}, evidence)


def _limit_ms(row: IntegrationSettings, one: _Failing) -> float:
    if row.timeout_ms is not None:
        return row.timeout_ms
    kind = row.api_type if row.api_type is not ApiType.UNKNOWN else one.api_type
    return default_integration_limit_ms(kind.value, None, row.transfer_mode)


def _timeouts(names: set[str | None], evidence: Evidence) -> list[str]:
    known = {row.function: row.timeout_ms for row in evidence.functions if row.timeout_ms is not None}
    chosen = sorted(name for name in names if name is not None and name in known)
    return [f"the timeout of {name} is {known[name]:,.0f} ms" for name in chosen[:_MOST_NAMED]]


def _function(one: _Failing, evidence: Evidence) -> str:
    counts = " and ".join(f"{tally.total:,.0f} {name}" for name, tally in one.tallies.items())
    reached = "".join(f", {words}" for words in _reached(one, evidence, "Duration"))
    return f"Lambda counts {counts} of {one.dimensions['FunctionName']}{reached}"


def _reserved(one: _Failing, evidence: Evidence) -> list[str]:
    """What is reserved for a throttled function, where a file's name says that it is about that function."""
    name = one.dimensions.get("FunctionName")
    if name is None or "Throttles" not in one.tallies:
        return []
    about = re.compile(rf"(?:^|[/\\]|concurrency[-_.]){re.escape(name)}(?=[./\\:]|$)")
    found = {row.reserved for row in evidence.concurrency if row.cites and about.search(row.cites[0].origin)}
    return [f"{found.pop():,} environments are reserved for {name}"] if len(found) == 1 else []


def _caveats(one: _Failing) -> list[str]:
    found = []
    if any(tally.exactness == 1 for tally in one.tallies.values()):
        found.append("the label names no statistic: the values are taken as sums")
    if "IntegrationError" in one.tallies:
        found.append("IntegrationError counts the backend's 4XX too")
    return found


def _command(one: _Failing, evidence: Evidence) -> tuple[str | None, str]:
    """What to fetch, and what has to be done for an answer."""
    if one.namespace == _BALANCER:
        return "aws s3 cp --recursive s3://ALB_LOG_BUCKET/PREFIX/ alb-logs/", "its access log of then is given too"
    if one.namespace == _LAMBDA:
        name = one.dimensions.get("FunctionName", "FUNCTION")
        return _filter(f"/aws/lambda/{name}", one, "lambda"), "the function's log of then is given too"
    api_id = _api_of(one, evidence)
    stage, settings = _stage_of(one, evidence)
    logged = settings is None or settings.execution_logging not in (None, "OFF")
    if one.api_type is not ApiType.HTTP and logged:
        group = f"API-Gateway-Execution-Logs_{api_id or 'API_ID'}/{stage or 'STAGE'}"
        return _filter(group, one, "execution"), "the execution log of then is given too"
    destination = settings.access_log_destination if settings is not None else None
    if destination and ":log-group:" in destination:
        group = destination.partition(":log-group:")[2].removesuffix(":*")
        return _filter(group, one, "access"), "the access log of then is given too"
    if settings is None or destination:
        return _filter("ACCESS_LOG_GROUP", one, "access"), "the access log of then is given too"
    place = Place(api_type=one.api_type, api_id=api_id, stage=stage)
    fix = "access-logging" if one.api_type is ApiType.HTTP else "execution-logging"
    return REMEDIES[fix].command(place), "a log is switched on and it happens again: the stage wrote none"


def _filter(group: str, one: _Failing, file: str) -> str:
    start, end = min(one.missing), max(one.missing) + one.period_ms + _SLACK_MS
    return (
        f"aws logs filter-log-events --log-group-name {shell(group)} --start-time {start:.0f} --end-time {end:.0f}"
        f" > {file}.json"
    )
