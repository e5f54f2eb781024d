"""Paid calls: how long all their tries may take, and what is left when a part of the end fails."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, cast
from uuid import UUID, uuid4

import pytest

from services.chassis.errors import Kind, Refusal
from services.keepa_gateway.domain.attempt import Asking, Attempt, Charge, Intent
from services.keepa_gateway.domain.calls import Call, Deadlines
from services.keepa_gateway.domain.outcome import Outcome, Verdict, unsent
from services.keepa_gateway.domain.products_request import ProductsRequest
from services.keepa_gateway.ports import Ending, Harvest, Hold, Keepa, Opened, Reply
from services.keepa_gateway.usecases import paid
from services.keepa_gateway.usecases.paid import (
    Missing,
    Paid,
    PaidSections,
    Plan,
    Reap,
    Wanted,
    intent,
)
from services.keepa_gateway.usecases.reading import Reading
from services.keepa_gateway.usecases.way import Held

pytestmark = pytest.mark.anyio

DEADLINE = 15.0
ATTEMPT = uuid4()
CALL = ProductsRequest(domain=1, asins=("0306406152",)).call()


class Way:
    """What a section needs of the way out."""

    deadlines = Deadlines(plain=DEADLINE)

    def now(self) -> datetime:
        """Tell the shared instant."""
        return datetime.now(UTC)

    async def give_back_place(self) -> None:
        """There are places enough."""


class Time:
    """A steady clock that moves when told."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        """Tell the instant."""
        return self.now


class Unreachable:
    """A Keepa that cannot be connected to, which takes its time to show."""

    def __init__(self, time: Time, seconds: float) -> None:
        self._time = time
        self._seconds = seconds
        self.allowed: list[float] = []

    async def send(self, _: Call, *, within: timedelta) -> Outcome:
        """Try, and fail for certain."""
        self.allowed.append(within.total_seconds())
        self._time.now += self._seconds
        return unsent("Nobody there.")


class Answering:
    """A Keepa that answers and says what it cost."""

    async def send(self, _: Call, *, within: timedelta) -> Reply:
        """Answer with one product, in time."""
        assert within > timedelta(0)
        return Reply(200, b'{"products":[{"asin":"0306406152"}],"tokensConsumed":1}')


class Attempts:
    """Attempts whose storing takes its time; it keeps the outcome."""

    def __init__(self, time: Time, seconds: float) -> None:
        self._time = time
        self._seconds = seconds
        self.broken = False
        self.missing = False
        self.shrunk: list[tuple[str, ...]] = []
        self.outcome: Outcome | None = None
        self.settled: tuple[UUID, ...] = ()

    async def open(self, intents: Sequence[Intent], _: object) -> dict[UUID, Opened]:
        """Let everybody ask for everything."""
        self._time.now += self._seconds
        known = self.missing
        return {one.attempt_id: Opened(gained=tuple(one.keys), missing=known) for one in intents}

    async def shrink(self, _: UUID, subjects: Sequence[str], __: Sequence[str]) -> None:
        """Note what is left to ask for."""
        self.shrunk.append(tuple(subjects))

    async def close(
        self, endings: Sequence[Ending], outcome: Outcome, _: Harvest
    ) -> Mapping[UUID, Attempt]:
        """Note the outcome."""
        if self.broken:
            raise LookupError
        self.outcome = outcome
        return {one.attempt_id: cast("Attempt", None) for one in endings}

    async def mark_settled(self, *attempt_ids: UUID) -> None:
        """Note what budget knows."""
        self.settled = attempt_ids


class Ledger:
    """A budget that notes what it is told, or fails."""

    def __init__(self, failure: Exception | None = None) -> None:
        self._failure = failure
        self.told: list[str | Charge] = []

    async def commit(self, charge: Charge) -> None:
        """Note a cost."""
        if self._failure is not None:
            raise self._failure
        self.told.append(charge)

    async def release(self, hold: str) -> None:
        """Note what is given back."""
        self.told.append(hold)


async def section(
    keepa: Keepa,
    attempts: Attempts,
    *,
    covers_until: float = float("inf"),
    reap: Reap | None = None,
) -> list[str | Charge]:
    """Run one paid section to its end, and return what budget was told."""
    ledger = Ledger()
    paid = await begun(keepa, attempts, ledger, covers_until=covers_until, reap=reap)
    assert isinstance(paid, Paid)
    assert attempts.settled == (ATTEMPT,)
    return ledger.told


async def begun(
    keepa: Keepa,
    attempts: Attempts,
    ledger: Ledger,
    *,
    covers_until: float = float("inf"),
    reap: Reap | None = None,
) -> Paid | BaseException:
    """Run one paid section, wait as a stop does, and return what its caller gets."""
    sections = sections_of(keepa, attempts, ledger)
    task = started(sections, ATTEMPT, covers_until=covers_until, reap=reap)
    (paid,) = await asyncio.gather(task, return_exceptions=True)
    await sections.finish()
    return paid


def sections_of(keepa: Keepa, attempts: Attempts, ledger: Ledger) -> PaidSections:
    """Wire what runs sections."""
    return PaidSections(
        keepa=keepa,
        attempts=cast("Any", attempts),
        budget=cast("Any", ledger),
        way=cast("Any", Way()),
    )


def started(
    sections: PaidSections,
    attempt_id: UUID,
    *,
    covers_until: float = float("inf"),
    reap: Reap | None = None,
    missing: Missing | None = None,
) -> "asyncio.Task[Paid]":
    """Begin a section."""
    planned = intent(
        Held(attempt_id, 0, Hold("reservations/1", 1, covers_until)),
        CALL,
        Asking(request_id=uuid4()),
        content="",
        keys={"0306406152": "key"},
        deadline=timedelta(seconds=DEADLINE),
    )

    async def all_missing(wanted: Wanted) -> Wanted:
        return wanted

    nothing = cast("Any", None)
    plan = Plan(missing=missing or all_missing, narrow=lambda _: CALL, reap=reap or nothing)
    return sections.start(planned, plan)


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> Time:
    """Time stands still unless something moves it."""
    still = Time()
    monkeypatch.setattr(paid, "monotonic", still)
    monkeypatch.setattr(paid, "UNSENT_PAUSE_SECONDS", 0.0)
    return still


async def test_all_tries_of_a_call_share_its_deadline(time: Time) -> None:
    """Row 14: a hold and a claim end by the deadline of one call, not of three."""
    keepa, attempts = Unreachable(time, 6.0), Attempts(time, 0.0)

    told = await section(keepa, attempts)

    assert told == ["reservations/1"]
    assert keepa.allowed == [15.0, 9.0, 3.0]
    assert attempts.outcome is not None
    assert attempts.outcome.verdict is Verdict.UNSENT


async def test_no_try_begins_after_the_deadline(time: Time) -> None:
    keepa, attempts = Unreachable(time, 10.0), Attempts(time, 0.0)

    await section(keepa, attempts)

    assert keepa.allowed == [15.0, 5.0]


async def test_a_process_that_froze_before_sending_sends_nothing(time: Time) -> None:
    """Row 2: its call was given up and settled meanwhile, and another may have been sent for it."""
    keepa, attempts = Unreachable(time, 0.0), Attempts(time, DEADLINE)

    await section(keepa, attempts)

    assert keepa.allowed == []
    assert attempts.outcome is not None
    assert (attempts.outcome.verdict, attempts.outcome.consumed) == (Verdict.UNSENT, 0)


async def test_a_call_is_over_while_its_tokens_are_held(time: Time) -> None:
    """A hold that was granted a while before the intent shortens the call; nothing outlives it."""
    keepa, attempts = Unreachable(time, 6.0), Attempts(time, 1.0)

    await section(keepa, attempts, covers_until=time.now + 10.0)

    assert keepa.allowed == [9.0, 3.0]


async def test_nothing_leaves_when_the_hold_is_over(time: Time) -> None:
    """INV-8: its cost would look like a stranger's use of the key."""
    keepa, attempts = Unreachable(time, 0.0), Attempts(time, 10.0)

    await section(keepa, attempts, covers_until=time.now + 10.0)

    assert keepa.allowed == []
    assert attempts.outcome is not None
    assert (attempts.outcome.verdict, attempts.outcome.consumed) == (Verdict.UNSENT, 0)


async def test_an_answer_at_which_our_own_reading_fails_is_booked_at_its_cost(time: Time) -> None:
    """It was paid for: a fault of ours must not leave its tokens to be guessed."""
    attempts = Attempts(time, 0.0)

    async def broken(_: Reading, __: tuple[str, ...]) -> Harvest:
        raise LookupError

    (booked,) = await section(Answering(), attempts, reap=broken)

    assert isinstance(booked, Charge)
    assert (booked.reservation, booked.consumed, booked.after_sequence) == ("reservations/1", 1, 1)
    assert attempts.outcome is not None
    assert (attempts.outcome.verdict, attempts.outcome.consumed) == (Verdict.FAILED, 1)


async def good(_: Reading, __: tuple[str, ...]) -> Harvest:
    """Reap nothing in particular."""
    return Harvest()


async def test_a_cost_is_booked_though_its_outcome_could_not_be_stored(time: Time) -> None:
    """INV-8: the ledger knows what Keepa took; nothing is noted, so that the rest is finished."""
    attempts, ledger = Attempts(time, 0.0), Ledger()
    attempts.broken = True

    paid = await begun(Answering(), attempts, ledger, reap=good)

    assert isinstance(paid, LookupError)
    assert [one.consumed for one in ledger.told if isinstance(one, Charge)] == [1]
    assert attempts.settled == ()


async def test_budget_hears_of_a_cost_while_the_answer_is_still_being_read(time: Time) -> None:
    """A hundred large books take a second, in which others may use what was held too much."""
    heard = asyncio.Event()

    class Listening(Ledger):
        async def commit(self, charge: Charge) -> None:
            await super().commit(charge)
            heard.set()

    async def long(_: Reading, __: tuple[str, ...]) -> Harvest:
        async with asyncio.timeout(10):
            await heard.wait()
        return Harvest()

    attempts, ledger = Attempts(time, 0.0), Listening()
    await begun(Answering(), attempts, ledger, reap=long)

    assert attempts.outcome is not None
    assert attempts.outcome.verdict is Verdict.ANSWERED
    assert attempts.settled == (ATTEMPT,)


@pytest.mark.parametrize(
    "failure", [Refusal(Kind.UNAVAILABLE, "BUDGET_UNAVAILABLE", "Away."), LookupError()]
)
async def test_an_outcome_is_stored_and_answered_though_its_cost_could_not_be_booked(
    time: Time, failure: Exception
) -> None:
    """It is paid for and here; that budget is to be told again stays written down."""
    attempts, ledger = Attempts(time, 0.0), Ledger(failure)

    paid = await begun(Answering(), attempts, ledger, reap=good)

    assert isinstance(paid, Paid)
    assert attempts.outcome is not None
    assert (attempts.outcome.verdict, attempts.outcome.consumed) == (Verdict.ANSWERED, 1)
    assert attempts.settled == ()


async def test_what_budget_knows_for_good_is_not_told_again(time: Time) -> None:
    """A hold that has another end already has one that no repetition changes."""
    attempts = Attempts(time, 0.0)
    ledger = Ledger(Refusal(Kind.FAILED_PRECONDITION, "COMMIT_CONFLICT", "Booked before."))

    await begun(Answering(), attempts, ledger, reap=good)

    assert attempts.settled == (ATTEMPT,)


async def test_a_stop_waits_until_a_cost_is_booked(time: Time) -> None:
    """Storing failed long before: the booking beside it is part of what a stop waits for."""
    attempts = Attempts(time, 0.0)
    attempts.broken = True

    class Slow(Ledger):
        async def commit(self, charge: Charge) -> None:
            for _ in range(50):
                await asyncio.sleep(0)
            await super().commit(charge)

    ledger = Slow()
    await begun(Answering(), attempts, ledger, reap=good)

    assert len(ledger.told) == 1


@pytest.mark.parametrize("told", [True, False])
async def test_what_was_answered_meanwhile_is_looked_for_unless_to_claim_told_that_it_is_missing(
    time: Time,
    told: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    """G4: nobody pays for what another call has stored between the look and the claim."""
    attempts, ledger = Attempts(time, 0.0), Ledger()
    attempts.missing = told
    looks: list[Wanted] = []

    async def there(wanted: Wanted) -> Wanted:
        looks.append(wanted)
        return dict.fromkeys(wanted, ())

    sections = sections_of(Answering(), attempts, ledger)
    await started(sections, ATTEMPT, reap=good, missing=there)
    await sections.finish()

    assert bool(looks) is not told
    assert attempts.shrunk == ([] if told else [()])
    assert (attempts.outcome is not None) is told
    assert ledger.told if told else ledger.told == ["reservations/1"]


async def test_calls_of_a_moment_are_noted_as_booked_together(time: Time) -> None:
    """Those that end while it is done come next; a stop waits for all of them."""
    noted: list[set[UUID]] = []
    late = uuid4()

    class Noting(Attempts):
        async def mark_settled(self, *attempt_ids: UUID) -> None:
            noted.append(set(attempt_ids))
            if len(noted) == 1:
                await started(sections, late, reap=good)

    sections = sections_of(Answering(), Noting(time, 0.0), Ledger())
    first = {uuid4() for _ in range(5)}
    await asyncio.gather(*(started(sections, one, reap=good) for one in first))
    await sections.finish()

    assert noted == [first, {late}]
