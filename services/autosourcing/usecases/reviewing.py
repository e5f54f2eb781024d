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

    async def day(self, start: datetime, end: datetime) -> tuple[list[Reviewed], tuple[str, ...]]:
        """Every pick found in a time, in the order of the classes, best first in each.

        Returns:
            The picks, and the names of those that cannot be read.
        """
        sightings, unreadable = await self._reviews.sightings(start, end)
        return review.in_order(sightings), unreadable

    async def saved(self, picks: Collection[UUID]) -> dict[UUID, SavedPick]:
        """The picks with their whole scores, by id."""
        return await self._reviews.saved(picks)
