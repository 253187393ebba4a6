"""Starts execution environments by forking: a new one costs milliseconds of the machine, not a third of a second.

Called as a script with the number of a socket to the lab, and modules to load before the first fork. Each line it
reads from the socket is an environment to start; it answers with the process id, and later with how the process
ended. When the lab dies, by whatever signal, the kernel kills this process and every environment with it (Linux), or
they see their sockets close.
"""

import contextlib
import ctypes
import decimal  # noqa: F401 - loaded once here instead of in every environment
import http.client  # noqa: F401
import importlib
import json
import logging  # noqa: F401
import os
import select
import signal
import socket
import sys
import traceback
import uuid  # noqa: F401

_PR_SET_PDEATHSIG = 1
#: The module beside this script, whose folder comes first on its path; a user's own may have the same name.
virtual = importlib.import_module("virtual")
del sys.modules["virtual"]


def main() -> None:
    """Serve the lab until it closes the socket."""
    lab = socket.socket(fileno=int(sys.argv[1]))
    die_with_parent(os.getppid())
    for name in sys.argv[2:]:
        importlib.import_module(name)
    send(lab, {"ready": True})
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    wake_read, wake_write = os.pipe()
    os.set_blocking(wake_read, False)
    os.set_blocking(wake_write, False)
    signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
    pending = b""
    while True:
        readable = select.select([lab.fileno(), wake_read], [], [])[0]
        if wake_read in readable:
            with contextlib.suppress(BlockingIOError):
                os.read(wake_read, 4096)
            report_ended(lab)
        if lab.fileno() not in readable:
            continue
        try:
            data = lab.recv(65536)
        except OSError:  # the lab went with messages of ours unread
            data = b""
        if not data:
            os._exit(0)
        *lines, pending = (pending + data).split(b"\n")
        for line in lines:
            spec = json.loads(line)
            pid = os.fork()
            if pid == 0:
                for number in (wake_read, wake_write):
                    os.close(number)
                lab.close()
                become(spec)
            send(lab, {"started": spec["id"], "pid": pid})


def report_ended(lab: socket.socket) -> None:
    """Tell of every environment that has ended, with its exit status (negative: the signal)."""
    with contextlib.suppress(ChildProcessError):
        while True:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            send(lab, {"ended": pid, "status": os.waitstatus_to_exitcode(status)})


def send(lab: socket.socket, message: dict[str, object]) -> None:
    """One line to the lab; when it is gone there is nothing left to do."""
    try:
        lab.sendall(json.dumps(message).encode() + b"\n")
    except OSError:
        os._exit(0)


def die_with_parent(parent: int) -> None:
    """Have the kernel kill this process when its parent dies; where it cannot, the closed socket must do."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)


def become(spec: dict[str, object]) -> None:
    """Turn into an execution environment: AWS's runtime client runs the handler; does not return."""
    try:
        parent = os.getppid()
        os.setsid()
        die_with_parent(parent)
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGCHLD, signal.SIGINT):
            signal.signal(number, signal.SIG_DFL)
        run(spec)
    except SystemExit as error:
        os._exit(error.code if isinstance(error.code, int) else 1)
    except BaseException:  # noqa: BLE001 - the last line of defence of a process
        traceback.print_exc()
    finally:
        os._exit(1)


def run(spec: dict[str, object]) -> None:
    """Join the lab's sockets, take the function's environment variables and folder, and serve invocations."""
    path, name = str(spec["control"]), str(spec["id"])
    output, frames, control = (join(path, name, role) for role in ("output", "frames", "control"))
    os.dup2(output.fileno(), 1)
    os.dup2(output.fileno(), 2)
    sys.stdout = os.fdopen(os.dup(1), "w", encoding="utf-8", errors="replace")
    sys.stderr = os.fdopen(os.dup(2), "w", encoding="utf-8", errors="replace")
    os.environ.clear()
    os.environ.update({str(k): str(v) for k, v in dict(spec["environment"]).items()})  # type: ignore[call-overload]
    os.environ["_LAMBDA_TELEMETRY_LOG_FD"] = str(frames.detach())
    os.chdir(str(spec["folder"]))
    sys.path[:] = [str(spec["folder"]), *[str(item) for item in spec["path"]], *sys.path[1:]]  # type: ignore[attr-defined]
    clock = virtual.Clock(control, scaled=bool(spec["scaled"]))
    if spec["plans"]:  # a user's own module of this name is left alone
        sys.modules["lab"] = clock.module()
    clock.sync()
    bootstrap = importlib.import_module("awslambdaric.bootstrap")
    runtime = importlib.import_module("awslambdaric.lambda_runtime_client").LambdaRuntimeClient
    wait = runtime.wait_next_invocation

    def wait_next(self: object) -> object:
        request = wait(self)
        clock.sync()
        return request

    runtime.wait_next_invocation = wait_next
    bootstrap.run(str(spec["handler"]), runtime(os.environ["AWS_LAMBDA_RUNTIME_API"], False))


def join(path: str, name: str, role: str) -> socket.socket:
    """A connection to the lab for one purpose of this environment."""
    connection = socket.socket(socket.AF_UNIX)
    try:
        connection.connect(path)
        connection.sendall(json.dumps({"id": name, "role": role}).encode() + b"\n")
    except OSError:  # the lab has stopped meanwhile
        os._exit(0)
    return connection


if __name__ == "__main__":
    main()
