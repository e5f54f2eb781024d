"""Lists in which Keepa changed something: what can be read of them is kept, and can be told."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, NamedTuple

import msgspec
import pytest

from services.keepa_gateway.api.responses_deals import deals_answer, lightning_deal
from services.keepa_gateway.api.responses_lists import categories_answer
from services.keepa_gateway.api.responses_sellers import sellers_answer
from services.keepa_gateway.domain.answers import ListAnswer
from services.keepa_gateway.domain.bodies import BrokenBody
from services.keepa_gateway.domain.lists import CategoriesBody, CategoryObject
from services.keepa_gateway.domain.market_bodies import (
    DealObject,
    DealsBody,
    LightningDealObject,
    LightningDealsBody,
    SellerObject,
    SellersBody,
)
from services.keepa_gateway.domain.market_requests import DealsRequest
from services.keepa_gateway.domain.pruning import pruned

STRANGE: list[Any] = [
    "x", True, 1.5, {}, [], [[]], [{}], [None], [300], ["x"], {"x": 1}, 2**31, 2**63, 2**70,
    -(2**70), [2**40], [[2**40]], [[1, 2**40]], [{"percent": "x"}], [{"catId": 2**70}],
]  # fmt: skip


def answer(body: msgspec.Struct) -> ListAnswer:
    return ListAnswer(
        payload=msgspec.json.encode(body),
        tokens=5,
        fetched_at=datetime(2026, 11, 20, tzinfo=UTC),
        cached=False,
        fingerprint="",
    )


def told_deals(body: Any) -> list[str]:
    wanted = DealsRequest(domain=1, price_type="NEW", selection={}, extra={}, page=0)
    return [one.asin for one in deals_answer(answer(body), wanted).deals]


def told_sellers(body: Any) -> list[str]:
    return [one.id for one in sellers_answer(answer(body), ["A", "B"]).sellers]


def told_categories(body: Any) -> list[int]:
    return [one.id for one in categories_answer(answer(body), [3, 5]).categories]


def told_lightning(body: Any) -> list[str]:
    return [lightning_deal(one).asin for one in body.lightning_deals]


class Case(NamedTuple):
    """A form, the items in it, a body of two of them, and what is told of such a body."""

    form: type[msgspec.Struct]
    item: type[msgspec.Struct]
    whole: Callable[..., Any]
    one: dict[str, Any]
    other: dict[str, Any]
    told: Callable[[Any], list[Any]]


CASES = [
    Case(
        DealsBody,
        DealObject,
        lambda *items: {"deals": {"dr": list(items), "categoryIds": [1]}},
        {"asin": "A", "current": [1] * 10, "avg": [[1] * 10] * 4},
        {"asin": "B"},
        told_deals,
    ),
    Case(
        SellersBody,
        SellerObject,
        lambda one, other: {"sellers": {"A": one, "B": other}},
        {"sellerId": "A"},
        {"sellerId": "B"},
        told_sellers,
    ),
    Case(
        CategoriesBody,
        CategoryObject,
        lambda one, other: {"categories": {"3": one, "5": other}},
        {"catId": 3},
        {"catId": 5},
        told_categories,
    ),
    Case(
        LightningDealsBody,
        LightningDealObject,
        lambda *items: {"lightningDeals": list(items)},
        {"asin": "A"},
        {"asin": "B"},
        told_lightning,
    ),
]


@pytest.mark.parametrize("case", CASES, ids=[case.form.__name__ for case in CASES])
def test_no_field_of_one_item_costs_the_others(case: Case) -> None:
    """Whatever Keepa sends in its place: they were paid for, and are told."""
    whole, one, other = case.whole, case.one, case.other
    good = case.told(pruned(msgspec.json.encode(whole(one, other)), case.form)[0])
    assert len(good) == 2
    for field in msgspec.structs.fields(case.item):
        for strange in STRANGE:
            sent = json.dumps(whole(one | {field.encode_name: strange}, other)).encode()

            told = case.told(pruned(sent, case.form)[0])

            assert told[-1] == good[-1], (field.encode_name, strange)


def test_what_was_left_out_is_named() -> None:
    """An operator learns what Keepa changed."""
    sent = {"deals": {"dr": [{"asin": "A", "title": 1}, {"title": "no asin"}], "categoryIds": "x"}}

    body, dropped = pruned(msgspec.json.encode(sent), DealsBody)

    assert dropped == ("$.deals.dr.0.title", "$.deals.dr.1", "$.deals.categoryIds")
    assert msgspec.to_builtins(body)["deals"]["dr"][0]["asin"] == "A"


@pytest.mark.parametrize(
    "sent",
    [
        {"deals": "none"},
        {"deals": {"dr": {}}},
        {"deals": {"dr": 5}},
        {"deals": {"dr": [{"title": "no asin"}]}},
        {"deals": {"dr": ["A", "B"]}},
        ["A"],
    ],
)
def test_a_list_that_cannot_be_read_is_not_an_empty_one(sent: object) -> None:
    """It was paid for, and nobody knows what was in it."""
    with pytest.raises(BrokenBody):
        pruned(msgspec.json.encode(sent), DealsBody)
