"""Requests that other evidence speaks of: they are kept in full, however well they were answered."""

from bisect import bisect_right

from apigw_doctor.attribution.witnesses import AFTER_MS, BEFORE_MS
from apigw_doctor.evidence.tables import Evidence
from apigw_doctor.evidence.traffic import id64

#: Answered requests that took at least this long can be had again once the limits are known.
SLOW_FROM_MS = 2000.0
_FAILED, _CLIENT_CLOSED = 500, 460


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

    def also(self, idents: set[int]) -> "Wanted":
        """The same and these requests."""
        return Wanted(self.idents | idents, self.windows, self.slow_from_ms)

    def with_(self, other: "Wanted") -> "Wanted":
        """The same and what `other` asks for."""
        return Wanted(self.idents | other.idents, (*self.windows, *other.windows), self.slow_from_ms)


def wishes_of(evidence: Evidence, slow_from_ms: float) -> Wanted:
    """The requests that clients, edges, load balancers and traces speak of."""
    named = [
        item
        for reply in evidence.clients
        for item in (reply.request_id, reply.extended_request_id, reply.http_api_id)
        if item is not None
    ]
    named += [segment.gateway_request_id for segment in evidence.segments if segment.gateway_request_id is not None]
    moments = [reply.at for reply in evidence.clients if reply.gave_up and reply.at is not None]
    moments += [edge.ended_at - (edge.time_taken_ms or 0.0) for edge in evidence.edge if (edge.status or 0) >= _FAILED]
    moments += [
        line.created_at if line.created_at is not None else line.ended_at
        for line in evidence.load_balancer
        if (line.status or 0) >= _CLIENT_CLOSED
    ]
    windows = tuple((at - BEFORE_MS, at + AFTER_MS) for at in moments)
    return Wanted(frozenset(map(id64, named)), windows, slow_from_ms)


def _united(windows: tuple[tuple[float, float], ...]) -> tuple[tuple[float, float], ...]:
    """The same moments without overlaps, in order."""
    found: list[tuple[float, float]] = []
    for start, end in sorted(windows):
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], max(end, found[-1][1]))
        else:
            found.append((start, end))
    return tuple(found)
