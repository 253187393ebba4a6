"""A scenario that somebody calls by hand."""

import asyncio
import json
from pathlib import Path

import aiohttp
from tests.lab.up.running import call, up

from apigw_doctor.lab.following import Schedule, event_route, route_key
from apigw_doctor.lab.scenarios.catalogue import find
from apigw_doctor.lab.setup import LabApi
from apigw_doctor.model.terms import ApiType


def test_requests_follow_the_schedule_and_the_evidence_is_diagnosed(tmp_path: Path) -> None:
    evidence = tmp_path / "evidence"
    with up("--scenario", "integration-timeout-too-low", "--time-scale", "50", "--quiet", "--out", evidence) as running:
        statuses: list[int] = []
        while 504 not in statuses and len(statuses) < 60:
            statuses.append(running.get("/quote")[0])
        running.wait_for(
            r"GET /quote -> 504 in 65\d\d ms; integration-timeout \(6\.5 s\) fired; .*schedule: integration-ti"
        )
        running.wait_for("still running, ended after")
        assert running.stop()[0] == 0
    assert set(statuses) == {200, 504}
    answer = json.loads(call("diagnose", evidence, "--format", "json").stdout)
    assert {verdict["cause"] for verdict in answer["verdicts"] if verdict["kind"] == "failed"} == {
        "integration-timeout-too-low"
    }


def test_authorizer_function_and_services_follow_one_call() -> None:
    first = find("authorizer-and-cold-start").incident(seed=0, requests=200).calls[0]
    body = first.body.encode() or None
    with up("--scenario", "authorizer-and-cold-start", "--time-scale", "200") as running:
        assert running.get(first.path, method=first.method, headers=first.headers, body=body)[0] == 200
        running.wait_for("checking token")


def test_a_websocket_scenario_answers_frames() -> None:
    async def ask(url: str) -> list[object]:
        async with aiohttp.ClientSession() as session, session.ws_connect(url) as socket:
            heard: list[object] = []
            for number in range(3):
                await socket.send_json({"action": "ping", "number": number})
                heard.append(await socket.receive_json(timeout=10))
            return heard

    with up("--scenario", "websocket-timeout", "--time-scale", "200", "--quiet") as running:
        heard = asyncio.run(ask(f"ws://127.0.0.1:{running.port}{running.stage}"))
        assert len(heard) == 3
        running.wait_for(r"message ping -> 200 in .*; schedule: nothing wrong")


def test_a_schedule_goes_round_and_keeps_the_call_of_a_trace() -> None:
    incident = find("healthy").incident(seed=1, requests=3)
    schedule = Schedule(incident)
    key = route_key(incident.setup.api, incident.calls[0])
    drawn = [schedule.call(f"root-{number}", key) for number in range(4)]
    assert drawn == [*incident.calls, incident.calls[0]]
    assert schedule.call("root-1", key) == incident.calls[1]
    assert schedule.call("other", "GET /unknown") is None


def test_the_route_of_every_kind_of_event_is_found() -> None:
    incident = find("healthy").incident(seed=1, requests=1)
    rest = incident.setup.api
    arn = "arn:aws:execute-api:eu-west-1:123456789012:a1b2c3d4e5/prod/GET/orders/17"
    http = LabApi(api_id="h", name="h", api_type=ApiType.HTTP)
    assert event_route(rest, {"resource": "/orders/{id}", "httpMethod": "GET"}) == "GET /orders/{id}"
    assert event_route(rest, {"type": "TOKEN", "methodArn": arn}) == "GET /orders/{id}"
    assert event_route(http, {"version": "2.0", "routeKey": "GET /a"}) == "GET /a"
    assert event_route(http, {"requestContext": {"routeKey": "$connect"}}) == "$connect"
    assert event_route(rest, {}) == ""
