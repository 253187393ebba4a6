"""The schedule of one request, and the truth that follows from it.

A `Course` says what a request goes through, part by part, each with its milliseconds; parts that were injected carry
the cause that they stand for. `play` lets the timers of `Clocks` run against it on paper. The truth's cause is the one
that would have saved the request if removed alone; if several would, the one with most of the milliseconds; if none
would, the largest, with the others as `also`. A timer that was set below what the others allow counts as a cause of
its own: the integration's where `proper_limit_ms` says so, the load balancer's, edge's and client's where they fired.
Nothing here knows how a diagnosis decides.
"""

import math

import msgspec

from apigw_doctor.model.terms import Boundary, Layer

_NEVER = math.inf
_LIMIT, _BALANCER = "integration-timeout-too-low", "load-balancer-timeout"
_EDGE, _CLIENT = "edge-timeout", "client-gave-up"
#: causes that are a timer, not a part
_OF_TIMERS = {_LIMIT: Layer.GATEWAY, _BALANCER: Layer.NETWORK, _EDGE: Layer.EDGE, _CLIENT: Layer.CLIENT}


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """Some milliseconds of a request; `ms` is infinite for what never comes back.

    `cause` is set for what was injected; `normal_ms` is how long the part takes without it. `step` is how the
    function's handler makes it happen (None: it works for `ms`).
    """

    layer: Layer
    name: str
    ms: float
    cause: str | None = None
    normal_ms: float = 0.0
    step: dict[str, object] | None = None


class Ending(msgspec.Struct, frozen=True, kw_only=True):
    """How a request fails although no timer fires."""

    cause: str
    layer: Layer
    boundary: Boundary = Boundary.NONE


class Clocks(msgspec.Struct, frozen=True, kw_only=True):
    """The timers that run against a request, in ms; None: there is none."""

    limit_ms: float
    #: what the limit should be, where the limit itself is what was injected
    proper_limit_ms: float | None = None
    function_ms: float | None = None
    init_ms: float | None = 10_000.0
    authorizer_ms: float | None = None
    balancer_ms: float | None = None
    connect_ms: float | None = None
    edge_ms: float | None = None
    client_ms: float | None = None


class Course(msgspec.Struct, frozen=True, kw_only=True):
    """What a request goes through, in order."""

    clocks: Clocks
    authorizer: tuple[Part, ...] = ()
    init: tuple[Part, ...] = ()
    #: between the gateway and a backend that is no function
    path: tuple[Part, ...] = ()
    run: tuple[Part, ...] = ()
    ending: Ending | None = None
    #: the function is called at all
    invoked: bool = True
    #: the backend is a function (its own timeout and init limit hold)
    lambda_target: bool = True


class Fate(msgspec.Struct, frozen=True, kw_only=True):
    """Which timer fired when; `boundary` none: the request was answered after `ended_ms`."""

    boundary: Boundary
    ended_ms: float
    timer_ms: float | None = None


class Truth(msgspec.Struct, frozen=True, kw_only=True):
    """What happened to a request and what would have saved it; cause None: nothing was wrong."""

    boundary: Boundary
    layer: Layer | None
    cause: str | None
    timed_out: bool
    ended_ms: float
    timer_ms: float | None = None
    also: tuple[str, ...] = ()


def play(course: Course, without: str | None = None) -> Fate:
    """Run the timers against the course; `without` takes the parts, or the timer, of one cause out."""
    inner = _inner(course, without)
    outer = [
        Fate(boundary=boundary, ended_ms=timer_ms, timer_ms=timer_ms)
        for cause, boundary, timer_ms in (
            (_EDGE, Boundary.EDGE_TIMEOUT, course.clocks.edge_ms),
            (_CLIENT, Boundary.CLIENT_TIMEOUT, course.clocks.client_ms),
        )
        if timer_ms is not None and timer_ms < inner.ended_ms and cause != without
    ]
    return min([*outer, inner], key=lambda fate: fate.ended_ms)


def _inner(course: Course, without: str | None) -> Fate:
    """What the gateway sees."""
    clocks = course.clocks
    authorizer_ms = _total(course.authorizer, without)
    if clocks.authorizer_ms is not None and authorizer_ms > clocks.authorizer_ms:
        return Fate(boundary=Boundary.AUTHORIZER_TIMEOUT, ended_ms=clocks.authorizer_ms, timer_ms=clocks.authorizer_ms)
    if not course.invoked:
        return Fate(boundary=Boundary.NONE, ended_ms=authorizer_ms)
    return _integration(course, without, authorizer_ms)


def _integration(course: Course, without: str | None, before_ms: float) -> Fate:
    clocks = course.clocks
    init_ms, run_ms = _total(course.init, without), _total(course.run, without)
    path_ms = _total(course.path, without)
    if course.lambda_target and clocks.init_ms is not None and init_ms > clocks.init_ms:
        # Cut, and run again inside the invocation.
        init_ms, run_ms = clocks.init_ms, init_ms + run_ms
    limit_ms = clocks.limit_ms
    if without == _LIMIT and clocks.proper_limit_ms is not None:
        limit_ms = clocks.proper_limit_ms
    ends = [(limit_ms, Boundary.INTEGRATION_TIMEOUT, limit_ms)]
    if course.lambda_target and clocks.function_ms is not None and run_ms > clocks.function_ms:
        ends.append((init_ms + clocks.function_ms, Boundary.FUNCTION_TIMEOUT, clocks.function_ms))
    if clocks.balancer_ms is not None and run_ms > clocks.balancer_ms and without != _BALANCER:
        ends.append((path_ms + clocks.balancer_ms, Boundary.LOAD_BALANCER_TIMEOUT, clocks.balancer_ms))
    if clocks.connect_ms is not None and path_ms > clocks.connect_ms:
        ends.append((clocks.connect_ms, Boundary.CONNECT_TIMEOUT, clocks.connect_ms))
    answered_ms = init_ms + path_ms + run_ms
    first_ms, boundary, timer_ms = min(ends, key=lambda end: end[0])
    if answered_ms <= first_ms:
        return Fate(boundary=Boundary.NONE, ended_ms=before_ms + answered_ms)
    return Fate(boundary=boundary, ended_ms=before_ms + first_ms, timer_ms=timer_ms)


def truth(course: Course) -> Truth:
    """What the schedule says of the request."""
    fate = play(course)
    if fate.boundary is Boundary.NONE:
        ending = course.ending
        return Truth(
            boundary=Boundary.NONE if ending is None else ending.boundary,
            layer=None if ending is None else ending.layer,
            cause=None if ending is None else ending.cause,
            timed_out=ending is not None and ending.boundary is not Boundary.NONE,
            ended_ms=fate.ended_ms,
        )
    shares = _shares(course, fate)
    saving = [cause for cause in shares if _saved(course, fate, cause)]
    ranked = sorted(saving or shares, key=lambda cause: -shares[cause])
    cause = ranked[0] if ranked else None
    return Truth(
        boundary=fate.boundary,
        layer=_layer(course, cause),
        cause=cause,
        timed_out=True,
        ended_ms=fate.ended_ms,
        timer_ms=fate.timer_ms,
        also=() if saving else tuple(ranked[1:]),
    )


def _saved(course: Course, fate: Fate, cause: str) -> bool:
    again = play(course, without=cause)
    return again.boundary is Boundary.NONE and fate.boundary is not Boundary.NONE


def _total(parts: tuple[Part, ...], without: str | None) -> float:
    return sum(part.normal_ms if without is not None and part.cause == without else part.ms for part in parts)


def _shares(course: Course, fate: Fate) -> dict[str, float]:
    """Milliseconds of each injected cause until the request ended; of a timer, those that it fired too early."""
    shares: dict[str, float] = {}
    at_ms = 0.0
    for part in _parts(course):
        spent_ms = max(min(part.ms, fate.ended_ms - at_ms), 0.0)
        if part.cause is not None:
            shares[part.cause] = shares.get(part.cause, 0.0) + spent_ms - min(part.normal_ms, spent_ms)
        at_ms += spent_ms
    proper_ms = course.clocks.proper_limit_ms
    if proper_ms is not None and proper_ms > course.clocks.limit_ms:
        shares[_LIMIT] = proper_ms - course.clocks.limit_ms
    for cause, boundary in (
        (_BALANCER, Boundary.LOAD_BALANCER_TIMEOUT),
        (_EDGE, Boundary.EDGE_TIMEOUT),
        (_CLIENT, Boundary.CLIENT_TIMEOUT),
    ):
        if fate.boundary is boundary:
            shares[cause] = play(course, without=cause).ended_ms - fate.ended_ms
    return shares


def _parts(course: Course) -> tuple[Part, ...]:
    return (*course.authorizer, *course.init, *course.path, *course.run)


def _layer(course: Course, cause: str | None) -> Layer | None:
    if cause in _OF_TIMERS:
        return _OF_TIMERS[cause]
    return next((part.layer for part in _parts(course) if part.cause == cause), None)
