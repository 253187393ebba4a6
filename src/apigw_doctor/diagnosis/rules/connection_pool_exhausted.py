"""DEP105 connection-pool-exhausted."""

import re

from apigw_doctor.attribution.timeline import Clocks, Pairing, Silence, Surroundings
from apigw_doctor.diagnosis.rule import Answer, Cause, rule
from apigw_doctor.diagnosis.signs import without_invocation
from apigw_doctor.diagnosis.stalls import all_text, beside_the_end, concerns_stall, may_hold
from apigw_doctor.evidence.tables import Cite, GatewayRequest, LambdaInvocation
from apigw_doctor.model.terms import Boundary, Confidence, Kind, Layer

#: PostgreSQL, MySQL, Redis; knex, Sequelize, mysql2, Prisma; SQLAlchemy, psycopg, redis-py, pymongo; HikariCP,
#: Apache HttpClient, AWS SDKs, Jedis; SqlClient, Npgsql. urllib3's "Connection pool is full, discarding
#: connection" comes after the answer and costs nothing.
_WORDS = re.compile(
    r"(?i)too many connections|too many clients already|remaining connection slots are reserved"
    r"|max number of clients reached|exceeded .{0,20}max_\w*connections"
    r"|timeout (?:acquiring|exceeded when trying to connect)"
    r"|acquir\w+ (?:a )?(?:database )?connection.{0,40}timed? ?out"
    r"|ResourceRequest timed out|QueuePool limit|queue limit reached"
    r"|pool (?:is |has been |was )?(?:exhausted|timed out|full\b(?!, disc))"
    r"|Connection is not available, request timed out|ConnectionPoolTimeout|PoolTimeout|WaitQueueTimeout"
    r"|Timed out fetching a new connection from the connection pool|Timed out while checking out a connection"
    r"|couldn't get a connection after|no (?:free |available )?connections? (?:is |are )?available|no free connections?"
    r"|Timeout waiting for connection from pool|Could not get a resource from the pool"
    r"|longer than the configured maximum"
    r"|obtaining a connection from the pool|pooled connections (?:were|are) in use|max pool size was reached"
    r"|idle=0, waiting=[1-9]\d*|socket usage at capacity|Connection acquisition timeout"
    r"|waiting for (?:a )?(?:free )?(?:database )?connection"
)
#: Each of them holds one of these.
_HINTS = (
    "connection", "pool", "client", "timeout acquiring", "trying to connect", "resourcerequest", "queue",
    "longer than the configured", "idle=0", "socket usage",
)  # fmt: skip
#: The log only says that it waits, or that others do.
_WAITING = re.compile(
    r"(?i)waiting for (?:a )?(?:free )?(?:database )?connection|idle=0, waiting=\d+|socket usage at capacity"
)
#: A pool without a single connection cannot be exhausted: none could be made (NET103).
_EMPTY_POOL = re.compile(r"\(total=0,")


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
    silence: Silence | None,
) -> Answer:
    """The request waited for a database connection, or was refused one.

    ## What it finds
    More environments than the database takes connections, or a pool that hands none out: requests queue for
    one another, and the wait grows with concurrency.

    ## How it decides
    The function's log (or the error text) says so: "Too many connections", "QueuePool limit", "timeout
    acquiring connection" and their like. With concurrency above the usual that is `proven`. Where the log only
    says that it waits, it is `likely` beside other invocations, else `possible`; so it is where the words stand
    far from the time that was lost.

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
    match = _WORDS.search(text) if may_hold(text, _HINTS) else None
    if match is None:
        return without_invocation(request, pairing) if invocation is None and not failing else None
    confidence = _confidence(match[0], surroundings, failing=failing)
    if _EMPTY_POOL.search(text) is not None or not (failing or _near_the_end(invocation, silence, match[0])):
        confidence = confidence.at_most(Confidence.POSSIBLE)
    line = next((row for row in (invocation.lines if invocation else ()) if match[0] in row.text), None)
    at_once = f", {surroundings.concurrency} invocations at once" if surroundings.concurrency else ""
    return Cause(
        summary=f"connection pool exhausted: '{' '.join(match[0].split())}'{at_once}",
        confidence=confidence,
        cites=(Cite(origin=line.origin, text=line.text),) if line else (),
        why_not=(("stalled-call", "the log says that it waited for a connection"),),
    )


def _confidence(said: str, surroundings: Surroundings, *, failing: bool) -> Confidence:
    running = surroundings.concurrency or 0
    crowded = running > 1.5 * (surroundings.usual_concurrency or 1.0)
    if _WAITING.fullmatch(said):
        return Confidence.LIKELY if running > 1 else Confidence.POSSIBLE
    return Confidence.PROVEN if crowded or not failing else Confidence.LIKELY


def _near_the_end(invocation: LambdaInvocation | None, silence: Silence | None, said: str) -> bool:
    """The words belong to the time that was lost, rather than to a wait that was over by then."""
    return invocation is None or beside_the_end(invocation, silence, said)
