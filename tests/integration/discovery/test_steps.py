"""Steps of jobs over a real database: done once, whoever dies."""

import asyncio
from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from arbitragevault.discovery.v1 import discovery_pb2 as pb
from arbitragevault.discovery.v1 import events_pb2 as events
from sqlalchemy.exc import OperationalError

from services.chassis.errors import Kind
from services.discovery.domain.steps import Step, StepKind
from services.discovery.usecases.keeping import Ask
from tests.integration.discovery.stage import Replica, accept, asin, refusal, task

pytestmark = pytest.mark.anyio


async def only_event(one: Replica) -> object:
    found = await one.events()
    assert len(found) == 1
    return found[0]


async def test_a_search_step_is_answered_with_asins(one: Replica) -> None:
    """Step 2 of a job: autosourcing goes on from this event."""
    wanted = task(StepKind.DISCOVERY)
    await accept(one, wanted)

    assert await one.worker.work_once()

    event = await only_event(one)
    assert isinstance(event, events.DiscoveryCompleted)
    assert (event.job, event.step_id) == (wanted.job, str(wanted.step_id))
    assert len(event.asins) == 60
    assert event.info.token_count == 11
    assert one.till.errands[0].envelope == wanted.envelope
    assert one.till.errands[0].job == wanted.job


async def test_a_scoring_step_is_answered_with_scores_in_the_order_asked_for(
    one: Replica,
) -> None:
    """Autosourcing cuts to a limit, so order matters."""
    wanted = task(asins=tuple(asin(number) for number in (3, 1, 2)))
    await accept(one, wanted)

    await one.worker.work_once()

    event = await only_event(one)
    assert isinstance(event, events.ScoringCompleted)
    assert [score.asin for score in event.scores] == [asin(3), asin(1), asin(2)]
    assert event.info.token_count == 3
    assert event.info.stop_reason == pb.STOP_REASON_UNSPECIFIED


async def test_a_step_skips_what_was_blocked_whatever_is_stored_of_it(one: Replica) -> None:
    """D7: a job must not pick what somebody decided never to buy again."""
    await accept(one, task(asins=(asin(1), asin(2))))
    await one.worker.work_once()
    await one.blocker.block(Ask(id=uuid4(), caller="tester"), 1, asin(1), "counterfeits")
    await accept(one, task(asins=(asin(1), asin(2))))

    await one.worker.work_once()

    event = (await one.events())[-1]
    assert isinstance(event, events.ScoringCompleted)
    assert [score.recommendation for score in event.scores] == [
        pb.RECOMMENDATION_SKIP,
        pb.RECOMMENDATION_CONSIDER,
    ]
    assert event.scores[0].reasons[0].code == "BLOCKED"
    assert event.info.token_count == 0


async def test_a_request_that_comes_twice_is_one_step(one: Replica) -> None:
    """Events come at least once."""
    wanted, event_id = task(), uuid4()
    await accept(one, wanted, event_id)
    await accept(one, wanted, event_id)

    assert await one.worker.work_once()
    assert not await one.worker.work_once()


async def test_a_killed_worker_s_step_is_done_again_and_paid_once(
    one: Replica, two: Replica
) -> None:
    """K-points of the chain: after the answer was paid, before it was stored."""
    one.till.hangs_after = 20
    wanted = task(asins=tuple(map(asin, range(30))))
    await accept(one, wanted)
    killed = asyncio.create_task(one.worker.work_once())
    while one.till.tokens < 20:  # noqa: ASYNC110 - it is the worker that goes on
        await asyncio.sleep(0.01)
    killed.cancel()
    await asyncio.gather(killed, return_exceptions=True)
    await one.execute("update discovery.steps set leased_until = now() - interval '1 s'")

    one.till.hangs_after = None
    assert await two.worker.work_once()

    event = await only_event(one)
    assert isinstance(event, events.ScoringCompleted)
    assert len(event.scores) == 30
    assert one.till.tokens == 30


async def test_a_repeated_step_names_the_same_calls(one: Replica) -> None:
    """An id made anew would pay anew."""
    wanted = task(StepKind.DISCOVERY)
    event_id = await accept(one, wanted)
    first = await one.steps.claim(duration=timedelta(0))
    again = await one.steps.claim(duration=timedelta(0))

    assert first is not None
    assert again is not None
    assert first.event_id == again.event_id == event_id
    assert first.call_id(("find", wanted.filter)) == again.call_id(("find", wanted.filter))
    assert first.created_at == again.created_at
    assert again.epoch == first.epoch + 1


async def test_a_lease_that_could_not_be_prolonged_ends_no_work(
    one: Replica, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A database that is busy for a moment must not throw away an answer that is being paid for."""
    failed = 0

    async def extend(step: Step, *, duration: timedelta) -> bool:
        nonlocal failed
        failed += 1
        raise OperationalError("update discovery.steps", None, TimeoutError("too slow"))

    monkeypatch.setattr(one.steps, "extend", extend)
    monkeypatch.setattr(one.worker, "_lease", timedelta(seconds=0.03))
    one.till.delay = 0.3
    await accept(one, task(asins=(asin(1),)))

    assert await one.worker.work_once()

    event = await only_event(one)
    assert isinstance(event, events.ScoringCompleted)
    assert [score.asin for score in event.scores] == [asin(1)]
    assert failed > 1


async def test_a_worker_that_woke_up_late_cannot_answer(one: Replica, two: Replica) -> None:
    """The epoch fences off a zombie (fault 2 of the matrix)."""
    await accept(one, task())
    zombie = await one.steps.claim(duration=timedelta(0))
    assert zombie is not None
    assert await two.worker.work_once()

    late = one.worker
    answer = await late._answer(zombie)

    assert not await one.steps.finish(zombie, answer)
    assert not await one.steps.extend(zombie, duration=timedelta(seconds=15))
    assert len(await one.events()) == 1


async def test_only_the_newest_of_two_workers_of_an_open_step_can_answer(
    one: Replica, two: Replica
) -> None:
    """The dangerous moment: the step is still open, and both believe that it is theirs."""
    await accept(one, task(asins=(asin(1),)))
    zombie = await one.steps.claim(duration=timedelta(0))
    newest = await two.steps.claim(duration=timedelta(seconds=15))
    assert zombie is not None
    assert newest is not None
    answer = await one.worker._answer(zombie)

    assert not await one.steps.extend(zombie, duration=timedelta(seconds=15))
    assert not await one.steps.finish(zombie, answer)
    assert await one.events() == []

    assert await two.steps.extend(newest, duration=timedelta(seconds=15))
    assert await two.steps.finish(newest, answer)
    assert len(await two.events()) == 1


async def test_many_workers_share_the_steps_without_doing_any_twice(
    one: Replica, two: Replica
) -> None:
    """SKIP LOCKED: nobody waits for a step that somebody has."""
    wanted = [task(asins=(asin(number),)) for number in range(20)]
    for each in wanted:
        await accept(one, each)

    async def drain(each: Replica) -> None:
        while await each.worker.work_once():
            pass

    await asyncio.gather(*(drain(each) for each in (one, two) for _ in range(3)))

    answered = {event.step_id for event in await one.events()}  # type: ignore[attr-defined]
    assert answered == {str(each.step_id) for each in wanted}
    assert one.till.tokens == 20


@pytest.mark.parametrize(
    ("reason", "kind", "stop"),
    [
        ("KEEPA_RATE_LIMITED", Kind.RESOURCE_EXHAUSTED, pb.STOP_REASON_RATE_LIMITED),
        ("INSUFFICIENT_TOKENS", Kind.RESOURCE_EXHAUSTED, pb.STOP_REASON_INSUFFICIENT_TOKENS),
        ("RESERVATION_ENDED", Kind.FAILED_PRECONDITION, pb.STOP_REASON_ENVELOPE_ENDED),
        ("ENVELOPE_EXHAUSTED", Kind.FAILED_PRECONDITION, pb.STOP_REASON_ENVELOPE_ENDED),
        ("KEEPA_KEY_REJECTED", Kind.FAILED_PRECONDITION, pb.STOP_REASON_KEY_REJECTED),
        ("SOMETHING_NEW", Kind.INVALID_ARGUMENT, pb.STOP_REASON_FAULT),
    ],
)
async def test_a_refused_step_ends_at_once_with_its_reason(
    one: Replica, reason: str, kind: Kind, stop: int
) -> None:
    """After the first 429 nothing more is asked (INC-4); nothing found at all is a failure."""
    one.till.refusals = [refusal(reason, 60, kind)]
    wanted = task()
    await accept(one, wanted)

    await one.worker.work_once()

    event = await only_event(one)
    assert isinstance(event, events.ScoringFailed)
    assert event.info.stop_reason == stop
    assert len(one.till.errands) == 1
    assert one.till.tokens == 0


async def test_a_429_half_way_keeps_what_was_found(one: Replica) -> None:
    """A6: what was paid for is never lost."""
    one.till.allowed = 12
    await accept(one, task())

    await one.worker.work_once()

    event = await only_event(one)
    assert isinstance(event, events.ScoringCompleted)
    assert len(event.scores) == 12
    assert len(event.unanswered_asins) == 18
    assert event.info.stop_reason == pb.STOP_REASON_RATE_LIMITED
    assert event.info.token_count == 12


@pytest.mark.parametrize("reason", ["THROTTLED", "CIRCUIT_OPEN", "UPSTREAM_UNAVAILABLE"])
async def test_a_way_that_is_closed_for_a_moment_is_sat_out(one: Replica, reason: str) -> None:
    """Design 6.4: a closed throttle or breaker makes a job wait, not fail."""
    one.till.refusals = [refusal(reason, 0.05), refusal(reason, 0.05)]
    await accept(one, task(asins=(asin(1),)))

    await one.worker.work_once()

    event = await only_event(one)
    assert isinstance(event, events.ScoringCompleted)
    assert len(event.scores) == 1
    assert len(one.till.errands) == 3


async def test_the_deadline_ends_a_step_with_what_was_found(one: Replica) -> None:
    """Work after the job's end is of no use; the answer needs time for its way back."""
    one.till.hangs_after = 30
    await accept(one, task(seconds=6, asins=tuple(map(asin, range(60)))))

    await one.worker.work_once()

    event = await only_event(one)
    assert isinstance(event, events.ScoringCompleted)
    assert 0 < len(event.scores) < 60
    assert len(event.scores) + len(event.unanswered_asins) == 60
    assert event.info.stop_reason == pb.STOP_REASON_DEADLINE


async def test_a_step_that_comes_too_late_spends_nothing(one: Replica) -> None:
    """Its job has ended by then."""
    await accept(one, task(seconds=1))

    await one.worker.work_once()

    event = await only_event(one)
    assert isinstance(event, events.ScoringFailed)
    assert event.info.stop_reason == pb.STOP_REASON_DEADLINE
    assert one.till.errands == []


async def test_without_an_envelope_only_stored_answers_are_given(one: Replica) -> None:
    """An estimate of 0 needs no envelope, and nothing may be spent without one."""
    one.till.snapshots = {asin(0), asin(1)}
    await accept(one, task(envelope="", asins=(asin(0), asin(1), asin(2))))

    await one.worker.work_once()

    event = await only_event(one)
    assert isinstance(event, events.ScoringCompleted)
    assert [score.asin for score in event.scores] == [asin(0), asin(1)]
    assert list(event.unanswered_asins) == [asin(2)]
    assert one.till.tokens == 0


async def test_lost_answers_are_reported_as_unknown(one: Replica) -> None:
    """The job goes on without them and counts them as unsettled."""
    one.till.unknown = {asin(1)}
    await accept(one, task(asins=(asin(0), asin(1))))

    await one.worker.work_once()

    event = await only_event(one)
    assert isinstance(event, events.ScoringCompleted)
    assert list(event.unknown_asins) == [asin(1)]
    assert event.info.unsettled_token_count == 1


async def test_a_step_that_kills_its_workers_is_answered_as_a_fault(one: Replica) -> None:
    """Otherwise it would kill every worker there is, for ever."""
    await accept(one, task())
    await one.execute("update discovery.steps set attempts = 8")

    await one.worker.work_once()

    event = await only_event(one)
    assert isinstance(event, events.ScoringFailed)
    assert event.info.stop_reason == pb.STOP_REASON_FAULT
    assert one.till.errands == []


async def test_an_orderly_stop_gives_the_step_to_another_worker_at_once(
    one: Replica, two: Replica
) -> None:
    """A deployment must not cost a job fifteen seconds."""
    one.till.hangs_after = 1
    await accept(one, task())
    stopping = asyncio.create_task(one.worker.work_once())
    while not one.till.tokens:  # noqa: ASYNC110 - it is the worker that goes on
        await asyncio.sleep(0.01)

    stopping.cancel()
    await asyncio.gather(stopping, return_exceptions=True)
    one.till.hangs_after = None

    assert await two.worker.work_once()


async def test_the_history_holds_a_step_once(one: Replica) -> None:
    """D3 for jobs: one line per step, with the job's name."""
    wanted = task(StepKind.DISCOVERY)
    await accept(one, wanted)
    await one.worker.work_once()

    page = await one.searches.page(None, wanted.job, size=10, after=None)

    assert [(search.job, search.tokens, search.results) for search in page.items] == [
        (wanted.job, 11, 60)
    ]
    assert isinstance(page.items[0].id, UUID)
