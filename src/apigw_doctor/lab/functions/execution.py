"""One execution environment: init phase, invocations one after another, kill at the timeout, freeze in between."""

import asyncio
import contextlib
import json
import re
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from apigw_doctor.lab.clock import Clock
from apigw_doctor.lab.functions.output import Output, Paths
from apigw_doctor.lab.functions.processes import Processes
from apigw_doctor.lab.functions.runtime_api import RuntimeApi
from apigw_doctor.lab.invoking import Answer, Trace
from apigw_doctor.lab.records import (
    FunctionLine,
    InitEnded,
    InitKind,
    InitStarted,
    InvocationEnded,
    InvocationStarted,
    Journal,
    Outcome,
)
from apigw_doctor.lab.setup import LabFunction
from apigw_doctor.limits.table import value
from apigw_doctor.model.times import iso

_MEMORY_LOOK_S = 0.5
_WALL = re.compile(r"\[\d{13}\] LAMBDA_RUNTIME")


class Job(msgspec.Struct, kw_only=True):
    """One invocation."""

    request_id: str
    payload: bytes
    function: LabFunction
    segment_id: str
    service_segment_id: str
    trace: Trace | None = None
    plan: dict[str, Any] | None = None
    deadline_ms: float = 0.0

    def headers(self) -> dict[str, str]:
        """What the runtime client reads of an invocation."""
        headers = {
            "Lambda-Runtime-Aws-Request-Id": self.request_id,
            "Lambda-Runtime-Deadline-Ms": f"{self.deadline_ms:.0f}",
            "Lambda-Runtime-Invoked-Function-Arn": self.function.called_arn,
        }
        if self.trace is not None:
            parent = self.segment_id if self.function.tracing else self.trace.parent
            sampled = self.trace.sampled and self.function.tracing
            headers["Lambda-Runtime-Trace-Id"] = Trace(root=self.trace.root, parent=parent, sampled=sampled).header
        return headers


class Shared(msgspec.Struct, frozen=True, kw_only=True):
    """What all environments of a host share."""

    clock: Clock
    journal: Journal
    processes: Processes
    runtime_api: RuntimeApi
    #: waiting functions by the local port of the socket that they wait for
    waits: dict[int, "Execution"]
    xray_port: int


class Execution:
    """An environment of one function."""

    def __init__(self, shared: Shared, function: LabFunction, stream: str, kind: InitKind) -> None:
        self._shared, self.function, self.stream, self.kind = shared, function, stream, kind
        self._clock = shared.clock
        self._output = Output(self._line)
        self._paths = Paths(function)
        self._holding = False
        self._timer: asyncio.TimerHandle | None = None
        self._waiting_reply: Callable[[dict[str, Any]], None] | None = None
        self._waiting_port: int | None = None
        self._pid: int | None = None
        self._port: int | None = None
        self._tries = 0
        self._job: Job | None = None
        self._handed: asyncio.Future[Job] | None = None
        self._events: asyncio.Queue[tuple[str, bytes, str]] = asyncio.Queue()
        self._init_started_at = 0.0
        self.init_ms: float | None = None
        self.alive = True
        self.ready = False
        self._fresh = True
        self._name = ""

    async def prepare(self, limit_s: float, job: Job | None = None) -> Outcome:
        """Run the init phase; `job` is the invocation that waits for it."""
        self._job = job
        await self._spawn("init")
        try:
            event, _, error_type = await asyncio.wait_for(self._events.get(), limit_s)
        except TimeoutError:
            event, error_type = "timeout", ""
        return await self._init_over(event, error_type, "init")

    async def serve(self, job: Job, answer: Callable[[Answer], None]) -> None:
        """Run one invocation to its end; `answer` is called as soon as the caller has its answer."""
        self._job = job
        self._fresh_hold()
        started_at = self._clock.now_ms()
        job.deadline_ms = started_at + self.function.timeout_ms
        self._shared.journal.functions.append(
            InvocationStarted(
                at=started_at,
                function=self.function.name,
                version=self.function.version,
                stream=self.stream,
                request_id=job.request_id,
                trace_id=None if job.trace is None else job.trace.root,
            )
        )
        run = _Run(job=job, started_at=started_at, answer=answer)
        loop = asyncio.get_running_loop()
        timeout = loop.call_later(self.function.timeout_ms / 1000.0, self._events.put_nowait, ("killed", b"", ""))
        memory = asyncio.create_task(self._watch_memory())
        try:
            await self._run(run)
        finally:
            timeout.cancel()
            memory.cancel()
        await self._finish(run)

    async def _run(self, run: "_Run") -> None:
        if not self.ready:
            await self._spawn("invoke")
            event, body, error_type = await self._events.get()
            if event != "next":
                self._failed(run, event, body, error_type)
                await self._init_over(event, error_type, "invoke")
                return
            await self._init_over(event, error_type, "invoke")
        self._hand(run.job)
        while True:
            event, body, error_type = await self._events.get()
            now = self._clock.now_ms()
            if event == "response":
                run.response_ms = now - run.started_at
                run.answer(self._answer(run.job, body, None))
            elif event == "error":
                run.outcome, run.error_type = "error", _said(body, "errorType") or error_type
                run.error_message = _said(body, "errorMessage")
                run.response_ms = now - run.started_at
                run.answer(self._answer(run.job, body, "Unhandled"))
            elif event == "too-large":
                run.outcome, run.error_type, run.error_message = "error", error_type, _said(body, "errorMessage")
                run.answer(self._answer(run.job, body, "Unhandled"))
            elif event == "next":
                if self.function.extension_ms and run.response_ms is not None:
                    await self._extend(run)
                return
            elif event == "exit" and run.outcome == "error" and run.response_ms is None and run.error_type:
                # The runtime gave up after its answer was refused: told already.
                self._kill()
                return
            else:
                self._failed(run, event, body, error_type)
                return

    def _failed(self, run: "_Run", event: str, body: bytes, error_type: str) -> None:
        """Killed at the timeout, died, out of memory, or never loaded."""
        now = self._clock.now_ms()
        seconds, id_ = self.function.timeout_ms / 1000.0, run.job.request_id
        if event == "killed":
            run.outcome, run.error_type = "timeout", "Sandbox.Timedout"
            old = self.function.log_form == "text-old"
            said = f"Task timed out after {seconds:.2f} seconds"
            text = f"{iso(now)} {id_} {said}" if old else f"RequestId: {id_} Error: {said}"
            body = _body(text, None if old else run.error_type)
        elif event == "init-error":
            run.outcome, run.error_type = "error", error_type
            run.error_message = _said(body, "errorMessage")
        else:
            run.outcome, run.error_type = "error", error_type or "Runtime.ExitError"
            run.error_message = body.decode() or "Runtime exited without providing a reason"
            body = _body(f"RequestId: {id_} Error: {run.error_message}", run.error_type)
        run.memory_mb = self._memory_mb("VmHWM") or run.memory_mb
        self._kill()
        run.answer(self._answer(run.job, body, "Unhandled"))

    async def _finish(self, run: "_Run") -> None:
        """END and REPORT."""
        job, now = run.job, self._clock.now_ms()
        self._shared.processes.drain(self._name)
        self._output.flush()
        cold = self._fresh and self.kind == "on-demand"
        measured = self._memory_mb("VmHWM") or 0
        self._shared.journal.functions.append(
            InvocationEnded(
                at=now,
                function=self.function.name,
                version=self.function.version,
                stream=self.stream,
                request_id=job.request_id,
                started_at=run.started_at,
                duration_ms=now - run.started_at,
                memory_mb=self.function.memory_mb,
                max_memory_mb=self.function.max_memory_mb or min(measured or run.memory_mb, self.function.memory_mb),
                timeout_ms=self.function.timeout_ms,
                outcome=run.outcome,
                init_ms=self.init_ms if cold else None,
                init_started_at=self._init_started_at if cold and self.init_ms is not None else None,
                error_type=run.error_type,
                error_message=run.error_message,
                response_ms=run.response_ms,
                extension_ms=run.extension_ms,
                trace_id=None if job.trace is None else job.trace.root,
                sampled=job.trace is not None and job.trace.sampled and self.function.tracing,
                segment_id=job.segment_id,
                service_segment_id=job.service_segment_id,
                parent_segment_id="" if job.trace is None else job.trace.parent,
            )
        )
        self._job, self._fresh, self.init_ms = None, False, None
        if self.alive and self.ready:
            self._rest()
        else:
            await self.close()

    async def close(self) -> None:
        """End the environment."""
        self.alive = False
        self._kill()
        self._let_go()
        if self._port is not None:
            await self._shared.runtime_api.close(self._port)
            self._port = None
        self._shared.processes.forget(self._name)

    # --- what the runtime client calls -------------------------------------------------------------------------

    async def next_job(self) -> Job:
        """The runtime client asks for work: the init phase, or the last invocation, is over."""
        loop = asyncio.get_running_loop()
        handed: asyncio.Future[Job] = loop.create_future()
        self._handed = handed
        self._events.put_nowait(("next", b"", ""))
        return await handed

    def answered(self, request_id: str, body: bytes) -> None:
        """The handler returned."""
        self._events.put_nowait(("response", body, ""))

    def refused(self, request_id: str, body: bytes, error_type: str) -> None:
        """What the handler returned is more than Lambda takes."""
        self._events.put_nowait(("too-large", body, error_type))

    def failed(self, request_id: str, body: bytes, error_type: str) -> None:
        """The handler raised."""
        self._events.put_nowait(("error", self._paths.shown(body.decode()).encode(), error_type))

    def init_failed(self, body: bytes, error_type: str) -> None:
        """The module could not be loaded."""
        self._events.put_nowait(("init-error", body, error_type))

    # --- what its process reports --------------------------------------------------------------------------------

    def on_output(self, data: bytes) -> None:
        """Standard output and standard error."""
        self._output.lines(data)

    def on_frame(self, data: bytes) -> None:
        """The runtime client's log."""
        self._output.frames(data)

    def on_exit(self, pid: int, status: int) -> None:
        """A process ended; an earlier one, which was killed, does not matter any more."""
        if pid != self._pid:
            return
        self._let_go()
        self._pid = None
        self.ready = False
        words = (
            "Runtime exited without providing a reason"
            if status == 0
            else f"Runtime exited with error: {_exit(status)}"
        )
        self._events.put_nowait(("exit", words.encode(), "Runtime.ExitError"))

    def on_ask(self, message: dict[str, Any], reply: Callable[[dict[str, Any]], None]) -> None:
        """The process reads the clock, waits, wakes, or asks for its plan."""
        match message["op"]:
            case "wait":
                self._wait(message.get("s"), message.get("port"), reply)
            case "woke":
                self.wake()
                reply({"now": self._clock.time_s(), "woke": True})
            case "plan":
                plan = self._job.plan if self._job is not None else None
                reply({"now": self._clock.time_s(), "plan": plan or {}})
            case _:
                reply({"now": self._clock.time_s()})

    def wake(self) -> None:
        """Something has come for the socket that the process waits for: it works again from now on."""
        if self._waiting_reply is None:
            return
        self._end_wait()
        self._hold()

    def _wait(self, seconds: float | None, port: int | None, reply: Callable[[dict[str, Any]], None]) -> None:
        self._waiting_reply, self._waiting_port = reply, port
        if port is not None:
            self._shared.waits[port] = self
        if seconds is not None:
            self._timer = asyncio.get_running_loop().call_later(seconds, self._due)
        self._let_go()

    def _due(self) -> None:
        reply = self._waiting_reply
        if reply is not None:
            self._end_wait()
            self._hold()
            reply({"now": self._clock.time_s(), "due": True})

    def _end_wait(self) -> None:
        self._waiting_reply = None
        if self._waiting_port is not None:
            self._shared.waits.pop(self._waiting_port, None)
            self._waiting_port = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    # --- the process ----------------------------------------------------------------------------------------------

    async def _spawn(self, phase: str) -> None:
        self._tries += 1
        self._fresh_hold()
        if self._port is None:
            self._port = await self._shared.runtime_api.open(self)
        self._init_started_at = self._clock.now_ms()
        self._shared.journal.functions.append(
            InitStarted(
                at=self._init_started_at,
                function=self.function.name,
                version=self.function.version,
                stream=self.stream,
                runtime=self.function.runtime,
                kind=self.kind,
            )
        )
        self._name = f"{self.stream}-{self._tries}"
        self._pid = await self._shared.processes.spawn(
            self._name,
            self,
            handler=self.function.handler,
            folder=self.function.code,
            variables=self._variables(),
        )

    async def _init_over(self, event: str, error_type: str, phase: Any) -> Outcome:  # noqa: ANN401 - a literal
        now = self._clock.now_ms()
        outcomes: dict[str, Outcome] = {"next": "success", "timeout": "timeout", "killed": "timeout"}
        outcome = outcomes.get(event, "error")
        self._shared.processes.drain(self._name)
        self._output.flush()
        duration_ms = now - self._init_started_at
        self._shared.journal.functions.append(
            InitEnded(
                at=now,
                function=self.function.name,
                version=self.function.version,
                stream=self.stream,
                duration_ms=duration_ms,
                kind=self.kind,
                phase=phase,
                outcome=outcome,
                error_type=error_type or ("Runtime.ExitError" if outcome == "error" else None),
            )
        )
        if outcome == "success":
            self.ready = True
            if phase == "init":
                self.init_ms = duration_ms
                self._rest()
        else:
            self._kill()
        return outcome

    def _variables(self) -> dict[str, str]:
        function = self.function
        variables = {
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "LANG": "en_US.UTF-8",
            "TZ": ":UTC",
            "_HANDLER": function.handler,
            "LAMBDA_TASK_ROOT": str(function.code),
            "AWS_LAMBDA_FUNCTION_NAME": function.name,
            "AWS_LAMBDA_FUNCTION_VERSION": function.version,
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory_mb),
            "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{function.name}",
            "AWS_LAMBDA_LOG_STREAM_NAME": self.stream,
            "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand" if self.kind == "snap-start" else self.kind,
            "AWS_EXECUTION_ENV": f"AWS_Lambda_{function.runtime}",
            "AWS_REGION": function.region,
            "AWS_DEFAULT_REGION": function.region,
            "AWS_ACCESS_KEY_ID": "lab",
            "AWS_SECRET_ACCESS_KEY": "lab",
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_XRAY_DAEMON_ADDRESS": f"127.0.0.1:{self._shared.xray_port}",
            "AWS_XRAY_CONTEXT_MISSING": "LOG_ERROR",
            **function.environment,
            "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{self._port}",
        }
        if function.log_form == "json":
            variables["AWS_LAMBDA_LOG_FORMAT"] = "JSON"
            variables.setdefault("AWS_LAMBDA_LOG_LEVEL", "INFO")
        return variables

    def _hand(self, job: Job) -> None:
        self._thaw()
        handed, self._handed = self._handed, None
        if handed is None or handed.done():
            self._events.put_nowait(("exit", b"", "Runtime.ExitError"))
        else:
            handed.set_result(job)

    def _rest(self) -> None:
        """Frozen until the next invocation, as far as a process can be."""
        self._let_go()
        if self._pid is not None and sys.platform == "linux":
            self._shared.processes.kill(self._pid, signal.SIGSTOP)

    def _thaw(self) -> None:
        if self._pid is not None and sys.platform == "linux":
            self._shared.processes.kill(self._pid, signal.SIGCONT)

    async def _extend(self, run: "_Run") -> None:
        """Extensions work on after the answer, at most until the function's timeout; the process does nothing."""
        self._let_go()
        began_at = self._clock.now_ms()
        try:
            async with asyncio.timeout(self.function.extension_ms / 1000.0):
                event, _, _ = await self._events.get()
        except TimeoutError:
            event = ""
        run.extension_ms = self._clock.now_ms() - began_at
        if event == "killed":
            run.outcome, run.error_type = "timeout", "Sandbox.Timedout"
            run.memory_mb = self._memory_mb("VmHWM") or run.memory_mb
            self._kill()

    def _kill(self) -> None:
        self.ready = False
        pid, self._pid = self._pid, None
        self._end_wait()
        if pid is not None:
            self._shared.processes.kill(pid)
        self._let_go()

    async def _watch_memory(self) -> None:
        while True:
            await asyncio.sleep(_MEMORY_LOOK_S)
            used = self._memory_mb("VmRSS")
            if used is not None and used > self.function.memory_mb:
                self._events.put_nowait(("exit", b"Runtime exited with error: signal: killed", "Runtime.ExitError"))
                return

    def _memory_mb(self, field: str) -> int | None:
        if self._pid is None:
            return None
        with contextlib.suppress(OSError):
            for line in Path(f"/proc/{self._pid}/status").read_text().splitlines():
                if line.startswith(field):
                    return int(line.split()[1]) // 1024
        return None

    def _answer(self, job: Job, body: bytes, function_error: str | None) -> Answer:
        return Answer(
            status=200,
            request_id=job.request_id,
            payload=body,
            function_error=function_error,
            executed_version=self.function.version,
        )

    def _line(self, text: str) -> None:
        # The runtime client's own errors have the time of the wall.
        text = _WALL.sub(f"[{self._clock.now_ms():.0f}] LAMBDA_RUNTIME", self._paths.shown(text))
        job = self._job if self.ready else None
        self._shared.journal.functions.append(
            FunctionLine(
                at=self._clock.now_ms(),
                function=self.function.name,
                version=self.function.version,
                stream=self.stream,
                text=text,
                request_id=None if job is None else job.request_id,
            )
        )

    def _fresh_hold(self) -> None:
        self._end_wait()
        self._hold()

    def _hold(self) -> None:
        if not self._holding:
            self._holding = True
            self._clock.hold()

    def _let_go(self) -> None:
        if self._holding:
            self._holding = False
            self._clock.release()


class _Run(msgspec.Struct, kw_only=True):
    """What is known of a running invocation."""

    job: Job
    started_at: float
    answer: Callable[[Answer], None]
    outcome: Outcome = "success"
    error_type: str | None = None
    error_message: str | None = None
    response_ms: float | None = None
    extension_ms: float = 0.0
    memory_mb: int = 32


def init_limit_s(function: LabFunction, kind: InitKind) -> float:
    """How long an init phase may take before it is cut."""
    if kind == "on-demand":
        return value("lambda-init") / 1000.0
    return max(value("lambda-init-prepared"), function.timeout_ms) / 1000.0


def _body(message: str, error_type: str | None) -> bytes:
    return json.dumps(
        {"errorType": error_type, "errorMessage": message} if error_type else {"errorMessage": message}
    ).encode()


def _said(body: bytes, key: str) -> str | None:
    """A text of the error document that the runtime client posted."""
    with contextlib.suppress(ValueError):
        said = json.loads(body)
        if isinstance(said, dict) and isinstance(said.get(key), str):
            return str(said[key])
    return None


def _exit(status: int) -> str:
    return (
        f"signal: {signal.Signals(-status).name.removeprefix('SIG').lower()}" if status < 0 else f"exit status {status}"
    )
