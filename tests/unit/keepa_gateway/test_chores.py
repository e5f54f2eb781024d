"""Chores: what one cannot do keeps the others from nothing."""

from typing import Any

import pytest

from services.keepa_gateway.usecases.chores import Chores

pytestmark = pytest.mark.anyio


async def test_a_purge_that_fails_keeps_no_other_back() -> None:
    """A table that cannot be read would have let two others grow for ever."""
    done: list[str] = []
    turn: Any = None  # Whose turn it is, is asked by the loop around.

    async def fail() -> None:
        raise OSError("the database is away")

    async def work() -> None:
        done.append("worked")

    await Chores(turn, [fail, work]).once()

    assert done == ["worked"]
