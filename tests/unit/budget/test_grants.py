"""Who gets tokens and when: floors, gates, exact waits, envelopes, and the queue."""

from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from services.budget.domain.commands import Commit, Reserve
from services.budget.domain.reservation import Tags, Terms
from services.budget.domain.rules import Kind, Priority, Reason, Rules, Stage
from tests.unit.budget.support import (
    BACKGROUND,
    ENVELOPE,
    JOB,
    Book,
    asked,
    granted,
    opened,
    refused,
)

INSTANT = timedelta(microseconds=1)
A_MINUTE = timedelta(seconds=60)


@pytest.mark.parametrize(
    ("priority", "floor"), [(Priority.INTERACTIVE, 10), (JOB, 10), (BACKGROUND, 50)]
)
def test_each_priority_leaves_its_floor(priority: Priority, floor: int) -> None:
    """T4, INV-1: one token more than the floor allows is one too many."""
    book = opened(100)

    facts = refused(book.reserve(101 - floor, priority=priority), "INSUFFICIENT_TOKENS").facts
    granted(book.reserve(100 - floor, priority=priority))

    assert facts == {"balance": 100, "required": 101, "deficit": 1}
    assert book.available == floor


def test_a_gate_asks_for_more_than_the_cost() -> None:
    """T4: a job of 5 tokens starts only when 50 are there."""
    short = opened(49).reserve(5, gate=50, kind=ENVELOPE)
    enough = opened(50).reserve(5, gate=50, kind=ENVELOPE)

    facts = refused(short, "INSUFFICIENT_TOKENS").facts
    assert facts == {"balance": 49, "required": 50, "deficit": 1}
    assert granted(enough).stage is Stage.HELD


def test_waiting_as_long_as_told_is_enough_and_an_instant_less_is_not() -> None:
    """T8: the wait is the tick model's, to the microsecond."""
    book = opened(20)
    granted(book.reserve(10))
    refusal = refused(book.reserve(25), "INSUFFICIENT_TOKENS")

    book.now += refusal.retry_after - INSTANT
    almost = refused(book.reserve(25), "INSUFFICIENT_TOKENS")
    book.now += INSTANT

    assert almost.retry_after == INSTANT
    granted(book.reserve(25))


def test_only_certain_ticks_count() -> None:
    """A tick came 267 ms late once; 300 ms after the announced moment it is certain."""
    book = Book()
    book.see(100, refill_in_ms=5_000)
    tick = book.now + timedelta(seconds=5.3)

    book.now = tick - INSTANT
    before = book.available
    book.now = tick
    after = book.available
    book.now = tick + timedelta(seconds=60.25) - INSTANT
    still = book.available
    book.now += INSTANT

    assert (before, after, still, book.available) == (100, 120, 120, 140)


def test_the_bucket_is_clamped_before_anything_is_subtracted() -> None:
    """A hold does not make room for a refill that the full bucket cannot take."""
    book = opened(1190)
    granted(book.reserve(100))

    book.pass_time(130)

    assert book.available == 1200 - 100


def test_flow_reduction_slows_the_refill() -> None:
    """Trackings take 0.9 tokens a minute each; a tick adds the whole tokens accumulated."""
    book = Book()
    book.see(100, refill_rate=5, refill_in_ms=0, flow_reduction_milli=900)

    gains = []
    for _ in range(3):
        book.pass_time(60.3)
        gains.append(book.available - 100)

    assert gains == [4, 8, 12]
    assert book.state.anchor.observation.gain(10) == 41


def test_a_debt_that_no_tick_pays_is_told_without_a_time() -> None:
    """T8: trackings take all of the refill; no wait is promised, and none is endless."""
    book = Book()
    book.see(-31, flow_reduction_milli=20_000)

    refusal = refused(book.reserve(1), "INSUFFICIENT_TOKENS")
    queued = granted(book.reserve(1, max_wait=timedelta(seconds=70)))
    book.pass_time(71)
    book.sweep()

    assert refusal.retry_after is None
    assert refusal.facts == {"balance": -31, "required": 11, "deficit": 42}
    assert (queued.stage, queued.promised_at) == (Stage.WAITING, None)
    assert book.view(queued).stage is Stage.RELEASED
    assert book.available == -31


def test_a_step_of_the_clock_grants_nothing() -> None:
    """S9: forward it makes the balance stale, backward unknown; neither adds tokens."""
    book = opened(20)
    book.now += timedelta(hours=1)
    refused(book.reserve(1), "BALANCE_UNKNOWN")

    book.now -= timedelta(hours=2)

    refused(book.reserve(1), "BALANCE_UNKNOWN")


def test_a_time_far_ahead_of_ours_is_not_believed() -> None:
    """One lying timestamp would stay the newest observation for ever."""
    book = opened(100)

    believed = book.see(1000, arrived_ms=book.stated(0).arrived_ms + 601_000)

    assert not believed
    assert book.available == 100


def test_a_refusal_says_what_the_tokens_were_for() -> None:
    """T8: who reads it must know which action to put off."""
    tags = Tags(action="manual_search", endpoint="query")
    terms = Terms(id=uuid4(), tokens=11, tags=tags)

    facts = refused(opened(20).do(Reserve(terms=terms)), "INSUFFICIENT_TOKENS").facts

    assert (facts["action"], facts["endpoint"]) == ("manual_search", "query")


def test_an_envelope_returns_what_its_children_leave() -> None:
    """The account is charged once; what a call does not use can be drawn again."""
    book = opened(500)
    envelope = granted(book.reserve(100, kind=ENVELOPE))
    first = granted(book.reserve(60, parent=envelope.id))
    exhausted = refused(book.reserve(41, parent=envelope.id), "ENVELOPE_EXHAUSTED")
    book.pass_time(1)

    book.commit(first, 20, left=480)

    assert exhausted.facts == {"state": "HELD", "remaining": 40, "required": 41}
    assert book.view(envelope).rest == 80
    assert book.available == 480 - 80
    granted(book.reserve(80, parent=envelope.id))


def test_an_overrun_takes_from_the_envelope_first_then_from_the_account() -> None:
    """A call that cost more than held is paid by its job as far as that goes."""
    book = opened(500)
    envelope = granted(book.reserve(100, kind=ENVELOPE))
    call = granted(book.reserve(10, parent=envelope.id))

    booked = granted(book.commit(call, 130))

    assert booked.overrun == 120
    assert book.view(envelope).rest == 0
    assert book.available == 500 - 130
    assert book.total("Overrun") == 120


def test_the_children_of_an_ended_envelope_move_to_the_account() -> None:
    """A job is over, its calls under way are not: they stay subtracted, one by one."""
    book = opened(500)
    envelope = granted(book.reserve(100, kind=ENVELOPE))
    call = granted(book.reserve(30, parent=envelope.id))

    ended = granted(book.release(envelope, Reason.FINISHED))
    refused(book.reserve(1, parent=envelope.id), "RESERVATION_ENDED")

    assert ended.stage is Stage.RELEASED
    assert ended.unsettled == 30, "its cost is not the last word while a call is out"
    assert book.available == 470
    book.release(call)
    assert book.view(envelope).unsettled == 0
    assert book.available == 500


def test_an_expired_envelope_gives_nothing_even_before_its_sweep() -> None:
    """The fence closes by the clock, not by when somebody looks."""
    book = opened(500)
    envelope = granted(book.reserve(100, kind=ENVELOPE, hold=timedelta(seconds=60)))

    book.pass_time(60)

    facts = refused(book.reserve(1, parent=envelope.id), "RESERVATION_ENDED").facts
    assert facts == {"state": "RELEASED", "remaining": 0}
    book.sweep()
    assert book.view(envelope).stage is Stage.RELEASED
    assert book.available == book.state.balance(book.now)


def test_a_repeated_request_gets_its_first_answer_whatever_happened_since() -> None:
    """INV-2: a crashed caller that asks again learns what it was told, not what became of it."""
    book = opened(500)
    command = Reserve(terms=asked(10))
    first = book.do(command).answer
    book.release(first)

    again = book.do(command)

    assert again.answer == first
    assert again.entries == ()


def test_the_comparison_of_content_leaves_out_how_long_to_wait() -> None:
    """A retry has less time left than the first try; it is the same request."""
    book = opened(500)
    terms = asked(10)
    first = book.do(Reserve(terms=terms)).answer

    again = book.do(Reserve(terms=terms, max_wait=A_MINUTE))

    assert again.answer == first


def test_a_refusal_does_not_bind_the_request() -> None:
    """The same id may be tried again later, and even with less."""
    book = opened(15)
    key = asked(1).id
    refused(book.reserve(30, id=key), "INSUFFICIENT_TOKENS")

    granted(book.reserve(5, id=key))


def test_a_smaller_request_passes_only_if_the_promise_of_the_head_holds() -> None:
    """Fairness: many small callers must not starve a large one; idle tokens must not be idle."""
    book = opened(60)
    head = granted(book.reserve(75, max_wait=3 * A_MINUTE))
    assert head.stage is Stage.WAITING

    slack = book.reserve(15)
    delaying = refused(book.reserve(1), "INSUFFICIENT_TOKENS")

    assert granted(slack).stage is Stage.HELD
    assert delaying.facts == {"balance": 45, "required": 86, "deficit": 41}
    book.now = head.promised_at
    book.admit()
    assert book.view(head).stage is Stage.HELD


def test_a_higher_priority_passes_the_queue() -> None:
    """A person waits; a schedule can wait."""
    book = opened(60)
    background = granted(book.reserve(40, priority=BACKGROUND, max_wait=A_MINUTE))

    granted(book.reserve(50))

    assert book.view(background).stage is Stage.WAITING


def test_the_queue_is_fair_by_tokens_per_caller() -> None:
    """A caller that holds much waits behind one that holds nothing."""
    book = opened(100)
    granted(book.reserve(90, caller="greedy"))
    head = granted(book.reserve(5, caller="other", max_wait=A_MINUTE * 2))
    greedy = granted(book.reserve(15, caller="greedy", max_wait=A_MINUTE * 2))
    modest = granted(book.reserve(15, caller="modest", max_wait=A_MINUTE * 2))

    book.now = modest.promised_at
    book.admit()

    assert [book.view(each).stage for each in (head, modest)] == [Stage.HELD] * 2
    assert book.view(greedy).stage is Stage.WAITING


def test_only_a_higher_priority_moves_the_promise_of_the_head() -> None:
    """What others hold, and who else asks, changes nothing for who was first."""
    book = opened(100)
    granted(book.reserve(90, caller="greedy"))
    head = granted(book.reserve(15, caller="greedy", max_wait=A_MINUTE * 2))
    equal = granted(book.reserve(15, caller="modest", max_wait=A_MINUTE * 2))

    book.now = head.promised_at
    book.admit()

    assert (head.first, equal.first) == (True, False)
    assert book.view(head).stage is Stage.HELD
    assert book.view(equal).stage is Stage.WAITING


def test_an_equal_may_not_pass_because_a_higher_priority_stands_before_both() -> None:
    """Each priority has a head of its own; only those above it may move its promise."""
    book = opened(60)
    head = granted(book.reserve(90, priority=BACKGROUND, max_wait=A_MINUTE * 9))
    small = granted(book.reserve(6, priority=BACKGROUND, max_wait=A_MINUTE * 9))
    granted(book.reserve(120, max_wait=A_MINUTE * 9))

    book.admit()

    assert book.view(small).stage is Stage.WAITING
    refused(book.reserve(6, priority=BACKGROUND), "INSUFFICIENT_TOKENS")
    assert book.view(head).first


def test_a_wait_ends_with_its_reason_and_the_id_is_free_again() -> None:
    """A timeout is a refusal: it binds nothing and holds nothing."""
    book = opened(15)
    queued = granted(book.reserve(30, max_wait=A_MINUTE))
    book.pass_time(61)

    book.sweep()

    assert book.view(queued).stage is Stage.RELEASED
    assert not book.state.waiting
    granted(book.reserve(20, id=queued.id))


def test_a_full_queue_says_so() -> None:
    """Everything has a bound."""
    book = opened(15, rules=Rules(queue_limit=1))
    granted(book.reserve(30, max_wait=A_MINUTE))

    facts = refused(book.reserve(30, max_wait=A_MINUTE), "QUEUE_FULL").facts
    assert facts["deficit"] == facts["required"] - facts["balance"] >= 1


def test_a_waiting_draw_ends_when_its_envelope_does() -> None:
    """Nobody waits for tokens that can no longer come."""
    book = opened(210)
    envelope = granted(book.reserve(200, kind=Kind.ENVELOPE))
    book.pass_time(1)
    book.see(15)
    draw = granted(book.reserve(50, parent=envelope.id, max_wait=A_MINUTE))

    book.release(envelope, Reason.FINISHED)
    book.admit()

    assert draw.stage is Stage.WAITING
    assert book.view(draw).stage is Stage.RELEASED


def test_the_fingerprint_of_a_request_never_changes() -> None:
    """It is stored: a request repeated after an upgrade must still be the same request."""
    plain = Terms(id=UUID(int=1), tokens=5)
    full = Terms(
        id=UUID(int=1),
        account="other",
        tokens=7,
        priority=Priority.JOB,
        parent=UUID(int=2),
        gate=50,
        hold=timedelta(seconds=1.5),
        tags=Tags(caller="c", action="manual_search", endpoint="product", job=UUID(int=3)),
    )

    assert Reserve(terms=plain).content == "1449247ce1fde3ec6ef2861f"
    assert Reserve(terms=full).content == "13fc3713fa52b7535667845f"


def test_the_id_of_one_who_waits_names_no_other_request() -> None:
    """INV-2: it will name the grant; a commit that bound it would make that grant impossible."""
    book = opened(100)
    held = granted(book.reserve(85))
    queued = granted(book.reserve(30, max_wait=A_MINUTE))

    taken = Commit(request_id=queued.id, reservation=held.id, tokens=85)

    refused(book.do(taken), "REQUEST_ID_REUSED")
    book.release(held)
    book.admit()
    assert book.view(queued).stage is Stage.HELD


def test_a_debt_that_no_calendar_sees_paid_is_refused_without_a_start() -> None:
    """S14: what one caller reports must not break the batch of all others."""
    book = opened(-100_000_000, rate=1)
    book.pass_time(1)
    book.see(-100_000_000, refill_rate=1, flow_reduction_milli=999)

    assert refused(book.reserve(1), "INSUFFICIENT_TOKENS").retry_after is None


def test_a_balance_from_the_end_of_all_calendars_is_not_believed() -> None:
    """S14: nor does it break the batch that it is in."""
    book = opened(100)

    assert not book.see(500, arrived_ms=253_402_300_799_000, processing_ms=600_000)
    assert book.available == 100
