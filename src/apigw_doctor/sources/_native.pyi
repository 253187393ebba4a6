"""What the native module offers; see native/*.c and `native.py`."""

from collections.abc import Callable, Container
from typing import Any

INTERFACE: int

def alike_lines(text: bytes, /) -> int: ...

class Execution:
    """Gathers the lines of a uniform execution log by request."""

    def __new__(
        cls,
        column: int,
        words: int,
        stamped: bool,
        slow_from_ms: float,
        moment_of: Callable[[bytes], float | None],
        kind_of: Callable[[bytes], tuple[int, bytes | None]],
        plan_of: Callable[[bytes], tuple[int, ...] | None],
        place_of: Callable[[bytes, tuple[bytes, ...]], int | None],
        names_invocation: Callable[[bytes], bool],
        idents: frozenset[int],
        asks_for: Callable[[int, float | None], bool] | None,
    ) -> Execution: ...
    def gather(self, lines: bytes | list[bytes], /) -> tuple[int, int, list[tuple[int, int, int]]]: ...
    def gather_events(
        self, times: list[float | None], messages: list[str], /
    ) -> tuple[int, int, list[tuple[int, int, int]]] | None: ...
    def line(self, at: int, /) -> bytes: ...
    def stretch(self, at: int, count: int, /) -> bytes: ...
    def holds(self, key: bytes, /) -> bool: ...
    def join(self, key: bytes, at: int, /) -> None: ...
    def settle(
        self, apart: tuple[Container[bytes], ...], origin: tuple[int, int] | None, /
    ) -> tuple[
        tuple[bytes, ...],
        Any,
        list[tuple[bytes, list[int], tuple[bytes, ...], tuple[int, ...]]],
    ]: ...

class Records:
    """Reads the ordinary records of one access log."""

    def __init__(
        self, keys: tuple[bytes, ...], targets: tuple[int, ...], idents: bytes, windows: bytes, slow_from_ms: float
    ) -> None: ...
    def lines(
        self,
        block: bytes,
        start: int,
        number: int,
        entry: int,
        ask: Callable[[bytes], tuple[int, float] | None],
    ) -> tuple[int, int, int]:
        """Read lines up to one that Python has to read: where it stands, and its number."""

    def texts(
        self,
        texts: list[str] | list[str | None],
        times: list[float | None],
        own: bytes,
        start: int,
        entry: int,
        ask: Callable[[bytes], tuple[int, float] | None],
    ) -> int:
        """Read records that came as events, up to the index of one that Python has to read."""

    def take(self) -> tuple[bytes, bytes, bytes, bytes, bytes, bytes, bytes, bytes, bytes]:
        """The columns of the requests since the last time."""

    def take_slow(self) -> tuple[bytes, bytes, bytes, bytes]:
        """Of the slow ones: entries, numbers, lengths of their lines, and these."""

class Stream:
    """Reads the ordinary invocations of one Lambda stream after the other; `like` shares what it knows."""

    position: int
    last_start_at: float
    previous_ended_at: float | None
    entangled: bool
    running: bool

    def __new__(
        cls,
        idents: frozenset[int],
        logged: frozenset[str],
        silent_from_ms: float,
        silent_share: float,
        like: Stream | None = None,
        /,
    ) -> Stream: ...
    def begin(self, column: int, stamped: bool, windows_untraced: bytes, windows_traced: bytes, /) -> None: ...
    def feed(
        self,
        block: bytes,
        number: int,
        settle: Callable[..., None],
        moment_of: Callable[[bytes], float | None],
        shape_of: Callable[[bytes], int],
        /,
    ) -> int: ...
    def feed_lines(
        self,
        labels: list[Any],
        lines: list[bytes],
        settle: Callable[..., None],
        moment_of: Callable[[bytes], float | None],
        shape_of: Callable[[bytes], int],
        /,
    ) -> None: ...
    def finish(
        self,
        settle: Callable[..., None],
        moment_of: Callable[[bytes], float | None],
        shape_of: Callable[[bytes], int],
        /,
    ) -> None: ...
    def take(
        self,
    ) -> tuple[bytes, bytes, bytes, bytes, bytes, bytes, bytes, bytes, bytes, int, int, float | None] | None: ...
    @staticmethod
    def alike(text: bytes, /) -> bytes: ...
