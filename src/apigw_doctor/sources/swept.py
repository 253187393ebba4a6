"""Requests that need no row, of files read line by line: let go every so often, when nothing more came of them.

The slow ones among them are kept on disk until the limits are known.
"""

import pickle
from array import array
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from apigw_doctor.evidence.traffic import Traffic

Facts = dict[str, Any]


class Sweep:
    """Where they go."""

    def __init__(
        self,
        traffic: Traffic,
        asked_for: Callable[[int, float | None], bool],
        slow_from_ms: float,
        path: Path,
        every: int,
    ) -> None:
        self.traffic = traffic
        self.asked_for = asked_for
        #: so many requests are met between two sweeps
        self.every = every
        #: numbers of slow requests in the traffic, and where their facts stand
        self.entries = array("Q")
        self._slow_from_ms = slow_from_ms
        self._offsets = array("Q")
        self._path = path

    def keep_slow(self, first: int, instances: list[Facts]) -> None:
        """Keep what is known of the requests that were entered into the traffic from number `first` on."""
        for number, facts in enumerate(instances, first):
            if self.traffic.integration_ms[number] >= self._slow_from_ms:
                with self._path.open("ab") as file:
                    self.entries.append(number)
                    self._offsets.append(file.tell())
                    pickle.dump(facts, file, pickle.HIGHEST_PROTOCOL)

    def read(self, positions: list[int]) -> Iterator[Facts]:
        """The facts at these positions of `entries`."""
        if not positions:
            return
        with self._path.open("rb") as file:
            for position in positions:
                file.seek(self._offsets[position])
                yield pickle.load(file)  # noqa: S301 - this very process wrote it
