"""Buying products for one request: call by call, shared where the price allows it."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from services.chassis.errors import Refusal
from services.keepa_gateway.domain import refusals
from services.keepa_gateway.domain.attempt import Asking
from services.keepa_gateway.domain.batches import affordable, limit, size
from services.keepa_gateway.domain.products_request import MOST_PRODUCTS, ProductsRequest
from services.keepa_gateway.ports import Attempts, Budget, Packer, Snapshots, Sought
from services.keepa_gateway.usecases import harvesting
from services.keepa_gateway.usecases.flights import Flights, landing
from services.keepa_gateway.usecases.gathering import Gatherer, Share
from services.keepa_gateway.usecases.paid import Missing, Paid, PaidSections, Plan, intent
from services.keepa_gateway.usecases.tally import Tally
from services.keepa_gateway.usecases.way import Way

NO_LIMIT = 10_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """What every request for products works with."""

    attempts: Attempts
    snapshots: Snapshots
    budget: Budget
    way: Way
    paid: PaidSections
    packer: Packer
    tally: Tally
    flights: Flights
    gatherer: Gatherer


@dataclass(slots=True)
class Numbers:
    """Counts the calls of a request; the ids of its reservations are made from them.

    Attributes:
        spent: The most that those before can have cost, which its own limit covers too.
    """

    next: int = 0
    spent: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What is bought for whom.

    Attributes:
        keys: What identical questions share, by subject.
        not_before: How old a stored answer may be.
        missing: Says which subjects the store cannot answer.
        joined: Called once nobody need wait for this request any more.
    """

    request: ProductsRequest
    asking: Asking
    content: str
    keys: Mapping[str, str]
    not_before: datetime
    missing: Missing
    numbers: Numbers
    joined: Callable[[], None]


class Buying:
    """Buys what one request leads the flights of."""

    def __init__(self, tools: Tools, order: Order, mine: list[str]) -> None:
        self._own = tools
        self._order = order
        self._request = order.request
        self._asking = order.asking
        self._mine = mine
        self._boarded = set(mine)

    async def calls(self) -> AsyncGenerator[Paid, None]:
        """Buy call by call; whatever ends it, the rest is left to others.

        Raises:
            Refusal: Why no more was bought.
        """
        try:
            left, most = self._mine, await self._size()
            while left:
                batch, paid = await self._afforded(self._request.narrowed(left[:most]))
                left = left[len(batch.subjects) :]
                yield paid
        finally:
            self._order.joined()
            keys = [self._order.keys[subject] for subject in self._boarded]
            self._own.flights.land(keys, None)

    async def _size(self) -> int:
        """How many products one call may ask for; refuses what its caller would not pay."""
        if not self._mine:
            return 0
        wanted = self._request.narrowed(self._mine)
        required = self._order.numbers.spent + wanted.cost().most
        refusals.refuse_beyond(self._asking.spending.most_tokens, required)
        single, floor = wanted.narrowed(self._mine[:1]).cost(), self._asking.spending.floor
        capacity = await self._own.budget.capacity(single.most + floor)
        most = NO_LIMIT if capacity is None else limit(wanted, capacity=capacity, floor=floor)
        return size(wanted, most_tokens=most)

    async def _afforded(self, batch: ProductsRequest) -> tuple[ProductsRequest, Paid]:
        """Buy a batch, or as much of it as its payer has tokens for.

        Whoever has waited for all of it takes what there is now, and does not wait again.

        Raises:
            Refusal: Nothing of it could be bought.
        """
        while True:
            try:
                return batch, await self._bought(batch)
            except Refusal as refusal:
                fewer = affordable(batch, refusal)
                if not fewer:
                    raise
                batch = batch.narrowed(batch.subjects[:fewer])
                impatient = replace(self._asking.spending, max_wait=timedelta(0))
                self._asking = replace(self._asking, spending=impatient)

    async def _bought(self, batch: ProductsRequest) -> Paid:
        """Share a call with others where the price allows it; wait for tokens alone."""
        if not batch.gatherable or len(batch.subjects) == MOST_PRODUCTS:
            return await self._alone(batch)
        try:
            return await self._together(batch)
        except Refusal as refusal:
            patient = self._asking.spending.max_wait > timedelta(0)
            if not patient or refusal.reason != "INSUFFICIENT_TOKENS":
                raise
        board, keys = self._own.flights.board, self._order.keys
        spending = self._asking.spending
        self._boarded.update(one for one in batch.subjects if board([keys[one]], spending))
        return await self._alone(batch)

    async def _together(self, batch: ProductsRequest) -> Paid:
        keys = {subject: self._order.keys[subject] for subject in batch.subjects}
        share = Share(
            request=batch,
            asking=self._asking,
            content=self._order.content,
            keys=keys,
            number=self._order.numbers.next,
            not_before=self._order.not_before,
            sent=lambda: self._own.flights.depart(keys.values()),
        )
        self._landing(batch, share.paid)
        try:
            bought = self._own.gatherer.buy(share)
            self._order.joined()
            return await bought
        finally:
            self._order.numbers.next = share.number

    async def _alone(self, batch: ProductsRequest) -> Paid:
        """Hold tokens, then let a section of its own pay."""
        self._order.joined()
        call, numbers = batch.call(), self._order.numbers
        held = await self._own.way.hold(call, self._asking, numbers.next)
        numbers.next = held.number + 1
        section = self._own.paid.start(
            intent(
                held,
                call,
                self._asking,
                content=self._order.content,
                keys={subject: self._order.keys[subject] for subject in batch.subjects},
                deadline=self._own.way.deadlines.of(call.pace),
            ),
            Plan(
                sought=Sought(batch.domain, batch.asins, self._order.not_before),
                missing=self._order.missing,
                narrow=lambda gained: batch.narrowed(gained).call(),
                reap=harvesting.products(batch, self._own.packer, self._own.way),
            ),
        )
        self._landing(batch, section)
        self._own.flights.depart(self._order.keys[subject] for subject in batch.subjects)
        return await asyncio.shield(section)

    def _landing(self, batch: ProductsRequest, paid: "asyncio.Future[Paid]") -> None:
        """Let a purchase land its flights itself, whatever becomes of this request."""
        keys = [self._order.keys[subject] for subject in batch.subjects]
        self._boarded.difference_update(batch.subjects)
        paid.add_done_callback(lambda done: self._own.flights.land(keys, landing(done)))
