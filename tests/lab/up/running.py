"""Runs `apigw-doctor lab up` as users do: a process of its own, on any free port, seen through its terminal."""

import re
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_PATIENCE_S = 10.0
_ADDRESS = re.compile(r" at (?:http|ws)://127\.0\.0\.1:(\d+)(\S*)$")


class Up:
    """A lab that serves."""

    def __init__(self, *arguments: str | Path, port: int = 0) -> None:
        command = [sys.executable, "-m", "apigw_doctor", "lab", "up", *map(str, arguments), "--port", str(port)]
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, encoding="utf-8"
        )
        self.lines: list[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        try:
            address = _ADDRESS.search(self.wait_for(_ADDRESS.pattern))
            assert address is not None
            self.port, self.stage = int(address[1]), address[2]
            self.wait_for("^Stop:")
        except AssertionError:
            self.stop(signal.SIGKILL)
            raise

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line.rstrip("\n"))

    @property
    def output(self) -> str:
        return "\n".join(self.lines)

    def wait_for(self, pattern: str, patience_s: float = _PATIENCE_S) -> str:
        """The first line that fits; waits for it."""
        until = time.monotonic() + patience_s
        while time.monotonic() < until:
            for line in list(self.lines):
                if re.search(pattern, line):
                    return line
            if self.process.poll() is not None and not self._reader.is_alive():
                break
            time.sleep(0.01)
        raise AssertionError(f"no line fits {pattern!r}:\n{self.output}")

    def get(
        self, path: str, *, method: str = "GET", body: bytes | None = None, headers: dict[str, str] | None = None
    ) -> tuple[int, str, float]:
        """Status, body and milliseconds."""
        url = f"http://127.0.0.1:{self.port}{self.stage}{path}"
        request = urllib.request.Request(url, data=body, method=method, headers=headers or {})
        began = time.monotonic()
        try:
            with urllib.request.urlopen(request, timeout=_PATIENCE_S) as answer:
                status, text = answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            status, text = error.code, error.read().decode()
        return status, text, (time.monotonic() - began) * 1000.0

    def stop(self, number: int = signal.SIGINT) -> tuple[int, float]:
        """Exit status and seconds."""
        began = time.monotonic()
        if self.process.poll() is None:
            self.process.send_signal(number)
        status = self.process.wait(_PATIENCE_S)
        self._reader.join(_PATIENCE_S)
        assert self.process.stdout is not None
        self.process.stdout.close()
        return status, time.monotonic() - began


@contextmanager
def up(*arguments: str | Path, port: int = 0) -> Iterator[Up]:
    """A lab for the length of a block."""
    lab = Up(*arguments, port=port)
    try:
        yield lab
    finally:
        if lab.process.returncode is None:
            lab.stop()


def call(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """A command that ends by itself."""
    command = [sys.executable, "-m", "apigw_doctor", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)


def descendants(pid: int) -> set[int]:
    """All processes below one, from /proc."""
    parents: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                stat = (entry / "stat").read_text()
            except OSError:
                continue
            parents[int(entry.name)] = int(stat.rpartition(")")[2].split()[1])
    found = {pid}
    while more := {child for child, parent in parents.items() if parent in found} - found:
        found |= more
    return found - {pid}


def alive(pids: set[int]) -> set[int]:
    """Those that still run; a zombie does not."""
    running = set()
    for pid in pids:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            continue
        if state not in ("Z", "X"):
            running.add(pid)
    return running
