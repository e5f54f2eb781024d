"""One seed from its first second to its verdict."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

from services.budget.domain.entries import Entry
from services.budget.domain.evolve import forget, replay
from services.budget.domain.state import State
from services.budget.storage import snapshots
from services.budget.usecases import readings, writer
from services.chassis.errors import Refusal
from tests.simulation.auditor import Auditor, agree
from tests.simulation.callers import Caller, Stranger
from tests.simulation.gateway import Gateways
from tests.simulation.loop import Deadlock, VirtualLoop
from tests.simulation.store import Dead
from tests.simulation.stretches import Stretches
from tests.simulation.swarm import Mix, draw
from tests.simulation.world import MISSED_LIMIT, STRETCH, World

REST = 330.0  # The longest hold, two ticks, and a look.
SNAPSHOT_EVERY = 25


@dataclass(frozen=True)
class Outcome:
    """What a seed came to.

    Attributes:
        trace: Digest of everything that happened; empty unless asked for.
        story: The ledgers and Keepa's truth in order; empty unless asked for.
        entries: Of all ledgers.
    """

    seed: int
    violations: list[str]
    seen: Counter[str]
    entries: int
    seconds: float
    trace: str
    story: list[str]


@contextmanager
def replaced(place: Any, name: str, value: object) -> Iterator[None]:
    """Put something else in the place of a part for a while; the part must be there."""
    before = place[name] if isinstance(place, dict) else getattr(place, name)
    put = (
        place.__setitem__ if isinstance(place, dict) else lambda key, new: setattr(place, key, new)
    )
    put(name, value)
    try:
        yield
    finally:
        put(name, before)


def run(seed: int, *, traced: bool = False, mix: Mix | None = None) -> Outcome:
    """Run one seed; the same seed is the same run, to the last byte."""
    loop = VirtualLoop()
    world = World(seed, mix or draw(seed), loop)
    try:
        with (
            replaced(writer, "PULSE_SECONDS", world.mix.pulse),
            replaced(writer, "SNAPSHOT_EVERY", SNAPSHOT_EVERY),
            replaced(readings, "MISSED_LIMIT", MISSED_LIMIT),
            replaced(writer, "notice", lambda *_: None),
        ):
            loop.run_until_complete(_live(world))
    except Deadlock:
        world.blame("L9", "everybody waits for somebody")
    except (AssertionError, IndexError) as broken:  # The latter where entries are gone.
        world.blame("INV-6", f"the ledger cannot be replayed: {broken!r}")
    finally:
        faults = list(loop.faults)
        _put_away(loop)
    for fault in faults:
        world.blame("BUG", fault)
    entries = sum(map(len, world.database.ledgers.values()))
    trace, story = (_digest(world), _story(world)) if traced else ("", [])
    return Outcome(seed, world.violations, world.seen, entries, loop.time(), trace, story)


def _put_away(loop: VirtualLoop) -> None:
    """End whatever is left, also after a run that broke in the middle."""

    async def end() -> None:
        left = asyncio.all_tasks() - {asyncio.current_task()}
        for task in left:
            task.cancel()
        await asyncio.wait(left, timeout=REST)

    for _ in range(2):
        if asyncio.all_tasks(loop):
            with suppress(Deadlock):
                loop.run_until_complete(end())
    loop.run_until_complete(loop.shutdown_asyncgens())
    loop.close()


async def _live(world: World) -> None:
    gateways = Gateways(world)
    world.start()
    for account in world.keepas:
        world.spawn(gateways.watch_balance(account))
        world.spawn(Stranger(world, account).live())
    world.spawn(gateways.reconcile())
    for number in range(world.mix.callers):
        world.spawn(Caller(world, gateways, number).live())
    await _faults(world, gateways)
    world.calm = True
    await _rest(world, gateways)
    await _verify(world)
    await _end(world)
    for account in world.keepas:
        Auditor(world, gateways, account).audit()
        Stretches(world, account).check()
    agree(world)
    world.seen["restart from a snapshot"] += world.database.restarts
    world.seen["stored by one statement"] += world.database.shortcuts


async def _faults(world: World, gateways: Gateways) -> None:
    """Let gateways crash now and then, while everything else goes wrong by itself."""
    until = world.loop.time() + world.mix.busy
    while world.loop.time() < until:
        await asyncio.sleep(world.rng.uniform(10, 60))
        if world.happens(world.mix.death):
            gateways.crash()


async def _rest(world: World, gateways: Gateways) -> None:
    """Wait until everything has ended, late reports too, and then look; or wait long enough."""
    until = world.loop.time() + REST + max(0.0, -world.steps)
    ended = False
    while not ended and world.loop.time() < until:
        await asyncio.sleep(10)
        ended = await _ended(world, gateways)
    await asyncio.sleep(REST / 16)
    for account in world.keepas:
        await gateways.look(account)
        await gateways.look(account)


async def _ended(world: World, gateways: Gateways) -> bool:
    """Whether nothing is held, waited for, uncovered or on its way."""
    if (
        gateways.late
        or gateways.flows
        or any(
            attempt.state == "sent"
            or (attempt.state in ("unsent", "ended") and not attempt.settled)
            for attempt in gateways.attempts.values()
        )
    ):
        return False
    for account in world.keepas:
        try:
            state = (await world.replicas[0].readings.account(account)).state
        except (Refusal, Dead):
            return False
        if state.live or state.waiting or state.uncovered:
            return False
    return True


async def _verify(world: World) -> None:
    """INV-6: every replica's state, and the kept one with its tail, equal a full replay."""
    for account, stored in world.database.ledgers.items():
        for replica in list(world.replicas.values()):
            seen = (await replica.readings.account(account)).state
            if forget(seen) != _retold(world, account, seen.sequence):
                world.blame("INV-6", f"{account}: a replica's state differs from the replay")
        await _check(world, account)
        if account in world.database.kept:
            kept = snapshots.decode(world.database.kept[account], world.rules)
            entries = [each.entry for each in stored]
            state = forget(replay(kept, entries[kept.sequence :]))
            if state != _retold(world, account, state.sequence):
                world.blame("INV-6", f"{account}: the snapshot and its tail differ")


async def _check(world: World, account: str) -> None:
    """Verify in full, a stretch with each call, and once more from the newest checkpoint."""
    replicas = list(world.replicas.values())
    found = await replicas[0].readings.verify(account, full=True, seconds=0)
    while found.onward is not None:
        turn = replicas[found.reached // STRETCH % len(replicas)]
        found = await turn.readings.verify(account, full=True, place=found.onward, seconds=0)
    again = await replicas[-1].readings.verify(account)
    for violation in found.violations:
        if world.mix.clock_step == 0 or violation.invariant != "INV-3":
            world.blame(violation.invariant, f"VerifyLedger: {violation.description}")
    if again.origin < again.newest - STRETCH or again.origin + again.entries != again.newest:
        world.blame("INV-6", f"{account}: {again.entries} entries replayed from {again.origin}")
    if (again.consistent, again.spent) != (found.consistent, found.spent):
        world.blame("INV-6", f"{account}: a verification from a checkpoint differs from a full one")


def _retold(world: World, account: str, until: int) -> State:
    entries = [each.entry for each in world.database.ledgers[account][:until]]
    return forget(replay(State(account=account, rules=world.rules), entries))


async def _end(world: World) -> None:
    for task in list(world.tasks):
        task.cancel()
    await asyncio.gather(*list(world.tasks), return_exceptions=True)
    for replica in world.replicas.values():
        await replica.desk.close()


def _digest(world: World) -> str:
    digest = blake2b(digest_size=12)
    for stored in world.database.ledgers.values():
        for each in stored:
            digest.update(repr(each).encode())
    for keepa in world.keepas.values():
        digest.update(repr(keepa.lines).encode())
    digest.update(repr(world.answers).encode())
    digest.update(repr(sorted(world.seen.items())).encode())
    return digest.hexdigest()


def _story(world: World) -> list[str]:
    told: list[tuple[float, str]] = []
    for account, stored in world.database.ledgers.items():
        told += [(each.at, f"{account} {_entry(each.entry)}") for each in stored]
        lines = world.keepas[account].lines
        told += [(line.at, f"{account}       Keepa: {line}") for line in lines]
    return [f"{at:9.3f} {what}" for at, what in sorted(told, key=lambda each: each[0])]


def _entry(entry: Entry) -> str:
    fact, about = entry.fact, entry.about
    name, key = type(fact).__name__, str(about.reservation or "")[:8]
    return f"{entry.sequence:>5} {entry.at:%X} {name} {key} available={entry.available} {fact}"
