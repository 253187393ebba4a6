"""The exchanges of a client transcript, with the bodies and `curl -w` timings that belong to them.

>>> talk = Conversation()
>>> talk.open("x:1", fresh=False).status_line(503, "HTTP/1.1 503 Service Unavailable", "x:1")
>>> talk.now.part = Part.BODY
>>> talk.first_of_body('{"message":"Service Unavailable"}real', "x:3")
'real'
>>> talk.finish()[0].message
'Service Unavailable'
"""

import json
import re
from typing import Any

from apigw_doctor.evidence.tables import ClientReply, TargetTiming
from apigw_doctor.sources.client_body import message_of
from apigw_doctor.sources.client_exchange import Exchange, Part
from apigw_doctor.sources.client_timings import is_rule, read_line
from apigw_doctor.sources.json_values import cite

_DECODER = json.JSONDecoder()
_MAX_BODY_LINES, _MAX_BODY_CHARS = 200, 65_536
#: what a terminal may print behind a body on the same line
_ROOM_CHARS = 400
#: keys of log records: a line that has one is no response body, even where one is awaited
_LOG_RECORD = re.compile(
    r'"(?:requestTime\w*|extendedRequestId|resourcePath|routeKey|logGroup|logEvents|level|platform|@timestamp)"\s*:'
)
_INTERRUPTS = ("* ", "< ", "> ", "real\t", "curl: ")


class Conversation:
    """What was found so far, and the exchange that the next line belongs to."""

    def __init__(self) -> None:
        self.found: list[Exchange | ClientReply | TargetTiming] = []
        self.now: Exchange | None = None
        self._body: list[str] = []
        self._timing: dict[str, Any] = {}
        self._timing_words: list[str] = []
        self._timing_at = ""

    @property
    def in_body(self) -> bool:
        """A body has begun and not ended."""
        return bool(self._body)

    def open(self, origin: str, *, fresh: bool) -> Exchange:
        """The exchange that a line belongs to; a new one where `fresh` or where there is none."""
        if self.now is None or fresh:
            self.end_body()
            self.end_timing()
            self.now = Exchange(origin)
            self.found.append(self.now)
        return self.now

    def request(self, match: re.Match[str], origin: str, part: Part) -> bool:
        """A request line begins an exchange, unless a command line has."""
        now = self.open(origin, fresh=self.now is not None and (self.now.answered or self.now.requested))
        now.requested = True
        now.facts["method"] = match[1]
        now.facts["path"] = match[2].partition("?")[0]
        now.part = part
        return True

    def status(self, match: re.Match[str], line: str, origin: str, part: Part) -> bool:
        """A status line answers the request, or begins an exchange whose request was not printed."""
        now = self.open(origin, fresh=self.now is not None and self.now.answered)
        now.status_line(int(match[1]), line, origin)
        now.part, now.blanks = part, 0
        return True

    def error(self, words: str, line: str, origin: str) -> Exchange:
        """The client's last word on an exchange; a finished one is left as it is."""
        now = self.now
        finished = now is not None and (now.closed or now.complete or "message" in now.facts)
        now = self.open(origin, fresh=finished)
        self.end_timing()
        now.failed(words, line, origin)
        now.closed = True
        return now

    def finish(self) -> list[ClientReply | TargetTiming]:
        """The rows, in the order of their beginnings."""
        self.end_body()
        self.end_timing()
        rows = [item.row() if isinstance(item, Exchange) else item for item in self.found]
        return [row for row in rows if row is not None]

    # --- bodies

    def first_of_body(self, line: str, origin: str) -> str | None:
        """Take a line that may begin the awaited body; gives what stands behind it, None when it is no body."""
        now = self.now
        if now is None or now.part is not Part.BODY:
            return None
        if not line.strip():
            now.blanks += 1
            now.part = Part.BODY if now.blanks <= 1 else Part.IDLE
            return ""
        now.part = Part.IDLE
        start = line.lstrip()
        if start[0] in "{[" or start[:5].lower() in ("<html", "<!doc", "<?xml"):
            room = (now.content_length or _MAX_BODY_CHARS) + _ROOM_CHARS
            return self.more_body(line, origin) if len(line) <= room and not _LOG_RECORD.search(line) else None
        length = len(line.encode("utf-8", "replace"))
        if now.plain_text or (now.content_length is not None and abs(length - now.content_length) <= 1):
            now.set("message", message_of(line))
            now.cite(line, origin)
            return ""
        return None

    def more_body(self, line: str, origin: str) -> str | None:
        """Take a line of a JSON or HTML body, which ends with its value; as `first_of_body`."""
        if self._body and line.startswith(_INTERRUPTS):
            self.end_body()
            return None
        self._body.append(line)
        words = "\n".join(self._body)
        if words.lstrip()[:1] == "<":
            value, rest, ended = words, "", "</html>" in line.lower()
        else:
            value, rest = json_head(words)
            ended = value is not None
        if ended or len(self._body) >= _MAX_BODY_LINES or len(words) >= _MAX_BODY_CHARS:
            self._take_body(value, words.removesuffix(rest) if rest else words, origin)
        return rest.strip()

    def end_body(self) -> None:
        """The body was cut short."""
        if self._body:
            self._take_body(None, "\n".join(self._body), self.now.origin if self.now else "")

    def _take_body(self, value: object, words: str, origin: str) -> None:
        self._body = []
        if self.now is not None:
            self.now.set("message", message_of(value))
            self.now.cite(words, origin)

    # --- curl -w

    def timing(self, line: str, origin: str) -> bool:
        """Take a line of `curl -w` timings."""
        found = read_line(line)
        if found is None:
            return bool(self._timing) and is_rule(line)
        if found.keys() & self._timing.keys():
            self.end_timing()
        if not self._timing:
            self._timing_at = origin
        self._timing |= found
        self._timing_words.append(line.strip())
        return True

    def end_timing(self) -> None:
        """A block is complete: the elapsed time of the reply above it, or timings of a target."""
        found, words = self._timing, "; ".join(self._timing_words)
        self._timing, self._timing_words = {}, []
        if not found.keys() & {"total_ms", "first_byte_ms", "connect_ms"}:
            return
        reply = self._reply_of(found)
        if reply is not None:
            reply.set("elapsed_ms", found.get("total_ms"))
            if reply.from_gateway:
                reply.set("status", found.get("status"))
            reply.cite(words, self._timing_at)
            found = {"host": reply.facts.get("host"), "status": reply.facts.get("status")} | found
        # Timings of the gateway are those of one reply; only a backend's are worth a row of their own.
        if reply is None or not (reply.from_gateway and reply.answered):
            self.found.append(TargetTiming(**found, cites=cite(self._timing_at, words)))

    def _reply_of(self, found: dict[str, Any]) -> Exchange | None:
        now = self.now
        if now is None or now.closed:
            return None
        host = now.facts.get("host")
        return now if host in (None, found.get("host", host)) else None


def json_head(words: str) -> tuple[Any, str]:
    """The JSON value at the beginning, and what follows it; None while it is not complete."""
    start = len(words) - len(words.lstrip())
    try:
        value, end = _DECODER.raw_decode(words, start)
    except (ValueError, RecursionError):
        return None, ""
    return value, words[end:]
