"""Answers written: words and fields that a wrong line would lose."""

from datetime import UTC, datetime, timedelta

import pytest
from arbitragevault.discovery.v1 import discovery_pb2 as pb
from arbitragevault.keepa_gateway.v1 import keepa_gateway_pb2 as keepa

from services.discovery.api import requests, responses
from services.discovery.domain.answers import Status, Tally
from services.discovery.domain.criteria import Availability
from services.discovery.domain.past import SearchKind, SearchSource
from services.discovery.domain.scoring.buying import BuyBasis
from services.discovery.domain.scoring.terms import STRATEGIES, Condition
from services.discovery.domain.scoring.verdict import Rating, Recommendation, Tier
from services.discovery.domain.stops import Stop, StopReason

NOW = datetime(2026, 9, 15, tzinfo=UTC)


@pytest.mark.parametrize(
    ("values", "enum", "prefix"),
    [
        (Recommendation, pb.Recommendation, "RECOMMENDATION"),
        (Tier, pb.Tier, "TIER"),
        (Rating, pb.Rating, "RATING"),
        (BuyBasis, pb.BuyBasis, "BUY_BASIS"),
        (StopReason, pb.StopReason, "STOP_REASON"),
        (SearchKind, pb.SearchKind, "SEARCH_KIND"),
        (SearchSource, pb.SearchSource, "SEARCH_SOURCE"),
        (Condition, pb.Condition, "CONDITION"),
        (Availability, pb.Availability, "AVAILABILITY"),
        (Status, keepa.ProductStatus, "PRODUCT_STATUS"),
    ],
)
def test_domain_words_and_contract_words_are_the_same(
    values: type, enum: object, prefix: str
) -> None:
    """A word without a twin fails only when somebody is answered with it."""
    names = {name for name, number in enum.items() if number}  # type: ignore[attr-defined]

    assert {f"{prefix}_{value}" for value in values} == names  # type: ignore[attr-defined]


def test_every_strategy_of_the_contract_is_known() -> None:
    """The default is balanced; the others are named."""
    assert {*requests.STRATEGIES.values(), "balanced"} == set(STRATEGIES)


def test_a_filter_comes_back_as_it_was_applied() -> None:
    """D5: filters applied, defaults filled in."""
    asked = pb.DiscoveryFilter(
        category_ids=[3], condition=pb.CONDITION_USED_GOOD, rank_range=pb.RankRange(maximum=9)
    )
    applied = responses.filter_of(requests.filter_of(asked))

    assert requests.filter_of(applied) == requests.filter_of(asked)
    assert applied.max_results == 50
    assert applied.availability == pb.AVAILABILITY_ANY


def test_an_answer_says_its_age_its_cost_and_why_it_stopped() -> None:
    """Source, age and tokens stand on every answer."""
    stop = Stop(StopReason.RATE_LIMITED, "Keepa said 429.", timedelta(seconds=46))
    tally = Tally(tokens=7, unsettled=2, stop=stop, oldest=NOW - timedelta(hours=3))

    built = responses.info(tally, 0.25, NOW)

    assert (built.token_count, built.unsettled_token_count, built.cache_hit) == (7, 2, False)
    assert built.age_duration.ToTimedelta() == timedelta(hours=3)
    assert built.stop_reason == pb.STOP_REASON_RATE_LIMITED
    assert built.retry_delay.ToTimedelta() == timedelta(seconds=46)
