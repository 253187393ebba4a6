"""DEP105 connection-pool-exhausted."""

import re

from apigw_doctor.attribution.timeline import Clocks, Pairing, Surroundings
from apigw_doctor.diagnosis.rule import Answer, Cause, rule
from apigw_doctor.diagnosis.signs import without_invocation
from apigw_doctor.diagnosis.stalls import all_text, concerns_stall
from apigw_doctor.evidence.tables import Cite, GatewayRequest, LambdaInvocation
from apigw_doctor.model.terms import Boundary, Confidence, Kind, Layer

_WORDS = re.compile(
    r"(?i)too many connections|too many clients already|remaining connection slots are reserved|max_connections"
    r"|timeout (?:acquiring|exceeded when trying to connect)|acquir\w+ (?:a )?(?:database )?connection.{0,40}time"
    r"|ResourceRequest timed out|QueuePool limit|(?:connection )?pool (?:is )?(?:exhausted|full|timeout)"
    r"|Connection is not available, request timed out|ConnectionPoolTimeout|PoolTimeout"
    r"|Timed out fetching a new connection from the connection pool|no (?:free|available) connections?"
    r"|waiting for (?:a )?(?:free )?(?:database )?connection"
)
_WAITING = re.compile(r"(?i)waiting for (?:a )?(?:free )?(?:database )?connection")


@rule(
    "DEP105",
    "connection-pool-exhausted",
    layer=Layer.DEPENDENCY,
    specificity=50,
    fixes=("database-proxy", "client-timeouts", "concurrency"),
    references=("https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/rds-proxy.html",),
)
def connection_pool_exhausted(
    clocks: Clocks,
    pairing: Pairing,
    surroundings: Surroundings,
    request: GatewayRequest | None,
    invocation: LambdaInvocation | None,
) -> Answer:
    """The request waited for a database connection, or was refused one.

    ## What it finds
    More environments than the database takes connections, or a pool that hands none out: requests queue for
    one another, and the wait grows with concurrency.

    ## How it decides
    The function's log (or the error text) says so: "Too many connections", "QueuePool limit", "timeout
    acquiring connection" and their like. Concurrency above the usual makes it surer where the log only says
    that it waits.

    ## What would mislead it
    A slow query holds connections and looks like this to others (DEP103): see who holds them. A connection
    that is refused by the network names no pool (NET103).

    ## What to do
    A connection proxy, fewer connections per environment, and a limit on the function's concurrency.
    """
    failing = clocks.kind is Kind.FAILED and clocks.boundary in (Boundary.NONE, Boundary.UNKNOWN)
    if not concerns_stall(clocks, request, invocation) and not failing:
        return None
    text = all_text(request, invocation)
    match = _WORDS.search(text)
    if match is None:
        return without_invocation(request, pairing) if invocation is None and not failing else None
    crowded = (surroundings.concurrency or 0) > 1.5 * (surroundings.usual_concurrency or 1.0)
    if _WAITING.fullmatch(match[0]) and not crowded:
        confidence = (
            Confidence.LIKELY if surroundings.concurrency and surroundings.concurrency > 1 else Confidence.POSSIBLE
        )
    else:
        confidence = Confidence.PROVEN if crowded or not failing else Confidence.LIKELY
    line = next((row for row in (invocation.lines if invocation else ()) if match[0] in row.text), None)
    at_once = f", {surroundings.concurrency} invocations at once" if surroundings.concurrency else ""
    return Cause(
        summary=f"connection pool exhausted: '{' '.join(match[0].split())}'{at_once}",
        confidence=confidence,
        cites=(Cite(origin=line.origin, text=line.text),) if line else (),
        why_not=(("stalled-call", "the log says that it waited for a connection"),),
    )
