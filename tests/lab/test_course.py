"""The truth follows from the schedule: what would have saved the request if it alone were removed."""

import math

import msgspec
import pytest

from apigw_doctor.lab.scenarios.course import Clocks, Course, Ending, Part, truth
from apigw_doctor.model.terms import Boundary, Layer

CLOCKS = Clocks(limit_ms=29_000.0, function_ms=31_000.0)


def part(ms: float, cause: str | None = None, layer: Layer = Layer.FUNCTION, normal_ms: float = 0.0) -> Part:
    return Part(layer=layer, name=cause or "work", ms=ms, cause=cause, normal_ms=normal_ms)


def test_an_answered_request_has_no_cause() -> None:
    said = truth(Course(clocks=CLOCKS, run=(part(28_000.0),)))
    assert (said.boundary, said.cause, said.timed_out) == (Boundary.NONE, None, False)


def test_what_alone_would_have_saved_it_is_the_cause() -> None:
    cold = part(4_000.0, "cold-start", Layer.INIT)
    slow = part(2_000.0, "dependency-slow", Layer.DEPENDENCY, normal_ms=1_500.0)
    said = truth(Course(clocks=CLOCKS, init=(cold,), run=(part(24_000.0), slow)))
    assert (said.cause, said.layer, said.also) == ("cold-start", Layer.INIT, ())


def test_of_two_that_would_each_have_saved_it_the_larger_share_is_the_cause() -> None:
    cold, slow = part(4_000.0, "cold-start", Layer.INIT), part(9_000.0, "dependency-slow", Layer.DEPENDENCY)
    said = truth(Course(clocks=CLOCKS, init=(cold,), run=(part(17_000.0), slow)))
    assert (said.cause, said.also) == ("dependency-slow", ())


def test_where_neither_would_have_saved_it_the_other_is_named_too() -> None:
    cold, slow = part(8_000.0, "cold-start", Layer.INIT), part(40_000.0, "dependency-slow", Layer.DEPENDENCY)
    said = truth(Course(clocks=CLOCKS, init=(cold,), run=(part(28_500.0), slow)))
    assert (said.cause, said.also) == ("cold-start", ("dependency-slow",))


@pytest.mark.parametrize(
    ("run_ms", "clocks", "boundary", "timer_ms"),
    [
        (math.inf, CLOCKS, Boundary.INTEGRATION_TIMEOUT, 29_000.0),
        (math.inf, msgspec.structs.replace(CLOCKS, function_ms=10_000.0), Boundary.FUNCTION_TIMEOUT, 10_000.0),
        (math.inf, msgspec.structs.replace(CLOCKS, client_ms=5_000.0), Boundary.CLIENT_TIMEOUT, 5_000.0),
        (math.inf, msgspec.structs.replace(CLOCKS, edge_ms=20_000.0), Boundary.EDGE_TIMEOUT, 20_000.0),
    ],
)
def test_the_timer_that_fires_first_is_the_boundary(
    run_ms: float, clocks: Clocks, boundary: Boundary, timer_ms: float
) -> None:
    said = truth(Course(clocks=clocks, run=(part(run_ms, "stalled-call", Layer.DEPENDENCY),)))
    assert (said.boundary, said.timer_ms, said.cause) == (boundary, timer_ms, "stalled-call")


def test_a_limit_that_is_too_low_is_a_cause_of_its_own() -> None:
    clocks = Clocks(limit_ms=6_500.0, proper_limit_ms=29_000.0, function_ms=31_000.0)
    said = truth(Course(clocks=clocks, run=(part(8_000.0),)))
    assert (said.cause, said.layer, said.timer_ms) == ("integration-timeout-too-low", Layer.GATEWAY, 6_500.0)


def test_an_init_phase_over_ten_seconds_is_cut_and_run_again_on_the_functions_clock() -> None:
    init = part(14_000.0, "init-timeout", Layer.INIT)
    said = truth(Course(clocks=CLOCKS, init=(init,), run=(part(6_000.0),)))
    assert (said.boundary, said.cause, said.ended_ms) == (Boundary.INTEGRATION_TIMEOUT, "init-timeout", 29_000.0)


def test_an_authorizer_has_its_own_limit_and_no_part_of_the_integrations() -> None:
    clocks = msgspec.structs.replace(CLOCKS, authorizer_ms=10_000.0)
    slow = part(12_000.0, "authorizer-timeout", Layer.AUTHORIZER)
    said = truth(Course(clocks=clocks, authorizer=(slow,), run=(part(100.0),)))
    assert (said.boundary, said.ended_ms) == (Boundary.AUTHORIZER_TIMEOUT, 10_000.0)
    fine = truth(Course(clocks=clocks, authorizer=(part(9_000.0, layer=Layer.AUTHORIZER),), run=(part(28_500.0),)))
    assert fine.boundary is Boundary.NONE


def test_a_failure_without_a_timer_is_what_its_ending_says() -> None:
    ending = Ending(cause="application-error", layer=Layer.FUNCTION)
    said = truth(Course(clocks=CLOCKS, run=(part(40.0),), ending=ending))
    assert (said.boundary, said.cause, said.timed_out) == (Boundary.NONE, "application-error", False)
