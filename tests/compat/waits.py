"""At an empty bucket the package sleeps until the tick and asks again, or gives up at once."""

import threading
import time
from typing import Any

import pytest
from driving import Driven, Stand

PATIENCE_SECONDS = 60


def refusals(stand: Stand) -> int:
    return sum(line["status"] == 429 for line in stand.truth())


def empty(stand: Stand) -> None:
    """Stop the clock and spend all there is, to the last token."""
    stand.post("clock", scale=0)
    left = stand.balance()["tokensLeft"]
    if left > 0:
        stand.post("faults", fault="foreign_spend", tokens=left)


def answered_after_refill(scarce: Driven) -> None:
    """Ask in a thread, and let time run only once the 429 has been given."""
    already, answers = refusals(scarce.stand), list[Any]()
    asking = threading.Thread(
        target=lambda: answers.extend(scarce.api.query("B000000000", progress_bar=False))
    )
    asking.start()
    until = time.monotonic() + PATIENCE_SECONDS
    while refusals(scarce.stand) == already:
        assert time.monotonic() < until, "no 429 came"
        time.sleep(0.02)
    assert not answers
    scarce.stand.post("clock", scale=1)
    asking.join(PATIENCE_SECONDS)
    assert not asking.is_alive(), "it still waits"
    assert [answer["asin"] for answer in answers] == ["B000000000"]


def test_at_zero_it_sleeps_until_the_tick_and_asks_again(scarce: Driven) -> None:
    """It sleeps, and its second try is answered."""
    empty(scarce.stand)
    answered_after_refill(scarce)


def test_in_debt_it_sleeps_until_the_debt_is_paid(scarce: Driven) -> None:
    """It waits for the ticks that pay it, too."""
    empty(scarce.stand)
    scarce.stand.post("faults", fault="foreign_spend", tokens=25)
    assert scarce.stand.balance()["tokensLeft"] == -25
    answered_after_refill(scarce)


def test_without_wait_it_gives_up_after_one_request(scarce: Driven) -> None:
    """NOT_ENOUGH_TOKEN at once, after one request."""
    empty(scarce.stand)
    already = refusals(scarce.stand)
    with pytest.raises(RuntimeError, match="NOT_ENOUGH_TOKEN"):
        scarce.api.query("B000000000", wait=False, progress_bar=False)
    assert refusals(scarce.stand) == already + 1


def test_no_refused_request_was_charged(scarce: Driven) -> None:
    """All of them together consumed nothing."""
    refused = [line for line in scarce.stand.truth() if line["status"] == 429]
    assert len(refused) >= 3
    assert {line["tokensConsumed"] for line in refused} == {0}
