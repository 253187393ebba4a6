"""What a scenario hands to the lab: the setup, the calls with their courses, and the services to blame."""

import random
from collections.abc import Callable, Iterable
from pathlib import Path

import msgspec

from apigw_doctor.lab.network.faults import Fault
from apigw_doctor.lab.scenarios import functions
from apigw_doctor.lab.scenarios.course import Course
from apigw_doctor.lab.setup import LabBalancer, LabSetup

#: Where the code of the scenarios' functions lies.
CODE = Path(functions.__path__[0])
#: Calls of one scenario are spread over so many milliseconds at least.
MIN_SPAN_MS = 120_000.0


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """One request of the schedule; `at_ms` after the lab's start."""

    at_ms: float
    method: str
    path: str
    course: Course
    body: str = ""
    headers: dict[str, str] = {}
    #: begins in a new execution environment
    cold: bool = False
    #: further wishes to the handler (`status`, `malformed`, `bytes`, `log_request_id`, `lazy`)
    plan: dict[str, object] = {}
    #: goes through the edge
    edge: bool = False
    #: None: one of many callers
    source_ip: str | None = None
    #: which caller: retries of one have the same
    caller: int = 0
    #: the message goes over the WebSocket connection of `caller`
    message: bool = False


class Service(msgspec.Struct, frozen=True, kw_only=True):
    """Something that functions or integrations call, behind a relay.

    `host` is the name that evidence shows for it. `kind` `balancer` is a load balancer before HTTP services, one for
    each of `targets`, which are the faults of the paths to them; `database` is one that `labdb` speaks to. Windows of
    faults are milliseconds after the lab's start, as calls have them.
    """

    name: str
    host: str
    kind: str = "http"
    #: on the way to the service, or to its load balancer
    faults: tuple[Fault, ...] = ()
    balancer: LabBalancer | None = None
    targets: tuple[tuple[Fault, ...], ...] = ((),)
    #: of the service: keep_alive_ms and race, or a database's settings
    options: dict[str, float | str | bool | None] = {}

    @property
    def url(self) -> str:
        """Where evidence says that it is; a load balancer inside a VPC speaks plain HTTP."""
        return f"{'http' if self.kind == 'balancer' else 'https'}://{self.host}"


class Incident(msgspec.Struct, frozen=True, kw_only=True):
    """One incident, ready to be played. Integration URLs may be `lab://SERVICE/path`."""

    setup: LabSetup
    calls: tuple[Call, ...]
    services: tuple[Service, ...] = ()
    #: functions trace their calls with AWS's X-Ray SDK
    sdk: bool = False
    #: the edge's read timeout, where calls go through one; `edge_host` is the name that viewers know
    edge_timeout_ms: float | None = None
    edge_host: str = "shop.example.com"


class Draw(msgspec.Struct, frozen=True):
    """Chance of one run, and how many requests were asked for."""

    chance: random.Random
    requests: int

    def times(self, count: int, span_ms: float, *, gap_ms: float = 0.0, from_ms: float = 0.0) -> list[float]:
        """`count` moments spread over a span, in order, at least `gap_ms` apart (the span grows if it must)."""
        step_ms = max(span_ms / max(count, 1), gap_ms)
        free_ms = step_ms - gap_ms
        return [from_ms + number * step_ms + self.chance.uniform(0.0, free_ms) for number in range(count)]

    def some(self, share: float, *, least: int = 1, among: Iterable[int] | None = None) -> set[int]:
        """The numbers of so large a share of the requests, at least `least`; never the first, which is cold."""
        numbers = sorted(set(range(self.requests) if among is None else among) - {0})
        return set(self.chance.sample(numbers, min(max(round(share * self.requests), least), len(numbers))))

    def between(self, low: float, high: float) -> float:
        """A whole number of milliseconds."""
        return float(round(self.chance.uniform(low, high)))


class Scenario(msgspec.Struct, frozen=True, kw_only=True):
    """A named incident."""

    name: str
    description: str
    causes: tuple[str, ...]
    #: causes that happen here and that no evidence of this scenario can tell: "undetermined" is the right answer
    untold: tuple[str, ...] = ()
    make: Callable[[Draw], Incident]

    def incident(self, *, seed: int, requests: int) -> Incident:
        """The incident of one seed."""
        return self.make(Draw(random.Random(f"{self.name}-{seed}"), requests))  # noqa: S311 - repeatable on purpose


def scenario(
    name: str, description: str, causes: tuple[str, ...], untold: tuple[str, ...] = ()
) -> Callable[[Callable[[Draw], Incident]], Scenario]:
    """Make a scenario of a function that draws an incident."""

    def wrap(make: Callable[[Draw], Incident]) -> Scenario:
        return Scenario(name=name, description=description, causes=causes, untold=untold, make=make)

    return wrap
