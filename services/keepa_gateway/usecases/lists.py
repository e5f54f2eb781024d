"""Lists: finder pages and best sellers, asked for once and kept."""

import asyncio
from dataclasses import dataclass
from datetime import datetime

from services.keepa_gateway.domain import refusals
from services.keepa_gateway.domain.answers import ListAnswer
from services.keepa_gateway.domain.attempt import Asking, Attempt, State, content_hash, list_key
from services.keepa_gateway.domain.calls import Call
from services.keepa_gateway.domain.list_requests import ListRequest
from services.keepa_gateway.domain.outcome import Verdict
from services.keepa_gateway.ports import Attempts, Listings
from services.keepa_gateway.usecases.flights import GRACE_SECONDS, Flights, landing
from services.keepa_gateway.usecases.paid import PaidSections, Plan, Reap, Wanted, intent
from services.keepa_gateway.usecases.way import Way

POLL_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class _Question:
    call: Call
    asking: Asking
    reap: Reap
    content: str
    began: datetime

    def answered(
        self, payload: bytes, fetched_at: datetime, *, tokens: int = 0, cached: bool = False
    ) -> ListAnswer:
        return ListAnswer(
            payload=payload,
            tokens=tokens,
            fetched_at=fetched_at,
            cached=cached,
            fingerprint=self.call.fingerprint,
        )


class Lists:
    """Answers requests for lists."""

    def __init__(
        self, *, attempts: Attempts, listings: Listings, way: Way, paid: PaidSections
    ) -> None:
        self._attempts = attempts
        self._listings = listings
        self._way = way
        self._paid = paid
        self._flights = Flights()

    async def answer(self, request: ListRequest, asking: Asking, reap: Reap) -> ListAnswer:
        """Answer a list request from the store, from what is out, or from Keepa.

        ``reap`` turns a good answer into what is stored.
        """
        return await self._answer(request.validated().call(), asking, reap)

    async def page(self, fingerprint: str, fetched_at: datetime) -> ListAnswer | None:
        """Give a stored answer again for its further pages; nothing when it was replaced."""
        found = await self._listings.find(fingerprint, not_before=None)
        if found is None or found.fetched_at != fetched_at:
            return None
        return ListAnswer(
            payload=found.payload,
            tokens=0,
            fetched_at=found.fetched_at,
            cached=True,
            fingerprint=fingerprint,
        )

    async def is_stored(self, call: Call, asking: Asking) -> bool:
        """Whether the same request would cost nothing."""
        not_before = await self._way.look() - asking.max_age
        return await self._listings.find(call.fingerprint, not_before=not_before) is not None

    async def _answer(self, call: Call, asking: Asking, reap: Reap) -> ListAnswer:
        began = await self._way.look()
        content = content_hash(call.endpoint, call.fingerprint)
        question = _Question(call, asking, reap, content, began)
        number = 0
        while True:
            # The store is read first: what came in between may be this very request's answer.
            stored = await self._stored(question)
            # Looked at again after each wait: our own earlier call may have been waited for.
            previous = await self._attempts.of_request(asking.request_id)
            if (kept := await self._kept(question, previous)) is not None:
                return kept
            number = max(number, len(previous))
            if stored is not None:
                return stored
            paid = await self._ask(question, number)
            if paid is not None:
                return paid
            number += 1

    async def _kept(self, question: _Question, previous: list[Attempt]) -> ListAnswer | None:
        """Repeat what this very request was answered before; it is paid for already."""
        for attempt in previous:
            if attempt.content != question.content:
                raise refusals.request_id_reused()
            if attempt.state is not State.ENDED:
                continue
            if attempt.answered:
                return await self._read(question, attempt.consumed or 0)
            final = attempt.verdict in (Verdict.UNKNOWN, Verdict.REJECTED) or attempt.consumed
            refusal = refusals.of_attempt(attempt, self._way.tick)
            if final and refusal is not None:
                raise refusal
        return None

    async def _stored(self, question: _Question) -> ListAnswer | None:
        not_before = question.began - question.asking.max_age
        found = await self._listings.find(question.call.fingerprint, not_before=not_before)
        if found is None:
            return None
        return question.answered(found.payload, found.fetched_at, cached=True)

    async def _read(self, question: _Question, tokens: int) -> ListAnswer:
        found = await self._listings.find(question.call.fingerprint, not_before=None)
        assert found is not None, "an answered attempt keeps its list"
        return question.answered(found.payload, found.fetched_at, tokens=tokens)

    async def _ask(self, question: _Question, number: int) -> ListAnswer | None:
        """Join what is out, or pay; nothing when the caller should look again."""
        key = list_key(question.call)
        flight = self._flights.find(key)
        if flight is not None:
            until = asyncio.get_running_loop().time() + GRACE_SECONDS
            _refuse_lost(await self._flights.join(key, flight, question.asking.spending, until))
            return None
        claims = await self._attempts.claimed([key])
        if key in claims:
            if claims[key].verdict is Verdict.UNKNOWN:
                raise refusals.outcome_unknown(claims[key])
            await asyncio.sleep(POLL_SECONDS)
            return None
        if not self._flights.board([key], question.asking.spending):
            return None
        return await self._pay(question, number, key)

    def _plan(self, question: _Question) -> Plan:
        async def missing(wanted: Wanted) -> Wanted:
            return wanted if await self._stored(question) is None else dict.fromkeys(wanted, ())

        return Plan(missing=missing, narrow=lambda _: question.call, reap=question.reap)

    async def _pay(self, question: _Question, number: int, key: str) -> ListAnswer | None:
        call, asking = question.call, question.asking
        try:
            refusals.refuse_beyond(asking.spending.most_tokens, call.cost.most)
            held = await self._way.hold(call, asking, number)
        except BaseException:
            self._flights.land([key], None)
            raise
        planned = intent(
            held,
            call,
            asking,
            content=question.content,
            keys={key: key},
            deadline=self._way.deadlines.of(call.pace),
        )
        section = self._paid.start(planned, self._plan(question))
        section.add_done_callback(lambda done: self._flights.land([key], landing(done)))
        self._flights.depart([key])
        paid = await asyncio.shield(section)
        if paid.attempt is None:
            return None
        refusal = refusals.of_attempt(paid.attempt, self._way.tick)
        if refusal is not None:
            raise refusal
        assert paid.harvest.listing is not None, "an answered list call brings a list"
        tokens = paid.attempt.consumed or 0
        fetched_at = paid.harvest.came_at or self._way.now()
        return question.answered(paid.harvest.listing, fetched_at, tokens=tokens)


def _refuse_lost(landed: Attempt | None) -> None:
    """Nobody asks twice for what may be paid; everything else is looked for in the store."""
    if landed is not None and landed.verdict is Verdict.UNKNOWN:
        raise refusals.outcome_unknown(landed)
