"""Evidence that would make an answer surer, each with the one command that supplies it."""

import re

from apigw_doctor.attribution.timeline import Timeline
from apigw_doctor.diagnosis.remedies import REMEDIES, Place, shell
from apigw_doctor.diagnosis.verdict import Missing
from apigw_doctor.evidence.tables import GatewayRequest
from apigw_doctor.model.curl import CURL_WRITE_OUT
from apigw_doctor.model.terms import ApiType, Boundary, EvidenceKind

_MARGIN_MS = 60_000.0


def missing_for(timeline: Timeline, parts: set[str], place: Place) -> tuple[Missing, ...]:
    """What to fetch for one request; `parts` are the part types that rules asked for in vain."""
    request = timeline.request
    found: list[Missing] = []
    if request is not None:
        found.extend(_gateway(timeline, request, place))
        if _calls_function(request) and timeline.invocation is None:
            found.append(_lambda_log(timeline, request, place))
        elif not _calls_function(request):
            found.extend(_target(timeline, request, place))
    elif timeline.invocation is not None:
        found.append(
            Missing(
                wanted="the gateway's logs",
                reason="only the Lambda log was given: what the caller got is not in it",
                remedy=_filter("API-Gateway-Execution-Logs_API_ID/STAGE", timeline),
            )
        )
    if "FunctionSettings" in parts and place.function:
        found.append(
            Missing(
                wanted="the function's configuration",
                reason="whether the function is in a VPC, and its timeout, is not in the logs",
                remedy=f"aws lambda get-function-configuration --function-name {place.function_name} > function.json",
            )
        )
    if ("Trace" in parts or timeline.pairing.candidates > 1) and timeline.trace is None:
        found.append(_trace(request, place))
    return tuple(dict.fromkeys(found))


def _calls_function(request: GatewayRequest) -> bool:
    return request.function is not None or request.endpoint_uri is None or "/functions/" in request.endpoint_uri


def _gateway(timeline: Timeline, request: GatewayRequest, place: Place) -> list[Missing]:
    found: list[Missing] = []
    timed = timeline.clocks.elapsed_ms is not None
    answered = request.status is not None and request.status < 500
    untold = timeline.clocks.boundary is Boundary.UNKNOWN and request.response_type is None and not request.failure
    if not timed or (untold and not answered):
        remedy = REMEDIES["access-logging"].command(place) or ""
        lacking = "the error type is not" if timed else "neither the elapsed time nor the error type is"
        reason = f"{lacking} in what was given"
        found.append(Missing(wanted="an access log with latencies and error types", reason=reason, remedy=remedy))
    if EvidenceKind.EXECUTION_LOG not in request.sources and request.api_type is not ApiType.HTTP:
        group = f"API-Gateway-Execution-Logs_{request.api_id or 'API_ID'}/{request.stage or 'STAGE'}"
        reason = "it says which timer fired and when the integration was called"
        found.append(
            Missing(wanted="the execution log", reason=reason, remedy=_filter(group, timeline, request.request_id))
        )
    return found


def _lambda_log(timeline: Timeline, request: GatewayRequest, place: Place) -> Missing:
    group = f"/aws/lambda/{place.function or 'FUNCTION'}"
    if timeline.pairing.candidates > 1:
        count = timeline.pairing.candidates
        reason = f"{count} invocations fit this request by time; an id in the log would tell them apart"
        wanted = "the gateway's request id in the function's log (Lambda)"
    elif timeline.pairing.log_covers:
        reason, wanted = "the Lambda log given holds no invocation that fits this request", "the complete Lambda log"
    else:
        reason, wanted = "no Lambda log of that time and function was found in what was given", "the Lambda log"
    return Missing(wanted=wanted, reason=reason, remedy=_filter(group, timeline, request.lambda_request_id))


def _target(timeline: Timeline, request: GatewayRequest, place: Place) -> list[Missing]:
    found: list[Missing] = []
    if timeline.load_balancer is None:
        found.append(
            Missing(
                wanted="the load balancer's access log (ALB)",
                reason="target_processing_time and the 504/460 codes say who waited for whom",
                remedy="aws s3 cp --recursive s3://ALB_LOG_BUCKET/PREFIX/ alb-logs/",
            )
        )
        found.append(
            Missing(
                wanted="the metric TargetResponseTime of the load balancer",
                reason="it shows whether the target was slow at that time",
                remedy="aws cloudwatch get-metric-statistics --namespace AWS/ApplicationELB"
                " --metric-name TargetResponseTime"
                " --dimensions Name=LoadBalancer,Value=LOAD_BALANCER --extended-statistics p99 --period 60"
                f" --start-time {_iso(timeline, -_MARGIN_MS)} --end-time {_iso(timeline, _MARGIN_MS)}",
            )
        )
    if timeline.target is None:
        uri = _address(request.endpoint_uri) if request.endpoint_uri else "https://TARGET/PATH"
        found.append(
            Missing(
                wanted="timings of the target (dns, connect, first byte, total)",
                reason="run it near the target and give its output too: it is about the target, not about this request",
                remedy=f"curl -sS -o /dev/null -w {shell(CURL_WRITE_OUT)} {shell(uri)}",
            )
        )
    return found


def _address(uri: str) -> str:
    """Where the target is, without user and query: a command to paste is no place for a key."""
    scheme, mark, rest = re.split(r"[?#]", uri, maxsplit=1)[0].rpartition("://")
    host, slash, path = rest.partition("/")
    return f"{scheme}{mark}{host.rpartition('@')[2]}{slash}{path}"


def _trace(request: GatewayRequest | None, place: Place) -> Missing:
    reason = "a trace joins the request to its invocation and shows the calls inside"
    if request is not None and request.trace_id:
        return Missing(
            wanted="the X-Ray trace",
            reason=reason,
            remedy=f"aws xray batch-get-traces --trace-ids {shell(request.trace_id)} > trace.json",
        )
    return Missing(wanted="X-Ray traces", reason=reason, remedy=REMEDIES["tracing"].command(place) or "")


def _filter(group: str, timeline: Timeline, needle: str | None = None) -> str:
    command = f"aws logs filter-log-events --log-group-name {shell(group)}"
    at = _about(timeline)
    if at is not None:
        command += f" --start-time {at - _MARGIN_MS:.0f} --end-time {at + 2 * _MARGIN_MS:.0f}"
    if needle:
        command += f" --filter-pattern {shell(chr(34) + needle + chr(34))}"
    return f"{command} > {'lambda' if 'lambda' in group else 'execution'}.json"


def _about(timeline: Timeline) -> float | None:
    request, invocation = timeline.request, timeline.invocation
    if request is not None and request.arrived_at is not None:
        return request.arrived_at
    if timeline.clocks.cut_at is not None:
        return timeline.clocks.cut_at
    return invocation.started_at if invocation is not None else None


def _iso(timeline: Timeline, offset_ms: float) -> str:
    from apigw_doctor.model.times import iso

    at = _about(timeline)
    return iso(at + offset_ms) if at is not None else "START"
