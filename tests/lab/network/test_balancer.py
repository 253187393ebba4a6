import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest
from aiohttp import web
from tests.lab.network.lab import about, play, timed

from apigw_doctor.lab.clock import Clock
from apigw_doctor.lab.invoking import Answer, Trace
from apigw_doctor.lab.network.balancer import Balancer, LambdaTarget, Target
from apigw_doctor.lab.network.callers import Caller
from apigw_doctor.lab.network.faults import BlackHole, Fault, Refuse, ResetAnswer, Silence, Trickle
from apigw_doctor.lab.network.relay import Relay
from apigw_doctor.lab.network.services import Behaviour, HttpService
from apigw_doctor.lab.network.serving import HttpServer
from apigw_doctor.lab.records import BalancerEntry, Journal
from apigw_doctor.lab.setup import LabBalancer

URL = "http://internal-lab-alb-1.eu-west-1.elb.amazonaws.com/stock/7?full=1"
TRACE = "Root=1-5c7674f4-a3491d0a9c8012c191821b83;Parent=53995c3f42cd8ad8;Sampled=1"


class Scene:
    """A caller, a balancer, a relay as its path, and a service behind it."""

    def __init__(self, service: HttpService, relay: Relay, balancer: Balancer, caller: Caller) -> None:
        self.service, self.relay, self.balancer, self.caller = service, relay, balancer, caller

    @property
    def entries(self) -> list[BalancerEntry]:
        return self.balancer.journal.balancers


@asynccontextmanager
async def behind_balancer(
    clock: Clock, *, race: bool = False, keep_alive_ms: float | None = None
) -> AsyncIterator[Scene]:
    async with AsyncExitStack() as stack:
        service = await stack.enter_async_context(HttpService(clock, keep_alive_ms=keep_alive_ms, race=race))
        relay = await stack.enter_async_context(Relay(clock, service.address))
        target = Target(address=("127.0.0.1", relay.port))
        balancer = await stack.enter_async_context(Balancer(clock, LabBalancer(), [target], Journal()))
        caller = await stack.enter_async_context(Caller(clock, balancer.address))
        yield Scene(service, relay, balancer, caller)


def times(entry: BalancerEntry) -> list[Any]:
    return [entry.request_ms, entry.target_ms, entry.response_ms]


def test_an_answer_is_passed_on_and_its_times_are_noted() -> None:
    async def scene(clock: Clock) -> None:
        async with behind_balancer(clock) as lab:
            began = clock.now_ms()
            answer = await lab.caller.send(
                "POST", f"{URL}&ms=3000&status=201", body="x" * 500, headers={"X-Amzn-Trace-Id": TRACE}
            )
            assert (answer.status, answer.body) == (201, '{"ok": true}')
            assert answer.headers["Content-Type"] == "application/json"
            (entry,) = lab.entries
            assert times(entry) == [about(0), about(3_000), about(0)]
            assert (entry.created_at, entry.ended_at) == (about(began), about(began + 3_000))
            assert (entry.status, entry.target_status, entry.error_reason) == (201, 201, None)
            assert (entry.balancer, entry.target) == (LabBalancer().name, "10.0.5.20:8080")
            assert (entry.method, entry.url) == ("POST", f"{URL}&ms=3000&status=201")
            assert entry.trace_id == "1-5c7674f4-a3491d0a9c8012c191821b83"
            assert entry.received_bytes > 500
            assert entry.client.startswith("10.0.3.17:")
            (served,) = lab.service.served
            assert served.headers["X-Amzn-Trace-Id"] == TRACE
            assert served.headers["X-Forwarded-For"] == "10.0.3.17"
            assert served.headers["Host"] == "internal-lab-alb-1.eu-west-1.elb.amazonaws.com"

    play(scene)


def test_statuses_of_the_target_are_its_own() -> None:
    async def scene(clock: Clock) -> None:
        async with behind_balancer(clock) as lab:
            for status in (404, 500, 503, 504):
                assert (await lab.caller.send("GET", f"{URL}&status={status}")).status == status
                assert (lab.entries[-1].status, lab.entries[-1].target_status) == (status, status)
            assert (await lab.caller.send("HEAD", URL)).status == 200

    play(scene)


def test_no_answer_within_the_idle_timeout_is_504() -> None:
    async def scene(clock: Clock) -> None:
        async with behind_balancer(clock) as lab:
            lab.service.behaviour = Behaviour(latency_ms=90_000.0)
            with timed(clock) as span:
                answer = await lab.caller.send("GET", URL)
            assert (answer.status, span.ms) == (504, about(60_000))
            assert "504 Gateway Time-out" in answer.body
            assert answer.headers["Server"] == "awselb/2.0"
            (entry,) = lab.entries
            assert times(entry) == [about(0), -1, -1]
            assert (entry.status, entry.target_status) == (504, None)

    play(scene)


@pytest.mark.parametrize(
    ("fault", "status", "took_ms"), [(BlackHole(), 504, 10_000), (Refuse(), 502, 0)], ids=("black hole", "refuse")
)
def test_a_target_that_cannot_be_reached(fault: Fault, status: int, took_ms: float) -> None:
    async def scene(clock: Clock) -> None:
        async with behind_balancer(clock) as lab:
            lab.relay.set(fault)
            with timed(clock) as span:
                answer = await lab.caller.send("GET", URL)
            assert (answer.status, span.ms) == (status, about(took_ms))
            (entry,) = lab.entries
            assert (entry.status, entry.target_status, times(entry)) == (status, None, [-1, -1, -1])

    play(scene)


def test_a_silent_path_is_the_idle_timeout_not_the_connect_timeout() -> None:
    async def scene(clock: Clock) -> None:
        async with behind_balancer(clock) as lab:
            lab.relay.set(Silence())
            with timed(clock) as span:
                assert (await lab.caller.send("GET", URL)).status == 504
            assert span.ms == about(60_000)
            assert times(lab.entries[0]) == [about(0), -1, -1]

    play(scene)


def test_the_lost_race_for_a_kept_connection_is_502_without_response_time() -> None:
    async def scene(clock: Clock) -> None:
        async with behind_balancer(clock, race=True, keep_alive_ms=5_000.0) as lab:
            seen = []
            for wait_s in (0.0, 4.0, 6.0, 0.0):
                await asyncio.sleep(wait_s)
                seen.append((await lab.caller.send("GET", URL)).status)
            assert seen == [200, 200, 502, 200]
            assert lab.relay.accepted == 2
            assert times(lab.entries[2]) == [about(0), about(0), -1]
            assert lab.entries[2].target_status is None

    play(scene)


def test_a_keep_alive_that_is_long_enough_loses_nothing() -> None:
    async def scene(clock: Clock) -> None:
        async with behind_balancer(clock, keep_alive_ms=75_000.0) as lab:
            for _ in range(4):
                assert (await lab.caller.send("GET", URL)).status == 200
                await asyncio.sleep(55.0)
            assert lab.relay.accepted == 1
            await asyncio.sleep(10.0)
            assert (await lab.caller.send("GET", URL)).status == 200
            assert lab.relay.accepted == 2

    play(scene)


@pytest.mark.parametrize("how", ["close", "reset"])
def test_a_target_that_dies_at_work_is_502(how: str) -> None:
    async def scene(clock: Clock) -> None:
        async with behind_balancer(clock) as lab:
            answer = await lab.caller.send("GET", f"{URL}&ms=4200&hang_up={how}")
            assert answer.status == 502
            (entry,) = lab.entries
            assert (entry.target_status, times(entry)) == (None, [about(0), about(4_200), -1])

    play(scene)


def test_a_client_that_leaves_first_is_460() -> None:
    async def scene(clock: Clock) -> None:
        async with behind_balancer(clock) as lab:
            lab.service.behaviour = Behaviour(latency_ms=50_000.0)
            answer = await lab.caller.send("GET", URL, timeout_ms=29_000.0)
            assert answer.timed_out
            await asyncio.sleep(0.5)
            (entry,) = lab.entries
            assert (entry.status, entry.target_status) == (460, None)
            assert times(entry) == [about(0), -1, -1]
            assert entry.ended_at - entry.created_at == about(29_000)

    play(scene)


def test_no_targets_is_503_and_targets_take_turns() -> None:
    async def scene(clock: Clock) -> None:
        async with (
            HttpService(clock, Behaviour(body="a")) as a,
            HttpService(clock, Behaviour(body="b")) as b,
            Balancer(clock, LabBalancer(), [], Journal()) as balancer,
            Caller(clock, balancer.address) as caller,
        ):
            assert (await caller.send("GET", URL)).status == 503
            (entry,) = balancer.journal.balancers
            assert (entry.target, entry.status, times(entry)) == ("", 503, [-1, -1, -1])
            balancer.register(Target(address=a.address, shown="10.0.5.20:8080"))
            balancer.register(Target(address=b.address, shown="10.0.5.21:8080"))
            assert [(await caller.send("GET", URL)).body for _ in range(4)] in (list("abab"), list("baba"))
            assert {one.target for one in balancer.journal.balancers[1:]} == {"10.0.5.20:8080", "10.0.5.21:8080"}

    play(scene)


@pytest.mark.parametrize(("work_ms", "status", "took_ms"), [(8_000, 200, 8_000), (40_000, 502, 11_000)])
def test_a_deregistered_target_finishes_what_it_can_within_the_delay(
    work_ms: float, status: int, took_ms: float
) -> None:
    async def scene(clock: Clock) -> None:
        async with behind_balancer(clock) as lab:
            with timed(clock) as span:
                under_way = asyncio.create_task(lab.caller.send("GET", f"{URL}&ms={work_ms}"))
                await asyncio.sleep(1.0)
                lab.balancer.deregister(("127.0.0.1", lab.relay.port), delay_ms=10_000.0)
                assert (await lab.caller.send("GET", URL)).status == 503
                assert (await under_way).status == status
            assert span.ms == about(took_ms)

    play(scene)


def test_an_answer_that_stalls_or_breaks_ends_the_clients_connection() -> None:
    async def scene(clock: Clock) -> None:
        async with behind_balancer(clock) as lab:
            lab.service.behaviour = Behaviour(body="x" * 1_000)
            for fault in (ResetAnswer(after_bytes=500), Trickle(bytes_per_s=0.01)):
                lab.relay.set(fault)
                answer = await lab.caller.send("GET", URL)
                assert answer.status in (None, 504)
            broken, stalled = lab.entries
            assert (broken.status, broken.target_status, broken.response_ms) == (200, 200, -1)
            assert (stalled.status, stalled.target_status) == (504, None)

    play(scene)


class Streamer(HttpServer):
    async def handle(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"X-One": "1"})
        await response.prepare(request)
        for number in range(4):
            await asyncio.sleep(50.0)
            await response.write(b"%d" % number * 1_000)
        return response


def test_a_streamed_answer_may_take_longer_than_the_idle_timeout_as_long_as_something_comes() -> None:
    async def scene(clock: Clock) -> None:
        async with (
            Streamer(clock) as streamer,
            Balancer(clock, LabBalancer(), [Target(address=streamer.address)], Journal()) as balancer,
            Caller(clock, balancer.address) as caller,
        ):
            answer = await caller.send("GET", URL)
            assert (answer.status, answer.body) == (200, "".join(str(n) * 1_000 for n in range(4)))
            (entry,) = balancer.journal.balancers
            assert times(entry) == [about(0), about(0), about(200_000)]
            assert entry.sent_bytes == 4_000

    play(scene)


@pytest.mark.parametrize(
    "said", [b"SSH-2.0-OpenSSH_9.6\r\n\r\n", b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n", b"HTTP/1.1 2"]
)
def test_what_is_no_http_is_502(said: bytes) -> None:
    async def scene(clock: Clock) -> None:
        async def speak(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(said)
            writer.close()

        server = await asyncio.start_server(speak, "127.0.0.1")
        address = server.sockets[0].getsockname()
        async with (
            server,
            Balancer(clock, LabBalancer(), [Target(address=address)], Journal()) as balancer,
            Caller(clock, balancer.address) as caller,
        ):
            assert (await caller.send("GET", URL)).status == 502
            assert balancer.journal.balancers[0].target_status is None

    play(scene)


def test_a_stopped_balancer_notes_nothing_of_what_it_cut() -> None:
    async def scene(clock: Clock) -> None:
        async with behind_balancer(clock) as lab:
            under_way = asyncio.create_task(lab.caller.send("GET", f"{URL}&ms=50000"))
            await asyncio.sleep(1.0)
            await lab.balancer.stop()
            assert (await under_way).status is None
            assert lab.entries == []
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection(lab.balancer.address)

    play(scene)


class Answering:
    """An invoker that waits two seconds and gives one answer."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.events: list[dict[str, Any]] = []
        self.traces: list[Trace | None] = []

    async def invoke(
        self, function: str, payload: bytes, *, trace: Trace | None = None, plan: dict[str, Any] | None = None
    ) -> Answer:
        assert (function, plan) == ("stock-fn", None)
        self.events.append(json.loads(payload))
        self.traces.append(trace)
        await asyncio.sleep(2.0)
        return self.answer


@asynccontextmanager
async def before_function(clock: Clock, invoker: Answering) -> AsyncIterator[tuple[Balancer, Caller]]:
    target = LambdaTarget(function="stock-fn", invoker=invoker)
    async with (
        Balancer(clock, LabBalancer(), [target], Journal()) as balancer,
        Caller(clock, balancer.address) as caller,
    ):
        yield balancer, caller


def test_a_function_as_the_target() -> None:
    async def scene(clock: Clock) -> None:
        payload = json.dumps({"statusCode": 201, "headers": {"X-One": "1"}, "body": "made"}).encode()
        invoker = Answering(Answer(status=200, request_id="r", payload=payload))
        async with before_function(clock, invoker) as (balancer, caller):
            answer = await caller.send("POST", URL, body="{}", headers={"X-Amzn-Trace-Id": TRACE})
            assert (answer.status, answer.body, answer.headers["X-One"]) == (201, "made", "1")
            (entry,) = balancer.journal.balancers
            assert (entry.target, entry.status, entry.target_status, entry.error_reason) == ("", 201, 201, None)
            assert times(entry) == [about(0), about(2_000), about(0)]
        (event,) = invoker.events
        assert (event["httpMethod"], event["path"], event["body"]) == ("POST", "/stock/7", "{}")
        assert event["queryStringParameters"] == {"full": "1"}
        assert event["headers"]["x-amzn-trace-id"] == TRACE
        (trace,) = invoker.traces
        assert trace == Trace(root="1-5c7674f4-a3491d0a9c8012c191821b83", parent="53995c3f42cd8ad8", sampled=True)

    play(scene)


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (Answer(status=200, request_id="r", payload=b"{}", function_error="Unhandled"), "LambdaUnhandled"),
        (Answer(status=429, request_id="r", error_type="TooManyRequestsException"), "LambdaThrottling"),
        (Answer(status=500, request_id="r", error_type="ServiceException"), "LambdaServiceException"),
        (Answer(status=200, request_id="r", payload=b'{"body": "no status"}'), "LambdaInvalidResponse"),
        (Answer(status=200, request_id="r", payload=b'"text"'), "LambdaInvalidResponse"),
        (Answer(status=200, request_id="r"), "LambdaInvalidResponse"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_a_function_that_fails_is_502_with_the_reason(answer: Answer, reason: str) -> None:
    async def scene(clock: Clock) -> None:
        async with before_function(clock, Answering(answer)) as (balancer, caller):
            assert (await caller.send("GET", URL)).status == 502
            (entry,) = balancer.journal.balancers
            assert (entry.status, entry.target_status, entry.error_reason) == (502, None, reason)
            assert times(entry) == [about(0), about(2_000), -1]

    play(scene)
