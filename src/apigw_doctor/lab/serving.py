"""Serves an API until it is told to stop, and tells a watcher of every request while it happens."""

import asyncio
import errno
import json
import uuid
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, Protocol, TypeVar

import msgspec

from apigw_doctor.lab.clock import Clock, run
from apigw_doctor.lab.evidence.function_logs import function_events
from apigw_doctor.lab.following import Following, Schedule, Staged
from apigw_doctor.lab.functions.host import FunctionHost
from apigw_doctor.lab.gateway.server import Gateway
from apigw_doctor.lab.invoking import Answer, Invoker, Trace
from apigw_doctor.lab.records import Exchange, InvocationEnded, InvocationStarted, Journal, LambdaRecord
from apigw_doctor.lab.scenarios.course import truth
from apigw_doctor.lab.scenarios.incident import Incident
from apigw_doctor.lab.setup import LabSetup
from apigw_doctor.model.errors import UsageError
from apigw_doctor.model.terms import Boundary

T = TypeVar("T")
#: Ends of invocations that are kept for the answer that comes after them.
_KEPT = 1_000
_OK = 200


class Answered(msgspec.Struct, frozen=True, kw_only=True):
    """A request got its answer; `boundary` is the timer that fired, with its length."""

    exchange: Exchange
    boundary: Boundary = Boundary.NONE
    timer_ms: float | None = None
    #: the function that goes on although nobody waits for it any more
    running: str | None = None
    #: scenario: the cause that the schedule has for this request
    cause: str | None = None


class Watcher(Protocol):
    """Whoever looks on."""

    def serving(self, port: int, front: int) -> None:
        """The gateway listens at `port`; callers go to `front`, which is another one where an edge lies before it."""

    def answered(self, event: Answered) -> None:
        """A request was answered."""

    def logged(self, function: str, text: str) -> None:
        """A function's log has a new event."""

    def orphan_ended(self, exchange: Exchange, ended: InvocationEnded) -> None:
        """A function ended after its request had been answered without it."""


class Served(msgspec.Struct, frozen=True, kw_only=True):
    """What came of it."""

    setup: LabSetup
    journal: Journal
    #: invocations that were cut off when the lab stopped
    cut: int


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be served: a setup, or the one of an incident whose schedule is followed."""

    setup: LabSetup
    #: function -> why it cannot run here
    unavailable: Mapping[str, str] = {}
    incident: Incident | None = None
    port: int = 0
    seed: int = 0
    scale: float = 1.0
    #: keep everything that happened, for evidence
    keep: bool = True


Stopper = Callable[[Callable[[], None]], None]
"""Is given a function to call once the lab is to stop; runs on the lab's loop."""


def serve(job: Job, watcher: Watcher, stopper: Stopper) -> Served:
    """Serve until `stopper` has it stopped.

    Raises:
        UsageError: the port cannot be had.
    """

    async def main(clock: Clock) -> Served:
        return await _Lab(job, clock, watcher).serve(stopper)

    return run(main, scale=job.scale)


class _Lab:
    def __init__(self, job: Job, clock: Clock, watcher: Watcher) -> None:
        self._job, self._clock, self._watcher = job, clock, watcher
        self._stage = None if job.incident is None else Staged(job.incident, clock, job.seed)
        schedule = None if self._stage is None else self._stage.schedule
        self._follower = _Follower(job.setup, watcher, schedule)
        self._journal = Journal() if self._stage is None else self._stage.journal
        self._journal.exchanges = _Told(self._follower.exchange, keep=job.keep)
        self._journal.functions = _Told(self._follower.function, keep=job.keep)
        if not job.keep:
            for kind in ("segments", "balancers", "edges", "clients"):
                setattr(self._journal, kind, _Told(lambda _: None, keep=False))

    async def serve(self, stopper: Stopper) -> Served:
        job, stage = self._job, self._stage
        stopped = asyncio.Event()
        stopper(stopped.set)
        if stage is not None:
            await stage.world.start()
        setup = job.setup if stage is None else stage.world.setup
        host = self._host(setup)
        gateway = Gateway(setup, self._invoker(host), self._clock, self._journal, seed=job.seed)
        try:
            await host.start()
            port = front = await _listen(gateway, job.port)
            if stage is not None:
                stage.world.on_wake = host.wake
                _, front = await stage.world.front(("127.0.0.1", port))
            await _unless(stopped, self._provision(host))
            if not stopped.is_set():
                self._watcher.serving(port, front)
            await stopped.wait()
        finally:
            self._follower.stop()
            if stage is not None:
                await stage.world.stop()
            await gateway.stop()
            await host.stop()
        shown, journal = (setup, self._journal) if stage is None else stage.shown()
        return Served(setup=shown, journal=journal, cut=self._follower.at_work)

    def _host(self, setup: LabSetup) -> FunctionHost:
        # Environments are made ahead once the lab listens, so that it can be stopped meanwhile.
        able = tuple(
            msgspec.structs.replace(one, provisioned_concurrency=0)
            for one in setup.functions
            if one.name not in self._job.unavailable
        )
        setup = msgspec.structs.replace(setup, functions=able)
        preload = () if self._stage is None else self._stage.preload
        plans = self._stage is not None
        return FunctionHost(setup, self._clock, self._journal, seed=self._job.seed, plans=plans, preload=preload)

    async def _provision(self, host: FunctionHost) -> None:
        for one in self._job.setup.functions:
            if one.name not in self._job.unavailable:
                await host.provision(one.name, one.provisioned_concurrency)

    def _invoker(self, host: FunctionHost) -> Invoker:
        return _Able(host, self._job.unavailable) if self._stage is None else Following(host, self._stage)


async def _unless(stopped: asyncio.Event, work: Coroutine[Any, Any, None]) -> None:
    """Do the work, unless the lab is stopped meanwhile."""
    stopping = asyncio.create_task(stopped.wait())
    working = asyncio.create_task(work)
    await asyncio.wait({stopping, working}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if working.done():
        working.result()
    else:
        working.cancel()


async def _listen(gateway: Gateway, port: int) -> int:
    try:
        return await gateway.start(port=port)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise UsageError(f"port {port} is in use", "name another one with --port, or 0 for any") from None
        if error.errno == errno.EACCES:
            raise UsageError(f"port {port} may not be listened at", "ports from 1024 on are free for all") from None
        raise


class _Told(list[T]):
    """A list that tells of what is appended, and keeps it or not."""

    def __init__(self, tell: Callable[[T], None], *, keep: bool) -> None:
        super().__init__()
        self._tell, self._keep = tell, keep

    def append(self, item: T) -> None:
        if self._keep:
            super().append(item)
        self._tell(item)


class _Able:
    """An `Invoker`: functions that cannot run here answer as functions that failed, with the reason."""

    def __init__(self, host: Invoker, unavailable: Mapping[str, str]) -> None:
        self._host, self._unavailable = host, unavailable

    async def invoke(
        self, function: str, payload: bytes, *, trace: Trace | None = None, plan: dict[str, Any] | None = None
    ) -> Answer:
        """Run the function, or fail."""
        reason = self._unavailable.get(function)
        if reason is None:
            return await self._host.invoke(function, payload, trace=trace, plan=plan)
        body = {"errorMessage": f"the lab cannot run it: {reason}", "errorType": "Lab.CannotRun"}
        return Answer(
            status=_OK, request_id=str(uuid.uuid4()), payload=json.dumps(body).encode(), function_error="Unhandled"
        )


class _Follower:
    """Puts together what belongs together while it happens."""

    def __init__(self, setup: LabSetup, watcher: Watcher, schedule: Schedule | None) -> None:
        self._watcher, self._schedule = watcher, schedule
        self._functions = {one.name: one for one in setup.functions}
        self._ends: dict[str, InvocationEnded] = {}
        #: by trace: answered, but its function still runs
        self._orphans: dict[str, Exchange] = {}
        #: invocations at work: request id -> trace
        self._running: dict[str, str | None] = {}
        self._over = False

    @property
    def at_work(self) -> int:
        """How many invocations had not ended."""
        return len(self._running)

    def stop(self) -> None:
        """What happens from now on is the stopping itself."""
        self._over = True

    def function(self, record: LambdaRecord) -> None:
        """A function's environment did something."""
        if self._over:
            return
        for _, _, text in function_events([record], self._functions[record.function]):
            self._watcher.logged(record.function, text)
        if isinstance(record, InvocationStarted):
            self._running[record.request_id] = record.trace_id
        elif isinstance(record, InvocationEnded):
            self._running.pop(record.request_id, None)
            self._ends[record.request_id] = record
            if len(self._ends) > _KEPT:
                del self._ends[next(iter(self._ends))]
            orphan = self._orphans.pop(record.trace_id or "", None)
            if orphan is not None:
                self._watcher.orphan_ended(orphan, record)

    def exchange(self, exchange: Exchange) -> None:
        """The gateway answered."""
        if self._over:
            return
        boundary, timer_ms = self._boundary(exchange)
        call = exchange.integration
        running = None
        if boundary is Boundary.INTEGRATION_TIMEOUT and call is not None and call.function in self._functions:
            running = call.function
            self._orphans[exchange.trace_id] = exchange
        scheduled = None if self._schedule is None else self._schedule.known(exchange.trace_id)
        self._watcher.answered(
            Answered(
                exchange=exchange,
                boundary=boundary,
                timer_ms=timer_ms,
                running=running,
                cause=None if scheduled is None else truth(scheduled.course).cause,
            )
        )

    def _boundary(self, exchange: Exchange) -> tuple[Boundary, float | None]:
        if exchange.authorizer is not None and exchange.authorizer.timed_out:
            return Boundary.AUTHORIZER_TIMEOUT, exchange.authorizer.ended_at - exchange.authorizer.started_at
        call = exchange.integration
        if call is None:
            return Boundary.NONE, None
        if exchange.error_type == "INTEGRATION_TIMEOUT":
            return Boundary.INTEGRATION_TIMEOUT, call.limit_ms
        ended = self._ends.get(call.request_id or "")
        if ended is not None and ended.outcome == "timeout":
            return Boundary.FUNCTION_TIMEOUT, ended.timeout_ms
        return Boundary.NONE, None
