"""Nothing leaves under a hold that is not proven to last as long as the call may be out."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, cast
from uuid import UUID, uuid4

import pytest

from services.chassis.errors import Refusal
from services.keepa_gateway.domain.attempt import Asking, Intent, Spending
from services.keepa_gateway.domain.calls import Call, Deadlines
from services.keepa_gateway.domain.covering import NEARLY_ALL, end, lasts
from services.keepa_gateway.domain.egress import Egress
from services.keepa_gateway.domain.products_request import ProductsRequest
from services.keepa_gateway.ports import Harvest, Hold
from services.keepa_gateway.usecases.gathering import Gatherer, Share
from services.keepa_gateway.usecases.paid import Paid, Plan
from services.keepa_gateway.usecases.way import Way

pytestmark = pytest.mark.anyio

DEADLINE = timedelta(seconds=8)
NOTHING = cast("Any", None)
ASINS = ("0306406152", "0131103628")


@pytest.mark.parametrize(("now", "may_leave"), [(0.0, True), (4.0, True), (4.01, False)])
def test_half_of_a_deadline_must_be_covered(now: float, *, may_leave: bool) -> None:
    assert lasts(8.0, now, DEADLINE) is may_leave


@pytest.mark.parametrize(("now", "whole"), [(0.5, True), (1.0, False)])
def test_a_tenth_of_it_is_worth_asking_about_after_a_queue(now: float, *, whole: bool) -> None:
    assert lasts(8.0, now, DEADLINE, share=NEARLY_ALL) is whole


@pytest.mark.parametrize(
    ("holds", "over_at"), [([20.0, 30.0], 18.0), ([20.0, 17.5], 17.5), ([9.0, 30.0], 9.0)]
)
def test_a_call_is_over_before_the_first_hold_that_pays_for_it(
    holds: list[float], over_at: float
) -> None:
    assert end(10.0, DEADLINE, holds) == over_at


class World:
    """Time, a gate that is open, attempts nobody else knows of, and a budget of some delays.

    Each reservation takes the next of ``delays``. A budget with a queue has granted at its end;
    one that is slow has granted before.
    """

    def __init__(self, *delays: float, queue: bool = False) -> None:
        self.time = 100.0
        self._delays = list(delays)
        self._queue = queue
        self._granted: dict[UUID, float] = {}
        self.fenced: list[UUID] = []
        self.elsewhere = False
        self.places = 0
        self.way = Way(
            gate=cast("Any", self),
            attempts=cast("Any", self),
            budget=cast("Any", self),
            clock=cast("Any", self),
            deadlines=Deadlines(plain=DEADLINE.total_seconds()),
            tick=timedelta(minutes=1),
            per_minute=20,
            burst=20,
        )

    @property
    def reserved(self) -> list[UUID]:
        """The holds in the order of their grants."""
        return list(self._granted)

    def now(self) -> Any:
        """The time of day is not looked at."""
        return None

    def monotonic(self) -> float:
        """Tell the instant."""
        return self.time

    async def read(self, **_: object) -> tuple[Egress, Any]:
        """Nothing is in the way."""
        return Egress(), None

    async def take_place(self, _: int) -> None:
        """Give a place."""
        self.places += 1

    async def give_back_place(self) -> None:
        """Take it back."""
        self.places -= 1

    async def capacity(self, _: int) -> int:
        """Hold enough."""
        return 10**6

    async def reserve(self, hold_id: UUID, **_: object) -> Hold:
        """Grant, and tell what is left of the hold, counted from before the question."""
        asked_at = self.time
        if hold_id not in self._granted:
            delay = self._delays.pop(0)
            self._granted[hold_id] = self.time + (delay if self._queue else 0.0)
            self.time += delay
            left = DEADLINE.total_seconds()
        else:
            left = DEADLINE.total_seconds() - (asked_at - self._granted[hold_id])
        return Hold(f"reservations/{hold_id}", 1, asked_at + left)

    async def fence(self, attempt_id: UUID, _: str) -> bool:
        """Let no intent in any more."""
        if not self.elsewhere:
            self.fenced.append(attempt_id)
        return not self.elsewhere

    async def release(self, _: str) -> None:
        """Take tokens back."""

    async def mark_settled(self, *_: UUID) -> None:
        """Nothing is kept."""


def call() -> Call:
    return ProductsRequest(domain=1, asins=ASINS[:1]).call()


def asking(max_wait: float = 0.0) -> Asking:
    return Asking(request_id=uuid4(), spending=Spending(max_wait=timedelta(seconds=max_wait)))


async def test_a_hold_that_came_late_is_given_back_and_held_anew() -> None:
    world = World(5.0, 0.1)

    held = await world.way.hold(call(), asking(), 0)

    assert world.fenced == world.reserved[:1]
    assert (held.attempt_id, held.number) == (world.reserved[1], 1)
    assert held.hold.covers_until == 105.0 + 8.0


async def test_who_holds_too_late_twice_is_refused_and_holds_nothing() -> None:
    world = World(5.0, 5.0)

    with pytest.raises(Refusal) as refused:
        await world.way.hold(call(), asking(), 0)

    assert refused.value.reason == "BUDGET_UNAVAILABLE"
    assert world.fenced == world.reserved
    assert (len(world.reserved), world.places) == (2, 0)


async def test_a_hold_under_which_another_replica_sends_is_not_held_twice() -> None:
    """To open its intent tells whose it is; a second hold might pay for the same again."""
    world = World(5.0)
    world.elsewhere = True

    held = await world.way.hold(call(), asking(), 0)

    assert [held.attempt_id] == world.reserved


async def test_a_wait_in_the_queue_does_not_age_a_hold() -> None:
    """Patience is no fault of a hold: it began at the grant, as the same question tells."""
    world = World(60.0, queue=True)

    held = await world.way.hold(call(), asking(max_wait=90.0), 0)

    assert world.fenced == []
    assert held.hold.covers_until == 160.0 + 8.0


class Sections:
    """Keeps until when the holds of each call last that would leave."""

    def __init__(self) -> None:
        self.covered: list[list[float]] = []

    def start_shared(
        self, intents: Sequence[Intent], _: Plan
    ) -> "asyncio.Future[dict[UUID, Paid]]":
        """Let nothing leave."""
        self.covered.append([one.covers_until for one in intents])
        paid: asyncio.Future[dict[UUID, Paid]] = asyncio.Future()
        paid.set_result({one.attempt_id: Paid(attempt=None, harvest=Harvest()) for one in intents})
        return paid


async def gathered(world: World, sections: Sections) -> list[object]:
    """Let two share a call; what each was told."""
    gatherer = Gatherer(
        way=world.way, paid=cast("Any", sections), snapshots=NOTHING, packer=NOTHING
    )
    shares = [
        Share(
            request=ProductsRequest(domain=1, asins=(asin,)),
            asking=asking(),
            content="",
            keys={asin: asin},
            number=0,
            not_before=datetime.now(UTC),
        )
        for asin in ASINS
    ]
    told = await asyncio.gather(*map(gatherer.buy, shares), return_exceptions=True)
    await gatherer.finish()
    return told


async def test_holds_that_waited_a_little_for_a_slow_payer_still_do() -> None:
    world, sections = World(0.0, 3.0), Sections()

    await gathered(world, sections)

    assert sections.covered == [[108.0, 108.0]]
    assert world.fenced == []


async def test_holds_that_waited_too_long_for_a_slow_payer_are_made_anew() -> None:
    """The slow answer itself counts as old: nobody knows how much of it was the way back."""
    world, sections = World(0.0, 5.0, 0.5, 0.5), Sections()

    await gathered(world, sections)

    assert sections.covered == [[113.0, 113.5]]
    assert world.fenced == world.reserved[:2]


async def test_only_who_holds_for_too_short_a_time_again_is_left_behind() -> None:
    world, sections = World(0.0, 5.0, 3.0, 2.0), Sections()

    told = await gathered(world, sections)

    assert sections.covered == [[116.0]]
    assert isinstance(told[0], Refusal)
    assert told[0].reason == "BUDGET_UNAVAILABLE"
    assert isinstance(told[1], Paid)
    assert world.fenced == world.reserved[:3]
    assert world.places == 1
