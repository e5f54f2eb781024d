"""Target prices: what one may pay, and what one must get, for a wished return on the cost."""

from dataclasses import replace
from decimal import Decimal
from math import ceil

from services.discovery.domain.scoring.card import card_for
from services.discovery.domain.scoring.gates import Gate
from services.discovery.domain.scoring.profit import Trade, trade
from services.discovery.domain.scoring.score import Score

_GATES = frozenset(gate.value for gate in Gate)


def ruled_out(score: Score) -> bool:
    """Whether a gate keeps the product out, whatever it would earn."""
    return score.reasons[0].code in _GATES


def target_buy(score: Score, roi_percent: Decimal, *, profit_cents: int = 0) -> int | None:
    """Work out the most to pay so that the ROI on cost and the profit are reached.

    Returns:
        Below 1 when no price would do; None without a sell price.
    """
    deal = _deal(score, roi_percent)
    if deal is None or score.calculation is None:
        return None
    net = score.calculation.sale.net
    if not profit_cents:
        return deal.max_buy(net)
    flat = replace(deal, terms=replace(deal.terms, target_percent=Decimal(0)))
    return min(deal.max_buy(net), flat.max_buy(net - profit_cents))


def target_sell(score: Score, roi_percent: Decimal) -> int | None:
    """Work out the least sell price at which the known cost returns the ROI.

    Returns:
        None without a known cost, and when no price that would be scored is enough.
    """
    deal = _deal(score, roi_percent)
    if deal is None or score.calculation is None or score.assumed:
        return None
    return deal.break_even(ceil(score.calculation.cost.cash * (100 + roi_percent) / 100))


def _deal(score: Score, roi_percent: Decimal) -> Trade | None:
    """Set up the sale anew as it was scored, for another ROI."""
    sums, inputs = score.calculation, score.inputs
    if sums is None:
        return None
    day = inputs.as_of.date()
    terms = replace(inputs.terms, target_percent=roi_percent)
    card = terms.rules.amend(card_for(day)[0])
    return trade(inputs.figures, terms, card, shipment=sums.shipment, day=day, months=sums.months)
