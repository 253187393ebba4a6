r"""What the caller saw: transcripts of curl, wget, HTTPie and other clients, bodies, WebSocket frames.

`* ` is what curl says, `> ` what it sent, `< ` what came back; the body follows bare, then `time`.

>>> transcript = Transcript()
>>> for number, line in enumerate(
...     ["< HTTP/2 504", "< x-amz-apigw-id: K2G9wEbUoAMEvag=", "<", '{"message": "Endpoint request timed out"}', "",
...      "real\t0m29.230s"], start=1):
...     _ = transcript.feed(line, f"curl.txt:{number}")
>>> row = transcript.finish()[0]
>>> row.status, row.extended_request_id, row.message, row.elapsed_ms
(504, 'K2G9wEbUoAMEvag=', 'Endpoint request timed out', 29230.0)
>>> Transcript().feed("2026-03-10T10:00:00Z START RequestId: x", "lambda.log:1")
False
"""

from apigw_doctor.evidence.tables import ClientReply, TargetTiming
from apigw_doctor.model.curl import CURL_WRITE_OUT
from apigw_doctor.sources import client_lines as lines
from apigw_doctor.sources.client_body import parse_body
from apigw_doctor.sources.client_conversation import Conversation, json_head
from apigw_doctor.sources.client_exchange import Part

__all__ = ["CURL_WRITE_OUT", "Transcript", "parse_body"]

_MAX_LINE_CHARS = 65_536
#: an error dump names its URL within so many lines
_URL_WITHIN = 60


class Transcript:
    """Reads a client's terminal output line by line, among whatever else was pasted."""

    def __init__(self) -> None:
        self._talk = Conversation()
        self._socket_open = False
        self._after_real = False
        self._axios: tuple[str, str, int] | None = None

    def feed(self, line: str, origin: str) -> bool:
        """Read a line; False when it belongs to no client transcript."""
        line = line.rstrip("\r\n")
        if len(line) > _MAX_LINE_CHARS:
            return False
        if self._talk.in_body and self._rest(self._talk.more_body(line, origin), origin):
            return True
        if (match := lines.TRACE_TIME.match(line)) is not None:
            line = line[match.end() :]
        return (
            self._talk.timing(line, origin)
            or self._socket(line, origin)
            or self._marked(line, origin)
            or self._bare(line, origin)
            or self._words(line, origin)
            or self._rest(self._talk.first_of_body(line, origin), origin)
        )

    def finish(self) -> list[ClientReply | TargetTiming]:
        """All replies and timings in their order; the transcript then is empty again."""
        talk, self._talk = self._talk, Conversation()
        self._socket_open, self._after_real, self._axios = False, False, None
        return talk.finish()

    def _rest(self, rest: str | None, origin: str) -> bool:
        """What a terminal printed behind a body, on the same line, is a line of its own."""
        if rest and not self._talk.in_body:
            self.feed(rest, origin)
        return rest is not None

    # --- lines with curl's marks

    def _marked(self, line: str, origin: str) -> bool:
        if line[:1] == "*":
            return self._info(line, origin)
        if line[:1] == ">":
            return self._sent(line[1:].strip(), origin)
        if line[:1] == "<" and line[1:2] in ("", " "):
            return self._received(line[1:].strip(), line, origin)
        return False

    def _info(self, line: str, origin: str) -> bool:
        now = self._talk.now
        closed = now is not None and now.closed
        if (now is None or closed) and lines.CURL_INFO.match(line) is None:
            return False
        if closed and line.startswith(("* Connection #", "* Closing", "* closing")):
            return True
        now = self._talk.open(origin, fresh=closed)
        if match := lines.CONNECTED_TO.match(line):
            now.set("host", match[1])
        if line.endswith("left intact") and "error" not in now.facts:
            now.complete = now.answered
        if "timed out after" in line and not now.answered:
            now.failed(line[2:], line, origin)
        return True

    def _sent(self, words: str, origin: str) -> bool:
        if match := lines.REQUEST_LINE.fullmatch(words):
            return self._talk.request(match, origin, Part.SENT)
        now = self._talk.now
        if now is None or now.part is not Part.SENT:
            return False
        if not words:
            now.part = Part.IDLE
        elif match := lines.HEADER.fullmatch(words):
            now.sent_header(match[1], match[2] or "")
        return True

    def _received(self, words: str, line: str, origin: str) -> bool:
        if match := lines.STATUS_LINE.fullmatch(words):
            return self._talk.status(match, line, origin, Part.RECEIVED)
        now = self._talk.now
        if now is None or now.part is not Part.RECEIVED:
            return False
        if not words:
            now.part = Part.BODY
        elif match := lines.HEADER.fullmatch(words):
            now.reply_header(match[1], match[2] or "", line, origin)
        return True

    # --- heads without marks (curl -i, HTTPie, wget -S)

    def _bare(self, line: str, origin: str) -> bool:
        if match := lines.STATUS_LINE.fullmatch(line):
            return self._talk.status(match, line, origin, Part.BARE_RECEIVED)
        if match := lines.REQUEST_LINE.fullmatch(line):
            return self._talk.request(match, origin, Part.BARE_SENT)
        now = self._talk.now
        if now is None or now.part not in (Part.BARE_SENT, Part.BARE_RECEIVED):
            return False
        received = now.part is Part.BARE_RECEIVED
        match = lines.HEADER.fullmatch(line)
        if match is None:
            now.part = Part.BODY if received else Part.IDLE
            return not line.strip()
        if received:
            now.reply_header(match[1], match[2] or "", line, origin)
        else:
            now.sent_header(match[1], match[2] or "")
        return True

    # --- the client's own words

    def _words(self, line: str, origin: str) -> bool:
        return (
            self._clock(line, origin)
            or self._command(line, origin)
            or self._wget(line, origin)
            or self._curl_error(line, origin)
            or self._program(line, origin)
            or (self._talk.now is not None and lines.PROGRESS.fullmatch(line) is not None)
        )

    def _clock(self, line: str, origin: str) -> bool:
        after_real, self._after_real = self._after_real, False
        match = lines.REAL.fullmatch(line) or lines.ZSH_TOTAL.fullmatch(line)
        if match is None:
            self._after_real = after_real and lines.USER_OR_SYS.fullmatch(line) is not None
            return self._after_real
        self._talk.end_timing()
        now = self._talk.now
        if now is None or not now.answered:
            return False
        now.set("elapsed_ms", lines.seconds_ms(match[1], match[2]))
        now.cite(line, origin)
        now.closed = self._after_real = True
        now.part = Part.IDLE
        return True

    def _command(self, line: str, origin: str) -> bool:
        match = lines.COMMAND.match(line)
        url = lines.URL.search(line) if match else None
        if match is None or url is None or (match.start("tool") == 0 and match["tool"] not in ("curl", "wget")):
            return False
        self._talk.open(origin, fresh=True).called(url)
        return True

    def _wget(self, line: str, origin: str) -> bool:
        now = self._talk.now
        answered = now is not None and now.answered
        if match := lines.WGET_START.fullmatch(line):
            if url := lines.URL.match(match[1]):
                self._talk.open(origin, fresh=answered).called(url)
            return True
        if lines.WGET_TIMEOUT.fullmatch(line):
            self._talk.error(line, line, origin)
            return True
        if match := lines.WGET_STATUS.fullmatch(line):
            now = self._talk.open(origin, fresh=answered)
            if match[1]:
                now.status_line(int(match[1]), line, origin)
            return True
        return now is not None and lines.WGET_OTHER.fullmatch(line) is not None

    def _curl_error(self, line: str, origin: str) -> bool:
        match = lines.CURL_ERROR.match(line)
        if match is None:
            return False
        now = self._talk.error(match[2], line, origin)
        if int(match[1]) == lines.CURL_TIMEOUT:
            now.facts["gave_up"] = True
        return True

    def _program(self, line: str, origin: str) -> bool:
        """Errors of HTTPie, and of programs where it is clear that they called a gateway."""
        now = self._talk.now
        waiting = now is not None and not now.answered and not now.closed
        if lines.AXIOS.fullmatch(line):
            self._axios = (line, origin, _URL_WITHIN)
            if waiting:
                self._talk.error(line, line, origin)
            return waiting
        if self._axios is not None and self._axios_url(line):
            return True
        if not lines.is_program_error(line) or not lines.fired(line):
            return False
        host = lines.GATEWAY_HOST.search(line)
        if host is None and not waiting and not line.startswith(("http: error: ", "https: error: ")):
            return False
        now = self._talk.error(line, line, origin)
        now.set("host", host[0] if host else None)
        return True

    def _axios_url(self, line: str) -> bool:
        """The message of axios names no URL, the dump below it does; only then is it known whom it called."""
        if self._axios is None:
            return False
        message, origin, left = self._axios
        self._axios = (message, origin, left - 1) if left > 1 else None
        host = lines.GATEWAY_HOST.search(line) if lines.AXIOS_URL.match(line) else None
        if host is None:
            return False
        self._axios = None
        now = self._talk.now
        if now is None or now.facts.get("error") != message:
            now = self._talk.error(message, message, origin)
        now.set("host", host[0])
        return True

    # --- WebSocket clients

    def _socket(self, line: str, origin: str) -> bool:
        if lines.WS_OPEN.fullmatch(line):
            self._socket_open = True
            return True
        if match := lines.WS_REFUSED.fullmatch(line):
            now = self._talk.open(origin, fresh=True)
            now.status_line(int(match[1]), line, origin)
            now.set("message", line.strip())
            return True
        if lines.WS_CLOSE.fullmatch(line):
            opened, self._socket_open = self._socket_open, False
            return opened
        if line.startswith("< {") and (frame := parse_body(json_head(line[2:])[0], origin)) is not None:
            self._talk.found.append(frame)
            return True
        return self._socket_open and line.startswith(("< ", "> "))
