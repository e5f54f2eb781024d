"""Who joins a batch: the turns of the event loop are counted, and time passes only when told to."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any
from uuid import uuid4

from services.budget.domain.commands import Reserve
from services.budget.domain.reservation import Terms
from services.budget.domain.rules import STANDARD
from services.budget.usecases.writer import (
    BATCH,
    LEAST_TURNS,
    LONGEST_JOINING_SECONDS,
    MANY,
    MOST_TURNS,
    Told,
    Writer,
)
from services.chassis.errors import Refusal
from tests.simulation.loop import VirtualLoop
from tests.simulation.store import Connection, Database, Weather
from tests.simulation.stories import BEGIN, report, told

AROUND = 2  # Turns around the joining: one to begin with it, one to begin to store.

Answer = asyncio.Future[list[Told | Refusal]]


class CountedLoop(VirtualLoop):
    """Counts its turns: each looks once for what happens outside."""

    def __init__(self) -> None:
        super().__init__()
        self.turns = 0

    def select(self, timeout: float | None) -> Any:
        """Begin a turn."""
        self.turns += 1
        return super().select(timeout)


class Account(Weather):
    """A writer over 1,200 tokens, with what it stores and when.

    Attributes:
        steady: The writer's clock, which stands until somebody moves it.
        batches: The entries of each batch that was stored.
    """

    def __init__(self, loop: CountedLoop) -> None:
        self.steady = 0.0
        self.batches: list[int] = []
        self._loop = loop
        self._stored_in = 0
        self._database = Database(lambda: BEGIN)
        self._database.ledgers["default"] = []
        connection = Connection(self._database, self)
        self.writer = Writer(connection, "default", STANDARD, steady=lambda: self.steady)

    def after(self) -> None:
        """Note a batch that was stored just now."""
        stored = len(self._database.ledgers["default"])
        self.batches.append(stored - sum(self.batches))
        self._stored_in = self._loop.turns

    async def open(self) -> None:
        """Learn the balance, in a batch of its own."""
        await report(self.writer)

    def reserve(self, times: int = 1) -> Answer:
        """Ask for a token, so many times in one call."""
        return self.writer.post([Reserve(terms=Terms(id=uuid4(), tokens=1)) for _ in range(times)])

    async def crowd(self, callers: int) -> None:
        """Let so many ask at once, and be told."""
        await asyncio.gather(*(self.reserve() for _ in range(callers)))
        assert self.batches[-1] == callers

    async def alone(self, times: int = 1) -> int:
        """Ask alone, and return how many turns passed until it was stored."""
        before = self._loop.turns
        await self.reserve(times)
        assert self.batches[-1] == times
        return self._stored_in - before

    async def flooded(self, seconds: float) -> int:
        """Let one more ask in each turn, which takes so long; return the size of the first batch."""
        first, others = self.reserve(), []
        while not first.done():
            others.append(self.reserve())
            self.steady += seconds
            await asyncio.sleep(0)
        await asyncio.gather(*others)
        return self.batches[1]


def tell(story: Callable[[Account], Coroutine[Any, Any, None]]) -> None:
    """Run a story on one account, whose balance is known."""
    loop = CountedLoop()
    told(loop, lambda: Account(loop), story)


def test_callers_who_come_turn_after_turn_share_one_batch() -> None:
    """What a batch costs is paid once for all of them."""

    async def story(account: Account) -> None:
        answers = []
        for _ in range(12):
            answers.append(account.reserve())
            await asyncio.sleep(0)
        await asyncio.gather(*answers)

        assert account.batches[1:] == [12]

    tell(story)


def test_after_a_crowd_a_batch_waits_for_those_who_are_still_on_their_way() -> None:
    """The crowd comes back over several turns, with some between in which nobody arrives."""

    async def story(account: Account) -> None:
        await account.crowd(10)
        first = account.reserve()
        for _ in range(LEAST_TURNS + 5):
            await asyncio.sleep(0)
        await asyncio.gather(first, account.reserve())

        assert account.batches[-1] == 2

    tell(story)


def test_a_caller_who_is_alone_waits_for_the_fewest_turns() -> None:
    """Nobody is on the way, so each further turn would only make the answer late."""

    async def story(account: Account) -> None:
        for _ in range(3):
            assert await account.alone() <= LEAST_TURNS + AROUND

    tell(story)


def test_when_a_crowd_has_gone_only_one_batch_waits_for_it() -> None:
    """And that one not for longer than the limit, however large the crowd was."""

    async def story(account: Account) -> None:
        await account.crowd(5 * MOST_TURNS)

        assert LEAST_TURNS + AROUND < await account.alone() <= MOST_TURNS + AROUND
        assert await account.alone() <= LEAST_TURNS + AROUND

    tell(story)


def test_a_crowd_that_left_before_its_batch_was_taken_is_not_waited_for() -> None:
    """They asked for nothing: nothing is stored for them, and they will not come again."""

    async def story(account: Account) -> None:
        await account.crowd(30)
        answers = [account.reserve() for _ in range(30)]
        await asyncio.sleep(0)
        for answer in answers:
            answer.cancel()
        for _ in range(MOST_TURNS + AROUND):
            await asyncio.sleep(0)

        assert account.batches[1:] == [30]
        assert await account.alone() <= LEAST_TURNS + AROUND

    tell(story)


def test_newcomers_without_end_do_not_keep_a_batch_from_being_taken() -> None:
    """Each turn brings somebody, and the clock tells the batch when it has waited enough."""

    async def story(account: Account) -> None:
        assert await account.flooded(LONGEST_JOINING_SECONDS / 10) <= 12

    tell(story)


def test_newcomers_without_end_are_a_full_batch_when_the_clock_stands_still() -> None:
    """No clock is trusted with the growth of a batch: its size ends it as well."""

    async def story(account: Account) -> None:
        assert await account.flooded(0.0) == BATCH

    tell(story)


def test_a_call_of_many_commands_waits_for_nobody() -> None:
    """More of them would not make a batch cheaper, and the database stands idle meanwhile."""

    async def story(account: Account) -> None:
        await account.crowd(10)
        assert await account.alone(MANY - 1) >= 10

        await account.crowd(10)
        assert await account.alone(MANY) <= AROUND

    tell(story)


def test_as_many_callers_of_one_command_wait_for_more_of_their_crowd() -> None:
    async def story(account: Account) -> None:
        await account.crowd(2 * MANY)
        answers = [account.reserve() for _ in range(MANY)]
        for _ in range(LEAST_TURNS + 5):
            await asyncio.sleep(0)
        await asyncio.gather(account.reserve(), *answers)

        assert account.batches[-1] == MANY + 1

    tell(story)


def test_a_writer_that_is_closed_while_callers_join_stores_them_first() -> None:
    """An orderly stop answers everybody who was let in."""

    async def story(account: Account) -> None:
        await account.crowd(10)
        first = account.reserve()
        await asyncio.sleep(0)
        closing = asyncio.create_task(account.writer.close())
        await asyncio.sleep(0)
        second = account.reserve()

        await closing

        assert first.done()
        assert second.done()
        assert account.batches[-1] == 2

    tell(story)
