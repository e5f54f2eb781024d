"""When a writer rings: whoever waits hears at once, everybody else within a moment."""

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

from services.budget.domain.commands import Commit, Reserve
from services.budget.domain.reservation import Terms
from services.budget.domain.rules import STANDARD
from services.budget.usecases.writer import RING_SECONDS, Writer
from tests.simulation.loop import VirtualLoop
from tests.simulation.store import Connection, Database, Weather
from tests.simulation.stories import BEGIN, report, told


class Bells(Database):
    """Notes when it rang, on the loop's clock."""

    def __init__(self, loop: VirtualLoop) -> None:
        super().__init__(lambda: BEGIN + timedelta(seconds=loop.time()))
        self.rang: list[float] = []
        self._loop = loop
        self.ledgers["default"] = []

    def ring(self) -> None:
        """Note it, and tell everybody."""
        self.rang.append(self._loop.time())
        super().ring()


class Slow(Weather):
    """A database that takes its time."""

    seconds = 0.0

    async def statement(self) -> None:
        """Let it pass."""
        await asyncio.sleep(self.seconds)


class Account:
    """A writer that nobody shares its account with, by the loop's clock."""

    def __init__(self, loop: VirtualLoop) -> None:
        self.database = Bells(loop)
        self.weather = Slow()
        connection = Connection(self.database, self.weather)
        self.writer = Writer(connection, "default", STANDARD, shortcut=connection, steady=loop.time)

    async def open(self) -> None:
        """Learn the balance by a turn, and let the time pass until nothing is due."""
        await report(self.writer)
        await asyncio.sleep(2 * RING_SECONDS)
        self.database.rang.clear()

    async def hold(self, tokens: int = 1, wait: timedelta = timedelta(0)) -> UUID:
        """Ask for tokens, and return the reservation whether it was granted or waits."""
        reservation = uuid4()
        terms = Terms(id=reservation, tokens=tokens)
        await self.writer.ask(Reserve(terms=terms, max_wait=wait))
        return reservation

    async def commit(self, reservation: UUID) -> None:
        """Book what was held."""
        booked = Commit(request_id=uuid4(), reservation=reservation, tokens=1)
        await self.writer.ask(booked)


def tell(story: Callable[[Account], Coroutine[Any, Any, None]]) -> None:
    """Run a story on one account, whose balance is known."""
    loop = VirtualLoop()
    told(loop, lambda: Account(loop), story)


def test_many_commits_in_a_row_ring_once_at_once_and_once_later() -> None:
    """The last of them is heard, though it did not ring itself."""

    async def story(account: Account) -> None:
        held = [await account.hold() for _ in range(8)]
        began = asyncio.get_running_loop().time()
        for reservation in held:
            await account.commit(reservation)
        assert account.database.shortcuts > len(held)
        await asyncio.sleep(3 * RING_SECONDS)

        first, last = account.database.rang
        assert first - began < RING_SECONDS <= last - first < 2 * RING_SECONDS

    tell(story)


def test_what_comes_after_a_rest_rings_at_once() -> None:
    async def story(account: Account) -> None:
        for _ in range(3):
            await account.commit(await account.hold())
            before = len(account.database.rang)
            assert before
            await asyncio.sleep(2 * RING_SECONDS)
            assert len(account.database.rang) == before

    tell(story)


def test_plain_grants_do_not_ring() -> None:
    async def story(account: Account) -> None:
        for _ in range(3):
            await account.hold()
        await asyncio.sleep(2 * RING_SECONDS)

        assert account.database.rang == []

    tell(story)


def test_whoever_waits_is_rung_for_at_once() -> None:
    """Another replica may hold the wait: it hears of every batch without delay."""

    async def story(account: Account) -> None:
        held = [await account.hold(400) for _ in range(2)]
        await account.hold(600, timedelta(seconds=30))
        before = len(account.database.rang)
        for reservation in held[:1]:
            await account.commit(reservation)

        assert len(account.database.rang) == before + 1

    tell(story)


def test_a_stop_rings_for_what_nobody_has_heard_of() -> None:
    """Events of the last commits need not wait until somebody looks by chance."""

    async def story(account: Account) -> None:
        held = [await account.hold() for _ in range(3)]
        for reservation in held:
            await account.commit(reservation)
        await account.writer.close()

        assert len(account.database.rang) == 2

    tell(story)


def test_a_stop_that_is_cut_off_leaves_nobody_without_an_answer() -> None:
    """Who asked last is still told: its batch is stored when the one before it is."""

    async def story(account: Account) -> None:
        account.weather.seconds = 1.0
        first = asyncio.create_task(account.hold())
        await asyncio.sleep(0.1)
        last = asyncio.create_task(account.hold())
        await asyncio.sleep(0.1)

        with suppress(TimeoutError):
            async with asyncio.timeout(0.1):
                await account.writer.close()
        assert not first.done()

        async with asyncio.timeout(10):
            held = [await first, await last]
        assert set(held) <= set(account.writer.state.live)

    tell(story)
