"""A job from its creation to its end, over the real wire, database and broker."""

# ruff: noqa: ASYNC110 - that a job has changed is seen by reading it

import asyncio
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from arbitragevault.autosourcing.v1 import autosourcing_pb2 as pb
from arbitragevault.autosourcing.v1 import events_pb2 as events
from arbitragevault.budget.v1 import budget_pb2 as budget_pb
from arbitragevault.discovery.v1 import discovery_pb2 as discovery_pb
from arbitragevault.discovery.v1 import events_pb2 as discovery_events

from services.autosourcing.clients import budget as clients
from services.autosourcing.usecases import tending
from services.chassis.testing.refused import refusal

pytestmark = pytest.mark.anyio


async def test_a_job_searches_scores_and_completes(world: Any) -> None:
    """The whole way, with picks announced before the job ends (A5, A6, A7)."""
    created = await world.create()
    envelope = created.envelope
    world.budget.costs[envelope] = (21, 0)

    job = await world.ended(created.name)

    assert created.state == pb.JOB_STATE_RUNNING
    assert job.state == pb.JOB_STATE_COMPLETED
    assert (job.analyzed_count, job.pick_count, job.token_count) == (10, 10, 21)
    assert len(await world.picks(created.name)) == 10
    order = world.discovery.order(created.name)
    assert order[:2] == ["JobCreated", "DiscoveryRequested"]
    assert order.index("PickFound") < order.index("JobFinished")
    assert order[-1] == "JobFinished"
    assert world.budget.released.count(envelope) == 1


async def test_the_envelope_is_the_estimate_behind_the_gate(world: Any) -> None:
    """T4: a job holds what it may cost, and starts only when its gate is open.

    The 21 tokens of the estimate, and room to repeat a search whose answer was lost.
    """
    await world.create()

    asked = world.budget.asked[0]

    assert asked.token_count == 21 + 11
    assert asked.gate_token_count == 50
    assert asked.kind == 2
    assert asked.hold_duration.ToTimedelta() == timedelta(seconds=270)


async def test_the_same_request_makes_one_job(world: Any) -> None:
    """A caller that timed out and asks again must not pay for a second job."""
    request_id = str(uuid4())

    first = await world.create(request_id=request_id)
    again = await world.create(request_id=request_id)

    assert again.name == first.name
    assert len(world.budget.held_for(first.name)) == 1


async def test_fifty_impatient_callers_with_one_id_make_one_job(world: Any) -> None:
    """Concurrent repetitions race through both transactions."""
    request_id = str(uuid4())

    jobs = await asyncio.gather(*(world.create(request_id=request_id) for _ in range(50)))

    assert len({job.name for job in jobs}) == 1
    assert len(world.budget.held_for(jobs[0].name)) == 1
    await world.ended(jobs[0].name)
    assert len(world.discovery.of(events.JobCreated, jobs[0].name)) == 1


async def test_a_request_id_is_not_used_for_something_else(world: Any) -> None:
    request_id = str(uuid4())
    await world.create(request_id=request_id)

    refused = await refusal(
        world.create(request_id=request_id, identifiers=[pb.Identifier(value="0470820942")])
    )

    assert refused.reason == "REQUEST_ID_REUSED"


async def test_a_job_above_the_limit_is_refused_with_advice(world: Any) -> None:
    """A3: estimated, allowed, and what to do."""
    refused = await refusal(world.create(filter=discovery_pb.DiscoveryFilter(), max_products=300))

    assert refused.reason == "JOB_TOO_EXPENSIVE"
    assert refused.facts == {
        "estimated_tokens": 311,
        "max_allowed": 200,
        "suggestion": "Reduce max_results or narrow filters",
    }
    assert not world.budget.asked


async def test_a_closed_gate_refuses_with_the_numbers_and_keeps_nothing(world: Any) -> None:
    """A3, T8; and the same request may be tried again later."""
    world.budget.available = 49
    request_id = str(uuid4())

    refused = await refusal(world.create(request_id=request_id))
    world.budget.available = 50
    job = await world.create(request_id=request_id)

    assert refused.reason == "INSUFFICIENT_TOKENS"
    assert refused.domain == "autosourcing.arbitragevault"
    assert refused.facts == {"balance": 49, "required": 50, "deficit": 1}
    assert refused.retry_after == timedelta(seconds=90)
    assert job.state == pb.JOB_STATE_RUNNING


async def test_a_job_may_queue_for_its_tokens(world: Any) -> None:
    """The caller gets a PENDING job at once; it starts when its gate opens."""
    world.budget.available = 10

    job = await world.create(wait=60)
    assert job.state == pb.JOB_STATE_PENDING
    assert job.HasField("expected_start_time")
    world.budget.available = 500
    ended = await world.ended(job.name)

    assert ended.state == pb.JOB_STATE_COMPLETED


async def test_a_queue_in_vain_ends_with_the_numbers(world: Any) -> None:
    world.budget.available = 10

    job = await world.create(wait=1)
    ended = await world.ended(job.name)

    assert ended.state == pb.JOB_STATE_BUDGET_STOPPED
    assert "50 required, 10 available (deficit 40)" in ended.message
    assert world.budget.available == 10


async def test_a_grant_whose_answer_was_lost_is_given_back_when_the_job_gives_up(
    world: Any,
) -> None:
    """INV-3: budget died between storing the grant and saying so; nobody else knows of it."""
    world.budget.forgets_to_answer = True

    job = await world.create(wait=1)
    ended = await world.ended(job.name)

    assert ended.state == pb.JOB_STATE_BUDGET_STOPPED
    (held,) = world.budget.held_for(job.name)
    assert held.state == budget_pb.RESERVATION_STATE_RELEASED


async def test_a_queued_job_can_be_cancelled(world: Any) -> None:
    world.budget.available = 10
    job = await world.create(wait=60)

    cancelled = await world.stub.CancelJob(
        pb.CancelJobRequest(request_id=str(uuid4()), name=job.name)
    )
    world.budget.available = 500
    await world.ended(job.name)
    await asyncio.sleep(0.3)

    assert cancelled.job.state == pb.JOB_STATE_CANCELLED
    assert world.budget.available == 500


async def test_an_estimate_of_nothing_needs_no_envelope_and_no_gate(world: Any) -> None:
    """Stored answers are free, so an empty account does not stop them."""
    world.budget.available = -30
    world.discovery.cached = 1

    created = await world.create(
        identifiers=[pb.Identifier(value="978-0-470-82094-0", buy_cents=500)],
        include_recently_seen=True,
    )
    job = await world.ended(created.name)

    assert job.state == pb.JOB_STATE_COMPLETED
    assert job.envelope == ""
    asked = world.discovery.of(events.ScoringRequested, created.name)[0]
    assert list(asked.asins) == ["0470820942"]
    assert asked.options.buy_cents["0470820942"] == 500
    assert not world.budget.asked


async def test_identifiers_skip_the_search_and_count_once(world: Any) -> None:
    """A4, A10."""
    given = ["B000000101", "B000000102", "B000000101", "B000000103"]

    created = await world.create(identifiers=[pb.Identifier(value=value) for value in given])
    job = await world.ended(created.name)

    assert (job.found_count, job.unique_count, job.analyzed_count) == (4, 3, 3)
    assert not world.discovery.of(events.DiscoveryRequested, created.name)
    assert world.budget.asked[0].token_count == 3


async def test_what_any_job_analysed_this_week_is_not_analysed_again(world: Any) -> None:
    """A4: the second job pays for the new product alone."""
    first = await world.create(
        identifiers=[pb.Identifier(value=value) for value in ("B000000201", "B000000202")]
    )
    await world.ended(first.name)

    second = await world.create(
        identifiers=[pb.Identifier(value=value) for value in ("B000000201", "B000000203")]
    )
    job = await world.ended(second.name)

    assert (job.recently_seen_count, job.analyzed_count) == (1, 1)
    assert world.budget.asked[-1].token_count == 1


async def test_a_search_leaves_out_what_was_seen_and_takes_the_next(world: Any) -> None:
    world.discovery.found = tuple(f"B{number:09d}" for number in range(300, 330))
    first = await world.create(filter=discovery_pb.DiscoveryFilter())
    await world.ended(first.name)

    second = await world.create(filter=discovery_pb.DiscoveryFilter())
    job = await world.ended(second.name)

    asked = [
        asin
        for event in world.discovery.of(events.ScoringRequested, second.name)
        for asin in event.asins
    ]
    assert job.recently_seen_count == 10
    assert asked == [f"B{number:09d}" for number in range(310, 320)]


async def test_live_offers_may_spend_what_no_later_product_needs(world: Any) -> None:
    """Design 6.5: each request says how much of the envelope the rest of the job may cost."""
    world.discovery.found = tuple(f"B{number:09d}" for number in range(400, 410))

    created = await world.create(filter=discovery_pb.DiscoveryFilter())
    await world.ended(created.name)

    asked = world.discovery.of(events.ScoringRequested, created.name)
    assert [len(event.asins) for event in asked] == [5, 5]
    assert [event.kept_token_count for event in asked] == [5, 0]
    assert all(event.HasField("kept_token_count") for event in asked)


@pytest.mark.parametrize(
    ("value", "why"), [("0470820943", "check digit"), ("not an isbn", "not an ASIN")]
)
async def test_bad_identifiers_are_named_one_by_one(world: Any, value: str, why: str) -> None:
    """A13: refused with the line and the reason, nothing spent."""
    refused = await refusal(
        world.create(identifiers=[pb.Identifier(value="0470820942"), pb.Identifier(value=value)])
    )

    assert refused.reason == "INVALID_FIELD"
    assert [violation.field for violation in refused.violations] == ["spec.identifiers[1].value"]
    assert why in refused.violations[0].description
    assert not world.budget.asked


async def test_a_job_of_nothing_is_refused(world: Any) -> None:
    """A13."""
    refused = await refusal(world.stub.CreateJob(world.request(display_name="empty")))

    assert refused.reason == "INVALID_FIELD"


async def test_a_429_ends_the_job_with_what_it_has(world: Any) -> None:
    """INC-4: the picks of the same answer stay, and nothing more is asked."""

    def limited(event: Any) -> Any:
        answers = world.discovery.usual(event)
        if isinstance(event, events.ScoringRequested):
            answers[0].info.stop_reason = discovery_pb.STOP_REASON_RATE_LIMITED
            del answers[0].scores[2:]
        return answers

    world.discovery.answer = limited
    created = await world.create()
    job = await world.ended(created.name)

    assert job.state == pb.JOB_STATE_BUDGET_STOPPED
    assert job.pick_count == 2
    assert len(world.discovery.of(events.ScoringRequested, created.name)) == 1
    outcomes = [product.outcome for product in job.products]
    assert outcomes.count(pb.PRODUCT_OUTCOME_UNANSWERED) == 8
    assert len(world.discovery.of(events.JobStopped, created.name)) == 1


async def test_a_rejected_key_fails_the_job_with_its_words(world: Any) -> None:
    def rejected(event: Any) -> Any:
        if not isinstance(event, events.DiscoveryRequested):
            return []
        info = discovery_pb.SearchInfo(
            stop_reason=discovery_pb.STOP_REASON_KEY_REJECTED, stop_message="Keepa said no"
        )
        return [discovery_events.DiscoveryFailed(job=event.job, step_id=event.step_id, info=info)]

    world.discovery.answer = rejected
    created = await world.create()
    job = await world.ended(created.name)

    assert job.state == pb.JOB_STATE_FAILED
    assert job.message == "Keepa said no"
    assert job.suggestion == "Check the Keepa API key"


async def test_a_job_out_of_time_is_ended_by_the_database_clock(world: Any) -> None:
    """A3: with the published message, and the envelope closed."""
    world.discovery.answer = lambda _: []
    created = await world.create()
    await _expire(world, created.name)

    job = await world.ended(created.name)

    assert job.state == pb.JOB_STATE_TIMED_OUT
    assert job.message == "Job exceeded timeout limit (120s)"
    assert job.suggestion == "reduce search scope"
    assert world.budget.released == [created.envelope]


async def test_an_answer_that_comes_after_the_end_changes_nothing(world: Any) -> None:
    """A6: picks never change once the job has ended, whatever arrives."""
    late: list[Any] = []

    def held_back(event: Any) -> Any:
        if isinstance(event, events.ScoringRequested):
            late.append(world.discovery.scored(event))
            return []
        return world.discovery.usual(event)

    world.discovery.answer = held_back
    created = await world.create()
    await world.discovery.until(events.ScoringRequested, created.name)
    await world.stub.CancelJob(pb.CancelJobRequest(request_id=str(uuid4()), name=created.name))
    before = await world.ended(created.name)

    await world.discovery.say(late[0])
    await asyncio.sleep(0.3)

    assert await world.picks(created.name) == []
    assert (await world.job(created.name)).sequence == before.sequence
    assert before.state == pb.JOB_STATE_CANCELLED


async def test_a_repeated_answer_counts_once(world: Any) -> None:
    """Copies with the same id stop at the inbox, copies with another id at the step."""
    said: list[Any] = []

    def twice(event: Any) -> Any:
        answers = list(world.discovery.usual(event))
        said.extend(answers)
        return answers * 2

    world.discovery.answer = twice
    created = await world.create()
    job = await world.ended(created.name)
    for answer in said:
        await world.discovery.say(answer)
    await asyncio.sleep(0.3)

    assert job.pick_count == 10
    assert (await world.job(created.name)).pick_count == 10
    assert len(world.discovery.of(events.PickFound, created.name)) == 10


async def test_cancelling_twice_answers_the_same(world: Any) -> None:
    world.discovery.answer = lambda _: []
    created = await world.create()
    request = pb.CancelJobRequest(request_id=str(uuid4()), name=created.name)

    first = await world.stub.CancelJob(request)
    again = await world.stub.CancelJob(request)

    assert first.job.state == again.job.state == pb.JOB_STATE_CANCELLED


async def test_a_finished_job_cannot_be_cancelled(world: Any) -> None:
    created = await world.create()
    await world.ended(created.name)

    refused = await refusal(
        world.stub.CancelJob(pb.CancelJobRequest(request_id=str(uuid4()), name=created.name))
    )

    assert refused.reason == "JOB_FINISHED"
    assert refused.facts["state"] == "COMPLETED"


async def test_an_unknown_job_is_not_found(world: Any) -> None:
    """A13."""
    name = f"jobs/{uuid4()}"

    refused = await refusal(world.stub.GetJob(pb.GetJobRequest(name=name)))

    assert refused.reason == "JOB_NOT_FOUND"
    assert refused.resource == ("job", name)


async def test_an_answer_for_a_job_that_never_was_is_kept_as_a_dead_letter(world: Any) -> None:
    """A13: a broken or foreign event is lost to nobody and stops nobody."""
    job = f"jobs/{uuid4()}"
    await world.discovery.say(
        discovery_events.DiscoveryCompleted(job=job, step_id=str(uuid4()), asins=["B000000001"])
    )
    await world.discovery.say(discovery_events.DiscoveryCompleted(job="nonsense"))

    created = await world.create()
    await world.ended(created.name)

    letters = await world.execute("select error from autosourcing.dead_letters")
    assert len(letters) == 2


async def test_jobs_that_wait_for_tokens_leave_a_place_for_one_that_holds_them(
    world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """L1: each waited for the other, until the envelope of the job that had ended expired."""
    monkeypatch.setattr(tending, "MOST_AT_ONCE", 2)
    monkeypatch.setattr(tending, "MOST_WAITING", 2)
    world.discovery.answer = lambda _: []
    holder = await world.create()
    world.budget.available = 20
    waiting = [await world.create(wait=600) for _ in range(3)]
    await world.until(
        lambda: (
            len({each.job for each in world.budget.asked if each.max_wait_duration.seconds}) == 2
        )
    )

    await world.stub.CancelJob(pb.CancelJobRequest(request_id=str(uuid4()), name=holder.name))
    await world.ended(holder.name)

    async with asyncio.timeout(20):
        while pb.JOB_STATE_RUNNING not in {(await world.job(each.name)).state for each in waiting}:
            await asyncio.sleep(0.05)


async def test_a_budget_that_hangs_keeps_no_job_from_its_deadline(
    world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A6: giving back what a refused job may hold is no reason to let another run on."""
    monkeypatch.setattr(clients, "ANSWER_SECONDS", 120.0)
    world.discovery.answer = lambda _: []
    job = await world.create()
    world.budget.hanging_release = asyncio.Event()
    world.budget.forgets_to_answer = True
    await refusal(world.create())
    await world.until(lambda: world.budget.hanging)

    await _expire(world, job.name)

    try:
        async with asyncio.timeout(20):
            while (await world.job(job.name)).state != pb.JOB_STATE_TIMED_OUT:
                await asyncio.sleep(0.05)
    finally:
        world.budget.hanging_release.set()


async def _expire(world: Any, name: str) -> None:
    """Move the job's deadline into the past, as if two minutes went by."""
    past = "to_jsonb(to_char(now() at time zone 'utc', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"'))"
    await world.execute(
        "update autosourcing.jobs set attend_at = now(), "
        f"document = jsonb_set(document, '{{deadline_at}}', {past}) where id::text = $1",
        name.removeprefix("jobs/"),
    )
