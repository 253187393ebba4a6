"""Invocations that need no row, of large Lambda logs read line by line: let go every so often, once they have ended.

What only a whole stream tells (inits, positions) is settled for its beginning, in order of time; what comes later
must be later in time too.
"""

from collections.abc import Callable

from apigw_doctor.attribution.inconspicuous import inconspicuous, note
from apigw_doctor.evidence.crowd import Crowd
from apigw_doctor.evidence.tables import LambdaInvocation
from apigw_doctor.sources.lambda_settle import in_order, invocation_row, settle_beginning, start_of
from apigw_doctor.sources.lambda_stream import Invocations, Stream
from apigw_doctor.sources.lambda_words import Facts

#: No invocation lasts longer.
_LONGEST_MS = 16 * 60_000.0


class Disordered(Exception):  # noqa: N818 - a state of the input
    """A stream told of an invocation before one that had been let go."""


class LambdaSweep:
    """Where they go."""

    def __init__(
        self,
        crowd: Crowd,
        keeps: Callable[[LambdaInvocation], bool],
        named: Callable[[LambdaInvocation], LambdaInvocation],
        every: int,
    ) -> None:
        self.crowd = crowd
        #: somebody may ask for the invocation
        self._keeps = keeps
        #: gives a function to one that has none
        self._named = named
        self.every = every
        #: invocations with lines of their own since the last sweep, and how many began
        self._fresh: set[str] = set()
        self._begun = 0

    def met(self, invocations: Invocations, request_id: str, stream: Stream | None, at: float | None) -> None:
        """A line tells of an invocation.

        Raises:
            Disordered: when it comes too late.
        """
        self._fresh.add(request_id)
        known = invocations.facts.get(request_id)
        if known is not None:
            if known.get("settled"):
                raise Disordered
            return
        self._begun += 1
        if self._begun >= self.every:
            self._let_go(invocations)
            self._begun, self._fresh = 0, {request_id}
        if at is not None and stream is not None and at <= stream.settled_until:
            raise Disordered

    def _let_go(self, invocations: Invocations) -> None:
        for stream in invocations.streams.values():
            if stream.named and stream.ids:
                self._beginning_of(stream, invocations)

    def _beginning_of(self, stream: Stream, invocations: Invocations) -> None:
        ordered = in_order(stream, invocations.facts)
        latest = max((start for _, facts in ordered if (start := start_of(facts)) is not None), default=0.0)
        count = next((place for place, item in enumerate(ordered) if not self._is_over(*item, latest)), len(ordered))
        # The last one stays: what stands between it and the next one has no place yet.
        beginning = ordered[: min(count, len(ordered) - 1)]
        if not beginning:
            return
        settle_beginning(stream, ordered, len(beginning), invocations.functions)
        for request_id, facts in beginning:
            row = self._named(invocation_row(request_id, facts))
            if inconspicuous(row) and not self._keeps(row):
                note(self.crowd, row)
                del invocations.facts[request_id]

    def _is_over(self, request_id: str, facts: Facts, latest: float) -> bool:
        start = start_of(facts)
        if request_id in self._fresh or start is None:
            return False
        return facts.get("reported_at") is not None or start < latest - _LONGEST_MS
