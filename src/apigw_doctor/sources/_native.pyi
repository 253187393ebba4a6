"""The compiled module (folder `native`)."""

from collections.abc import Callable
from typing import Any

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
