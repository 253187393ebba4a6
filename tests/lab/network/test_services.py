import asyncio

import aiohttp
import pytest
from tests.lab.network.lab import about, play, timed

from apigw_doctor.lab.clock import Clock
from apigw_doctor.lab.network.callers import Caller, send
from apigw_doctor.lab.network.faults import Delay
from apigw_doctor.lab.network.relay import Relay
from apigw_doctor.lab.network.services import Behaviour, HttpService

URL = "http://rates.example.com/rates"


def test_latency_status_and_retry_after_come_from_the_service_or_from_the_request() -> None:
    async def scene(clock: Clock) -> None:
        async with (
            HttpService(clock, Behaviour(latency_ms=2_000.0)) as service,
            Caller(clock, service.address) as caller,
        ):
            with timed(clock) as span:
                usual = await caller.send("GET", URL)
            assert (usual.status, usual.body, span.ms) == (200, '{"ok": true}', about(2_000))
            with timed(clock) as span:
                asked = await caller.send("GET", f"{URL}?ms=7000&status=503", headers={"x-lab-retry-after": "30"})
            assert (asked.status, asked.headers["Retry-After"], span.ms) == (503, "30", about(7_000))
            service.behaviour = Behaviour(status=429)
            assert (await caller.send("GET", URL)).status == 429
            assert [(one.path, one.status) for one in service.served] == [
                ("/rates", 200),
                ("/rates?ms=7000&status=503", 503),
                ("/rates", 429),
            ]
            assert service.served[0].headers["Host"] == "rates.example.com"

    play(scene)


@pytest.mark.parametrize("how", ["close", "reset"])
def test_a_connection_that_ends_without_an_answer(how: str) -> None:
    async def scene(clock: Clock) -> None:
        async with HttpService(clock) as service:
            entry = await send(clock, service.address, "GET", f"{URL}?ms=3000&hang_up={how}")
            assert (entry.status, entry.timed_out, entry.ended_at - entry.started_at) == (None, False, about(3_000))
            assert service.served[0].status is None

    play(scene)


def test_a_caller_that_gives_up_ends_the_work() -> None:
    async def scene(clock: Clock) -> None:
        async with HttpService(clock, Behaviour(latency_ms=60_000.0)) as service:
            entry = await send(clock, service.address, "GET", URL, timeout_ms=10_000.0)
            assert (entry.status, entry.timed_out, entry.ended_at - entry.started_at) == (None, True, about(10_000))
            await asyncio.sleep(0.1)
            (served,) = service.served
            assert (served.status, served.ended_at - served.arrived_at) == (None, about(10_000))

    play(scene)


def test_a_kept_connection_is_closed_after_the_keep_alive_time() -> None:
    async def scene(clock: Clock) -> None:
        async with HttpService(clock, keep_alive_ms=5_000.0) as service:
            reader, writer = await asyncio.open_connection(*service.address)
            writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            await reader.readuntil(b'{"ok": true}')
            with timed(clock) as span:
                assert await reader.read() == b""
            assert span.ms == about(5_000)
            writer.close()

    play(scene)


def test_the_keep_alive_race_is_lost_by_a_request_after_the_keep_alive_time() -> None:
    async def scene(clock: Clock) -> None:
        connector = aiohttp.TCPConnector(keepalive_timeout=60.0)
        async with (
            HttpService(clock, keep_alive_ms=5_000.0, race=True) as service,
            aiohttp.ClientSession(connector=connector) as session,
        ):
            url = f"http://127.0.0.1:{service.port}/"
            for wait_s, lost in ((0.0, False), (4.0, False), (6.0, True), (0.0, False)):
                await asyncio.sleep(wait_s)
                # aiohttp repeats GET by itself, not POST.
                try:
                    async with session.post(url) as response:
                        assert (response.status, lost) == (200, False)
                except aiohttp.ServerDisconnectedError:
                    assert lost

    play(scene)


def test_stopping_ends_requests_that_are_being_worked_on() -> None:
    async def scene(clock: Clock) -> None:
        async with HttpService(clock, Behaviour(latency_ms=600_000.0)) as service:
            waiting = asyncio.create_task(send(clock, service.address, "GET", URL))
            await asyncio.sleep(1.0)
            with timed(clock) as span:
                await service.stop()
            assert span.ms == about(0)
            assert (await waiting).status is None

    play(scene)


def test_a_service_behind_a_slow_path_answers_late_and_knows_nothing_of_it() -> None:
    async def scene(clock: Clock) -> None:
        async with HttpService(clock, Behaviour(latency_ms=1_000.0)) as service, Relay(clock, service.address) as relay:
            relay.set(Delay(ms=8_000.0, per="chunk"))
            with timed(clock) as span:
                assert (await send(clock, ("127.0.0.1", relay.port), "GET", URL)).status == 200
            assert span.ms >= 9_000 - 200
            assert service.served[0].ended_at - service.served[0].arrived_at == about(1_000)

    play(scene)
