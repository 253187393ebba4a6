"""How a gateway, an authorizer or a balancer calls a function: the border between them and the function host."""

from typing import Any, Protocol

import msgspec


class Trace(msgspec.Struct, frozen=True, kw_only=True):
    """The trace context that goes with a call; `root` without `Root=`."""

    root: str
    parent: str = ""
    sampled: bool = False

    @property
    def header(self) -> str:
        """As `X-Amzn-Trace-Id` carries it."""
        parent = f";Parent={self.parent}" if self.parent else ""
        return f"Root={self.root}{parent};Sampled={int(self.sampled)}"


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What the Lambda service answered to a synchronous invocation."""

    #: of the service call: 200 also where the function failed; 429 throttled
    status: int
    request_id: str
    payload: bytes = b""
    #: `Unhandled` where the function raised, died or was killed
    function_error: str | None = None
    executed_version: str = "$LATEST"
    #: of a refused call: `TooManyRequestsException`
    error_type: str | None = None
    #: `ReservedFunctionConcurrentInvocationLimitExceeded`
    reason: str | None = None


class Invoker(Protocol):
    """Runs functions; the invocation goes on to its end even if the caller stops waiting (shield it)."""

    async def invoke(
        self, function: str, payload: bytes, *, trace: Trace | None = None, plan: dict[str, Any] | None = None
    ) -> Answer:
        """Invoke `function` (its name) and wait for the answer; `KeyError` for a function that does not exist.

        `plan` is what the scenario wants to happen in this invocation; the event does not carry it.
        """
        ...
