"""The safeguards: what a job may cost, and when it may start."""

import pytest

from services.autosourcing.domain import estimate
from services.autosourcing.domain.batches import batch_size
from services.autosourcing.domain.job import Plan
from services.autosourcing.domain.limits import Limits, gate
from services.autosourcing.domain.spec import Item, Spec

LIMITS = Limits()


def test_the_published_limits_are_the_defaults() -> None:
    """A1."""
    assert LIMITS.tokens_per_job == 200
    assert LIMITS.job_timeout.total_seconds() == 120
    assert LIMITS.products_per_search == 10
    assert LIMITS.minimum_balance == 50


@pytest.mark.parametrize(
    ("products", "tokens"), [(1, 12), (10, 21), (100, 111), (101, 113), (188, 200), (189, 201)]
)
def test_a_search_costs_ten_and_one_for_each_started_hundred(products: int, tokens: int) -> None:
    """G9: the most, not the expected: the gate must hold when nothing is cached."""
    assert estimate.for_search(products).tokens == tokens


def test_the_limit_itself_is_allowed_and_one_more_is_not() -> None:
    """A1: MAX_TOKENS_PER_JOB is the most, not the first too many."""
    assert not estimate.too_expensive(LIMITS, estimate.for_search(188))
    assert estimate.too_expensive(LIMITS, estimate.for_search(189))


def test_cached_products_cost_nothing() -> None:
    """G3."""
    assert estimate.for_identifiers(30, cached=12).tokens == 18
    assert estimate.for_identifiers(30, cached=99).tokens == 0


@pytest.mark.parametrize(("tokens", "opens_at"), [(1, 50), (40, 50), (41, 51), (200, 210)])
def test_the_gate_is_the_minimum_balance_or_the_estimate_and_the_floor(
    tokens: int, opens_at: int
) -> None:
    """T4."""
    assert gate(LIMITS, tokens) == opens_at


def test_a_free_job_needs_no_gate() -> None:
    free = estimate.for_identifiers(5, cached=5)

    assert estimate.required_tokens(LIMITS, free) == 0


def test_a_deficit_is_what_is_missing_to_the_gate() -> None:
    """T4: deficit = required - balance, at least 1 in a refusal."""
    assert estimate.Outlook(balance=49, required=50, wait_seconds=60).deficit == 1
    assert estimate.Outlook(balance=-31, required=50, wait_seconds=60).deficit == 81
    assert estimate.Outlook(balance=50, required=50, wait_seconds=0).deficit == 0


def test_batches_double_up_to_what_keepa_takes_at_once() -> None:
    assert [batch_size(LIMITS, n) for n in range(1, 8)] == [5, 10, 20, 40, 80, 100, 100]


@pytest.mark.parametrize(
    ("tokens", "held"), [(12, 23), (21, 32), (29, 40), (35, 40), (40, 40), (61, 61), (200, 200)]
)
def test_an_envelope_has_room_for_a_repeated_search_only_below_the_gate(
    tokens: int, held: int
) -> None:
    """A1, A5: a lost search may be repeated, and no job needs more than its gate to start."""
    searching = Plan(Spec(), estimated_tokens=tokens)

    envelope = estimate.envelope_tokens(LIMITS, searching)

    assert envelope == held
    assert envelope + LIMITS.floor <= gate(LIMITS, tokens)


def test_given_products_need_no_room_for_a_search() -> None:
    """A10: nothing is searched."""
    given = Plan(Spec(items=(Item("0470820942"),)), estimated_tokens=1)

    assert estimate.envelope_tokens(LIMITS, given) == 1


@pytest.mark.parametrize(("wanted", "tokens"), [(1, 11), (100, 11), (101, 12), (1000, 20)])
def test_a_started_hundred_of_a_search_costs_as_much_as_a_full_one(
    wanted: int, tokens: int
) -> None:
    """Keepa's price list: 10, and 1 for each started hundred."""
    assert estimate.search_cost(wanted) == tokens


@pytest.mark.parametrize(("tokens", "opens_at"), [(0, 50), (1, 51), (21, 71), (200, 250)])
def test_a_job_in_the_background_leaves_room_for_all(tokens: int, opens_at: int) -> None:
    """Design 3: a schedule's job may start when 50 tokens are left after it."""
    assert gate(LIMITS, tokens, background=True) == opens_at


def test_the_envelope_of_a_job_in_the_background_never_goes_below_its_floor() -> None:
    """Room for a repeated search comes out of what the gate demands, and there is none left."""
    plan = Plan(Spec(), 21)

    assert estimate.envelope_tokens(LIMITS, plan, background=True) == 21
    assert estimate.envelope_tokens(LIMITS, plan) == 32
