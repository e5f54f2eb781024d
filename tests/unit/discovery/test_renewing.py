"""Renewals in the background."""

import asyncio
from contextlib import nullcontext

import pytest

from services.discovery.usecases.renewing import MOST_AT_ONCE, Renewals

pytestmark = pytest.mark.anyio


async def test_a_flood_of_old_answers_begins_no_more_renewals_than_allowed() -> None:
    """Each is a search that may be paid for, and no caller waits for it."""
    renewals, let_go = Renewals(nullcontext), asyncio.Event()
    begun: list[str] = []

    async def renew(key: str) -> None:
        begun.append(key)
        await let_go.wait()

    for number in range(2 * MOST_AT_ONCE):
        renewals.begin(str(number), lambda key=str(number): renew(key))
    let_go.set()
    await renewals.finish()
    renewals.begin("next", lambda: renew("next"))
    await renewals.finish()

    assert len(begun) == MOST_AT_ONCE + 1
    assert begun[-1] == "next"
