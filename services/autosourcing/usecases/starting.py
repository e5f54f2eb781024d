"""Starts the jobs of schedules when their slots come, on any number of replicas."""

import asyncio
from dataclasses import replace
from datetime import timedelta

from services.autosourcing.domain.job import Job
from services.autosourcing.domain.schedule import (
    DecidedSlot,
    Decision,
    SlotOutcome,
    decide,
    slot_request_id,
)
from services.autosourcing.ports import Request, Rota
from services.autosourcing.usecases.launching import NO_JOB, Launching
from services.autosourcing.usecases.schedules import look_at
from services.chassis import telemetry
from services.chassis.errors import Kind, Refusal

LEASE = timedelta(seconds=60)
"""How long a claimed slot is left alone: longer than a job takes to be made."""

RETRY = timedelta(seconds=15)
LONGEST_SLEEP_SECONDS = 1.0
MOST_AT_ONCE = 8
_FINGERPRINT = b"slot"
_log = telemetry.get_logger(__name__)


class Starting:
    """Decides slots when they come, and makes one job for each that is to start.

    A slot is a row that can be there only once, and its job's id is made from it: however many
    replicas look, and whichever of them dies or hangs, it either starts one job or is skipped.
    """

    def __init__(self, rota: Rota, launching: Launching) -> None:
        self._rota = rota
        self._launching = launching

    async def run(self) -> None:
        """Look for slots that have come, for ever."""
        while True:
            while await self.look():
                pass
            await self.start()
            await asyncio.sleep(await self._pause())

    async def look(self) -> bool:
        """Decide the slots of one schedule that is due; False when none is."""
        async with self._rota.transaction() as work:
            found = await work.due_schedule()
            if found is None:
                return False
            seen = await look_at(work, found, await work.now())
        if seen.problem:
            _log.warning("schedule has a problem", schedule=str(seen.id), problem=seen.problem)
        return True

    async def start(self) -> None:
        """Make the jobs of the slots that nobody else is at."""
        async with self._rota.transaction() as work:
            claimed = await work.claim_slots(lease=LEASE, most=MOST_AT_ONCE)
        ended = await asyncio.gather(*map(self._start, claimed), return_exceptions=True)
        for slot, error in zip(claimed, ended, strict=True):
            if isinstance(error, Exception):
                _log.warning("slot not started", schedule=str(slot.schedule_id), exc_info=error)

    async def _start(self, slot: DecidedSlot) -> None:
        """Make a slot's job, or find the one that was made before somebody died."""
        place = slot.decision.slot
        request = Request(slot_request_id(slot.schedule_id, place), _FINGERPRINT)
        async with self._rota.transaction() as work:
            schedule, now = await work.lock_schedule(slot.schedule_id), await work.now()
            known = await work.request(request.id) is not None
        if schedule is None:
            return
        late = decide(replace(schedule, paused=False, pause_until=None, skip_dates=()), place, now)
        if late.reason and not known:
            skipped = Decision(place, SlotOutcome.SKIPPED, _both(late.reason, slot))
            await self._settle(slot, request, skipped)
            return
        try:
            job = await self._launching.create(
                request, schedule.spec, caller=schedule.caller, background=True
            )
        except Refusal as refusal:
            await self._refused(slot, request, refusal)
            return
        await self._settle(slot, request, Decision(place, SlotOutcome.STARTED), job)

    async def _refused(self, slot: DecidedSlot, request: Request, refusal: Refusal) -> None:
        """Skip a slot whose job may not start; ask again where nobody has answered."""
        reason = f"{refusal.reason}: {refusal.message}"
        if refusal.kind not in (Kind.UNAVAILABLE, Kind.DEADLINE_EXCEEDED):
            skipped = Decision(slot.decision.slot, SlotOutcome.SKIPPED, reason)
            await self._settle(slot, request, skipped)
            return
        kept = replace(slot, decision=replace(slot.decision, reason=reason))
        async with self._rota.transaction() as work:
            await work.postpone_slot(kept, await work.now() + RETRY)

    async def _settle(
        self, slot: DecidedSlot, request: Request, decision: Decision, job: Job | None = None
    ) -> None:
        """Store what became of a slot; without a job, nobody makes one for it any more.

        A replica that hung with the slot for longer than its lease may be at it still. Where
        that one has stored the job already, whoever claims the slot next finds it.
        """
        async with self._rota.transaction() as work:
            now = await work.now()
            if job is None and not await work.remember(request, NO_JOB):
                await work.postpone_slot(slot, now + RETRY)
                return
            settled = DecidedSlot(slot.schedule_id, decision, now, job.id if job else None)
            await work.settle_slot(settled)
        _log.info(
            "slot decided",
            schedule=str(slot.schedule_id),
            slot=f"{decision.slot.date} {decision.slot.hour:02}:00",
            outcome=decision.outcome.value,
            reason=decision.reason,
        )

    async def _pause(self) -> float:
        due = await self._rota.next_due()
        longest = LONGEST_SLEEP_SECONDS
        return longest if due is None else min(longest, max(0.05, due.total_seconds()))


def _both(late: str, slot: DecidedSlot) -> str:
    """Why it is late, when something is known to have been in the way."""
    return f"{late}; {slot.decision.reason}" if slot.decision.reason else late
