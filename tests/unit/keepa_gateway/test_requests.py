"""Claims about what is refused before a token is spent."""

import pytest
from arbitragevault.keepa_gateway.v1 import keepa_gateway_pb2 as pb

from services.chassis.errors import Refusal
from services.keepa_gateway.domain.list_requests import (
    BestSellersRequest,
    CategoriesRequest,
    CategorySearchRequest,
    FinderRequest,
    ProductSearchRequest,
)
from services.keepa_gateway.domain.products_request import ProductOptions, ProductsRequest

BOOK = "0593655036"


def violations(request: object) -> set[str]:
    with pytest.raises(Refusal) as refused:
        request.validated()
    assert refused.value.reason == "INVALID_FIELD"
    return {violation.field for violation in refused.value.violations}


@pytest.mark.parametrize("domain", [0, 7, 13, -1])
def test_only_marketplaces_of_keepa_are_taken(domain: int) -> None:
    assert violations(ProductsRequest(domain=domain, asins=(BOOK,))) == {"domain"}


def test_domain_twelve_is_brazil() -> None:
    """Early notes ended at 11."""
    ProductsRequest(domain=12, asins=(BOOK,)).validated()


def test_everything_wrong_is_said_at_once() -> None:
    options = ProductOptions(offers=10, update_hours=-2)
    request = ProductsRequest(domain=7, asins=(BOOK, "nonsense"), options=options, code_limit=21)

    assert violations(request) == {
        "domain",
        "asins[1]",
        "options.offer_count",
        "options.update_hours",
        "options.code_limit",
    }


def test_a_violation_names_a_field_of_the_contract() -> None:
    """A client marks the field in its form by this path; our own names mean nothing to it."""
    named = {
        pb.GetProductsRequest: {"options.offer_count", "options.stock", "options.stats_days"}
        | {"options.only_live_offers", "options.history_days", "options.code_limit"}
        | {"options.update_hours", "domain", "asins", "codes"},
        pb.SearchProductsRequest: {"stats_days", "update_hours", "term", "domain"},
        pb.ListBestSellersRequest: {"category_id", "range_days", "year", "month"},
        pb.GetCategoriesRequest: {"category_ids"},
        pb.FindProductsRequest: {"page", "per_page", "selection"},
        pb.GetSellersRequest: {"seller_ids"},
        pb.ListDealsRequest: {"page", "selection.price_type", "selection.change_percent_range"},
        pb.ListLightningDealsRequest: {"asin", "full_list"},
    }
    for message, paths in named.items():
        for path in paths:
            described = message.DESCRIPTOR
            for name in path.split("."):
                described = described.fields_by_name[name].message_type


def test_an_invalid_request_says_what_is_wrong_in_its_message() -> None:
    """Most people read the message and never look into the details."""
    request = ProductsRequest(domain=1, asins=(BOOK, "X" * 10))

    with pytest.raises(Refusal, match=r"^asins\[1\]: 'X{10}' cannot be valid$"):
        request.validated()


def test_asins_and_codes_exclude_each_other() -> None:
    assert violations(ProductsRequest(domain=1)) == {"asins"}
    both = ProductsRequest(domain=1, asins=(BOOK,), codes=("9780593655030",))
    assert violations(both) == {"asins"}


def test_a_product_named_twice_is_paid_once() -> None:
    request = ProductsRequest(domain=1, asins=(BOOK, "0-593-65503-6", "b0cs6rl7d6")).validated()

    assert request.asins == (BOOK, "B0CS6RL7D6")


def test_more_than_a_hundred_products_are_refused() -> None:
    many = tuple(f"B{number:09d}" for number in range(101))

    assert violations(ProductsRequest(domain=1, asins=many)) == {"asins"}


def test_stock_without_offers_is_refused_instead_of_ignored() -> None:
    options = ProductOptions(stock=True, only_live_offers=True)
    request = ProductsRequest(domain=1, asins=(BOOK,), options=options)

    assert violations(request) == {"options.stock", "options.only_live_offers"}


def test_a_search_has_its_options_beside_its_words() -> None:
    options = ProductOptions(update_hours=-2, stats_days=-1)
    request = ProductSearchRequest(domain=1, term="dune", options=options)

    assert violations(request) == {"update_hours", "stats_days"}


def test_parameters_are_spelled_as_keepa_reads_them() -> None:
    """`buyBox` and `onlyLiveOffers` are silently ignored by Keepa."""
    options = ProductOptions(
        offers=20, only_live_offers=True, stock=True, history=False, stats_days=365, update_hours=0
    )
    call = ProductsRequest(domain=5, asins=(BOOK,), options=options).call()

    assert dict(call.parameters) == {
        "domain": "5",
        "asin": BOOK,
        "only-live-offers": "1",
        "stock": "1",
        "stats": "365",
        "offers": "20",
        "history": "0",
        "update": "0",
    }


def test_the_buy_box_is_not_paid_twice() -> None:
    """Offers include it."""
    options = ProductOptions(offers=20, buybox=True)

    assert ("buybox", "1") not in options.parameters()


def test_finder_pages_keep_to_keepas_limits() -> None:
    selection = {"rootCategory": 283155}
    assert violations(FinderRequest(domain=1, selection=selection, per_page=49)) == {"per_page"}
    assert violations(FinderRequest(domain=1, selection={}, page=-1)) == {"selection", "page"}
    whole = FinderRequest(domain=1, selection=selection, page=1, per_page=10_000)
    assert violations(whole) == {"page"}
    beyond = FinderRequest(domain=1, selection=selection, page=101, per_page=100)
    assert violations(beyond) == {"page"}
    FinderRequest(domain=1, selection=selection, page=100, per_page=100).validated()


def test_insights_are_asked_for_and_priced() -> None:
    """30 tokens more and one for each million of matches: never without being asked for."""
    request = FinderRequest(domain=1, selection={"title": "x"}, insights=True)

    assert ("stats", "1") in request.call().parameters
    assert request.call().cost.least == 40
    plain = FinderRequest(domain=1, selection={"title": "x"}).call()
    assert plain.parameters == (("domain", "1"),)
    assert plain.fingerprint != request.call().fingerprint


def test_best_sellers_of_a_past_month_are_asked_for_by_both_its_names() -> None:
    past = BestSellersRequest(domain=1, category=1, year=2026, month=3).validated().call()

    assert {("month", "3"), ("year", "2026")} <= set(past.parameters)
    assert violations(BestSellersRequest(domain=1, category=1, month=3)) == {"month"}
    both = BestSellersRequest(domain=1, category=1, year=2026, month=3, range_days=30)
    assert violations(both) == {"month"}


def test_the_finder_body_is_the_selection_itself() -> None:
    """Wrapped in another object Keepa refuses it."""
    call = FinderRequest(domain=1, selection={"title": "x"}, page=2, per_page=50).call()

    assert call.body == b'{"page":2,"perPage":50,"title":"x"}'


def test_brazil_has_no_best_sellers() -> None:
    assert violations(BestSellersRequest(domain=12, category=1)) == {"domain"}
    assert violations(BestSellersRequest(domain=1, category=0, range_days=7)) == {
        "category_id",
        "range_days",
    }


def test_all_roots_stand_alone() -> None:
    assert CategoriesRequest(domain=1, categories=(0,)).validated().categories == (0,)
    assert violations(CategoriesRequest(domain=1, categories=(0, 5))) == {"category_ids"}
    assert violations(CategoriesRequest(domain=1, categories=())) == {"category_ids"}


def test_a_category_search_needs_words() -> None:
    assert violations(CategorySearchRequest(domain=1, term=" a ")) == {"term"}


def test_identical_requests_have_one_fingerprint() -> None:
    first = ProductsRequest(domain=1, asins=(BOOK,)).call()
    again = ProductsRequest(domain=1, asins=(BOOK,)).validated().call()
    other = ProductsRequest(domain=2, asins=(BOOK,)).call()

    assert first.fingerprint == again.fingerprint != other.fingerprint
