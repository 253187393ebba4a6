"""Work on parts of the input, in one process per core.

Results come in the order of the tasks. A worker that is killed from outside makes the run fail in one sentence,
it never makes it hang.
"""

import gc
import multiprocessing
import os
import signal
import sys
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool, ProcessPoolExecutor
from functools import cache
from typing import Any, TypeVar

from apigw_doctor.model.errors import DoctorError

Task = TypeVar("Task")
Result = TypeVar("Result")

#: So many tasks of every worker are waited for at a time.
_AHEAD = 4

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

    A task is asked for when its turn is near. `meanwhile` is called once in this process, when the workers have begun.

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
        waiting: deque[Future[Result]] = deque()
        for number, task in enumerate(tasks):
            if number >= workers * _AHEAD:
                yield _wanted(waiting.popleft().result())
            waiting.append(pool.submit(_Work(work), task))
            if number + 1 == min(workers * _AHEAD, len(tasks)) and meanwhile is not None:
                meanwhile()
        while waiting:
            yield _wanted(waiting.popleft().result())
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
        give_back()


def _wanted(result: Result) -> Result:
    if result is None:
        raise DoctorError("a worker process was told to end", "start again, and let it finish")
    return result


def give_back() -> None:
    """Return to the system what was freed: glibc keeps it, and after much reading that is a third of all memory."""
    if forks():
        trim = getattr(_libc(), "malloc_trim", None)  # other libraries have no such function
        if trim is not None:
            trim(0)


def keep_little() -> None:
    """Let large pieces of memory go back to the system as soon as they are free.

    glibc raises the size from which it does so whenever such a piece is freed; columns that grow and are let go would
    then stay for ever. With much input that was an eighth of all memory, at no cost in time.
    """
    _large_from(_LARGE_BYTES)


def _large_from(size: int) -> None:
    """Pieces of memory of that size on go back to the system when they are free."""
    option = getattr(_libc(), "mallopt", None) if forks() else None
    if option is not None:
        option(_MMAP_THRESHOLD, size)
        option(_TRIM_THRESHOLD, size)


#: Option of Linux's prctl(2): the signal that comes when the parent ends.
_PARENT_DEATH = 1
#: Options of glibc's mallopt(3).
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
_LARGE_BYTES = 1 << 18
#: Workers fill blocks of this size again and again.
_BLOCKS_BYTES = 1 << 25


@cache
def _libc() -> object:
    import ctypes

    return ctypes.CDLL(None)


class _Work:
    def __init__(self, work: Callable[[Any, Any], Any]) -> None:
        self._work = work

    def __call__(self, task: object) -> Any:  # noqa: ANN401 - whatever the work gives
        global _working
        try:
            _working = True
            return self._work(task, _shared)
        except _Stopped:
            return None  # nobody waits for it
        finally:
            _working = False


class _Stopped(BaseException):
    """Nobody wants the result any more."""


#: A task is being done, so that it can be left: nothing of its result is on the way yet.
_working = False


def _stop(signal_number: int, frame: object) -> None:
    """End the task at hand. A worker that died while its result is on the way would let the reader wait for ever."""
    if _working:
        raise _Stopped


def _begin(shared: object) -> None:
    global _shared
    _shared = shared
    signal.signal(signal.SIGTERM, _stop)
    prctl = getattr(_libc(), "prctl", None) if forks() else None
    if prctl is not None:
        prctl(_PARENT_DEATH, signal.SIGKILL)  # nobody would ever read the results
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent tells when to stop
    _large_from(_BLOCKS_BYTES)
    gc.disable()  # what a part allocates is let go by reference counts; passes over it cost a fifth of the time
