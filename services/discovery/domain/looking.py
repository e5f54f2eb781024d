"""How closely products are looked at, and which of them deserve a second, dearer look."""

from collections.abc import Iterable
from enum import StrEnum

from services.discovery.domain.answers import Appraisal, Status
from services.discovery.domain.scoring.gates import Gate

CLOSE_TOKENS = 16
"""The most that one product with up to 20 live offers costs; usually it is 6."""

CLOSE_BATCH = 5
"""Products of one call with offers: Keepa takes seconds for each."""

_GATES = frozenset(gate.value for gate in Gate)
_NEW = frozenset({Status.FOUND, Status.CACHED})


class Depth(StrEnum):
    """What is fetched of a product."""

    PLAIN = "PLAIN"
    OFFERS = "OFFERS"
    STOCK = "STOCK"


def candidates(appraisals: Iterable[Appraisal]) -> list[str]:
    """Choose the products whose live offers are worth their tokens, the best first.

    A candidate passes every gate, sells fast enough for CONSIDER, and leaves something to pay
    for it. An assumed ROI never decides; velocity times the most to pay gives the order.
    """
    promising = [(_promise(one), one.asin) for one in appraisals if _worth_it(one)]
    return [asin for _, asin in sorted(promising, key=lambda pair: (-pair[0], pair[1]))]


def _worth_it(one: Appraisal) -> bool:
    score = one.score
    if score is None or one.offers or one.status not in _NEW:
        return False
    if score.demand is None or score.calculation is None:
        return False
    fast = score.demand.velocity >= score.inputs.terms.strategy.velocities[2]
    passed = not any(reason.code in _GATES for reason in score.reasons)
    return passed and fast and score.calculation.max_buy_cents > 0


def _promise(one: Appraisal) -> float:
    assert one.score is not None
    assert one.score.demand is not None
    assert one.score.calculation is not None
    return one.score.demand.velocity * one.score.calculation.max_buy_cents


def improved(appraisals: Iterable[Appraisal]) -> tuple[Appraisal, ...]:
    """Keep what a second look really brought: a lost or refused one leaves the first."""
    return tuple(one for one in appraisals if one.score is not None and one.status in _NEW)
