"""Every recorded envelope and every recorded kind of body, against what the stand-in would say."""

import random
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from deploy.sandbox.account import Account, Call
from deploy.sandbox.bucket import Bucket
from deploy.sandbox.catalogue.generated import GeneratedCatalogue
from deploy.sandbox.catalogue.series_index import LENGTH
from deploy.sandbox.catalogue.view import View
from deploy.sandbox.clock import Clock
from deploy.sandbox.endpoints.bestsellers import BestSellers
from deploy.sandbox.endpoints.product import Product
from deploy.sandbox.endpoints.seller import seller_object
from deploy.sandbox.envelope import empty_envelope, envelope
from deploy.sandbox.keepa_time import unix_ms_of
from deploy.sandbox.params import Params
from deploy.sandbox.truth import TruthLog

pytestmark = pytest.mark.anyio

MINUTE = 8_356_000
NOW = unix_ms_of(MINUTE)
ENVELOPE = {
    "timestamp", "tokensLeft", "refillIn", "refillRate", "tokenFlowReduction", "tokensConsumed",
    "processingTimeInMs",
}  # fmt: skip


def bodies(shared: Path, sample: Callable[[str], Any]) -> dict[str, dict[str, Any]]:
    """Return every recorded body that is whole, by its file."""
    found = {}
    for path in sorted(shared.glob("*.json")):
        body = sample(path.name)
        if isinstance(body, dict) and body.keys() >= ENVELOPE:
            found[path.name] = body
    return found


def settled_at(left: int, rate: int, refill_in: int, consumed: int) -> dict[str, Any]:
    """Let an account of the stand-in give an answer in the state of a recorded one."""
    stands = Clock(scale=0, start_ms=NOW)
    bucket = Bucket(rate=rate, left=left + consumed, first_tick_ms=NOW + refill_in)
    account = Account(bucket, TruthLog(), stands)
    made = account.settle(Call("/product", {}, NOW), tokens=consumed, status=200)
    return envelope(bucket, arrived_ms=NOW, made_ms=made, consumed=consumed)


def test_every_recorded_envelope_is_one_of_ours(shared: Path, sample: Callable[[str], Any]) -> None:
    """From the same bucket the same seven fields, with the same types and the same numbers."""
    rows = [dict(zip(series["columns"], row, strict=True))
            for series in [sample("envelopes_series.json")] for row in series["rows"]]  # fmt: skip
    rows += sample("token_real_bodies.json")["bodies"]
    rows += [{n: b[n] for n in ENVELOPE} for b in bodies(shared, sample).values()]
    rows += [
        {name: value for name, value in entry["body"].items() if name in ENVELOPE}
        for entry in sample("errors_real_bodies.json")
    ]

    for real in rows:
        if real["refillRate"] == 0:
            ours = empty_envelope(real["timestamp"])
        else:
            numbers = ("tokensLeft", "refillRate", "refillIn", "tokensConsumed")
            ours = settled_at(*(real[name] for name in numbers))
        told = {"timestamp": real["timestamp"], "processingTimeInMs": real["processingTimeInMs"]}
        assert {**ours, **told} == real
        assert {n: kinds(v) for n, v in ours.items()} == {n: kinds(v) for n, v in real.items()}
    assert len(rows) > 320


def test_recorded_token_answers_follow_from_one_another(sample: Callable[[str], Any]) -> None:
    """Fifty-one real /token bodies: none is above what the ticks since the last one allow."""
    real = sorted(sample("token_real_bodies.json")["bodies"], key=lambda body: body["timestamp"])
    explained = 0

    for before, after in pairwise(real):
        made = before["timestamp"] + before["processingTimeInMs"]
        replayed = Bucket(
            rate=before["refillRate"],
            left=before["tokensLeft"],
            first_tick_ms=made + before["refillIn"],
        )
        replayed.advance(after["timestamp"] + after["processingTimeInMs"])
        assert after["tokensLeft"] <= replayed.left
        explained += after["tokensLeft"] == replayed.left

    assert explained >= 5


def test_the_series_of_one_account_is_predicted_where_our_calls_explain_it(
    sample: Callable[[str], Any],
) -> None:
    """Each recorded balance is the last one, plus the ticks, less what this call consumed.

    Where it is lower, another call was made that was not recorded; it is never higher.
    """
    rows = sample("envelopes_series.json")["rows"]
    missing = []

    for before, after in pairwise(rows):
        replayed = Bucket(rate=5, left=before[3], first_tick_ms=sum(before[:2]) + before[4])
        replayed.advance(after[0] + after[1])
        replayed.spend(after[2])
        missing.append(replayed.left - after[3])

    assert min(missing) == 0
    assert sum(one == 0 for one in missing) > len(missing) / 2


def kinds(value: Any) -> Any:
    """Return what a value is: a number, a text, a list or an object."""
    names = {
        bool: "flag",
        int: "number",
        float: "number",
        str: "text",
        list: "list",
        dict: "object",
    }
    return names.get(type(value), "null")


def compatible(ours: dict[str, Any], theirs: dict[str, Any]) -> list[str]:
    """Name the fields that both have and that are of different kinds; null fits everything."""
    shared = ours.keys() & theirs.keys()
    pairs = {name: (kinds(ours[name]), kinds(theirs[name])) for name in shared}
    return [f"{n}: {o} for {t}" for n, (o, t) in pairs.items() if o != t and "null" not in (o, t)]


PRODUCTS = [
    "books_us_0470820942_offers_response.json",
    "books_us_1937565750_offers_response.json",
    "product_us_book_0593655036_response.json",
    "product_us_B09X7MPX8L_response.json",
    "product_us_B0F7XPYCSJ_2026_response.json",
    "product_jp_B0D4M48BM2_response.json",
]


@pytest.mark.parametrize("name", PRODUCTS)
async def test_a_product_answer_has_the_fields_of_a_recorded_one(
    catalogue: GeneratedCatalogue, sample: Callable[[str], Any], name: str
) -> None:
    """What decodes the one decodes the other: the same kinds of value under the same names."""
    real = sample(name)
    offers = {"offers": "20"} if "offers" in name else {}
    asked = {"domain": "1", "stats": "365", "rating": "1", "asin": catalogue.asins()[3], **offers}
    answer = await Product(catalogue, random.Random(1)).answer(Params(asked), NOW)

    (ours,), theirs = answer.payload["products"], real["products"][0]

    assert answer.payload.keys() | ENVELOPE == real.keys()
    assert not compatible(ours, theirs)
    assert not compatible(ours["stats"], theirs["stats"])
    assert len(ours["csv"]) == LENGTH
    if "offers" in name and ours.get("offers"):
        assert not compatible(ours["offers"][0], theirs["offers"][0])


async def test_best_sellers_are_listed_as_the_probe_saw_them(
    catalogue: GeneratedCatalogue, sample: Callable[[str], Any]
) -> None:
    """Fourteen categories asked on one day: 50 for every list, nothing where there is none."""
    probe = sample("bestsellers_probe_summary_14_categories.json")
    lists = BestSellers(catalogue)
    known = await lists.answer(Params({"domain": "1", "category": "283155"}), NOW)
    unknown = await lists.answer(Params({"domain": "1", "category": "4277"}), NOW)

    paid = [
        before["tokens_left"] - after["tokens_left"]
        for before, after in pairwise(probe)
        if after["has_bestSellersList"] and before["tokens_left"] > after["tokens_left"]
    ]

    assert set(paid) == {known.tokens} == {50}
    assert unknown.tokens == 0
    assert known.payload["bestSellersList"].keys() >= {"asinList", "categoryId", "domainId"}
    assert all(isinstance(asin, str) for asin in known.payload["bestSellersList"]["asinList"])


def test_a_seller_has_the_fields_of_the_recorded_excerpt(sample: Callable[[str], Any]) -> None:
    """The only real seller at hand is an excerpt; what it has, ours has, in the same kinds."""
    (theirs,) = sample("partial_seller_storefront_excerpt.json")["body"]["sellers"].values()

    ours = seller_object("A1", ["0470820942"], 1, MINUTE, storefront=True)

    assert theirs.keys() <= ours.keys()
    assert not compatible(ours, theirs)


def test_a_placeholder_is_what_keepa_says_of_an_unknown_book(
    catalogue: GeneratedCatalogue, sample: Callable[[str], Any]
) -> None:
    """Both recorded placeholders, value by value where they do not name the product."""
    for name in (
        "product_us_invalid_asin_response.json",
        "product_us_placeholder_1492056200_object.json",
    ):
        real = sample(name)
        theirs = real["products"][0] if "products" in real else real
        ours = catalogue.placeholder(theirs["asin"], 1, View(minute=MINUTE, stats=90))
        assert not compatible(ours, theirs)
        assert ours["productType"] == theirs["productType"] == 4
