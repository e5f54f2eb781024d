"""A loop that is told to end ends, also where a library does not pass the word on."""

import asyncio
from contextlib import suppress
from typing import Any

import pytest

from services.chassis import cancelling
from services.chassis.cancelling import end, heed_cancellation
from services.chassis.loops import Loop, supervise

pytestmark = pytest.mark.anyio


async def test_who_swallows_a_cancellation_is_told_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stop hung for ever: a wait for messages lost the word in the turn of its result."""
    monkeypatch.setattr(cancelling, "_AGAIN_SECONDS", 0.01)
    told = 0

    async def deaf_twice() -> None:
        nonlocal told
        while told < 2:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                told += 1
        await asyncio.sleep(60)

    task = asyncio.create_task(supervise(Loop("deaf", deaf_twice)))
    await asyncio.sleep(0)

    await end(task)

    assert told == 2
    assert task.cancelled()


async def test_a_task_may_tidy_up_after_its_cancellation() -> None:
    """Tokens are given back there."""
    tidied = []

    async def tidy() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(0.05)
            tidied.append(True)

    task = asyncio.create_task(tidy())
    await asyncio.sleep(0)

    await end(task)

    assert tidied == [True]


async def test_ending_brings_no_error_of_the_ended() -> None:
    async def fail() -> None:
        raise ValueError("lost")

    failing = asyncio.create_task(fail())
    ended = asyncio.create_task(asyncio.sleep(0))
    await asyncio.wait([failing])

    await end(failing, ended)

    assert isinstance(failing.exception(), ValueError)


async def test_a_swallowed_cancellation_is_heeded_at_the_next_step() -> None:
    steps: list[Any] = []

    async def work() -> None:
        with suppress(asyncio.CancelledError):
            await asyncio.sleep(60)
        steps.append("swallowed")
        heed_cancellation()
        steps.append("went on")

    task = asyncio.create_task(work())
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])

    assert steps == ["swallowed"]
    assert task.cancelled()


async def test_a_timeout_that_ended_is_no_cancellation() -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(0):
            await asyncio.sleep(60)

    heed_cancellation()
