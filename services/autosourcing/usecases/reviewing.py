"""What a day has brought: its picks in their classes, and the best of them."""

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

from services.autosourcing.domain import review
from services.autosourcing.domain.review import Reviewed
from services.autosourcing.ports import Reviews, SavedPick


class Reviewing:
    """Reads only; nothing is spent and nothing kept."""

    def __init__(self, reviews: Reviews) -> None:
        self._reviews = reviews

    async def day(self, start: datetime, end: datetime) -> list[Reviewed]:
        """Every pick found in a time, in the order of the classes, best first in each."""
        return review.in_order(await self._reviews.sightings(start, end))

    async def saved(self, picks: Collection[UUID]) -> dict[UUID, SavedPick]:
        """The picks with their whole scores, by id."""
        return await self._reviews.saved(picks)
