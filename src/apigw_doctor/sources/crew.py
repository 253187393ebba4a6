"""Work on parts of the input, in one process per core.

Results come in the order of the tasks. A worker that is killed from outside makes the run fail in one sentence,
it never makes it hang.
"""

import gc
import multiprocessing
import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures.process import BrokenProcessPool, ProcessPoolExecutor
from typing import Any, TypeVar

from apigw_doctor.model.errors import DoctorError

Task = TypeVar("Task")
Result = TypeVar("Result")

_shared: Any = None


def cores() -> int:
    """Processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def forks() -> bool:
    """Workers begin as copies of this process, so that what they share costs nothing to hand over."""
    return sys.platform == "linux"


def run(
    work: Callable[[Task, Any], Result],
    tasks: Sequence[Task],
    shared: object,
    processes: int | None = None,
    meanwhile: Callable[[], None] | None = None,
) -> Iterator[Result]:
    """`work(task, shared)` for every task, in so many processes at the most (None: one per core).

    `meanwhile` is called once in this process, when the workers have begun.

    Raises:
        DoctorError: when a worker was killed.
    """
    workers = min(processes or cores(), len(tasks))
    if workers < 2:
        if meanwhile is not None:
            meanwhile()
        yield from (work(task, shared) for task in tasks)
        return
    context = multiprocessing.get_context("fork" if forks() else "spawn")
    pool = ProcessPoolExecutor(workers, context, _begin, (shared,))
    try:
        results = pool.map(_Work(work), tasks)
        if meanwhile is not None:
            meanwhile()
        yield from results
    except BrokenProcessPool as error:
        raise DoctorError(
            "a worker process was killed, perhaps because memory ran out",
            "give fewer files at once, or let other programs end first",
        ) from error
    except BaseException:
        for child in multiprocessing.active_children():
            child.terminate()
        raise
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


class _Work:
    def __init__(self, work: Callable[[Any, Any], Any]) -> None:
        self._work = work

    def __call__(self, task: object) -> Any:  # noqa: ANN401 - whatever the work gives
        return self._work(task, _shared)


def _begin(shared: object) -> None:
    global _shared
    _shared = shared
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent tells when to stop
    gc.disable()  # what a part allocates is let go by reference counts; passes over it cost a fifth of the time
