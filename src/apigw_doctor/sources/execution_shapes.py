"""The usual course of a request in an execution log: which of its lines say what, by the order of their kinds.

Requests of one API take few courses. The order of the kinds of a request's lines is looked up; what it says
about a course was worked out when the course was met first. A course that holds anything but the words of an
ordinary answer has no plan: such requests are read line by line by `ExecutionLog`.
"""

import msgspec

from apigw_doctor.sources.execution_log import VOCABULARY, find_handler

#: So many bytes of the words tell all kinds apart that matter here.
KIND_WIDTH = 19
_MAX_KINDS = 5000
_MAX_PLANS = 5000

NEUTRAL, EXTENDED, STARTED, METHOD_LINE, KEY_LINE, USAGE, URI, SENDING, RECEIVED, COMPLETED = range(10)
RESPONSE_HEADERS, RESPONSE_BODY, LAMBDA_ID, TRACE_ID, HEADERS, TRACED, OTHER = range(10, 17)

_KINDS = {
    "Extended Request Id: ": EXTENDED,
    "Starting execution for request: ": STARTED,
    "HTTP Method: ": METHOD_LINE,
    "API Key authorized because ": KEY_LINE,
    "API Key  authorized because ": KEY_LINE,
    "Verifying Usage Plan for request: ": USAGE,
    "Usage Plan check succeeded": USAGE,
    "Endpoint request URI: ": URI,
    "Sending request to ": SENDING,
    "Received response.": RECEIVED,
    "Method completed with status:": COMPLETED,
    "Endpoint response headers: ": RESPONSE_HEADERS,
    "Endpoint response body before transformations:": RESPONSE_BODY,
    "AWS Integration Endpoint RequestId": LAMBDA_ID,
    "X-ray Tracing ID": TRACE_ID,
    "Method request headers: ": HEADERS,
    "Endpoint request headers: ": HEADERS,
    "Starting authorizer: ": NEUTRAL,
    "Incoming identity: ": NEUTRAL,
    "Authorizer result body before parsing: ": TRACED,
    "Using valid authorizer policy for principal: ": NEUTRAL,
    "API Key ID: ": NEUTRAL,
    "API Key: ": NEUTRAL,
    "Method request path: ": TRACED,
    "Method request query string: ": TRACED,
    "Method request body before transformations:": TRACED,
    "Method request model validation": NEUTRAL,
    "Endpoint request body after transformations:": TRACED,
    "Method response body after transformations:": TRACED,
    "Method response headers: ": TRACED,
}


class Plan(msgspec.Struct, frozen=True):
    """Positions of the telling lines among a request's lines; -1 where there is none."""

    completed: int
    received: int
    #: the line that names method and route first
    route: int
    usage: tuple[int, ...]
    #: lines that name the endpoint: URIs, then sendings
    uris: tuple[int, ...]
    sendings: tuple[int, ...]
    started: int
    extended: int
    headers: tuple[int, ...]
    response_headers: int
    response_body: int
    lambda_id: int
    trace_id: int
    #: some line is of those that only data trace writes
    traced: bool
    #: one endpoint was called and answered, and all of it was logged: where the completion, the answer, the sending,
    #: the endpoint's URI, the route and the extended id stand
    usual: tuple[int, int, int, int, int, int] | None


_DONE = "Successfully completed "
#: Longer words, as far as they are looked up.
_CUT_STARTS = tuple(start[:KIND_WIDTH].encode() for start, _ in VOCABULARY if len(start) > KIND_WIDTH)
_AUTHORIZER_AND_BACKEND = 2


class Shapes:
    """Kinds of lines and plans of courses, learnt as they are met."""

    def __init__(self) -> None:
        #: first bytes of a line's words -> its kind, and the words that make it so
        self._kinds: dict[bytes, tuple[int, bytes]] = {}
        self.plans: dict[tuple[int | None, ...], Plan | None] = {}

    def learn(self, words: bytes) -> tuple[int, bytes | None]:
        """The kind of a line, and what it has to begin with to be of it.

        None where the first bytes do not tell the kind of other lines: they are cut out of known words.
        """
        text = words.decode("utf-8", "replace")
        found = find_handler(text)
        kind, start = (OTHER, "") if found is None else (_KINDS.get(found[0], OTHER), found[0])
        if text.startswith(_DONE):
            kind, start = NEUTRAL, _DONE  # the execution, or its authorizer
        key = words[:KIND_WIDTH]
        if not start and len(key) == KIND_WIDTH and key.startswith(_CUT_STARTS):
            return kind, None
        if len(self._kinds) > _MAX_KINDS:
            self._kinds.clear()
        self._kinds[key] = kind, start.encode()
        return kind, start.encode()

    def kind_at(self, line: bytes, at: int) -> int:
        """The kind of a line whose words begin there."""
        known = self._kinds.get(line[at : at + KIND_WIDTH])
        if known is not None and line.startswith(known[1], at):
            return known[0]
        return self.learn(line[at:])[0]

    def places_told(self, course: bytes) -> tuple[int, ...] | None:
        """The plan of a usual course as the native gatherer reads it; None for any other course."""
        plan = self.plan(tuple(course))
        if plan is None or plan.usual is None or len(plan.uris) > _AUTHORIZER_AND_BACKEND:
            return None
        completed, received, sending, uri, route, extended = plan.usual
        first_uri = plan.uris[0] if len(plan.uris) > 1 else -1
        claims = plan.response_headers, plan.response_body, plan.lambda_id, plan.trace_id
        return (completed, received, sending, uri, first_uri, route, extended, *claims, *plan.headers)

    def plan(self, course: tuple[int, ...]) -> Plan | None:
        """Where the telling lines of this course stand; None when it has to be read line by line."""
        try:
            return self.plans[course]
        except KeyError:
            if len(self.plans) > _MAX_PLANS:
                self.plans.clear()
            plan = self.plans[course] = _plan(course)
            return plan


def _plan(course: tuple[int, ...]) -> Plan | None:
    places: dict[int, list[int]] = {}
    for position, kind in enumerate(course):
        places.setdefault(kind, []).append(position)
    if OTHER in places or any(len(places.get(kind, ())) > 1 for kind in _ONCE):
        return None
    one = {kind: places[kind][0] if kind in places else -1 for kind in _ONCE}
    headers, body, lambda_id = one[RESPONSE_HEADERS], one[RESPONSE_BODY], one[LAMBDA_ID]
    if one[COMPLETED] < 0 or one[STARTED] < 0 or body > one[COMPLETED]:
        return None
    if (0 <= body < headers) or (0 <= lambda_id < max(headers, body)):
        return None  # the first of them that names the invocation counts
    key_lines = places.get(KEY_LINE, [])
    route = min([*key_lines, *([one[METHOD_LINE]] if one[METHOD_LINE] >= 0 else [])], default=-1)
    if route < 0:
        return None
    return Plan(
        completed=one[COMPLETED],
        received=one[RECEIVED],
        route=route,
        usage=tuple(places.get(USAGE, ())),
        uris=tuple(places.get(URI, ())),
        sendings=tuple(places.get(SENDING, ())),
        started=one[STARTED],
        extended=one[EXTENDED],
        headers=tuple(sorted([*places.get(HEADERS, ()), *places.get(RESPONSE_HEADERS, ())])),
        response_headers=headers,
        response_body=body,
        lambda_id=lambda_id,
        trace_id=one[TRACE_ID],
        traced=not _TRACED.isdisjoint(places),
        usual=_usual(one, places, route),
    )


def _usual(one: dict[int, int], places: dict[int, list[int]], route: int) -> tuple[int, int, int, int, int, int] | None:
    uris, sendings = places.get(URI, []), places.get(SENDING, [])
    if min(one[RECEIVED], one[EXTENDED]) < 0 or len(sendings) != 1 or not uris:
        return None
    return one[COMPLETED], one[RECEIVED], sendings[0], uris[-1], route, one[EXTENDED]


_TRACED = frozenset((TRACED, HEADERS, URI, SENDING, RECEIVED, RESPONSE_HEADERS, RESPONSE_BODY))
_ONCE = (
    EXTENDED,
    STARTED,
    METHOD_LINE,
    RECEIVED,
    COMPLETED,
    RESPONSE_HEADERS,
    RESPONSE_BODY,
    LAMBDA_ID,
    TRACE_ID,
)
