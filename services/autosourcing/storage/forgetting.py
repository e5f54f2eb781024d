"""What is passed, and goes by age."""

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine

from services.autosourcing.ports import Kept
from services.autosourcing.storage.tables import jobs, moments, requests, seen_products, slots
from services.chassis.purging import forget, older


class PostgresPast:
    """Implements ``ports.Past``."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def forget(self, kept: Kept) -> int:
        """Delete by age, in chunks: nobody waits, however much there is."""
        made_a_job = select(jobs.c.id).where(jobs.c.request_id == requests.c.id)
        later = moments.alias()
        newer = select(later.c.sequence).where(
            later.c.job_id == moments.c.job_id, later.c.sequence > moments.c.sequence
        )
        every = (
            (
                requests,
                older(requests, requests.c.created_at, kept.requests).where(~made_a_job.exists()),
            ),
            (
                slots,
                older(slots, slots.c.decided_at, kept.slots).where(slots.c.attend_at.is_(None)),
            ),
            (moments, older(moments, moments.c.changed_at, kept.moments).where(newer.exists())),
            (seen_products, older(seen_products, seen_products.c.analyzed_at, kept.sightings)),
        )
        return sum([await forget(self._engine, table, old) for table, old in every])
