"""The Lambda logs: which environment serves which request, and what is written to its log stream.

An environment serves one request at a time; the one used last is taken first, as Lambda does. A cold start gets a new
environment while the client waits; any other new environment was started some time before, so its init costs nobody.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from heapq import heappop, heappush
from pathlib import Path

from benchmarks.plan import REGION, Request, iso
from benchmarks.texts import REQUEST_BODIES

#: Text of a stream that is kept before it is written.
_BUFFER_CHARS = 1 << 18
#: How long before its first use an environment was started.
_AHEAD_MS = 12_000
_USUAL_INIT_MS = 412.37


@dataclass(slots=True)
class Environment:
    """One environment and the text of its log stream that is not written yet."""

    path: Path
    chunks: list[str] = field(default_factory=list)
    size: int = 0
    #: init of a cold or pre-warmed start that the next REPORT tells
    init_ms: float = 0.0

    def add(self, text: str) -> None:
        """Keep some lines; write when there are many."""
        self.chunks.append(text)
        self.size += len(text)
        if self.size > _BUFFER_CHARS:
            self.flush()

    def flush(self) -> None:
        """Write what is kept."""
        if self.chunks:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("a", encoding="ascii") as file:
                file.write("".join(self.chunks))
        self.chunks, self.size = [], 0


class Fleet:
    """All environments of one stretch of time."""

    def __init__(self, folder: Path, epoch: int) -> None:
        self._folder, self._epoch = folder, epoch
        self._all: list[Environment] = []
        #: per function: those that are busy by the moment they get free, and the free ones, last used last
        self._busy: dict[str, list[tuple[int, int]]] = {}
        self._free: dict[str, list[tuple[int, int]]] = {}

    def serve(self, request: Request) -> None:
        """Write the invocation of one request; requests must come in the order of their arrival."""
        name = request.route.backend
        busy, free = self._busy.setdefault(name, []), self._free.setdefault(name, [])
        while busy and busy[0][0] < request.sent:
            free.append(heappop(busy))
        # Authorizers delay some: a later request may be sent before an earlier one.
        ready = next((at for at in range(len(free) - 1, -1, -1) if free[at][0] < request.sent), None)
        number = free.pop(ready)[1] if ready is not None and not request.init_ms else self._start(name, request)
        self._all[number].add(_invocation(request, self._all[number]))
        heappush(busy, (request.ended + 5, number))

    def close(self) -> None:
        """Write all that is left."""
        for environment in self._all:
            environment.flush()

    def _start(self, name: str, request: Request) -> int:
        number = len(self._all)
        stream = sha256(f"{self._epoch}:{name}:{number}".encode()).hexdigest()[:32]
        environment = Environment(self._folder / f"aws/lambda/{name}/2026/03/01/[$LATEST]{stream}.log")
        environment.init_ms = request.init_ms or _USUAL_INIT_MS
        began = request.begun - round(request.init_ms) if request.init_ms else request.arrived - _AHEAD_MS
        environment.add(
            f"{iso(began)} INIT_START Runtime Version: python:3.13.v21\tRuntime Version ARN:"
            f" arn:aws:lambda:{REGION}::runtime:{stream}{stream}\n"
        )
        self._all.append(environment)
        return number


def _invocation(request: Request, environment: Environment) -> str:
    """START, what the function says, END, and the REPORT with its trace on a line of its own."""
    begun, ended = iso(request.begun), iso(request.ended)
    lines = "".join(
        f"{(at := iso(request.begun + after))} [INFO]\t{at}\t{request.lambda_id}\t{text}\n"
        for after, text in _says(request)
    )
    init = f"Init Duration: {environment.init_ms:.2f} ms\t" if environment.init_ms else ""
    environment.init_ms = 0.0
    billed = int(request.work_ms) + (request.work_ms % 1 > 0)
    memory = request.route.memory_mb
    killed = "Status: timeout" if request.outcome.name in ("stalled", "killed") else ""
    return (
        f"{begun} START RequestId: {request.lambda_id} Version: $LATEST\n"
        f"{lines}"
        f"{ended} END RequestId: {request.lambda_id}\n"
        f"{ended} REPORT RequestId: {request.lambda_id}\tDuration: {request.work_ms:.2f} ms\t"
        f"Billed Duration: {billed} ms\tMemory Size: {memory} MB\t"
        f"Max Memory Used: {memory // 3 + request.dice % 40} MB\t"
        f"{init}{killed}\n"
        f"XRAY TraceId: {request.trace}\tSegmentId: {request.trace[-16:]}\tSampled: true\t\n"
    )


def _says(request: Request) -> Iterator[tuple[int, str]]:
    """The function's own lines, each with its milliseconds after START."""
    name, route, work_ms = request.outcome.name, request.route, request.work_ms
    yield 2, f"Received {route.method} {route.path}"
    if request.dice % 128 == 0 and route.method == "POST":
        yield 3, f"event body {REQUEST_BODIES[request.dice >> 5 & 63]}"
    if name in ("killed", "slower") or (route.backend in ("reports-fn", "exports-fn") and work_ms > 3_000):
        yield from ((after, f"page {after // 1500 + 1} of 80 written") for after in range(400, int(work_ms) - 5, 1_500))
    elif route.backend in ("render-fn", "quote-fn"):
        step = max(int(work_ms / 3), 20)
        yield from ((after, f"step {after // step} of 3 computed") for after in range(step, int(work_ms) - 5, step))
    elif route.call:
        yield 5, route.call
        if name != "stalled":
            yield max(int(work_ms) - 12, 6), f"{route.call} -> 200"
    if name == "malformed":
        yield max(int(work_ms) - 4, 7), "accepted"
