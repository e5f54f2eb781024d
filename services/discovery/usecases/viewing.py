"""Viewing: given products in the order of a strategic view."""

from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from decimal import Decimal

from services.discovery.domain.answers import Appraisal, Status
from services.discovery.domain.criteria import Options
from services.discovery.domain.views import Seen, seen
from services.discovery.ports import Rulebook
from services.discovery.usecases.asking import Request
from services.discovery.usecases.searching import Ended, SearchDesk


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """A view's answer, best first."""

    roi_percent: Decimal
    rows: Sequence[Seen]
    ended: Ended


class Viewer:
    """Shows products as a view sees them."""

    def __init__(self, desk: SearchDesk, rulebook: Rulebook) -> None:
        self._desk = desk
        self._rulebook = rulebook

    async def view(
        self, request: Request, name: str, domain: int, asins: Sequence[str], options: Options
    ) -> Sight:
        """Score the products, from what is stored where that is there, and order them."""
        found: dict[str, Appraisal] = {}
        async with aclosing(self._desk.score(request, domain, asins, options)) as answers:
            async for answer in answers:
                if isinstance(answer, Ended):
                    ended = answer
                else:
                    found |= {one.asin: one for one in answer}
        roi = (await self._rulebook.current()).view_rois[name]
        unseen = Appraisal(asin="", status=Status.REFUSED)
        told = [found.get(asin, replace(unseen, asin=asin)) for asin in asins]
        return Sight(roi_percent=roi, rows=seen(name, roi, told), ended=ended)
