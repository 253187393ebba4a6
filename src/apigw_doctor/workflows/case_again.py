"""Batches that are worth another reading, because a new one asks for what they kept in columns only.

Failed requests read after the Lambda logs of the same time want the invocations that they called, in full; a client's
transcript wants its request. A reading that knows of them keeps them; one that came before did not.
"""

import msgspec

from apigw_doctor.attribution.effective_limit import EffectiveLimits
from apigw_doctor.engine.case_file import Batch
from apigw_doctor.evidence.crowd import Crowd
from apigw_doctor.evidence.tables import Evidence
from apigw_doctor.evidence.traffic import Traffic
from apigw_doctor.sources.slow import gave_up_after_ms, is_near, near_bounds
from apigw_doctor.sources.wanted import SLOW_FROM_MS, Wanted, wishes_of
from apigw_doctor.sources.wanted_invocations import WantedInvocations, asked_of


def wanted_again(new: Batch, older: list[Batch], before: Evidence, everything: Evidence) -> set[int]:
    """Numbers of the batches among `older` that hold, without its row, what the evidence of `new` asks for.

    `before` is what the older ones tell together, `everything` what all do.
    """
    came = {row.request_id for row in new.evidence.requests}.difference(row.request_id for row in before.requests)
    rows = [row for row in everything.requests if row.request_id in came]
    asked = asked_of(msgspec.structs.replace(everything, requests=rows))
    wished = wishes_of(new.evidence, SLOW_FROM_MS)
    limits, gave_up_ms = EffectiveLimits(everything), gave_up_after_ms(everything)
    return {
        batch.batch
        for batch in older
        if _calls(batch.evidence.crowd, asked)
        or _wishes(batch.evidence.traffic, wished)
        or _near(batch.evidence.traffic, limits, gave_up_ms)
    }


def _calls(crowd: Crowd, asked: WantedInvocations) -> bool:
    if not len(crowd):
        return False
    if not asked.idents.isdisjoint(crowd.ident):
        return True
    names = [told.name for told in crowd.functions]
    return any(
        asked.asks_for(names[function], _known(begun), _known(finished), traced=False)
        for function, begun, finished in zip(crowd.function, crowd.begun_at, crowd.finished_at, strict=True)
    )


def _wishes(traffic: Traffic, wished: Wanted) -> bool:
    if not wished.idents.isdisjoint(traffic.ident):
        return True
    return bool(wished.windows) and any(wished.asks_for(0, _known(at)) for at in traffic.arrived_at)


def _near(traffic: Traffic, limits: EffectiveLimits, gave_up_ms: float) -> bool:
    """Whether a request came near a limit that is known by now."""
    near = [near_bounds(limits, place, gave_up_ms) for place in traffic.places]
    return any(is_near(took, near[place]) for place, took in zip(traffic.place, traffic.integration_ms, strict=True))


def _known(value: float) -> float | None:
    return value if value == value else None
