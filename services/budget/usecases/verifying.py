"""The check of a ledger, a stretch at a time: how far it came, and what it goes on from."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from services.budget.domain import refusals
from services.budget.domain.audit import Audit, Auditor, Violation
from services.budget.domain.entries import Entry
from services.budget.domain.refusals import UnreadableEntryError
from services.budget.domain.rules import Rules
from services.budget.domain.state import State
from services.budget.ports import Ledger
from services.budget.usecases.writer import Told

STRETCH = 10_000  # Entries between two checkpoints: the least that one call replays.
LONGEST_SECONDS = 5.0  # After which a call stops at the next checkpoint.
PAGE = 1_000  # Small enough that other calls are answered between two of them.


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a verification stopped, and all that it needs to go on.

    Attributes:
        origin: Entries up to this one were verified earlier and not by this verification.
        origin_at: When that was; None when there are none.
        sequence: The last entry replayed; a checkpoint was kept there.
        digest: Of that checkpoint.
    """

    origin: int = 0
    origin_at: datetime | None = None
    sequence: int = 0
    digest: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """What a verification has found so far.

    Attributes:
        entries: Replayed by this call.
        origin: See ``Place``.
        reached: The last entry looked at.
        newest: The newest entry when the call began.
        onward: Where to go on; None at the end, and when nothing can be replayed any more.
    """

    entries: int
    spent: int
    violations: tuple[Violation, ...]
    origin: int
    origin_at: datetime | None
    reached: int
    newest: int
    onward: Place | None

    @property
    def consistent(self) -> bool | None:
        """Whether all promises hold; None while entries are left that nobody has looked at."""
        if self.violations:
            return False
        return True if self.reached == self.newest else None


class Verifier:
    """Replays ledgers from checkpoint to checkpoint.

    A checkpoint is only ever made by a replay that began at the first entry or at a checkpoint.

    Args:
        steady: Seconds on a clock that never steps.
        stretch: Entries between two checkpoints.
    """

    def __init__(
        self, ledger: Ledger, rules: Rules, steady: Callable[[], float], stretch: int = STRETCH
    ) -> None:
        self._ledger = ledger
        self._rules = rules
        self._steady = steady
        self._stretch = stretch

    async def verify(
        self,
        account: str,
        used: Told | None,
        *,
        full: bool,
        place: Place | None,
        seconds: float,
    ) -> Findings:
        """Replay for a while, and compare with the state in use, if any, when it is reached.

        Goes on from ``place``, or else begins at the first entry when it is to be ``full``, or
        else at the newest checkpoint. After ``seconds`` the stretch under way is finished.

        Raises:
            Refusal: CHECKPOINT_LOST.
        """
        until = used.state.sequence if used else await self._ledger.newest(account)
        ends = self._steady() + min(seconds, LONGEST_SECONDS)
        start, audit = await self._start(account, until, full=full, place=place)
        auditor, reached, onward = Auditor(audit), audit.state.sequence, None
        while reached < until and not auditor.stuck and onward is None:
            goal = min(until, reached - reached % self._stretch + self._stretch)
            await self._replay(auditor, goal, until)
            reached = auditor.audit.state.sequence
            if reached == goal and goal % self._stretch == 0:
                # One that began at the first entry knows more than one that began later.
                digest = await self._ledger.keep_checkpoint(
                    auditor.audit, replace=start.origin == 0
                )
                if goal < until and self._steady() >= ends:
                    onward = Place(
                        origin=start.origin,
                        origin_at=start.origin_at,
                        sequence=goal,
                        digest=digest,
                    )
        if used is not None and reached == until:
            auditor.compare(used.state, used.now)
        return Findings(
            entries=reached - start.sequence,
            spent=auditor.audit.state.spent,
            violations=auditor.audit.violations,
            origin=start.origin,
            origin_at=start.origin_at,
            reached=reached,
            newest=until,
            onward=onward,
        )

    async def _start(
        self, account: str, until: int, *, full: bool, place: Place | None
    ) -> tuple[Place, Audit]:
        """Find what to go on from."""
        if place is not None:
            kept = await self._ledger.checkpoint(account, place.sequence, self._rules)
            if kept is None or kept.digest != place.digest or place.sequence > until:
                raise refusals.checkpoint_lost(place.sequence)
            return place, kept.audit
        if not full:
            kept = await self._ledger.newest_checkpoint(account, until, self._rules)
            if kept is not None:
                at = kept.audit.state.sequence
                found = Place(origin=at, origin_at=kept.at, sequence=at, digest=kept.digest)
                return found, kept.audit
        return Place(), Audit(State(account=account, rules=self._rules))

    async def _replay(self, auditor: Auditor, goal: int, until: int) -> None:
        account, after = auditor.audit.state.account, auditor.audit.state.sequence
        while after < goal and not auditor.stuck:
            page, damage = await self._readable(account, after, min(PAGE, goal - after))
            if not page and damage is None:
                auditor.end(until)
                return
            ids = [entry.request_id for entry in page if entry.request_id is not None]
            twice = await self._ledger.bound_twice(ids)
            for entry in page:
                auditor.take(entry, twice)
            if damage is not None:
                auditor.unreadable(damage.sequence, damage.message)
                return
            after = page[-1].sequence
            await asyncio.sleep(0)

    async def _readable(
        self, account: str, after: int, limit: int
    ) -> tuple[Sequence[Entry], UnreadableEntryError | None]:
        """Read a page as far as it can be read, and say what ends it."""
        try:
            return await self._ledger.page(account, after, limit), None
        except UnreadableEntryError as error:
            before = error.sequence - 1 - after
            return (await self._ledger.page(account, after, before) if before else []), error
