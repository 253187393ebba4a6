"""Plays an incident: starts gateway, functions and services, makes the calls, and keeps what happened and the truth."""

import asyncio
import json
import random
from typing import Any

import msgspec

from apigw_doctor.lab.clock import DEFAULT_START_MS, Clock, run
from apigw_doctor.lab.functions.host import FunctionHost
from apigw_doctor.lab.gateway.front import AUTHORIZER_PLAN, PLAN, SOURCE
from apigw_doctor.lab.gateway.server import Gateway
from apigw_doctor.lab.network.callers import Caller
from apigw_doctor.lab.records import Exchange, InvocationEnded, Journal
from apigw_doctor.lab.scenarios.course import Course, Part, play
from apigw_doctor.lab.scenarios.incident import Call, Incident
from apigw_doctor.lab.setup import LabSetup
from apigw_doctor.lab.sockets import Conversations, source_of
from apigw_doctor.lab.truth import TruthRow, truth_row
from apigw_doctor.lab.world import World
from apigw_doctor.model.terms import ApiType

#: Evidence may be off its schedule by so much; beyond, the run says that it could not hold it.
TOLERANCE_MS = 200.0
#: Each seed has a day of its own.
_DAY_MS = 86_400_000.0
#: Before the first call, so that provisioned environments lie well before it.
_LEAD_MS = 30_000.0
#: Of the edge towards the gateway.
_EDGE_SOURCE = "130.176.97.137"
#: What never comes back works for so long.
_FOREVER_MS = 1e8


class Drift(msgspec.Struct, frozen=True, kw_only=True):
    """A request that took another time than its schedule says."""

    request_id: str
    scheduled_ms: float
    measured_ms: float


class Played(msgspec.Struct, frozen=True, kw_only=True):
    """What came of an incident."""

    setup: LabSetup
    journal: Journal
    truth: tuple[TruthRow, ...]
    #: trace root -> the status that the caller got; None: it gave up
    outcomes: dict[str, int | None]
    #: requests that are more than `TOLERANCE_MS` off, worst first
    drifts: tuple[Drift, ...]
    worst_drift_ms: float


def play_incident(incident: Incident, *, seed: int, scale: float) -> Played:
    """Play an incident from beginning to end on a clock of its own."""

    async def main(clock: Clock) -> Played:
        return await Stage(incident, clock, seed).play()

    return run(main, scale=scale, start_ms=DEFAULT_START_MS - (seed % 365) * _DAY_MS)


class Stage:
    """One incident on its clock: the world, the functions, the gateway, and who calls them."""

    def __init__(self, incident: Incident, clock: Clock, seed: int) -> None:
        self._incident, self._clock, self._seed = incident, clock, seed
        self._journal = Journal()
        self._outcomes: dict[str, int | None] = {}
        self._roots = random.Random(f"traces-{seed}")  # noqa: S311 - names
        self._start_ms = clock.now_ms() + _LEAD_MS
        self._world = World(incident, clock, self._journal, start_ms=self._start_ms, seed=seed)
        api = incident.setup.api
        #: of a WebSocket API
        self._sockets = (
            Conversations(clock, api, self._journal, self._start_ms) if api.api_type is ApiType.WEBSOCKET else None
        )

    async def play(self) -> Played:
        """Make all calls and wait until everything that they began has ended."""
        incident = self._incident
        # Functions start last of all, for they are told the addresses of the services.
        await self._world.start()
        setup = self._world.setup
        host = FunctionHost(setup, self._clock, self._journal, seed=self._seed, plans=True, preload=self._preload())
        self._world.on_wake = host.wake
        gateway = Gateway(setup, host, self._clock, self._journal, seed=self._seed, plans=True)
        try:
            await host.start()
            port = await gateway.start()
            direct = ("127.0.0.1", port)
            edge = await self._world.front(direct)
            roots = [self._root(call) for call in incident.calls]
            await self._calls(direct, edge, roots)
            await gateway.drain()
            await host.drain()
        finally:
            await self._world.stop()
            await gateway.stop()
            await host.stop()
        return self._played(roots)

    def _preload(self) -> tuple[str, ...]:
        return ("aws_xray_sdk.core",) if self._incident.sdk else ()

    def _root(self, call: Call) -> str:
        return f"1-{int((self._start_ms + call.at_ms) / 1000.0):08x}-{self._roots.getrandbits(96):024x}"

    async def _calls(self, direct: tuple[str, int], edge: tuple[str, int], roots: list[str]) -> None:
        async with (
            Caller(self._clock, direct, journal=self._journal) as caller,
            Caller(self._clock, edge, journal=self._journal) as viewer,
        ):
            if self._sockets is not None:
                await self._sockets.hold(caller, self._incident.calls, roots, self._plan)
                return
            work = [
                self._call(viewer if call.edge else caller, call, root)
                for call, root in zip(self._incident.calls, roots, strict=True)
            ]
            await asyncio.gather(*work)

    async def _call(self, caller: Caller, call: Call, root: str) -> None:
        if not call.course.lambda_target:
            self._world.backend[root] = backend_plan(call)
        await self._until(call.at_ms)
        api = self._world.setup.api
        host = self._incident.edge_host if call.edge else api.domain_name
        stage = "" if api.stage == "$default" else f"/{api.stage}"
        entry = await caller.send(
            call.method,
            f"https://{host}{stage}{call.path}",
            headers=self._headers(call, root),
            body=call.body or None,
            timeout_ms=call.course.clocks.client_ms,
        )
        self._outcomes[root] = entry.status

    async def _until(self, at_ms: float) -> None:
        await asyncio.sleep(max((self._start_ms + at_ms - self._clock.now_ms()) / 1000.0, 0.0))

    def _headers(self, call: Call, root: str) -> dict[str, str]:
        source = source_of(call, root)
        headers = {"X-Amzn-Trace-Id": f"Root={root}", SOURCE: source, **call.headers}
        if call.edge:
            # The gateway's caller is the edge, which tells for whom it asks.
            headers |= {SOURCE: _EDGE_SOURCE, "X-Forwarded-For": source}
        headers[PLAN] = json.dumps(self._plan(call))
        if call.course.authorizer:
            plan: dict[str, Any] = {"ms": min(sum(part.ms for part in call.course.authorizer), _FOREVER_MS)}
            for part in call.course.authorizer:
                plan |= part.step or {}
            headers[AUTHORIZER_PLAN] = json.dumps(plan)
        return headers

    def _plan(self, call: Call) -> dict[str, Any]:
        steps = [_step(part) for part in call.course.run]
        return {
            "steps": steps,
            "init_ms": sum(part.ms for part in call.course.init),
            "services": self._world.addresses,
            "cold": call.cold,
            # As Powertools' correlation ids do; without it dense traffic leaves more than one run that fits a request.
            "log_request_id": True,
            **call.plan,
        }

    def _played(self, roots: list[str]) -> Played:
        ends = {
            (one.trace_id, one.function): one for one in self._journal.functions if isinstance(one, InvocationEnded)
        }
        rows, drifts, worst_ms = [], [], 0.0
        for call, root, exchange in zip(self._incident.calls, roots, self._exchanges(roots), strict=True):
            if exchange is None:
                continue
            if self._sockets is not None:
                self._outcomes[root] = exchange.status
            called = None if exchange.integration is None else exchange.integration.function
            rows.append(truth_row(call, exchange, ends.get((exchange.trace_id, called or ""))))
            drift = _drift(call.course, exchange)
            off_ms = abs(drift.measured_ms - drift.scheduled_ms)
            worst_ms = max(worst_ms, off_ms)
            if off_ms > TOLERANCE_MS:
                drifts.append(drift)
        drifts.sort(key=lambda one: -abs(one.measured_ms - one.scheduled_ms))
        if self._sockets is not None:
            self._sockets.name_connections()
        journal = self._world.disguise(self._journal)
        return Played(
            setup=self._world.shown_setup,
            journal=journal,
            truth=tuple(rows),
            outcomes=self._outcomes,
            drifts=tuple(drifts),
            worst_drift_ms=worst_ms,
        )

    def _exchanges(self, roots: list[str]) -> list[Exchange | None]:
        """The gateway's record of each call."""
        if self._sockets is not None:
            return self._sockets.exchanges(self._incident.calls)
        # The edge repeats what it gave up on: the first one is the call's own.
        arrived = sorted(self._journal.exchanges, key=lambda one: -one.arrived_at)
        known = {one.trace_id: one for one in arrived}
        return [known.get(root) for root in roots]


def _step(part: Part) -> dict[str, Any]:
    if part.step is not None:
        return dict(part.step)
    return {"do": "hang"} if part.ms == float("inf") else {"do": "work", "ms": part.ms}


def backend_plan(call: Call) -> dict[str, str]:
    """How an HTTP backend is to answer this call."""
    spent_ms = sum(part.ms for part in call.course.run)
    plan = {"ms": str(min(spent_ms, _FOREVER_MS))}
    return plan | {key: str(call.plan[key]) for key in ("status", "hang_up") if key in call.plan}


def _drift(course: Course, exchange: Exchange) -> Drift:
    """Only the gateway's own view: what the edge or the client saw earlier ends inside it."""
    inner = msgspec.structs.replace(course, clocks=msgspec.structs.replace(course.clocks, edge_ms=None, client_ms=None))
    return Drift(
        request_id=exchange.request_id,
        scheduled_ms=play(inner).ended_ms,
        measured_ms=exchange.completed_at - exchange.arrived_at,
    )
