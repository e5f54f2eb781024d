"""The bucket behaves as 260 recorded envelopes and the worked examples say Keepa's does."""

import random
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.sandbox.bucket import TICK_MS, Bucket, sometimes_late

START = 1_800_000_000_000


def bucket(left: int, *, rate: int = 20, refill_in: int = TICK_MS) -> Bucket:
    return Bucket(rate=rate, left=left, first_tick_ms=START + refill_in)


def test_recorded_balances_are_never_above_what_the_ticks_allow(
    sample: Callable[[str], Any],
) -> None:
    """A bucket that refilled less than Keepa's would make honest clients look like cheats.

    Between two recorded envelopes other calls may have spent, so equality is the most.
    """
    rows = sample("envelopes_series.json")["rows"]
    explained = 0

    for before, after in pairwise(rows):
        replayed = Bucket(rate=5, left=before[3], first_tick_ms=sum(before[:2]) + before[4])
        replayed.advance(after[0] + after[1])
        replayed.spend(after[2])
        assert after[3] <= replayed.left
        explained += after[3] == replayed.left

    assert explained > len(rows) / 2


def test_recorded_ticks_fall_where_the_bucket_puts_them(sample: Callable[[str], Any]) -> None:
    """Next tick = timestamp + processingTimeInMs + refillIn, then every 60.2 s, nearly always."""
    rows = sample("envelopes_series.json")["rows"]
    compared = agreed = 0

    for before, after in pairwise(rows):
        replayed = Bucket(rate=5, left=before[3], first_tick_ms=sum(before[:2]) + before[4])
        ticks = replayed.advance(after[0] + after[1]).ticks
        if ticks <= 60:  # beyond an hour even rare lateness adds up
            compared += 1
            difference = abs(sum(after[:2]) + after[4] - replayed.due_ms)
            agreed += difference <= 50 * max(1, ticks)

    assert compared > 200
    assert agreed / compared > 0.97


@pytest.mark.parametrize(
    ("made_ms", "consumed", "left", "refill_in"),
    [
        (1747331334584 + 804, 5, 295, 10820),
        (1747331336733 + 7356, 6, 289, 2119),
        (1747331348238 + 7964, 3 + 6, 285, 50207),
        (1747331362544 + 7183, 3 + 6, 276, 36682),
        (1747331374931 + 6747, 3 + 6, 267, 24731),
        (1747331387110 + 11813, 3 + 6, 258, 7486),
    ],
)
def test_the_worked_example_of_six_calls(
    made_ms: int, consumed: int, left: int, refill_in: int
) -> None:
    """Each line of the table follows from the first envelope, to the millisecond."""
    spent = {1747331335388: 5, 1747331344089: 6, 1747331356202: 9, 1747331369727: 9}
    spent |= {1747331381678: 9, 1747331398923: 9}
    replayed = Bucket(rate=5, left=300, first_tick_ms=1747331346208)

    for at, tokens in spent.items():
        if at <= made_ms:
            replayed.advance(at)
            replayed.spend(tokens)

    assert replayed.left == left
    lateness = 1  # the second tick came a millisecond late
    assert abs(replayed.refill_in_ms(made_ms) - refill_in) <= lateness
    assert consumed == spent[made_ms]


def test_best_sellers_run_into_debt_as_they_were_seen_to() -> None:
    """INC-1, INC-2: a call of 50 goes through with 24 left and leaves -26."""
    probed = bucket(504)
    seen = []

    for call, tokens in enumerate([50, 0, 0, 0] + [50] * 10):
        probed.advance(START + (TICK_MS if call else 0))
        probed.spend(tokens)
        seen.append(probed.left)

    assert seen == [454, 474, 474, 474, 424, 374, 324, 274, 224, 174, 124, 74, 24, -26]


def test_a_debt_of_249_takes_fifty_ticks_of_five() -> None:
    """The recorded 429: above 0 after 45,592 + 49 x 60,200 ms and not a moment before."""
    indebted = bucket(-249, rate=5, refill_in=45_592)
    back = START + 45_592 + 49 * 60_200

    indebted.advance(back - 1)
    assert indebted.left == -4
    indebted.advance(back)
    assert indebted.left == 1


def test_ticks_run_on_at_the_full_bucket_and_are_counted_as_lost() -> None:
    """Wasted tokens are what the reseller paid for; refillIn still counts down at 300 of 300."""
    full = bucket(298, rate=5, refill_in=1_000)

    refill = full.advance(START + 1_000 + 2 * TICK_MS)

    assert (refill.ticks, refill.added, refill.overflowed) == (3, 2, 13)
    assert full.left == full.capacity == 300
    assert full.refill_in_ms(START + 1_000 + 2 * TICK_MS) == TICK_MS


def test_trackings_take_their_flow_off_the_refill() -> None:
    """A net rate of 4.1 adds whole tokens only, and loses no fraction."""
    tracked = bucket(0, rate=5)
    tracked.change_plan(rate=5, flow_reduction=0.9)

    tracked.advance(START + 10 * TICK_MS)

    assert tracked.left == 41


def test_a_smaller_plan_cuts_what_its_bucket_cannot_hold() -> None:
    """A downgrade from 20 to 5 a minute leaves 300 tokens, lost with the next tick."""
    downgraded = bucket(1_200)
    downgraded.change_plan(rate=5, flow_reduction=0.0)

    downgraded.advance(START + TICK_MS)

    assert downgraded.left == 300


def test_late_ticks_are_as_late_as_recorded() -> None:
    """Up to 46 ms now and then, 267 ms once in a long while; a short tick is late in proportion."""
    lateness = sometimes_late(random.Random(3), TICK_MS)
    drawn = [lateness() for _ in range(5_000)]

    assert max(drawn) == 267
    assert 0.03 < sum(late > 5 for late in drawn) / len(drawn) < 0.1
    assert max(sometimes_late(random.Random(3), 602)() for _ in range(5_000)) <= 3


@given(
    steps=st.lists(st.tuples(st.integers(0, 200_000), st.integers(0, 700)), max_size=40),
    rate=st.integers(1, 250),
)
def test_nothing_is_gained_or_lost_unseen(steps: list[tuple[int, int]], rate: int) -> None:
    """The balance is what there was, plus what ticks added, less what was spent; never too much."""
    tested = bucket(10, rate=rate)
    now, added, spent = START, 0, 0

    for pause, tokens in steps:
        now += pause
        added += tested.advance(now).added
        assert tested.left <= tested.capacity
        tested.spend(tokens)
        spent += tokens

    assert tested.left == 10 + added - spent
    assert now < tested.due_ms <= now + TICK_MS
