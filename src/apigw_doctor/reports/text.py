"""The answer for a terminal: what happened, whom to call and what to do on the first screen, the rest below."""

import shlex

from rich.text import Text

from apigw_doctor.diagnosis.verdict import Diagnosis, Verdict
from apigw_doctor.model.terms import Kind
from apigw_doctor.reports import digest, text_tables
from apigw_doctor.reports.escape import one_line
from apigw_doctor.reports.screen import Screen
from apigw_doctor.reports.units import moment, plural

_MOST_REQUESTS = 12
#: Longer commands are shown only where a request asks for them.
_LONG_COMMAND = 400
_MOST_PATHS = 3
_NOT_GIVEN = "none given"
_STATE_STYLE = {"present": "green", "partial": "yellow", "absent": "dim"}


def render(diagnosis: Diagnosis, *, paths: tuple[str, ...] = (), width: int = 100, color: bool = False) -> str:
    """Return the report as text; only commands to paste and single words may be wider than `width`.

    `paths` are the inputs as they were given, for the command that asks further.
    """
    screen = Screen(width=width, color=color)
    failed = digest.of_kind(diagnosis, Kind.FAILED)
    bad = failed or digest.counted_failures(diagnosis)
    screen.paragraph(Text(one_line(diagnosis.summary.headline), style="bold red" if bad else "bold green"))
    _at_a_glance(screen, diagnosis, failed)
    _coverage(screen, diagnosis)
    groups = digest.cause_groups(failed)
    text_tables.causes(screen, groups)
    text_tables.routes(screen, diagnosis)
    _fixes(screen, diagnosis)
    _findings(screen, diagnosis)
    _requests(screen, groups, paths)
    _near_limit(screen, digest.of_kind(diagnosis, Kind.NEAR_LIMIT))
    _wanted(screen, diagnosis)
    _unread(screen, diagnosis)
    _notes(screen, diagnosis)
    return screen.text


def _at_a_glance(screen: Screen, diagnosis: Diagnosis, failed: tuple[Verdict, ...]) -> None:
    summary = diagnosis.summary
    near = f"{plural(summary.near_limit, 'request')} over 80 % of the limit" if summary.near_limit else ""
    seen = (("Seen", digest.seen(diagnosis)), ("Between", digest.window(diagnosis)))
    screen.line()
    if not failed:
        counted = digest.counted_failures(diagnosis)
        nothing = "no request failed in this evidence" if summary.requests else "no failed request in this evidence"
        if counted:
            nothing = f"{counted:,} by metrics alone; {nothing}"
        screen.facts((("Failed", nothing), ("Near the limit", near), *seen))
        return
    screen.facts(
        (
            ("Clock that fired", digest.clocks(summary.by_boundary)),
            ("Time went to", ", ".join(f"{name} {count:,}" for name, count in summary.by_layer.items())),
            ("Call", digest.callers(failed)),
            ("Where", digest.places(failed)),
            ("Do first", _first_step(diagnosis)),
            ("Near the limit", near),
            *seen,
        )
    )


def _first_step(diagnosis: Diagnosis) -> str:
    if not diagnosis.fixes:
        return "fetch the missing evidence, below" if digest.wanted_evidence(diagnosis) else ""
    fix = diagnosis.fixes[0]
    how = "command under FIXES" if fix.command else "nothing to paste, see FIXES"
    return f"{fix.title} ({fix.id}): {text_tables.saves(fix)}; {how}"


def _coverage(screen: Screen, diagnosis: Diagnosis) -> None:
    rows = digest.coverage_order(diagnosis.coverage)
    if rows:
        how = " - what is missing, and how to get it: EVIDENCE TO FETCH"
        screen.heading("Coverage", "the evidence there was" + (how if any(row.remedy for row in rows) else ""))
        plain = [row for row in rows if row.state == "absent" and row.detail == _NOT_GIVEN]
        for row in rows:
            if row not in plain:
                _coverage_line(screen, row.state, row.evidence.value, row.detail)
        if plain:
            names = ", ".join(row.evidence.value for row in plain)
            screen.paragraph(Text.assemble((f"{'absent':<9}", _STATE_STYLE["absent"]), names), indent=2, hang=9)
    for gap in diagnosis.gaps:
        screen.paragraph(Text(f"asked for, not to be had: {one_line(gap)}", style="yellow"), indent=2, hang=9)
    cost = diagnosis.cost
    if cost is not None:
        screen.paragraph(
            f"cost     {plural(cost.aws_calls, 'AWS call')}, {cost.scanned_bytes / 1e6:,.1f} MB scanned,"
            f" ${cost.usd:.4f} (estimated ${cost.estimated_usd:.4f})",
            indent=2,
        )


def _coverage_line(screen: Screen, state: str, name: str, detail: str) -> None:
    line = Text.assemble((f"{state:<9}", _STATE_STYLE[state]), f"{name:<19}", one_line(detail))
    screen.paragraph(line, indent=2, hang=28)


def _fixes(screen: Screen, diagnosis: Diagnosis) -> None:
    if not diagnosis.fixes:
        return
    screen.heading("Fixes", "ranked by how many of the failed requests each would have saved")
    for place, fix in enumerate(diagnosis.fixes, start=1):
        head = f"{place:>2}. {text_tables.saves(fix)}: {one_line(fix.title)} "
        care = f"[{one_line(fix.id)}, {text_tables.CARE[fix.applicability]}]"
        screen.paragraph(Text.assemble((head, "bold"), (care, "dim")), indent=1, hang=4)
        screen.paragraph(f"why: {fix.why}", indent=5, hang=5)
        if fix.command:
            screen.command(fix.command, indent=5)


def _requests(screen: Screen, groups: list[digest.CauseGroup], paths: tuple[str, ...]) -> None:
    total = sum(len(group.verdicts) for group in groups)
    picked = digest.sample(groups, _MOST_REQUESTS)
    shown = sum(len(verdicts) for _, verdicts in picked)
    if not shown:
        return
    screen.heading("Failed requests", plural(total, "request") if shown == total else f"{shown} of {total:,}")
    stages = {(verdict.api_id, verdict.stage) for group in groups for verdict in group.verdicts}
    for group, verdicts in picked:
        screen.paragraph(Text(f"{group.cause} {group.code}", style="bold"), indent=2)
        before = ""
        for verdict in verdicts:
            before = _request(screen, verdict, before, several=len(stages) > 1)
    named = next((verdict.request_id for _, verdicts in picked for verdict in verdicts if verdict.request_id), None)
    if shown < total:
        screen.paragraph(f"{total - shown:,} more: add --format json to list them all.", indent=2)
    screen.paragraph("One request with its timeline and its proof:", indent=2)
    where = shlex.join(one_line(path) for path in paths) if 0 < len(paths) <= _MOST_PATHS else "PATH"
    screen.command(f"apigw-doctor why {shlex.quote(one_line(named)) if named else 'REQUEST_ID'} {where}", indent=4)


def _request(screen: Screen, verdict: Verdict, before: str, *, several: bool) -> str:
    """One request; what was said of the request before it is not said again."""
    status = "no status" if verdict.status is None else str(verdict.status)
    parts = (digest.name_of(verdict), moment(verdict.arrived_at), status, digest.against_limit(verdict))
    screen.paragraph(Text("  ".join(one_line(part) for part in parts)), indent=4, hang=2)
    where = digest.route_of(verdict) + (f" ({digest.stage_of(verdict)})" if several else "")
    told = f"{where}: {verdict.summary} ({verdict.confidence.value})"
    if told != before:
        screen.paragraph(told, indent=6, hang=2, most=4)
    return told


def _near_limit(screen: Screen, near: tuple[Verdict, ...]) -> None:
    if not near:
        return
    closest = sorted(near, key=digest.used_share, reverse=True)[: text_tables.MOST_NEAR]
    note = f"{plural(len(near), 'request')} answered, over 80 % of the limit used"
    screen.heading("Near the limit", note + ("" if len(closest) == len(near) else f"; the closest {len(closest)}"))
    text_tables.near_limit(screen, closest)


def _findings(screen: Screen, diagnosis: Diagnosis) -> None:
    if not diagnosis.findings:
        return
    screen.heading("Findings", "about many requests at once")
    for finding in diagnosis.findings:
        screen.labelled(finding.title, f"({finding.code}, {finding.count:,})", indent=2)
        screen.paragraph(finding.detail, indent=4)
        text_tables.proof(screen, finding.evidence, indent=4, most=2)
        if finding.command:
            screen.remedy(finding.command, indent=4)


def _wanted(screen: Screen, diagnosis: Diagnosis) -> None:
    wanted = digest.wanted_evidence(diagnosis)
    if not wanted:
        return
    screen.heading("Evidence to fetch", "it would make the answers surer")
    shown = {fix.command: fix.id for fix in diagnosis.fixes if fix.command}
    for missing, requests, is_example in wanted:
        missed_by = f", for {plural(requests, 'request')}" if requests else ""
        screen.labelled(f"{missing.wanted}{missed_by}:", missing.reason, indent=2)
        if missing.remedy in shown:
            screen.paragraph(f"command: the one of {shown[missing.remedy]} above", indent=4)
            continue
        if not requests and len(missing.remedy) > _LONG_COMMAND:
            screen.paragraph("command: a long one, under `coverage` of --format json", indent=4)
            continue
        if is_example:
            screen.paragraph("for the first of them (`why` has the others):", indent=4)
        screen.remedy(missing.remedy, indent=4)
        shown[missing.remedy] = one_line(missing.wanted, 60)


def _unread(screen: Screen, diagnosis: Diagnosis) -> None:
    if not diagnosis.unread:
        return
    total = sum(row.lines for row in diagnosis.unread)
    screen.heading("Unread", f"{plural(total, 'line')} could not be read and were left out")
    text_tables.unread(screen, diagnosis.unread)


def _notes(screen: Screen, diagnosis: Diagnosis) -> None:
    if not diagnosis.notes:
        return
    screen.heading("Notes")
    for note in diagnosis.notes:
        screen.paragraph(f"- {note}", indent=2, hang=2)
