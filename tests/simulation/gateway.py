"""Two gateways that pay Keepa by the rules, with what they keep in their own database."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID, uuid5

from services.budget.domain.balance import MILLI, Observation
from services.budget.domain.commands import Commit, Release, Report
from services.budget.domain.reservation import Reservation, Terms
from services.budget.domain.rules import Kind, Reason, Stage
from services.budget.usecases.writer import Told
from services.chassis.errors import Refusal
from tests.simulation.keepa import Body, Keepa
from tests.simulation.store import Dead
from tests.simulation.swarm import DEADLINE
from tests.simulation.world import Lost, Replica, World

TRIES = 4
UNSENT_AFTER = 15.0
TWO_TICKS = 2 * 60.25 + 0.3
MARGIN = 3.0  # Between the end of a call's time and the expiry of its hold.
PASSING = ("STORAGE_UNAVAILABLE", "SERVER_STOPPING", "OVERLOADED")


class NotSent(Exception):  # noqa: N818 - a planned outcome
    """The connection to Keepa failed before a byte was sent."""


@dataclass
class Attempt:
    """The gateway's own row for a call: fenced, sent, certainly unsent, or ended with an outcome.

    Attributes:
        gateway: The incarnation that sent it; a dead one will never end it.
        settled: Budget has answered the commit.
    """

    state: str
    account: str
    gateway: int = 0
    sent_at: float = 0.0
    read: int = 0
    cost: int = 0
    body: Body | None = None
    settled: bool = False


class Gateways:
    """What all gateways share, and the work that any one of them does in the background."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.attempts: dict[UUID, Attempt] = {}
        self.incarnation = 1
        self.read: dict[str, int] = dict.fromkeys(world.keepas, 0)
        self.paused_until: dict[str, float] = dict.fromkeys(world.keepas, 0.0)
        self.quiet: set[str] = set()
        self.late = 0  # Reports that are still to come a second time.
        self._lied: set[str] = set()
        self.flows: dict[asyncio.Task[None], None] = {}  # In order: a set of tasks has none.
        self._told_at: dict[str, float] = dict.fromkeys(world.keepas, -1000.0)
        self._unknown_since: dict[str, float] = {}

    def crash(self) -> None:
        """End every flow where it stands; the rows and Keepa's doings remain."""
        self.incarnation += 1
        self.world.seen["gateway crashed"] += 1
        for flow in list(self.flows):
            flow.cancel()

    async def persist(
        self, key: UUID, work: Callable[[Replica], Awaitable[Told]], *, tries: int = TRIES
    ) -> Told | Refusal | None:
        """Ask until there is an answer, any replica; None when nobody answered in time."""
        world = self.world
        for _ in range(tries):
            try:
                told = await world.ask(work)
            except Refusal as refusal:
                if refusal.reason not in PASSING:
                    self._note(key, refusal)
                    world.seen[f"refused {refusal.reason}"] += 1
                    return refusal
                world.seen["unavailable"] += 1
            except (Lost, Dead):
                world.seen["answer of budget lost"] += 1
            else:
                self._note(key, told.answer)
                account = told.state.account
                self.read[account] = max(self.read[account], told.state.sequence)
                return told
            await asyncio.sleep(world.rng.uniform(0.2, 2))
        return None

    def _note(self, key: UUID, answer: object) -> None:
        if key.int and not isinstance(answer, bool):
            told = self.world.answers.setdefault(key, [])
            told.append((self.world.loop.time(), answer))

    async def pay(self, terms: Terms, held: Reservation) -> None:
        """Intent, call, outcome, commit: for a grant that this gateway was told of."""
        world = self.world
        if not await self._may_send(held):
            return
        attempt = Attempt("sent", terms.account, self.incarnation, world.loop.time())
        attempt.read = self.read[terms.account]
        self.attempts[terms.id] = attempt
        try:
            attempt.body = await self._call(terms)
        except NotSent:
            attempt.state = "unsent"
            if not world.happens(world.mix.late_commit):  # Else the reconciler does it.
                await self.give_back(terms.id, attempt)
            return
        except TimeoutError:
            attempt.state = "unknown"
            world.seen["answer of Keepa lost"] += 1
            return
        attempt.state, attempt.cost = "ended", attempt.body.consumed
        if world.happens(world.mix.liar):
            world.seen["released what was sent"] += 1
            await self.release(terms.id, Reason.NOT_SENT)
        if world.happens(world.mix.late_commit):
            await asyncio.sleep(world.rng.uniform(5, 200))
        await self.commit(terms.id, attempt)

    async def _may_send(self, held: Reservation) -> bool:
        """Wait out pauses; then send only what can end before its hold does."""
        world, account = self.world, held.terms.account
        while account in self.quiet or world.loop.time() < self.paused_until[account]:
            world.seen["429 obeyed"] += account not in self.quiet
            await asyncio.sleep(2)
        if held.id in self.attempts:
            return False
        assert held.expires_at is not None
        left = (held.expires_at - world.now()).total_seconds()
        if left < DEADLINE + MARGIN or held.stage is not Stage.HELD:
            world.seen["too late to send"] += 1
            return False
        return True

    async def _call(self, terms: Terms) -> Body:
        """Send a call; Keepa carries it out whatever becomes of the sender."""
        world = self.world
        if world.happens(world.mix.not_sent):
            raise NotSent
        answer: asyncio.Future[Body] = world.loop.create_future()
        if not world.happens(world.mix.lost_request):
            world.spawn(self._serve(terms, answer))
        async with asyncio.timeout(DEADLINE):
            body = await answer
        self._heed(terms.account, body)
        return body

    async def _serve(self, terms: Terms, answer: "asyncio.Future[Body]") -> None:
        """Be Keepa for one call: gate, charge somewhere on the way, answer at the end."""
        world, keepa = self.world, self.world.keepas[terms.account]
        await asyncio.sleep(world.hop())
        arrived, takes = world.loop.time(), world.rng.choice((0.004, 0.5, 4.0, 12.0))
        if not keepa.open(arrived):
            world.seen["429"] += 1
            body = keepa.body(arrived, arrived, 0, status=429)
        else:
            cost, lost = self._price(terms)
            first = world.rng.random()
            await asyncio.sleep(takes * first)
            keepa.charge(world.loop.time(), cost, terms.id, lost=lost)
            await asyncio.sleep(takes * (1 - first))
            body = keepa.body(arrived, world.loop.time(), cost)
        await asyncio.sleep(min(world.hop(), 1.0))
        if not world.happens(world.mix.lost_answer) and not answer.done():
            answer.set_result(body)

    def _price(self, terms: Terms) -> tuple[int, int]:
        """Return what a call costs, and how much of it is above its bound."""
        world, bound = self.world, terms.tokens
        if world.happens(world.mix.overrun):
            over = world.rng.choice((1, bound, 3 * bound))
            return bound + over, over
        return world.rng.choice((bound, bound, bound // 2, 0, world.rng.randint(0, bound))), 0

    def _heed(self, account: str, body: Body) -> None:
        """After a 429 nobody sends before the tick that brings the balance above zero."""
        if body.status == 429:
            ticks = -(-(1 - body.left) // max(1, body.rate - int(body.reduction)))
            wait = body.refill_in / 1000 + (ticks - 1) * 60.25 + 0.3
            until = self.world.loop.time() + wait
            self.paused_until[account] = max(self.paused_until[account], until)

    async def commit(self, reservation: UUID, attempt: Attempt) -> None:
        """Tell budget, again and again if need be; some tell it twice, or tell another cost."""
        world = self.world
        command = self._commit(reservation, attempt)
        told = await self.persist(command.request_id, lambda r: r.budget.commit(command))
        if told is None:
            return
        if isinstance(told, Refusal):
            world.blame("INV-4", f"the commit of {reservation} was refused: {told.reason}")
        attempt.settled = True
        if world.happens(world.mix.repeat):
            world.seen["commit repeated"] += 1
            await self.persist(command.request_id, lambda r: r.budget.commit(command))
            other = self._commit(reservation, attempt, "again")
            await self.persist(other.request_id, lambda r: r.budget.commit(other))
        if world.happens(world.mix.abuse):
            await self._contradict(reservation, attempt)

    async def _contradict(self, reservation: UUID, attempt: Attempt) -> None:
        world = self.world
        other = Commit(
            request_id=uuid5(reservation, "other"),
            reservation=reservation,
            tokens=attempt.cost + 1,
        )
        told = await self.persist(other.request_id, lambda r: r.budget.commit(other))
        if isinstance(told, Told):
            world.blame("INV-2", f"{reservation} was committed with two costs")
        release = await self.release(reservation, Reason.NOT_SENT)
        if isinstance(release, Told) and not world.mix.liar:
            world.blame("INV-5", f"{reservation} was released after its commit")

    def _commit(self, reservation: UUID, attempt: Attempt, name: str = "commit") -> Commit:
        body = attempt.body
        seen = None
        if (
            body is not None
            and uuid5(reservation, "bare").int % 100 >= 100 * self.world.mix.bare_answer
        ):
            seen = observation(body)
            if uuid5(reservation, "zero").int % 100 < 100 * self.world.mix.wrong_key:
                seen = zeros(body)
                self.world.seen["all-zero body"] += 1
        return Commit(
            request_id=uuid5(reservation, name),
            reservation=reservation,
            tokens=attempt.cost,
            observation=seen,
            after_sequence=attempt.read,
        )

    async def release(self, reservation: UUID, reason: Reason) -> Told | Refusal | None:
        """Give back, or end an envelope."""
        command = Release(
            request_id=uuid5(reservation, f"release {reason.value}"),
            reservation=reservation,
            reason=reason,
        )
        return await self.persist(command.request_id, lambda r: r.budget.release(command))

    async def give_back(self, reservation: UUID, attempt: Attempt) -> None:
        """Release what certainly never left, or replace by nothing what a balance made of it."""
        told = await self.release(reservation, Reason.NOT_SENT)
        if isinstance(told, Refusal) and told.facts.get("state") == Stage.SETTLED:
            self.world.seen["settled, then proven unsent"] += 1
            nothing = self._commit(reservation, attempt, "nothing")
            told = await self.persist(nothing.request_id, lambda r: r.budget.commit(nothing))
        attempt.settled = told is not None

    async def look(self, account: str) -> None:
        """Ask ``/token`` and report it; the sequence is read before the asking."""
        world = self.world
        told = await self.persist(UUID(int=0), lambda r: r.readings.account(account), tries=2)
        if not isinstance(told, Told):
            return
        keepa, asked = world.keepas[account], world.loop.time()
        await asyncio.sleep(world.hop())
        body = keepa.body(world.loop.time(), world.loop.time(), 0)
        await self._report(account, self._bent(account, body), told.state.sequence)
        self._told_at[account] = asked
        if not world.calm and world.happens(world.mix.old_reports):
            self.late += 1
            world.spawn(self._later(account, body, told.state.sequence))

    def _bent(self, account: str, body: Body) -> Observation:
        """The statement of a body, unless Keepa lies this time or the key is wrong."""
        world = self.world
        if world.happens(world.mix.wrong_key):
            world.seen["all-zero body"] += 1
            return zeros(body)
        calm = account not in self._lied
        self._lied.discard(account)  # Twice in a row it would be believed.
        known = bool(world.database.ledgers[account])  # The first balance ever is believed.
        if calm and known and not world.mix.gift and world.happens(world.mix.lie):
            world.seen["Keepa lied"] += 1
            self._lied.add(account)
            return observation(body, left=body.left + world.rng.choice((-30, 200, 1000)))
        return observation(body)

    async def _later(self, account: str, body: Body, read: int) -> None:
        await asyncio.sleep(self.world.rng.uniform(0.1, 120))
        self.world.seen["report delivered late"] += 1
        await self._report(account, observation(body), read)
        self.late -= 1

    async def _report(self, account: str, seen: Observation, read: int) -> None:
        key = UUID(int=self.world.rng.getrandbits(128) | 1)
        command = Report(request_id=key, observation=seen, after_sequence=read)
        told = await self.persist(key, lambda r: r.budget.report(account, command))
        if isinstance(told, Told) and told.answer is False:
            self.world.seen["older or senseless report"] += 1

    async def watch_balance(self, account: str) -> None:
        """Ask ``/token`` at start, after silence, and when something unknown is old enough."""
        world = self.world
        await asyncio.sleep(world.rng.uniform(0, 5))
        while True:
            await self._clear_up(account)
            quiet = world.loop.time() - self._told_at[account]
            if quiet > (20 if world.calm else 240 if world.mix.silent else 50):
                await self.look(account)
            await asyncio.sleep(5)

    async def _clear_up(self, account: str) -> None:
        """With an old unknown cost, stop sending, let what is out end, and ask once."""
        world = self.world
        state = world.peek(account)
        if not state.unsettled:
            self._unknown_since.pop(account, None)
            return
        since = self._unknown_since.setdefault(account, world.loop.time())
        if world.loop.time() - since < TWO_TICKS / 4 or any(map(self._is_out, state.live.values())):
            return
        self.quiet.add(account)
        try:
            await self._until_quiet(account)
            await self.look(account)
            world.seen["pause to settle"] += 1
        finally:
            self.quiet.discard(account)

    def _is_out(self, held: Reservation) -> bool:
        attempt = self.attempts.get(held.id)
        return attempt is not None and attempt.state == "sent" and not self.world.calm

    async def _until_quiet(self, account: str) -> None:
        """Wait until no call of ours is held any more, a little longer than one may take."""
        for _ in range(15):
            if not self.world.peek(account).held_calls:
                return
            await asyncio.sleep(2)

    async def reconcile(self) -> None:
        """Commit what is known, give up what is lost, release what was never sent."""
        world = self.world
        while True:
            busy = world.mix.reconcile
            await asyncio.sleep(6 if world.calm else world.rng.uniform(busy / 2, busy))
            for key, attempt in list(self.attempts.items()):
                old = world.loop.time() - attempt.sent_at > DEADLINE + 5
                if attempt.state == "sent" and old and attempt.gateway < self.incarnation:
                    attempt.state = "unknown"
                if attempt.state == "ended" and not attempt.settled and old:
                    world.seen["reconciler committed"] += 1
                    await self.commit(key, attempt)
                if attempt.state == "unsent" and not attempt.settled and old:
                    await self.give_back(key, attempt)
            for account in world.keepas:
                await self._release_unsent(account)

    async def _release_unsent(self, account: str) -> None:
        world = self.world
        for held in list(world.peek(account).live.values()):
            age = (world.now() - held.created_at).total_seconds()
            if held.terms.kind is not Kind.CALL or age < UNSENT_AFTER:
                continue
            attempt = self.attempts.setdefault(held.id, Attempt("fenced", account))
            if attempt.state == "fenced" and held.stage in (Stage.HELD, Stage.UNKNOWN):
                world.seen["released with proof"] += 1
                await self.release(held.id, Reason.NOT_SENT)


def observation(body: Body, *, left: int | None = None) -> Observation:
    """Read a body as the gateway does."""
    return Observation(
        arrived_ms=body.timestamp,
        processing_ms=body.processing,
        tokens=body.left if left is None else left,
        refill_in_ms=body.refill_in,
        refill_rate=body.rate,
        flow_reduction_milli=round(body.reduction * MILLI),
    )


def zeros(body: Body) -> Observation:
    """The body of a key that Keepa does not know."""
    return Observation(
        arrived_ms=body.timestamp, processing_ms=0, tokens=0, refill_in_ms=0, refill_rate=0
    )


def wait_seconds(wait: timedelta | None) -> float:
    """How long a refusal says to wait, in seconds."""
    return 0.0 if wait is None else wait.total_seconds()


def bucket(world: World, account: str) -> Keepa:
    """The account's bucket, up to now."""
    keepa = world.keepas[account]
    keepa.advance(world.loop.time())
    return keepa
