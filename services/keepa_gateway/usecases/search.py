"""One request for products on its way: stored, joined, paid for, or refused."""

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from datetime import UTC, datetime
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
    spent,
)
from services.keepa_gateway.domain.outcome import Verdict
from services.keepa_gateway.domain.products_request import ProductsRequest
from services.keepa_gateway.domain.snapshot import Snapshot, best, repeated
from services.keepa_gateway.usecases.buying import Buying, Numbers, Order, Tools
from services.keepa_gateway.usecases.flights import GRACE_SECONDS
from services.keepa_gateway.usecases.paid import Paid, Wanted

POLL_SECONDS = 0.2
LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)


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
        self._began = LONG_AGO
        self._numbers = Numbers()
        self.pending = list(request.subjects)
        self.refusal: Refusal | None = None

    async def run(self) -> AsyncGenerator[list[ProductAnswer], None]:
        """Answer everything, together what is known at one moment; what was refused comes last.

        A list may be empty.
        """
        if self._request.gatherable and not self._asking.cache_only:
            self._own.gatherer.expect(self)
        try:
            self._began = await self._own.way.look()
            yield await self._at_hand()
            if not self._asking.cache_only:
                async with aclosing(self._fetch()) as fetched:
                    async for some in fetched:
                        yield some
            yield await self._leftovers()
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

    async def _at_hand(self) -> list[ProductAnswer]:
        """What needs no call: what this very request was answered before, then what is stored.

        A request is nearly always a new one, and that is learned with what is stored.
        """
        if self._request.asins:
            there = await self._own.snapshots.first_look(
                self._asking.request_id,
                self._request.domain,
                self._request.asins,
                not_before=self._not_before,
                with_raw=self._with_raw,
            )
            if there is not None:
                return self._good(self.pending, there, self._not_before)
        return await self._kept_or_stored()

    async def _kept_or_stored(self) -> list[ProductAnswer]:
        """Give what this very request was answered before, and what is stored for the rest.

        The store is read first. The same request may be answered in between, by another call of
        it or by another replica: then that is its answer, with what it cost.
        """
        if not self.pending:
            return []
        there = await self._look_up(self.pending)
        kept = await self._kept()
        return kept + self._good(self.pending, there, self._not_before)

    async def _kept(self) -> list[ProductAnswer]:
        """Repeat what this very request was answered before; it is paid for already."""
        previous = await self._own.attempts.of_request(self._asking.request_id)
        self._numbers.next = max(self._numbers.next, len(previous))
        self._numbers.spent = spent(previous)
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
            return self._done([self._unknown(subject, attempt) for subject in mine])
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
        options, given = self._request.options, list[ProductAnswer]()
        for subject in mine:
            found = [
                one
                for asin in attempt.found.get(subject, ())
                if (one := repeated(there.get(asin, ()), options, since=attempt.started_at))
            ]
            given += answers.fetched(subject, found, attempt if paid else None)
        return self._done(given)

    def _good(
        self,
        subjects: Sequence[str],
        there: Mapping[str, Sequence[Snapshot]],
        not_before: datetime,
        status: Status = Status.CACHED,
    ) -> list[ProductAnswer]:
        """Give what is there that is good and young enough, and count what it saves."""
        options = self._request.options
        # Who asks the store alone wants offers of any age rather than hear of a failure.
        now = None if self._asking.cache_only else self._began
        given = [
            answers.stored(subject, one, status)
            for subject in subjects
            if (one := best(there.get(subject, ()), options, not_before=not_before, now=now))
        ]
        self._own.tally.hits(len(given), self._request.options.cost(1).expected)
        return self._done(given)

    async def _missing(self, wanted: Wanted) -> Wanted:
        """Say what the store cannot answer of the one part there is."""
        ((attempt_id, subjects),) = wanted.items()
        there = await self._look_up(subjects, with_product=False)
        options, since = self._request.options, self._not_before
        left = (
            subject
            for subject in subjects
            if best(there.get(subject, ()), options, not_before=since, now=self._began) is None
        )
        return {attempt_id: tuple(left)}

    async def _look_up(
        self, subjects: Sequence[str], *, with_product: bool = True
    ) -> dict[str, list[Snapshot]]:
        """Read from the store; a code is stored whole only when one product may answer it."""
        store = self._own.snapshots
        if self._request.codes and self._request.code_limit > 1:
            return {}
        find = store.find if self._request.asins else store.find_by_code
        with_raw = with_product and self._with_raw
        return await find(
            self._request.domain, subjects, with_raw=with_raw, with_product=with_product
        )

    async def _fetch(self) -> AsyncGenerator[list[ProductAnswer], None]:
        """Join what is out, pay for the rest, until nothing is pending or something refuses."""
        while self.pending and self.refusal is None:
            if self._numbers.next:  # Our own earlier call may be what was waited for.
                yield await self._kept()
            claims = await self._own.attempts.claimed([self._keys[one] for one in self.pending])
            yield self._lost(claims)
            free = {self._keys[one]: one for one in self.pending if self._keys[one] not in claims}
            mine = [free[key] for key in self._own.flights.board(free, self._asking.spending)]
            async with aclosing(self._pay(mine)) as paid:
                async for some in paid:
                    yield some
            yield await self._join(mine, claims)

    def _lost(self, claims: dict[str, Attempt]) -> list[ProductAnswer]:
        """What an attempt with an unknown outcome has claimed is not asked again."""
        lost = [
            self._unknown(subject, attempt)
            for subject in self.pending
            if (attempt := claims.get(self._keys[subject])) is not None
            and attempt.verdict is Verdict.UNKNOWN
        ]
        return self._done(lost)

    def _unknown(self, subject: str, attempt: Attempt) -> ProductAnswer:
        return answers.unknown(subject, attempt, asked_by=self._asking.request_id)

    async def _pay(self, mine: list[str]) -> AsyncGenerator[list[ProductAnswer], None]:
        """Pay call by call; the first refusal ends it, and the rest is left to others."""
        try:
            async with aclosing(self._buying(mine).calls()) as calls:
                async for paid in calls:
                    yield self._landed(paid)
                    if self.refusal is not None:
                        break
        except Refusal as refusal:
            self.refusal = refusal

    def _buying(self, mine: list[str]) -> Buying:
        order = Order(
            request=self._request,
            asking=self._asking,
            content=self._content,
            keys=self._keys,
            not_before=self._not_before,
            missing=self._missing,
            numbers=self._numbers,
            joined=lambda: self._own.gatherer.dismiss(self),
        )
        return Buying(self._own, order, mine)

    def _landed(self, paid: Paid) -> list[ProductAnswer]:
        """Answer from what was just paid for; what another attempt claimed stays pending."""
        attempt = paid.attempt
        if attempt is None:
            return []
        if attempt.verdict is Verdict.UNKNOWN:
            return self._done([self._unknown(subject, attempt) for subject in paid.gained])
        if not attempt.answered:
            self.refusal = refusals.of_attempt(attempt, self._own.way.tick)
            return []
        there = {one.asin: one for one in paid.harvest.snapshots}
        given: list[ProductAnswer] = []
        for subject in paid.gained:
            found = [there[asin] for asin in attempt.found.get(subject, ())]
            given += answers.fetched(subject, found, attempt)
        return self._done(given)

    async def _join(self, mine: list[str], claims: dict[str, Attempt]) -> list[ProductAnswer]:
        """Wait for what others of this process have out, or a moment for another replica's."""
        given: list[ProductAnswer] = []
        joined = [one for one in self.pending if one not in mine]
        # All are looked up before the first is awaited: flights of one call land together.
        flights = {one: self._own.flights.find(self._keys[one]) for one in joined}
        landed: dict[UUID, tuple[Attempt, list[str]]] = {}
        until = asyncio.get_running_loop().time() + GRACE_SECONDS
        for subject, flight in flights.items():
            landing = None
            if flight is not None:
                key, spending = self._keys[subject], self._asking.spending
                landing = await self._own.flights.join(key, flight, spending, until)
            if landing is not None and subject in landing.subjects:
                landed.setdefault(landing.attempt_id, (landing, []))[1].append(subject)
        for landing, subjects in landed.values():
            given += await self._joined(landing, subjects)
        elsewhere = [one for one in self.pending if self._keys[one] in claims]
        if elsewhere and not given:
            await asyncio.sleep(POLL_SECONDS)
        return given + await self._kept_or_stored()

    async def _joined(self, landing: Attempt, subjects: Sequence[str]) -> list[ProductAnswer]:
        """Take the answers that somebody else paid for; without any, ask again oneself."""
        if landing.verdict is Verdict.UNKNOWN:
            return self._done([self._unknown(subject, landing) for subject in subjects])
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
            there = await self._look_up(self.pending)
            old = self._good(self.pending, there, LONG_AGO, Status.STALE)
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
