"""Claims about when a stored product is good enough (G3)."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.keepa_gateway.domain.products_request import ProductOptions
from services.keepa_gateway.domain.snapshot import Snapshot, best, covers
from services.keepa_gateway.storage.snapshots import options_of, profile

NOW = datetime(2026, 11, 20, tzinfo=UTC)


def options(**given: object) -> ProductOptions:
    return ProductOptions(**{"stats_days": 0, "history": False, **given})


def snapshot(age_hours: float, *, known: bool = True, **given: object) -> Snapshot:
    return Snapshot(
        domain=1,
        asin="0593655036",
        options=options(**given),
        fetched_at=NOW - timedelta(hours=age_hours),
        known=known,
        product=b"",
        raw=b"",
    )


@pytest.mark.parametrize(
    ("stored", "asked", "enough"),
    [
        ({}, {}, True),
        ({}, {"history": True}, False),
        ({"history": True}, {"history": True, "history_days": 30}, True),
        ({"history": True, "history_days": 90}, {"history": True, "history_days": 30}, True),
        ({"history": True, "history_days": 90}, {"history": True}, False),
        ({"stats_days": 90}, {"stats_days": 90}, True),
        ({"stats_days": 90}, {"stats_days": 365}, False),
        ({"stats_days": 90}, {}, True),
        ({"offers": 40}, {"offers": 20}, True),
        ({"offers": 20}, {"offers": 40}, False),
        ({"offers": 20, "only_live_offers": True}, {"offers": 20}, False),
        ({"offers": 20}, {"buybox": True, "rating": True}, True),
        ({}, {"buybox": True}, False),
        ({"offers": 20}, {"offers": 20, "stock": True}, False),
    ],
)
def test_a_richer_answer_serves_a_poorer_question(
    stored: dict[str, object], asked: dict[str, object], *, enough: bool
) -> None:
    assert covers(options(**stored), options(**asked)) is enough


def test_the_newest_fitting_snapshot_is_given() -> None:
    old, new, poor = snapshot(5, offers=20), snapshot(2, offers=20), snapshot(1)

    found = best([old, new, poor], options(offers=20), not_before=NOW - timedelta(hours=24))

    assert found is new


def test_too_old_is_not_given() -> None:
    assert best([snapshot(25)], options(), not_before=NOW - timedelta(hours=24)) is None


def test_a_product_keepa_does_not_know_is_not_paid_for_again() -> None:
    unknown = snapshot(1, known=False)

    assert best([unknown], options(offers=100), not_before=NOW - timedelta(hours=24)) is unknown


all_options = st.builds(
    ProductOptions,
    history=st.booleans(),
    history_days=st.sampled_from([0, 30, 365]),
    stats_days=st.sampled_from([0, 90]),
    offers=st.sampled_from([0, 20, 100]),
    only_live_offers=st.booleans(),
    stock=st.booleans(),
    buybox=st.booleans(),
    rating=st.booleans(),
    videos=st.booleans(),
    aplus=st.booleans(),
    historical_variations=st.booleans(),
    update_hours=st.none() | st.integers(-1, 48),
)


@given(all_options, all_options)
def test_the_name_of_options_tells_what_they_cover(
    stored: ProductOptions, asked: ProductOptions
) -> None:
    """Products are read by that name alone."""
    read = options_of(profile(stored.parameters()))

    assert covers(read, asked) == covers(stored, asked)
    assert read.parameters() == stored.parameters()
