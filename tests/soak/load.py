"""So many jobs, each followed to its end, and jobs that run into a kill at an exact moment."""

import asyncio
import random
from datetime import timedelta

from arbitragevault.autosourcing.v1 import autosourcing_pb2 as jobs
from arbitragevault.discovery.v1 import discovery_pb2 as searches

from tests.chaos.load import Clients, Load
from tests.chaos.points import Killer, Point

AT_ONCE = 10
CANCELLED_SHARE = 0.03
QUEUE_SECONDS = 60


class Jobs(Load):
    """Callers that make a given number of jobs, all of which may queue."""

    def __init__(self, clients: Clients, rng: random.Random, asins: list[str]) -> None:
        super().__init__(clients, rng, asins)
        self._left = 0
        self._searches = 0

    async def make(self, count: int) -> None:
        """Make so many jobs and see each of them end."""
        self._left = count
        async with asyncio.TaskGroup() as group:
            for _ in range(AT_ONCE):
                group.create_task(self._worker())

    async def die_at(self, killer: Killer, point: Point) -> None:
        """Run one job of which a process dies at the named moment."""
        armed = asyncio.Event()
        strike = asyncio.create_task(killer.strike(point, armed))
        reached = asyncio.create_task(armed.wait())
        await asyncio.wait({strike, reached}, return_when="FIRST_COMPLETED")
        accepted = await self.follow(self._priced())
        try:
            killed = await strike
        except TimeoutError:
            killed = 0
        reached.cancel()
        if not (accepted and killed):
            self.strange.append(f"{point.name}: {killed} killed, job accepted: {accepted}")

    async def _worker(self) -> None:
        while self._left > 0:
            self._left -= 1
            request = jobs.CreateJobRequest(request_id=self._uuid(), spec=self._spec())
            request.max_wait_duration.FromTimedelta(timedelta(seconds=QUEUE_SECONDS))
            if not await self.follow(request, cancel=self._rng.random() < CANCELLED_SHARE):
                self._left += 1
                await asyncio.sleep(self._rng.uniform(0.2, 1.0))

    def _priced(self) -> jobs.CreateJobRequest:
        """A search like no other, whose every answer must be paid."""
        self._searches += 1
        ranks = searches.RankRange(minimum=1_000 + self._searches, maximum=200_000)
        spec = jobs.JobSpec(max_products=6, include_recently_seen=True, force_refresh=True)
        spec.filter.CopyFrom(searches.DiscoveryFilter(category_ids=[283155], rank_range=ranks))
        request = jobs.CreateJobRequest(request_id=self._uuid(), spec=spec)
        request.max_wait_duration.FromTimedelta(timedelta(seconds=QUEUE_SECONDS))
        return request
