"""How the cost of a call falls on those who share it, and how much a short payer still gets."""

import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.chassis.errors import Kind, Refusal
from services.keepa_gateway.domain.batches import BUDGET_DOMAIN, affordable
from services.keepa_gateway.domain.outcome import Outcome, Verdict, unknown
from services.keepa_gateway.domain.products_request import ProductOptions, ProductsRequest
from services.keepa_gateway.domain.shares import shares
from services.keepa_gateway.ports import Harvest
from services.keepa_gateway.usecases.paid import Wanted, costs_of, endings_of


@given(st.integers(0, 100_000), st.lists(st.integers(0, 100), min_size=1).filter(any))
def test_shares_add_up_to_the_cost(tokens: int, weights: list[int]) -> None:
    """G5: what Keepa charged is booked, no token more or less, whoever pays it."""
    parts = shares(tokens, weights)

    assert sum(parts) == tokens
    assert all(part >= 0 for part in parts)
    assert all(part == 0 for part, weight in zip(parts, weights, strict=True) if not weight)


@given(st.integers(1, 20), st.lists(st.integers(1, 100), min_size=1))
def test_products_of_one_price_cost_each_payer_his_own(price: int, weights: list[int]) -> None:
    """The only calls that are shared: nobody pays for what another one asked for."""
    assert shares(price * sum(weights), weights) == [price * weight for weight in weights]


def test_every_part_of_a_lost_call_is_unknown() -> None:
    """What nobody knows of the whole, nobody knows of a part."""
    parts: Wanted = {uuid.uuid4(): ("A", "B"), uuid.uuid4(): ("C",)}

    assert list(costs_of(unknown("lost"), parts).values()) == [None, None]


def test_every_part_learns_what_was_found_for_it() -> None:
    first, second = uuid.uuid4(), uuid.uuid4()
    found = {"A": ("A",), "B": (), "C": ("C",)}
    parts: Wanted = {first: ("A", "B"), second: ("C",)}
    costs = costs_of(Outcome(verdict=Verdict.ANSWERED, consumed=3), parts)

    endings = endings_of(costs, Harvest(found=found), parts)

    assert {one.attempt_id: (one.consumed, one.found) for one in endings} == {
        first: (2, {"A": ("A",), "B": ()}),
        second: (1, {"C": ("C",)}),
    }


@pytest.mark.parametrize(
    "options",
    [
        ProductOptions(),
        ProductOptions(history=True, videos=True, aplus=True, update_hours=5),
    ],
)
def test_products_of_one_known_price_share_a_call(options: ProductOptions) -> None:
    assert ProductsRequest(domain=1, asins=("B00000000A",), options=options).gatherable


@pytest.mark.parametrize(
    "options",
    [
        ProductOptions(buybox=True),
        ProductOptions(update_hours=-1),
        ProductOptions(update_hours=0),
        ProductOptions(rating=True),
        ProductOptions(offers=20),
        ProductOptions(historical_variations=True),
    ],
)
def test_products_of_uncertain_price_are_bought_alone(options: ProductOptions) -> None:
    """Nobody could say whose product cost what; a buy box is free where there is no product."""
    assert not ProductsRequest(domain=1, asins=("B00000000A",), options=options).gatherable


def test_codes_share_no_call() -> None:
    """A code costs by what it returns."""
    assert not ProductsRequest(domain=1, codes=("9780470820940",)).gatherable


def shortage(reason: str, **facts: int) -> Refusal:
    kind = Kind.RESOURCE_EXHAUSTED
    return Refusal(kind, reason, "Short.", facts=facts, domain=BUDGET_DOMAIN)


@pytest.mark.parametrize(
    ("refusal", "products"),
    [
        (shortage("INSUFFICIENT_TOKENS", balance=40, required=110), 30),
        (shortage("WAIT_TIMEOUT", balance=11, required=110), 1),
        (shortage("INSUFFICIENT_TOKENS", balance=10, required=110), 0),
        (shortage("INSUFFICIENT_TOKENS", balance=-200, required=110), 0),
        (shortage("ENVELOPE_EXHAUSTED", remaining=7, required=100), 7),
        (shortage("RESERVATION_ENDED", remaining=0), 0),
        (Refusal(Kind.RESOURCE_EXHAUSTED, "WAIT_TIMEOUT", "No place.", facts={"balance": 99}), 0),
    ],
)
def test_a_short_payer_gets_what_he_can_pay(refusal: Refusal, products: int) -> None:
    """The floor stays: 110 required for 100 products are 10 that nobody touches."""
    batch = ProductsRequest(domain=1, asins=tuple(f"B{number:09d}" for number in range(100)))

    assert affordable(batch, refusal) == products
