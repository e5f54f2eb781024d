"""The finder's selection accepts what Keepa's does and names the field it does not take."""

from typing import Any

import pytest

from deploy.sandbox.catalogue import Item
from deploy.sandbox.catalogue.generated import GeneratedCatalogue
from deploy.sandbox.catalogue.series_index import Series
from deploy.sandbox.catalogue.taxonomy import BOOKS
from deploy.sandbox.envelope import Refused
from deploy.sandbox.finder import parse_selection


def found(catalogue: GeneratedCatalogue, **fields: Any) -> list[Item]:
    selection = parse_selection(fields)
    known = [item for asin in catalogue.asins() if (item := catalogue.find(asin))]
    return selection.sorted([item for item in known if selection.accepts(item)])


def test_ranges_hold_at_both_ends_and_leave_absent_values_out(
    catalogue: GeneratedCatalogue,
) -> None:
    """A book without a rank or a price is in no range of ranks or prices."""
    hits = found(
        catalogue,
        current_SALES_gte=10_000,
        current_SALES_lte=80_000,
        current_NEW_lte="6000",
        avg90_SALES_lte=100_000,
    )

    assert hits
    for item in hits:
        assert 10_000 <= item.stat("current", Series.SALES) <= 80_000
        assert 0 < item.stat("current", Series.NEW) <= 6_000
        assert item.stat("avg90", Series.SALES) <= 100_000


def test_categories_cover_what_lies_below_them(catalogue: GeneratedCatalogue) -> None:
    """Lists are OR, fields are AND, and an excluded branch is gone whole."""
    books = found(catalogue, rootCategory=[BOOKS])
    computers = found(catalogue, categories_include=[5])
    programming = found(catalogue, categories_include=[3839, 3508])
    rest = found(catalogue, categories_include=[5], categories_exclude=[3839])

    assert {i.asin for i in programming} < {i.asin for i in computers} < {i.asin for i in books}
    assert all(3839 not in item.facts["categories"] for item in rest)


def test_words_of_a_title_may_come_in_any_order_and_case(catalogue: GeneratedCatalogue) -> None:
    """The finder's title is a set of keywords."""
    title = found(catalogue)[0].facts["title"]
    words = title.split()

    hits = found(catalogue, title=" ".join(reversed(words[:2])).upper())

    assert title in {item.facts["title"] for item in hits}


def test_drops_bindings_and_types_select(catalogue: GeneratedCatalogue) -> None:
    hits = found(
        catalogue,
        salesRankDrops90_gte=20,
        binding=["hardcover"],
        productType=[0, 1],
        availabilityAmazon=[-1],
    )

    assert hits
    for item in hits:
        assert item.count("salesRankDrops90") >= 20
        assert item.facts["binding"] == "Hardcover"
        assert item.stat("current", Series.AMAZON) == -1


def test_sorting_is_total_and_puts_absent_values_last(catalogue: GeneratedCatalogue) -> None:
    """Pages must not repeat or lose a product, so equal values need an order too."""
    rising = [item.stat("current", Series.SALES) for item in found(catalogue)]
    falling = found(catalogue, sort=[["current_NEW", "desc"], ["current_SALES", "asc"]])
    prices = [item.stat("current", Series.NEW) for item in falling]
    known = [rank for rank in rising if rank > 0]

    assert rising[: len(known)] == sorted(known)
    assert prices[0] == max(prices)
    assert prices[-1] == -1


@pytest.mark.parametrize(
    ("fields", "details"),
    [
        ({"current_SALE_gte": 1}, "current_SALE_gte"),
        ({"currentSalesRank": 5}, "currentSalesRank"),
        ({"perPage": 20}, "perPage"),
        ({"perPage": 10_001}, "perPage"),
        ({"perPage": 10_000, "page": 1}, "page"),
        ({"current_NEW_gte": "cheap"}, "current_NEW_gte"),
        ({"rootCategory": []}, "rootCategory"),
        ({"categories_include": list(range(51))}, "categories_include"),
        ({"sort": [["current_SALES", "up"]]}, "sort"),
        ({"sort": [["current_SALES", "asc"]] * 4}, "sort"),
        ({"title": 5}, "title"),
        ({"hasReviews": "yes"}, "hasReviews"),
        ({"isLowest_NEW": 1}, "isLowest_NEW"),
    ],
)
def test_a_wrong_field_is_named(fields: dict[str, Any], details: str) -> None:
    """A refused selection is 400 with `details` = the field, as recorded for deals."""
    with pytest.raises(Refused) as refused:
        parse_selection(fields)

    assert refused.value.status == 400
    assert refused.value.details == details
