"""One account's writer: commands that arrive while a batch is stored form the next batch."""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import chain
from uuid import UUID

from services.budget.domain import refusals
from services.budget.domain.commands import Admit, Command
from services.budget.domain.decide import decide
from services.budget.domain.draft import Answer, Decision
from services.budget.domain.entries import Entry, Held, Observed
from services.budget.domain.evolve import evolve, forget, recall, replay
from services.budget.domain.rules import Kind, Rules, Stage
from services.budget.domain.state import State
from services.budget.domain.values import Value
from services.budget.ports import Batch, Conflict, Ledger, Shortcut
from services.budget.usecases.notices import notice
from services.chassis import telemetry
from services.chassis.cancelling import end, look_at
from services.chassis.errors import Refusal

_log = telemetry.get_logger(__name__)
BATCH = 1_000  # Commands decided in one transaction.
MANY = 20  # Commands of a call: they share what a transaction costs without company.
QUEUE = 20_000  # Commands that may wait for their batch.
FOLLOWER_QUEUE = 1_000  # Changes that a reader may be behind.
SNAPSHOT_EVERY = 2_000  # Entries between two snapshots; more when more reservations are open.
TOLERANCE = timedelta(milliseconds=250)  # By which an estimate of the clock may be late.
PAUSES = (0.0, 0.05, 0.25)  # Seconds before each try of a batch.
LEAST_TURNS, MOST_TURNS = 2, 40  # Turns of the event loop in which nobody joins a batch any more.
LONGEST_JOINING_SECONDS = 0.02
RING_SECONDS = 0.05  # Between two rings that nobody waits for; a relay pauses for longer.
PULSE_SECONDS = 0.25  # How often waiters look for grants that another replica made.
PULSE_LATE_SECONDS = 0.003  # After a tick, so that the database's clock has passed it too.


class Told(Value, frozen=True):
    """What a command was told, the state right after it, and the instant of it.

    Of commands that were handed in together it is the state after the last of them.
    """

    answer: Answer
    state: State
    now: datetime


_Outcomes = list[Told | Refusal]


@dataclass(frozen=True, slots=True)
class _Job:
    """Commands that were handed in together, and the future of what they are told."""

    commands: Sequence[Command]
    told: "asyncio.Future[_Outcomes]"


@dataclass(frozen=True, slots=True)
class Change:
    """One entry, the state after it, and when it was read."""

    entry: Entry
    state: State
    now: datetime


class Follower:
    """A reader's bounded queue; one that falls too far behind is cut off."""

    def __init__(self) -> None:
        self._changes: asyncio.Queue[Change | Refusal] = asyncio.Queue(FOLLOWER_QUEUE + 1)
        self._ended = False

    def put(self, change: Change) -> None:
        """Add a change unless the reader is too slow."""
        if self._changes.qsize() == FOLLOWER_QUEUE:
            self.end(refusals.slow_reader(FOLLOWER_QUEUE))
        if not self._ended:
            self._changes.put_nowait(change)

    def end(self, refusal: Refusal) -> None:
        """Tell the reader, after what it has not taken yet, why nothing follows."""
        if not self._ended:
            self._changes.put_nowait(refusal)
        self._ended = True

    async def take(self) -> Change:
        """Return the next change.

        Raises:
            Refusal: SLOW_READER, after the last change before the gap; SEQUENCE_AHEAD where the
                ledger went back behind what the reader was told.
        """
        change = await self._changes.get()
        if isinstance(change, Refusal):
            raise change
        return change


class Writer:
    """Decides the commands of one account in order, whole batches in one transaction.

    Other replicas write to the same account; the lock orders the batches, and each begins by
    reading what the others wrote. The state in memory is only a copy: it is dropped when
    anything fails, and what was not answered may be asked again under the same request id.
    """

    def __init__(
        self,
        ledger: Ledger,
        account: str,
        rules: Rules,
        *,
        shortcut: Shortcut | None = None,
        steady: Callable[[], float] = time.monotonic,
    ) -> None:
        self.account = account
        self.state = State(account=account, rules=rules)
        self.stopping = False
        self.lost = 0  # The newest entry that was here and is not in the ledger any more.
        self._told = self.state  # What followers have been told.
        self._ledger = ledger
        self._shortcut = shortcut
        self._steady = steady  # Not the event loop's clock: that one stands between two turns.
        self._rules = rules
        self._warm = False
        self._alone = False  # Nobody else wrote between our last two turns.
        self._kept_at = 0
        self._keeping: asyncio.Task[None] | None = None
        self._ringing: asyncio.Task[None] | None = None
        self._rung_at = float("-inf")
        self._seen: tuple[datetime, float] | None = None
        self._newest_at: datetime | None = None  # When the newest entry of the state was stored.
        self._queue: deque[_Job] = deque()
        self._queued = 0  # Commands in the queue.
        self._crowd = 0  # Jobs in the last batch.
        self._draining: asyncio.Task[None] | None = None
        self._watched: dict[UUID, list[asyncio.Event]] = {}
        self._followers: set[Follower] = set()
        self._pulsing: asyncio.Task[None] | None = None
        self._looking = asyncio.Event()

    async def ask(self, command: Command) -> Told:
        """Decide one command and return when its outcome is stored.

        A caller that is cancelled before its batch was taken has asked for nothing.

        Raises:
            Refusal: The command's own, or STORAGE_UNAVAILABLE.
        """
        (outcome,) = await self.post([command])
        if isinstance(outcome, Refusal):
            raise outcome
        return outcome

    def post(self, commands: Sequence[Command]) -> "asyncio.Future[_Outcomes]":
        """Hand in commands of one batch; they are decided whether or not somebody awaits that.

        Raises:
            Refusal: OVERLOADED; the future may raise STORAGE_UNAVAILABLE.
        """
        if self._queued >= QUEUE:
            raise refusals.overloaded(QUEUE)
        told: asyncio.Future[_Outcomes] = asyncio.get_running_loop().create_future()
        self._queue.append(_Job(commands, told))
        self._queued += len(commands)
        if self._draining is None or self._draining.done():
            self._draining = asyncio.create_task(self._drain(), name=f"write {self.account}")
        return told

    @contextmanager
    def watching(self, reservation: UUID) -> Iterator[asyncio.Event]:
        """Give an event that is set when a wait is over, whichever replica ended it.

        A stop of this replica sets it as well; then ``stopping`` tells so. A repeated request
        may watch beside the first one.
        """
        ended = asyncio.Event()
        self._watched.setdefault(reservation, []).append(ended)
        if self.stopping or reservation not in self.state.waiting:
            ended.set()  # It may have ended before anybody could watch.
        if self._pulsing is None or self._pulsing.done():
            self._pulsing = asyncio.create_task(self._pulse(), name=f"pulse {self.account}")
        try:
            yield ended
        finally:
            self._watched[reservation].remove(ended)
            if not self._watched[reservation]:
                del self._watched[reservation]

    def watched(self, reservation: UUID) -> bool:
        """Whether somebody here waits for it."""
        return reservation in self._watched

    def granted(self, reservation: UUID) -> Told | None:
        """Tell a call's grant that was just made, without another way to the ledger."""
        held, now = self.state.live.get(reservation), self._now()
        if held is None or now is None or held.stage is not Stage.HELD:
            return None
        return Told(held, self.state, now) if held.terms.kind is Kind.CALL else None

    @contextmanager
    def following(self) -> Iterator["Follower"]:
        """Give a queue of every change from now on, with the state after each."""
        follower = Follower()
        self._followers.add(follower)
        try:
            yield follower
        finally:
            self._followers.discard(follower)

    @property
    def idle(self) -> bool:
        """Whether nothing is known, asked or awaited here."""
        busy = any(task and not task.done() for task in (self._draining, self._ringing))
        return not (busy or self._warm or self._queue or self._watched or self._followers)

    def look(self) -> None:
        """Let waiters in, if any are here: somebody has written."""
        self._looking.set()

    def stop_waiting(self) -> None:
        """Send the waiters of this replica away; others may go on with their waits."""
        self.stopping = True
        for ended in chain.from_iterable(self._watched.values()):
            ended.set()

    async def close(self) -> None:
        """Wait for the batch under way and for what is queued behind it.

        Who loses patience takes no answer from those who asked: the batches go on.
        """
        if self._pulsing is not None:
            await end(self._pulsing)
        begun = (self._draining, self._keeping, self._ringing)
        tasks = [task for task in begun if task is not None]
        await asyncio.shield(asyncio.gather(*tasks, return_exceptions=True))

    async def _drain(self) -> None:
        """Store batch after batch until nothing is asked any more."""
        while self._queue:
            await self._joined()
            jobs = self._taken()
            self._crowd = len(jobs)
            if jobs:
                (outcome,) = await asyncio.gather(self._store(jobs), return_exceptions=True)
                _hand_out(jobs, outcome)

    async def _joined(self) -> None:
        """Let the calls join that are already on the socket, until a few turns bring nobody.

        A call takes several turns of the event loop from the socket to here. Where the last batch
        was a crowd there are always some on their way, and what a batch costs is shared by all
        of it; somebody who comes alone waits for two turns. Calls of many commands wait for
        nobody, so that the answers to the last batch are written while theirs is stored.
        """
        still, turns = 0, min(max(self._crowd, LEAST_TURNS), MOST_TURNS)
        until = self._steady() + LONGEST_JOINING_SECONDS
        while still < turns and not self._enough() and self._steady() < until:
            queued = self._queued
            await asyncio.sleep(0)
            still = 0 if self._queued > queued else still + 1

    def _enough(self) -> bool:
        """Whether more calls would make the next batch no cheaper, or too large."""
        return self._queued >= min(BATCH, MANY * len(self._queue))

    def _taken(self) -> list[_Job]:
        """Take a batch off the queue, without the jobs whose callers are gone."""
        jobs: list[_Job] = []
        room = BATCH
        while self._queue and room > 0:
            job = self._queue.popleft()
            self._queued -= len(job.commands)
            if not job.told.done():
                jobs.append(job)
                room -= len(job.commands)
        return jobs

    async def _store(self, jobs: Sequence[_Job]) -> list[_Outcomes]:
        """Store one batch; trying again is safe, for what was stored after all is recalled."""
        failure: Exception | None = None
        contested = False
        for pause in PAUSES:
            if pause:
                await asyncio.sleep(pause)
            try:
                return await self._attempt(jobs, contested=contested)
            except Conflict as conflict:
                contested = True
                failure = refusals.storage_unavailable()
                failure.__cause__ = conflict
            except Refusal as refusal:
                failure = refusal
                if refusal.reason != refusals.STORAGE_UNAVAILABLE:
                    break
        assert failure is not None
        raise failure

    async def _attempt(self, jobs: Sequence[_Job], *, contested: bool) -> list[_Outcomes]:
        """Store one batch.

        Where an id was ``contested``, it may be one that waits here: then all of those are recalled.
        """
        was_warm, self._warm = self._warm, False
        if was_warm and self._alone:
            stored = await self._store_at_once(jobs)
            if stored is not None:
                return stored
        base = self.state if was_warm else await self._ledger.load(self.account, self._rules)
        asked = _unknown_to(base, jobs) | set(base.waiting if contested else ())
        async with self._ledger.turn(self.account, base.sequence, asked) as turn:
            if was_warm and turn.known_at != self._newest_at:
                self._went_back(base.sequence)
                raise Conflict(f"{base.sequence} is not the entry that it was")
            self._newest_at = turn.known_at
            state = replay(base, turn.tail)
            state = recall(state, turn.recalled.reservations, turn.recalled.bound)
            outcomes, state, entries = _decide_all(state, jobs, turn.now)
            await turn.append(entries)
            if self._shortcut is None and self._worth_keeping(state):
                await turn.keep(state)
                self._kept_at = state.sequence
        self._alone = self._shortcut is not None and not turn.tail
        self._seen = (turn.now, self._steady())
        await self._go_on_from(state, entries, turn.tail, turn.now)
        return outcomes

    async def _store_at_once(self, jobs: Sequence[_Job]) -> list[_Outcomes] | None:
        """Decide on the state at hand and store by one statement; None when a turn is needed.

        The ledger itself refuses what somebody else's entry, an id from the past or a clock
        that stepped has overtaken. Nothing was told to anybody by then.
        """
        assert self._shortcut is not None
        base, now = self.state, self._now()
        if now is None or any(each in base.live for each in _bound_by(jobs)):
            return None
        outcomes, state, entries = _decide_all(base, jobs, now)
        batch = Batch(
            after=base.sequence,
            decided_at=now,
            tolerance=_tolerance(entries, self._rules),
            ring=self._rings(base, entries),
            strange=_unknown_to(base, jobs) - {entry.request_id for entry in entries},
            entries=entries,
        )
        with suppress(Conflict):
            clock = await self._shortcut.store(self.account, batch)
            if clock is not None:
                self._seen = (clock, self._steady())
                await self._go_on_from(state, entries, (), now)
                return outcomes
        self._alone = False
        return None

    async def _go_on_from(
        self, state: State, entries: Sequence[Entry], tail: Sequence[Entry], now: datetime
    ) -> None:
        """Make a stored state the one at hand, and tell everybody who watches."""
        notice(self.account, entries)
        self.state = forget(state)
        if new := entries or tail:
            self._newest_at = new[-1].at
        self._warm = True
        self._wake()
        self._keep_sometimes()
        await self._publish([*tail, *entries], now)

    def _keep_sometimes(self) -> None:
        """Store a snapshot beside the batches: nobody waits for it."""
        idle = self._keeping is None or self._keeping.done()
        if self._shortcut and idle and self._worth_keeping(self.state):
            self._kept_at = self.state.sequence
            self._keeping = asyncio.create_task(self._keep(self._shortcut, self.state))

    def _rings(self, base: State, entries: Sequence[Entry]) -> bool:
        """Whether a batch rings by itself: at once for who waits, once in a while for the rest.

        What ends or frees something is told by the next ring at the latest; plain grants are no
        news. To ring takes PostgreSQL, and everybody it wakes, as long as the batch itself.
        """
        if base.waiting or all(isinstance(entry.fact, Held) for entry in entries):
            return bool(base.waiting)
        at = self._steady()
        if at - self._rung_at >= RING_SECONDS:
            self._rung_at = at
            return True
        if self._shortcut and (self._ringing is None or self._ringing.done()):
            self._ringing = asyncio.create_task(self._ring_soon(self._shortcut))
        return False

    async def _ring_soon(self, shortcut: Shortcut) -> None:
        await asyncio.sleep(RING_SECONDS)
        self._rung_at = self._steady()
        with suppress(Refusal):  # Everybody looks from time to time.
            await shortcut.ring(self.account)

    def _worth_keeping(self, state: State) -> bool:
        """Whether enough was written since the last snapshot to pay for the size of the next."""
        return state.sequence - self._kept_at >= max(SNAPSHOT_EVERY, len(state.live))

    async def _keep(self, shortcut: Shortcut, state: State) -> None:
        with suppress(Refusal):  # The next one will do.
            await shortcut.keep(state)

    def _now(self) -> datetime | None:
        """Estimate the database's time, late by the last answer's way home; None if unknown."""
        if self._seen is None:
            return None
        seen, at = self._seen
        return seen + timedelta(seconds=self._steady() - at)

    def _wake(self) -> None:
        """Wake whose wait is over by the state at hand, however that was read."""
        for reservation, watchers in self._watched.items():
            if reservation not in self.state.waiting:
                for ended in watchers:
                    ended.set()

    async def _publish(self, entries: Sequence[Entry], now: datetime) -> None:
        """Tell followers every change in order, those included that a reload passed over."""
        state = self._told if self._followers else self.state
        if state.sequence + len(entries) < self.state.sequence:
            entries = await self._between(state.sequence, self.state.sequence)
        elif self._followers and state.sequence + len(entries) > self.state.sequence:
            self._went_back(state.sequence)  # It was read anew, and is shorter.
            state = self.state
        for entry in entries if self._followers else ():
            state = forget(evolve(state, entry))
            for follower in self._followers:
                follower.put(Change(entry, state, now))
        self._told = state

    def _went_back(self, sequence: int) -> None:
        """End the readers of a ledger that was restored: what they were told last is not in it."""
        _log.error("ledger went back", account=self.account, lost_sequence=sequence)
        self.lost = sequence
        for follower in self._followers:
            follower.end(refusals.sequence_ahead(sequence, sequence - 1))
        self._followers.clear()

    async def _between(self, after: int, until: int) -> list[Entry]:
        entries: list[Entry] = []
        while after < until:
            entries += await self._ledger.page(self.account, after, until - after)
            after = entries[-1].sequence
        return entries

    async def _pulse(self) -> None:
        """While somebody waits here, look at each certain tick and a few times between."""
        while self._watched:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._until_pulse()):
                    await self._looking.wait()
            self._looking.clear()
            await asyncio.gather(self.ask(Admit()), return_exceptions=True)

    def _until_pulse(self) -> float:
        now = self._now()
        if self.state.anchor is None or now is None:
            return PULSE_SECONDS
        ticks = self.state.anchor.certain_ticks(now, self._rules)
        tick = self.state.anchor.tick_at(ticks + 1, self._rules) - now
        return min(PULSE_SECONDS, max(0.0, tick.total_seconds()) + PULSE_LATE_SECONDS)


def _tolerance(entries: Sequence[Entry], rules: Rules) -> timedelta:
    """Say how late an estimate of the clock may be; ticks count from an observation's instant."""
    observed = any(isinstance(entry.fact, Observed) for entry in entries)
    return rules.slack / 10 if observed else TOLERANCE


def _bound_by(jobs: Sequence[_Job]) -> Iterator[UUID]:
    return (each for job in jobs for command in job.commands for each in command.binds)


def _unknown_to(state: State, jobs: Sequence[_Job]) -> set[UUID]:
    """Return the ids whose past is not in the state: all of requests, and what has ended."""
    named = {each for job in jobs for command in job.commands for each in command.named}
    return {*_bound_by(jobs), *(each for each in named if each not in state.live)}


def _decide_all(
    state: State, jobs: Sequence[_Job], now: datetime
) -> tuple[list[_Outcomes], State, list[Entry]]:
    """Decide commands in order, each on the state left by the last; then let waiters in."""
    outcomes: list[_Outcomes] = []
    entries: list[Entry] = []
    for job in jobs:
        answers: list[Answer | Refusal] = []
        for command in job.commands:
            decision = decide(state, command, now)
            if isinstance(decision, Decision):
                state = decision.state
                entries.extend(decision.entries)
                answers.append(decision.refusal or decision.answer)
            else:
                answers.append(decision)
        outcomes.append([_told(answer, state, now) for answer in answers])
    if state.waiting:
        admitted = decide(state, Admit(), now)
        assert isinstance(admitted, Decision)
        state = admitted.state
        entries.extend(admitted.entries)
    return outcomes, state, entries


def _told(answer: Answer | Refusal, state: State, now: datetime) -> Told | Refusal:
    return answer if isinstance(answer, Refusal) else Told(answer, state, now)


def _hand_out(jobs: Sequence[_Job], outcome: list[_Outcomes] | BaseException) -> None:
    """Answer everybody; a failed batch fails each of its jobs."""
    if isinstance(outcome, BaseException):
        for job in jobs:
            if not job.told.done():
                job.told.set_exception(outcome)
                job.told.add_done_callback(look_at)
        return
    for job, told in zip(jobs, outcome, strict=True):
        if not job.told.done():
            job.told.set_result(told)
