"""The services of an incident: started behind relays, told how to behave, and named in evidence as they should be."""

from collections.abc import Callable
from typing import Any, TypeVar

import msgspec
from aiohttp import web

from apigw_doctor.lab.clock import Clock
from apigw_doctor.lab.gateway.ids import read_trace
from apigw_doctor.lab.network.balancer import Balancer, Target
from apigw_doctor.lab.network.database import Database, DatabaseSettings
from apigw_doctor.lab.network.edge import Edge, EdgeSettings
from apigw_doctor.lab.network.faults import Fault
from apigw_doctor.lab.network.relay import Relay
from apigw_doctor.lab.network.services import HttpService
from apigw_doctor.lab.network.serving import HttpServer
from apigw_doctor.lab.records import BalancerEntry, Exchange, Journal
from apigw_doctor.lab.scenarios.incident import Incident, Service
from apigw_doctor.lab.setup import LabBalancer, LabRoute, LabSetup

_SCHEME = "lab://"
T = TypeVar("T")


class _HttpOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    keep_alive_ms: float | None = None
    race: bool = False


class PlannedService(HttpService):
    """A service that looks up what the schedule wants of a request by its trace."""

    def __init__(
        self, clock: Clock, plans: dict[str, dict[str, str]], *, keep_alive_ms: float | None = None, race: bool = False
    ) -> None:
        super().__init__(clock, keep_alive_ms=keep_alive_ms, race=race)
        self._plans = plans

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer as the call's plan says; without a plan as the request itself says."""
        root, _ = read_trace(request.headers.get("X-Amzn-Trace-Id"))
        plan = self._plans.get(root or "")
        if plan:
            # aiohttp's server keeps the clone's transport and payload.
            request = request.clone(rel_url=request.rel_url.update_query(plan))
        return await super().handle(request)


class World:
    """Everything round gateway and functions."""

    def __init__(self, incident: Incident, clock: Clock, journal: Journal, *, start_ms: float, seed: int = 0) -> None:
        self._incident, self._clock, self._journal = incident, clock, journal
        self._start_ms, self._seed = start_ms, seed
        self._servers: list[HttpServer | Database] = []
        self._relays: list[Relay] = []
        self._names: dict[str, str] = {}
        #: service -> where functions reach it
        self.addresses: dict[str, tuple[str, int]] = {}
        #: trace root -> how the backend answers this call
        self.backend: dict[str, dict[str, str]] = {}
        self.on_wake: Callable[[int], None] = lambda _port: None
        self.setup = incident.setup

    async def start(self) -> None:
        """Start all services; `setup` then has their addresses."""
        for service in self._incident.services:
            self.addresses[service.name] = await self._service(service)
        self.setup = self._with_urls(lambda name: "http://{}:{}".format(*self.addresses[name]))

    async def front(self, gateway: tuple[str, int]) -> tuple[str, int]:
        """Where callers go that come through the edge; the gateway itself where there is none."""
        timeout_ms = self._incident.edge_timeout_ms
        if timeout_ms is None:
            return gateway
        edge = Edge(
            self._clock,
            gateway,
            self._journal,
            EdgeSettings(read_timeout_ms=timeout_ms),
            origin_host=self.setup.api.domain_name,
            seed=self._seed,
        )
        await edge.start()
        # Stopped first: it has connections to the gateway.
        self._servers.insert(0, edge)
        return edge.address

    async def stop(self) -> None:
        """Stop all services."""
        for relay in self._relays:
            await relay.stop()
        for server in self._servers:
            await server.stop()

    async def _service(self, service: Service) -> tuple[str, int]:
        if service.kind == "balancer":
            behind = await self._balancer(service)
        elif service.kind == "database":
            behind = await self._database(service)
        else:
            behind = (await self._http(service)).address
        port = (await self._relay(behind, service.faults)).port
        self._names[f"http://127.0.0.1:{port}"] = service.url
        self._names[f"127.0.0.1:{port}"] = service.host
        return ("127.0.0.1", port)

    async def _database(self, service: Service) -> tuple[str, int]:
        settings = msgspec.convert(service.options, DatabaseSettings, strict=False)
        database = Database(self._clock, settings)
        await database.start()
        self._servers.append(database)
        return database.address

    async def _http(self, service: Service) -> HttpServer:
        options = msgspec.convert(service.options, _HttpOptions, strict=False)
        server = PlannedService(self._clock, self.backend, keep_alive_ms=options.keep_alive_ms, race=options.race)
        await server.start()
        self._servers.append(server)
        return server

    async def _balancer(self, service: Service) -> tuple[str, int]:
        targets = []
        for number, faults in enumerate(service.targets):
            relay = await self._relay((await self._http(service)).address, faults)
            targets.append(Target(address=("127.0.0.1", relay.port), shown=f"10.0.{number + 1}.20:8080"))
        balancer = Balancer(self._clock, service.balancer or LabBalancer(), targets, self._journal)
        await balancer.start()
        self._servers.append(balancer)
        return balancer.address

    async def _relay(self, behind: tuple[str, int], faults: tuple[Fault, ...]) -> Relay:
        relay = Relay(self._clock, behind, on_wake=lambda port: self.on_wake(port))
        await relay.start()
        relay.set(*(self._dated(fault) for fault in faults))
        self._relays.append(relay)
        return relay

    def _dated(self, fault: Fault) -> Fault:
        """Windows are told from the lab's start; the relay wants them on the clock."""
        ends = {name: getattr(fault, name) for name in ("from_ms", "until_ms")}
        return msgspec.structs.replace(
            fault, **{name: at_ms + self._start_ms for name, at_ms in ends.items() if at_ms is not None}
        )

    @property
    def shown_setup(self) -> LabSetup:
        """The setup as configuration shows it."""
        urls = {service.name: service.url for service in self._incident.services}
        return self._with_urls(lambda name: urls[name])

    def disguise(self, journal: Journal) -> Journal:
        """The journal with the services' own names instead of this machine's addresses."""
        if not self._names:
            return journal
        journal.exchanges = [self._renamed(one, Exchange) for one in journal.exchanges]
        journal.balancers = [self._renamed(one, BalancerEntry) for one in journal.balancers]
        journal.functions = [self._renamed(one, type(one)) for one in journal.functions]
        journal.segments = [self._renamed(one, dict[str, Any]) for one in journal.segments]
        return journal

    def _renamed(self, record: T, kind: type[T]) -> T:
        told = data = msgspec.json.encode(record)
        for address, name in self._names.items():
            data = data.replace(address.encode(), name.encode())
        return record if data == told else msgspec.json.decode(data, type=kind)

    def _with_urls(self, base: Callable[[str], str]) -> LabSetup:
        setup = self._incident.setup
        routes = tuple(_with_url(route, base) for route in setup.api.routes)
        return msgspec.structs.replace(setup, api=msgspec.structs.replace(setup.api, routes=routes))


def _with_url(route: LabRoute, base: Callable[[str], str]) -> LabRoute:
    if route.url is None or not route.url.startswith(_SCHEME):
        return route
    name, _, path = route.url.removeprefix(_SCHEME).partition("/")
    return msgspec.structs.replace(route, url=f"{base(name)}/{path}")
