"""The pages of the findings about many requests: what each is, how it is decided, what to do."""

import msgspec


class FindingPage(msgspec.Struct, frozen=True, kw_only=True):
    """One page; `name` is the finding's code."""

    name: str
    what: str
    how: str
    do: str


PAGES: dict[str, FindingPage] = {
    page.name: page
    for page in (
        FindingPage(
            name="retry-storm",
            what="The same client sends the same request again about every timeout: one root cause, n victims.",
            how="At least three timed-out requests of one client address to one path, each about one limit (up to"
            " six seconds more) after the one before.",
            do="Mend the cause of the first one. Every retry starts the backend's work again, so make it idempotent"
            " and let clients back off.",
        ),
        FindingPage(
            name="burst",
            what="Many failures arrived in the same seconds, while the time around was quiet.",
            how="At least five failures, and at least half of all, within ten seconds of a longer window.",
            do="Look for a deployment, a batch job or a noisy neighbour at that moment.",
        ),
        FindingPage(
            name="periodic",
            what="One client fails at a fixed period that is not the limit.",
            how="At least four failures of one client and path whose distances differ by no more than a tenth.",
            do="Find the poller, the warmer or the forgotten browser tab; it may hide what real users see.",
        ),
        FindingPage(
            name="zone-impaired",
            what="One of several targets behind the load balancer fails every request, the others (almost) none.",
            how="The load balancer's log: exactly one target without any answer in at least two requests, all other"
            " targets failing at most one request in twenty.",
            do="Check that target's zone, health check and route; take it out of service.",
        ),
        FindingPage(
            name="concurrency-after-stall",
            what="Throttles are the second act: stalled calls held environments until none were left.",
            how="At least two stalled or timed-out requests of a function began before its first throttle, within a"
            " quarter of an hour.",
            do="Mend the stall (client timeouts) before raising concurrency.",
        ),
        FindingPage(
            name="function-timeout-far-above-limit",
            what="The function may run much longer than the gateway waits: work goes on, paid and unseen.",
            how="The function's timeout is more than five seconds above the integration's limit. Two seconds above"
            " is a good habit and no finding: the gateway then always loses first.",
            do="Lower the function's timeout to a little above the limit, or make the work asynchronous.",
        ),
        FindingPage(
            name="alias-not-used",
            what="Provisioned concurrency is paid for on an alias that the integration does not call.",
            how="The function has provisioned environments, and the integration's URI ends without a qualifier.",
            do="Put the alias into the integration's URI, allow the gateway to invoke it, and deploy.",
        ),
        FindingPage(
            name="evidence-off",
            what="Logs, fields or tracing that would have told more are switched off.",
            how="From the stage's settings where they were given, else from access-log lines that have neither"
            " latencies nor error types.",
            do="Paste the commands of `execution-logging`, `access-logging` and `tracing`. It does not count as a"
            " failure for the exit status.",
        ),
    )
}
