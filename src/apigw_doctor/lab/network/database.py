"""A database to blame: full, paused, locked or just slow.

Clients speak lines over TCP (`clients/labdb.py`). The server says `READY` when it has a session for them, or `ERROR`
and why not. Then `QUERY <name> <ms>`, `LOCK <name>` and `UNLOCK <name>` are answered with `OK ...` or `ERROR ...`.
As real databases do, it works on for a client that is gone, whose session counts until then.
"""

import asyncio
import contextlib
from typing import Literal, Self

import msgspec

from apigw_doctor.lab.clock import Clock
from apigw_doctor.lab.network.serving import HOST

#: `innodb_lock_wait_timeout` of MySQL 8.
_LOCK_WAIT_MS = 50_000.0


class DatabaseSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What the database's owner set."""

    max_connections: int = 100
    #: what becomes of a connection beyond that
    when_full: Literal["refuse", "queue"] = "refuse"
    #: pauses when nobody was connected for so long; None: never
    pause_after_ms: float | None = None
    #: Aurora Serverless v2 resumes in about 15 seconds, later the longer it was paused
    resume_ms: float = 15_000.0
    lock_wait_ms: float = _LOCK_WAIT_MS
    #: ends every query at this time
    statement_ms: float | None = None


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """How the database runs the queries of one name."""

    #: None: as long as the client says
    ms: float | None = None
    #: works under this lock
    lock: str | None = None
    error: str | None = None


class Query(msgspec.Struct, frozen=True, kw_only=True):
    """One query that came in; the lab's slow query log is made of these."""

    name: str
    started_at: float
    ended_at: float
    #: of that, for a lock
    waited_ms: float
    #: None: it went well
    error: str | None = None
    #: the client was gone when the answer was there
    abandoned: bool = False


class _QueryFailed(Exception):  # noqa: N818 - an answer, not a fault of ours
    """The client is told so."""


class Database:
    """The server; `settings` and `plans` may be changed at any time."""

    def __init__(self, clock: Clock, settings: DatabaseSettings | None = None) -> None:
        self.clock = clock
        self.settings = settings or DatabaseSettings()
        self.plans: dict[str, Plan] = {}
        self.queries: list[Query] = []
        #: sessions that were turned away because the database was full
        self.refused = 0
        #: sessions now
        self.sessions = 0
        self.port = 0
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._locks: dict[str, asyncio.Lock] = {}
        self._left = asyncio.Condition()
        self._resumed_at: float | None = None
        self._idle_since = clock.now_ms()
        self._paused = False

    @property
    def address(self) -> tuple[str, int]:
        """Where it listens."""
        return HOST, self.port

    @property
    def paused(self) -> bool:
        """Whether the next connection has to wait until it is resumed."""
        after_ms = self.settings.pause_after_ms
        idle = after_ms is not None and not self.sessions and self.clock.now_ms() - self._idle_since >= after_ms
        return self._resumed_at is None and (self._paused or idle)

    def pause(self) -> None:
        """Pause now, whatever the settings say."""
        self._paused = True

    def lock(self, name: str) -> asyncio.Lock:
        """The lock of this name, for scenarios that hold it themselves."""
        return self._locks.setdefault(name, asyncio.Lock())

    async def start(self) -> int:
        """Listen on a free port of this machine; returns it."""
        self._server = await asyncio.start_server(self._accept, HOST, self.port)
        self.port = int(self._server.sockets[0].getsockname()[1])
        return self.port

    async def stop(self) -> None:
        """Close the port and all sessions."""
        if self._server is not None:
            self._server.close()
            self._server = None
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.get_running_loop().create_task(self._session(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _session(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        held: set[str] = set()
        counted = False
        try:
            await self._resume()
            counted = await self._admitted()
            if not counted:
                writer.write(b"ERROR too many connections\n")
                return
            writer.write(b"READY\n")
            while line := await reader.readline():
                writer.write(await self._answer(line.decode().split(), held, reader))
        except ConnectionError:
            pass
        finally:
            for name in held:
                self.lock(name).release()
            if counted:
                self.sessions -= 1
                self._idle_since = self.clock.now_ms()
            writer.close()
            if counted:
                async with self._left:
                    self._left.notify()

    async def _resume(self) -> None:
        """Wait until a paused database is there again; all who come meanwhile wait for the same."""
        if self.paused:
            self._resumed_at = self.clock.now_ms() + self.settings.resume_ms
        if self._resumed_at is not None:
            await asyncio.sleep((self._resumed_at - self.clock.now_ms()) / 1000.0)
            self._resumed_at, self._paused = None, False
            self._idle_since = self.clock.now_ms()

    async def _admitted(self) -> bool:
        if self.sessions >= self.settings.max_connections and self.settings.when_full == "refuse":
            self.refused += 1
            return False
        async with self._left:
            await self._left.wait_for(lambda: self.sessions < self.settings.max_connections)
            self.sessions += 1
        return True

    async def _answer(self, words: list[str], held: set[str], reader: asyncio.StreamReader) -> bytes:
        try:
            match words:
                case ["QUERY", name, ms]:
                    took_ms = await self._query(name, float(ms), held, reader)
                    return f"OK {name} {took_ms:.3f}\n".encode()
                case ["LOCK", name] if name not in held:
                    await self._take(name)
                    held.add(name)
                    return f"OK {name}\n".encode()
                case ["UNLOCK", name] if name in held:
                    held.discard(name)
                    self.lock(name).release()
                    return f"OK {name}\n".encode()
        except _QueryFailed as failed:
            return f"ERROR {failed}\n".encode()
        return b"ERROR syntax error\n"

    async def _query(self, name: str, ms: float, held: set[str], reader: asyncio.StreamReader) -> float:
        started_at = self.clock.now_ms()
        plan = self.plans.get(name, Plan())
        waited_ms = 0.0
        error: str | None = None
        try:
            async with asyncio.timeout(_seconds(self.settings.statement_ms)):
                async with contextlib.AsyncExitStack() as stack:
                    if plan.lock is not None and plan.lock not in held:
                        await self._take(plan.lock)
                        stack.callback(self.lock(plan.lock).release)
                        waited_ms = self.clock.now_ms() - started_at
                    await asyncio.sleep((ms if plan.ms is None else plan.ms) / 1000.0)
            error = plan.error
        except TimeoutError:
            error = "query execution was interrupted, maximum statement execution time exceeded"
        except _QueryFailed as failed:
            error, waited_ms = str(failed), self.clock.now_ms() - started_at
        ended_at = self.clock.now_ms()
        self.queries.append(
            Query(
                name=name,
                started_at=started_at,
                ended_at=ended_at,
                waited_ms=waited_ms,
                error=error,
                abandoned=reader.at_eof() or reader.exception() is not None,
            )
        )
        if error is not None:
            raise _QueryFailed(error)
        return ended_at - started_at

    async def _take(self, name: str) -> None:
        try:
            async with asyncio.timeout(self.settings.lock_wait_ms / 1000.0):
                await self.lock(name).acquire()
        except TimeoutError:
            raise _QueryFailed("lock wait timeout exceeded; try restarting transaction") from None


def _seconds(ms: float | None) -> float | None:
    return None if ms is None else ms / 1000.0
