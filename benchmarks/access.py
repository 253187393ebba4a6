"""The access log of the stage: JSON lines, in a format that its owner tries to change now and then.

Most lines are JSON. For five minutes of every hour each, the format is a careless one: once with
`$context.error.messageString` between quotes, which brings quotes of its own (`"error": ""Endpoint request timed
out""`), once with unquoted latencies, which are `-` where no integration answered. Failed rows are no JSON then.
"""

from benchmarks.execution import client_ip, extended_id
from benchmarks.plan import API, STAGE, START_MS, Request, iso

_STRETCH_MS, _STRETCHES_PER_HOUR = 300_000, 12
_DOUBLE_QUOTED, _UNQUOTED = 3, 7


def access_line(request: Request) -> str:
    """One line; `-` stands for what does not apply."""
    outcome, route = request.outcome, request.route
    answered = outcome.called and outcome.answered
    well = answered and not outcome.failed
    integration = str(request.integration_ms) if answered else "-"
    latency = str((request.done if outcome.called else request.admitted) + 2 - request.arrived)
    own_status = str(outcome.status) if well else "-"
    service_status = ("429" if outcome.name == "throttled" else "200") if answered and route.is_lambda else own_status
    q = "" if _careless(request) == _UNQUOTED else '"'
    error = f'"{outcome.error}"' if outcome.error and _careless(request) == _DOUBLE_QUOTED else outcome.error or "-"
    return (
        f'{{"requestId": "{request.id}", "extendedRequestId": "{extended_id(request)}", '
        f'"requestTime": "01/Mar/2026:{iso(request.arrived)[11:19]} +0000", "requestTimeEpoch": "{request.arrived}", '
        f'"apiId": "{API}", "stage": "{STAGE}", "ip": "{client_ip(request)}", '
        f'"httpMethod": "{route.method}", "resourcePath": "{route.path}", '
        f'"status": "{outcome.status}", "responseLength": "{200 + request.dice % 1800}", '
        f'"responseLatency": "{latency}", "integrationLatency": {q}{integration}{q}, '
        f'"integration.status": "{own_status}", "integrationStatus": "{service_status}", '
        f'"integration.requestId": "{request.lambda_id if answered and route.is_lambda else "-"}", '
        f'"error.responseType": "{outcome.error_type or "-"}", "error": "{error}", '
        f'"xrayTraceId": "Root={request.trace}"}}\n'
    )


def is_json(request: Request) -> bool:
    """Whether the line of this request is JSON."""
    outcome = request.outcome
    broken = {_DOUBLE_QUOTED: bool(outcome.error), _UNQUOTED: not (outcome.called and outcome.answered)}
    return not broken.get(_careless(request), False)


def _careless(request: Request) -> int:
    """The five minutes of its hour in which the request came."""
    return (request.arrived - START_MS) // _STRETCH_MS % _STRETCHES_PER_HOUR
