"""Readers of a live account have a bounded queue, and are told when they fell out of it."""

import pytest

from services.budget.usecases.writer import FOLLOWER_QUEUE, Change, Follower
from services.chassis.errors import Refusal
from tests.unit.budget.support import opened

pytestmark = pytest.mark.anyio


async def test_a_slow_reader_is_ended_after_what_it_has_not_missed() -> None:
    """Bounded memory, and no silent gap: the reader knows where to resume."""
    book = opened(100)
    change = Change(book.entries[0], book.state, book.now)
    follower = Follower()
    for _ in range(FOLLOWER_QUEUE + 5):
        follower.put(change)

    taken = [await follower.take() for _ in range(FOLLOWER_QUEUE)]
    follower.put(change)
    with pytest.raises(Refusal) as ended:
        await follower.take()

    assert taken == [change] * FOLLOWER_QUEUE
    assert ended.value.reason == "SLOW_READER"
    assert ended.value.facts == {"limit": FOLLOWER_QUEUE}
