"""Short cuts of the arithmetic give what the long way gives, to the cent and to the week."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from arbitragevault.keepa_gateway.v1 import keepa_gateway_pb2 as pb
from hypothesis import given
from hypothesis import strategies as st

from services.discovery.clients.facts import facts
from services.discovery.domain.product import Kind, Series
from services.discovery.domain.scoring.history import SECONDS_PER_WEEK, weeks_with_drops
from services.discovery.domain.scoring.money import cents, share
from services.discovery.domain.scoring.score import score
from services.discovery.domain.scoring.terms import STRATEGIES, Terms

AS_OF = datetime(2026, 5, 1, tzinfo=UTC)
WEEKS = 13


@given(
    amount=st.integers(-10_000_000, 10_000_000),
    percent=st.decimals(-50, 200, places=3, allow_nan=False),
)
def test_a_share_in_whole_numbers_is_the_share_in_decimals(amount: int, percent: Decimal) -> None:
    """Every fee of every score goes through it: half up, away from nothing, also below it."""
    assert share(amount, percent) == cents(amount * percent / 100)


@given(st.lists(st.tuples(st.integers(0, 15 * SECONDS_PER_WEEK), st.integers(-1, 9)), max_size=60))
def test_weeks_are_counted_as_by_looking_at_every_point(points: list[tuple[int, int]]) -> None:
    """A week that says early that something was sold need not be read to its end."""
    start = int(AS_OF.timestamp()) - WEEKS * SECONDS_PER_WEEK
    points = sorted((start - SECONDS_PER_WEEK + second, rank) for second, rank in points)
    series = Series([second for second, _ in points], [rank for _, rank in points])
    before, seen = 0, set()
    for second, rank in points:
        if 0 < rank < before and start <= second <= AS_OF.timestamp():
            seen.add(min((second - start) // SECONDS_PER_WEEK, WEEKS - 1))
        before = rank

    assert weeks_with_drops(series, AS_OF, WEEKS) == len(seen) / WEEKS


def test_old_history_that_is_not_read_changes_no_score() -> None:
    """Nine years of a rank are read as the last one, with the value that held at its start."""
    product = pb.Product(asin="B000000001", title="Old", root_category_id=283155)
    product.update_time.FromDatetime(AS_OF - timedelta(hours=2))
    days = [int((AS_OF - timedelta(days=7 * week)).timestamp()) for week in range(480, 0, -1)]
    news = [4000 + 37 * (week % 11) for week in range(480)]
    ranks = [90_000 - 900 * (week % 7) for week in range(480)]
    product.series.add(name="NEW", times=days, values=news)
    product.series.add(name="SALES", times=days, values=ranks)
    read = facts(product)
    whole = replace(
        read, series={Kind.NEW: Series(days, news), Kind.SALES_RANK: Series(days, ranks)}
    )

    assert len(read.series[Kind.NEW].times) < 60
    for strategy in STRATEGIES.values():
        terms = Terms(strategy=strategy)
        assert score(read, terms, AS_OF).encode() == score(whole, terms, AS_OF).encode()
