"""One request in full: whose clock ran out, who spent the time, what would have saved it, and the proof."""

from collections.abc import Mapping

from rich.text import Text

from apigw_doctor.diagnosis.verdict import EvidenceText, JoinedInvocation, Verdict
from apigw_doctor.model.terms import ApiType, Boundary, Confidence, Join, Kind, LimitBasis
from apigw_doctor.reports import bars, digest, text_tables
from apigw_doctor.reports.escape import ascii_text, one_line
from apigw_doctor.reports.screen import Screen
from apigw_doctor.reports.units import duration, exact, moment

_MOST_PROOF = 16
_LEFT = 14
_COLUMN = 11
_NARROWEST_BARS = 16
_BASIS = {
    LimitBasis.CONFIGURED: "as configured",
    LimitBasis.OBSERVED: "as observed",
    LimitBasis.DEFAULT: "the API type's default",
}
_JOIN = {
    Join.REQUEST_ID: "joined by its request id",
    Join.TRACE_ID: "joined by the trace id",
    Join.LOGGED_ID: "joined by the gateway's id in the function's log",
    Join.SEGMENT: "joined by X-Ray segments",
    Join.TIME_WINDOW: "joined by time only: the one invocation that fits",
}


def render(
    verdict: Verdict, *, titles: Mapping[str, str], width: int = 100, color: bool = False, ascii_only: bool = False
) -> str:
    """Return one request's report; `titles` names the fixes, `ascii_only` is for a terminal without UTF-8."""
    screen = Screen(width=width, color=color)
    style = "bold red" if verdict.kind is Kind.FAILED else "bold yellow"
    screen.paragraph(Text(one_line(verdict.summary), style=style))
    screen.line()
    screen.facts(_identity(verdict))
    _answers(screen, verdict, titles)
    _timeline(screen, verdict, bars.ASCII if ascii_only else bars.UNICODE)
    if verdict.evidence:
        screen.heading("Proof", "the log lines it rests on")
        text_tables.proof(screen, _in_order(verdict.evidence), indent=2, most=_MOST_PROOF)
    _alternatives(screen, verdict)
    _missing(screen, verdict)
    _fixes(screen, verdict, titles)
    return ascii_text(screen.text) if ascii_only else screen.text


def _in_order(evidence: tuple[EvidenceText, ...]) -> list[EvidenceText]:
    """The lines of one file as they stand in it, the files in the order in which the proof names them."""
    files = list(dict.fromkeys(item.origin.rpartition(":")[0] for item in evidence))

    def place(item: EvidenceText) -> tuple[int, int]:
        file, _, line = item.origin.rpartition(":")
        return files.index(file), int(line) if line.isdecimal() else 0

    return sorted(evidence, key=place)


def _identity(verdict: Verdict) -> tuple[tuple[str, str], ...]:
    api = " ".join(part for part in (verdict.api_id, verdict.stage) if part)
    kind = "" if verdict.api_type is ApiType.UNKNOWN else f"{verdict.api_type.value.upper()} API"
    status = "failed, " if verdict.kind is Kind.FAILED else "near the limit, "
    status += "no status seen" if verdict.status is None else f"status {verdict.status}"
    if verdict.integration_status is not None:
        status += f" (integration: {verdict.integration_status})"
    error = ", ".join(part for part in (verdict.error_type, verdict.error_message) if part)
    return (
        ("Request", f"{digest.name_of(verdict)}, {moment(verdict.arrived_at)}"),
        ("Route", ", ".join(part for part in (digest.route_of(verdict), f"{kind} {api}".strip()) if part)),
        ("Answer", ", ".join(part for part in (status, error) if part)),
        ("Extended id", verdict.extended_request_id or ""),
        ("Trace", verdict.trace_id or ""),
        ("Connection", verdict.connection_id or ""),
        ("Invocation", _invocation(verdict.invocation)),
    )


def _invocation(invocation: JoinedInvocation | None) -> str:
    if invocation is None:
        return ""
    if invocation.request_id is None:
        return f"{invocation.candidates} invocations fit by time, so none was joined"
    parts = [
        f"{invocation.request_id} of {invocation.function or 'an unnamed function'}",
        f"{duration(invocation.duration_ms)} run",
        f"{duration(invocation.init_ms)} init" if invocation.init_ms is not None else "",
        f"outcome {invocation.outcome.value}",
        _JOIN[invocation.join] if invocation.join is not None else "",
    ]
    return ", ".join(part for part in parts if part)


def _answers(screen: Screen, verdict: Verdict, titles: Mapping[str, str]) -> None:
    screen.line()
    fix = verdict.fixes[0] if verdict.fixes else None
    saved = f"{titles.get(fix, fix)} ({fix})" if fix else "nothing that is known"
    rest = len(verdict.fixes) - 1
    near = verdict.kind is Kind.NEAR_LIMIT
    screen.facts(
        (
            ("Whose clock ran out?", _clock(verdict)),
            ("Who spent the time?", _spender(verdict)),
            (
                "What would save it?" if near else "What would have saved it?",
                saved + (f"; {rest} more below" if rest > 0 else ""),
            ),
        ),
        indent=0,
    )


def _clock(verdict: Verdict) -> str:
    limit = ""
    if verdict.limit_ms is not None:
        basis = _BASIS.get(verdict.limit_basis) if verdict.limit_basis else None
        limit = f"; the integration's limit is {exact(verdict.limit_ms)}" + (f", {basis}" if basis else "")
    elapsed = f" {exact(verdict.elapsed_ms)} after arrival" if verdict.elapsed_ms is not None else ""
    if verdict.kind is Kind.NEAR_LIMIT:
        return f"none: answered{elapsed}, {digest.used_share(verdict):.0%} of the limit used{limit}"
    if verdict.boundary is Boundary.NONE:
        return f"none: no timer fired, it failed{elapsed}{limit}"
    if verdict.boundary is Boundary.UNKNOWN:
        return f"not known from this evidence; it ended{elapsed}{limit}" if elapsed else f"not known{limit}"
    timer = f" of {exact(verdict.timer_ms)}" if verdict.timer_ms is not None else ""
    return f"{verdict.boundary.value}{timer}; the request ended{elapsed or ' at an unknown moment'}{limit}"


def _spender(verdict: Verdict) -> str:
    if verdict.confidence is Confidence.UNDETERMINED:
        return f"not known from this evidence ({verdict.code})"
    spent = sum(item.duration_ms for item in verdict.segments if item.layer is verdict.layer)
    share = f" with {duration(spent)}" if spent else ""
    if share and verdict.elapsed_ms:
        share += f" of {duration(verdict.elapsed_ms)}"
    return f"{verdict.layer.value}{share}: {verdict.cause} ({verdict.code}), {verdict.confidence.value}"


def _timeline(screen: Screen, verdict: Verdict, glyphs: bars.Glyphs) -> None:
    drawing = bars.drawing_of(verdict)
    if drawing is None:
        screen.heading("Timeline", "no stretch of time is in the evidence")
        return
    longest = max(len(one_line(bar.name)) for bar in drawing.bars)
    name_width = min(longest, screen.width // 4)
    room = screen.width - _LEFT - 2 * _COLUMN - 2
    width = max(room - name_width, _NARROWEST_BARS)
    name_width = min(name_width, room - width)
    scale = exact(max(bars.ms_per_column(drawing, width), 0.1))
    screen.heading("Timeline", "from the request's arrival")
    screen.line(f"  {glyphs.measured} measured  {glyphs.inferred} inferred  one column = {scale}", style="dim")
    screen.line(f"{' ' * (_LEFT + width)}{'start':>{_COLUMN}}{'took':>{_COLUMN}}", style="dim")
    for bar in drawing.bars:
        line = Text(f"  {bar.layer:<{_LEFT - 3}}|")
        line.append(bars.row(bar, drawing, width, glyphs), style="cyan" if bar.is_measured else "")
        line.append(f"{exact(bar.start_ms):>{_COLUMN}}{exact(bar.duration_ms):>{_COLUMN}}")
        line.append(f"  {one_line(bar.name, name_width)}")
        screen.line(line)
    if drawing.clock is not None:
        _foot(screen, drawing, drawing.clock, width, glyphs)


def _foot(screen: Screen, drawing: bars.Drawing, clock: bars.Clock, width: int, glyphs: bars.Glyphs) -> None:
    """The foot of the clock's line, with what it is on the side where there is room."""
    at = _LEFT + bars.column(clock, drawing, width)
    if at + 2 + len(clock.told) <= screen.width:
        screen.line(f"{' ' * at}{glyphs.foot} {clock.told}", style="bold")
    else:
        screen.line(f"{clock.told:>{max(at - 1, 0)}} {glyphs.foot}", style="bold")


def _alternatives(screen: Screen, verdict: Verdict) -> None:
    if verdict.alternatives:
        screen.heading("Alternatives", "and why not")
        for item in verdict.alternatives:
            screen.labelled(f"{item.cause}:", item.why_not, indent=2)


def _missing(screen: Screen, verdict: Verdict) -> None:
    if verdict.missing:
        screen.heading("Evidence to fetch", "it would make this answer surer")
        for item in verdict.missing:
            screen.labelled(f"{item.wanted}:", item.reason, indent=2)
            screen.remedy(item.remedy, indent=4)


def _fixes(screen: Screen, verdict: Verdict, titles: Mapping[str, str]) -> None:
    if verdict.fixes:
        screen.heading("Fixes", "the commands are in the report of diagnose")
        for fix in verdict.fixes:
            screen.labelled(f"{fix}:" if fix in titles else fix, titles.get(fix, ""), indent=2)
