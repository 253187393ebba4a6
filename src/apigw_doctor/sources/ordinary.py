"""What an answered request of an ordinary course says of itself: one entry of `Traffic`.

The sister of native/execution.c, which knows only the most usual course.
"""

import re
from typing import Any, NamedTuple
from zlib import crc32

from apigw_doctor.evidence.traffic import EXECUTION, INFO, LATENCY, TRACE, RequestPlace, Traffic, half_id, id64
from apigw_doctor.model.ids import UUID_PATTERN, function_from_uri, trace_root
from apigw_doctor.model.terms import ApiType
from apigw_doctor.sources.execution_log import id_in_body
from apigw_doctor.sources.execution_shapes import Plan, Shapes
from apigw_doctor.sources.file_reader import decoded
from apigw_doctor.sources.layout import Layout, Moments
from apigw_doctor.sources.wanted import Wanted

_METHOD_LINE = re.compile(r"HTTP Method: (\w+), Resource Path: (\S*)")
_KEY_LINE = re.compile(r"method '(\w+) (\S+)'")
_API_STAGE = re.compile(rb"API Stage:? ([\w*]+)/([\w*-]+)")
_STATUS = re.compile(r"\s*(\d{3})")
_RECEIVED = re.compile(rb"Received response\.(?: Status: (\d{1,9}),)? Integration latency: (\d{1,12}) ms")
_UUID = re.compile(UUID_PATTERN.encode())
_HEADER_ID = re.compile(rb"x-amzn-RequestId=(" + UUID_PATTERN.encode() + rb")", re.IGNORECASE)
_HEADER_TRACE = re.compile(rb"X-Amzn-Trace-Id=([^,}]+)", re.IGNORECASE)
_COMPLETED = len("Method completed with status:")
_LAMBDA = len("AWS Integration Endpoint RequestId")
_EXTENDED = len("Extended Request Id: ")
_XRAY = len("X-ray Tracing ID")
_MAX_CACHED = 20_000


class Entry(NamedTuple):
    """What `Traffic.add` takes."""

    ident: int
    extended: int
    claim: int
    place: int
    arrived_at: float | None
    ended_at: float | None
    integration_ms: float
    status: int
    marks: int


class Ordinary:
    """Reads requests of one file whose lines and their order are known."""

    def __init__(
        self,
        layout: Layout,
        moments: Moments,
        shapes: Shapes,
        traffic: Traffic,
        wanted: Wanted,
        api: tuple[str | None, str | None],
    ) -> None:
        self._layout, self._words = layout, layout.words
        self._moments, self._shapes = moments, shapes
        self._traffic, self._wanted = traffic, wanted
        self._api = api
        self._places: dict[tuple[object, ...], int] = {}
        self._functions: dict[bytes, str | None] = {}
        self._statuses: dict[bytes, int | None] = {}

    def entry(self, request_id: bytes, plan: Plan, lines: tuple[bytes, ...]) -> Entry | None:
        """The request; None when a value is not of the usual form, or somebody asks for it."""
        words = self._words
        status = self._status(lines[plan.completed][words + _COMPLETED :])
        ended_at, arrived_at = self._time(lines[plan.completed]), self._time(min(lines))
        if status is None or (self._layout.timed and (ended_at is None or arrived_at is None)):
            return None
        integration_ms = self._integration_ms(plan, lines, ended_at)
        place = self._place(plan, lines, self._function(plan, lines))
        claim = self._claim(plan, lines)
        if integration_ms is None or place is None or claim is None:
            return None
        ident = id64(request_id)
        if self._wanted.asks_for(ident, arrived_at):
            return None
        marks = EXECUTION | INFO | (TRACE if plan.traced else 0) | (LATENCY if plan.received >= 0 else 0)
        extended = _half_id(lines[plan.extended][words + _EXTENDED :]) if plan.extended >= 0 else 0
        return Entry(ident, extended, claim, place, arrived_at, ended_at, integration_ms, status, marks)

    def _time(self, line: bytes) -> float | None:
        return self._moments.of(line) if self._layout.timed else None

    def _status(self, words: bytes) -> int | None:
        """The status after `Method completed with status:`; None for a failure and for what is no status."""
        try:
            return self._statuses[words]
        except KeyError:
            match = _STATUS.match(words.decode("utf-8", "replace"))
            status = int(match[1]) if match is not None and int(match[1]) < _FAILED else None
            _cached(self._statuses, words, status)
            return status

    def _integration_ms(self, plan: Plan, lines: tuple[bytes, ...], ended_at: float | None) -> float | None:
        if plan.received >= 0:
            match = _RECEIVED.match(lines[plan.received], self._words)
            if match is None or (self._layout.timed and self._time(lines[plan.received]) is None):
                return None
            status = int(match[1]) if match[1] else 200
            return float(match[2]) if status < _FAILED and status != _THROTTLED else None
        begun = plan.sendings or (plan.started,)
        times = [self._time(lines[position]) for position in begun]
        if ended_at is None or None in times:
            return None
        return ended_at - max(at for at in times if at is not None)

    def _function(self, plan: Plan, lines: tuple[bytes, ...]) -> str | None:
        """The function of the endpoint that was called last; an HTTP endpoint has none."""
        calls = plan.uris + plan.sendings
        if not calls:
            return None
        position = calls[0]
        if len(calls) > 1 and not self._is_one_endpoint(plan, lines):
            position = max(calls, key=lambda call: self._time(lines[call]) or 0.0)
        line = lines[position]
        uri = line[self._words + (_URI if position in plan.uris else _SENDING) :]
        try:
            return self._functions[uri]
        except KeyError:
            name = function_from_uri(uri.decode("utf-8", "replace"))[0]
            _cached(self._functions, uri, name)
            return name

    def _is_one_endpoint(self, plan: Plan, lines: tuple[bytes, ...]) -> bool:
        """One line announces the very endpoint that the other one calls."""
        if len(plan.uris) != 1 or len(plan.sendings) != 1:
            return False
        words = self._words
        return lines[plan.uris[0]][words + _URI :] == lines[plan.sendings[0]][words + _SENDING :]

    def place_told(self, course: bytes, lines: tuple[bytes, ...]) -> int | None:
        """The place of a request of a usual course, where the words of its route and endpoint tell all of it."""
        plan = self._shapes.plan(tuple(course))
        if plan is None or None in self._api:
            return None
        return self._place(plan, lines, self._function(plan, lines))

    def _place(self, plan: Plan, lines: tuple[bytes, ...], function: str | None) -> int | None:
        line = lines[plan.route][self._words :]
        api = self._api
        if (api[0] is None or api[1] is None) and plan.usage:
            api = self._api_named([lines[position] for position in plan.usage])
        key = (line if line[:4] == b"HTTP" else _route_words(line), function, api)
        number = self._places.get(key)
        if number is None:
            route = _route_of(line.decode("utf-8", "replace"))
            if route is None:
                return None
            place = RequestPlace(ApiType.REST, api[0], api[1], route[0], route[1], None, function)
            number = _cached(self._places, key, self._traffic.number(place))
        return number

    def _api_named(self, lines: list[bytes]) -> tuple[str | None, str | None]:
        api_id, stage = self._api
        for line in lines:
            if match := _API_STAGE.search(line, self._words):
                if api_id is None and b"*" not in match[1]:
                    api_id = match[1].decode()
                stage = stage if stage is not None else match[2].decode()
        return api_id, stage

    def _claim(self, plan: Plan, lines: tuple[bytes, ...]) -> int | None:
        """The invocation's id, else the trace's; 0 for none, None where the body may name another."""
        if plan.response_headers >= 0:
            headers = lines[plan.response_headers]
            at = headers.find(b"x-amzn-RequestId=")
            match = _HEADER_ID.match(headers, at) if at >= 0 else None
            if match is None and b"x-amzn-requestid=" in headers.lower():
                match = _HEADER_ID.search(headers)
            if match is not None:
                return id64(match[1].lower())
        if plan.response_body >= 0:
            body = lines[plan.response_body]
            if (b"Lambda request id: " in body or b"Task timed out" in body or b"RequestId: " in body) and (
                self.names_invocation(body)
            ):
                return None
        if plan.lambda_id >= 0 and (match := _UUID.search(lines[plan.lambda_id], self._words + _LAMBDA)):
            return id64(match[0].lower())
        root = None
        if plan.trace_id >= 0:
            root = self._root(lines[plan.trace_id][self._words + _XRAY :])
        if root is None:
            root = next(filter(None, (self._header_root(lines[position]) for position in plan.headers)), None)
        return id64(root) if root is not None else 0

    def names_invocation(self, body: bytes) -> bool:
        """The endpoint's answer names an invocation, as the words of a failure do."""
        return id_in_body(decoded(body[self._words :])) is not None

    def _root(self, words: bytes) -> str | None:
        return trace_root(words.decode("utf-8", "replace"))

    def _header_root(self, line: bytes) -> str | None:
        match = _header(_HEADER_TRACE, b"X-Amzn-Trace-Id=", line)
        return None if match is None else trace_root(match[1].decode("utf-8", "replace"))


_FAILED, _THROTTLED = 500, 429
_URI, _SENDING = len("Endpoint request URI: "), len("Sending request to ")


def _half_id(words: bytes) -> int:
    """What `half_id` gives for the text."""
    return crc32(words.strip()) or 1 if words.isascii() else half_id(decoded(words).strip())


def _header(pattern: re.Pattern[bytes], usual: bytes, line: bytes) -> re.Match[bytes] | None:
    """Where a header stands, as it is usually written or in other capitals."""
    at = line.find(usual)
    if at >= 0 and (match := pattern.match(line, at)) is not None:
        return match
    return pattern.search(line) if usual.lower() in line.lower() else None


def _route_words(line: bytes) -> bytes:
    """The part of an API key line that names method and route."""
    at = line.find(b"method '")
    return line[at : line.find(b"'", at + 8) + 1] if at >= 0 else line


def _route_of(words: str) -> tuple[str, str] | None:
    match = _METHOD_LINE.match(words) if words.startswith("HTTP") else _KEY_LINE.search(words)
    return None if match is None else (match[1], match[2])


def _cached(cache: dict[Any, Any], key: object, value: Any) -> Any:  # noqa: ANN401 - any cache
    if len(cache) > _MAX_CACHED:
        cache.clear()
    cache[key] = value
    return value
