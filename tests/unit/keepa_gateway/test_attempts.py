"""What a request's calls cost it, before and after that is known."""

from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest

from services.keepa_gateway.domain.answers import Status, fetched, unknown
from services.keepa_gateway.domain.attempt import Attempt, State, spent
from services.keepa_gateway.domain.outcome import Verdict


def attempt(**given: Any) -> Attempt:
    fields: dict[str, Any] = {
        "attempt_id": uuid4(), "request_id": uuid4(), "number": 0, "content": "",
        "endpoint": "product", "fingerprint": "", "subjects": ("A", "B", "C"), "found": {},
        "reservation": "reservations/1", "bound": 8, "after_sequence": 0, "state": State.ENDED,
        "verdict": Verdict.ANSWERED, "consumed": 4, "observation": None, "reason": "",
        "error": None, "started_at": datetime(2026, 11, 20, tzinfo=UTC), "ended_at": None,
        "settled": False,
    }  # fmt: skip
    return Attempt(**{**fields, **given})


@pytest.mark.parametrize(
    ("given", "tokens"),
    [
        ({}, 4),
        ({"consumed": 0}, 0),
        ({"consumed": None, "verdict": Verdict.UNKNOWN}, 8),
        ({"consumed": None, "verdict": None, "state": State.SENT}, 8),
        ({"consumed": None, "verdict": None, "state": State.FENCED}, 0),
    ],
)
def test_a_call_counts_with_its_bound_until_its_cost_is_known(
    given: dict[str, Any], tokens: int
) -> None:
    """A caller's limit is for what a request may have cost, not for what is certain."""
    assert spent([attempt(**given), attempt(consumed=3)]) == tokens + 3


def test_the_shares_of_a_cost_add_up_to_it() -> None:
    told = [one for name in "ABC" for one in fetched(name, [], attempt())]

    assert [one.tokens for one in told] == [2, 1, 1]
    assert not any(one.unsettled for one in told)


def test_products_of_an_answer_that_hides_its_cost_are_not_told_as_free() -> None:
    """What it may have cost stays held until a balance tells; so says the answer."""
    hidden = attempt(consumed=None)

    (told,) = fetched("A", [], hidden)
    (joined,) = fetched("A", [], None)

    assert (told.status, told.tokens, told.unsettled) == (Status.NOT_FOUND, 0, 3)
    assert (joined.tokens, joined.unsettled) == (0, 0)


def test_who_waited_for_another_s_call_holds_nothing_for_it() -> None:
    """Two jobs that wait for one lost answer would else report its tokens twice."""
    lost = attempt(consumed=None, verdict=Verdict.UNKNOWN)
    settled = attempt(consumed=None, verdict=Verdict.UNKNOWN, settled=True)

    assert unknown("A", lost, asked_by=lost.request_id).unsettled == 3
    assert unknown("A", lost, asked_by=uuid4()).unsettled == 0
    assert unknown("A", settled, asked_by=settled.request_id).unsettled == 0
