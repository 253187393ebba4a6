"""The function host: gives each invocation an environment, starts new ones, throttles, and hears their traces."""

import asyncio
import json
import random
from typing import Any

from apigw_doctor.lab.clock import Clock
from apigw_doctor.lab.functions.execution import Execution, Job, Shared, init_limit_s
from apigw_doctor.lab.functions.processes import Processes
from apigw_doctor.lab.functions.runtime_api import RuntimeApi
from apigw_doctor.lab.invoking import Answer, Trace
from apigw_doctor.lab.records import InitKind, Journal
from apigw_doctor.lab.setup import LabFunction, LabSetup

#: The account's concurrency: far above what a lab should reach, and a bound for its processes.
ACCOUNT_CONCURRENCY = 1000


class FunctionHost:
    """Runs the functions of a setup; an `Invoker`.

    With `plans` the functions are a scenario's: they find their plan by `import lab`, and the lab's clients on their
    path. `preload` names modules that every environment will need.
    """

    def __init__(
        self,
        setup: LabSetup,
        clock: Clock,
        journal: Journal,
        *,
        seed: int = 0,
        plans: bool = False,
        preload: tuple[str, ...] = (),
    ) -> None:
        self._setup, self._clock, self._journal = setup, clock, journal
        self._random = random.Random(f"functions-{seed}")  # noqa: S311 - names, not secrets
        self._processes = Processes(scaled=clock.scale != 1.0, plans=plans, preload=preload)
        self._runtime_api = RuntimeApi()
        self._idle: dict[str, list[Execution]] = {}
        self._in_use: dict[str, int] = {}
        self._all: list[Execution] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._waits: dict[int, Execution] = {}

    async def start(self) -> None:
        """Start the fork server, and the environments that provisioned concurrency asks for."""
        loop = asyncio.get_running_loop()
        self._udp, _ = await loop.create_datagram_endpoint(
            lambda: _Segments(self._journal), local_addr=("127.0.0.1", 0)
        )
        xray_port = self._udp.get_extra_info("sockname")[1]
        await self._runtime_api.start()
        # Loading is work of this machine, not of anything that the lab's time stands for.
        self._clock.hold()
        try:
            await self._processes.start(xray_port)
        finally:
            self._clock.release()
        self._shared = Shared(
            clock=self._clock,
            journal=self._journal,
            processes=self._processes,
            runtime_api=self._runtime_api,
            waits=self._waits,
            xray_port=xray_port,
        )
        for function in self._setup.functions:
            await self.provision(function.name, function.provisioned_concurrency)

    async def provision(self, name: str, count: int) -> None:
        """Start environments ahead of requests, and wait until they are ready."""
        function = self._setup.function(name)
        ready = [self._environment(function, "provisioned-concurrency") for _ in range(count)]
        limit_s = init_limit_s(function, "provisioned-concurrency")
        outcomes = await asyncio.gather(*(one.prepare(limit_s) for one in ready))
        self._idle.setdefault(name, []).extend(
            one for one, outcome in zip(ready, outcomes, strict=True) if outcome == "success"
        )

    async def stop(self) -> None:
        """End everything, whatever it was doing."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for one in self._all:
            await one.close()
        await self._runtime_api.stop()
        await self._processes.stop()
        self._udp.close()

    async def drain(self) -> None:
        """Wait until every invocation has ended, also those that nobody waits for any more."""
        while self._tasks:
            await asyncio.gather(*self._tasks)

    async def retire(self, name: str) -> None:
        """What a deployment does: idle environments go, the next invocation starts a new one."""
        for one in self._idle.pop(name, []):
            await one.close()

    def wake(self, port: int) -> None:
        """Something is about to reach the socket with this local port: its owner works again from now on."""
        waiting = self._waits.get(port)
        if waiting is not None:
            waiting.wake()

    async def invoke(
        self, function: str, payload: bytes, *, trace: Trace | None = None, plan: dict[str, Any] | None = None
    ) -> Answer:
        """Invoke a function; it runs to its end even if the caller stops waiting."""
        spec = self._setup.function(function)
        request_id = _uuid(self._random)
        refused = self._refusal(spec, request_id)
        if refused is not None:
            return refused
        job = Job(
            request_id=request_id,
            payload=payload,
            function=spec,
            trace=trace,
            plan=plan,
            segment_id=f"{self._random.getrandbits(64):016x}",
            service_segment_id=f"{self._random.getrandbits(64):016x}",
        )
        answered: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._in_use[function] = self._in_use.get(function, 0) + 1
        task = asyncio.create_task(self._serve(spec, job, answered))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return await asyncio.shield(answered)

    async def _serve(self, function: LabFunction, job: Job, answered: asyncio.Future[Answer]) -> None:
        def answer(value: Answer) -> None:
            if not answered.done():
                answered.set_result(value)

        idle = self._idle.setdefault(function.name, [])
        try:
            one = idle.pop() if idle and not (job.plan or {}).get("cold") else None
            if one is None:
                one = self._environment(function, "on-demand")
                await one.prepare(init_limit_s(function, "on-demand"), job)
            await one.serve(job, answer)
        finally:
            self._in_use[function.name] -= 1
            if not answered.done():
                answered.cancel()
        if one.alive:
            idle.append(one)

    def _environment(self, function: LabFunction, kind: InitKind) -> Execution:
        one = Execution(self._shared, function, f"{self._random.getrandbits(128):032x}", kind)
        self._all.append(one)
        return one

    def _refusal(self, function: LabFunction, request_id: str) -> Answer | None:
        reserved, used = function.reserved_concurrency, self._in_use.get(function.name, 0)
        if reserved is not None and used >= reserved:
            reason = "ReservedFunctionConcurrentInvocationLimitExceeded"
        elif sum(self._in_use.values()) >= ACCOUNT_CONCURRENCY:
            reason = "ConcurrentInvocationLimitExceeded"
        else:
            return None
        body = json.dumps({"Reason": reason, "Type": "User", "message": "Rate Exceeded."}, separators=(",", ":"))
        return Answer(
            status=429,
            request_id=request_id,
            payload=body.encode(),
            error_type="TooManyRequestsException",
            reason=reason,
        )


class _Segments(asyncio.DatagramProtocol):
    """Plays the X-Ray daemon: takes segment documents over UDP."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        _, _, document = data.partition(b"\n")
        try:
            value = json.loads(document)
        except ValueError:
            return
        if isinstance(value, dict):
            self._journal.segments.append(value)


def _uuid(source: random.Random) -> str:
    digits = f"{source.getrandbits(128):032x}"
    return (
        f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-{'89ab'[int(digits[16], 16) % 4]}{digits[17:20]}-{digits[20:]}"
    )
