"""A scenario that somebody calls by hand: each request takes its course from the next scheduled call of its route.

The functions are told what to do when they are invoked, by the trace of the request: an authorizer, the function and a
backend that serve one request follow the same call. Nothing of it is in the events that the functions get.
"""

import json
from collections import OrderedDict
from collections.abc import Iterator
from itertools import cycle
from typing import Any

from apigw_doctor.lab.clock import Clock
from apigw_doctor.lab.gateway.front import AUTHORIZER_PLAN
from apigw_doctor.lab.gateway.routing import find_route
from apigw_doctor.lab.invoking import Answer, Invoker, Trace
from apigw_doctor.lab.playing import Stage, backend_plan
from apigw_doctor.lab.records import Journal
from apigw_doctor.lab.scenarios.incident import Call, Incident
from apigw_doctor.lab.setup import LabApi, LabSetup
from apigw_doctor.lab.world import World
from apigw_doctor.model.terms import ApiType

#: Requests whose call is remembered; far more than are ever at work at a time.
_KEPT = 10_000


class Schedule:
    """Which call of the schedule a request follows."""

    def __init__(self, incident: Incident) -> None:
        self._api = incident.setup.api
        calls: dict[str, list[Call]] = {}
        for call in incident.calls:
            calls.setdefault(route_key(self._api, call), []).append(call)
        self._calls: dict[str, Iterator[Call]] = {key: cycle(ones) for key, ones in calls.items()}
        self._drawn: OrderedDict[str, Call] = OrderedDict()

    def call(self, root: str, key: str) -> Call | None:
        """The call that the request with this trace follows: the one it has, or the next one of this route."""
        if root not in self._drawn and key in self._calls:
            self._drawn[root] = next(self._calls[key])
            if len(self._drawn) > _KEPT:
                self._drawn.popitem(last=False)
        return self._drawn.get(root)

    def known(self, root: str) -> Call | None:
        """The call that was given to a request."""
        return self._drawn.get(root)

    def backend(self, root: str) -> Call | None:
        """The call of a request that a backend sees first: the next one whose target is no function."""
        for key, calls in self._calls.items():
            if root not in self._drawn and _is_backend(self._api, key):
                self._drawn[root] = next(calls)
        return self._drawn.get(root)


class BackendPlans(dict[str, dict[str, str]]):
    """How a backend answers, by trace; looked up in the schedule."""

    def __init__(self, schedule: Schedule) -> None:
        super().__init__()
        self._schedule = schedule

    def get(self, key: str, default: Any = None) -> Any:  # noqa: ANN401 - as in the standard library
        """The plan for the request with this trace."""
        call = self._schedule.backend(key)
        return default if call is None or call.course.lambda_target else backend_plan(call)


class Staged(Stage):
    """An incident's services and plans without its callers: those come from outside."""

    def __init__(self, incident: Incident, clock: Clock, seed: int) -> None:
        super().__init__(incident, clock, seed)
        self.schedule = Schedule(incident)
        self._world.backend = BackendPlans(self.schedule)
        self._authorizers = {one.function for one in incident.setup.api.authorizers}

    @property
    def world(self) -> World:
        """The services."""
        return self._world

    @property
    def journal(self) -> Journal:
        """What everything that serves writes to."""
        return self._journal

    def shown(self) -> tuple[LabSetup, Journal]:
        """Setup and journal as evidence shows them."""
        return self._world.shown_setup, self._world.disguise(self._journal)

    @property
    def preload(self) -> tuple[str, ...]:
        """What functions load before they start."""
        return self._preload()

    def plan(self, function: str, trace: Trace, payload: bytes) -> dict[str, Any] | None:
        """What the schedule wants of this invocation."""
        call = self.schedule.call(trace.root, event_route(self._incident.setup.api, json.loads(payload)))
        if call is None:
            return None
        if function in self._authorizers:
            plan = json.loads(self._headers(call, trace.root).get(AUTHORIZER_PLAN, "{}"))
            return plan if isinstance(plan, dict) else None
        return self._plan(call)


class Following:
    """An `Invoker` that gives each invocation what the schedule wants of it."""

    def __init__(self, invoker: Invoker, stage: Staged) -> None:
        self._invoker, self._stage = invoker, stage

    async def invoke(
        self, function: str, payload: bytes, *, trace: Trace | None = None, plan: dict[str, Any] | None = None
    ) -> Answer:
        """Invoke with the plan of the request's call."""
        if trace is not None and plan is None:
            plan = self._stage.plan(function, trace, payload)
        return await self._invoker.invoke(function, payload, trace=trace, plan=plan)


def route_key(api: LabApi, call: Call) -> str:
    """The key of the route that a call asks for."""
    if api.api_type is ApiType.WEBSOCKET:
        return str(json.loads(call.body).get("action", "$default"))
    route = find_route(api, call.method, call.path).route
    return "" if route is None else route.key


def event_route(api: LabApi, event: dict[str, Any]) -> str:
    """The key of the route that an event came by: what a proxy integration or an authorizer is sent."""
    context = event.get("requestContext") or {}
    key = event.get("routeKey") or context.get("routeKey")
    if isinstance(key, str):
        return key
    if "resource" in event:
        method, path = event.get("httpMethod", ""), event["resource"]
    else:
        # A token authorizer is told the method's ARN: .../STAGE/METHOD/PATH
        _, method, path = (*str(event.get("methodArn", "")).split("/", 3)[1:], "", "", "")[:3]
        path = f"/{path}"
    route = find_route(api, str(method), str(path)).route
    return "" if route is None else route.key


def _is_backend(api: LabApi, key: str) -> bool:
    return any(route.key == key and route.kind == "http-proxy" for route in api.routes)
