"""A function's real process meets the faults of a path, at the times of the lab's clock."""

import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from tests.lab.network.lab import Echo, about, play

from apigw_doctor.lab.clock import Clock
from apigw_doctor.lab.functions.host import FunctionHost
from apigw_doctor.lab.network.aws import AwsBehaviour, AwsEndpoint
from apigw_doctor.lab.network.database import Database, DatabaseSettings
from apigw_doctor.lab.network.faults import BlackHole, Delay, Fault, IdleCut, Refuse, ResetAnswer, Silence, Trickle
from apigw_doctor.lab.network.relay import Relay
from apigw_doctor.lab.records import Journal
from apigw_doctor.lab.setup import LabApi, LabFunction, LabSetup
from apigw_doctor.model.terms import ApiType

CODE = LabFunction(name="callee", handler="callee.handler", code=Path(__file__).parent, timeout_ms=900_000.0)
SETUP = LabSetup(api=LabApi(api_id="a1b2c3d4e5", name="lab", api_type=ApiType.REST), functions=(CODE,))

Call = Callable[..., Awaitable[dict[str, Any]]]


async def with_function(clock: Clock, target: tuple[str, int], scene: Callable[[Relay, Call], Awaitable[None]]) -> None:
    host = FunctionHost(SETUP, clock, Journal(), plans=True)
    async with Relay(clock, target, host.wake) as relay:

        async def call(do: str, **arguments: Any) -> dict[str, Any]:
            event = {"do": do, "with": {"port": relay.port, **arguments}}
            answer = await host.invoke("callee", json.dumps(event).encode())
            said: dict[str, Any] = json.loads(answer.payload)
            return said

        await host.start()
        try:
            await scene(relay, call)
        finally:
            await host.stop()


@pytest.mark.parametrize(
    ("fault", "said", "ms"),
    [
        (None, "hello echo", 2_000),
        (Refuse(), "ConnectionRefusedError", 0),
        (BlackHole(), "TimeoutError", 20_000),
        (Silence(), "TimeoutError", 20_000),
        (ResetAnswer(), "ConnectionResetError", 2_000),
        (Delay(ms=9_000.0), "hello echo", 11_000),
        (Delay(ms=9_000.0, per="chunk"), "hello echo", 11_000),
        (Trickle(bytes_per_s=11.0), "h", 2_091),
        (IdleCut(after_ms=1_000.0, how="close"), "", 1_000),
        (IdleCut(after_ms=1_000.0, how="reset"), "ConnectionResetError", 1_000),
        (IdleCut(after_ms=1_000.0, how="swallow"), "TimeoutError", 20_000),
    ],
    ids=str,
)
def test_a_blocking_socket_on_the_labs_clock(fault: Fault | None, said: str, ms: float) -> None:
    async def scene(relay: Relay, call: Call) -> None:
        relay.set(*([fault] if fault else []))
        came = await call("line", timeout=20.0)
        assert (came["said"].partition(":")[0], came["ms"]) == (said, about(ms))

    async def main(clock: Clock) -> None:
        async with Echo(wait_s=2.0) as echo:
            await with_function(clock, echo.address, scene)

    play(main)


def test_a_pool_and_a_paused_database() -> None:
    async def main(clock: Clock) -> None:
        async with Database(clock, DatabaseSettings(resume_ms=18_000.0)) as database:

            async def scene(_: Relay, call: Call) -> None:
                database.pause()
                assert await call("query", size=1, wait=5.0, leak=0) == {"said": 2, "ms": about(20_000)}
                assert await call("query", size=1, wait=5.0, leak=0) == {"said": 2, "ms": about(2_000)}
                full = await call("query", size=3, wait=5.0, leak=3)
                assert full["said"] == "PoolTimeoutError: no connection of 3 became free within 5 seconds"
                assert full["ms"] == about(5_000)

            await with_function(clock, database.address, scene)

    play(main)


def test_a_stalled_endpoint_costs_boto3_its_minute_for_each_attempt() -> None:
    async def main(clock: Clock) -> None:
        async with AwsEndpoint(clock) as endpoint:

            async def scene(_: Relay, call: Call) -> None:
                # The first call loads the SDK.
                assert "42" in (await call("item", attempts=1))["said"]
                endpoint.behaviour = AwsBehaviour(does="stall")
                stalled = await call("item", attempts=2)
                assert stalled["said"].startswith("ReadTimeoutError")
                # Two minutes, the wait between them, and making a client.
                assert stalled["ms"] == pytest.approx(121_000.0, abs=1_500.0)
                assert [one.attempt for one in endpoint.calls] == [1, 1, 2]

            await with_function(clock, endpoint.address, scene)

    play(main)
