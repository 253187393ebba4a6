"""Functions behave as on Lambda: environments, init, the function's own timeout, throttles, exits."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from apigw_doctor.lab.clock import Clock, run
from apigw_doctor.lab.functions.host import FunctionHost
from apigw_doctor.lab.invoking import Answer, Trace
from apigw_doctor.lab.records import FunctionLine, InitEnded, InitStarted, InvocationEnded, InvocationStarted, Journal
from apigw_doctor.lab.setup import LabApi, LabFunction, LabSetup
from apigw_doctor.model.terms import ApiType

HANDLER = """
import logging, os, time
import lab
logging.getLogger().setLevel("INFO")
time.sleep(lab.plan().get("init_s", 0))
if lab.plan().get("broken"):
    import no_such_module

def handler(event, context):
    plan = lab.plan()
    logging.info("left %d", context.get_remaining_time_in_millis())
    print("printed")
    time.sleep(plan.get("work_s", 0))
    if plan.get("raise"):
        raise KeyError("tenant")
    if plan.get("leave"):
        os._exit(3)
    return {"echo": event, "trace": os.environ.get("_X_AMZN_TRACE_ID"), "name": context.function_name}
"""

Work = Callable[[FunctionHost, Clock], Awaitable[Any]]


def on_host(folder: Path, work: Work, *, scale: float = 1000.0, **options: Any) -> tuple[Any, Journal]:
    """Run `work` with a host that has the function `orders-fn`."""
    (folder / "app.py").write_text(HANDLER, encoding="utf-8")
    settings: dict[str, Any] = {"timeout_ms": 31_000.0, "memory_mb": 512} | options
    function = LabFunction(name="orders-fn", handler="app.handler", code=folder, **settings)
    setup = LabSetup(api=LabApi(api_id="a1", name="shop", api_type=ApiType.REST), functions=(function,))
    journal = Journal()

    async def main(clock: Clock) -> Any:
        host = FunctionHost(setup, clock, journal, seed=1, plans=True)
        await host.start()
        try:
            result = await work(host, clock)
            await host.drain()
        finally:
            await host.stop()
        return result

    return run(main, scale=scale, start_ms=1_790_848_800_000.0), journal


def ends(journal: Journal) -> list[InvocationEnded]:
    return [one for one in journal.functions if isinstance(one, InvocationEnded)]


async def invoke(host: FunctionHost, **plan: Any) -> Answer:
    return await host.invoke("orders-fn", b'{"n": 1}', plan=plan)


def test_only_the_first_invocation_of_an_environment_has_an_init_phase(tmp_path: Path) -> None:
    async def work(host: FunctionHost, clock: Clock) -> Answer:
        await invoke(host, init_s=4.0, work_s=1.0)
        await asyncio.sleep(1.0)
        return await invoke(host, work_s=2.0)

    answer, journal = on_host(tmp_path, work)
    first, second = ends(journal)
    assert json.loads(answer.payload)["echo"] == {"n": 1}
    assert first.init_ms is not None
    assert 4_000.0 <= first.init_ms < 6_000.0
    assert 1_000.0 <= first.duration_ms < 3_000.0
    assert (second.init_ms, second.stream) == (None, first.stream)
    assert sum(isinstance(one, InitStarted) for one in journal.functions) == 1


def test_a_function_is_killed_at_its_own_timeout_and_the_caller_is_told(tmp_path: Path) -> None:
    answer, journal = on_host(tmp_path, lambda host, _: invoke(host, work_s=500.0), timeout_ms=10_000.0)
    end = ends(journal)[0]
    assert answer.function_error == "Unhandled"
    assert json.loads(answer.payload)["errorType"] == "Sandbox.Timedout"
    assert "Task timed out after 10.00 seconds" in json.loads(answer.payload)["errorMessage"]
    assert end.outcome == "timeout"
    assert 10_000.0 <= end.duration_ms < 11_500.0


def test_an_init_phase_over_ten_seconds_is_cut_and_run_again_inside_the_invocation(tmp_path: Path) -> None:
    _, journal = on_host(tmp_path, lambda host, _: invoke(host, init_s=12.0, work_s=1.0))
    inits = [one for one in journal.functions if isinstance(one, InitEnded)]
    end = ends(journal)[0]
    assert [(one.phase, one.outcome) for one in inits] == [("init", "timeout"), ("invoke", "success")]
    assert 10_000.0 <= inits[0].duration_ms < 11_500.0
    assert 13_000.0 <= end.duration_ms < 15_000.0
    assert end.init_ms is None


def test_a_module_that_cannot_be_loaded_fails_the_invocation(tmp_path: Path) -> None:
    answer, journal = on_host(tmp_path, lambda host, _: invoke(host, broken=True))
    inits = [one for one in journal.functions if isinstance(one, InitEnded)]
    assert answer.function_error == "Unhandled"
    assert "no_such_module" in answer.payload.decode()
    assert [(one.phase, one.outcome) for one in inits] == [("init", "error"), ("invoke", "error")]


def test_an_exception_and_an_exit_are_told_apart(tmp_path: Path) -> None:
    async def work(host: FunctionHost, clock: Clock) -> list[Answer]:
        return [await invoke(host, **{"raise": True}), await invoke(host, leave=True)]

    answers, journal = on_host(tmp_path, work)
    assert json.loads(answers[0].payload)["errorType"] == "KeyError"
    assert json.loads(answers[1].payload)["errorType"] == "Runtime.ExitError"
    assert {one.error_type for one in ends(journal)} == {"KeyError", "Runtime.ExitError"}


def test_reserved_concurrency_refuses_what_is_too_much(tmp_path: Path) -> None:
    async def work(host: FunctionHost, clock: Clock) -> list[Answer]:
        return list(await asyncio.gather(*(invoke(host, work_s=3.0) for _ in range(4))))

    answers, journal = on_host(tmp_path, work, reserved_concurrency=2)
    assert sorted(one.status for one in answers) == [200, 200, 429, 429]
    refused = next(one for one in answers if one.status == 429)
    assert refused.reason == "ReservedFunctionConcurrentInvocationLimitExceeded"
    assert len(ends(journal)) == 2


def test_provisioned_environments_are_ready_before_the_first_request(tmp_path: Path) -> None:
    async def work(host: FunctionHost, clock: Clock) -> list[Answer]:
        return list(await asyncio.gather(*(invoke(host, work_s=1.0) for _ in range(3))))

    _, journal = on_host(tmp_path, work, provisioned_concurrency=2, qualifier="live", version="7")
    assert sum(one.init_ms is not None for one in ends(journal)) == 1
    kinds = [one.kind for one in journal.functions if isinstance(one, InitStarted)]
    assert kinds == ["provisioned-concurrency", "provisioned-concurrency", "on-demand"]


def test_the_invocation_goes_on_when_its_caller_has_stopped_waiting(tmp_path: Path) -> None:
    async def work(host: FunctionHost, clock: Clock) -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.shield(asyncio.ensure_future(invoke(host, work_s=5.0))), 2.0)

    _, journal = on_host(tmp_path, work)
    assert 5_000.0 <= ends(journal)[0].duration_ms < 7_000.0


def test_a_functions_lines_and_clock_are_the_labs(tmp_path: Path) -> None:
    _, journal = on_host(tmp_path, lambda host, _: invoke(host, work_s=7.0))
    texts = [one.text for one in journal.functions if isinstance(one, FunctionLine)]
    started = next(one for one in journal.functions if isinstance(one, InvocationStarted))
    assert texts[1] == "printed"
    assert texts[0].startswith("[INFO]\t2026-10-01T10:00:00.")
    assert started.request_id in texts[0]
    assert 29_000 < int(texts[0].rsplit(" ", 1)[1]) <= 31_002


def test_the_trace_header_reaches_the_function(tmp_path: Path) -> None:
    trace = Trace(root="1-6abbf2a0-0123456789abcdef01234567", parent="53995c3f42cd8ad8", sampled=True)

    async def work(host: FunctionHost, clock: Clock) -> Answer:
        return await host.invoke("orders-fn", b"{}", trace=trace)

    answer, journal = on_host(tmp_path, work, tracing=True)
    header = json.loads(answer.payload)["trace"]
    assert header.startswith(f"Root={trace.root};Parent={ends(journal)[0].segment_id};Sampled=1")


def test_at_scale_one_nothing_is_replaced_in_the_function(tmp_path: Path) -> None:
    answer, journal = on_host(tmp_path, lambda host, _: invoke(host, work_s=0.05), scale=1.0)
    assert answer.function_error is None
    assert 50.0 <= ends(journal)[0].duration_ms < 3_000.0


def test_a_users_own_modules_are_not_hidden_by_the_labs(tmp_path: Path) -> None:
    (tmp_path / "lab.py").write_text("NAME = 'mine'\n", encoding="utf-8")
    (tmp_path / "virtual.py").write_text("NAME = 'mine too'\n", encoding="utf-8")
    handler = "import lab, virtual\n\ndef handler(event, context):\n    return [lab.NAME, virtual.NAME]\n"
    (tmp_path / "own.py").write_text(handler, encoding="utf-8")
    function = LabFunction(name="own-fn", handler="own.handler", code=tmp_path)
    setup = LabSetup(api=LabApi(api_id="a1", name="shop", api_type=ApiType.REST), functions=(function,))

    async def main(clock: Clock) -> Answer:
        host = FunctionHost(setup, clock, Journal())
        await host.start()
        try:
            return await host.invoke("own-fn", b"{}")
        finally:
            await host.stop()

    assert json.loads(run(main).payload) == ["mine", "mine too"]
