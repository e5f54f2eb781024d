"""Keeping: saved niches and favourites, each change made once however often it is asked for."""

from dataclasses import dataclass
from types import NoneType
from typing import Generic, TypeVar
from uuid import UUID, uuid5

from services.chassis.clock import Clock
from services.discovery.domain.answers import Appraisal
from services.discovery.domain.criteria import digest
from services.discovery.domain.kept import (
    Amendment,
    BlockedProduct,
    Draft,
    Favorite,
    SavedNiche,
    not_found,
)
from services.discovery.ports import Drawer, Kept, Page, Place, Scores

T = TypeVar("T", bound=Favorite | BlockedProduct)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """Who asks for a change, under which id."""

    id: UUID
    caller: str


@dataclass(frozen=True, slots=True)
class Known(Generic[T]):
    """Something kept about a product, with the product's newest score if it has one."""

    kept: T
    appraisal: Appraisal | None


async def known(scores: Scores, kept: tuple[T, ...]) -> tuple[Known[T], ...]:
    """Put the newest score of its product beside each; spends nothing."""
    found = await scores.newest([(one.domain, one.asin) for one in kept])
    return tuple(Known(one, found.get((one.domain, one.asin))) for one in kept)


class Keeper:
    """Keeps what people ask it to keep; spends nothing."""

    def __init__(self, kept: Kept, scores: Scores, clock: Clock) -> None:
        self._kept = kept
        self._scores = scores
        self._clock = clock

    async def save_niche(self, ask: Ask, draft: Draft) -> SavedNiche:
        """Save a niche, under an id that follows from the request's.

        Raises:
            Refusal: NICHE_NOT_FOUND, when there is no such template.
        """
        niche = draft.save(uuid5(ask.id, "bookmark"), ask.caller, self._clock.now())

        async def act(drawer: Drawer) -> SavedNiche:
            await drawer.put_niche(niche)
            return niche

        return await self._kept.once(ask.id, digest("save niche", draft), SavedNiche, act)

    async def niche(self, niche_id: UUID) -> SavedNiche:
        """Read a saved niche.

        Raises:
            Refusal: NICHE_NOT_FOUND.
        """
        return _there(await self._kept.niche(niche_id), niche_id)

    async def niches(self, *, size: int, after: Place) -> Page[SavedNiche]:
        """List saved niches, newest first."""
        return await self._kept.niches(size=size, after=after)

    async def amend_niche(
        self, ask: Ask, niche_id: UUID, amendment: Amendment, etag: str
    ) -> SavedNiche:
        """Change a saved niche.

        Raises:
            Refusal: NICHE_NOT_FOUND, ETAG_MISMATCH.
        """

        async def act(drawer: Drawer) -> SavedNiche:
            found = _there(await drawer.niche(niche_id), niche_id)
            found.check(etag)
            changed = amendment.apply(found, self._clock.now())
            await drawer.put_niche(changed)
            return changed

        question = digest("amend niche", (niche_id, amendment, etag))
        return await self._kept.once(ask.id, question, SavedNiche, act)

    async def drop_niche(self, ask: Ask, niche_id: UUID, etag: str) -> None:
        """Delete a saved niche.

        Raises:
            Refusal: NICHE_NOT_FOUND, ETAG_MISMATCH.
        """

        async def act(drawer: Drawer) -> None:
            _there(await drawer.niche(niche_id), niche_id).check(etag)
            await drawer.drop_niche(niche_id)

        await self._kept.once(ask.id, digest("drop niche", (niche_id, etag)), NoneType, act)

    async def mark(self, ask: Ask, domain: int, asin: str, notes: str) -> Known[Favorite]:
        """Mark a product as a favourite, or change the notes of one."""
        now = self._clock.now()
        favorite = Favorite(
            domain=domain, asin=asin, notes=notes, caller=ask.caller, created_at=now, updated_at=now
        )

        async def act(drawer: Drawer) -> Favorite:
            return await drawer.put_favorite(favorite)

        question = digest("mark", (domain, asin, notes))
        marked = await self._kept.once(ask.id, question, Favorite, act)
        return (await known(self._scores, (marked,)))[0]

    async def favorites(self, *, size: int, after: Place) -> Page[Known[Favorite]]:
        """List favourites, newest first, each with its newest score."""
        page = await self._kept.favorites(size=size, after=after)
        return Page(await known(self._scores, page.items), page.next_place)

    async def unmark(self, ask: Ask, domain: int, asin: str) -> None:
        """Take a product off the favourites.

        Raises:
            Refusal: FAVORITE_NOT_FOUND.
        """

        async def act(drawer: Drawer) -> None:
            if not await drawer.drop_favorite(domain, asin):
                raise not_found("FAVORITE", "Favorite", f"favorites/{domain}-{asin}")

        await self._kept.once(ask.id, digest("unmark", (domain, asin)), NoneType, act)


def _there(found: SavedNiche | None, niche_id: UUID) -> SavedNiche:
    if found is None:
        raise not_found("NICHE", "SavedNiche", f"bookmarks/{niche_id}")
    return found
