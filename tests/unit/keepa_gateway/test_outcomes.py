"""Claims about which answers spent tokens, and which state a balance."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from services.keepa_gateway.domain import bodies
from services.keepa_gateway.domain.calls import TOKEN_CALL, Call
from services.keepa_gateway.domain.envelope import Observation
from services.keepa_gateway.domain.list_requests import BestSellersRequest
from services.keepa_gateway.domain.outcome import Outcome, Verdict, judge, unreadable, unusable
from services.keepa_gateway.domain.products_request import ProductsRequest
from services.keepa_gateway.storage import rows

NOW = datetime(2025, 9, 16, 15, 31, 37, tzinfo=UTC)
PRODUCT = ProductsRequest(domain=1, asins=("0593655036",)).call()
GOOD = {
    "timestamp": round(NOW.timestamp() * 1000),
    "tokensLeft": 285,
    "refillIn": 50207,
    "refillRate": 5,
    "tokenFlowReduction": 0.0,
    "tokensConsumed": 6,
    "processingTimeInMs": 7964,
}
ZERO = {**GOOD, "tokensLeft": 0, "refillIn": 0, "refillRate": 0, "tokensConsumed": 0}
ERROR = {"type": "invalidParameter", "message": "No.", "details": None}


def outcome(body: dict[str, object], status: int = 200, call: Call = PRODUCT) -> Outcome:
    raw = msgspec.json.encode(body)
    fields = set(msgspec.json.decode(raw))
    return judge(call, status, bodies.envelope(raw), fields, NOW)


def test_a_good_answer_is_booked_at_what_it_says() -> None:
    answered = outcome({**GOOD, "products": []})

    assert answered.verdict is Verdict.ANSWERED
    assert answered.consumed == 6
    assert answered.observation is not None
    assert answered.observation.tokens_left == 285
    assert answered.observation.capacity == 300


def test_an_error_with_status_200_is_a_refusal() -> None:
    """G8: Keepa answered 200 to offers=10, with an error and no products."""
    rejected = outcome({**GOOD, "tokensConsumed": 0, "error": ERROR})

    assert rejected.verdict is Verdict.REJECTED
    assert rejected.consumed == 0
    assert rejected.observation is not None


def test_an_answer_without_the_wanted_field_is_no_success() -> None:
    assert outcome(GOOD).verdict is Verdict.REJECTED


def test_an_error_is_told_in_characters_that_can_be_stored() -> None:
    """PostgreSQL takes no character 0, and with the outcome its cost would be lost."""
    error = {"type": "a\x00b", "message": "c\nd", "details": ["e\x00"]}

    rejected = outcome({**GOOD, "error": error})
    stored = rows.error(rejected.error)

    assert rejected.reason == "Keepa rejected the request with HTTP 200. a b: c d (['e\\x00'])"
    assert stored == {"type": "a b", "message": "c d", "details": "['e\\x00']"}


def test_an_answer_of_no_use_costs_what_it_says() -> None:
    """Where it does not say, it may have cost something, and nobody asks again by himself."""
    priced = outcome({**GOOD, "products": []})
    silent = outcome(
        {name: value for name, value in GOOD.items() if name != "tokensConsumed"} | {"products": []}
    )

    assert (unusable(priced, "No.").verdict, unusable(priced, "No.").consumed) == (
        Verdict.FAILED,
        6,
    )
    assert silent.verdict is Verdict.ANSWERED
    assert (unusable(silent, "No.").verdict, unusable(silent, "No.").consumed) == (
        Verdict.UNKNOWN,
        None,
    )


def test_a_category_without_a_list_is_an_empty_answer() -> None:
    call = BestSellersRequest(domain=1, category=5).call()

    assert outcome({**GOOD, "tokensConsumed": 0}, call=call).verdict is Verdict.ANSWERED


def test_a_bare_429_costs_nothing_and_states_the_debt() -> None:
    """INC-4: the body holds the balance, -249 on a bucket of 300."""
    limited = outcome({**GOOD, "tokensLeft": -249, "tokensConsumed": 0}, status=429)

    assert limited.verdict is Verdict.RATE_LIMITED
    assert limited.consumed == 0
    assert limited.observation is not None
    assert limited.observation.tokens_left == -249


@pytest.mark.parametrize("status", [200, 400])
def test_an_all_zero_envelope_is_a_bad_key_and_no_balance(status: int) -> None:
    """G8: read as a balance of 0 it would have stopped everybody for the wrong reason."""
    rejected = outcome({**ZERO, "error": ERROR}, status=status)

    assert rejected.verdict is Verdict.KEY_REJECTED
    assert rejected.consumed == 0
    assert rejected.observation is None


@pytest.mark.parametrize("status", [401, 402, 403])
def test_a_refused_key_latches_whatever_the_body(status: int) -> None:
    assert outcome(GOOD, status=status).verdict is Verdict.KEY_REJECTED
    assert unreadable(status).verdict is Verdict.KEY_REJECTED


def test_a_wrong_path_is_neither_a_balance_nor_a_bad_key() -> None:
    """keepacom/api_backend#25: a default body with 0 tokens left was misread as an empty bucket."""
    lost = outcome(ZERO, status=404)

    assert lost.verdict is Verdict.REJECTED
    assert lost.observation is None


def test_a_failure_that_says_its_cost_is_booked() -> None:
    failed = outcome(GOOD, status=500)

    assert failed.verdict is Verdict.FAILED
    assert failed.consumed == 6


@pytest.mark.parametrize("status", [200, 500, 502, 404])
def test_an_unreadable_answer_may_have_been_paid(status: int) -> None:
    """G5: never released, never sent again."""
    assert unreadable(status).verdict is Verdict.UNKNOWN
    assert unreadable(status).consumed is None


@pytest.mark.parametrize("consumed", [None, "6", 6.5, -1, 10**9, True])
def test_a_cost_that_cannot_be_true_is_not_booked(consumed: object) -> None:
    failed = outcome({**GOOD, "tokensConsumed": consumed}, status=500)
    answered = outcome({**GOOD, "tokensConsumed": consumed, "products": []})

    assert failed.verdict is Verdict.UNKNOWN
    assert answered.verdict is Verdict.ANSWERED
    assert answered.consumed is None


@pytest.mark.parametrize(
    "lie",
    [
        {"tokensLeft": "285"},
        {"tokensLeft": 285.5},
        {"tokensLeft": -(10**9)},
        {"tokensLeft": 301},
        {"tokensLeft": None},
        {"tokensLeft": True},
        {"refillRate": 0},
        {"refillRate": -5},
        {"refillIn": 10**9},
        {"refillIn": -1},
        {"processingTimeInMs": -1},
        {"timestamp": round((NOW + timedelta(days=1)).timestamp() * 1000)},
        {"timestamp": 0},
        {"tokenFlowReduction": -1.0},
        {"tokenFlowReduction": "none"},
        {"tokenFlowReduction": 1e300},
        {"tokenFlowReduction": 2**63},
    ],
)
def test_an_implausible_value_is_no_observation(lie: dict[str, object]) -> None:
    """A lie that is newest by Keepa's time would otherwise be believed for good."""
    lying = outcome({**GOOD, **lie, "products": []})

    assert lying.observation is None
    assert lying.verdict is Verdict.ANSWERED


def test_a_number_of_any_length_is_only_implausible() -> None:
    """To be unable to judge an answer would lose what it says of its cost."""
    whole = msgspec.json.encode({**GOOD, "tokenFlowReduction": "LONG"})

    envelope = bodies.envelope(whole.replace(b'"LONG"', b"1" + 400 * b"0"))

    assert envelope.observation(NOW) is None
    assert envelope.consumed == 6


def test_a_token_answer_is_a_balance() -> None:
    answer = outcome({**GOOD, "tokensConsumed": 0}, call=TOKEN_CALL)

    assert answer.verdict is Verdict.ANSWERED
    assert isinstance(answer.observation, Observation)


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"[1]", b"{", b'{"a":NaN}', b'{"a":' + b"[" * 10**6, b"\xff\xfe"]
)
def test_what_is_no_answer_is_said_to_be_none(body: bytes) -> None:
    with pytest.raises(bodies.BrokenBody):
        bodies.envelope(body)
