"""Looks after jobs that no event moves: crashed starts, queues, deadlines, open envelopes."""

import asyncio
from datetime import datetime, timedelta
from functools import partial
from uuid import UUID

from services.autosourcing.domain import attention, course, endings
from services.autosourcing.domain.course import Change
from services.autosourcing.domain.job import Ending, Job, State, envelope_name
from services.autosourcing.domain.limits import Limits, gate
from services.autosourcing.ports import Budget, Changes, Cost, Jobs
from services.autosourcing.usecases.launching import Launching
from services.chassis import telemetry
from services.chassis.cancelling import end
from services.chassis.errors import Kind, Refusal

LEASE = timedelta(seconds=10)
"""How long a claimed job is left alone by the other replicas."""

RETRY = timedelta(seconds=2)
ABANDONED_WATCH = timedelta(seconds=30)
"""How long budget may still grant what it was asked for and did not answer."""

START_PATIENCE = timedelta(minutes=2)
LONGEST_SLEEP_SECONDS = 1.0
_SHORTEST_SECONDS = 0.01
_CROWDED_SECONDS = 0.25  # Somebody who is due has no place.
MOST_AT_ONCE = 64
MOST_WAITING = 64
"""Jobs that one replica waits for tokens with. They have places of their own: the tokens may be
held by jobs that have ended, and whose envelopes nobody would have a place to close."""

_log = telemetry.get_logger(__name__)


class Tending:
    """Claims due jobs and does for each what its state needs, on any number of replicas.

    A claim is a lease: who dies with it loses it, and another replica repeats the same step
    with the same ids.
    """

    def __init__(
        self, jobs: Jobs, budget: Budget, launching: Launching, limits: Limits, changes: Changes
    ) -> None:
        self._jobs = jobs
        self._budget = budget
        self._launching = launching
        self._limits = limits
        self._changes = changes
        self._running: dict[UUID, asyncio.Task[None]] = {}
        self._pending: set[UUID] = set()  # Those of them that are to be started.
        self._again: set[UUID] = set()  # Claimed while it was tended: its state has changed.

    async def run(self) -> None:
        """Tend for ever; what is under way ends with it."""
        try:
            async with self._changes.heard() as ear:
                while True:
                    await self._claim_due()
                    await ear.wait(await self._pause())
        finally:
            await end(*self._running.values())

    async def give_back(self) -> None:
        """Release the envelopes that refused jobs may hold, for ever.

        A loop of its own: a budget that hangs must not keep jobs from their deadlines.
        """
        while True:
            await self._release_abandoned()
            await asyncio.sleep(LONGEST_SLEEP_SECONDS)

    async def tend(self, job_id: UUID) -> None:
        """Do for one job what its state needs now."""
        async with self._jobs.transaction() as work:
            job, now = await work.lock(job_id), await work.now()
            if job is None:
                return
            if job.overdue(now):
                change = course.pass_deadline(job, self._limits, now)
                await work.save(change, attend_at=attention.after_change(change.job, now))
                return
        if job.state is State.PENDING:
            await self._start(job, now)
        elif job.state.final and job.envelope.name:
            await self._account(job)

    async def _claim_due(self) -> None:
        waiting = len(self._pending)
        moving = len(self._running) - waiting
        async with self._jobs.transaction() as work:
            ended = await work.claim(lease=LEASE, most=MOST_AT_ONCE - moving, pending=False)
            begun = await work.claim(lease=LEASE, most=MOST_WAITING - waiting, pending=True)
        for job_id in (*ended, *begun):
            if job_id in self._running:
                self._again.add(job_id)
            else:
                self._begin(job_id)
        self._pending.update(begun)

    async def _release_abandoned(self) -> None:
        """Release what is due; a late grant is met by a repetition."""
        async with self._jobs.transaction() as work:
            claimed = await work.claim_abandoned(lease=LEASE, most=MOST_AT_ONCE)
        for left in claimed:
            try:
                await self._budget.release(left.job_id, envelope_name(left.job_id, left.attempt))
            except Refusal as refusal:
                _log.warning("envelope not given back yet", reason=refusal.reason)
                return
            async with self._jobs.transaction() as work:
                if await work.now() - left.since > ABANDONED_WATCH:
                    await work.settle_abandoned(left)

    def _begin(self, job_id: UUID) -> None:
        task = asyncio.create_task(self.tend(job_id), name=f"tend {job_id}")
        self._running[job_id] = task
        task.add_done_callback(partial(self._done, job_id))

    def _done(self, job_id: UUID, task: asyncio.Task[None]) -> None:
        """A failed attempt is repeated when its lease ends; what changed meanwhile, at once."""
        self._running.pop(job_id, None)
        if job_id in self._again and not task.cancelled():
            self._again.discard(job_id)
            self._begin(job_id)
        else:
            self._pending.discard(job_id)
        error = None if task.cancelled() else task.exception()
        if error is not None:
            _log.warning("job not tended", job=str(job_id), exc_info=error)

    async def _pause(self) -> float:
        due = await self._jobs.next_attention()
        longest = LONGEST_SLEEP_SECONDS
        shortest = _CROWDED_SECONDS if len(self._pending) >= MOST_WAITING else _SHORTEST_SECONDS
        return longest if due is None else min(longest, max(shortest, due.total_seconds()))

    async def _start(self, job: Job, now: datetime) -> None:
        until = job.queue.until
        wait = max(until - now, timedelta(0)) if until else timedelta(0)
        launch = asyncio.create_task(self._launching.launch(job, wait=wait))
        try:
            while not launch.done() and await self._renewed(job.id):
                await asyncio.wait({launch}, timeout=LEASE.total_seconds() / 3)
        finally:
            await end(launch)
        refusal = None if launch.cancelled() else launch.exception()
        if isinstance(refusal, Refusal):
            await self._refused(job.id, refusal)
        elif refusal is not None:
            raise refusal

    async def _renewed(self, job_id: UUID) -> bool:
        """Keep the lease of a job that waits; False when it does not wait any more."""
        async with self._jobs.transaction() as work:
            job = await work.lock(job_id)
            if job is None or job.state is not State.PENDING:
                return False
            await work.attend(job_id, await work.now() + LEASE)
            return True

    async def _refused(self, job_id: UUID, refusal: Refusal) -> None:
        """Try a pending job again later, or end it: a queue in vain, a lost start silently."""
        async with self._jobs.transaction() as work:
            job, now = await work.lock(job_id), await work.now()
            if job is None or job.state is not State.PENDING:
                return
            until = job.queue.until or job.created_at + START_PATIENCE
            if now < until and _may_be_tried_again(job, refusal):
                pause = min(max(refusal.retry_after or RETRY, RETRY), LEASE)
                await work.attend(job_id, min(now + pause, until))
            elif job.queue.until is None:
                await work.withdraw(job_id)
                await work.abandon(job_id, job.queue.attempt)
            else:
                change = course.give_up(job, self._ending(job, refusal), now)
                await work.save(change, attend_at=attention.after_change(change.job, now))

    def _ending(self, job: Job, refusal: Refusal) -> Ending:
        if not _waits(refusal):
            return endings.refused(refusal.reason, refusal.message)
        required = gate(self._limits, job.plan.estimated_tokens, background=job.background)
        balance = refusal.facts.get("balance")
        return endings.wait_ended(
            balance=balance if isinstance(balance, int) else None, required=required
        )

    async def _account(self, job: Job) -> None:
        """Give the rest of the tokens back, and learn what the job cost."""
        name = job.envelope.name
        try:
            if job.envelope.open:
                cost = await self._budget.release(job.id, name)
            else:
                cost = await self._budget.cost(name)
        except Refusal as refusal:
            _log.warning("envelope not closed yet", job=str(job.id), reason=refusal.reason)
            async with self._jobs.transaction() as work:
                await work.attend(job.id, await work.now() + RETRY)
            return
        await self._book(job.id, cost)

    async def _book(self, job_id: UUID, cost: Cost) -> None:
        async with self._jobs.transaction() as work:
            job, now = await work.lock(job_id), await work.now()
            assert job is not None
            change: Change = course.close_envelope(job, spent=cost.spent, unsettled=cost.unsettled)
            attend_at = attention.after_change(change.job, now)
            if change.announcements:
                await work.save(change, attend_at=attend_at)
            else:
                await work.attend(job_id, attend_at)


def _waits(refusal: Refusal) -> bool:
    """Whether the refusal is one that time can cure."""
    return refusal.kind in (Kind.RESOURCE_EXHAUSTED, Kind.UNAVAILABLE, Kind.DEADLINE_EXCEEDED)


def _may_be_tried_again(job: Job, refusal: Refusal) -> bool:
    """A job that queues waits for tokens; another one only for budget to answer."""
    if job.queue.until is not None:
        return _waits(refusal)
    return _waits(refusal) and refusal.kind is not Kind.RESOURCE_EXHAUSTED
