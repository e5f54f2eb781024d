"""The course of a job: any order and repetition of facts leads to one end, and loses no pick."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.autosourcing.domain import course, endings
from services.autosourcing.domain.course import Change
from services.autosourcing.domain.job import (
    Asked,
    Cause,
    Counts,
    Finished,
    Found,
    Job,
    PickFound,
    Plan,
    Scored,
    Started,
    State,
    Stop,
    Stopped,
    envelope_name,
    step_id,
)
from services.autosourcing.domain.limits import Limits
from services.autosourcing.domain.picks import Finding, Outcome, Recommendation
from services.autosourcing.domain.spec import Item, Spec

NOW = datetime(2026, 11, 20, tzinfo=UTC)
LIMITS = Limits()
JOB_ID = UUID("6f0c8f6e-4c1f-4a58-9d0e-0f2d0a3b9a10")
SEARCH = step_id(JOB_ID, 0)
ASINS = tuple(f"B{number:09d}" for number in range(12))


def finding(asin: str) -> Finding:
    return Finding(
        asin=asin,
        title="A book",
        recommendation=Recommendation.BUY,
        buy_price_known=True,
        currency_code="USD",
        sell_price_cents=4000,
        buy_price_cents=1000,
        profit_cents=1500,
        max_buy_cents=1900,
        roi_percent=Decimal(150),
        velocity=Decimal(70),
        stability=Decimal(80),
        confidence=Decimal(75),
        sales_rank=90_000,
        buy_basis="OFFER",
    )


def pending(*, products: int = 12, identifiers: tuple[str, ...] = ()) -> Job:
    spec = Spec(products=products, items=tuple(Item(asin) for asin in identifiers))
    given = len(identifiers)
    plan = Plan(spec, estimated_tokens=21, asins=identifiers, given=given, distinct=given)
    return Job(JOB_ID, plan, State.PENDING, NOW)


def running(*, envelope: str = "reservations/1") -> Job:
    return course.start(pending(), LIMITS, NOW, envelope=envelope).job


def test_a_job_that_ends_pending_ends_once_its_envelope_is_known_to_be_closed() -> None:
    """A grant whose answer was lost would hold tokens for minutes (INV-3)."""
    given_up = course.give_up(pending(), endings.cancelled(), NOW)
    closed = course.close_envelope(given_up.job, spent=0, unsettled=0)

    assert given_up.job.envelope.name == envelope_name(JOB_ID, 1)
    assert Finished() not in given_up.announcements
    assert closed.announcements == (Stopped(), Finished())


def asked(change: Change) -> tuple[str, ...]:
    return next(a.step.asins for a in change.announcements if isinstance(a, Asked))


def test_a_job_that_searches_asks_for_the_search_first() -> None:
    change = course.start(pending(), LIMITS, NOW, envelope="reservations/1")

    assert change.job.state is State.RUNNING
    assert change.job.deadline_at == NOW + timedelta(seconds=120)
    assert [type(told) for told in change.announcements] == [Started, Asked]


def test_a_job_from_identifiers_skips_the_search() -> None:
    """A10: nothing is paid to find what the caller already gave."""
    change = course.start(pending(identifiers=ASINS[:3]), LIMITS, NOW)

    assert asked(change) == ASINS[:3]


def test_a_product_found_twice_is_analysed_once() -> None:
    """A4: ["ASIN1", "ASIN2", "ASIN1", "ASIN3"] analyses three."""
    one, two, three = ASINS[:3]

    change = course.found(running(), SEARCH, Found((one, two, one, three)), LIMITS, NOW)

    assert asked(change) == (one, two, three)
    assert change.job.counts.distinct == 3
    assert change.job.counts.found == 4


def test_products_that_a_job_analysed_lately_are_left_out() -> None:
    """A4: a week's answer is not paid for again."""
    change = course.found(running(), SEARCH, Found(ASINS[:4]), LIMITS, NOW, recent=ASINS[:2])

    assert asked(change) == ASINS[2:4]
    assert change.job.counts.recent == 2


def test_products_analysed_lately_are_included_when_asked() -> None:
    job = running()
    job = replace(job, plan=replace(job.plan, spec=replace(job.plan.spec, include_recent=True)))

    change = course.found(job, SEARCH, Found(ASINS[:4]), LIMITS, NOW, recent=ASINS[:2])

    assert asked(change) == ASINS[:4]


def test_the_first_batch_is_small_and_the_next_one_larger() -> None:
    """A7: picks appear before the job ends."""
    first = course.found(running(), SEARCH, Found(ASINS), LIMITS, NOW)
    second = course.scored(first.job, step_id(JOB_ID, 1), Scored((finding(ASINS[0]),)), LIMITS, NOW)

    assert asked(first) == ASINS[:5]
    assert asked(second) == ASINS[5:12]
    assert isinstance(second.announcements[0], PickFound)


def test_a_search_without_products_completes() -> None:
    change = course.found(running(), SEARCH, Found(), LIMITS, NOW)

    assert change.job.state is State.COMPLETED
    assert change.job.ending is not None
    assert change.job.ending.reason == "NOTHING_FOUND"


@pytest.mark.parametrize(
    ("picks", "analyzed", "words"),
    [
        (7, 10, "7 picks from 10 products analysed"),
        (1, 1, "1 pick from 1 product analysed"),
        (0, 5, "0 picks from 5 products analysed"),
    ],
)
def test_the_end_is_told_in_words(picks: int, analyzed: int, words: str) -> None:
    ending = endings.completed(Counts(distinct=10, picks=picks, analyzed=analyzed))

    assert ending.message == words


@pytest.mark.parametrize(
    ("number", "words"), [(1, "The product was analysed"), (2, "All 2 products were analysed")]
)
def test_products_all_seen_lately_are_told_in_words(number: int, words: str) -> None:
    assert endings.completed(Counts(distinct=number, recent=number)).message.startswith(words)


def test_a_job_over_products_all_seen_lately_says_so() -> None:
    change = course.found(running(), SEARCH, Found(ASINS[:2]), LIMITS, NOW, recent=ASINS)

    assert change.job.ending is not None
    assert change.job.ending.reason == "ALL_RECENT"


@pytest.mark.parametrize(
    ("cause", "state"),
    [
        (Cause.TOKENS, State.BUDGET_STOPPED),
        (Cause.RATE_LIMITED, State.BUDGET_STOPPED),
        (Cause.KEY_REJECTED, State.FAILED),
        (Cause.UNAVAILABLE, State.FAILED),
        (Cause.FAULT, State.FAILED),
        (Cause.DEADLINE, State.FAILED),
    ],
)
def test_a_stop_ends_the_job_and_keeps_what_it_has(cause: Cause, state: State) -> None:
    """INC-4, A6: after a 429 nothing more is asked, and the picks so far stay."""
    job = course.found(running(), SEARCH, Found(ASINS), LIMITS, NOW).job

    change = course.scored(
        job, step_id(JOB_ID, 1), Scored((finding(ASINS[0]),), stop=Stop(cause)), LIMITS, NOW
    )

    assert change.job.state is state
    assert [pick.finding.asin for pick in change.picks] == [ASINS[0]]
    assert not any(isinstance(told, Asked) for told in change.announcements)


def test_an_unknown_product_does_not_stop_the_job() -> None:
    """A call whose outcome is unknown is reported, and the job goes on without it."""
    job = course.found(running(), SEARCH, Found(ASINS), LIMITS, NOW).job

    change = course.scored(job, step_id(JOB_ID, 1), Scored(unknown=ASINS[:5]), LIMITS, NOW)

    assert change.job.state is State.RUNNING
    assert change.job.counts.unknown == 5


def test_the_deadline_ends_the_job_with_the_published_words() -> None:
    """A3: the texts that clients show."""
    job = running()

    change = course.pass_deadline(job, LIMITS, NOW + LIMITS.job_timeout)

    assert change.job.ending == endings.timed_out(timedelta(seconds=120))
    assert change.job.ending.message == "Job exceeded timeout limit (120s)"
    assert change.job.ending.suggestion == "reduce search scope"


def test_discovery_may_say_a_little_early_that_time_is_up() -> None:
    """Its answer needs time for the way back; what it says long before is another failure."""
    job = running()
    near = NOW + LIMITS.job_timeout - timedelta(seconds=2)
    answer = Found(stop=Stop(Cause.DEADLINE))

    late = course.found(job, SEARCH, answer, LIMITS, near)
    early = course.found(job, SEARCH, answer, LIMITS, NOW)

    assert late.job.state is State.TIMED_OUT
    assert early.job.ending is not None
    assert (early.job.state, early.job.ending.reason) == (State.FAILED, "NO_ANSWER")


def test_the_deadline_does_not_fire_early() -> None:
    job = running()
    early = NOW + LIMITS.job_timeout - timedelta(microseconds=1)

    assert course.pass_deadline(job, LIMITS, early) == Change(job)


def test_an_answer_after_the_deadline_changes_no_picks() -> None:
    """The sweeper may be late; the deadline is not."""
    job = course.found(running(), SEARCH, Found(ASINS), LIMITS, NOW).job

    change = course.scored(
        job, step_id(JOB_ID, 1), Scored((finding(ASINS[0]),)), LIMITS, NOW + LIMITS.job_timeout
    )

    assert change.job.state is State.TIMED_OUT
    assert change.picks == ()


def test_the_end_is_told_only_after_the_tokens_are_back() -> None:
    """JobFinished carries what the job cost, so it waits for budget's word."""
    ended = course.give_up(running(), endings.cancelled(), NOW)
    closed = course.close_envelope(ended.job, spent=11, unsettled=0)
    again = course.close_envelope(closed.job, spent=11, unsettled=0)

    assert not any(isinstance(told, Finished) for told in ended.announcements)
    assert [type(told) for told in closed.announcements] == [Stopped, Finished]
    assert again == Change(closed.job)


def test_a_later_settlement_corrects_the_cost_without_a_second_end() -> None:
    job = course.close_envelope(
        course.give_up(running(), endings.cancelled(), NOW).job, spent=0, unsettled=11
    ).job

    change = course.close_envelope(job, spent=11, unsettled=0)

    assert change.job.envelope.spent_tokens == 11
    assert not any(isinstance(told, Finished) for told in change.announcements)


def test_a_free_job_finishes_without_an_envelope() -> None:
    change = course.found(running(envelope=""), SEARCH, Found(), LIMITS, NOW)

    assert change.job.finished
    assert isinstance(change.announcements[-1], Finished)


def test_a_job_with_as_many_picks_as_asked_for_spends_no_more() -> None:
    """A profile's limit of picks also ends the spending."""
    job = running()
    job = replace(job, plan=replace(job.plan, spec=replace(job.plan.spec, max_picks=2)))
    job = course.found(job, SEARCH, Found(ASINS), LIMITS, NOW).job
    answer = Scored(tuple(finding(asin) for asin in ASINS[:5]))

    change = course.scored(job, step_id(JOB_ID, 1), answer, LIMITS, NOW)

    assert change.job.state is State.COMPLETED
    assert len(change.picks) == 2


def test_every_product_of_a_job_is_told_what_became_of_it() -> None:
    """A10: nothing that was found disappears without a word."""
    job = course.found(running(), SEARCH, Found(ASINS), LIMITS, NOW).job
    one, two, three, four, five = ASINS[:5]
    answer = Scored((finding(one),), unknown=(two,), absent=(three,), stop=Stop(Cause.TOKENS))

    change = course.scored(job, step_id(JOB_ID, 1), answer, LIMITS, NOW)

    outcomes = {product.asin: product.outcome for product in change.products}
    assert list(outcomes) == list(ASINS)
    assert outcomes[one] is Outcome.PICKED
    assert outcomes[two] is Outcome.UNKNOWN
    assert outcomes[three] is Outcome.NOT_FOUND
    assert {outcomes[four], outcomes[five], *list(outcomes.values())[5:]} == {Outcome.UNANSWERED}
    assert change.job.counts.analyzed == 2


Fact = Callable[[Job], Change]


def facts() -> st.SearchStrategy[Fact]:
    """Any fact that may reach a job, at any time before or after its deadline."""
    instants = st.integers(0, 240).map(lambda s: NOW + timedelta(seconds=s))
    stops = st.none() | st.sampled_from(Cause).map(Stop)
    subsets = st.lists(st.sampled_from(ASINS), max_size=15).map(tuple)
    answers = st.builds(
        lambda asins, unknown, stop: Scored(
            tuple(finding(asin) for asin in dict.fromkeys(asins)), unknown=unknown, stop=stop
        ),
        subsets,
        subsets,
        stops,
    )
    return st.one_of(
        st.builds(
            lambda asins, stop, at: (
                lambda job: course.found(job, SEARCH, Found(asins, stop), LIMITS, at)
            ),
            subsets,
            stops,
            instants,
        ),
        st.builds(
            lambda number, answer, at: (
                lambda job: course.scored(job, step_id(JOB_ID, number), answer, LIMITS, at)
            ),
            st.integers(0, 5),
            answers,
            instants,
        ),
        st.builds(lambda at: lambda job: course.pass_deadline(job, LIMITS, at), instants),
        st.builds(lambda at: lambda job: course.give_up(job, endings.cancelled(), at), instants),
        st.builds(
            lambda at: lambda job: course.start(job, LIMITS, at, envelope="reservations/2"),
            instants,
        ),
    )


@given(st.lists(facts(), max_size=12), st.booleans())
def test_any_facts_in_any_order_end_a_job_once(sequence: list[Fact], paid: bool) -> None:  # noqa: FBT001
    """A5, INV-3: one final state, told once, whatever comes twice, late or never."""
    job = running(envelope="reservations/1" if paid else "")
    ends = 0
    told: list[object] = []

    for fact in [*sequence, *sequence]:
        before = job.state
        change = fact(job)
        ends += change.job.state.final and not before.final
        assert not before.final or change.job.state is before
        job = change.job
        told += change.announcements
    end = course.pass_deadline(job, LIMITS, NOW + timedelta(days=1))
    ends += end.job.state.final and not job.state.final
    told += end.announcements
    if paid:
        told += course.close_envelope(end.job, spent=3, unsettled=0).announcements

    assert ends == 1
    assert sum(isinstance(item, Finished) for item in told) == 1


@given(st.lists(facts(), max_size=12))
def test_picks_only_grow_and_only_while_the_job_runs(sequence: list[Fact]) -> None:
    """A6: no fact takes a pick back, and a late answer adds none."""
    job = running()
    saved = 0

    for fact in sequence:
        change = fact(job)
        if job.state.final:
            assert change.picks == ()
        saved += len(change.picks)
        assert change.job.counts.picks == saved
        job = change.job


@given(st.lists(facts(), max_size=12))
def test_a_fact_told_twice_changes_nothing_more(sequence: list[Fact]) -> None:
    """Events come at least once; the second time must be silent."""
    job = running()
    for fact in sequence:
        job = fact(job).job
        again = fact(job)
        assert again.picks == ()
        assert again.job == job or again.job.state is State.TIMED_OUT
        job = again.job


@given(st.lists(facts(), max_size=12))
def test_no_product_is_asked_for_twice(sequence: list[Fact]) -> None:
    """A4: a product is paid for once in a job."""
    job = running()
    wanted: list[str] = []

    for fact in sequence:
        change = fact(job)
        for told in change.announcements:
            if isinstance(told, Asked):
                wanted += told.step.asins
        job = change.job

    assert len(wanted) == len(set(wanted))
