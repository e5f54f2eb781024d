"""Whether a product is still what it was: every threshold of requirement D10, to the cent."""

from dataclasses import replace
from datetime import timedelta

import pytest

from services.discovery.domain.answers import Fetched, Status, appraisal
from services.discovery.domain.product import Kind
from services.discovery.domain.scoring.score import score
from services.discovery.domain.verification import (
    Verdict,
    View,
    changes,
    concluded,
    decided_on,
    seen_now,
)
from tests.unit.discovery.builders import AS_OF, offer, product, series, statistics, terms

THEN = View(sell_cents=2000, rank=100_000, fba_offers=4, amazon=False)


def only(field: str, **now: object) -> tuple[Verdict, float | None] | None:
    """The change of one field, which must be the only one."""
    found = changes(THEN, replace(THEN, **now))  # type: ignore[arg-type]
    if not found:
        return None
    assert [change.field for change in found] == [field]
    return found[0].verdict, found[0].percent


@pytest.mark.parametrize(
    ("after", "verdict"),
    [
        (1801, None),
        (1800, Verdict.CHANGED),
        (1501, Verdict.CHANGED),
        (1500, Verdict.AVOID),
        (2199, None),
        (2200, Verdict.CHANGED),
        (9000, Verdict.CHANGED),
        (None, Verdict.AVOID),
    ],
)
def test_a_price_changes_by_ten_and_falls_apart_by_twenty_five_percent(
    after: int | None, verdict: Verdict | None
) -> None:
    """D10; a rise is never a reason to stay away."""
    found = only("sell_cents", sell_cents=after)

    assert (found and found[0]) == verdict


@pytest.mark.parametrize(
    ("after", "verdict"),
    [
        (149_999, None),
        (150_000, Verdict.CHANGED),
        (199_999, Verdict.CHANGED),
        (200_000, Verdict.AVOID),
        (50_001, None),
        (50_000, Verdict.CHANGED),
        (None, Verdict.CHANGED),
    ],
)
def test_a_rank_changes_by_half_and_is_lost_when_it_doubles(
    after: int | None, verdict: Verdict | None
) -> None:
    """D10; a higher rank is a worse one."""
    found = only("sales_rank", rank=after)

    assert (found and found[0]) == verdict


@pytest.mark.parametrize(
    ("after", "verdict"),
    [(6, None), (7, Verdict.CHANGED), (8, Verdict.CHANGED), (9, Verdict.AVOID), (0, None)],
)
def test_three_more_sellers_are_a_change_and_five_a_reason_to_stay_away(
    after: int, verdict: Verdict | None
) -> None:
    """D10; fewer sellers are good news."""
    found = only("fba_offer_count", fba_offers=after)

    assert (found and found[0]) == verdict


def test_amazon_itself_is_a_reason_to_stay_away_only_when_it_is_new() -> None:
    """Who bought against Amazon knew it."""
    assert only("amazon_present", amazon=True) == (Verdict.AVOID, None)
    assert changes(replace(THEN, amazon=True), replace(THEN, amazon=True)) == ()
    assert changes(replace(THEN, amazon=None), replace(THEN, amazon=True)) == ()


def test_the_worst_change_comes_first_with_its_numbers() -> None:
    """The first line is what a person reads."""
    found = changes(THEN, replace(THEN, sell_cents=1750, rank=260_000))

    assert [change.field for change in found] == ["sales_rank", "sell_cents"]
    assert found[0].message == "The sales rank is worse by 160.0 %: 100,000 then, 260,000 now."
    assert found[1].message == "The price fell by 12.5 %, from $20.00 to $17.50."
    assert (found[1].before, found[1].after, found[1].percent) == ("2000", "1750", -12.5)


def test_what_was_not_known_is_no_change() -> None:
    """A caller's own baseline may name the price alone."""
    assert changes(View(sell_cents=2000), THEN) == ()


def test_live_offers_alone_make_no_change() -> None:
    """They bring other histories of the price and another count; the market is the same."""
    plain = product()
    now = AS_OF + timedelta(hours=2)
    close = replace(
        plain,
        offers=tuple(offer(4100, seller_id=f"S{at}", fba=True) for at in range(12)),
        series={**plain.series, Kind.BUY_BOX_NEW: series((300, 2_900), (2, 2_900))},
        statistics=statistics(fba_offers=12),
    )
    fetched = Fetched(asin=plain.asin, status=Status.FOUND, facts=plain)
    then = decided_on(appraisal(fetched, score(plain, terms(), AS_OF)))

    assert changes(then, seen_now(close, terms(), now, then)) == ()


@pytest.mark.parametrize(
    ("now", "told"),
    [
        ({}, "Price, rank and competition are as they were."),
        (
            {"fba_offers": None, "unread": True},
            (
                "Price and rank are as they were. Not compared, as not known both times: "
                "competition. Keepa could not read the live offers."
            ),
        ),
        (
            {"fba_offers": None, "rank": None},
            "Price is as it was. Not compared, as not known both times: rank and competition.",
        ),
    ],
)
def test_what_was_not_compared_is_not_said_to_be_as_it_was(
    now: dict[str, object], told: str
) -> None:
    """Somebody is about to pay for copies on the strength of this sentence."""
    seen = replace(THEN, **now)  # type: ignore[arg-type]

    assert concluded(THEN, seen, (), blocked=None) == (Verdict.OK, told)


def test_a_change_is_told_together_with_offers_that_nobody_could_read() -> None:
    """The other reasons to stay away may be among them."""
    now = replace(THEN, sell_cents=1000, fba_offers=None, unread=True)

    verdict, message = concluded(THEN, now, changes(THEN, now), blocked=None)

    assert verdict is Verdict.AVOID
    assert message.startswith("The price fell by 50.0 %")
    assert message.endswith("Keepa could not read the live offers.")


def test_what_must_not_be_bought_is_avoided_whatever_it_costs() -> None:
    """The list is the caller's own word."""
    blocked = concluded(THEN, THEN, (), blocked="returned twice")

    assert blocked == (Verdict.AVOID, "It is on your do-not-buy list: returned twice")


def test_live_sellers_are_not_compared_with_those_of_the_history() -> None:
    """Offers were counted for the decision, and cannot be read now: five more would be invented."""
    facts = product(
        statistics=statistics(current={Kind.NEW: 2000, Kind.COUNT_NEW_FBA: 9}), offers=None
    )
    then = replace(THEN, counted=True)

    now = seen_now(facts, terms(), AS_OF, then)

    assert (now.fba_offers, now.unread) == (None, True)
    assert "fba_offer_count" not in [change.field for change in changes(then, now)]
