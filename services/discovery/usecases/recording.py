"""Remembering searches for ever, with what they cost."""

from dataclasses import replace
from uuid import uuid4

from services.chassis.clock import Clock
from services.discovery.domain.answers import Tally
from services.discovery.domain.criteria import Filter
from services.discovery.domain.errand import Errand
from services.discovery.domain.past import SearchKind, ended_search, source_of
from services.discovery.ports import Searches


class Recorder:
    """Writes the history of searches that people and programs make."""

    def __init__(self, searches: Searches, clock: Clock) -> None:
        self._searches = searches
        self._clock = clock

    async def remember(
        self,
        errand: Errand,
        kind: SearchKind,
        tally: Tally,
        seconds: float,
        wanted: Filter | None,
        *,
        results: int | None = None,
    ) -> None:
        """Remember one search; without ``results`` every product counts as one."""
        search = ended_search(
            tally,
            seconds,
            search_id=uuid4(),
            caller=errand.caller,
            job=errand.job,
            now=self._clock.now(),
        )
        await self._searches.add(
            replace(
                search,
                kind=kind,
                source=source_of(errand.caller),
                filter=wanted,
                results=len(tally.found) if results is None else results,
            )
        )
