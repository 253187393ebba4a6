import asyncio
from collections.abc import Callable
from typing import Any, TypeVar

import pytest
from tests.lab.network.lab import Line, about, play, timed

from apigw_doctor.lab.clock import Clock
from apigw_doctor.lab.network.clients import labdb
from apigw_doctor.lab.network.database import Database, DatabaseSettings, Plan
from apigw_doctor.lab.network.faults import ResetAnswer
from apigw_doctor.lab.network.relay import Relay

T = TypeVar("T")


async def greeted(line: Line) -> str:
    return (await line.reader.readline()).decode().strip()


def test_queries_take_as_long_as_asked_or_as_planned() -> None:
    async def scene(clock: Clock) -> None:
        async with Database(clock) as database, Line(database.port) as line:
            assert await greeted(line) == "READY"
            with timed(clock) as span:
                answer = await line.ask("QUERY orders-by-day 4000")
            assert answer.startswith("OK orders-by-day ")
            assert span.ms == about(4_000)
            database.plans["orders-by-day"] = Plan(ms=40_000.0)
            with timed(clock) as span:
                await line.ask("QUERY orders-by-day 4000")
            assert span.ms == about(40_000)
            database.plans["orders-by-day"] = Plan(ms=10.0, error="no such column: day")
            assert await line.ask("QUERY orders-by-day 4000") == "ERROR no such column: day"
            assert await line.ask("DROP everything") == "ERROR syntax error"
            assert [(one.name, one.error) for one in database.queries] == [
                ("orders-by-day", None),
                ("orders-by-day", None),
                ("orders-by-day", "no such column: day"),
            ]
            assert database.queries[1].ended_at - database.queries[1].started_at == about(40_000)

    play(scene)


def test_a_full_database_refuses() -> None:
    async def scene(clock: Clock) -> None:
        settings = DatabaseSettings(max_connections=2)
        async with Database(clock, settings) as database:
            async with Line(database.port) as one, Line(database.port) as two, Line(database.port) as three:
                assert [await greeted(line) for line in (one, two)] == ["READY", "READY"]
                assert await greeted(three) == "ERROR too many connections"
                assert await three.reader.read() == b""
                assert (database.sessions, database.refused) == (2, 1)
            await asyncio.sleep(0.5)
            assert database.sessions == 0
            async with Line(database.port) as again:
                assert await greeted(again) == "READY"

    play(scene)


def test_a_full_database_lets_others_wait_in_turn() -> None:
    async def scene(clock: Clock) -> None:
        settings = DatabaseSettings(max_connections=1, when_full="queue")

        async def visit(database: Database) -> float:
            with timed(clock) as span:
                async with Line(database.port) as line:
                    await greeted(line)
                    await line.ask("QUERY q 5000")
            return span.ms

        async with Database(clock, settings) as database:
            took = await asyncio.gather(*(visit(database) for _ in range(3)))
            assert sorted(took) == [about(5_000), about(10_000), about(15_000)]

    play(scene)


def test_a_paused_database_keeps_the_first_connections_waiting() -> None:
    async def scene(clock: Clock) -> None:
        settings = DatabaseSettings(pause_after_ms=300_000.0, resume_ms=18_000.0)

        async def first_words(database: Database) -> float:
            with timed(clock) as span:
                async with Line(database.port) as line:
                    assert await greeted(line) == "READY"
            return span.ms

        async with Database(clock, settings) as database:
            assert await first_words(database) == about(0)
            await asyncio.sleep(299.0)
            assert await first_words(database) == about(0)
            await asyncio.sleep(301.0)
            assert database.paused
            early = asyncio.create_task(first_words(database))
            await asyncio.sleep(8.0)
            late = asyncio.create_task(first_words(database))
            assert (await early, await late) == (about(18_000), about(10_000))
            assert not database.paused
            database.pause()
            assert await first_words(database) == about(18_000)

    play(scene)


def test_queries_wait_for_locks_until_the_wait_is_too_long() -> None:
    async def scene(clock: Clock) -> None:
        async with Database(clock, DatabaseSettings(lock_wait_ms=50_000.0)) as database:
            database.plans["update-stock"] = Plan(ms=1_000.0, lock="stock")
            async with Line(database.port) as holder, Line(database.port) as waiter:
                await greeted(holder)
                await greeted(waiter)
                assert await holder.ask("LOCK stock") == "OK stock"
                assert (await holder.ask("QUERY update-stock 0")).startswith("OK")
                asking = asyncio.create_task(waiter.ask("QUERY update-stock 0"))
                await asyncio.sleep(20.0)
                assert await holder.ask("UNLOCK stock") == "OK stock"
                assert (await asking).startswith("OK")
                assert database.queries[-1].waited_ms == about(20_000)
                await holder.ask("LOCK stock")
                with timed(clock) as span:
                    answer = await waiter.ask("QUERY update-stock 0")
                assert answer == "ERROR lock wait timeout exceeded; try restarting transaction"
                assert (span.ms, database.queries[-1].waited_ms) == (about(50_000), about(50_000))
            # The holder left, and its lock with it.
            async with Line(database.port) as next_one:
                await greeted(next_one)
                assert (await next_one.ask("QUERY update-stock 0")).startswith("OK")
            async with database.lock("stock"):
                assert database.lock("stock").locked()

    play(scene)


def test_a_statement_timeout_ends_a_query() -> None:
    async def scene(clock: Clock) -> None:
        async with Database(clock, DatabaseSettings(statement_ms=10_000.0)) as database, Line(database.port) as line:
            await greeted(line)
            with timed(clock) as span:
                answer = await line.ask("QUERY q 60000")
            assert answer.startswith("ERROR query execution was interrupted")
            assert span.ms == about(10_000)

    play(scene)


def test_a_query_runs_on_for_a_client_that_is_gone_and_keeps_its_session() -> None:
    async def scene(clock: Clock) -> None:
        async with Database(clock) as database:
            async with Line(database.port) as line:
                await greeted(line)
                line.writer.write(b"QUERY report 60000\n")
                await asyncio.sleep(1.0)
            await asyncio.sleep(30.0)
            assert (database.sessions, database.queries) == (1, [])
            await asyncio.sleep(40.0)
            assert database.sessions == 0
            (query,) = database.queries
            assert query.abandoned
            assert query.ended_at - query.started_at == about(60_000)

    play(scene)


async def outside(clock: Clock, work: Callable[..., T], *arguments: Any) -> T:
    """Blocking code in a thread; the clock runs as on the wall meanwhile."""
    clock.hold()
    try:
        return await asyncio.to_thread(work, *arguments)
    finally:
        clock.release()


def test_the_client_and_its_pool() -> None:
    def use(port: int) -> None:
        pool = labdb.Pool("127.0.0.1", port, size=2, wait_timeout=0.1)
        assert pool.query("orders") == pytest.approx(30.0, abs=20.0)
        with pool.connection() as one, pool.connection() as two:
            assert pool.free == 0
            assert one.query("orders") == pytest.approx(30.0, abs=20.0)
            two.lock("stock")
            two.unlock("stock")
            with pytest.raises(labdb.PoolTimeoutError, match=r"of 2 became free within 0\.1 seconds"):
                pool.acquire()
        kept = pool.acquire()
        assert kept in (one, two)
        pool.release(kept)
        with pytest.raises(labdb.QueryError, match="no such table"):
            pool.query("broken")
        assert pool.free == 2
        pool.close()

    async def scene(clock: Clock) -> None:
        async with Database(clock) as database:
            database.plans["orders"] = Plan(ms=30.0)
            database.plans["broken"] = Plan(error="no such table: broken")
            await outside(clock, use, database.port)

    play(scene)


def test_what_the_client_says_when_it_gets_no_session() -> None:
    def use(port: int) -> str:
        try:
            labdb.connect("127.0.0.1", port, timeout=0.1).close()
        except labdb.OperationalError as error:
            return str(error)
        return "connected"

    async def scene(clock: Clock) -> None:
        async with Database(clock, DatabaseSettings(max_connections=0)) as database:
            assert await outside(clock, use, database.port) == "too many connections"
            database.settings = DatabaseSettings()
            assert await outside(clock, use, database.port) == "connected"
            database.pause()
            assert "timed out" in await outside(clock, use, database.port)
            port = database.port
        assert "could not connect" in await outside(clock, use, port)

    play(scene)


def test_a_pool_replaces_a_connection_that_was_lost() -> None:
    def lose(pool: labdb.Pool) -> None:
        with pytest.raises(labdb.OperationalError, match="lost connection during query"):
            pool.query("q")

    async def scene(clock: Clock) -> None:
        async with Database(clock) as database, Relay(clock, database.address) as relay:
            pool = labdb.Pool("127.0.0.1", relay.port)
            await outside(clock, pool.query, "q")
            relay.set(ResetAnswer())
            await outside(clock, lose, pool)
            relay.set()
            await outside(clock, pool.query, "q")
            assert relay.accepted == 2
            pool.close()

    play(scene)
