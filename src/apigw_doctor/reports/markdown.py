"""The answer for a ticket or a chat, as Markdown.

Words from logs are escaped, log lines and commands stand in fences that nothing in them can close.
"""

from collections.abc import Iterable, Iterator, Sequence

from apigw_doctor.diagnosis.verdict import Diagnosis, Verdict
from apigw_doctor.model.terms import Kind
from apigw_doctor.reports import digest
from apigw_doctor.reports.escape import markdown_code, markdown_fence, markdown_text, one_line
from apigw_doctor.reports.shell import is_command, wrap_command
from apigw_doctor.reports.text_tables import CARE, saves
from apigw_doctor.reports.units import moment, number, plural

_COMMAND_WIDTH = 100
_MOST_REQUESTS = 6
_MOST_LINES = 6
_LINE_LIMIT = 240
_MOST_NEAR = 5
_MOST_ROUTES = 8
_MOST_UNREAD = 10


def render(diagnosis: Diagnosis) -> str:
    """Return the report as Markdown, empty sections left out."""
    failed = digest.of_kind(diagnosis, Kind.FAILED)
    groups = digest.cause_groups(failed)
    sections = (
        [f"## {markdown_text(diagnosis.summary.headline)}"],
        _at_a_glance(diagnosis, failed),
        _causes(groups),
        _fixes(diagnosis),
        _routes(diagnosis),
        _findings(diagnosis),
        _requests(groups),
        _near_limit(digest.of_kind(diagnosis, Kind.NEAR_LIMIT)),
        _wanted(diagnosis),
        _coverage(diagnosis),
        _unread(diagnosis),
        _listed("Notes", diagnosis.notes),
    )
    return "\n\n".join(block for section in sections for block in section) + "\n"


def _at_a_glance(diagnosis: Diagnosis, failed: Sequence[Verdict]) -> Iterator[str]:
    summary = diagnosis.summary
    lines = [("Seen", digest.seen(diagnosis)), ("Between", digest.window(diagnosis))]
    if failed:
        lines = [
            ("Clock that fired", digest.clocks(summary.by_boundary)),
            ("Time went to", ", ".join(f"{name} {count:,}" for name, count in summary.by_layer.items())),
            ("Call", digest.callers(failed)),
            ("Where", digest.places(failed)),
            *lines,
        ]
    yield "\n".join(f"- **{label}:** {markdown_text(value)}" for label, value in lines if value)


def _causes(groups: Sequence[digest.CauseGroup]) -> Iterator[str]:
    if not groups:
        return
    yield "### Causes"
    yield _table(
        ("n", "cause", "code", "time went to", "clock that fired", "how sure"),
        (
            (
                f"{len(group.verdicts):,}",
                markdown_code(group.cause, in_table=True),
                markdown_text(group.code),
                group.layers,
                group.boundaries,
                group.confidence,
            )
            for group in groups
        ),
    )


def _fixes(diagnosis: Diagnosis) -> Iterator[str]:
    if not diagnosis.fixes:
        return
    yield "### Fixes"
    for place, fix in enumerate(diagnosis.fixes, start=1):
        care = CARE[fix.applicability]
        yield (
            f"**{place}. {markdown_text(fix.title)}** ({markdown_code(fix.id)}, {care}): {saves(fix)}"
            f"  \nWhy: {markdown_text(fix.why)}"
        )
        if fix.command:
            yield _command(fix.command)


def _routes(diagnosis: Diagnosis) -> Iterator[str]:
    worst = digest.worst_routes(diagnosis.routes, _MOST_ROUTES)
    if not worst:
        return
    yield "### Worst routes"
    yield "Integration time in ms, exact percentiles; `*` rests on fewer than ten slower requests."
    yield _table(
        ("route", "n", "failed", "timed out", "p50", "p90", "p99", "max", "limit"),
        (
            (
                markdown_code(digest.route_of(row), in_table=True),
                f"{row.n:,}",
                f"{row.failed:,}",
                f"{row.timed_out:,}",
                *(
                    number(value) + ("\\*" if value is not None and digest.is_weak(row.n, percentile) else "")
                    for percentile, value in ((50, row.p50_ms), (90, row.p90_ms), (99, row.p99_ms))
                ),
                number(row.max_ms),
                number(row.limit_ms),
            )
            for row in worst
        ),
    )


def _findings(diagnosis: Diagnosis) -> Iterator[str]:
    if diagnosis.findings:
        yield "### Findings"
        yield "\n".join(
            f"- **{markdown_text(finding.title)}** ({markdown_text(finding.code)}, {finding.count:,}):"
            f" {markdown_text(finding.detail)}"
            for finding in diagnosis.findings
        )
        for finding in diagnosis.findings:
            if finding.command:
                yield f"To know more about {markdown_text(finding.code)}:"
                yield _command(finding.command)


def _requests(groups: Sequence[digest.CauseGroup]) -> Iterator[str]:
    total = sum(len(group.verdicts) for group in groups)
    picked = [verdict for _, verdicts in digest.sample(groups, _MOST_REQUESTS) for verdict in verdicts]
    if not picked:
        return
    yield "### Failed requests"
    for verdict in picked:
        yield from _request(verdict)
    if total > len(picked):
        yield f"{total - len(picked):,} more; `apigw-doctor why REQUEST_ID PATH` shows one request in full."


def _request(verdict: Verdict) -> Iterator[str]:
    status = "no status" if verdict.status is None else f"status {verdict.status}"
    yield (
        f"**{markdown_code(digest.name_of(verdict))}** {markdown_code(digest.route_of(verdict))},"
        f" {moment(verdict.arrived_at)}, {status}, {digest.against_limit(verdict)}  \n"
        f"{markdown_code(verdict.cause)} ({verdict.confidence.value}): {markdown_text(verdict.summary)}"
    )
    if verdict.evidence:
        lines = [
            f"{one_line(item.origin, _LINE_LIMIT)}\n  {one_line(item.text, _LINE_LIMIT)}"
            for item in verdict.evidence[:_MOST_LINES]
        ]
        yield markdown_fence("\n".join(lines), "text")


def _near_limit(near: Sequence[Verdict]) -> Iterator[str]:
    if not near:
        return
    closest = sorted(near, key=digest.used_share, reverse=True)[:_MOST_NEAR]
    yield "### Near the limit"
    yield f"{plural(len(near), 'request')} answered, over 80 % of the limit used."
    yield _table(
        ("request", "route", "used", "elapsed of limit", "cause if it had crossed"),
        (
            (
                markdown_code(digest.name_of(verdict), in_table=True),
                markdown_code(digest.route_of(verdict), in_table=True),
                f"{digest.used_share(verdict):.0%}",
                digest.against_limit(verdict),
                markdown_code(verdict.cause, in_table=True),
            )
            for verdict in closest
        ),
    )


def _wanted(diagnosis: Diagnosis) -> Iterator[str]:
    shown = {fix.command: fix.id for fix in diagnosis.fixes if fix.command}
    wanted = digest.wanted_evidence(diagnosis)
    if wanted:
        yield "### Evidence to fetch"
    for missing, requests, is_example in wanted:
        missed_by = f", for {plural(requests, 'request')}" if requests else ""
        first = " For the first of them:" if is_example else ""
        head = f"**{markdown_text(missing.wanted)}**{missed_by}: {markdown_text(missing.reason)}.{first}"
        if missing.remedy in shown:
            yield f"{head} The command is that of {markdown_code(shown[missing.remedy])} above."
        else:
            yield head
            yield _command(missing.remedy) if is_command(missing.remedy) else markdown_text(missing.remedy)


def _coverage(diagnosis: Diagnosis) -> Iterator[str]:
    if diagnosis.coverage:
        yield "### Coverage"
        yield _table(
            ("evidence", "state", "detail"),
            (
                (row.evidence.value, row.state, markdown_text(row.detail))
                for row in digest.coverage_order(diagnosis.coverage)
            ),
        )
    yield from _listed("Asked for, not to be had", diagnosis.gaps)


def _unread(diagnosis: Diagnosis) -> Iterator[str]:
    if not diagnosis.unread:
        return
    ranked = sorted(diagnosis.unread, key=lambda row: -row.lines)
    yield "### Unread"
    yield _table(
        ("lines", "origin", "reason"),
        (
            (f"{row.lines:,}", markdown_code(row.origin, 120, in_table=True), markdown_text(row.reason))
            for row in ranked[:_MOST_UNREAD]
        ),
    )
    if rest := ranked[_MOST_UNREAD:]:
        yield f"{plural(sum(row.lines for row in rest), 'line')} more of {plural(len(rest), 'origin')}."


def _listed(title: str, items: Sequence[str]) -> Iterator[str]:
    if items:
        yield f"### {title}"
        yield "\n".join(f"- {markdown_text(item)}" for item in items)


def _command(command: str) -> str:
    return markdown_fence("\n".join(wrap_command(command, _COMMAND_WIDTH)), "sh")


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
