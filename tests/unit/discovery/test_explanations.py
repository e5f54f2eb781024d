"""What somebody reads who is to spend money on a score: how old and how sure its data was."""

from datetime import timedelta

import pytest

from services.discovery.domain.scoring.buying import BuyBasis
from services.discovery.domain.scoring.explain import OTHER_BASES, Look, steps
from services.discovery.domain.scoring.score import score
from tests.unit.discovery.builders import AS_OF, offer, product, terms

PLAIN = score(product(), terms(), AS_OF)
UNSEEN = "The live offers were not asked for, so nothing is known of what is for sale."
FAILED = "Keepa could not read the live offers"


def test_the_age_of_the_data_comes_first() -> None:
    """An answer of a day ago about a product that was looked at a week ago is a week old."""
    facts = product(updated_at=AS_OF - timedelta(hours=30))
    look = Look(offers=False, fetched_at=AS_OF - timedelta(hours=5))

    told = steps(score(facts, terms(), AS_OF), look)

    assert told[0] == (
        "Keepa looked at the product 30.0 hours before this score; "
        "its answer came 5.0 hours before this score."
    )


def test_an_age_that_is_not_known_is_not_told_as_none() -> None:
    """0.0 hours would be the best there is."""
    told = steps(score(product(updated_at=None), terms(), AS_OF))

    assert told[0] == "Keepa looked at the product at a time that it does not state."


def test_offers_that_nobody_asked_for_are_told_from_those_that_could_not_be_read() -> None:
    """The first can be had for 6 tokens, the second were asked for already."""
    plain = steps(PLAIN, Look(offers=False))
    failed = steps(PLAIN, Look(offers=False, failed=True))

    assert UNSEEN in plain
    assert not any(line.startswith(FAILED) for line in plain)
    assert UNSEEN not in failed
    assert any(line.startswith(FAILED) for line in failed)


def test_offers_that_were_read_say_whether_one_can_be_bought() -> None:
    """Otherwise nobody could tell an assumed price that was checked from one that was not."""
    there = score(product(offers=(offer(900, 399),)), terms(), AS_OF)
    worn = score(product(offers=(offer(900, 399, condition=5),)), terms(), AS_OF)

    found = "\n".join(steps(there, Look(offers=True)))
    none = "\n".join(steps(worn, Look(offers=True)))

    assert "(OFFER): the cheapest live offer that can be bought" in found
    assert "none can be bought" not in found
    assert "none can be bought" in none
    assert "(ASSUMED): 40 % of the sell price, at which nobody is known to sell" in none


@pytest.mark.parametrize(("read", "told"), [(True, "live offers near"), (False, "Keepa's count")])
def test_competitors_are_told_with_who_counted_them(*, read: bool, told: str) -> None:
    offers = (offer(4100, fba=True),) if read else None
    one = score(product(offers=offers), terms(), AS_OF)

    assert any("Our share" in line and told in line for line in steps(one, Look(offers=read)))


def test_every_source_of_a_buying_price_has_words() -> None:
    """One without them would fail only for the product that has it."""
    assert set(OTHER_BASES) | {BuyBasis.OFFER, BuyBasis.ASSUMED} == set(BuyBasis)
