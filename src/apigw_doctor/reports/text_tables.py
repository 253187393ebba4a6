"""The tables of the text report, and the small pieces that it shares with `why`."""

from collections.abc import Sequence

from rich.text import Text

from apigw_doctor.diagnosis.verdict import Diagnosis, EvidenceText, RankedFix, RouteStatistics, UnreadLines, Verdict
from apigw_doctor.reports import digest
from apigw_doctor.reports.escape import one_line
from apigw_doctor.reports.screen import Screen
from apigw_doctor.reports.units import moment, number, plural

MOST_NEAR = 5
_MOST_ROUTES = 8
_MOST_UNREAD = 10
CARE = {"safe": "safe", "review": "review first", "advice": "advice"}


def saves(fix: RankedFix) -> str:
    """What a fix is worth: `saves 12 of 14`."""
    return "saves: not known" if fix.saves is None else f"saves {fix.saves:,} of {fix.of:,}"


def causes(screen: Screen, groups: Sequence[digest.CauseGroup]) -> None:
    """Causes by count, then one example of each in its own words."""
    if not groups:
        return
    screen.heading("Causes", "of the failed requests")
    rows = [
        (
            f"{len(group.verdicts):,}",
            Text(one_line(group.cause), style="bold"),
            group.code,
            group.layers,
            group.boundaries,
            group.confidence,
        )
        for group in groups
    ]
    screen.table(("n", "cause", "code", "time went to", "clock that fired", "how sure"), rows, right=(0,))
    for group in groups:
        label, text = _in_its_words(group)
        screen.labelled(f"{label}:", text, indent=2, most=4)


def _in_its_words(group: digest.CauseGroup) -> tuple[str, str]:
    """The cause and an example; summaries often begin with the cause, which is then not said twice."""
    summary = one_line(group.example.summary)
    head, mark, rest = summary.partition(":")
    if mark and head.lower() == group.cause.replace("-", " "):
        return head, rest
    return group.cause, summary


def routes(screen: Screen, diagnosis: Diagnosis) -> None:
    """The worst routes with their percentiles; one that rests on few requests carries a mark."""
    worst = digest.worst_routes(diagnosis.routes, _MOST_ROUTES)
    if not worst:
        return
    screen.heading("Worst routes", "integration time in ms, exact percentiles over n requests")
    several = len({(row.api_id, row.stage) for row in diagnosis.routes}) > 1
    head = ("n", "failed", "timed out", "p50", "p90", "p99", "max", "limit", "route")
    screen.table(head, [_route(row, several=several) for row in worst], right=range(8))
    if any(digest.is_weak(row.n, 99) for row in worst):
        screen.paragraph(
            "* rests on fewer than ten slower requests: p50 needs n of 20, p90 of 100, p99 of 1,000",
            indent=2,
            style="dim",
        )
    if len(diagnosis.routes) > len(worst):
        screen.paragraph(f"{plural(len(diagnosis.routes) - len(worst), 'more route')} in --format json", indent=2)


def _route(row: RouteStatistics, *, several: bool) -> tuple[str, ...]:
    where = digest.route_of(row)
    if several:
        where += f" ({digest.stage_of(row)})"
    percentiles = tuple(
        number(value) + ("*" if value is not None and digest.is_weak(row.n, percentile) else " ")
        for percentile, value in ((50, row.p50_ms), (90, row.p90_ms), (99, row.p99_ms))
    )
    counts = (f"{row.n:,}", f"{row.failed:,}", f"{row.timed_out:,}")
    return (*counts, *percentiles, number(row.max_ms), number(row.limit_ms), where)


def near_limit(screen: Screen, closest: Sequence[Verdict]) -> None:
    """The requests that used most of their limit."""
    rows = [
        (
            f"{digest.used_share(verdict):.0%}",
            digest.against_limit(verdict),
            digest.name_of(verdict),
            moment(verdict.arrived_at),
        )
        for verdict in closest
    ]
    screen.table(("used", "elapsed of limit", "request", "arrived"), rows, right=(0, 1))
    for verdict in closest[:2]:
        line = f"{digest.route_of(verdict)}: {verdict.summary} ({verdict.cause}, {verdict.confidence.value})"
        screen.paragraph(line, indent=2, hang=2, most=3)


def unread(screen: Screen, lines: Sequence[UnreadLines]) -> None:
    """What could not be parsed, the most lines first."""
    ranked = sorted(lines, key=lambda row: -row.lines)
    rows = [(f"{row.lines:,}", one_line(row.origin, 120), row.reason) for row in ranked[:_MOST_UNREAD]]
    screen.table(("lines", "origin", "reason"), rows, right=(0,))
    rest = ranked[_MOST_UNREAD:]
    if rest:
        count = sum(row.lines for row in rest)
        screen.paragraph(f"{plural(count, 'line')} of {plural(len(rest), 'more origin')} in --format json", indent=2)


def proof(screen: Screen, evidence: Sequence[EvidenceText], *, indent: int, most: int) -> None:
    """Log lines with their origins, each cut to three lines of the screen."""
    for item in evidence[:most]:
        screen.line(Text(" " * indent + one_line(item.origin), style="dim"))
        screen.paragraph(item.text, indent=indent + 2, most=3)
    if len(evidence) > most:
        screen.paragraph(
            f"{plural(len(evidence) - most, 'more log line')} in --format json", indent=indent, style="dim"
        )
