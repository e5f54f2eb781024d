"""Every recorded book, through the gateway's reading of it, gets a sane and explained score."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from arbitragevault.discovery.v1 import discovery_pb2 as pb

from services.discovery.api import responses
from services.discovery.clients.facts import facts
from services.discovery.domain.answers import Fetched, Status, appraisal
from services.discovery.domain.product import ProductFacts
from services.discovery.domain.scoring.explain import steps
from services.discovery.domain.scoring.lines import lines
from services.discovery.domain.scoring.score import Inputs, Score, replay, score
from services.discovery.domain.scoring.terms import STRATEGIES, Condition, Terms
from services.keepa_gateway.domain.product import decode
from services.keepa_gateway.storage.packing import message
from tests.unit.discovery.ledger import redo

SHARED = Path(os.environ.get("AV_SHARED", Path(__file__).parents[4] / "shared"))
SAMPLES = SHARED / "keepa_samples"
PATTERNS = ("books_us_*.json", "product_us_*.json")

pytestmark = pytest.mark.skipif(
    not SAMPLES.is_dir(), reason="the optional folder ../shared is absent"
)


def recorded() -> Iterator[tuple[str, dict[str, Any]]]:
    """Every product of every recorded answer, by file and place."""
    for pattern in PATTERNS:
        for file in sorted(SAMPLES.glob(pattern)):
            found = json.loads(file.read_text("utf-8"))
            if isinstance(found, dict):
                found = found.get("products") or [found]
            for place, product in enumerate(found):
                yield f"{file.stem}#{place}", product


PRODUCTS = dict(recorded()) if SAMPLES.is_dir() else {}


def read(name: str) -> ProductFacts:
    raw = json.dumps(PRODUCTS[name]).encode()
    return facts(message(decode(raw).product))


def scores(name: str) -> Iterator[Score]:
    """Score one product every way, as of its own last update."""
    product = read(name)
    for strategy in STRATEGIES.values():
        for condition in Condition:
            if product.updated_at is not None:
                terms = Terms(strategy=strategy, condition=condition)
                yield score(product, terms, product.updated_at)


@pytest.mark.parametrize("name", PRODUCTS)
def test_a_recorded_product_scores_with_numbers_that_add_up(name: str) -> None:
    """Real data holds every absent value and odd price that a made-up product does not."""
    for one in scores(name):
        assert one.reasons
        assert all(reason.message.endswith(".") for reason in one.reasons)
        assert 0 <= one.confidence <= 100
        assert steps(one)
        sums = one.calculation
        if sums is None:
            assert one.recommendation == "SKIP"
            continue
        sale, cost = sums.sale, sums.cost
        assert sale.sell > 0
        assert sale.fulfilment >= sale.fulfilment_card > 0
        assert sums.outcome.profit == sale.net - cost.cash
        if sums.low is not None and sums.high is not None:
            assert sums.low.sell <= sale.sell <= sums.high.sell
        if one.assumed:
            assert one.recommendation in {"SKIP", "CONSIDER"}
            assert one.confidence <= 54


@pytest.mark.parametrize("name", PRODUCTS)
def test_a_recorded_product_s_score_can_be_replayed_to_the_byte(name: str) -> None:
    """Its histories are not needed for that: the stored inputs are enough."""
    for one in scores(name):
        again = replay(Inputs.decode(one.inputs.encode()))

        assert again == one
        assert again.encode() == one.encode() == Score.decode(one.encode()).encode()


@pytest.mark.parametrize("name", PRODUCTS)
def test_a_recorded_product_s_score_comes_out_again_from_its_lines(name: str) -> None:
    """By hand, to the cent, and to the verdict."""
    for one in list(scores(name))[::3]:
        found = redo([(line.key, line.value, line.formula) for line in lines(one)])

        assert found["recommendation"] == one.recommendation
        if one.calculation is not None:
            assert found["profit_cents"] == one.calculation.outcome.profit


@pytest.mark.parametrize("name", PRODUCTS)
def test_a_recorded_product_s_score_fits_the_contract(name: str) -> None:
    """What cannot be written to the wire helps nobody."""
    product = read(name)
    for one in scores(name):
        fetched = Fetched(asin=product.asin, status=Status.FOUND, facts=product)
        built = responses.appraisal(appraisal(fetched, one))

        assert pb.ProductScore.FromString(built.SerializeToString()) == built
        assert built.recommendation
        assert built.summary == built.reasons[0].message
        assert responses.inputs(one)["document"]


def test_amazon_s_own_bestseller_is_gated_and_its_used_copies_are_not() -> None:
    """A known case: Amazon sells it new, so only used copies are worth a look."""
    product = read("product_us_book_0593655036_offers_object#0")
    assert product.updated_at is not None

    new = score(product, Terms(), product.updated_at)
    used = score(product, Terms(condition=Condition.USED_GOOD), product.updated_at)

    assert new.reasons[0].code == "AMAZON_SELLING"
    assert "AMAZON_SELLING" not in {reason.code for reason in used.reasons}


@pytest.mark.parametrize(
    "name", ["product_us_invalid_asin_response#0", "product_us_placeholder_1492056200_object#0"]
)
def test_keepa_s_empty_placeholders_are_never_worth_buying(name: str) -> None:
    """They cost a token and hold nothing."""
    assert read(name).product_type == 4
    for one in scores(name):
        assert one.reasons[0].code == "NOT_STANDARD"
        assert one.calculation is None
