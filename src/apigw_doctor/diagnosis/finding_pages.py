"""The pages of the findings about many requests: what each is, how it is decided, what to do.

The numbers are those of `findings.py`, the SQL files of the engine and the parameters that `diagnose` gives them.
"""

import msgspec


class FindingPage(msgspec.Struct, frozen=True, kw_only=True):
    """One page; `name` is the finding's code, `fixes` the remedies that it asks for."""

    name: str
    what: str
    how: str
    do: str
    fixes: tuple[str, ...] = ()


PAGES: dict[str, FindingPage] = {
    page.name: page
    for page in (
        FindingPage(
            name="failures-in-metrics",
            what="CloudWatch counts failures of which no request in the evidence tells: the metrics are right about how"
            " many, and silent about why.",
            how="5XXError (REST), 5xx (HTTP), IntegrationError and ExecutionError (WebSocket), Errors and Throttles of"
            " Lambda, 5XX counts of a load balancer are above zero in periods for which the evidence holds fewer"
            " failures of that API and stage, function or load balancer (a minute earlier or later counts). Of several"
            " sets of dimensions that count the same failures one is told. SampleCount says nothing; of statistics"
            " other than Sum each period above zero is one failure at least; where the label names no statistic, whole"
            " numbers are taken as sums. 5XXError at zero is no proof of health: gateway responses with a modified"
            " status are counted as 4XXError. IntegrationError counts the backend's 4XX answers too.",
            do="Fetch the execution or access log of those minutes with the command beside it, and diagnose both"
            " together. The latencies beside the limits are a hint only: which request was how slow no metric tells.",
            fixes=("execution-logging", "access-logging"),
        ),
        FindingPage(
            name="retry-storm",
            what="The same client sends the same request again about every timeout: one root cause, n victims.",
            how="At least three timed-out requests of one client address with one method to one path, at least two of"
            " which arrived one limit after the one before (up to a second less or six seconds more).",
            do="Mend the cause of the first one. Every retry starts the backend's work again, so make it idempotent"
            " and let clients back off.",
        ),
        FindingPage(
            name="burst",
            what="Many failures arrived in the same seconds, while the time around was quiet.",
            how="At least five failures, and at least half of all, arrived within ten seconds, while the requests as a"
            " whole span more than a minute; in less, arriving together says nothing.",
            do="Look for a deployment, a batch job or a noisy neighbour at that moment.",
        ),
        FindingPage(
            name="periodic",
            what="One client fails at a fixed period that is not the limit.",
            how="At least four failures of one client, method and path; the longest and the shortest distance differ by"
            " no more than a tenth of the median, which is two seconds or more and at least six away from the limit.",
            do="Find the poller, the warmer or the forgotten browser tab; it may hide what real users see.",
        ),
        FindingPage(
            name="zone-impaired",
            what="One of several targets behind the load balancer fails every request, the others (almost) none.",
            how="The load balancer's log: exactly one target that answered none of its two or more requests, all other"
            " targets failing at most one request in twenty, and at least three requests to those others.",
            do="Check that target's zone, health check and route; take it out of service.",
            fixes=("network-path",),
        ),
        FindingPage(
            name="concurrency-after-stall",
            what="Throttles are the second act: stalled calls held environments until none were left.",
            how="At least two requests of a function that stalled or that the gateway cut, the earliest of them before"
            " the function's first throttle (by a quarter of an hour at most), none of them after its last.",
            do="Mend the stall (client timeouts) before raising concurrency.",
            fixes=("client-timeouts",),
        ),
        FindingPage(
            name="function-timeout-far-above-limit",
            what="The function may run much longer than the gateway waits: work goes on, paid and unseen.",
            how="The function's timeout is more than five seconds above the integration's limit. Two seconds above"
            " is a good habit and no finding: the gateway's clock then always fires first.",
            do="Lower the function's timeout to a little above the limit, or make the work asynchronous.",
            fixes=("function-timeout", "async-conversion"),
        ),
        FindingPage(
            name="alias-not-used",
            what="Provisioned concurrency is paid for on an alias that the integration does not call.",
            how="The function's settings or its own log show provisioned environments, and the integration's URI ends"
            " without a qualifier or in $LATEST.",
            do="Put the alias into the integration's URI, allow the gateway to invoke it, and deploy.",
            fixes=("provisioned-concurrency",),
        ),
        FindingPage(
            name="evidence-off",
            what="Logs, fields or tracing that would have told more are switched off.",
            how="From the stage's settings where they were given: execution logging off or for some methods only, no"
            " access log or one without latencies and integration fields, tracing off (REST). Else from access-log"
            " lines, if all of them lack latencies and error types.",
            do="Paste the commands of `execution-logging`, `access-logging` and `tracing`. It does not count as a"
            " failure for the exit status.",
            fixes=("execution-logging", "access-logging", "tracing"),
        ),
    )
}
