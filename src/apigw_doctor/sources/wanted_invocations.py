"""Invocations that a failed request may have called: they are kept in full, however well they ended."""

from array import array
from bisect import bisect_left

import msgspec

from apigw_doctor.attribution.clocks import clocks_of, kind_of
from apigw_doctor.attribution.effective_limit import EffectiveLimits
from apigw_doctor.attribution.joins import begin_bounds, end_bounds
from apigw_doctor.attribution.timeline import Clocks
from apigw_doctor.evidence.tables import Evidence, GatewayRequest, LambdaInvocation
from apigw_doctor.evidence.traffic import id64


class Window(msgspec.Struct, frozen=True):
    """When the invocation of one request can have begun and ended, where only the time can tell it; epoch ms."""

    begin_from: float
    begin_to: float
    end_from: float
    end_to: float
    function: str | None
    #: the request has a trace id: an invocation with another one is not its own
    traced: bool


class WantedInvocations:
    """What is asked for while Lambda logs are read."""

    def __init__(
        self,
        idents: frozenset[int] = frozenset(),
        logged: frozenset[str] = frozenset(),
        windows: tuple[Window, ...] = (),
    ) -> None:
        #: id64 of invocations' ids and of trace roots
        self.idents = idents
        #: ids of gateway requests that a function may have written into its log
        self.logged = logged
        self._windows = sorted(windows, key=lambda window: window.begin_to)
        self._ends = [window.begin_to for window in self._windows]
        self._longest = max((window.begin_to - window.begin_from for window in windows), default=0.0)
        self._untraced = any(not window.traced for window in windows)
        self._packed: dict[tuple[str | None, bool], bytes] = {}

    def asks_for(
        self, function: str | None, begun_at: float | None, finished_at: float | None, *, traced: bool
    ) -> bool:
        """A request may be tied to an invocation with these times."""
        if begun_at is None or not self._ends or (traced and not self._untraced):
            return False
        for number in range(bisect_left(self._ends, begun_at), len(self._ends)):
            window = self._windows[number]
            if window.begin_to - self._longest > begun_at:
                return False
            begun = window.begin_from <= begun_at and not (traced and window.traced)
            if begun and _fits(window, function, finished_at):
                return True
        return False

    def windows_of(self, function: str | None, *, traced: bool) -> bytes:
        """The windows that `asks_for` looks at for such invocations, for the native part.

        Four numbers each, in order of `begin_to`; behind them how long the longest is to begin.
        """
        key = function, traced
        if key not in self._packed:
            windows = [one for one in self._windows if not (traced and one.traced) and _is_of(one, function)]
            longest = max((one.begin_to - one.begin_from for one in windows), default=0.0)
            bounds = [at for one in windows for at in (one.begin_from, one.begin_to, one.end_from, one.end_to)]
            self._packed[key] = array("d", [*bounds, longest]).tobytes()
        return self._packed[key]

    def asks_for_row(self, row: LambdaInvocation) -> bool:
        """A request may be tied to this invocation, by any way of joining."""
        if id64(row.request_id.lower()) in self.idents:
            return True
        if row.trace_id is not None and id64(row.trace_id) in self.idents:
            return True
        if not self.logged.isdisjoint(row.logged_ids):
            return True
        return self.asks_for(row.function, row.begun_at, row.finished_at, traced=row.trace_id is not None)


def asked_of(evidence: Evidence, skew_ms: float = 0.0) -> WantedInvocations:
    """The invocations that the requests with rows may have called, by any way of joining.

    `skew_ms` is how far the Lambda log's clock is ahead of the gateway's.
    """
    limits = EffectiveLimits(evidence)
    idents: set[int] = set()
    logged: set[str] = set()
    windows: list[Window] = []
    for row in evidence.requests:
        limit = limits.of(row)
        if row.lambda_request_id is not None:
            idents.add(id64(row.lambda_request_id.lower()))
        if row.trace_id is not None:
            idents.add(id64(row.trace_id))
        if row.lambda_request_id is not None:
            continue
        logged.update(item for item in (row.request_id, row.extended_request_id) if item is not None)
        kind = kind_of(row, limit)
        if kind is not None and (window := _window(row, clocks_of(row, limit, kind, None, None), skew_ms)) is not None:
            windows.append(window)
    return WantedInvocations(frozenset(idents), frozenset(logged), tuple(windows))


def _window(row: GatewayRequest, clocks: Clocks, skew_ms: float) -> Window | None:
    begin, end = begin_bounds(row, clocks), end_bounds(row, clocks)
    if begin is None:
        return None
    (begin_from, begin_to), (end_from, end_to) = begin, end
    return Window(
        begin_from + skew_ms,
        begin_to + skew_ms,
        end_from + skew_ms,
        end_to + skew_ms,
        row.function,
        row.trace_id is not None,
    )


def _fits(window: Window, function: str | None, finished_at: float | None) -> bool:
    return _is_of(window, function) and (finished_at is None or window.end_from <= finished_at <= window.end_to)


def _is_of(window: Window, function: str | None) -> bool:
    return function is None or window.function is None or function == window.function
