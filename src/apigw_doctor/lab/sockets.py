"""Plays the callers of a WebSocket API: a connection each, whose messages are told apart by connection and order."""

import asyncio
import json
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import msgspec

from apigw_doctor.lab.clock import Clock
from apigw_doctor.lab.gateway.front import PLAN, SOURCE
from apigw_doctor.lab.network.callers import Caller
from apigw_doctor.lab.records import Exchange, Journal
from apigw_doctor.lab.scenarios.course import play
from apigw_doctor.lab.scenarios.incident import Call
from apigw_doctor.lab.setup import LabApi

#: A caller connects so long before its first message, and stays so long after its last answer.
_BEFORE_MS, _AFTER_MS = 1_000.0, 1_000.0


def source_of(call: Call, root: str) -> str:
    """Whence a call comes: from one of many addresses, unless the scenario says."""
    return call.source_ip or f"203.0.113.{20 + int(root[-4:], 16) % 200}"


class Conversations:
    """All connections of one run."""

    def __init__(self, clock: Clock, api: LabApi, journal: Journal, start_ms: float) -> None:
        self._clock, self._api, self._journal, self._start_ms = clock, api, journal, start_ms
        #: caller -> the trace root of its handshake
        self._roots: dict[int, str] = {}
        #: caller -> what the client itself called the connection
        self._names: dict[int, str] = {}

    async def hold(
        self, caller: Caller, calls: Sequence[Call], roots: Sequence[str], plan_of: Callable[[Call], dict[str, Any]]
    ) -> None:
        """Every caller connects, says its messages, hears the answers and leaves."""
        mine: dict[int, list[Call]] = {}
        for call, root in zip(calls, roots, strict=True):
            mine.setdefault(call.caller, []).append(call)
            self._roots.setdefault(call.caller, root)
        await asyncio.gather(*(self._one(caller, number, said, plan_of) for number, said in mine.items()))

    async def _one(
        self, caller: Caller, number: int, calls: list[Call], plan_of: Callable[[Call], dict[str, Any]]
    ) -> None:
        first = calls[0]
        await self._until(first.at_ms - _BEFORE_MS)
        headers = {
            "X-Amzn-Trace-Id": f"Root={self._roots[number]}",
            SOURCE: source_of(first, self._roots[number]),
            **first.headers,
        }
        listener = await caller.listen(f"wss://{self._api.domain_name}/{self._api.stage}", headers=headers)
        self._names[number] = listener.connection_id
        for call in calls:
            await self._until(call.at_ms)
            await listener.say(json.dumps({**json.loads(call.body), PLAN: plan_of(call)}))
        await self._until(max(call.at_ms + play(call.course).ended_ms for call in calls) + _AFTER_MS)
        await listener.stop()

    async def _until(self, at_ms: float) -> None:
        await asyncio.sleep(max((self._start_ms + at_ms - self._clock.now_ms()) / 1000.0, 0.0))

    def exchanges(self, calls: Iterable[Call]) -> list[Exchange | None]:
        """The gateway's record of each call: the messages of its caller's connection in the order of arrival."""
        ids = {one.trace_id: one.connection_id for one in self._journal.exchanges if one.event_type == "CONNECT"}
        heard: dict[str | None, list[Exchange]] = {}
        for one in sorted(self._journal.exchanges, key=lambda one: one.arrived_at):
            if one.event_type == "MESSAGE":
                heard.setdefault(one.connection_id, []).append(one)
        turns = {number: iter(heard.get(ids.get(root), ())) for number, root in self._roots.items()}
        return [next(turns[call.caller], None) for call in calls]

    def name_connections(self) -> None:
        """Clients know their connection by the id that the gateway gave it."""
        ids = {one.trace_id: one.connection_id for one in self._journal.exchanges if one.event_type == "CONNECT"}
        names = {self._names[number]: ids.get(root) for number, root in self._roots.items()}
        self._journal.clients = [
            msgspec.structs.replace(entry, connection_id=names.get(entry.connection_id or "") or entry.connection_id)
            for entry in self._journal.clients
        ]
