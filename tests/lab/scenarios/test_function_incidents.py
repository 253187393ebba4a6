"""Scenarios of functions: what was scheduled is what happens, and what they promise to show is in them."""

import sysconfig
from functools import cache

import pytest

from apigw_doctor.lab.playing import TOLERANCE_MS, Played
from apigw_doctor.lab.records import InitStarted, InvocationStarted
from apigw_doctor.lab.scenarios.catalogue import find
from apigw_doctor.lab.scenarios.course import play, truth
from apigw_doctor.lab.scenarios.incident import CODE, Incident
from apigw_doctor.model.terms import ApiType, Boundary
from apigw_doctor.workflows.lab import DEFAULT_SCALE, play_scenario

NAMES = [
    "application-error",
    "blocked-target",
    "blocked-target-retried",
    "cold-start-and-slow-dependency",
    "cold-start-and-stalled-call",
    "connection-pool-exhausted",
    "database-paused",
    "dependency-resuming",
    "dependency-slow",
    "dependency-slow-traced",
    "dns-stall",
    "event-loop-not-drained",
    "extension-overhead",
    "function-hung",
    "function-throttled",
    "init-timeout",
    "init-timeout-killed",
    "lazy-initialization",
    "malformed-response",
    "no-egress",
    "own-503",
    "prewarmed-and-stalled",
    "resource-starved",
    "response-too-large",
    "retry-product",
    "retry-product-killed",
    "retry-storm",
    "stalled-call",
    "stalled-call-http-api",
    "stalled-call-killed",
    "throttled-after-stall",
]
#: status by API type of what ends at a timer
CUT = {
    (ApiType.REST, Boundary.INTEGRATION_TIMEOUT): 504,
    (ApiType.REST, Boundary.FUNCTION_TIMEOUT): 502,
    (ApiType.HTTP, Boundary.INTEGRATION_TIMEOUT): 503,
    (ApiType.HTTP, Boundary.FUNCTION_TIMEOUT): 500,
}
REQUESTS, SCALE = 14, 4_000.0


@cache
def fast(name: str) -> Played:
    """The scenario with few requests, played once."""
    return play_scenario(name, requests=REQUESTS, seed=1, scale=SCALE)


def expected(incident: Incident) -> list[tuple[str | None, set[int]]]:
    """Cause of each call by the schedule, and the statuses that go with it."""
    found = []
    for call in incident.calls:
        said = truth(call.course)
        if (cut := CUT.get((incident.setup.api.api_type, said.boundary))) is not None:
            found.append((said.cause, {cut}))
        else:
            found.append((said.cause, {200} if said.cause is None else {500, 502, 503}))
    return found


def first_ones(played: Played) -> set[str]:
    """Ids of the invocations that were the first of an environment which began for them."""
    begun: dict[str, str] = {}
    for one in played.journal.functions:
        if isinstance(one, InvocationStarted):
            begun.setdefault(one.stream, one.request_id)
    prepared = {
        one.stream
        for one in played.journal.functions
        if isinstance(one, InitStarted) and one.kind == "provisioned-concurrency"
    }
    return {id_ for stream, id_ in begun.items() if stream not in prepared}


@pytest.mark.parametrize("name", NAMES)
def test_every_cause_that_is_promised_occurs(name: str) -> None:
    one = find(name)
    for seed in (1, 2, 7):
        incident = one.incident(seed=seed, requests=60)
        causes = [cause for cause, _ in expected(incident) if cause is not None]
        assert set(causes) == set(one.causes)
        assert len(causes) <= 0.2 * len(incident.calls)
        assert max(call.at_ms for call in incident.calls) <= 610_000.0


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("requests", [1, 2, 5])
def test_few_requests_make_an_incident_too(name: str, requests: int) -> None:
    incident = find(name).incident(seed=3, requests=requests)
    assert incident.calls
    moments = [call.at_ms for call in incident.calls]
    assert moments == sorted(moments)


@pytest.mark.parametrize("name", NAMES)
def test_what_is_scheduled_happens(name: str) -> None:
    incident = find(name).incident(seed=1, requests=REQUESTS)
    played = fast(name)
    assert len(played.truth) == len(incident.calls)
    assert sorted(row.status or 0 for row in played.truth) == sorted(one.status or 0 for one in played.journal.clients)
    firsts = first_ones(played)
    for call, row, (cause, statuses) in zip(incident.calls, played.truth, expected(incident), strict=True):
        assert row.cause == cause
        assert row.status in statuses, (row, call.course)
        assert (row.invocation is not None) == call.course.invoked
        if row.invocation is not None:
            assert (row.invocation["request_id"] in firsts) == call.cold


@pytest.mark.parametrize("name", ["retry-product", "no-egress"])
def test_evidence_keeps_to_the_schedule(name: str) -> None:
    played = play_scenario(name, requests=20, seed=1, scale=DEFAULT_SCALE)
    assert played.worst_drift_ms <= TOLERANCE_MS


def test_evidence_names_no_folder_of_this_machine() -> None:
    played = fast("application-error")
    lines = [getattr(one, "text", "") for one in played.journal.functions]
    bodies = [one.integration.response_body for one in played.journal.exchanges if one.integration is not None]
    assert any('File "/var/task/app.py"' in line for line in lines)
    here = (str(CODE), sysconfig.get_paths()["purelib"])
    assert not any(place in text for text in (*lines, *bodies) for place in here)


def test_an_answer_that_is_too_large_is_refused_by_the_runtime_api() -> None:
    played = fast("response-too-large")
    lines = [getattr(one, "text", "") for one in played.journal.functions]
    refused = [line for line in lines if "Http response code: 413" in line]
    assert len(refused) == sum(row.cause == "response-too-large" for row in played.truth)


def test_an_extension_ends_at_the_functions_timeout() -> None:
    incident = find("extension-overhead").incident(seed=1, requests=60)
    function = incident.setup.functions[0]
    over = [
        call
        for call in incident.calls
        if 31_000.0 - function.extension_ms < sum(part.ms for part in call.course.run) < 29_000.0
    ]
    assert over
    assert all(play(call.course).boundary is Boundary.NONE for call in over)
