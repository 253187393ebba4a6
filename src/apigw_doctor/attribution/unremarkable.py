"""Which requests need no row of their own, and what of them is kept in columns.

A request is unremarkable when it was answered and no reading of its record could make it a failure: then only
its time may still matter, against a limit that is known when everything was read.
"""

from apigw_doctor.attribution.clocks import integration_time_ms, kind_of
from apigw_doctor.attribution.effective_limit import Limit
from apigw_doctor.evidence.tables import GatewayRequest
from apigw_doctor.evidence.traffic import ACCESS, EXECUTION, INFO, LATENCY, TRACE, RequestPlace, Traffic, half_id, id64
from apigw_doctor.model.terms import EvidenceKind, LimitBasis

_ENDLESS = Limit(float("inf"), LimitBasis.CONFIGURED, float("inf"))


def unremarkable(row: GatewayRequest) -> bool:
    """Answered, with an id, and not failed whatever its limit is."""
    if row.status is None or row.test_invoke or not (row.request_id or row.extended_request_id):
        return False
    return kind_of(row, _ENDLESS) is None


def note(traffic: Traffic, row: GatewayRequest) -> None:
    """Put an unremarkable request into the columns."""
    traffic.add(
        ident=id64(row.request_id or row.extended_request_id or ""),
        extended=half_id(row.extended_request_id),
        claim=claim_of(row),
        place=traffic.number(place_of(row)),
        arrived_at=row.arrived_at,
        ended_at=row.completed_at,
        integration_ms=integration_time_ms(row),
        status=row.status or 0,
        marks=marks_of(row),
    )


def claim_of(row: GatewayRequest) -> int:
    """The id by which the request holds its invocation; 0 for none."""
    if row.lambda_request_id is not None:
        return id64(row.lambda_request_id.lower())
    return id64(row.trace_id) if row.trace_id is not None else 0


def place_of(row: GatewayRequest) -> RequestPlace:
    """Where the request went; the path counts only where no route is known."""
    return RequestPlace(
        row.api_type, row.api_id, row.stage, row.method, row.route, None if row.route else row.path, row.function
    )


def marks_of(row: GatewayRequest) -> int:
    """What evidence there was of the request."""
    return (
        (EXECUTION if EvidenceKind.EXECUTION_LOG in row.sources else 0)
        | (ACCESS if EvidenceKind.ACCESS_LOG in row.sources else 0)
        | (INFO if row.saw_info else 0)
        | (TRACE if row.saw_trace else 0)
        | (LATENCY if row.response_latency_ms is not None or row.integration_latency_ms is not None else 0)
    )
