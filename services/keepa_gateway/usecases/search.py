"""One request for products on its way: stored, joined, paid for, or refused."""

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cached_property
from uuid import UUID

from services.chassis.errors import Refusal
from services.keepa_gateway.domain import answers, refusals
from services.keepa_gateway.domain.answers import ProductAnswer, Status
from services.keepa_gateway.domain.attempt import (
    Asking,
    Attempt,
    State,
    content_hash,
)
from services.keepa_gateway.domain.batches import affordable, limit, size
from services.keepa_gateway.domain.outcome import Verdict
from services.keepa_gateway.domain.products_request import MOST_PRODUCTS, ProductsRequest
from services.keepa_gateway.domain.snapshot import Snapshot, best
from services.keepa_gateway.ports import Attempts, Budget, Packer, Snapshots
from services.keepa_gateway.usecases import harvesting
from services.keepa_gateway.usecases.flights import Flights, landing
from services.keepa_gateway.usecases.gathering import Gatherer, Share
from services.keepa_gateway.usecases.paid import Paid, PaidSections, Plan, Wanted, intent
from services.keepa_gateway.usecases.tally import Tally
from services.keepa_gateway.usecases.way import Way

POLL_SECONDS = 0.2
NO_LIMIT = 10_000_000
LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)


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


class Search:
    """One request on its way; `pending` is what still has no answer."""

    def __init__(
        self, tools: Tools, request: ProductsRequest, asking: Asking, *, with_raw: bool
    ) -> None:
        self._own = tools
        self._request = request
        self._asking = asking
        self._with_raw = with_raw
        self._content = content_hash("products", request)
        self._boarded: set[str] = set()
        self._began = LONG_AGO
        self._calls = 0
        self.pending = list(request.subjects)
        self.refusal: Refusal | None = None

    async def run(self) -> AsyncGenerator[ProductAnswer, None]:
        """Answer everything; what was refused comes last."""
        if self._request.gatherable and not self._asking.cache_only:
            self._own.gatherer.expect(self)
        try:
            self._began = await self._own.way.look()
            for one in await self._kept():
                yield one
            for one in await self._stored(self.pending, self._not_before):
                yield one
            if not self._asking.cache_only:
                async with aclosing(self._fetch()) as fetched:
                    async for one in fetched:
                        yield one
            for one in await self._leftovers():
                yield one
        finally:
            self._own.gatherer.dismiss(self)

    @cached_property
    def _keys(self) -> dict[str, str]:
        """What identical questions share, by subject; not needed for what is stored."""
        return {subject: key(self._request, subject) for subject in self._request.subjects}

    @property
    def _not_before(self) -> datetime:
        """How old a stored answer may be; one that came after we asked is always good enough."""
        return self._began - self._asking.max_age

    async def _kept(self) -> list[ProductAnswer]:
        """Repeat what this very request was answered before; it is paid for already."""
        previous = await self._own.attempts.of_request(self._asking.request_id)
        self._calls = len(previous)
        given: list[ProductAnswer] = []
        for attempt in previous:
            if attempt.content != self._content:
                raise refusals.request_id_reused()
            if attempt.state is State.ENDED:
                mine = [subject for subject in attempt.subjects if subject in self.pending]
                given += await self._repeated(attempt, mine)
        return given

    async def _repeated(self, attempt: Attempt, mine: Sequence[str]) -> list[ProductAnswer]:
        if attempt.answered:
            return await self._of_attempt(attempt, mine, paid=True)
        if attempt.verdict is Verdict.UNKNOWN:
            return self._done([answers.unknown(subject, attempt) for subject in mine])
        if attempt.verdict is Verdict.REJECTED or attempt.consumed:
            self.refusal = refusals.of_attempt(attempt, self._own.way.tick)
        return []

    async def _of_attempt(
        self, attempt: Attempt, mine: Sequence[str], *, paid: bool
    ) -> list[ProductAnswer]:
        """Give what an attempt found, from the store."""
        wanted = {asin for subject in mine for asin in attempt.found.get(subject, ())}
        there = await self._own.snapshots.find(
            self._request.domain, sorted(wanted), with_raw=self._with_raw
        )
        given: list[ProductAnswer] = []
        for subject in mine:
            tokens = attempt.tokens_of(subject) if paid else 0
            found = [
                one
                for asin in attempt.found.get(subject, ())
                if (one := best(there.get(asin, ()), self._request.options, not_before=LONG_AGO))
            ]
            given += answers.fetched(subject, found, tokens)
        return self._done(given)

    async def _stored(
        self, subjects: Sequence[str], not_before: datetime, status: Status = Status.CACHED
    ) -> list[ProductAnswer]:
        """Give what the store holds that is good and young enough."""
        if not subjects:
            return []
        there = await self._look_up(subjects)
        given = [
            answers.stored(subject, one, status)
            for subject in subjects
            if (one := best(there.get(subject, ()), self._request.options, not_before=not_before))
        ]
        self._own.tally.hits(len(given), self._request.options.cost(1).expected)
        return self._done(given)

    async def _missing(self, wanted: Wanted) -> Wanted:
        """Say what the store cannot answer of the one part there is."""
        ((attempt_id, subjects),) = wanted.items()
        there = await self._look_up(subjects)
        options, since = self._request.options, self._not_before
        left = (
            subject
            for subject in subjects
            if best(there.get(subject, ()), options, not_before=since) is None
        )
        return {attempt_id: tuple(left)}

    async def _look_up(self, subjects: Sequence[str]) -> dict[str, list[Snapshot]]:
        """Read from the store; a code is stored whole only when one product may answer it."""
        store, domain = self._own.snapshots, self._request.domain
        if self._request.asins:
            return await store.find(domain, subjects, with_raw=self._with_raw)
        if self._request.code_limit > 1:
            return {}
        return await store.find_by_code(domain, subjects, with_raw=self._with_raw)

    async def _fetch(self) -> AsyncGenerator[ProductAnswer, None]:
        """Join what is out, pay for the rest, until nothing is pending or something refuses."""
        while self.pending and self.refusal is None:
            claims = await self._own.attempts.claimed([self._keys[one] for one in self.pending])
            for one in self._lost(claims):
                yield one
            free = {self._keys[one]: one for one in self.pending if self._keys[one] not in claims}
            mine = [free[key] for key in self._own.flights.board(free)]
            async with aclosing(self._pay(mine)) as paid:
                async for one in paid:
                    yield one
            for one in await self._join(mine, claims):
                yield one

    def _lost(self, claims: dict[str, Attempt]) -> list[ProductAnswer]:
        """What an attempt with an unknown outcome has claimed is not asked again."""
        lost = [
            answers.unknown(subject, attempt)
            for subject in self.pending
            if (attempt := claims.get(self._keys[subject])) is not None
            and attempt.verdict is Verdict.UNKNOWN
        ]
        return self._done(lost)

    async def _pay(self, mine: list[str]) -> AsyncGenerator[ProductAnswer, None]:
        """Pay call by call; the first refusal ends it, and the rest is left to others."""
        self._boarded = set(mine)
        try:
            left, most = mine, await self._size(mine)
            while left and self.refusal is None:
                batch, paid = await self._afforded(self._request.narrowed(left[:most]))
                left = left[len(batch.subjects) :]
                for one in self._landed(paid):
                    yield one
        except Refusal as refusal:
            self.refusal = refusal
        finally:
            self._own.gatherer.dismiss(self)
            self._own.flights.land([self._keys[subject] for subject in self._boarded], None)

    async def _size(self, mine: list[str]) -> int:
        """How many products one call may ask for; refuses what its caller would not pay."""
        if not mine:
            return 0
        wanted = self._request.narrowed(mine)
        refusals.refuse_beyond(self._asking.spending.most_tokens, wanted.cost().most)
        capacity = await self._own.budget.capacity()
        floor = self._asking.spending.priority.floor
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
            return await self._bought_alone(batch)
        try:
            return await self._bought_together(batch)
        except Refusal as refusal:
            patient = self._asking.spending.max_wait > timedelta(0)
            if not patient or refusal.reason != "INSUFFICIENT_TOKENS":
                raise
        self._boarded.update(
            subject for subject in batch.subjects if self._own.flights.board([self._keys[subject]])
        )
        return await self._bought_alone(batch)

    async def _bought_together(self, batch: ProductsRequest) -> Paid:
        share = Share(
            request=batch,
            asking=self._asking,
            content=self._content,
            keys={subject: self._keys[subject] for subject in batch.subjects},
            number=self._calls,
            not_before=self._not_before,
        )
        self._landing(share.keys, share.paid)
        try:
            bought = self._own.gatherer.buy(share)
            self._own.gatherer.dismiss(self)
            return await bought
        finally:
            self._calls = share.number

    async def _bought_alone(self, batch: ProductsRequest) -> Paid:
        """Hold tokens, then let a section of its own pay."""
        self._own.gatherer.dismiss(self)
        call = batch.call()
        held = await self._own.way.hold(call, self._asking, self._calls)
        self._calls = held.number + 1
        keys = {subject: self._keys[subject] for subject in batch.subjects}
        section = self._own.paid.start(
            intent(
                held,
                call,
                self._asking,
                content=self._content,
                keys=keys,
                deadline=self._own.way.deadlines.of(call.pace),
            ),
            Plan(
                missing=self._missing,
                narrow=lambda gained: batch.narrowed(gained).call(),
                reap=harvesting.products(batch, self._own.packer, self._own.way),
            ),
        )
        self._landing(keys, section)
        return await asyncio.shield(section)

    def _landing(self, keys: Mapping[str, str], paid: "asyncio.Future[Paid]") -> None:
        """Let a purchase land its flights itself, whatever becomes of this search."""
        self._boarded -= keys.keys()
        paid.add_done_callback(lambda done: self._own.flights.land(keys.values(), landing(done)))

    def _landed(self, paid: Paid) -> list[ProductAnswer]:
        """Answer from what was just paid for; what another attempt claimed stays pending."""
        attempt = paid.attempt
        if attempt is None:
            return []
        if attempt.verdict is Verdict.UNKNOWN:
            return self._done([answers.unknown(subject, attempt) for subject in paid.gained])
        if not attempt.answered:
            self.refusal = refusals.of_attempt(attempt, self._own.way.tick)
            return []
        there = {one.asin: one for one in paid.harvest.snapshots}
        given: list[ProductAnswer] = []
        for subject in paid.gained:
            found = [there[asin] for asin in attempt.found.get(subject, ())]
            given += answers.fetched(subject, found, attempt.tokens_of(subject))
        return self._done(given)

    async def _join(self, mine: list[str], claims: dict[str, Attempt]) -> list[ProductAnswer]:
        """Wait for what others of this process have out, or a moment for another replica's."""
        given: list[ProductAnswer] = []
        joined = [one for one in self.pending if one not in mine]
        # All are looked up before the first is awaited: flights of one call land together.
        flights = {one: self._own.flights.find(self._keys[one]) for one in joined}
        landed: dict[UUID, tuple[Attempt, list[str]]] = {}
        for subject, flight in flights.items():
            landing = await asyncio.shield(flight) if flight is not None else None
            if landing is not None and subject in landing.subjects:
                landed.setdefault(landing.attempt_id, (landing, []))[1].append(subject)
        for landing, subjects in landed.values():
            given += await self._joined(landing, subjects)
        elsewhere = [one for one in self.pending if self._keys[one] in claims]
        if elsewhere and not given:
            await asyncio.sleep(POLL_SECONDS)
        return given + await self._stored(list(self.pending), self._not_before)

    async def _joined(self, landing: Attempt, subjects: Sequence[str]) -> list[ProductAnswer]:
        """Take the answers that somebody else paid for; without any, ask again oneself."""
        if landing.verdict is Verdict.UNKNOWN:
            return self._done([answers.unknown(subject, landing) for subject in subjects])
        if not landing.answered:
            return []
        own = landing.request_id == self._asking.request_id
        return await self._of_attempt(landing, subjects, paid=own)

    async def _leftovers(self) -> list[ProductAnswer]:
        """Give old snapshots for what was refused or not wanted, and say why for the rest."""
        if not self.pending:
            return []
        old: list[ProductAnswer] = []
        if not self._asking.fresh_only:
            old = await self._stored(list(self.pending), LONG_AGO, Status.STALE)
        stale = [answers.excused(one, self.refusal) for one in old]
        return stale + self._done(
            [answers.refused(subject, self.refusal) for subject in self.pending]
        )

    def _done(self, given: list[ProductAnswer]) -> list[ProductAnswer]:
        done = {one.requested for one in given}
        self.pending = [subject for subject in self.pending if subject not in done]
        return given


def key(request: ProductsRequest, subject: str) -> str:
    """What identical questions share: the marketplace, the product and the options."""
    call = request.narrowed((subject,)).call()
    return f"{call.endpoint}:{subject}:{call.fingerprint[:32]}"
