"""Those who want tokens: people, jobs and schedules, with their deaths, repeats and mistakes."""

import asyncio
from datetime import timedelta
from uuid import UUID, uuid5

from services.budget.domain.commands import Extend, Release
from services.budget.domain.reservation import Reservation, Tags, Terms
from services.budget.domain.rules import Kind, Priority, Reason
from services.budget.domain.values import replace
from services.budget.usecases.writer import Told
from services.chassis.errors import Refusal
from tests.simulation.gateway import Gateways, bucket, wait_seconds
from tests.simulation.store import Dead
from tests.simulation.world import Lost, World


class Caller:
    """One caller, who asks for this and that until the world calms down."""

    def __init__(self, world: World, gateways: Gateways, number: int) -> None:
        self._world = world
        self._gateways = gateways
        self._name = f"caller {number}"

    async def live(self) -> None:
        """Ask again and again; some lives end in the middle of it."""
        world = self._world
        while not world.calm:
            await asyncio.sleep(world.rng.expovariate(1 / world.mix.pace))
            if world.calm:
                return
            job = world.rng.random() < world.mix.jobs
            flow = world.spawn(self._job() if job else self._call())
            self._follow(flow)
            if world.happens(world.mix.death):
                world.seen["caller died"] += 1
                world.loop.call_later(world.rng.expovariate(0.2), flow.cancel)
            if world.happens(world.mix.abuse):
                world.spawn(self._misbehave())

    def _follow(self, flow: asyncio.Task[None]) -> None:
        """Let a crash of the gateway end it, too."""
        flows = self._gateways.flows
        flows[flow] = None
        flow.add_done_callback(lambda done: flows.pop(done, None))

    def _terms(self, most: int, **changes: object) -> Terms:
        world = self._world
        account = world.rng.choice(list(world.keepas))
        priority = world.rng.choice(list(Priority))
        terms = Terms(
            id=UUID(int=world.rng.getrandbits(128) | 1),
            account=account,
            tokens=world.rng.randint(1, max(1, most)),
            priority=priority,
            hold=timedelta(seconds=world.rng.choice((45, 60, 100))),
            tags=Tags(caller=self._name),
        )
        return replace(terms, **changes)

    async def _call(self) -> None:
        """One paid call, perhaps after a wait in the queue."""
        world = self._world
        capacity = 60 * world.mix.rate
        terms = self._terms(world.rng.choice((5, capacity // 20, capacity // 4)))
        patient = world.rng.random() < world.mix.patience
        wait = timedelta(seconds=world.rng.choice((5, 70, 150)) if patient else 0)
        if patient and world.happens(0.7 if world.mix.edge else 0.0):
            wait = self._until_tick(terms.account) or wait
        if world.happens(world.mix.race):
            world.spawn(self._race(terms, wait))
        told = await self._reserve(terms, wait)
        if isinstance(told, Refusal) and told.reason == "INSUFFICIENT_TOKENS":
            waiting = wait_seconds(told.retry_after)
            if waiting < 70 and world.rng.random() < 0.5:
                await asyncio.sleep(waiting)
                told = await self._reserve(terms, timedelta(0))
        await self._use(terms, told)

    def _until_tick(self, account: str) -> timedelta | None:
        """How long until the next certain tick or the one after it, give or take an instant."""
        world, state = self._world, self._world.peek(account)
        if state.anchor is None:
            return None
        now = world.now()
        number = state.anchor.certain_ticks(now, world.rules) + world.rng.choice((1, 1, 2))
        aside = timedelta(milliseconds=world.rng.choice((-1, 0, 0, 1, 5)))
        world.seen["wait that ends at a tick"] += 1
        return max(timedelta(0), state.anchor.tick_at(number, world.rules) - now + aside)

    async def _renew(self, held: Reservation) -> None:
        """Ask for more time in the very moment in which the hold ends."""
        world = self._world
        assert held.expires_at is not None
        left = (held.expires_at - world.now()).total_seconds()
        await asyncio.sleep(max(0.0, left + world.rng.choice((-0.05, -0.001, 0.0, 0.001))))
        extend = Extend(
            request_id=uuid5(held.id, "renew"), reservation=held.id, hold=timedelta(seconds=45)
        )
        told = await self._gateways.persist(extend.request_id, lambda r: r.budget.extend(extend))
        world.seen["renewed as it expired" if isinstance(told, Told) else "renewed too late"] += 1

    async def _use(self, terms: Terms, told: Told | Refusal | None) -> None:
        if isinstance(told, Told) and isinstance(told.answer, Reservation):
            if told.answer.expires_at and self._world.happens(0.5 if self._world.mix.edge else 0.0):
                self._world.spawn(self._renew(told.answer))
            if self._world.happens(self._world.mix.repeat):
                self._world.seen["reservation repeated"] += 1
                await self._reserve(terms, timedelta(0))
            await self._gateways.pay(replace(terms, account=told.state.account), told.answer)

    async def _reserve(self, terms: Terms, wait: timedelta) -> Told | Refusal | None:
        told = await self._gateways.persist(terms.id, lambda r: r.budget.reserve(terms, wait))
        if isinstance(told, Refusal):
            self._check_refusal(terms, told)
        return told

    def _check_refusal(self, terms: Terms, refusal: Refusal) -> None:
        """Numbers that add up; what never fits is refused for good and at once."""
        facts = refusal.facts
        if "deficit" in facts:
            lacks = int(facts["required"]) - int(facts["balance"])
            if refusal.reason == "INSUFFICIENT_TOKENS" and not lacks == facts["deficit"] >= 1:
                self._world.blame("T4", f"the numbers of {refusal!r} do not add up")
        if self._too_large(terms) and refusal.reason in ("INSUFFICIENT_TOKENS", "WAIT_TIMEOUT"):
            self._world.blame("INC-8", f"{terms.tokens} tokens can never be had: {refusal!r}")

    def _too_large(self, terms: Terms) -> bool:
        plain = not self._world.mix.plan and terms.parent is None
        return plain and terms.required > 60 * self._world.mix.rate

    async def _race(self, terms: Terms, wait: timedelta) -> None:
        """The same request by another way, at nearly the same moment."""
        world = self._world
        await asyncio.sleep(world.hop())
        to = world.rng.randrange(world.mix.replicas)
        try:
            told = await world.ask(lambda r: r.budget.reserve(terms, wait), to=to)
        except (Refusal, Lost, Dead):
            return
        world.answers.setdefault(terms.id, []).append((world.loop.time(), told.answer))
        world.seen["replicas raced one id"] += 1

    async def _job(self) -> None:
        """An envelope, several calls on it, and an end that does not wait for all of them."""
        world = self._world
        terms = self._terms(3 * world.mix.rate, kind=Kind.ENVELOPE, priority=Priority.JOB, gate=50)
        terms = replace(terms, hold=timedelta(seconds=world.rng.choice((40, 80, 120))))
        told = await self._reserve(terms, timedelta(seconds=world.rng.choice((0, 60))))
        if not isinstance(told, Told):
            return
        calls = [world.spawn(self._draw(terms)) for _ in range(world.rng.randint(1, 4))]
        for call in calls:
            self._follow(call)
        await asyncio.wait(calls, timeout=world.rng.choice((1, 10, 40)))
        if world.rng.random() < 0.2:
            world.seen["job walked away"] += 1
            return
        if any(not call.done() for call in calls):
            world.seen["envelope ended with calls out"] += 1
        await self._gateways.release(terms.id, Reason.FINISHED)

    async def _draw(self, envelope: Terms) -> None:
        world = self._world
        await asyncio.sleep(world.rng.expovariate(0.3))
        terms = self._terms(max(1, envelope.tokens // 2), parent=envelope.id)
        terms = replace(terms, account="default")  # The envelope's own account counts.
        await self._use(terms, await self._reserve(terms, timedelta(0)))

    async def _misbehave(self) -> None:
        """Ask for what cannot be, in several ways."""
        world, gateways = self._world, self._gateways
        large = self._terms(1, tokens=60 * world.mix.rate + world.rng.randint(0, 50))
        await self._reserve(large, timedelta(seconds=30))
        known = [key for key, got in world.answers.items() if isinstance(got[0][1], Reservation)]
        if not known:
            return
        victim = world.answers[world.rng.choice(known)][0][1]
        assert isinstance(victim, Reservation)
        other = replace(victim.terms, tokens=victim.terms.tokens + 1)
        if victim.terms.parent is None:
            told = await gateways.persist(
                uuid5(other.id, "reuse"), lambda r: r.budget.reserve(other, timedelta(0))
            )
            if isinstance(told, Told):
                world.blame("INV-2", f"{other.id} stands for two contents")
        await self._bend(victim)

    async def _bend(self, victim: Reservation) -> None:
        """Extend what may have ended, and give a call back for the wrong reason."""
        world, gateways = self._world, self._gateways
        extend = Extend(
            request_id=UUID(int=world.rng.getrandbits(128) | 1),
            reservation=victim.id,
            hold=timedelta(seconds=50),
        )
        await gateways.persist(extend.request_id, lambda r: r.budget.extend(extend))
        if victim.terms.kind is Kind.CALL:
            wrong = Release(
                request_id=uuid5(victim.id, "wrong"),
                reservation=victim.id,
                reason=Reason.FINISHED,
            )
            told = await gateways.persist(wrong.request_id, lambda r: r.budget.release(wrong))
            if isinstance(told, Told) and isinstance(told.answer, Reservation):
                world.seen["wrong release of an ended call"] += 1


class Stranger:
    """What happens to an account without asking us."""

    def __init__(self, world: World, account: str) -> None:
        self._world = world
        self._account = account

    async def live(self) -> None:
        """Spend with the same key, change the plan, give, and step the database's clock."""
        world, keepa = self._world, self._world.keepas[self._account]
        world.loop.call_later(world.rng.uniform(20, world.mix.busy - 10), self._once)
        while world.mix.foreign and not world.calm:
            await asyncio.sleep(world.rng.expovariate(1 / world.mix.foreign))
            if not world.calm:
                most = max(3 * world.mix.rate, bucket(world, self._account).tokens)
                keepa.steal(world.loop.time(), world.rng.randint(1, most))

    def _once(self) -> None:
        world, keepa = self._world, self._world.keepas[self._account]
        now, mix = world.loop.time(), world.mix
        if world.calm:
            return
        if mix.plan:
            keepa.change_plan(now, mix.plan)
            world.seen["plan changed"] += 1
        if mix.reduction:
            keepa.reduce(now, mix.reduction)
        if mix.gift:
            keepa.give(now, 3 * mix.rate)
        if mix.clock_step and self._account == "default":
            world.steps += mix.clock_step
            world.seen["clock stepped"] += 1
