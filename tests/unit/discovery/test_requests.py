"""Requests read: defaults, absences and page tokens that a wrong line would hide."""

from decimal import Decimal

import pytest
from arbitragevault.discovery.v1 import discovery_pb2 as pb

from services.chassis.errors import Refusal
from services.discovery.api import requests, requests_pages
from services.discovery.domain.criteria import Filter, Options
from services.discovery.domain.scoring.terms import Condition


def test_an_empty_filter_looks_for_fifty_new_books() -> None:
    """D1's defaults."""
    assert requests.filter_of(pb.DiscoveryFilter()) == Filter(
        category_ids=(283155,), max_results=50
    )


def test_the_same_filter_has_the_same_key_in_any_order() -> None:
    """Otherwise each spelling of one question is paid for anew."""
    one = requests.filter_of(pb.DiscoveryFilter(category_ids=[5, 3, 4], title=" python "))
    other = requests.filter_of(pb.DiscoveryFilter(category_ids=[3, 4, 5], title="python"))

    assert one.key == other.key


@pytest.mark.parametrize(
    "changes",
    [
        {"domain": 2},
        {"category_ids": [3]},
        {"rank_range": pb.RankRange(minimum=2)},
        {"rank_range": pb.RankRange(maximum=2)},
        {"price_range": pb.PriceRange(minimum_cents=2)},
        {"price_range": pb.PriceRange(maximum_cents=2)},
        {"availability": pb.AVAILABILITY_AMAZON_ABSENT},
        {"condition": pb.CONDITION_USED_GOOD},
        {"title": "x"},
        {"max_results": 51},
    ],
)
def test_every_field_of_a_filter_is_part_of_its_key(changes: dict[str, object]) -> None:
    """A field that is forgotten answers one question with another's list (D2)."""
    usual = requests.filter_of(pb.DiscoveryFilter())
    other = requests.filter_of(pb.DiscoveryFilter(**changes))  # type: ignore[arg-type]

    assert usual.key != other.key


@pytest.mark.parametrize(
    "changes",
    [
        {"strategy": "smart_velocity"},
        {"condition": Condition.USED_GOOD},
        {"costs_cents": {"0306406152": 900}},
        {"sales_tax_basis_points": 1},
        {"source_shipping_cents": 1},
    ],
)
def test_every_option_is_part_of_a_score_s_key(changes: dict[str, object]) -> None:
    """Two resellers with other costs must never share a score."""
    name = "0306406152"

    assert Options().key(1, name) != Options(**changes).key(1, name)  # type: ignore[arg-type]
    assert Options().key(1, name) != Options().key(2, name)


def test_another_product_s_cost_does_not_change_a_score_s_key() -> None:
    """Else one entered price would make every cached score useless."""
    own = Options(costs_cents={"B000000001": 900})

    assert own.key(1, "0306406152") == Options().key(1, "0306406152")


def test_options_take_the_filter_s_condition_unless_they_name_their_own() -> None:
    """Searching used books and scoring new ones would be nonsense."""
    used = pb.CONDITION_USED_GOOD

    assert requests.options(pb.ScoringOptions(), used).condition is Condition.USED_GOOD
    own = pb.ScoringOptions(condition=pb.CONDITION_NEW)
    assert requests.options(own, used).condition is Condition.NEW


def test_sales_tax_is_read_in_basis_points() -> None:
    """8.875 % is 887.5 basis points; the contract takes whole ones."""
    own = requests.options(pb.ScoringOptions(sales_tax_basis_points=825))

    assert own.terms("0306406152").sales_tax_percent == Decimal("8.25")


def test_a_page_token_goes_on_with_its_own_question_only() -> None:
    """A token used on another list would skip or repeat rows in silence."""
    question = pb.ListScoresRequest(asin="0306406152")
    token = requests_pages.token(question, ("place", "key"))

    assert requests_pages.place(pb.ListScoresRequest(asin="0306406152"), token) == ("place", "key")
    for other in (pb.ListScoresRequest(), pb.ListScoresRequest(asin="0306406153")):
        with pytest.raises(Refusal, match="page_token"):
            requests_pages.place(other, token)
    with pytest.raises(Refusal, match="page_token"):
        requests_pages.place(question, "nonsense")


@pytest.mark.parametrize(
    "place",
    [
        ("yesterday", "9f0e5d39-2f8f-4a0e-8f5b-6f1a5f2f6f11"),
        ("0001-01-01T00:00:00+23:59", "9f0e5d39-2f8f-4a0e-8f5b-6f1a5f2f6f11"),
        ("2026-11-21T01:00:00+00:00", "-" * 36),
        ("2026-11-21T01:00:00+00:00", "1-0306406152"),
        ("2026-11-21T01:00:00+00:00", "\0"),
    ],
)
@pytest.mark.parametrize(
    "question",
    [pb.ListSearchesRequest(), pb.ListScoresRequest(asin="0306406152", include_former=True)],
)
def test_a_forged_page_token_is_refused(
    question: pb.ListSearchesRequest | pb.ListScoresRequest, place: tuple[str, str]
) -> None:
    """Tokens carry no secret; what the database cannot compare must not fail inside (A13)."""
    with pytest.raises(Refusal, match="page_token"):
        requests_pages.place(question, requests_pages.token(question, place))


def test_a_page_token_of_another_list_is_refused() -> None:
    """Two lists asked without any filter have nothing but their method to tell them apart."""
    token = requests_pages.token(pb.ListScoresRequest(), ("2026-11-21", "key"))

    with pytest.raises(Refusal, match="page_token"):
        requests_pages.place(pb.ListSearchesRequest(), token)


@pytest.mark.parametrize(("asked", "given"), [(0, 50), (7, 7), (1000, 1000), (5000, 1000)])
def test_page_sizes_are_coerced_down(asked: int, given: int) -> None:
    """AIP-158."""
    assert requests_pages.size(asked) == given
