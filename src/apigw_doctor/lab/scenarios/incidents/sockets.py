"""WebSocket APIs: what fails there is told in frames, not in statuses."""

from apigw_doctor.lab.scenarios.course import Course, Ending, Part
from apigw_doctor.lab.scenarios.incident import Call, Draw, Incident, scenario
from apigw_doctor.lab.scenarios.kit import SOCKET_LIMIT_MS, function, lambda_clocks, route, setup, work
from apigw_doctor.lab.setup import LabRoute
from apigw_doctor.model.terms import ApiType, Layer

_CALLERS = 4


@scenario(
    "websocket-timeout",
    "Some questions over a WebSocket take longer than 29 s: the caller gets a frame, and nothing more.",
    ("backend-slower-than-limit",),
)
def websocket_timeout(draw: Draw) -> Incident:
    """Quick messages go on over the same connections meanwhile."""
    chat, ping = function("chat-fn", timeout_ms=90_000.0), function("ping-fn")
    slow_ones = draw.some(0.08)
    calls = []
    for number, at_ms in enumerate(draw.times(draw.requests, 400_000.0, gap_ms=300.0, from_ms=2_000.0)):
        slow = number in slow_ones
        asked = slow or draw.chance.random() < 0.6
        if asked:
            work_ms = draw.between(32_000, 55_000) if slow else draw.between(600, 17_000)
            cause = "backend-slower-than-limit" if slow else None
            part = work(work_ms, cause=cause, normal_ms=6_000.0, say="question read", pages=1_500.0)
            course = Course(clocks=lambda_clocks(chat, SOCKET_LIMIT_MS), run=(part,))
        else:
            course = Course(clocks=lambda_clocks(ping, SOCKET_LIMIT_MS), run=(work(draw.between(5, 60)),))
        calls.append(_said(at_ms, number, course, "ask" if asked else "ping"))
    routes = (_route("ask", "chat-fn"), _route("ping", "ping-fn"))
    return Incident(setup=setup(chat, ping, routes=routes, api_type=ApiType.WEBSOCKET), calls=tuple(calls))


@scenario(
    "websocket-function-error",
    "A room that nobody knows makes the function raise: the caller gets a frame that says no more.",
    ("application-error",),
)
def websocket_function_error(draw: Draw) -> Incident:
    """`Internal server error` on an open connection; slow answers are no part of it."""
    chat = function("chat-fn")
    bad_ones = draw.some(0.08)
    calls = []
    for number, at_ms in enumerate(draw.times(draw.requests, 300_000.0, gap_ms=300.0, from_ms=2_000.0)):
        slow = draw.chance.random() < 0.1
        parts = [work(draw.between(14_000, 24_000) if slow else draw.between(20, 2_000), say="message read")]
        bad = number in bad_ones
        if bad:
            step: dict[str, object] = {"do": "fail", "type": "KeyError", "text": "room-17"}
            parts.append(Part(layer=Layer.FUNCTION, name="function", ms=0.0, step=step))
        ending = Ending(cause="application-error", layer=Layer.FUNCTION) if bad else None
        course = Course(clocks=lambda_clocks(chat, SOCKET_LIMIT_MS), run=tuple(parts), ending=ending)
        calls.append(_said(at_ms, number, course, "say"))
    routes = (_route("say", "chat-fn"),)
    return Incident(setup=setup(chat, routes=routes, api_type=ApiType.WEBSOCKET), calls=tuple(calls))


def _route(key: str, function_name: str) -> LabRoute:
    return route("", key, function_name)


def _said(at_ms: float, number: int, course: Course, action: str) -> Call:
    caller = number % _CALLERS
    return Call(
        at_ms=at_ms,
        method="",
        path=action,
        course=course,
        cold=number == 0,
        body=f'{{"action": "{action}", "number": {number}}}',
        caller=caller,
        source_ip=f"203.0.113.{10 + caller}",
        message=True,
    )
