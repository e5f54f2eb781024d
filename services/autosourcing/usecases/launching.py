"""Makes jobs and brings them from PENDING to RUNNING, with their tokens held."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid5

from services.autosourcing.domain import attention, course, estimate, refusals
from services.autosourcing.domain.job import Job, Plan, Queue, State
from services.autosourcing.domain.limits import Limits, gate, hold_time
from services.autosourcing.domain.spec import Spec
from services.autosourcing.ports import Budget, Grant, Jobs, Request, Work
from services.autosourcing.usecases.planning import Planning
from services.chassis import telemetry
from services.chassis.errors import Kind, Refusal

NO_JOB = b""
"""What a request is bound to that shall never make a job."""

_NAMESPACE = UUID("2f8f6a0e-9f0e-5d39-8f5b-6f1a5f2f6f11")
_MOST_ENVELOPES = 3
_SAFETY = timedelta(seconds=30)
_UNKNOWN = datetime.min.replace(tzinfo=UTC)
_log = telemetry.get_logger(__name__)


class Launching:
    """Stores a job first, then holds its tokens, then starts it: two transactions.

    Every step repeats the same ids, so whoever finds a job half-way may go on with it.
    """

    def __init__(self, jobs: Jobs, budget: Budget, planning: Planning, limits: Limits) -> None:
        self._jobs = jobs
        self._budget = budget
        self._planning = planning
        self._limits = limits

    async def create(
        self,
        request: Request,
        spec: Spec,
        *,
        caller: str,
        wait: timedelta = timedelta(0),
        background: bool = False,
    ) -> Job:
        """Make the job, or return the one that the same request made.

        Raises:
            Refusal: It is too expensive, or its tokens are not there and it does not queue.
                Nothing is kept then, so the same request may be tried again.
        """
        draft = Job(
            id=uuid5(_NAMESPACE, str(request.id)),
            plan=Plan(spec, 0),
            state=State.PENDING,
            created_at=_UNKNOWN,
            caller=caller,
            background=background,
        )
        job = await self._find_or_add(request, draft, wait)
        if job.state is not State.PENDING:
            return job
        try:
            return await self.launch(job)
        except Refusal as refusal:
            if job.queue.until is not None and _waiting_helps(refusal):
                return await self._postpone(job, refusal)
            begun = await self._withdraw(job, refusal)
            if begun is None:
                raise
            return begun

    async def launch(self, job: Job, *, wait: timedelta = timedelta(0)) -> Job:
        """Hold the job's tokens, waiting for them at most so long, and start it.

        Raises:
            Refusal: Budget does not grant them.
        """
        if job.plan.estimated_tokens == 0:
            return await self._start(job, None) or job
        for _ in range(_MOST_ENVELOPES):
            grant = await self._reserve(job, wait)
            started = await self._start(job, grant)
            if started is not None:
                return started
            job = await self._next_envelope(job, grant)
        raise Refusal(Kind.UNAVAILABLE, "UPSTREAM_UNAVAILABLE", "Budget gives no open envelope.")

    async def _withdraw(self, job: Job, refusal: Refusal) -> Job | None:
        """Forget a job that never started, but not the envelope that it may hold.

        Whoever tends the jobs may have been granted its tokens since we were refused them: then
        it is given as it is, for it runs.
        """
        async with self._jobs.transaction() as work:
            present = await work.lock(job.id)
            if present is None or present.state is not State.PENDING:
                return present
            await work.withdraw(present.id)
            if _may_have_granted(refusal):
                await work.abandon(present.id, present.queue.attempt)
        return None

    async def _find_or_add(self, request: Request, draft: Job, wait: timedelta) -> Job:
        """The job that the request made, else the draft with its plan, stored now."""
        async with self._jobs.transaction() as work:
            known = await self._known(work, request)
        if known is not None:
            return known
        plan, price = await self._planning.plan(draft.plan.spec)
        if estimate.too_expensive(self._limits, price):
            raise refusals.too_expensive(self._limits, price.tokens)
        async with self._jobs.transaction() as work:
            now = await work.now()
            until = now + min(wait, self._limits.longest_wait) if wait else None
            queue = Queue(until=until, attempt=1 + await work.abandoned(draft.id))
            job = replace(draft, plan=plan, created_at=now, queue=queue)
            if not await work.remember(request, str(job.id).encode()):
                return await self._known(work, request) or job
            return await work.add(job, request.id, attend_at=attention.after_change(job, now))

    async def _known(self, work: Work, request: Request) -> Job | None:
        """The job that this request made; a repeated request finds it in whatever state.

        Raises:
            Refusal: It is bound to something else, or to no job for ever.
        """
        found = await work.request(request.id)
        if found is None:
            return None
        made, answer = found
        if made.fingerprint != request.fingerprint:
            raise refusals.request_id_reused()
        if answer == NO_JOB:
            raise refusals.withdrawn()
        return await work.lock(UUID(answer.decode()))

    async def _reserve(self, job: Job, wait: timedelta) -> Grant:
        return await self._budget.reserve(
            job,
            tokens=estimate.envelope_tokens(self._limits, job.plan, background=job.background),
            gate=gate(self._limits, job.plan.estimated_tokens, background=job.background),
            hold=hold_time(self._limits),
            wait=wait,
        )

    async def _start(self, job: Job, grant: Grant | None) -> Job | None:
        """The second transaction; None when the grant would not last for the job.

        An envelope that no job took, because it started or ended meanwhile, is given back.
        """
        async with self._jobs.transaction() as work:
            present, now = await work.lock(job.id), await work.now()
            if present is not None and present.state is State.PENDING:
                if grant is not None and not self._lasts(grant, now):
                    return None
                envelope = grant.name if grant else ""
                change = course.start(present, self._limits, now, envelope=envelope)
                attend_at = attention.after_change(change.job, now)
                return await work.save(change, attend_at=attend_at)
        if grant and grant.open and not _draws_on(present, grant):
            await self._give_back(job, grant.name)
        if present is None:
            raise refusals.withdrawn()
        return present

    def _lasts(self, grant: Grant, now: datetime) -> bool:
        return grant.open and grant.expires_at >= now + hold_time(self._limits) - _SAFETY

    async def _next_envelope(self, job: Job, grant: Grant) -> Job:
        """Give back an envelope too short-lived to be used; the next attempt has its own id."""
        if grant.open:
            await self._give_back(job, grant.name)
        async with self._jobs.transaction() as work:
            present = await work.lock(job.id)
            if present is None:
                raise refusals.withdrawn()
            queue = replace(present.queue, attempt=job.queue.attempt + 1)
            present = replace(present, queue=queue)
            await work.update(present)
            return present

    async def _give_back(self, job: Job, envelope: str) -> None:
        """Release what is not needed; when that fails it expires by itself, unspent."""
        try:
            await self._budget.release(job.id, envelope)
        except Refusal as refusal:
            _log.warning("envelope left to expire", envelope=envelope, reason=refusal.reason)

    async def _postpone(self, job: Job, refusal: Refusal) -> Job:
        """Leave the job in the queue; whoever tends the jobs waits for its tokens."""
        async with self._jobs.transaction() as work:
            present = await work.lock(job.id)
            if present is None:
                raise refusals.withdrawn()
            if present.state is not State.PENDING:
                return present
            now = await work.now()
            expected = now + refusal.retry_after if refusal.retry_after else None
            present = replace(present, queue=replace(present.queue, expected_start_at=expected))
            return await work.save(course.queue(present), attend_at=now)


def _draws_on(job: Job | None, grant: Grant) -> bool:
    """Whether a running job has taken the grant; one that ended pending names it too."""
    return job is not None and not job.state.final and job.envelope.name == grant.name


def _may_have_granted(refusal: Refusal) -> bool:
    """Whether budget may hold tokens although it did not say so."""
    return refusal.kind in (Kind.UNAVAILABLE, Kind.DEADLINE_EXCEEDED)


def _waiting_helps(refusal: Refusal) -> bool:
    return refusal.kind in (Kind.RESOURCE_EXHAUSTED, Kind.UNAVAILABLE, Kind.DEADLINE_EXCEEDED)
