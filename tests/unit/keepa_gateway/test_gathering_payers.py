"""Who joins a call that others wait with, and who leaves it before anything is sent."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, cast
from uuid import UUID, uuid4

import pytest

from services.chassis.errors import Kind, Refusal
from services.keepa_gateway.domain.attempt import Asking, Intent, Priority, Spending
from services.keepa_gateway.domain.calls import Call, Deadlines
from services.keepa_gateway.domain.egress import Egress
from services.keepa_gateway.domain.products_request import ProductsRequest
from services.keepa_gateway.ports import Attempts, Budget, Gate, Harvest, Hold, Opened, Sought
from services.keepa_gateway.usecases import gathering
from services.keepa_gateway.usecases.gathering import Gatherer, Share
from services.keepa_gateway.usecases.paid import Paid, PaidSections, Plan, intent
from services.keepa_gateway.usecases.way import LOOKED_WITHIN, OPEN_WITHIN, Held, Way

pytestmark = pytest.mark.anyio

SOON = 10.0
HOUR = timedelta(hours=1)
ALWAYS = float("inf")


def share(asin: str, priority: Priority = Priority.INTERACTIVE) -> Share:
    """What one patient request has in a call."""
    spending = Spending(priority=priority, max_wait=HOUR)
    return Share(
        request=ProductsRequest(domain=1, asins=(asin,)),
        asking=Asking(request_id=uuid4(), spending=spending),
        content="",
        keys={asin: asin},
        number=0,
        not_before=datetime.now(UTC),
    )


class Open:
    """A way on which urgent calls find a place at once and others in an hour."""

    deadlines = Deadlines()

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self.tokens = asyncio.Event()
        self.tokens.set()
        self.given_back: list[Held] = []

    def check_deadline(self, call: Call, asking: Asking) -> None:
        """Nobody is late."""

    async def refuse_hopeless(self, call: Call, spending: Spending) -> None:
        """Everybody can pay."""

    async def closed(self, **_: object) -> None:
        """Nothing is in the way."""

    def left(self, _: Call, asking: Asking, __: float) -> float:
        """Everybody has all their time left."""
        return asking.spending.max_wait.total_seconds()

    async def place(self, askings: Iterable[Asking]) -> timedelta | None:
        """Keep the last places for the urgent."""
        urgency = min(asking.spending.priority for asking in askings)
        self.asked.set()
        return None if urgency is Priority.INTERACTIVE else HOUR

    async def give_back_place(self) -> None:
        """There are places enough."""

    async def reserve(self, _: Call, asking: Asking, number: int) -> Held:
        """Hold tokens, when there are some."""
        self.asked.set()
        await self.tokens.wait()
        return Held(asking.request_id, number, Hold("reservations/1", 1, ALWAYS))

    def covers(self, _: Held, __: Call) -> bool:
        """Holds last."""
        return True

    async def give_back(self, held: Held) -> bool:
        """Take tokens back."""
        self.given_back.append(held)
        return True


class Sections:
    """Paid sections that answer whatever they are asked."""

    def __init__(self) -> None:
        self.intents: list[Intent] = []
        self.plans: list[Plan] = []

    def start_shared(self, intents: list[Intent], plan: Plan) -> "asyncio.Task[dict[UUID, Paid]]":
        """Remember who pays."""
        self.intents += intents
        self.plans.append(plan)

        async def paid() -> dict[UUID, Paid]:
            return {one.attempt_id: Paid(attempt=None, harvest=Harvest()) for one in intents}

        return asyncio.create_task(paid())


def gathered() -> tuple[Open, Sections, Gatherer]:
    way, sections = Open(), Sections()
    return (
        way,
        sections,
        Gatherer(
            way=cast("Way", way),
            paid=cast("PaidSections", sections),
            snapshots=cast("Any", None),
            packer=cast("Any", None),
        ),
    )


async def test_only_after_a_shared_call_the_next_one_waits_for_its_crowd(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """G4: of a crowd some are always still on the way; who comes alone waits for nobody."""
    monkeypatch.setattr(gathering, "CROWD_SECONDS", 0.5)
    _, sections, gatherer = gathered()

    async def one_after_the_other(first: str, second: str) -> int:
        """Buy the second when the first, alone, would have left; return how many calls it took."""
        before = len(sections.plans)
        buying = asyncio.create_task(gatherer.buy(share(first)))
        for _ in range(20):
            await asyncio.sleep(0)
        await asyncio.gather(buying, gatherer.buy(share(second)))
        return len(sections.plans) - before

    assert await one_after_the_other("A", "B") == 2
    await asyncio.gather(gatherer.buy(share("C")), gatherer.buy(share("D")))
    assert await one_after_the_other("E", "F") == 1
    await gatherer.buy(share("G"))
    assert await one_after_the_other("H", "I") == 2


async def test_an_urgent_request_waits_for_no_place_among_less_urgent_ones() -> None:
    """INC-9, T6: places are kept back for clicks; a click that joined would wait with the rest."""
    way, _, gatherer = gathered()
    patient = asyncio.create_task(gatherer.buy(share("A", Priority.BACKGROUND)))
    async with asyncio.timeout(SOON):
        await way.asked.wait()
        await gatherer.buy(share("B"))

    assert not patient.done()
    patient.cancel()
    await asyncio.gather(patient, return_exceptions=True)


async def test_who_is_as_urgent_waits_for_the_same_place() -> None:
    """G4: one place is enough for all who wait for one."""
    way, _, gatherer = gathered()
    one = asyncio.create_task(gatherer.buy(share("A", Priority.BACKGROUND)))
    async with asyncio.timeout(SOON):
        await way.asked.wait()
    two = asyncio.create_task(gatherer.buy(share("B", Priority.BACKGROUND)))
    await asyncio.sleep(0)

    assert len(gatherer._running) == 1
    for each in (one, two):
        each.cancel()
    await asyncio.gather(one, two, return_exceptions=True)


async def test_what_is_sought_is_as_old_as_any_of_those_who_share_a_call_accepts() -> None:
    """G4: what would do for one of them must not be told to be missing."""
    _, sections, gatherer = gathered()
    old, new = share("A"), share("B")
    old.not_before -= HOUR

    await asyncio.gather(gatherer.buy(new), gatherer.buy(old))

    (plan,) = sections.plans
    assert plan.sought == Sought(1, ["B", "A"], old.not_before)


async def test_who_goes_away_before_anything_is_sent_pays_nothing() -> None:
    """G9: only what is on its way already is finished for a caller that went away."""
    way, sections, gatherer = gathered()
    way.tokens.clear()
    wanted = share("A"), share("B")
    gone, there = (asyncio.create_task(gatherer.buy(one)) for one in wanted)
    async with asyncio.timeout(SOON):
        await way.asked.wait()
        gone.cancel()
        await asyncio.gather(gone, return_exceptions=True)
        way.tokens.set()
        await there

    assert [one.request_id for one in sections.intents] == [wanted[1].asking.request_id]
    assert [one.attempt_id for one in way.given_back] == [wanted[0].asking.request_id]
    assert wanted[0].paid.cancelled()


class Clock:
    """Time stands still."""

    def now(self) -> datetime:
        """Tell the time of day."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Tell the instant."""
        return 0.0


class Deaf:
    """A budget that holds tokens and then hears nothing; it counts who asks at one time."""

    def __init__(self) -> None:
        self.at_once = self.most = 0

    async def release(self, _: str) -> None:
        """Answer too late."""
        self.at_once += 1
        self.most = max(self.most, self.at_once)
        await asyncio.sleep(0.01)
        self.at_once -= 1
        raise Refusal(Kind.UNAVAILABLE, "BUDGET_UNAVAILABLE", "Away.")


class Fenced:
    """Attempts of which none was sent: others had claimed everything."""

    def __init__(self) -> None:
        self.settled: list[UUID] = []

    async def fence(self, _: UUID, __: str) -> bool:
        """Nothing was sent."""
        return True

    async def mark_settled(self, *attempt_ids: UUID) -> None:
        """Remember them."""
        self.settled += attempt_ids

    async def open(self, intents: list[Intent], _: object) -> dict[UUID, Opened]:
        """Let nobody gain anything."""
        return {one.attempt_id: Opened(gained=()) for one in intents}


async def test_a_hold_that_budget_cannot_take_back_now_is_left_to_the_reconciler() -> None:
    """One payer's late release must not refuse the others of the call."""
    attempts = Fenced()
    way = Way(
        gate=cast("Gate", None),
        attempts=cast("Attempts", attempts),
        budget=cast("Budget", Deaf()),
        clock=cast("Any", Clock()),
        deadlines=Deadlines(),
        tick=timedelta(minutes=1),
        per_minute=20,
        burst=20,
    )

    await way.give_back(Held(uuid4(), 0, Hold("reservations/1", 1, ALWAYS)))

    assert attempts.settled == []


async def test_parts_that_others_had_claimed_are_given_back_at_once() -> None:
    """G5: one after the other, a budget that is away would keep the call from leaving in time."""
    attempts, budget = Fenced(), Deaf()
    sections = PaidSections(
        keepa=cast("Any", None),
        attempts=cast("Attempts", attempts),
        budget=cast("Budget", budget),
        way=cast("Way", Open()),
    )
    wanted = [share("A"), share("B"), share("C")]
    intents = [
        intent(
            Held(uuid4(), 0, Hold(f"reservations/{one.content}", 1, ALWAYS)),
            one.call,
            one.asking,
            content=one.content,
            keys=one.keys,
            deadline=HOUR,
        )
        for one in wanted
    ]

    nothing = cast("Any", None)
    paid = await sections.start_shared(intents, Plan(missing=nothing, narrow=nothing, reap=nothing))

    assert [one.attempt for one in paid.values()] == [None] * 3
    assert budget.most == 3
    assert attempts.settled == []


class Crowded:
    """A gate whose places are taken, and which closes while somebody waits for one."""

    def __init__(self) -> None:
        self.asked_for = 0
        self.within: list[timedelta] = []

    async def read(self, *, within: timedelta) -> tuple[Egress, datetime]:
        """Tell of a 429 that came after the first look."""
        self.within.append(within)
        now = datetime.now(UTC)
        return Egress(paused_until=now + HOUR if self.asked_for else None), now

    async def take_place(self, _: int) -> timedelta:
        """Have none."""
        self.asked_for += 1
        return timedelta(milliseconds=1)


class Rich:
    """A budget that would pay for everything."""

    def __init__(self) -> None:
        self.held = 0

    async def capacity(self, _: int) -> int:
        """Hold more than anybody wants."""
        return 10**6

    async def reserve(self, *_: object, **__: object) -> Hold:
        """Hold tokens."""
        self.held += 1
        return Hold("reservations/1", 1, ALWAYS)


async def shared(way: Way, one: Share) -> None:
    """Ask for a place together with others."""
    nothing = cast("Any", None)
    gatherer = Gatherer(way=way, paid=nothing, snapshots=nothing, packer=nothing)
    await gatherer.buy(replace(one, came_at=0.0))


async def alone(way: Way, one: Share) -> None:
    """Ask for a place of one's own."""
    await way.hold(one.call, one.asking, 0)


@pytest.mark.parametrize("asked", [shared, alone])
async def test_a_way_that_closes_during_a_wait_costs_no_place_and_no_hold(
    asked: Callable[[Way, Share], Awaitable[None]],
) -> None:
    """INC-4: who slept through the 429 learns of it before anything is taken in its name."""
    gate, budget = Crowded(), Rich()
    way = Way(
        gate=cast("Gate", gate),
        attempts=cast("Attempts", None),
        budget=cast("Budget", budget),
        clock=cast("Any", Clock()),
        deadlines=Deadlines(),
        tick=timedelta(minutes=1),
        per_minute=20,
        burst=20,
    )

    with pytest.raises(Refusal) as refused:
        await asyncio.wait_for(asked(way, share("A")), SOON)

    assert refused.value.reason == "KEEPA_RATE_LIMITED"
    assert (gate.asked_for, budget.held) == (1, 0)
    # By an older look it may only be open: before a call is refused there is a new one.
    assert gate.within == [OPEN_WITHIN, OPEN_WITHIN, LOOKED_WITHIN]


class Reopened(Crowded):
    """A gate whose 429 is over, as only a new look tells."""

    async def read(self, *, within: timedelta) -> tuple[Egress, datetime]:
        """Tell by what was seen some time ago that it is not over."""
        self.within.append(within)
        now = datetime.now(UTC)
        return Egress(paused_until=now + HOUR if within > LOOKED_WITHIN else None), now


async def test_nobody_is_refused_by_what_was_seen_some_time_ago() -> None:
    """T10: another replica may have learned since that the way is open."""
    nothing = cast("Any", None)
    way = Way(
        gate=cast("Gate", Reopened()),
        attempts=nothing,
        budget=nothing,
        clock=cast("Any", Clock()),
        deadlines=Deadlines(),
        tick=timedelta(minutes=1),
        per_minute=20,
        burst=20,
    )

    assert await way.closed(within=OPEN_WITHIN) is None
