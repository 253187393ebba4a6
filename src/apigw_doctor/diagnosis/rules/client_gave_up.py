"""CLI101 client-gave-up."""

from apigw_doctor.attribution.timeline import Clocks
from apigw_doctor.diagnosis.rule import Answer, Cause, NotDecidable, rule
from apigw_doctor.evidence.tables import ClientReply, GatewayRequest
from apigw_doctor.model.terms import Boundary, Confidence, ElapsedBasis, EvidenceKind, Kind, Layer

_FAILED = 500
_ABOUT_MS = 1000.0


@rule(
    "CLI101",
    "client-gave-up",
    layer=Layer.CLIENT,
    specificity=73,
    fixes=("client-timeouts", "async-conversion"),
    references=("https://everything.curl.dev/cmdline/exitcode.html",),
)
def client_gave_up(clocks: Clocks, request: GatewayRequest | None, client: ClientReply | None) -> Answer:
    """The caller's own timer was the shortest of all.

    ## What it finds
    `curl: (28)`, `timeout of 5000ms exceeded`, a reader that hung up: the caller has an error, the gateway
    has none, and the work goes on.

    ## How it decides
    The client's transcript says that it gave up, and the gateway's evidence for the same request shows an
    answer later, or no failure. `proven` with an id, `likely` by path and time, `possible` from the
    transcript alone, or where the gateway had answered long before.

    ## What would mislead it
    A client that received the gateway's error did not give up. A reset connection prints words that are
    much the same.

    ## What to do
    Let the client wait a little longer than the gateway's limit, or make the call asynchronous; mind that a
    retry starts the work a second time.
    """
    if clocks.kind is not Kind.FAILED or client is None or not client.gave_up:
        return None
    if (
        clocks.boundary is Boundary.INTEGRATION_TIMEOUT
        and request is not None
        and EvidenceKind.CLIENT not in request.sources[:1]
    ):
        return None
    if client.elapsed_ms is None and (request is None or request.status is None):
        return NotDecidable(missing=("how long the client waited",))
    answered = request is not None and request.status is not None and request.status < _FAILED
    with_id = Confidence.PROVEN if _same_request(client, request) else Confidence.LIKELY
    own_ms = None if clocks.elapsed_basis is ElapsedBasis.CLIENT else clocks.elapsed_ms
    # Answered while the client still waited: the answer was lost, or it is another request's.
    lost = own_ms is not None and client.elapsed_ms is not None and own_ms < client.elapsed_ms - _ABOUT_MS
    confidence = with_id if answered and not lost else Confidence.POSSIBLE
    waited = f" after {client.elapsed_ms:.0f} ms" if client.elapsed_ms is not None else ""
    later = ""
    if answered and request is not None and own_ms is not None:
        later = f"; the gateway answered {request.status} after {own_ms:.0f} ms"
    return Cause(
        summary=f"client gave up{waited}{later}",
        boundary=Boundary.CLIENT_TIMEOUT,
        timer_ms=client.elapsed_ms,
        confidence=confidence,
        spent_ms=client.elapsed_ms,
        cites=client.cites,
        why_not=(("backend-slower-than-limit", "the gateway did not time out"),),
    )


def _same_request(client: ClientReply, request: GatewayRequest | None) -> bool:
    """Both sides carry the same id; anything else was joined by path and time."""
    if request is None:
        return False
    pairs = (
        (client.request_id, request.request_id),
        (client.extended_request_id, request.extended_request_id),
        (client.http_api_id, request.extended_request_id or request.request_id),
        (client.trace_id, request.trace_id),
    )
    return any(told is not None and told == known for told, known in pairs)
