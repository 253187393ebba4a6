import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import WSCloseCode, web
from tests.lab.network.lab import about, play, timed

from apigw_doctor.lab.clock import Clock
from apigw_doctor.lab.network.callers import Caller, Retries, send
from apigw_doctor.lab.network.faults import Refuse
from apigw_doctor.lab.network.relay import Relay
from apigw_doctor.lab.network.services import Behaviour, HttpService
from apigw_doctor.lab.network.serving import HttpServer
from apigw_doctor.lab.records import Journal

URL = "https://a1b2c3d4e5.execute-api.eu-west-1.amazonaws.com/prod/orders/42?full=a%2Fb"
SOCKET_URL = "wss://w1b2c3d4e5.execute-api.eu-west-1.amazonaws.com/prod"


def test_the_journal_holds_what_the_caller_saw_under_the_public_address() -> None:
    async def scene(clock: Clock) -> None:
        journal = Journal()
        async with HttpService(clock, Behaviour(latency_ms=1_500.0, status=201)) as service:
            entry = await send(clock, service.address, "POST", URL, journal=journal, body='{"a": 1}')
            assert journal.clients == [entry]
            assert (entry.method, entry.url, entry.status, entry.body) == ("POST", URL, 201, '{"ok": true}')
            assert entry.ended_at - entry.started_at == about(1_500)
            (served,) = service.served
            assert served.path == "/prod/orders/42?full=a%2Fb"
            assert served.headers["Host"] == "a1b2c3d4e5.execute-api.eu-west-1.amazonaws.com"
            assert served.headers["User-Agent"] == "lab-client/1.0"

    play(scene)


def test_a_refused_connection_is_no_timeout() -> None:
    async def scene(clock: Clock) -> None:
        async with Relay(clock, ("127.0.0.1", 9)) as relay:
            relay.set(Refuse())
            entry = await send(clock, ("127.0.0.1", relay.port), "GET", URL, timeout_ms=5_000.0)
            assert (entry.status, entry.timed_out) == (None, False)

    play(scene)


def test_retries_wait_longer_each_time_and_end_with_a_good_answer() -> None:
    async def scene(clock: Clock) -> None:
        journal = Journal()
        retries = Retries(attempts=4, seed=3)
        async with (
            HttpService(clock, Behaviour(status=503)) as service,
            Caller(clock, service.address, journal=journal) as caller,
        ):
            with timed(clock) as span:
                entries = await caller.send_retrying("GET", URL, retries)
            assert [entry.status for entry in entries] == [503] * 4
            assert span.ms == about(sum(retries.waits_ms()))
            assert journal.clients == entries
            service.behaviour = Behaviour()
            assert len(await caller.send_retrying("GET", URL, retries)) == 1
            service.behaviour = Behaviour(status=404)
            assert len(await caller.send_retrying("GET", URL, retries)) == 1

    play(scene)


def test_a_retry_storm_multiplies_the_work_of_a_slow_service() -> None:
    async def scene(clock: Clock) -> None:
        async with HttpService(clock, Behaviour(latency_ms=30_000.0)) as service:
            async with Caller(clock, service.address, timeout_ms=5_000.0) as caller:
                stormed = await asyncio.gather(*(caller.send_retrying("GET", URL, Retries(seed=n)) for n in range(10)))
            await asyncio.sleep(0.1)
            assert all(entry.timed_out for entries in stormed for entry in entries)
            assert len(service.served) == 30

    play(scene)


class Sockets(HttpServer):
    """Says who it is, repeats what it hears after two seconds, and goes away after so long."""

    refuses: int | None = None

    async def handle(self, request: web.Request) -> web.StreamResponse:
        if self.refuses is not None:
            return web.Response(status=self.refuses)
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        try:
            async with asyncio.timeout(600.0):
                async for message in socket:
                    await asyncio.sleep(2.0)
                    await socket.send_str(message.data)
        except TimeoutError:
            await socket.close(code=WSCloseCode.GOING_AWAY)
        return socket


@asynccontextmanager
async def socket_caller(clock: Clock, journal: Journal) -> AsyncIterator[tuple[Sockets, Caller]]:
    async with Sockets(clock) as server, Caller(clock, server.address, journal=journal) as caller:
        yield server, caller


def test_frames_of_a_websocket_are_collected_with_the_connection_they_name() -> None:
    async def scene(clock: Clock) -> None:
        journal = Journal()
        async with socket_caller(clock, journal) as (_, caller):
            listener = await caller.listen(SOCKET_URL)
            said = ["plain", '{"message": "Endpoint request timed out", "connectionId":"Llf4ceE2NjMCF7w="}']
            with timed(clock) as span:
                for text in said:
                    await listener.say(text)
                assert await listener.heard(2, timeout_ms=30_000.0)
            assert span.ms == about(4_000)
            assert not await listener.heard(3, timeout_ms=1_000.0)
            await listener.stop()
            assert [frame.body for frame in journal.clients] == said
            assert journal.clients[1].connection_id == "Llf4ceE2NjMCF7w="
            assert journal.clients[0].connection_id == listener.connection_id
            assert {frame.url for frame in listener.frames} == {SOCKET_URL}

    play(scene)


def test_the_close_code_of_the_other_side_is_known() -> None:
    async def scene(clock: Clock) -> None:
        async with socket_caller(clock, Journal()) as (_, caller):
            listener = await caller.listen(SOCKET_URL)
            with timed(clock) as span:
                assert not await listener.heard(1, timeout_ms=900_000.0)
            assert (listener.close_code, span.ms) == (1001, about(600_000))
            await listener.stop()

    play(scene)


@pytest.mark.parametrize("status", [403, 502])
def test_a_handshake_that_failed_is_an_entry_with_its_status(status: int) -> None:
    async def scene(clock: Clock) -> None:
        journal = Journal()
        async with socket_caller(clock, journal) as (server, caller):
            server.refuses = status
            listener = await caller.listen(SOCKET_URL)
            await listener.stop()
            assert listener.refused == status
            (entry,) = journal.clients
            assert (entry.status, entry.connection_id) == (status, listener.connection_id)

    play(scene)
