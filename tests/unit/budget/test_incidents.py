"""Each incident of the first product, told to the ledger as it happened, and what it says now."""

from services.budget.domain.rules import Kind, Stage
from tests.unit.budget.support import Book, asked, granted, opened, refused


def test_inc_1_a_rate_limited_caller_still_needs_tokens() -> None:
    """INC-1: the balance went to -31; a pace below the limit proved nothing about tokens."""
    book = opened(40)

    outcomes = [book.reserve(1) for _ in range(71)]

    assert [granted(each).stage for each in outcomes[:30]] == [Stage.HELD] * 30
    first = refused(outcomes[30], "INSUFFICIENT_TOKENS")
    assert first.facts == {"balance": 10, "required": 11, "deficit": 1}
    assert book.available == 10


def test_inc_2_a_call_reserves_its_price_not_one_token() -> None:
    """INC-2: bestsellers cost 50 and took 1 from the throttle; the balance went to -74."""
    book = opened(24)

    outcome = book.reserve(50)

    facts = refused(outcome, "INSUFFICIENT_TOKENS").facts
    assert facts == {"balance": 24, "required": 60, "deficit": 36}


def test_inc_3_nothing_is_granted_before_the_first_balance() -> None:
    """INC-3: an optimistic 200, and a fallback of 110 after a failed check, made -25."""
    book = Book()

    refused(book.reserve(1), "BALANCE_UNKNOWN")
    book.see(-5)
    refused(book.reserve(1), "INSUFFICIENT_TOKENS")
    book.see(366, arrived_ms=book.stated(0).arrived_ms + 1)
    book.pass_time(181)

    refused(book.reserve(1), "BALANCE_UNKNOWN")


def test_inc_7_two_workers_see_one_balance() -> None:
    """INC-7: 98 against -44.9 against the true 4; what one takes the other misses at once."""
    book = opened(104)

    granted(book.reserve(94, caller="one"))

    facts = refused(book.reserve(1, caller="two"), "INSUFFICIENT_TOKENS").facts
    assert facts == {"balance": 10, "required": 11, "deficit": 1}


def test_inc_8_what_exceeds_the_bucket_is_refused_at_once() -> None:
    """INC-8: 450 were needed, the bucket holds 300, and the caller waited for ever."""
    book = opened(300, rate=5)

    never = refused(book.reserve(450), "COST_EXCEEDS_CAPACITY")
    on_the_edge = refused(book.reserve(291), "COST_EXCEEDS_CAPACITY")
    largest = book.reserve(290)

    assert never.facts == {"required": 460, "capacity": 300}
    assert never.retry_after is on_the_edge.retry_after is None
    assert granted(largest).terms.tokens == 290


def test_inc_8_is_known_even_while_the_balance_is_not() -> None:
    """The capacity was learned; an outage of the balance does not make the call possible."""
    book = opened(300, rate=5)
    book.pass_time(1000)

    refused(book.reserve(450), "COST_EXCEEDS_CAPACITY")


def test_a_stranger_under_a_held_envelope_cannot_make_debt() -> None:
    """The envelope was granted on tokens that somebody else has spent since."""
    book = opened(210)
    envelope = granted(book.reserve(200, kind=Kind.ENVELOPE))
    book.pass_time(1)
    book.see(60)

    draw = refused(book.reserve(51, parent=envelope.id), "INSUFFICIENT_TOKENS")

    assert draw.facts == {"balance": 60, "required": 61, "deficit": 1}
    assert granted(book.reserve(50, parent=envelope.id)).stage is Stage.HELD
    assert asked(1).required == 11
