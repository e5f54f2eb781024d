"""Fetching one product, as closely as a question needs it; the same request is paid once."""

from contextlib import aclosing
from dataclasses import dataclass, replace
from datetime import timedelta

from services.chassis.errors import Kind, Refusal
from services.discovery.domain.answers import Fetched, Status
from services.discovery.domain.kept import not_found
from services.discovery.domain.looking import Depth
from services.discovery.domain.product import ProductFacts
from services.discovery.domain.stops import Stop, StopReason, stop_for, stop_named
from services.discovery.ports import Gateway
from services.discovery.usecases.asking import Request
from services.discovery.usecases.finding import NOTHING_STORED, STORED

NO_OFFERS = Stop(StopReason.KEEPA_UNAVAILABLE, "Keepa could not fetch the live offers.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Glance:
    """One product as it was answered.

    Attributes:
        stop: Why the answer is an older one, or not whole; None when it is neither.
    """

    fetched: Fetched
    facts: ProductFacts
    stop: Stop | None = None

    @property
    def stale(self) -> bool:
        """Whether the answer is older than what would be good enough."""
        return self.fetched.status is Status.STALE


class Glancer:
    """Fetches one product at a time."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    async def fetch(
        self, request: Request, domain: int, asin: str, depth: Depth, *, fresh_only: bool = False
    ) -> Glance:
        """Fetch a product; when that is refused, an expired stored answer says so.

        With ``fresh_only`` the refusal is raised instead.

        Raises:
            Refusal: PRODUCT_NOT_FOUND, CACHE_MISS, or the gateway's or budget's own.
        """
        max_age = NOTHING_STORED if request.force_refresh else STORED
        one = await self._one(request, domain, asin, depth, max_age=max_age, fresh_only=fresh_only)
        if one.status is Status.NOT_FOUND:
            raise not_found("PRODUCT", "Product", asin)
        if one.facts is None:
            raise _unanswered(one)
        stop = stop_named(one.reason, one.retry_after) if one.reason else None
        return Glance(fetched=one, facts=one.facts, stop=stop)

    async def offers(self, request: Request, domain: int, asin: str) -> Glance:
        """Fetch a product with its live offers and their stock, or what is stored of them.

        What a look cost that failed is told with the older offers that are given for it. With
        none stored its own answer is given, without offers.

        Raises:
            Refusal: What kept it from being fetched, when nothing is stored.
        """
        if request.cache_only:
            older = await self._stored(request, domain, asin)
            if older is None:
                raise _miss(asin)
            return older
        try:
            found = await self.fetch(request, domain, asin, Depth.STOCK)
        except Refusal as refusal:
            if refusal.kind in {Kind.INVALID_ARGUMENT, Kind.NOT_FOUND}:
                raise
            older = await self._stored(request, domain, asin)
            if older is None:
                raise
            held = int(refusal.facts.get("unsettled", 0))
            return _instead(older, stop_for(refusal), tokens=0, unsettled=held)
        if found.facts.offers is not None:
            return found
        stop, paid = found.stop or NO_OFFERS, found.fetched
        older = await self._stored(request, domain, asin)
        if older is None:
            return replace(found, stop=stop)
        return _instead(older, stop, tokens=paid.tokens, unsettled=paid.unsettled)

    async def _stored(self, request: Request, domain: int, asin: str) -> Glance | None:
        """Take stored offers of any age, with their stock if it is known."""
        for depth in (Depth.STOCK, Depth.OFFERS):
            one = await self._one(request, domain, asin, depth, max_age=STORED, stored_only=True)
            if one.facts is not None and one.facts.offers is not None:
                return Glance(fetched=one, facts=one.facts)
        return None

    async def _one(
        self,
        request: Request,
        domain: int,
        asin: str,
        depth: Depth,
        *,
        max_age: timedelta,
        stored_only: bool = False,
        fresh_only: bool = False,
    ) -> Fetched:
        stored_only = stored_only or request.cache_only
        answers = self._gateway.products(
            request.call_id((depth, domain, asin, stored_only)),
            domain,
            (asin,),
            request.errand,
            max_age=max_age,
            stored_only=stored_only,
            fresh_only=fresh_only,
            depth=depth,
        )
        async with aclosing(answers):
            async for one in answers:
                return one
        return Fetched(asin=asin, status=Status.REFUSED)


def _instead(older: Glance, stop: Stop, *, tokens: int, unsettled: int) -> Glance:
    """Give older offers for those that could not be had, and say what the attempt cost."""
    paid = replace(older.fetched, tokens=tokens, unsettled=unsettled)
    return replace(older, fetched=paid, stop=stop)


def _unanswered(one: Fetched) -> Refusal:
    if one.status is Status.UNKNOWN:
        return Refusal(
            Kind.UNAVAILABLE,
            "OUTCOME_UNKNOWN",
            f"The answer was lost; up to {one.unsettled} tokens are held until it is settled.",
            facts={"unsettled": one.unsettled},
            domain="keepa_gateway.arbitragevault",
        )
    return _miss(one.asin)


def _miss(asin: str) -> Refusal:
    return Refusal(
        Kind.FAILED_PRECONDITION,
        "CACHE_MISS",
        f"No answer about {asin} is stored, and asking Keepa was not allowed.",
    )
