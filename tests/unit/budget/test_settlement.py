"""How calls end, how unknown ones are settled, and what drift is booked as."""

from datetime import timedelta
from uuid import uuid4

import pytest

from services.budget.domain.balance import EPOCH, MILLISECOND
from services.budget.domain.commands import Commit, Report
from services.budget.domain.rules import Stage
from tests.unit.budget.support import ENVELOPE, Book, granted, opened, refused


def expired(book: Book, tokens: int) -> object:
    """Hold tokens until they run out, with a balance seen just before."""
    call = granted(book.reserve(tokens, hold=timedelta(seconds=5)))
    book.pass_time(6)
    book.sweep()
    return call


def test_a_commit_after_expiry_counts_and_frees_the_bound() -> None:
    """INV-4: the answer came late, but it came."""
    book = opened(500)
    call = expired(book, 50)
    assert book.available == 450

    booked = granted(book.commit(call, 12, left=488))

    assert booked.stage is Stage.COMMITTED
    assert book.available == 488


def test_a_commit_after_a_release_is_still_booked() -> None:
    """INV-4: the proof was wrong; the tokens are gone all the same."""
    book = opened(500)
    call = granted(book.reserve(50))
    book.release(call)

    granted(book.commit(call, 12))

    assert book.available == 488
    assert book.state.spent == 12


def test_a_release_after_a_commit_is_refused() -> None:
    """INV-5: what Keepa says it consumed does not come back."""
    book = opened(500)
    call = granted(book.reserve(50))
    book.commit(call, 12, left=488)

    facts = refused(book.release(call), "RESERVATION_ENDED").facts

    assert facts == {"state": "COMMITTED", "remaining": 0}


def test_an_unknown_call_may_be_released_with_proof() -> None:
    """The gateway found no intent row: it was certainly never sent."""
    book = opened(500)
    call = expired(book, 50)

    granted(book.release(call))

    assert book.available == 500


def test_an_unknown_call_is_settled_by_a_balance_asked_for_after_it_ended() -> None:
    """What the balance misses goes to the unknown calls, oldest first; the rest is foreign."""
    book = opened(500)
    first = expired(book, 50)
    second = expired(book, 20)

    book.see(430, after=book.state.sequence - 1)
    early = [book.view(first).stage, book.view(second).stage, book.available]
    book.pass_time(1)
    book.see(425)

    assert early == [Stage.UNKNOWN, Stage.UNKNOWN, 430 - 70]
    assert book.view(first).committed == 50
    assert book.view(second).committed == 20
    assert book.total("Foreign") == 5
    assert book.available == 425
    assert book.state.spent == 70


def test_the_end_of_the_last_call_settles_what_an_earlier_balance_could_not() -> None:
    """L7: the gateway asked while another call was out; nobody need ask again for its end."""
    book = opened(500)
    lost = expired(book, 50)
    unsent = granted(book.reserve(20))
    book.pass_time(1)
    book.see(470)
    assert book.view(lost).stage is Stage.UNKNOWN

    book.release(unsent)

    assert (book.view(lost).stage, book.view(lost).committed) == (Stage.SETTLED, 30)
    assert book.available == 470
    assert book.total("Foreign") == 0


def test_an_overtaken_answer_settles_what_its_call_had_kept_open() -> None:
    """The newer balance came first and could tell nothing; the older answer completes it."""
    book = opened(500)
    lost = expired(book, 50)
    slow = granted(book.reserve(20))
    book.pass_time(1)
    answered = book.stated(485).arrived_ms
    book.pass_time(1)
    book.see(460)

    book.commit(slow, 15, left=485, arrived_ms=answered)

    assert (book.view(lost).stage, book.view(lost).committed) == (Stage.SETTLED, 25)
    assert book.available == 460


def test_a_surplus_is_not_believed_for_being_looked_at_twice() -> None:
    """One lying balance stays one observation, whatever ends after it."""
    book = opened(500)
    expired(book, 50)
    unsent = granted(book.reserve(20))
    book.pass_time(1)
    book.see(900)

    book.release(unsent)

    assert book.total("Credit") == 0
    assert book.available == 500 - 50


def test_a_late_commit_replaces_what_settlement_had_estimated() -> None:
    """INV-4: the estimate was only the best that the balance could tell."""
    book = opened(500)
    call = expired(book, 50)
    book.see(480)
    estimate = book.view(call).committed

    granted(book.commit(call, 12))

    assert estimate == 20
    assert book.view(call).committed == 12
    assert book.state.spent == 12
    assert book.available == 480


def test_what_a_late_cost_leaves_of_its_estimate_is_a_strangers() -> None:
    """S1: the balance missed 20; a call that took 12 of them leaves 8 to be named."""
    book = opened(500)
    call = expired(book, 50)
    book.see(480)

    granted(book.commit(call, 12))

    assert book.total("Foreign") == 8
    assert (book.total("Overflow"), book.total("Credit")) == (0, 0)


def test_what_a_late_cost_leaves_goes_to_the_calls_settled_beside_it_first() -> None:
    """S4: oldest first was only the best guess; no stranger is invented, and no cost lost."""
    book = opened(500)
    first, second = expired(book, 50), expired(book, 60)
    book.see(420)  # 30 and 50 were taken.
    guessed = [book.view(first).committed, book.view(second).committed]

    granted(book.commit(first, 30))
    after_one = book.state.estimates[0].reservation.committed
    granted(book.commit(second, 50))

    assert guessed == [50, 30]
    assert after_one == 50
    assert book.total("Foreign") == book.total("Credit") == 0
    assert book.state.spent == 80
    assert book.state.estimates == ()
    assert book.available == 420


def test_what_a_late_cost_takes_above_its_estimate_the_calls_beside_it_did_not() -> None:
    """S1: the later of two answers first; the presumed cost of the other shrinks."""
    book = opened(500)
    first, second = expired(book, 50), expired(book, 60)
    book.see(420)

    granted(book.commit(second, 50))

    assert book.state.estimates[0].reservation.id == first.id
    assert book.state.estimates[0].reservation.committed == 30
    assert book.total("Foreign") == book.total("Credit") == 0


def test_an_overrun_that_was_taken_for_a_stranger_is_taken_back() -> None:
    """S1: 10 were held and 40 are missing; the answer that comes at last owns to all of them."""
    book = opened(500)
    call = expired(book, 10)
    book.see(460)
    strange = book.total("Foreign")

    granted(book.commit(call, 40))

    assert strange == 30
    assert book.total("Credit") == 30
    assert book.total("Overrun") == 30
    assert book.available == 460


def test_a_late_cost_gives_the_overflow_back_that_was_presumed_to_hide_it() -> None:
    """S1: of the 20 that ran over 11 may have been its own; 3 were."""
    book = opened(1200)
    call = expired(book, 11)
    book.pass_time(60)
    book.see(1200)

    granted(book.commit(call, 3))

    assert book.total("Overflow") == 20 - 3
    assert book.total("Foreign") == 0


def test_a_certain_cost_explains_what_is_missing_before_what_ran_over() -> None:
    """S1: two calls beside an overflow; which of them was hidden is nobody's knowledge."""
    book = opened(1200)
    first, second = expired(book, 4), expired(book, 2)
    book.pass_time(60)
    book.see(1196)  # 20 ran over, 4 are missing: each call took 2 after the tick.

    granted(book.commit(first, 2))
    granted(book.commit(second, 2))

    assert book.total("Foreign") == book.total("Credit") == 0
    assert book.total("Overflow") == 20


def test_a_call_that_began_before_the_comparison_leaves_nothing_to_name() -> None:
    """Its estimate was its bound, and no balance had shown it."""
    book = opened(500)
    call = expired(book, 50)
    book.see(480, refill_rate=60)  # Another plan: nothing can be compared.
    assert book.view(call).committed == 50

    granted(book.commit(call, 12))

    assert (book.total("Foreign"), book.total("Credit"), book.state.spent) == (0, 0, 12)


def test_a_wrong_release_whose_answer_comes_at_last_is_no_stranger() -> None:
    """S1: its cost was booked as foreign when the balance showed it, and now as its own."""
    book = opened(500)
    call = granted(book.reserve(50))
    book.pass_time(1)
    answered = book.stated(488).arrived_ms
    book.release(call)
    book.pass_time(1)
    book.see(488)

    granted(book.commit(call, 12, left=488, arrived_ms=answered))

    assert (book.total("Foreign"), book.total("Credit"), book.state.spent) == (12, 12, 12)
    assert book.available == 488


def test_an_envelopes_rest_follows_what_its_calls_are_settled_at_anew() -> None:
    """A call beside it owned to less, so this one is presumed to have cost more."""
    book = opened(500)
    envelope = granted(book.reserve(100, kind=ENVELOPE, hold=timedelta(hours=1)))
    first = expired(book, 50)
    call = granted(book.reserve(60, parent=envelope.id, hold=timedelta(seconds=5)))
    book.pass_time(6)
    book.sweep()
    book.see(420)
    before = (book.view(envelope).committed, book.view(envelope).rest, book.available)

    granted(book.commit(first, 30))

    assert before == (30, 70, 420 - 70)
    assert (book.view(envelope).committed, book.view(envelope).rest) == (50, 50)
    assert book.available == 420 - 50
    assert book.state.estimates[0].reservation.id == call.id


def test_no_drift_is_booked_while_a_call_is_under_way() -> None:
    """The missing tokens may be its cost; its own answer will tell."""
    book = opened(500)
    call = granted(book.reserve(50))
    book.pass_time(1)

    book.see(470)
    book.pass_time(1)
    book.commit(call, 30, left=470)

    assert book.total("Foreign") == 0
    assert book.available == 470


def test_a_stranger_is_seen_and_named() -> None:
    """Below what our calls explain: somebody else uses the key."""
    book = opened(500)
    call = granted(book.reserve(50))
    book.pass_time(1)

    book.commit(call, 30, left=455)

    assert book.total("Foreign") == 15


def test_a_surprising_gain_is_believed_when_seen_twice() -> None:
    """T5: one lying balance must not be spent."""
    book = opened(100)
    book.pass_time(1)

    book.see(900)
    once = (book.available, book.total("Credit"))
    book.pass_time(1)
    book.see(900)

    assert once == (100, 0)
    assert (book.available, book.total("Credit")) == (900, 800)


def test_a_commit_that_is_repeated_after_a_gift_casts_no_doubt_on_it() -> None:
    """T5: the balance of the first time lies below a gift that was believed since."""
    book = opened(100)
    call = granted(book.reserve(1))
    book.pass_time(1)
    paid = Commit(request_id=uuid4(), reservation=call.id, tokens=1, observation=book.stated(99))
    book.do(paid)
    for _ in range(2):
        book.pass_time(1)
        book.see(900)
    before = book.state.sequence

    book.do(paid)

    assert (book.available, book.state.doubt) == (900, 0)
    assert book.kinds(before) == []


def test_a_report_from_before_a_gift_casts_no_doubt_on_it_however_late() -> None:
    """T5: two newer balances show the gift, and what is older than both tells nothing of it."""
    book = opened(100)
    book.pass_time(1)
    late = Report(request_id=uuid4(), observation=book.stated(100))
    for _ in range(2):
        book.pass_time(1)
        book.see(900)

    book.do(late)

    assert (book.available, book.state.doubt) == (900, 0)


def test_a_first_commit_from_before_a_gift_casts_no_doubt_on_it_either() -> None:
    """T5: the call was settled without its answer, and its answer is older than the gift."""
    book = opened(100)
    call = granted(book.reserve(10, hold=timedelta(seconds=20)))
    book.pass_time(1)
    fields = {"arrived_ms": (book.now - EPOCH) // MILLISECOND}
    book.pass_time(20)
    book.sweep()
    for _ in range(2):
        book.pass_time(1)
        book.see(900)
    settled = book.view(call).stage

    granted(book.commit(call, 5, 95, **fields))

    assert settled is Stage.SETTLED
    assert (book.available, book.state.doubt, book.total("Credit")) == (900, 0, 805)


def test_an_older_balance_that_is_newer_than_all_others_but_one_is_heard() -> None:
    """INV-1: that one may lie, and none of the others shows what the call took."""
    book = opened(500)
    call = granted(book.reserve(20))
    book.pass_time(1)
    book.see(500, after=0)
    book.pass_time(1)
    charged_ms = (book.now - EPOCH) // MILLISECOND
    book.pass_time(1)
    book.see(500, after=0)  # The truth is 480.

    granted(book.commit(call, 20, 480, arrived_ms=charged_ms))

    assert (book.available, book.state.doubt) == (480, 20)


def test_a_new_plan_is_no_reason_to_believe_in_a_miracle() -> None:
    """What the better plan's own refill does not explain must be seen twice as well."""
    book = opened(100)
    book.pass_time(61)

    book.see(1000, refill_rate=60)
    once = book.available
    book.pass_time(1)
    book.see(1000, refill_rate=60)

    assert once <= 100 + 2 * 60
    assert book.available == 1000
    assert book.state.anchor.observation.capacity == 3600


@pytest.mark.parametrize(("before", "after"), [(20, 60), (60, 20)])
def test_the_first_balance_of_a_new_plan_is_believed_as_far_as_the_poorer_plan_explains_it(
    before: int, after: int
) -> None:
    """T5: when between two balances the plan changed nobody knows; the next balance settles it."""
    book = opened(100, rate=before)
    book.pass_time(61)  # One tick, of 20 tokens or of 60.

    book.see(160, refill_rate=after)
    first = book.available
    book.pass_time(1)
    book.see(160, refill_rate=after)

    assert first == 100 + 20
    assert book.available == 160


def test_a_lie_that_is_taken_back_was_never_spent() -> None:
    """The second observation tells the truth, and nothing is booked."""
    book = opened(100)
    book.pass_time(1)
    book.see(900)
    book.pass_time(1)

    book.see(100)

    assert book.available == 100
    assert book.total("Credit") == book.total("Foreign") == 0


def test_a_lie_while_calls_are_under_way_is_held_back_too() -> None:
    """An open stretch books no drift, and spends no miracle either."""
    book = opened(100)
    granted(book.reserve(20))
    book.pass_time(1)

    book.see(900)

    assert book.available == 100 - 20


def test_refill_lost_at_the_full_bucket_is_booked() -> None:
    """Paid capacity that nobody used."""
    book = opened(1190)
    book.pass_time(3 * 60.2)

    book.see(1200)

    assert book.total("Overflow") == 50
    assert book.total("Foreign") == 0


@pytest.mark.parametrize("order", ["as made", "backwards", "one late"])
def test_a_bucket_that_was_seen_half_empty_has_not_overflowed(order: str) -> None:
    """S4: a call keeps the stretch open while a stranger takes 500 and refills cover it again."""
    book = opened(600)
    call = granted(book.reserve(5, hold=timedelta(hours=1)))
    stated = []
    for true in (300, 500, 700, 900):
        book.pass_time(10 * 60.2)
        stated.append(book.stated(true))
    orders = {"as made": [0, 1, 2, 3], "backwards": [3, 2, 1, 0], "one late": [3, 0]}
    for number in orders[order]:
        book.do(Report(request_id=uuid4(), observation=stated[number], after_sequence=0))

    book.commit(call, 5, left=895)

    assert (book.total("Foreign"), book.total("Overflow"), book.total("Credit")) == (500, 0, 0)


def test_a_balance_that_lied_downwards_makes_no_stranger_of_an_overflow() -> None:
    """S4: ticks from 700 never reach the 1195 of the end, so the bucket was not seen empty."""
    book = opened(1200)
    call = granted(book.reserve(5, hold=timedelta(hours=1)))
    for stated in (700, 1200):
        book.pass_time(60.2)
        book.see(stated)

    book.pass_time(60.2)
    book.commit(call, 5, left=1195)

    assert (book.total("Foreign"), book.total("Overflow"), book.total("Credit")) == (0, 60, 0)
    assert book.available == 1195


def test_an_older_balance_that_shows_nothing_new_is_not_entered() -> None:
    """The ledger grows by what is told, and not by what is repeated."""
    book = opened(1190)
    granted(book.reserve(5, hold=timedelta(hours=1)))
    book.pass_time(60.2)
    older = book.stated(1200)
    book.pass_time(60.2)
    book.see(1200)
    before = book.state.sequence

    book.do(Report(request_id=uuid4(), observation=older, after_sequence=0))

    assert book.kinds(before) == []


def test_what_overflowed_after_a_stranger_was_seen_stays_overflow() -> None:
    """The balances in between bound the overflow; they do not forbid it."""
    book = opened(1000)
    call = granted(book.reserve(5, hold=timedelta(hours=1)))
    for true in (700, 900, 1100, 1200):  # 500 were taken before the first, 100 ran over at last.
        book.pass_time(10 * 60.2)
        book.see(true)

    book.commit(call, 5, left=1195)

    assert (book.total("Foreign"), book.total("Overflow")) == (500, 100)


def test_a_call_that_a_balance_may_hold_already_is_no_stranger() -> None:
    """Its charge falls between arrival and answer: what a balance shows of it is not missing."""
    book = opened(1200)
    slow = granted(book.reserve(100, hold=timedelta(hours=1)))
    book.pass_time(1)
    arrived = book.stated(0).arrived_ms
    book.pass_time(60)
    book.see(1120)  # It has been charged before the tick.
    took = (book.now - EPOCH) // MILLISECOND - arrived + 5
    book.pass_time(60.2 * 6)
    book.see(1200, after=0)  # Before the older answer: 80 filled the bucket, and 40 ran over.

    book.commit(slow, 100, left=1120, arrived_ms=arrived, processing_ms=took)
    book.pass_time(1)
    book.see(1200)

    assert (book.total("Foreign"), book.total("Overflow"), book.total("Credit")) == (0, 40, 0)


def test_a_low_balance_is_entered_once_per_fall() -> None:
    """T4: an alert that repeats every minute is one that nobody reads."""
    book = opened(60)
    told = []
    for tokens in (49, 45, 19, 12, 30, 18, 51, 48):
        book.pass_time(1)
        before = book.state.sequence
        book.see(tokens)
        told.append(book.kinds(before).count("BalanceLow"))

    assert told == [1, 0, 1, 0, 0, 1, 0, 1]


def test_answers_of_one_millisecond_settle_on_the_lower_balance() -> None:
    """Two answers of one instant tell their order only by what they leave."""
    book = opened(500)
    one, two = granted(book.reserve(5)), granted(book.reserve(5))
    book.pass_time(1)

    book.commit(one, 5, left=495)
    book.commit(two, 5, left=490)

    assert book.available == 490


def test_answers_that_overtake_each_other_subtract_each_cost_once() -> None:
    """T6: the older answer arrives last; it is covered by the newer one already."""
    book = opened(500)
    one, two = granted(book.reserve(50)), granted(book.reserve(50))
    book.pass_time(1)
    older = book.stated(480)
    book.pass_time(1)

    book.commit(two, 10, left=470)
    book.commit(one, 20, left=480, arrived_ms=older.arrived_ms)

    assert book.available == 470
    assert book.state.held_calls == 0


def test_a_commit_without_a_balance_inside_an_envelope_is_covered_with_it() -> None:
    """The envelope keeps charging it until an observation reflects it, then no more."""
    book = opened(500)
    envelope = granted(book.reserve(100, kind=ENVELOPE))
    call = granted(book.reserve(30, parent=envelope.id))
    book.pass_time(1)

    book.commit(call, 25)
    uncovered = book.available
    book.see(475)

    assert uncovered == 400
    assert book.available == 475 - 75


def test_a_free_call_leaves_nothing_to_cover() -> None:
    """A 429 or a 400 consumed 0: the hold is gone at once."""
    book = opened(500)
    call = granted(book.reserve(30))

    granted(book.commit(call, 0))

    assert book.available == 500
    assert not book.state.uncovered


def test_a_full_bucket_hides_what_a_lost_call_cost() -> None:
    """S4: a refill that overflows covers the gap, so nothing shows that the call was free."""
    book = opened(1200)
    call = expired(book, 11)
    book.pass_time(60)

    book.see(1200)

    assert book.view(call).stage is Stage.SETTLED
    assert book.view(call).committed == 11
    assert book.total("Overflow") == 20 - 11
    assert book.total("Foreign") == 0
    assert book.state.spent == 11
    assert book.available == 1200


def test_a_full_bucket_hides_no_more_than_its_overflow() -> None:
    """Of a large call the visible part shows, and the overflow bounds the rest."""
    book = opened(1190)
    call = expired(book, 50)
    book.pass_time(60)

    book.see(1195)  # 1190 + 20 overflows by 10, and 5 are visibly missing.

    assert book.view(call).committed == 15
    assert book.total("Overflow") == 0


def test_no_entry_of_a_commit_shows_tokens_that_are_not_there() -> None:
    """A reader of the ledger may act on each entry: the cost leaves before the hold returns."""
    book = opened(500)
    call = granted(book.reserve(50))
    before = book.state.sequence
    book.pass_time(1)

    book.commit(call, 30, left=470)

    told = [entry.available for entry in book.entries if entry.sequence > before]
    assert told == [470, 470]
    assert book.kinds(before) == ["Committed", "Observed"]
    assert not book.state.uncovered


def test_a_retry_that_brings_the_balance_covers_the_cost_that_the_first_try_left_open() -> None:
    """The same commit again, now with its answer: subtracted once, whichever came first."""
    book = opened(500)
    call = granted(book.reserve(50))
    book.pass_time(1)
    answer = {"arrived_ms": book.stated(470).arrived_ms}
    newer = book.stated(465, arrived_ms=answer["arrived_ms"] + 1)
    book.do(Report(request_id=uuid4(), observation=newer, after_sequence=0))
    book.commit(call, 30)
    uncovered = book.available

    book.commit(call, 30, left=470, **answer)

    assert (uncovered, book.available) == (435, 465)


def test_a_cost_without_a_balance_may_have_come_before_the_bucket_filled_again() -> None:
    """Nobody knows when it was charged: what both ends explain is nobody's gift or theft."""
    book = opened(1200)
    bare = granted(book.reserve(100))
    told = granted(book.reserve(20))
    book.pass_time(1)
    book.commit(bare, 100)
    book.pass_time(59)
    read = book.state.sequence

    book.commit(told, 20, left=1100, after=read)

    assert book.total("Credit") == book.total("Foreign") == 0
    assert (book.available, book.state.doubt) == (1100, 0)


def test_a_call_that_was_out_when_a_lying_balance_came_is_not_hidden_by_the_lie() -> None:
    """INV-1: its cost would be covered by a balance that was never true, and be spent twice."""
    book = opened(500)
    first, second = granted(book.reserve(10)), granted(book.reserve(20))
    book.pass_time(1)
    asked_at = (book.now - EPOCH) // MILLISECOND
    book.pass_time(1)
    book.see(900, after=0)  # The truth is 476: both calls have been charged 4 and 20 by then.
    book.pass_time(1)

    for held, cost, left in ((first, 4, 496), (second, 20, 476)):
        since = book.state.sequence
        granted(book.commit(held, cost, left, arrived_ms=asked_at + cost))
        told = [entry.available for entry in book.entries if entry.sequence > since]
        assert max(told) <= 476

    assert book.available == 476
    book.pass_time(1)
    book.see(476)
    assert (book.available, book.state.doubt, book.total("Credit")) == (476, 0, 0)


def test_a_small_lie_is_found_by_the_older_truth_that_comes_after_it() -> None:
    """INV-1: it hid behind a call in flight, so nothing was wrong when it came."""
    book = opened(500)
    held = granted(book.reserve(20))
    book.pass_time(1)
    asked_at = (book.now - EPOCH) // MILLISECOND
    book.pass_time(1)
    book.see(495, after=0)  # The truth is 480.

    granted(book.commit(held, 20, 480, arrived_ms=asked_at))

    assert (book.available, book.state.doubt) == (480, 15)


def test_costs_told_without_a_balance_explain_nothing_away() -> None:
    """INV-1: answers without a balance leave room for a lie of their size while a call is out."""
    book = opened(740)
    granted(book.reserve(22))
    for cost in (8, 228):
        granted(book.commit(granted(book.reserve(cost)), cost))
    book.pass_time(1)

    book.see(704)  # The truth is 504 at the most.

    assert (book.available, book.state.doubt) == (740 - 236 - 22, 200)


def test_a_call_charged_just_before_a_late_tick_invents_no_gift() -> None:
    """T5: a tick is recorded up to 300 ms after it was due; near the full bucket the order counts."""
    book = opened(1189)
    call = granted(book.reserve(17))
    due = book.stated(0).next_tick_ms
    book.pass_time(70)

    # Charged before the tick, that is 1189 - 17 + 20; after it, the full bucket would lose 9.
    granted(book.commit(call, 17, 1192, arrived_ms=due + 7))
    book.pass_time(1)
    book.see(1192)

    assert book.total("Credit") == book.total("Foreign") == book.state.doubt == 0
    assert book.available == 1192


def test_a_balance_that_rises_without_a_tick_is_doubted_whatever_is_out() -> None:
    """INV-1: room that calls in flight leave is no reason to believe in a rise."""
    book = opened(1000)
    granted(book.reserve(200))
    book.pass_time(1)
    book.see(800, after=0)  # The call has been charged, and is not answered yet.
    book.pass_time(1)

    book.see(990, after=0)

    assert (book.available, book.state.doubt) == (600, 190)


def test_a_rise_above_the_last_balance_is_doubted_when_nothing_is_out_either() -> None:
    """INV-1: what a stranger took before it is no room for a lie; seen twice, it is a gift."""
    book = opened(500)
    call = granted(book.reserve(20))
    book.pass_time(1)
    book.see(400, after=0)  # The stretch is open, and a stranger took 100.
    book.release(call)
    book.pass_time(1)

    book.see(450)
    once = (book.available, book.total("Foreign"))
    book.pass_time(1)
    book.see(450)

    assert once == (400, 0)
    assert (book.available, book.total("Foreign"), book.total("Credit")) == (450, 50, 0)


def test_a_balance_that_rose_for_no_reason_proves_no_cost_to_be_in_it() -> None:
    """INV-1: the last balance did not show the cost, and this one only says that it does."""
    book = opened(500)
    out, told = granted(book.reserve(20)), granted(book.reserve(6))
    book.pass_time(1)
    book.see(400, after=0)  # A stranger took 100; neither call is charged yet.
    granted(book.commit(told, 6))
    before = book.available
    book.pass_time(1)

    book.see(700)  # The truth is 394 at the most.

    assert before == 400 - 6 - 20
    assert book.available == before
    assert not book.state.uncovered
    book.release(out)
    book.pass_time(1)
    book.see(394)
    assert (book.available, book.total("Foreign")) == (394, 100)


def test_a_lie_at_a_change_of_plan_proves_no_cost_to_be_in_it_either() -> None:
    """INV-1: of 115 there, 315 are stated; the 5 that nobody saw leave stay subtracted."""
    book = opened(120)
    granted(book.commit(granted(book.reserve(5)), 5))
    book.pass_time(1)

    book.see(315, refill_rate=60)

    assert book.available == 115


def test_a_second_lie_above_the_first_is_no_confirmation_of_itself() -> None:
    """INV-1: what both of two balances show is believed, and no more."""
    book = opened(500)
    call = granted(book.reserve(20))
    book.pass_time(1)
    book.see(400, after=0)
    book.release(call)
    for tokens in (450, 480):
        book.pass_time(1)
        book.see(tokens)

    assert book.available == 400
    book.pass_time(1)
    book.see(400)
    assert (book.available, book.total("Foreign"), book.total("Credit")) == (400, 100, 0)


def test_fractions_of_a_reduced_refill_are_no_rise() -> None:
    """18.9 tokens a tick come as 18 or 19: nine of ten ticks bring more than they seem to."""
    book = Book()
    book.see(100, flow_reduction_milli=1100)
    for tick in range(1, 10):
        book.pass_time(60.2)
        book.see(100 + tick * 18900 // 1000, flow_reduction_milli=1100)

    assert book.state.doubt <= 1
    assert book.total("Foreign") == 0


def test_what_stays_subtracted_is_not_doubted_as_well() -> None:
    """T2: a balance asked for before a cost was entered may not show it; once is enough."""
    book = opened(500)
    granted(book.commit(granted(book.reserve(10)), 10))
    book.pass_time(1)

    book.see(500, after=book.state.sequence - 1)

    assert (book.available, book.state.doubt) == (490, 0)
