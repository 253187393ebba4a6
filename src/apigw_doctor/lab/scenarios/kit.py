"""Pieces that scenarios are built from: an API like many, functions, parts of a course."""

import math
from typing import TypeVar

from apigw_doctor.lab.evidence.access import RECOMMENDED
from apigw_doctor.lab.network.faults import Fault
from apigw_doctor.lab.scenarios.course import Clocks, Part
from apigw_doctor.lab.scenarios.incident import CODE
from apigw_doctor.lab.setup import LabApi, LabBalancer, LabFunction, LabRoute, LabSetup, LogForm
from apigw_doctor.limits.defaults import default_integration_limit_ms
from apigw_doctor.limits.table import value
from apigw_doctor.model.terms import ApiType, Layer

NEVER = math.inf
F = TypeVar("F", bound=Fault)
REST_LIMIT_MS = default_integration_limit_ms("rest", "regional")
HTTP_LIMIT_MS = default_integration_limit_ms("http")
SOCKET_LIMIT_MS = default_integration_limit_ms("websocket")


def function(
    name: str, *, timeout_ms: float = 31_000.0, memory_mb: int = 512, log_form: LogForm = "text", **more: object
) -> LabFunction:
    """A function that runs the scenarios' handler; its timeout lies two seconds over the gateway's limit."""
    return LabFunction(
        name=name,
        handler="app.handler",
        code=CODE,
        timeout_ms=timeout_ms,
        memory_mb=memory_mb,
        log_form=log_form,
        **more,  # type: ignore[arg-type]
    )


def setup(
    *functions: LabFunction,
    routes: tuple[LabRoute, ...],
    api_type: ApiType = ApiType.REST,
    balancers: tuple[LabBalancer, ...] = (),
    **more: object,
) -> LabSetup:
    """One API with its stage, logging as we recommend it, and functions."""
    api_id = {ApiType.REST: "a1b2c3d4e5", ApiType.HTTP: "h1b2c3d4e5", ApiType.WEBSOCKET: "w1b2c3d4e5"}[api_type]
    options: dict[str, object] = {"stage": "prod", "access_log_format": access_format(api_type)} | more
    api = LabApi(api_id=api_id, name="shop", api_type=api_type, routes=routes, **options)  # type: ignore[arg-type]
    return LabSetup(api=api, functions=functions, balancers=balancers)


def access_format(api_type: ApiType) -> str:
    """The access-log format that we recommend, in the words of the API's type."""
    if api_type is ApiType.REST:
        return RECOMMENDED
    routed = RECOMMENDED.replace('"resourcePath":"$context.resourcePath"', '"routeKey":"$context.routeKey"')
    if api_type is ApiType.HTTP:
        return routed
    return routed.replace(
        '"sourceIp"', '"connectionId":"$context.connectionId","eventType":"$context.eventType","sourceIp"'
    )


def route(method: str, path: str, function_name: str | None = None, **more: object) -> LabRoute:
    """A route to a function (or, with `kind` and `url`, to something else)."""
    ids = f"{abs(hash_of(method + path)) % 10**6:06d}"
    fields: dict[str, object] = {"resource_id": f"r{ids[:5]}", "integration_id": f"i{ids}"} | more
    return LabRoute(method=method, path=path, function=function_name, **fields)  # type: ignore[arg-type]


def hash_of(text: str) -> int:
    """The same number in every process."""
    number = 7
    for letter in text:
        number = (number * 131 + ord(letter)) % 2**31
    return number


def lambda_clocks(one: LabFunction, limit_ms: float = REST_LIMIT_MS, **more: float | None) -> Clocks:
    """The timers of a function behind an integration."""
    return Clocks(limit_ms=limit_ms, function_ms=one.timeout_ms, init_ms=value("lambda-init"), **more)


def work(
    ms: float, *, cause: str | None = None, normal_ms: float = 0.0, say: str = "", done: str = "", pages: float = 0.0
) -> Part:
    """The function's own work; with `pages` it logs a line about every so many milliseconds."""
    step: dict[str, object] = {"do": "work", "ms": ms, "say": say, "done": done}
    if ms == NEVER:
        step = {"do": "hang", "say": say}
    elif pages:
        step = {
            "do": "progress",
            "ms": ms,
            "parts": max(int(ms // pages), 1),
            "text": "page {} of {} rendered",
            "say": say,
        }
    return Part(layer=Layer.FUNCTION, name="function", ms=ms, cause=cause, normal_ms=normal_ms, step=step)


def init(ms: float, *, cause: str | None = None) -> Part:
    """The module's own initialization."""
    return Part(layer=Layer.INIT, name="init", ms=ms, cause=cause)


def dependency(
    service: str,
    words: str,
    ms: float,
    *,
    cause: str | None = None,
    normal_ms: float = 0.0,
    trace: str | None = None,
    **step: object,
) -> Part:
    """A call to a service that answers after `ms`; `words` name it in the log before and after."""
    done = "" if ms == NEVER else f"{words} -> 200"
    fields = {"do": "call", "to": service, "ms": min(ms, 1e8), "say": words, "done": done, "name": words}
    if trace:
        fields["trace"] = trace
    return Part(layer=Layer.DEPENDENCY, name=words, ms=ms, cause=cause, normal_ms=normal_ms, step=fields | dict(step))


def http_clocks(limit_ms: float = REST_LIMIT_MS, **more: float | None) -> Clocks:
    """The timers of a backend that is no function."""
    return Clocks(limit_ms=limit_ms, **more)


def backend(ms: float, *, cause: str | None = None, normal_ms: float = 0.0) -> Part:
    """The work of a backend that is no function."""
    return Part(layer=Layer.BACKEND, name="backend", ms=ms, cause=cause, normal_ms=normal_ms)


def way(ms: float, *, cause: str | None = None, normal_ms: float = 0.0) -> Part:
    """The way from the gateway to a backend; infinite where nobody answers the connect."""
    return Part(layer=Layer.NETWORK, name="network path", ms=ms, cause=cause, normal_ms=normal_ms)


def check(ms: float, *, cause: str | None = None, normal_ms: float = 0.0, **step: object) -> Part:
    """The Lambda authorizer's work; `fail` in `step` is what it raises afterwards."""
    layer, name = Layer.AUTHORIZER, "authorizer"
    return Part(layer=layer, name=name, ms=ms, cause=cause, normal_ms=normal_ms, step=dict(step) or None)


def around(at_ms: float, kind: type[F], before_ms: float = 400.0, after_ms: float = 400.0, **more: object) -> F:
    """A fault that only the call at this moment meets."""
    return kind(from_ms=at_ms - before_ms, until_ms=at_ms + after_ms, **more)
