"""What can be wrong with a network path: the faults of a `Relay`.

A fault holds while it is set and the clock is within its window (`from_ms` and `until_ms` are epoch milliseconds of
the lab's clock; None is open). The first fault of a kind that holds counts.
"""

from typing import Literal

import msgspec


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that is wrong with a path, and when."""

    from_ms: float | None = None
    until_ms: float | None = None

    def holds(self, at_ms: float) -> bool:
        """Whether the moment lies in this fault's window.

        >>> Refuse(from_ms=1_000.0, until_ms=2_000.0).holds(2_000.0)
        False
        """
        return (self.from_ms is None or self.from_ms <= at_ms) and (self.until_ms is None or at_ms < self.until_ms)


class Delay(Fault, frozen=True, kw_only=True):
    """Added latency: once, before the first byte of a connection goes on, or before each chunk of the answer."""

    ms: float
    per: Literal["connection", "chunk"] = "connection"


class Refuse(Fault, frozen=True):
    """New connections are refused, as by a host where nothing listens."""


class BlackHole(Fault, frozen=True):
    """New connections hang: nobody answers their SYN, as where a security group or a route is missing."""


class Silence(Fault, frozen=True):
    """Connections are accepted, what is sent on them is lost, and nothing ever comes back."""


class SlowStart(Fault, frozen=True, kw_only=True):
    """The first so many connections since the fault was set take longer."""

    connections: int
    ms: float


class DeadZone(Fault, frozen=True, kw_only=True):
    """One of the targets swallows everything; connections go round over all of them."""

    zone: int


class IdleCut(Fault, frozen=True, kw_only=True):
    """A connection on which nothing passed for so long is lost.

    `close` and `reset` tell the peer at once; `reset-on-use` answers its next byte with a reset, as a NAT gateway or
    a network load balancer does; `swallow` tells it nothing at all, as some firewalls.
    """

    after_ms: float
    how: Literal["close", "reset", "reset-on-use", "swallow"] = "reset-on-use"


class ResetAnswer(Fault, frozen=True, kw_only=True):
    """A connection is reset when so many bytes of answers have passed on it."""

    after_bytes: int = 0


class Trickle(Fault, frozen=True, kw_only=True):
    """Answers come through at so many bytes a second."""

    bytes_per_s: float
