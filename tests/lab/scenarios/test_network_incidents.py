"""Scenarios of paths, gateways, edges and sockets: what was scheduled is what happens, and causes that they promise."""

from functools import cache

import msgspec
import pytest

from apigw_doctor.lab.playing import Played
from apigw_doctor.lab.scenarios.catalogue import find
from apigw_doctor.lab.scenarios.course import Clocks, Course, Part, truth
from apigw_doctor.lab.scenarios.incident import Call, Incident
from apigw_doctor.model.terms import ApiType, Boundary, Layer
from apigw_doctor.workflows.lab import play_scenario

NAMES = [
    "authorizer-and-cold-start",
    "authorizer-failure",
    "authorizer-timeout",
    "authorizer-timeout-http-api",
    "backend-slower-http-api",
    "client-gave-up",
    "cold-start-http-api",
    "configuration-error",
    "customised-responses",
    "edge-and-low-limit",
    "edge-timeout",
    "edge-timeout-repeated",
    "endpoint-unreachable",
    "endpoint-unreachable-http-api",
    "function-timeout-http-api",
    "gateway-throttles",
    "http-backend-slower",
    "integration-timeout-too-low-http",
    "keep-alive-mismatch",
    "load-balancer-460",
    "load-balancer-and-slow-backend",
    "load-balancer-timeout",
    "network-latency",
    "streaming-route",
    "websocket-function-error",
    "websocket-timeout",
    "zone-impaired",
]
#: Status of what ends at each boundary, where the API's owner changed nothing.
CUT: dict[ApiType, dict[Boundary, set[int | None]]] = {
    ApiType.REST: {
        Boundary.INTEGRATION_TIMEOUT: {504},
        Boundary.FUNCTION_TIMEOUT: {502},
        Boundary.AUTHORIZER_TIMEOUT: {500},
        Boundary.LOAD_BALANCER_TIMEOUT: {504},
        # the VPC link's own, and a load balancer's
        Boundary.CONNECT_TIMEOUT: {500, 504},
        Boundary.EDGE_TIMEOUT: {504},
        Boundary.CLIENT_TIMEOUT: {None},
    },
    ApiType.HTTP: {
        Boundary.INTEGRATION_TIMEOUT: {503},
        Boundary.FUNCTION_TIMEOUT: {500},
        Boundary.AUTHORIZER_TIMEOUT: {500},
        Boundary.CONNECT_TIMEOUT: {503},
    },
}
REQUESTS, SCALE = 12, 4_000.0
#: A machine that is busy with other tests is late; what is meant is whether the right timer fired.
LATE_MS = 2_000.0


@cache
def incident(name: str) -> Incident:
    return find(name).incident(seed=1, requests=REQUESTS)


@cache
def fast(name: str) -> Played:
    """The scenario with few requests, played once."""
    return play_scenario(name, requests=REQUESTS, seed=1, scale=SCALE)


def meant(call: Call, api_type: ApiType) -> set[int | None]:
    """Statuses that fit the schedule of a call."""
    said = truth(call.course)
    if said.boundary in CUT[api_type]:
        return CUT[api_type][said.boundary]
    if said.cause is not None:
        return {500, 502, 504}
    return {200} if call.course.invoked else {429}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("seed", [0, 1, 2, 3])
def test_every_promised_cause_occurs_and_most_requests_are_well(name: str, seed: int) -> None:
    one = find(name)
    drawn = one.incident(seed=seed, requests=60)
    causes = [cause for call in drawn.calls if (cause := truth(call.course).cause) is not None]
    assert set(causes) == set(one.causes)
    assert len(causes) <= 0.2 * len(drawn.calls)
    assert max(call.at_ms for call in drawn.calls) <= 600_000.0


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("requests", [1, 2, 5])
def test_few_requests_make_an_incident_too(name: str, requests: int) -> None:
    moments = [call.at_ms for call in find(name).incident(seed=3, requests=requests).calls]
    assert moments
    assert moments == sorted(moments)


@pytest.mark.parametrize("name", NAMES)
def test_what_is_scheduled_happens(name: str) -> None:
    drawn, played = incident(name), fast(name)
    assert len(played.truth) == len(drawn.calls)
    assert sorted(row.status or 0 for row in played.truth) == sorted(one or 0 for one in played.outcomes.values())
    assert played.worst_drift_ms < LATE_MS
    api_type = drawn.setup.api.api_type
    for call, row in zip(drawn.calls, played.truth, strict=True):
        assert row.cause == truth(call.course).cause
        called = call.course.invoked and call.course.lambda_target and row.boundary != "authorizer-timeout"
        assert (row.invocation is not None) == called
        if api_type in CUT and name != "customised-responses":
            assert row.status in meant(call, api_type), (row, call.course)


def test_changed_responses_hide_what_happened() -> None:
    statuses = {(row.boundary, row.status) for row in fast("customised-responses").truth if row.cause}
    assert statuses == {("integration-timeout", 202), ("function-timeout", 500)}


@pytest.mark.parametrize("name", ["websocket-timeout", "websocket-function-error"])
def test_messages_are_matched_to_their_exchanges(name: str) -> None:
    drawn, played = incident(name), fast(name)
    bodies = {one.request_id: one.request_body for one in played.journal.exchanges}
    assert [bodies[row.request_id] for row in played.truth] == [call.body for call in drawn.calls]
    callers = {call.caller for call in drawn.calls}
    ids = {row.connection_id for row in played.truth}
    assert None not in ids
    assert len(ids) == len(callers)
    # Transcripts are told apart by the gateway's own ids.
    assert {entry.connection_id for entry in played.journal.clients} == ids
    frames = [entry.body for entry in played.journal.clients if '"message"' in entry.body]
    words = "Endpoint request timed out" if name == "websocket-timeout" else "Internal server error"
    failed = sum(row.cause is not None for row in played.truth)
    assert sum(words in frame for frame in frames) == failed


@pytest.mark.parametrize("name", ["load-balancer-460", "keep-alive-mismatch", "zone-impaired", "endpoint-unreachable"])
def test_evidence_names_hosts_and_never_this_machine(name: str) -> None:
    played = fast(name)
    told = msgspec.json.encode([played.setup.api.routes, played.journal.exchanges, played.journal.balancers])
    assert b"127.0.0.1" not in told
    assert b"lab://" not in told
    for service in incident(name).services:
        assert service.host.encode() in told


def test_the_load_balancer_logs_what_each_fault_looks_like() -> None:
    def logged(name: str) -> set[tuple[int, bool, bool]]:
        return {
            (one.status, one.request_ms < 0.0, one.target_ms < 0.0)
            for one in fast(name).journal.balancers
            if one.target_status is None
        }

    assert logged("load-balancer-460") == {(460, False, True)}
    assert logged("load-balancer-timeout") == {(504, False, True)}
    assert logged("keep-alive-mismatch") == {(502, False, False)}
    assert logged("zone-impaired") == {(504, True, True)}
    assert logged("network-latency") == set()


def test_the_edge_gives_up_before_the_gateway_answers() -> None:
    played = fast("edge-timeout")
    late = [row for row in played.truth if row.boundary == "edge-timeout"]
    assert late
    assert all(row.status == 504 and row.elapsed_ms > 30_000.0 for row in late)
    answers = {one.request_id: one.status for one in played.journal.exchanges}
    assert {answers[row.request_id] for row in late} == {200}
    assert sorted(one.status for one in played.journal.edges if one.status != 200) == [504] * len(late)


def test_what_the_edge_repeats_is_one_call() -> None:
    played = fast("edge-timeout-repeated")
    late = [row for row in played.truth if row.boundary == "edge-timeout"]
    assert late
    assert len(played.journal.exchanges) == len(played.truth) + 2 * len(late)
    waits = [one.ended_at - one.arrived_at for one in played.journal.edges if one.status == 504]
    assert waits == [pytest.approx(90_000.0, abs=LATE_MS)] * len(late)


def test_a_timer_in_front_is_the_cause_where_the_gateway_would_have_answered() -> None:
    slow = Part(layer=Layer.FUNCTION, name="work", ms=40_000.0)
    clocks = Clocks(limit_ms=120_000.0, function_ms=130_000.0)
    for changed, cause, layer in (
        ({"edge_ms": 30_000.0}, "edge-timeout", Layer.EDGE),
        ({"client_ms": 5_000.0}, "client-gave-up", Layer.CLIENT),
        ({"balancer_ms": 10_000.0}, "load-balancer-timeout", Layer.NETWORK),
    ):
        said = truth(Course(clocks=msgspec.structs.replace(clocks, **changed), run=(slow,)))
        assert (said.cause, said.layer, said.timed_out) == (cause, layer, True)


def test_a_timer_in_front_is_not_the_cause_where_the_gateway_would_have_cut_as_well() -> None:
    hung = Part(layer=Layer.DEPENDENCY, name="call", ms=float("inf"), cause="stalled-call", normal_ms=10.0)
    said = truth(Course(clocks=Clocks(limit_ms=29_000.0, client_ms=5_000.0), run=(hung,)))
    assert (said.boundary, said.cause, said.also) == (Boundary.CLIENT_TIMEOUT, "stalled-call", ())
