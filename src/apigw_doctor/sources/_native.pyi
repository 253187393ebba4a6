"""What the native module offers; see native/*.c and `native.py`."""

from collections.abc import Callable, Container

class Execution:
    """Gathers the lines of a uniform execution log by request."""

    def __new__(
        cls,
        column: int,
        words: int,
        stamped: bool,
        slow_from_ms: float,
        moment_of: Callable[[bytes], float | None],
        kind_of: Callable[[bytes], int],
        plan_of: Callable[[bytes], tuple[int, ...] | None],
        place_of: Callable[[bytes, tuple[bytes, ...]], int | None],
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
        self, *apart: Container[bytes]
    ) -> tuple[
        tuple[bytes, ...],
        list[tuple[int, list[int], tuple[bytes, ...]]],
        list[tuple[bytes, list[int], tuple[bytes, ...], tuple[int, ...]]],
    ]: ...
