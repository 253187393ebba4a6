"""Requests that other evidence speaks of: they are kept in full, however well they were answered."""

from bisect import bisect_right

#: Answered requests that took at least this long can be had again once the limits are known.
SLOW_FROM_MS = 2000.0


class Wanted:
    """What is asked for while gateway logs are read."""

    def __init__(
        self,
        idents: frozenset[int] = frozenset(),
        windows: tuple[tuple[float, float], ...] = (),
        slow_from_ms: float = SLOW_FROM_MS,
    ) -> None:
        self.idents = idents
        self.windows = _united(windows)
        self.slow_from_ms = slow_from_ms
        self._starts = [start for start, _ in self.windows]

    def asks_for(self, ident: int, arrived_at: float | None) -> bool:
        """Somebody spoke of the request: by its id (`id64`), or of its moment."""
        if ident in self.idents:
            return True
        if not self._starts or arrived_at is None:
            return False
        at = bisect_right(self._starts, arrived_at) - 1
        return at >= 0 and arrived_at <= self.windows[at][1]


def _united(windows: tuple[tuple[float, float], ...]) -> tuple[tuple[float, float], ...]:
    """The same moments without overlaps, in order."""
    found: list[tuple[float, float]] = []
    for start, end in sorted(windows):
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], max(end, found[-1][1]))
        else:
            found.append((start, end))
    return tuple(found)
