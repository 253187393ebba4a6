"""What would have saved how many: remedies ranked over all verdicts."""

from collections import Counter

from apigw_doctor.diagnosis.judge import Judged
from apigw_doctor.diagnosis.remedies import REMEDIES, Place
from apigw_doctor.diagnosis.verdict import Finding, RankedFix
from apigw_doctor.model.terms import Confidence, Kind

#: Verdicts less sure than this promise nothing.
_SURE_ENOUGH = (Confidence.PROVEN, Confidence.LIKELY)
#: Beside the first fix of a cause, these too would each have saved the request by themselves.
_ALSO_SAVES = frozenset(
    {
        ("cold-start", "snapstart"),
        ("init-timeout", "provisioned-concurrency"),
        ("init-timeout", "snapstart"),
        ("edge-timeout", "async-conversion"),
        ("client-gave-up", "async-conversion"),
        ("dependency-slow", "async-conversion"),
    }
)


def ranked_fixes(
    judged: list[Judged], findings: tuple[Finding, ...], wanted_evidence: tuple[str, ...]
) -> tuple[RankedFix, ...]:
    """Remedies, the ones that would have saved most first; then those that only bring evidence.

    A remedy is credited with a failed request when it stands first for its cause (or would do as well by
    itself, `_ALSO_SAVES`) and the verdict is at least likely. Others that a verdict names stay with the verdict.
    """
    failed = [item for item in judged if item.told.kind is Kind.FAILED]
    saves: Counter[str] = Counter()
    rank: dict[str, int] = {}
    causes: dict[str, Counter[str]] = {}
    places: dict[str, Counter[Place]] = {}
    for item in failed:
        if item.told.confidence not in _SURE_ENOUGH:
            continue
        for position, fix in enumerate(item.told.fixes):
            if position and (item.told.cause, fix) not in _ALSO_SAVES:
                continue
            saves[fix] += 1
            rank[fix] = min(position, rank.get(fix, position))
            causes.setdefault(fix, Counter())[item.told.cause] += 1
            places.setdefault(fix, Counter())[item.place] += 1
    found = [
        _fix(fix, count, len(failed), places[fix].most_common(1)[0][0], _why(fix, causes[fix]))
        for fix, count in sorted(saves.items(), key=lambda pair: (-pair[1], rank[pair[0]], pair[0]))
        if fix in REMEDIES
    ]
    place = _usual_place(judged)
    known = {fix.id for fix in found}
    extra = [fix for fix in wanted_evidence if fix not in known]
    found.extend(_fix(fix, None, len(failed), place, REMEDIES[fix].why) for fix in extra)
    far = next((finding for finding in findings if finding.name == "function-timeout-far-above-limit"), None)
    if far is not None and "function-timeout" not in known:
        found.append(_fix("function-timeout", None, len(failed), place, far.detail))
    return tuple(found)


def _usual_place(judged: list[Judged]) -> Place:
    places = Counter(item.place for item in judged)
    return places.most_common(1)[0][0] if places else Place()


def _why(fix: str, causes: Counter[str]) -> str:
    named = ", ".join(f"{cause} ({count})" for cause, count in causes.most_common(3))
    return f"{REMEDIES[fix].why} [{named}]"


def _fix(fix: str, saves: int | None, of: int, place: Place, why: str) -> RankedFix:
    remedy = REMEDIES[fix]
    return RankedFix(
        id=fix,
        title=remedy.title,
        saves=saves,
        of=of,
        applicability=remedy.applicability,
        command=remedy.command(place),
        why=why,
    )
