"""Claims about when a stored product is good enough (G3)."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.keepa_gateway.domain.product import KeepaProduct
from services.keepa_gateway.domain.products_request import ProductOptions
from services.keepa_gateway.domain.snapshot import (
    FAILED_LOOK_HOLDS,
    Snapshot,
    best,
    covers,
    repeated,
    unread,
)
from services.keepa_gateway.storage.snapshots import name_of, options_of, was_unread

NOW = datetime(2026, 11, 20, tzinfo=UTC)
YESTERDAY = NOW - timedelta(hours=24)


def options(**given: object) -> ProductOptions:
    return ProductOptions(**{"stats_days": 0, "history": False, **given})


def snapshot(
    age_hours: float, *, known: bool = True, failed: bool = False, **given: object
) -> Snapshot:
    return Snapshot(
        domain=1,
        asin="0593655036",
        options=options(**given),
        fetched_at=NOW - timedelta(hours=age_hours),
        known=known,
        product=b"",
        raw=b"",
        unread=failed,
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


def test_offers_that_could_not_be_read_are_told_from_offers_nobody_asked_for() -> None:
    """Keepa says false to both; a product that it does not know has none to read."""
    failed, read = KeepaProduct("A", offers_successful=False), KeepaProduct("A")
    read.offers_successful = True

    assert unread(options(offers=20), failed)
    assert not unread(options(offers=20), read)
    assert not unread(options(), failed)
    assert not unread(options(offers=20), KeepaProduct("A", product_type=4))


def test_a_failed_look_never_stands_before_offers_that_were_paid_for() -> None:
    """What was bought for 6 tokens is not lost to an answer that cost 1."""
    rich, failed = snapshot(20, offers=20), snapshot(0.1, offers=20, failed=True)

    found = best([failed, rich], options(offers=20), not_before=YESTERDAY, now=NOW)

    assert found is rich


def test_a_failed_look_answers_for_everything_but_the_offers() -> None:
    """Its prices and ranks are new, and paid for."""
    rich, failed = snapshot(20, stats_days=90), snapshot(2, stats_days=90, offers=20, failed=True)

    assert best([rich, failed], options(stats_days=90), not_before=YESTERDAY) is failed
    for with_offers in ({"offers": 20}, {"buybox": True}, {"rating": True}):
        assert best([failed], options(**with_offers), not_before=YESTERDAY) is None


@pytest.mark.parametrize(("age_hours", "answers"), [(0.9, True), (1.1, False)])
def test_that_offers_cannot_be_read_is_not_paid_for_twice_within_an_hour(
    age_hours: float, *, answers: bool
) -> None:
    """Later it is tried again, and so it is at once for who asks for nothing stored."""
    failed = snapshot(age_hours, offers=20, failed=True)

    found = best([failed], options(offers=20), not_before=YESTERDAY, now=NOW)

    assert (found is failed) is answers
    assert timedelta(hours=1) == FAILED_LOOK_HOLDS
    assert best([failed], options(offers=20), not_before=NOW, now=NOW) is None
    assert best([failed], options(offers=40), not_before=YESTERDAY, now=NOW) is None


def test_a_failed_look_is_repeated_as_it_was() -> None:
    """To who asked for nothing stored, older offers would pass for new ones."""
    rich, failed = snapshot(5, offers=20), snapshot(1, offers=20, failed=True)

    again = repeated([rich, failed], options(offers=20), since=NOW - timedelta(hours=1.01))

    assert again is failed


def test_offers_are_repeated_though_a_later_look_failed() -> None:
    rich, failed = snapshot(5, offers=20), snapshot(1, offers=20, failed=True)

    again = repeated([rich, failed], options(offers=20), since=NOW - timedelta(hours=5.01))

    assert again is rich


def test_what_was_answered_is_repeated_by_clocks_that_differ() -> None:
    """A moment before it was asked by one clock is no reason to have no answer."""
    rich, poor = snapshot(5, offers=20), snapshot(1)

    assert repeated([rich, poor], options(offers=20), since=NOW - timedelta(hours=4.99)) is rich
    assert repeated([poor], options(offers=20), since=YESTERDAY) is None


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
    read = options_of(name_of(stored, unread=False))

    assert covers(read, asked) == covers(stored, asked)
    assert read.parameters() == stored.parameters()


@given(asked=all_options, failed=st.booleans())
def test_the_name_of_a_failed_look_tells_that_it_failed(
    *, asked: ProductOptions, failed: bool
) -> None:
    """It has a row of its own, beside the one whose offers were read."""
    name, other = name_of(asked, unread=failed), name_of(asked, unread=not failed)

    assert (was_unread(name), was_unread(other)) == (failed, not failed)
    assert options_of(name).parameters() == asked.parameters()
