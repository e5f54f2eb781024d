"""Every read of the package gets what it can parse, at Keepa's price."""

from pathlib import Path

import keepa
import pytest
from driving import Driven
from keepa.models import backend

BOOKS = 283155


def test_the_token_status_is_the_true_balance(rich: Driven) -> None:
    """Update_status tells the true balance."""
    rich.api.update_status()
    assert rich.api.tokens_left == rich.stand.balance()["tokensLeft"]


def test_plain_products_are_parsed_and_cost_one_each(rich: Driven) -> None:
    """5 books with statistics and parsed histories, 5 tokens."""
    books, tokens = rich.products(5, stats=90)
    assert {book["asin"] for book in books} == set(rich.asins[:5])
    assert tokens == 5
    for book in books:
        assert len(book["data"]["df_NEW"]) > 1
        assert "SALES" in book["stats_parsed"]["current"]


def test_the_models_of_the_package_accept_our_books(rich: Driven) -> None:
    """The package's own models accept the books, with buy box and rating."""
    books, tokens = rich.products(3, typed=True, stats=90, buybox=True, rating=True)
    assert all(isinstance(book, backend.Product) for book in books)
    assert 9 <= tokens <= 12, tokens


def test_offers_cost_one_to_sixteen_a_book(rich: Driven) -> None:
    """20 offers with stock, at 1 to 16 tokens a book."""
    books, tokens = rich.products(4, offers=20, stock=True, rating=True, stats=365)
    assert any(book["offers"] for book in books if book["offersSuccessful"])
    assert 4 <= tokens <= 4 * 16, tokens


def test_more_than_a_hundred_books_go_out_in_two_requests(rich: Driven) -> None:
    """120 books go out as two requests and cost 120."""
    books, tokens = rich.products(120, history=False)
    assert (len(books), tokens) == (120, 120)


def test_codes_find_one_book_or_as_many_as_the_limit_says(rich: Driven) -> None:
    """An ISBN-13 finds its one book; a shared UPC with code-limit 3 finds three."""
    book = rich.products(1)[0][0]
    options = {"product_code_is_asin": False, "progress_bar": False}
    (found,), tokens = rich.costs(rich.api.query, book["eanList"], **options)
    assert (found["asin"], tokens) == (book["asin"], 1)
    limit = {"extra_params": {"code-limit": 3}}
    many, tokens = rich.costs(rich.api.query, book["upcList"], **options, **limit)
    assert (len(many), tokens) == (3, 3)


def test_an_unknown_asin_is_a_placeholder_that_costs_one(rich: Driven) -> None:
    """An unknown ASIN is a placeholder that costs 1."""
    (nothing,), tokens = rich.costs(rich.api.query, "B000000000", progress_bar=False)
    assert (nothing["productType"], tokens) == (4, 1)


def test_the_finder_pages_and_costs_ten_and_one(rich: Driven) -> None:
    """10 tokens and 1 for every started 100 ASINs, pages and order as asked."""
    wanted = {
        "rootCategory": [str(BOOKS)],
        "current_SALES_gte": 1_000,
        "current_SALES_lte": 400_000,
        "sort": [["current_SALES", "asc"]],
        "perPage": 50,
    }
    first, tokens = rich.costs(rich.api.product_finder, wanted)
    second = rich.api.product_finder({**wanted, "page": 1})
    assert (len(first), tokens) == (50, 11)
    assert not set(first) & set(second)


def test_a_page_of_deals_costs_five(rich: Driven) -> None:
    """A page of deals that the package's models accept, 5 tokens."""
    wanted = {
        "page": 0,
        "domainId": 1,
        "dateRange": 3,
        "priceTypes": [1],
        "includeCategories": [BOOKS],
        "isRangeEnabled": True,
        "deltaPercentRange": [10, 100],
    }
    deals, tokens = rich.costs(rich.api.deals, wanted, typed=True)
    assert isinstance(deals, backend.DealResponse)
    assert tokens == 5
    assert deals.dr


def test_best_sellers_cost_fifty(rich: Driven) -> None:
    """50 tokens, the list typed and plain."""
    listed, tokens = rich.costs(rich.api.best_sellers_query, str(BOOKS))
    typed = rich.api.best_sellers_query(str(BOOKS), typed=True)
    assert tokens == 50
    assert len(listed) > 500
    assert typed.asinList == listed


def test_a_category_look_up_costs_one(rich: Driven) -> None:
    """A look-up with parents, 1 token."""
    found, tokens = rich.costs(rich.api.category_lookup, 3839, include_parents=True)
    assert (found["3839"]["parent"], tokens) == (5, 1)
    assert isinstance(rich.api.category_lookup(5, typed=True)["5"], backend.Category)


def test_a_search_for_categories_costs_one(rich: Driven) -> None:
    """Categories by words, 1 token."""
    found, tokens = rich.costs(rich.api.search_for_categories, "computer")
    assert "3508" in found
    assert tokens == 1


def test_sellers_cost_one_each_and_a_storefront_ten(rich: Driven) -> None:
    """Several at 1 each, a storefront at 10, typed too."""
    book = next(b for b in rich.products(8, offers=20)[0] if b["offersSuccessful"])
    ids = list(dict.fromkeys(offer["sellerId"] for offer in book["offers"]))[:2]
    sellers, tokens = rich.costs(rich.api.seller_query, ids)
    assert (set(sellers), tokens) == (set(ids), len(ids))
    shop, tokens = rich.costs(rich.api.seller_query, ids[0], storefront=True)
    assert book["asin"] in shop[ids[0]]["asinList"]
    assert tokens == 10
    assert isinstance(rich.api.seller_query(ids[0], typed=True)[ids[0]], backend.Seller)


def test_a_graph_is_a_picture_for_one_token(rich: Driven, tmp_path: Path) -> None:
    """A PNG, which the package checks and stores."""
    file = tmp_path / "graph.png"
    _, tokens = rich.costs(rich.api.download_graph_image, rich.asins[0], file, range=90)
    assert file.read_bytes().startswith(b"\x89PNG")
    assert tokens == 1


def test_what_keepa_rejects_is_raised_and_costs_nothing(rich: Driven) -> None:
    """What Keepa rejects, the package raises by its status; nothing is charged."""
    before = rich.stand.balance()["tokensConsumed"]
    with pytest.raises(RuntimeError, match="REQUEST_REJECTED"):
        rich.api.best_sellers_query("books")
    with pytest.raises(RuntimeError, match="REQUEST_REJECTED"):
        keepa.Keepa("wrong", check_key=True)
    assert rich.stand.balance()["tokensConsumed"] == before


def test_the_balance_the_package_knows_is_the_true_one(rich: Driven) -> None:
    """The truth log adds up, and the balance the package knows is the last one told."""
    lines = [line for line in rich.stand.truth() if line["kind"] == "request"]
    spent = sum(line["tokensConsumed"] for line in lines)
    assert rich.stand.balance()["tokensConsumed"] == spent
    rich.api.update_status()
    assert rich.api.tokens_left == rich.stand.balance()["tokensLeft"]
