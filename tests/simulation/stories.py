"""Stories of one writer on a virtual loop: they begin with a known balance and end with a stop."""

from collections.abc import Callable, Coroutine
from contextlib import closing
from datetime import UTC, datetime
from typing import Any, Protocol, TypeVar
from uuid import UUID

from services.budget.domain.balance import EPOCH, MILLISECOND, Observation
from services.budget.domain.commands import Report
from services.budget.usecases.writer import Writer
from tests.simulation.loop import VirtualLoop

BEGIN = datetime(2026, 11, 20, 12, tzinfo=UTC)
TOKENS = 1_200


class Account(Protocol):
    """What a story is about."""

    writer: Writer

    async def open(self) -> None:
        """Learn the balance."""
        ...


Told = TypeVar("Told", bound=Account)


def told(
    loop: VirtualLoop,
    account: Callable[[], Told],
    story: Callable[[Told], Coroutine[Any, Any, None]],
) -> None:
    """Run a story on one account, whose balance is known."""

    async def begin() -> None:
        one = account()
        await one.open()
        await story(one)
        await one.writer.close()

    with closing(loop):
        loop.run_until_complete(begin())
    assert loop.faults == []


async def report(writer: Writer) -> None:
    """Tell a writer of 1,200 tokens, a minute before the next tick."""
    seen = Observation(
        arrived_ms=(BEGIN - EPOCH) // MILLISECOND,
        tokens=TOKENS,
        refill_in_ms=60_000,
        refill_rate=20,
    )
    await writer.ask(Report(request_id=UUID(int=9), observation=seen))
