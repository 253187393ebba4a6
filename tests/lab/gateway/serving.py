"""A gateway on a fast clock, with functions that are plain coroutines, and a client."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from aiohttp import ClientSession, ClientTimeout, web

from apigw_doctor.lab.clock import Clock, run
from apigw_doctor.lab.gateway.server import Gateway
from apigw_doctor.lab.invoking import Answer, Trace
from apigw_doctor.lab.records import Exchange, Journal
from apigw_doctor.lab.setup import LabApi, LabAuthorizer, LabFunction, LabRoute, LabSetup
from apigw_doctor.model.terms import ApiType

T = TypeVar("T")
#: How much later than it should something may happen on a busy machine.
SLACK_MS = 3_000.0
Event = dict[str, Any]
Function = Callable[[Event], Awaitable[Any]]
Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


@dataclass
class Call:
    """What a function was invoked with, and what became of it."""

    function: str
    event: Event
    trace: Trace | None
    plan: dict[str, Any] | None
    finished: bool = False


@dataclass
class FakeInvoker:
    """Functions by name: a coroutine that gets the event and returns an answer, or what is to be one as JSON."""

    functions: dict[str, Function]
    calls: list[Call] = field(default_factory=list)

    async def invoke(
        self, function: str, payload: bytes, *, trace: Trace | None = None, plan: dict[str, Any] | None = None
    ) -> Answer:
        body = self.functions[function]
        call = Call(function, json.loads(payload), trace, plan)
        self.calls.append(call)
        number = len(self.calls)
        answer = await body(call.event)
        call.finished = True
        if isinstance(answer, Answer):
            return answer
        return Answer(status=200, request_id=lambda_id(number), payload=json.dumps(answer).encode())


def lambda_id(number: int) -> str:
    return f"00000000-0000-4000-8000-{number:012d}"


def raised(text: str, error_type: str = "Error", number: int = 1) -> Answer:
    """The function raised, or was killed."""
    payload = json.dumps({"errorMessage": text, "errorType": error_type}).encode()
    return Answer(status=200, request_id=lambda_id(number), payload=payload, function_error="Unhandled")


def says(body: str = "hello", status: int = 200, **more: Any) -> Function:
    """A function that answers at once."""

    async def function(event: Event) -> Any:
        return {"statusCode": status, "body": body, **more}

    return function


def gives(answer: Any, after_s: float = 0.0) -> Function:
    """A function that gives `answer` as it is."""

    async def function(event: Event) -> Any:
        await asyncio.sleep(after_s)
        return answer

    return function


def sleeps(seconds: float, body: str = "late") -> Function:
    """A function that takes its time."""

    async def function(event: Event) -> Any:
        await asyncio.sleep(seconds)
        return {"statusCode": 200, "body": body}

    return function


def api(api_type: ApiType = ApiType.REST, *routes: LabRoute, **more: Any) -> LabApi:
    """An API with these routes."""
    default = {"stage": "$default"} if api_type is ApiType.HTTP else {}
    return LabApi(**{"api_id": "a1b2c3d4e5", "name": "shop", "api_type": api_type, "routes": routes, **default, **more})


def route(path: str = "/orders/{id}", method: str = "GET", function: str | None = "orders", **more: Any) -> LabRoute:
    """A route to a function."""
    return LabRoute(**{"method": method, "path": path, "function": function, **more})


def authorizer(**more: Any) -> LabAuthorizer:
    """An authorizer whose function is `guard`."""
    return LabAuthorizer(**{"id": "auth01", "name": "tokens", "function": "guard", **more})


def on_time(took_ms: float, expected_ms: float) -> bool:
    """Not a moment too early, and no later than a busy machine makes it."""
    return expected_ms <= took_ms < expected_ms + SLACK_MS


def policy(effect: str = "Allow", resource: str = "*", **more: Any) -> dict[str, Any]:
    """What an authorizer answers."""
    statement = {"Action": "execute-api:Invoke", "Effect": effect, "Resource": resource}
    document = {"Version": "2012-10-17", "Statement": [statement]}
    return {"principalId": "customer-4711", "policyDocument": document, **more}


@dataclass
class Reply:
    """What a client got."""

    status: int
    headers: dict[str, str]
    body: bytes
    #: the gateway's time from request to answer, as the client's clock shows it
    took_ms: float

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def names(self) -> dict[str, str]:
        """Headers by name in small letters."""
        return {name.lower(): value for name, value in self.headers.items()}


@dataclass
class Serving:
    """A gateway at work."""

    gateway: Gateway
    invoker: FakeInvoker
    journal: Journal
    clock: Clock
    url: str
    session: ClientSession

    async def ask(self, path: str = "/orders/42", method: str = "GET", **more: Any) -> Reply:
        began = self.clock.now_ms()
        async with self.session.request(method, f"{self.url}{path}", **more) as response:
            body = await response.read()
            return Reply(response.status, dict(response.headers), body, self.clock.now_ms() - began)

    @property
    def exchange(self) -> Exchange:
        """The last one."""
        return self.journal.exchanges[-1]


@asynccontextmanager
async def serving(clock: Clock, lab: LabApi, functions: dict[str, Function], **more: Any) -> AsyncIterator[Serving]:
    invoker, journal = FakeInvoker(functions), Journal()
    known = tuple(LabFunction(name=name, handler="app.handler", code=Path("app.py")) for name in functions)
    gateway = Gateway(LabSetup(api=lab, functions=known), invoker, clock, journal, **more)
    port = await gateway.start()
    try:
        async with ClientSession(timeout=ClientTimeout(total=None)) as session:
            yield Serving(gateway, invoker, journal, clock, f"http://127.0.0.1:{port}", session)
    finally:
        await gateway.stop()


def served(
    lab: LabApi,
    functions: dict[str, Function],
    scene: Callable[[Serving], Coroutine[Any, Any, T]],
    *,
    scale: float = 1000.0,
    **more: Any,
) -> T:
    """Play `scene` with a gateway; nothing is left when it ends."""

    async def main(clock: Clock) -> T:
        async with serving(clock, lab, functions, **more) as at_work:
            result = await scene(at_work)
        left = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        assert not left, left
        return result

    return run(main, scale=scale, start_ms=1_773_136_800_000.0)


@asynccontextmanager
async def backend(handler: Handler, port: int = 0) -> AsyncIterator[str]:
    runner = web.ServerRunner(web.Server(handler, access_log=None), shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@contextmanager
def port() -> Iterator[int]:
    """A port that nobody listens on, as long as nobody else is given it."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]
