"""One answer with everything in it: several causes, hostile log text, long commands, weak percentiles."""

from typing import Any, Literal

from apigw_doctor.diagnosis.remedies import ACCESS_LOG_FORMAT
from apigw_doctor.diagnosis.verdict import (
    SCHEMA,
    Alternative,
    Cost,
    Coverage,
    Diagnosis,
    EvidenceText,
    Finding,
    JoinedInvocation,
    Missing,
    RankedFix,
    RouteStatistics,
    Summary,
    TimeSegment,
    UnreadLines,
    Verdict,
    Window,
)
from apigw_doctor.model.terms import (
    ApiType,
    Boundary,
    Confidence,
    ElapsedBasis,
    EvidenceKind,
    Join,
    Kind,
    Layer,
    LimitBasis,
    Outcome,
)

#: Steers a terminal, a table, rich's markup, HTML, Markdown, a chat and a shell.
HOSTILE = (
    "Calling \x1b[31mDynamoDB\x1b[0m GetItem \x1b]0;owned\x07 <script>alert(1)</script> [bold red]owned[/bold red]"
    " | `code` ```fence``` **md** [click](http://evil.invalid) @channel \u202eright-to-left\u2066 {{7*7}}\r\n\x00$(reboot)"
)
ACCESS_LOGGING = (
    "aws apigateway update-stage --rest-api-id k9x2m7p4q1 --stage-name prod --patch-operations"
    ' \'[{"op":"replace","path":"/accessLogSettings/format","value":"' + ACCESS_LOG_FORMAT.replace('"', '\\"') + "\"}]'"
)
RAISE_TIMEOUT = (
    "aws apigateway update-integration --rest-api-id k9x2m7p4q1 --resource-id"
    ' "$(aws apigateway get-resources --rest-api-id k9x2m7p4q1 --limit 500'
    " --query 'items[?path==`/orders/{id}`].id' --output text)\" --http-method GET"
    " --patch-operations op=replace,path=/timeoutInMillis,value=29000"
    " && aws apigateway create-deployment --rest-api-id k9x2m7p4q1 --stage-name prod"
)
FILTER = (
    "aws logs filter-log-events --log-group-name /aws/lambda/orders-api --start-time 17723592{0:02}000"
    " --end-time 17723593{0:02}000 --filter-pattern '\"{0}\"' > lambda.json"
)
TITLES = {
    "client-timeouts": "Set connect and read timeouts on the client that stalled, below the gateway's limit",
    "function-timeout": "Set the function's timeout to fit the gateway's limit",
}


def verdict(**changes: Any) -> Verdict:
    """A proven stalled call that the gateway cut at 29 s; `changes` make it another."""
    facts: dict[str, Any] = {
        "kind": Kind.FAILED,
        "request_id": "10f3b7e2-6d14-4c8a-9b51-2f7a90c4e101",
        "extended_request_id": "K7pQaGxvDoEJ9A=",
        "trace_id": "1-69afeba0-1a7c3e5b9d1f20486ace1351",
        "connection_id": None,
        "api_type": ApiType.REST,
        "api_id": "k9x2m7p4q1",
        "stage": "prod",
        "method": "GET",
        "route": "/orders/{id}",
        "arrived_at": "2026-03-01T10:00:05.123Z",
        "status": 504,
        "integration_status": None,
        "error_type": "INTEGRATION_TIMEOUT",
        "error_message": "Endpoint request timed out",
        "timed_out": True,
        "elapsed_ms": 29_131.0,
        "elapsed_basis": ElapsedBasis.MEASURED,
        "limit_ms": 29_000.0,
        "limit_basis": LimitBasis.OBSERVED,
        "timer_ms": 29_000.0,
        "boundary": Boundary.INTEGRATION_TIMEOUT,
        "layer": Layer.DEPENDENCY,
        "cause": "stalled-call",
        "code": "DEP101",
        "confidence": Confidence.PROVEN,
        "summary": "stalled call: 28,870 ms of silence after <b>GetItem</b> on table `orders` | [bold]@here[/bold],"
        " then the gateway cut at 29,000 ms",
        "invocation": invocation(),
        "segments": SEGMENTS,
        "evidence": PROOF,
        "missing": (),
        "alternatives": (Alternative(cause="event-loop-not-drained", why_not="the last line is a call, not a result"),),
        "fixes": ("client-timeouts", "async-conversion"),
    }
    return Verdict(**{**facts, **changes})


def invocation(**changes: Any) -> JoinedInvocation:
    """The invocation behind the stalled call: it ran on for two seconds after the cut."""
    facts: dict[str, Any] = {
        "request_id": "ae5d2c90-71ab-4f36-8a2d-b04c93f1a177",
        "function": "orders-api",
        "duration_ms": 31_000.0,
        "init_ms": None,
        "outcome": Outcome.TIMEOUT,
        "join": Join.TRACE_ID,
        "candidates": 1,
        "offset_ms": 158.0,
    }
    return JoinedInvocation(**{**facts, **changes})


def segment(
    layer: Layer, name: str, start: float, took: float, basis: Literal["measured", "inferred"] = "measured"
) -> TimeSegment:
    return TimeSegment(layer=layer, name=name, start_ms=start, duration_ms=took, basis=basis)


SEGMENTS = (
    segment(Layer.AUTHORIZER, "authorizer", 0, 120),
    segment(Layer.GATEWAY, "gateway until sending", 120, 7),
    segment(Layer.NETWORK, "placement and network", 127, 31, "inferred"),
    segment(Layer.FUNCTION, "function", 158, 103),
    segment(Layer.DEPENDENCY, f"silence after: {HOSTILE[:80]}", 261, 28_870),
)
PROOF = (
    EvidenceText(origin="logs/execution.log:72", text="(10f3b7e2) Execution failed due to a timeout error"),
    EvidenceText(origin="logs/execution.log:73", text="(10f3b7e2) Method completed with status: 504"),
    EvidenceText(origin="logs/[link=http://evil.invalid]lambda.log:3", text=HOSTILE + " and so on" * 60),
)


def failed() -> tuple[Verdict, ...]:
    """Seventeen failed requests of six causes."""
    return (
        *(_stalled(number) for number in range(9)),
        *(_throttled(number) for number in range(3)),
        *(_undetermined(number) for number in range(2)),
        _killed(),
        _cold(),
        _unknown_caller(),
    )


def _stalled(number: int) -> Verdict:
    likely = number in (3, 5)
    return verdict(
        request_id=f"10f3b7e2-6d14-4c8a-9b51-2f7a90c4e1{number:02}",
        arrived_at=f"2026-03-01T10:00:{number * 5:02}.123Z",
        elapsed_ms=29_131.0 + number,
        confidence=Confidence.LIKELY if likely else Confidence.PROVEN,
        missing=(_missing_trace(number),) if likely else (),
    )


def _missing_trace(number: int) -> Missing:
    reason = "a trace joins the request to its invocation and shows the calls inside"
    remedy = f"aws xray batch-get-traces --trace-ids 1-69afeba0-1a7c3e5b9d1f20486ace13{number:02} > trace.json"
    return Missing(wanted="the X-Ray trace", reason=reason, remedy=remedy)


def _throttled(number: int) -> Verdict:
    return verdict(
        request_id=f"30f3b7e2-6d14-4c8a-9b51-2f7a90c4e3{number:02}",
        method="POST",
        status=500,
        timed_out=False,
        elapsed_ms=32.4,
        timer_ms=None,
        boundary=Boundary.NONE,
        layer=Layer.CAPACITY,
        cause="function-throttled",
        code="CAP101",
        summary="function throttled: Lambda had no free concurrency and refused the call after 32 ms",
        route="/orders",
        invocation=None,
        segments=(),
        fixes=("concurrency", "retry-transient"),
    )


def _undetermined(number: int) -> Verdict:
    reason = "2 invocations fit this request by time; an id in the log would tell them apart"
    wanted = "the gateway's request id in the function's log (Lambda)"
    return verdict(
        request_id=f"40f3b7e2-6d14-4c8a-9b51-2f7a90c4e4{number:02}",
        layer=Layer.UNKNOWN,
        cause="undetermined",
        code="UNK000",
        confidence=Confidence.UNDETERMINED,
        summary="the gateway cut at 29,000 ms; what spent the time is not in the evidence",
        invocation=invocation(request_id=None, duration_ms=None, join=None, candidates=2, offset_ms=None),
        missing=(Missing(wanted=wanted, reason=reason, remedy=FILTER.format(number)),),
        segments=(segment(Layer.UNKNOWN, "integration", 0, 29_131, "inferred"),),
        fixes=(),
    )


def _killed() -> Verdict:
    return verdict(
        request_id="20f3b7e2-6d14-4c8a-9b51-2f7a90c4e201",
        method="POST",
        route="/reports/{tenant}/" + "a-rather-long-path-segment/" * 4 + "|[red]<b>",
        status=502,
        integration_status=200,
        elapsed_ms=10_040.0,
        limit_basis=LimitBasis.DEFAULT,
        timer_ms=10_000.0,
        boundary=Boundary.FUNCTION_TIMEOUT,
        layer=Layer.FUNCTION,
        cause="function-timeout",
        code="FUN102",
        summary="function timeout: Lambda killed the function at its own timeout of 10,000 ms",
        invocation=invocation(duration_ms=10_000.0, join=Join.REQUEST_ID, offset_ms=28.0),
        segments=(
            segment(Layer.GATEWAY, "gateway until sending", 0, 7),
            segment(Layer.NETWORK, "placement and network", 7, 21, "inferred"),
            segment(Layer.FUNCTION, "function", 28, 10_003),
            segment(Layer.NETWORK, "answer on its way", 10_031, 9),
        ),
        missing=(),
        fixes=("function-timeout", "memory"),
    )


def _cold() -> Verdict:
    return verdict(
        request_id="50f3b7e2-6d14-4c8a-9b51-2f7a90c4e501",
        arrived_at=None,
        layer=Layer.INIT,
        cause="cold-start",
        code="INI101",
        confidence=Confidence.LIKELY,
        summary="cold start: 9,200 ms init + 21,000 ms run passed the 29,000 ms limit; the run alone would have fitted",
        invocation=invocation(duration_ms=21_000.0, init_ms=9_200.0, outcome=Outcome.SUCCESS),
        fixes=("provisioned-concurrency",),
    )


def _unknown_caller() -> Verdict:
    return verdict(
        request_id=None,
        extended_request_id=None,
        method=None,
        route=None,
        status=None,
        elapsed_ms=None,
        limit_ms=None,
        limit_basis=None,
        timer_ms=900_000.0,
        boundary=Boundary.FUNCTION_TIMEOUT,
        cause="function-timeout",
        code="FUN102",
        layer=Layer.FUNCTION,
        summary="function timeout: killed after 900,000 ms; no gateway log was given for it",
        segments=(),
        fixes=("function-timeout",),
    )


def near() -> tuple[Verdict, ...]:
    """Six requests that came near their limit."""
    return tuple(
        verdict(
            kind=Kind.NEAR_LIMIT,
            request_id=f"60f3b7e2-6d14-4c8a-9b51-2f7a90c4e6{number:02}",
            status=200,
            error_type=None,
            error_message=None,
            timed_out=False,
            elapsed_ms=24_000.0 + 800 * number,
            timer_ms=None,
            boundary=Boundary.NONE,
            layer=Layer.FUNCTION,
            cause="backend-slower-than-limit",
            code="FUN101",
            summary=f"the backend took {24_000 + 800 * number:,} of 29,000 ms",
            segments=(segment(Layer.FUNCTION, "function", 0, 24_000.0 + 800 * number),),
            invocation=None,
        )
        for number in range(6)
    )


def coverage() -> tuple[Coverage, ...]:
    return (
        _covered(EvidenceKind.EXECUTION_LOG, "present", "1,204 requests with data trace"),
        _covered(EvidenceKind.ACCESS_LOG, "partial", "1,204 requests without latencies or error types", ACCESS_LOGGING),
        _covered(EvidenceKind.LAMBDA_LOG, "present", "1,187 invocations of orders-api, 1,185 with a REPORT"),
        _covered(EvidenceKind.TRACES, "absent", "none given", "aws xray get-trace-summaries > traces.json"),
        _covered(EvidenceKind.METRICS, "absent", "none given (files are read without them)"),
        _covered(
            EvidenceKind.CONFIGURATION, "absent", "none given", "give the output of get-integration as a file too"
        ),
        _covered(EvidenceKind.LOAD_BALANCER_LOG, "absent", "none given"),
        _covered(EvidenceKind.EDGE_LOG, "absent", "none given"),
        _covered(EvidenceKind.CLIENT, "absent", "none given"),
    )


def _covered(
    kind: EvidenceKind, state: Literal["present", "partial", "absent"], detail: str, remedy: str | None = None
) -> Coverage:
    return Coverage(evidence=kind, state=state, detail=detail, remedy=remedy)


def fixes() -> tuple[RankedFix, ...]:
    why = "one call without a short timeout ate the whole budget; fail fast and answer an error"
    early = "the gateway gave up before the limit that its API type allows"
    return (
        _fix("client-timeouts", TITLES["client-timeouts"], 12, "advice", None, why),
        _fix("integration-timeout", "Raise the integration timeout", 3, "review", RAISE_TIMEOUT, early),
        _fix(
            "access-logging", "Log access with latencies, ids and error types", None, "safe", ACCESS_LOGGING, "why not"
        ),
    )


def _fix(
    name: str, title: str, saves: int | None, care: Literal["safe", "review", "advice"], command: str | None, why: str
) -> RankedFix:
    return RankedFix(id=name, title=title, saves=saves, of=17, applicability=care, command=command, why=why)


def routes() -> tuple[RouteStatistics, ...]:
    return tuple(
        RouteStatistics(
            api_id="k9x2m7p4q1",
            stage="prod",
            method="GET" if number else "POST",
            route="/orders/{id}" + "/items" * number + ("/|[red]<b>" if number == 2 else ""),
            n=1_000 >> number,
            failed=9 if number == 0 else 0,
            timed_out=8 if number == 0 else 0,
            p50_ms=78.0 + number,
            p90_ms=812.0,
            p99_ms=29_003.0 if number == 0 else 1_303.0,
            max_ms=29_003.0,
            limit_ms=29_000.0 if number < 5 else None,
        )
        for number in range(9)
    )


def diagnosis(**changes: Any) -> Diagnosis:
    """The rich sample; `changes` replace whole parts of it."""
    parts: dict[str, Any] = {
        "schema": SCHEMA,
        "summary": Summary(
            headline="17 of 1,204 requests failed, 14 of them timed out - 9 by stalled-call on GET /orders/{id} (proven):"
            " 28,870 ms of silence after <b>GetItem</b> on table `orders`",
            requests=1204,
            invocations=1187,
            failed=17,
            timed_out=14,
            by_layer={"dependency": 9, "capacity": 3, "unknown": 2, "function": 2, "init": 1},
            by_cause={
                "stalled-call": 9,
                "function-throttled": 3,
                "undetermined": 2,
                "function-timeout": 2,
                "cold-start": 1,
            },
            by_boundary={"integration-timeout": 12, "none": 3, "function-timeout": 2},
            window=Window(from_="2026-03-01T10:00:00.000Z", to="2026-03-01T10:59:59.999Z"),
            near_limit=6,
        ),
        "coverage": coverage(),
        "verdicts": (*failed(), *near()),
        "findings": (
            Finding(
                code="retry-storm",
                name="retry-storm",
                title="One client sends the same request again and again",
                count=4,
                detail=f"192.0.2.7 repeats GET /orders/42 about every 29.1 s: one root cause, 4 victims {HOSTILE}",
                evidence=PROOF,
            ),
        ),
        "fixes": fixes(),
        "unread": tuple(
            UnreadLines(origin=f"logs/part-{number}|[red].log", lines=3 + number, reason="no known form")
            for number in range(12)
        ),
        "cost": Cost(estimated_usd=0.01, usd=0.0023, scanned_bytes=3_200_000, aws_calls=12),
        "routes": routes(),
        "notes": ("the Lambda log's clock is -310 ms off the gateway's, by 40 joins by id",),
        "gaps": ("logs/lambda.log.gz: the file is cut short after 1,024 lines",),
    }
    return Diagnosis(**{**parts, **changes})


def quiet() -> Diagnosis:
    """Nothing failed; two requests came near."""
    summary = Summary(
        headline="no failed request among 1204 requests; 2 came near the limit",
        requests=1204,
        invocations=1187,
        failed=0,
        timed_out=0,
        by_layer={},
        by_cause={},
        by_boundary={},
        window=Window(from_="2026-03-01T10:00:00.000Z", to="2026-03-01T10:59:59.999Z"),
        near_limit=2,
    )
    nothing: dict[str, Any] = {"findings": (), "fixes": (), "unread": (), "cost": None, "notes": (), "gaps": ()}
    return diagnosis(summary=summary, verdicts=near()[:2], **nothing)
