"""One request and its reply in a client transcript, while it is being read.

>>> exchange = Exchange(origin="x:1")
>>> exchange.status_line(504, "< HTTP/2 504", "x:1")
>>> exchange.reply_header("x-amz-apigw-id", "K2G9wEbUoAMEvag=", "< x-amz-apigw-id: K2G9wEbUoAMEvag=", "x:2")
>>> exchange.row().status, exchange.from_gateway
(504, True)
"""

import re
from enum import Enum, auto
from typing import Any

from apigw_doctor.evidence.tables import Cite, ClientReply
from apigw_doctor.model.ids import trace_root
from apigw_doctor.model.times import parse_time
from apigw_doctor.sources.client_lines import GATEWAY_HOST, fired, timer_ms
from apigw_doctor.sources.json_values import CITED_CHARS, whole

_MAX_CITES = 12
_FINAL = 200
#: response and request header -> field; only these lines are cited, so that no token is
_ID_HEADERS = {
    "x-amzn-requestid": "request_id",
    "x-amz-apigw-id": "extended_request_id",
    "apigw-requestid": "http_api_id",
    "x-amz-cf-id": "edge_request_id",
    "x-amzn-errortype": "error_type",
}
_EDGE_HEADERS = ("x-cache", "via", "x-amz-cf-id", "x-amz-cf-pop", "server")


class Part(Enum):
    """Which part of an exchange the next lines belong to."""

    IDLE = auto()
    SENT = auto()
    BARE_SENT = auto()
    RECEIVED = auto()
    BARE_RECEIVED = auto()
    BODY = auto()


class Exchange:
    """What is known so far; `row` gives it, when it is a reply at all."""

    def __init__(self, origin: str) -> None:
        self.origin = origin
        self.part = Part.IDLE
        self.facts: dict[str, Any] = {}
        self.cites: list[Cite] = []
        self.content_length: int | None = None
        self.plain_text = False
        #: a client's last word (`curl: (28) ...`, `real`) has been read
        self.closed = False
        #: curl said that the transfer is over
        self.complete = False
        self.requested = False
        #: empty lines since the head ended
        self.blanks = 0

    @property
    def answered(self) -> bool:
        """A final status line, or the client's error, was read."""
        return "status" in self.facts or "error" in self.facts

    @property
    def from_gateway(self) -> bool:
        """The reply came through API Gateway or its edge, so its timings are not those of a backend."""
        ids = ("extended_request_id", "http_api_id", "error_type", "via_edge")
        host = self.facts.get("host") or ""
        return any(name in self.facts for name in ids) or GATEWAY_HOST.search(host) is not None

    def set(self, field: str, value: object) -> None:
        """Set what no line has said before."""
        if value is not None:
            self.facts.setdefault(field, value)

    def cite(self, line: str, origin: str) -> None:
        """Keep a line as proof."""
        if len(self.cites) < _MAX_CITES:
            self.cites.append(Cite(origin=origin, text=line.strip()[:CITED_CHARS]))

    def called(self, url: re.Match[str]) -> None:
        """The URL of a command line (host and path of `client_lines.URL`)."""
        self.set("host", url[1])
        self.set("path", url[2] or "/")

    def status_line(self, status: int, line: str, origin: str) -> None:
        """A status line; an interim one (1xx) or that of a proxy's tunnel is not the answer."""
        if status >= _FINAL and "onnection established" not in line:
            self.facts["status"] = status
            self.cite(line, origin)

    def sent_header(self, name: str, value: str) -> None:
        """A header of the request: the host, and ids that the caller chose."""
        name = name.lower()
        if name == "host":
            self.facts["host"] = value.partition(":")[0]
        elif name == "x-amzn-requestid":
            self.set("sent_request_id", value)
        elif name == "x-amzn-trace-id":
            self.set("sent_trace_id", trace_root(value))

    def reply_header(self, name: str, value: str, line: str, origin: str) -> None:
        """A header of the reply."""
        name = name.lower()
        if name in _ID_HEADERS and value:
            self.facts[_ID_HEADERS[name]] = value.partition(":")[0] if name == "x-amzn-errortype" else value
            self.facts["via_edge"] = self.facts.get("via_edge", False) or name == "x-amz-cf-id"
            self.cite(line, origin)
        elif name == "x-amzn-trace-id":
            self.set("trace_id", trace_root(value))
            self.cite(line, origin)
        elif name == "date":
            self.set("at", parse_time(value))
        elif name == "content-length":
            self.content_length = whole(value)
        elif name == "content-type":
            self.plain_text = value.startswith("text/plain")
        elif name in _EDGE_HEADERS and ("cloudfront" in value.lower() or name.startswith("x-amz-cf-")):
            self.facts["via_edge"] = True
            self.cite(line, origin)

    def failed(self, words: str, line: str, origin: str) -> None:
        """The client's own message that it got no (whole) answer."""
        self.facts["error"] = words.strip()[:CITED_CHARS]
        if fired(words):
            self.facts["gave_up"] = True
            self.set("elapsed_ms", timer_ms(words))
        self.cite(line, origin)

    def row(self) -> ClientReply | None:
        """The reply; None where nothing came and nothing failed."""
        if not self.answered:
            return None
        facts = dict(self.facts)
        error = facts.pop("error", None)
        facts.setdefault("message", error)
        for field in ("request_id", "trace_id"):
            chosen = facts.pop(f"sent_{field}", None)
            facts.setdefault(field, chosen)
        return ClientReply(**facts, cites=tuple(self.cites))
