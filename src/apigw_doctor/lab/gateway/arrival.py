"""A request as it arrived, with the ids that the gateway gave it."""

from typing import Any

import msgspec

from apigw_doctor.lab.setup import LabAuthorizer, LabRoute

#: Who calls when the caller sits on this machine: an address that is kept for documentation (RFC 5737).
LOCAL_CALLER = "203.0.113.7"


class Arrival(msgspec.Struct, frozen=True, kw_only=True):
    """One request, or one event of a WebSocket connection; header and query pairs in the order in which they came."""

    at: float
    request_id: str
    extended_id: str
    trace_root: str
    #: what goes on in `X-Amzn-Trace-Id`: the caller's own header, or the root that was made
    trace_header: str
    #: the caller did not refuse to be sampled
    may_sample: bool
    segment_id: str
    subsegment_id: str
    method: str
    #: without the stage, as it was sent (percent-encoded)
    path: str
    raw_query: str = ""
    query: tuple[tuple[str, str], ...] = ()
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    host: str
    source_ip: str = LOCAL_CALLER
    protocol: str = "HTTP/1.1"
    route: LabRoute | None = None
    #: decoded
    path_parameters: dict[str, str] = {}
    #: as they were sent
    raw_parameters: dict[str, str] = {}
    #: a private matter of the lab: what the scenario wants to happen
    plan: dict[str, Any] | None = None
    authorizer_plan: dict[str, Any] | None = None
    event_type: str | None = None
    connection_id: str | None = None
    connected_at: float | None = None
    message_id: str | None = None
    #: of a DISCONNECT
    close_code: int | None = None
    close_reason: str = ""

    def header(self, name: str) -> str | None:
        """First header of this name, whatever its case."""
        wanted = name.lower()
        return next((value for key, value in self.headers if key.lower() == wanted), None)

    @property
    def user_agent(self) -> str:
        """`User-Agent`, or nothing."""
        return self.header("User-Agent") or ""


class Admission(msgspec.Struct, frozen=True, kw_only=True):
    """What an authorizer that let a request through said of the caller."""

    authorizer: LabAuthorizer
    principal: str | None = None
    context: dict[str, Any] = {}
    latency_ms: int = 0
