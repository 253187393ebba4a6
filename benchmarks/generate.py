"""Writes the reference sets: `python -m benchmarks.generate 0.1 --form plain`.

A set has execution logs, Lambda logs and access logs of the same requests under `<size>/<form>/`; beside it, where no
tool reads them, `truth.jsonl` (every request that failed or came near its limit) and `set.json` (the sums). The same
bytes come out every time; a set that lies there already is taken as it is.
"""

import argparse
import json
import os
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from hashlib import sha256
from pathlib import Path
from time import perf_counter

from benchmarks.access import access_line, is_json
from benchmarks.execution import execution_chunks, group_name, telling_lines
from benchmarks.forms import FORMS, convert
from benchmarks.functions import Fleet
from benchmarks.plan import (
    BIN_MS,
    GENERATOR_VERSION,
    SIZES_GB,
    START_MS,
    Request,
    Shape,
    plan,
    plan_block,
    shape_of,
)

Sums = dict[str, Counter[str]]
Latencies = dict[str, list[int]]
"""Integration latencies of answered requests by route and five minutes."""


def cache_folder() -> Path:
    """Where the sets lie, outside the repository."""
    chosen = os.environ.get("APIGW_DOCTOR_BENCH_CACHE")
    return Path(chosen) if chosen else Path(tempfile.gettempdir()) / "apigw-doctor-bench"


def set_folder(size_gb: float) -> Path:
    """The folder of one size: its forms and its truth."""
    return cache_folder() / f"v{GENERATOR_VERSION}" / f"{size_gb:g}"


def make_set(size_gb: float, form: str = "plain") -> Path:
    """The folder of a set in a form; made where it is not there yet."""
    home = set_folder(size_gb)
    if not (home / "set.json").exists():
        shutil.rmtree(home, ignore_errors=True)
        _make_plain(shape_of(size_gb), home)
    if form != "plain" and not (home / f"{form}.done").exists():
        shutil.rmtree(home / form, ignore_errors=True)
        convert(home / "plain", home / form, form)
        (home / f"{form}.done").touch()
    return home / form


def drop_set(size_gb: float) -> None:
    """Delete all forms of one size."""
    shutil.rmtree(set_folder(size_gb), ignore_errors=True)


def _make_plain(shape: Shape, home: Path) -> None:
    """Everything of the plain form, the truth last."""
    plain, parts = home / "plain", home / "parts"
    parts.mkdir(parents=True)
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        epochs = [pool.submit(_write_functions, shape, epoch, plain / "lambda") for epoch in range(shape.epochs)]
        slices = [pool.submit(_write_slice, shape, number, plain, parts) for number in range(shape.slices)]
        for future in epochs:
            future.result()
        parts_done = [future.result() for future in slices]
    with (home / "truth.jsonl").open("wb") as truth:
        for part in sorted(parts.iterdir()):
            truth.write(part.read_bytes())
    shutil.rmtree(parts)
    (home / "set.json").write_text(json.dumps(_summary(shape, parts_done, plain), indent=1))


def _summary(shape: Shape, parts: Iterable[tuple[Sums, Latencies]], plain: Path) -> dict[str, object]:
    """The sums of all slices; `p99_sum` is over the nearest-rank p99 of every route and five minutes."""
    total: Sums = {}
    latencies: Latencies = {}
    for sums, more in parts:
        for name, counts in sums.items():
            total.setdefault(name, Counter()).update(counts)
        for name, values in more.items():
            latencies.setdefault(name, []).extend(values)
    total["totals"]["bins"] = len(latencies)
    total["totals"]["p99_sum"] = sum(sorted(found)[-(-99 * len(found) // 100) - 1] for found in latencies.values())
    size = {
        folder.name: sum(f.stat().st_size for f in folder.rglob("*.*") if f.is_file()) for folder in plain.iterdir()
    }
    return {"generator": GENERATOR_VERSION, "size_gb": shape.size_gb, "bytes": size, **total}


def _write_functions(shape: Shape, epoch: int, folder: Path) -> None:
    """The Lambda logs of one epoch; its environments are its own."""
    fleet = Fleet(folder, epoch)
    blocks = shape.blocks // shape.epochs
    for request in plan(shape, epoch * blocks, (epoch + 1) * blocks):
        if request.invoked:
            fleet.serve(request)
    fleet.close()


def _write_slice(shape: Shape, number: int, plain: Path, parts: Path) -> tuple[Sums, Latencies]:
    """One execution file with all lines of its time, and access log and truth of the requests that came in it."""
    blocks = shape.blocks // shape.slices
    first = number * blocks
    stream = sha256(f"execution:{number}".encode()).hexdigest()[:32]
    execution = plain / "execution" / group_name() / f"{stream}.log"
    access = plain / "access" / f"access-{number:03d}.jsonl"
    for path in (execution, access):
        path.parent.mkdir(parents=True, exist_ok=True)
    with execution.open("w", encoding="ascii", buffering=1 << 20) as file:
        last = number == shape.slices - 1
        for text in _in_order(shape, first, first + blocks, last=last):
            file.write(text)
    sums: Sums = {}
    latencies: Latencies = {}
    with access.open("w", encoding="ascii") as log, (parts / f"{number:03d}").open("w") as truth:
        for request in plan(shape, first, first + blocks):
            log.write(access_line(request))
            if request.outcome.failed or request.outcome.near_limit:
                truth.write(truth_line(request))
            _count(sums, request)
            if request.outcome.called and request.outcome.answered:
                name = f"{request.route.method} {request.route.path} {(request.arrived - START_MS) // BIN_MS}"
                latencies.setdefault(name, []).append(request.integration_ms)
    return sums, latencies


def _in_order(shape: Shape, first: int, end: int, *, last: bool) -> Iterator[str]:
    """The lines whose time lies in blocks `first` to `end`, by time; after the last block what is left too."""
    pending: list[tuple[int, int, str]] = []
    count, since = 0, shape.starts(first)
    for block in range(max(first - shape.tail_blocks(), 0), end):
        for request in plan_block(shape, block):
            for at, text in execution_chunks(request):
                count += 1
                if at >= since or first == 0:
                    pending.append((at, count, text))
        pending.sort()
        until = shape.starts(block + 1)
        ready = next((n for n, chunk in enumerate(pending) if chunk[0] >= until), len(pending))
        if block >= first:
            yield "".join(text for _, _, text in pending[:ready])
            del pending[:ready]
    if last:
        yield "".join(text for _, _, text in pending)


def truth_line(request: Request) -> str:
    """What really happened to one request."""
    outcome = request.outcome
    row = {
        "request_id": request.id,
        "status": outcome.status,
        "kind": "failed" if outcome.failed else "near-limit",
        "cause": outcome.cause,
        "route": f"{request.route.method} {request.route.path}",
        "lambda_id": request.lambda_id if request.invoked else None,
        "what": outcome.name,
    }
    return json.dumps(row) + "\n"


def _count(sums: Sums, request: Request) -> None:
    """Add one request to the sums that every tool is checked against."""
    outcome = request.outcome
    answered = outcome.called and outcome.answered
    total = sums.setdefault("totals", Counter())
    total["requests"] += 1
    total["failed"] += outcome.failed
    total["near_limit"] += outcome.near_limit
    total["invocations"] += request.invoked
    total["telling_lines"] += telling_lines(request)
    total["status_sum"] += outcome.status
    total["integration_ms_sum"] += request.integration_ms if answered else 0
    total["access_valid"] += is_json(request)
    total["access_valid_failed"] += is_json(request) and outcome.failed
    sums.setdefault("outcomes", Counter())[outcome.name] += 1
    if outcome.failed:
        sums.setdefault("causes", Counter())[str(outcome.cause)] += 1


def main() -> None:
    """Make the sets that are asked for and tell where they lie."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("sizes", nargs="*", type=float, default=[0.01], help=f"in GB: {', '.join(map(str, SIZES_GB))}")
    parser.add_argument("--form", choices=FORMS, action="append", default=[])
    options = parser.parse_args()
    for size in options.sizes:
        for form in options.form or ["plain"]:
            start = perf_counter()
            folder = make_set(size, form)
            sys.stdout.write(f"{folder}  ({perf_counter() - start:.1f} s)\n")


if __name__ == "__main__":
    main()
