"""Remedies put into place in the lab: the same arrivals, with one thing changed.

Each remedy changes the setup as its real counterpart would, and the courses of the calls with it: what it removes, and
nothing else.
"""

import math
from collections.abc import Callable
from typing import Any

import msgspec

from apigw_doctor.lab.scenarios.course import Course, Part
from apigw_doctor.lab.scenarios.incident import Call, Incident, Service
from apigw_doctor.lab.setup import LabFunction, LabRoute, LabSetup
from apigw_doctor.limits.defaults import default_integration_limit_ms
from apigw_doctor.limits.table import limit, value
from apigw_doctor.model.errors import UsageError
from apigw_doctor.model.terms import Layer

#: What a client's timeout is set to when the remedy is tried, and how many attempts it then has.
_CALL_TIMEOUT_MS = 2_000.0
_ATTEMPTS = 2
_PROVISIONED = 20
_RESTORE_MS = 300.0


def apply(fix: str, incident: Incident) -> Incident:
    """The incident with the remedy in place."""
    if fix not in FIXES:
        raise UsageError(f"the lab cannot try {fix!r}", hint=f"it can try {', '.join(FIXES)}")
    return FIXES[fix](incident)


def _integration_timeout(incident: Incident) -> Incident:
    """Every integration gets back the default of its API type."""
    api = incident.setup.api
    default_ms = default_integration_limit_ms(api.api_type.value, api.endpoint_type)

    def route(one: LabRoute) -> LabRoute:
        return msgspec.structs.replace(one, timeout_ms=None)

    def course(one: Course) -> Course:
        limit_ms = max(default_ms, one.clocks.limit_ms)
        clocks = msgspec.structs.replace(one.clocks, limit_ms=limit_ms, proper_limit_ms=None)
        return msgspec.structs.replace(one, clocks=clocks)

    return _changed(incident, route=route, course=course)


def _provisioned_concurrency(incident: Incident) -> Incident:
    """Environments are ready before the first call; the integration calls an alias."""

    def function(one: LabFunction) -> LabFunction:
        return msgspec.structs.replace(one, provisioned_concurrency=_PROVISIONED, qualifier="live", version="7")

    return _changed(incident, function=function, course=_without_init, cold=False)


def _snapstart(incident: Incident) -> Incident:
    """A cold environment is restored in a moment instead of being initialised."""

    def course(one: Course) -> Course:
        init = tuple(msgspec.structs.replace(part, ms=min(part.ms, _RESTORE_MS)) for part in one.init)
        return msgspec.structs.replace(one, init=init)

    return _changed(incident, course=course)


def _client_timeouts(incident: Incident) -> Incident:
    """Calls give up after two seconds and try once more; what stalls once need not stall twice."""

    def part(one: Part) -> Part:
        if one.layer is not Layer.DEPENDENCY or one.step is None or one.step.get("do") != "call":
            return one
        again_ms = one.normal_ms
        stalls = one.ms > _CALL_TIMEOUT_MS
        step: dict[str, Any] = dict(one.step) | {
            "timeout_s": _CALL_TIMEOUT_MS / 1000.0,
            "attempts": _ATTEMPTS,
            "ms_again": again_ms,
            "done": f"{one.name} -> 200",
        }
        ms = _CALL_TIMEOUT_MS + again_ms if stalls else one.ms
        return msgspec.structs.replace(one, ms=ms, step=step, cause=None)

    return _changed(incident, course=lambda one: msgspec.structs.replace(one, run=tuple(map(part, one.run))))


def _function_timeout(incident: Incident) -> Incident:
    """The function may run two seconds longer than the gateway waits."""
    longest_ms = max((call.course.clocks.limit_ms for call in incident.calls), default=0.0) + 2_000.0

    def function(one: LabFunction) -> LabFunction:
        return msgspec.structs.replace(one, timeout_ms=max(one.timeout_ms, longest_ms))

    def course(one: Course) -> Course:
        function_ms = one.clocks.function_ms
        clocks = msgspec.structs.replace(
            one.clocks, function_ms=None if function_ms is None else max(function_ms, longest_ms)
        )
        return msgspec.structs.replace(one, clocks=clocks)

    return _changed(incident, function=function, course=course)


def _concurrency(incident: Incident) -> Incident:
    """No reserved concurrency holds the function back."""

    def function(one: LabFunction) -> LabFunction:
        return msgspec.structs.replace(one, reserved_concurrency=None)

    def course(one: Course) -> Course:
        throttled = one.ending is not None and one.ending.cause == "function-throttled"
        return msgspec.structs.replace(one, ending=None, invoked=True) if throttled else one

    return _changed(incident, function=function, course=course)


def _load_balancer_idle_timeout(incident: Incident) -> Incident:
    """The load balancer waits longer than the gateway does."""
    most_ms = limit("alb-idle").maximum or math.inf

    def course(one: Course) -> Course:
        clocks = one.clocks
        longer_ms = None if clocks.balancer_ms is None else min(clocks.limit_ms + 1_000.0, most_ms)
        return msgspec.structs.replace(one, clocks=msgspec.structs.replace(clocks, balancer_ms=longer_ms))

    def service(one: Service) -> Service:
        if one.balancer is None:
            return one
        longer_ms = max(one.balancer.idle_timeout_ms, value("alb-idle"))
        return msgspec.structs.replace(one, balancer=msgspec.structs.replace(one.balancer, idle_timeout_ms=longer_ms))

    changed = _changed(incident, course=course)
    return msgspec.structs.replace(changed, services=tuple(map(service, changed.services)))


FIXES: dict[str, Callable[[Incident], Incident]] = {
    "integration-timeout": _integration_timeout,
    "provisioned-concurrency": _provisioned_concurrency,
    "snapstart": _snapstart,
    "client-timeouts": _client_timeouts,
    "function-timeout": _function_timeout,
    "concurrency": _concurrency,
    "load-balancer-idle-timeout": _load_balancer_idle_timeout,
}
"""The remedies that can be tried, by the id that reports give them."""


def _without_init(one: Course) -> Course:
    return msgspec.structs.replace(one, init=())


def _changed(
    incident: Incident,
    *,
    route: Callable[[LabRoute], LabRoute] = lambda one: one,
    function: Callable[[LabFunction], LabFunction] = lambda one: one,
    course: Callable[[Course], Course] = lambda one: one,
    cold: bool | None = None,
) -> Incident:
    setup = incident.setup
    api = msgspec.structs.replace(setup.api, routes=tuple(map(route, setup.api.routes)))
    new_setup: LabSetup = msgspec.structs.replace(setup, api=api, functions=tuple(map(function, setup.functions)))

    def call(one: Call) -> Call:
        return msgspec.structs.replace(
            one, course=course(one.course), cold=one.cold if cold is None else cold and one.cold
        )

    return msgspec.structs.replace(incident, setup=new_setup, calls=tuple(map(call, incident.calls)))
