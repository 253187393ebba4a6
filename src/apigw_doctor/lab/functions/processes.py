"""Starts and ends the processes of execution environments, and keeps the sockets that they talk through."""

import asyncio
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Protocol

from apigw_doctor.lab import environment
from apigw_doctor.lab.network import clients

_ENVIRONMENT = Path(environment.__path__[0])
_CLIENTS = Path(clients.__path__[0])


class Process(Protocol):
    """What the sockets of a process report to."""

    def on_output(self, data: bytes) -> None:
        """The process wrote to standard output or standard error."""

    def on_frame(self, data: bytes) -> None:
        """The runtime client wrote to its log."""

    def on_ask(self, message: dict[str, Any], reply: Callable[[dict[str, Any]], None]) -> None:
        """The process asks the clock or the schedule something."""

    def on_exit(self, pid: int, status: int) -> None:
        """A process ended; a negative status is the signal."""


class Processes:
    """One fork server and all its children."""

    def __init__(self, *, scaled: bool, plans: bool = False, preload: tuple[str, ...] = ()) -> None:
        self._scaled, self._plans, self._preload = scaled, plans, preload
        self._folder = tempfile.TemporaryDirectory(prefix="apigw-lab-")
        self._users: dict[str, Process] = {}
        self._by_pid: dict[int, Process] = {}
        self._started: dict[str, asyncio.Future[int]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._sources: dict[str, list[tuple[socket.socket, Callable[[bytes], None]]]] = {}
        self._pending = b""
        self._ready = asyncio.Event()

    async def start(self, xray_port: int = 0) -> None:
        """Start the fork server, and wait until it has loaded what its children will need."""
        self._loop = asyncio.get_running_loop()
        ours, theirs = socket.socketpair()
        path = Path(self._folder.name) / "control"
        self._control = socket.socket(socket.AF_UNIX)
        self._control.bind(str(path))
        self._control.listen(256)
        self._control.setblocking(False)
        self._loop.add_reader(self._control, self._accept)
        self._server = subprocess.Popen(  # noqa: S603 - our own script
            [sys.executable, "-u", str(_ENVIRONMENT / "zygote.py"), str(theirs.fileno()), *self._preload],
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            # AWS's X-Ray SDK looks at these when it is loaded.
            env=os.environ | {"LAMBDA_TASK_ROOT": "/var/task", "AWS_XRAY_DAEMON_ADDRESS": f"127.0.0.1:{xray_port}"},
            cwd=self._folder.name,
        )
        theirs.close()
        ours.setblocking(False)
        self._lab = ours
        self._loop.add_reader(ours, self._heard)
        await self._ready.wait()

    async def stop(self) -> None:
        """End every process and remove what was written for them."""
        for pid in list(self._by_pid):
            self.kill(pid)
        for number in (self._lab, self._control):
            self._loop.remove_reader(number)
            number.close()
        self._server.kill()
        self._server.wait()
        for name in list(self._sources):
            self.forget(name)
        for task in list(self._tasks):
            task.cancel()
        self._folder.cleanup()

    async def spawn(self, name: str, user: Process, *, handler: str, folder: Path, variables: dict[str, str]) -> int:
        """Start an environment named `name`; returns its process id."""
        self._users[name] = user
        started: asyncio.Future[int] = self._loop.create_future()
        self._started[name] = started
        spec = {
            "id": name,
            "control": str(Path(self._folder.name) / "control"),
            "handler": handler,
            "folder": str(folder),
            "path": [str(_CLIENTS)] if self._plans else [],
            "environment": variables,
            "scaled": self._scaled,
            "plans": self._plans,
        }
        self._lab.setblocking(True)
        self._lab.sendall(json.dumps(spec).encode() + b"\n")
        self._lab.setblocking(False)
        return await started

    def kill(self, pid: int, number: int = signal.SIGKILL) -> None:
        """Send a signal to an environment and all that it started."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(pid, number)

    def drain(self, name: str) -> None:
        """Read at once what an environment has written up to now."""
        for source, sink in self._sources.get(name, ()):
            self._read(name, source, sink)

    def forget(self, name: str) -> None:
        """Close what is left of an environment."""
        for source, _ in self._sources.pop(name, ()):
            self._loop.remove_reader(source)
            source.close()
        self._users.pop(name, None)

    def _heard(self) -> None:
        try:
            data = self._lab.recv(65536)
        except BlockingIOError:
            return
        if not data:
            self._loop.remove_reader(self._lab)
            self._ready.set()
            return
        *lines, self._pending = (self._pending + data).split(b"\n")
        for line in lines:
            message = json.loads(line)
            if "ready" in message:
                self._ready.set()
            elif "started" in message:
                user = self._users.get(message["started"])
                if user is not None:
                    self._by_pid[message["pid"]] = user
                self._started.pop(message["started"]).set_result(message["pid"])
            else:
                ended = self._by_pid.pop(message["ended"], None)
                if ended is not None:
                    ended.on_exit(message["ended"], message["status"])

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._control.accept()
            except BlockingIOError:
                return
            connection.setblocking(False)
            self._spawned(self._greet(connection))

    def _spawned(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _greet(self, connection: socket.socket) -> None:
        head = b""
        while not head.endswith(b"\n"):
            byte = await self._loop.sock_recv(connection, 1)
            if not byte:
                connection.close()
                return
            head += byte
        hello = json.loads(head)
        user = self._users.get(hello["id"])
        if user is None:
            connection.close()
            return
        sinks = {"output": user.on_output, "frames": user.on_frame, "control": _asks(connection, user)}
        source = (connection, sinks[hello["role"]])
        self._sources.setdefault(hello["id"], []).append(source)
        self._loop.add_reader(connection, self._read, hello["id"], *source)
        self._read(hello["id"], *source)

    def _read(self, name: str, source: socket.socket, sink: Callable[[bytes], None]) -> None:
        while True:
            try:
                data = source.recv(262_144)
            except BlockingIOError:
                return
            except OSError:
                data = b""
            if not data:
                with contextlib.suppress(ValueError, OSError):
                    self._loop.remove_reader(source)
                return
            sink(data)


def _asks(connection: socket.socket, user: Process) -> Callable[[bytes], None]:
    pending = b""

    def reply(message: dict[str, Any]) -> None:
        with contextlib.suppress(OSError):
            connection.sendall(json.dumps(message).encode() + b"\n")

    def sink(data: bytes) -> None:
        nonlocal pending
        *lines, pending = (pending + data).split(b"\n")
        for line in lines:
            user.on_ask(json.loads(line), reply)

    return sink
