"""The lab's clock inside a function's process: time, sleep and socket timeouts are virtual.

While the function works, time passes as on the wall. When it waits - `time.sleep`, a socket - it says so to the lab,
which lets the clock run ahead until the time is up or the socket has something. Only plain blocking code is followed;
what waits in another way (an event loop, a thread's lock) simply waits at the wall's pace.

At scale 1 nothing is replaced. A scenario's handler finds this module's `plan()` in `import lab`.
"""

import errno
import json
import os
import select
import socket
import threading
import time
import types
from typing import Any

_real_time, _real_sleep, _real_perf = time.time, time.sleep, time.perf_counter
_Socket = socket.socket


class Clock:
    """The function's end of the lab's clock."""

    def __init__(self, control: socket.socket, *, scaled: bool) -> None:
        self._control, self._pending = control, b""
        self._lock = threading.Lock()
        self._virtual, self._real = _real_time(), _real_perf()
        self._monotonic_base = self._virtual - time.monotonic()
        self._main = threading.main_thread()
        if scaled:
            self._install()

    def module(self) -> types.ModuleType:
        """`import lab` in a scenario's function: `lab.plan()` is what the schedule wants of this invocation."""
        module = types.ModuleType("lab", "What a scenario's function may ask the lab.")
        module.plan = self.plan  # type: ignore[attr-defined]
        return module

    def plan(self) -> dict[str, Any]:
        """What the schedule wants to happen in this invocation, or in the init phase that it waits for."""
        plan: dict[str, Any] = self._ask({"op": "plan"})["plan"]
        return plan

    def sync(self) -> None:
        """Take over the lab's time."""
        self._ask({"op": "now"})

    def time(self) -> float:
        """Epoch seconds of the lab's time; exact while this process works."""
        return self._virtual + (_real_perf() - self._real)

    def sleep(self, seconds: float) -> None:
        """`time.sleep` on the lab's clock."""
        if seconds < 0:
            raise ValueError("sleep length must be non-negative")
        if not self._is_main():
            _real_sleep(seconds)
            return
        self._ask({"op": "wait", "s": seconds})

    def wait_for(self, connection: socket.socket, seconds: float | None, *, write: bool) -> bool:
        """Wait until a socket is ready; False when `seconds` of the lab's time have passed before."""
        if not self._is_main():
            readable, writable, _ = _select(connection, seconds, write=write)
            return bool(readable or writable)
        with self._lock:
            port = _port(connection)
            self._send({"op": "wait", "s": seconds, "port": port})
            poller = select.poll()
            poller.register(connection, select.POLLOUT if write else select.POLLIN)
            poller.register(self._control, select.POLLIN)
            ready = {number for number, _ in poller.poll()}
            if connection.fileno() not in ready:
                self._receive()
                return False
            self._send({"op": "woke"})
            while "woke" not in self._receive():
                pass
            return True

    def _is_main(self) -> bool:
        return threading.current_thread() is self._main

    def _ask(self, message: dict[str, Any]) -> dict[str, Any]:
        with self._lock:
            self._send(message)
            return self._receive()

    def _send(self, message: dict[str, Any]) -> None:
        self._control.sendall(json.dumps(message).encode() + b"\n")

    def _receive(self) -> dict[str, Any]:
        while b"\n" not in self._pending:
            data = self._control.recv(65536)
            if not data:
                raise SystemExit(1)
            self._pending += data
        line, self._pending = self._pending.split(b"\n", 1)
        answer: dict[str, Any] = json.loads(line)
        self._virtual, self._real = answer["now"], _real_perf()
        return answer

    def _install(self) -> None:
        time.sleep = self.sleep  # type: ignore[assignment]
        time.time = self.time
        time.time_ns = lambda: int(self.time() * 1e9)
        time.monotonic = lambda: self.time() - self._monotonic_base
        time.monotonic_ns = lambda: int((self.time() - self._monotonic_base) * 1e9)
        time.perf_counter = time.monotonic
        time.perf_counter_ns = time.monotonic_ns
        time.gmtime, time.localtime = _Calendar(self, time.gmtime), _Calendar(self, time.localtime)  # type: ignore[assignment]
        LabSocket.clock = self
        socket.socket = LabSocket  # type: ignore[misc]
        socket.SocketType = LabSocket


class _Calendar:
    """`time.gmtime` and `time.localtime`; no function, for classes keep them as attributes and would bind one."""

    def __init__(self, clock: Clock, real: Any) -> None:
        self._clock, self._real = clock, real

    def __call__(self, seconds: float | None = None) -> time.struct_time:
        parts: time.struct_time = self._real(self._clock.time() if seconds is None else seconds)
        return parts


def _select(connection: socket.socket, seconds: float | None, *, write: bool) -> tuple[list[Any], list[Any], list[Any]]:
    return select.select([] if write else [connection], [connection] if write else [], [], seconds)


def _port(connection: socket.socket) -> int | None:
    try:
        name = connection.getsockname()
    except OSError:
        return None
    return name[1] if isinstance(name, tuple) else None


class LabSocket(_Socket):
    """A blocking socket whose timeouts are the lab's: below it never blocks, above it waits on the clock."""

    clock: "Clock"

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._timeout_s: float | None = socket.getdefaulttimeout()
        super().setblocking(False)

    def settimeout(self, value: float | None) -> None:
        self._timeout_s = value

    def gettimeout(self) -> float | None:
        return self._timeout_s

    def setblocking(self, flag: bool) -> None:
        self._timeout_s = None if flag else 0.0

    def getblocking(self) -> bool:
        return self._timeout_s != 0.0

    def connect(self, address: Any) -> None:
        code = super().connect_ex(address)
        if code in (errno.EINPROGRESS, errno.EALREADY, errno.EWOULDBLOCK):
            self._wait(write=True)
            code = self.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if code:
            raise OSError(code, _words(code))

    def recv(self, *arguments: Any) -> Any:
        return self._until(super().recv, *arguments)

    def recv_into(self, *arguments: Any, **options: Any) -> Any:
        return self._until(super().recv_into, *arguments, **options)

    def recvfrom(self, *arguments: Any) -> Any:
        return self._until(super().recvfrom, *arguments)

    def send(self, *arguments: Any) -> Any:
        return self._until(super().send, *arguments, write=True)

    def sendall(self, data: Any, flags: int = 0) -> None:
        view = memoryview(data).cast("B")
        while view:
            view = view[self._until(super().send, view, flags, write=True) :]

    def _until(self, call: Any, *arguments: Any, write: bool = False, **options: Any) -> Any:
        while True:
            try:
                return call(*arguments, **options)
            except BlockingIOError:
                self._wait(write=write)

    def _wait(self, *, write: bool) -> None:
        if self._timeout_s == 0.0:
            raise BlockingIOError(errno.EAGAIN, _words(errno.EAGAIN))
        if not self.clock.wait_for(self, self._timeout_s, write=write):
            raise TimeoutError("timed out")


def _words(code: int) -> str:
    return os.strerror(code)
