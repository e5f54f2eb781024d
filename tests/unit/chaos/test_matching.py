"""The auditor's pairing of what Keepa charged with what the gateway had held for it."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from tests.chaos.matching import unexplained

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


def charged(asins: str, tokens: int, *, after: float = 1.0) -> dict[str, Any]:
    return {
        "seq": 7,
        "path": "/product",
        "params": {"asin": asins},
        "arrived_ms": (NOON + timedelta(seconds=after)).timestamp() * 1_000,
        "tokensConsumed": tokens,
    }


def attempt(*asins: str, consumed: int | None, call_id: UUID | None = None) -> dict[str, Any]:
    return {
        "attempt_id": uuid4(),
        "call_id": call_id,
        "endpoint": "product",
        "subjects": list(asins),
        "held_at": NOON,
        "started_at": NOON,
        "give_up_at": NOON + timedelta(seconds=30),
        "consumed": consumed,
    }


def test_a_call_that_was_held_for_explains_its_charge() -> None:
    assert not unexplained([charged("A,B", 2)], [attempt("A", "B", consumed=2)])


def test_several_payers_of_one_call_explain_one_charge() -> None:
    """Their parts add up; each of them alone explains nothing."""
    call = uuid4()
    parts = [attempt("A", consumed=1, call_id=call), attempt("B", consumed=1, call_id=call)]

    assert not unexplained([charged("B,A", 2)], parts)
    assert unexplained([charged("B,A", 2)], parts[:1])


def test_a_second_charge_under_one_call_is_left_over() -> None:
    """INV-12: paid twice is found, whoever paid."""
    twice = [charged("A", 1), charged("A", 1, after=2)]

    assert len(unexplained(twice, [attempt("A", consumed=1)])) == 1


def test_a_charge_before_its_hold_or_of_another_size_is_unexplained() -> None:
    """INV-11: tokens are held first; S3: what is booked is what was charged."""
    assert unexplained([charged("A", 1, after=-1)], [attempt("A", consumed=1)])
    assert unexplained([charged("A", 1, after=31)], [attempt("A", consumed=1)])
    assert unexplained([charged("A", 2)], [attempt("A", consumed=1)])
    assert not unexplained([charged("A", 2)], [attempt("A", consumed=None)])
