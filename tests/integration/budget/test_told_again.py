"""What the relay reads of a ledger a second time is what it read the first time."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

import asyncpg
import pytest
from arbitragevault.budget.v1 import budget_pb2 as pb
from arbitragevault.budget.v1 import events_pb2 as events

from services.budget.api import responses
from services.budget.domain.commands import Sweep
from services.budget.domain.state import State
from services.budget.events.announce import Announcer, Words
from services.budget.storage.relaying import LedgerSource
from services.chassis import sql
from services.chassis.events.publisher import Outgoing
from tests.integration.budget.support import Replica, replica

pytestmark = pytest.mark.anyio
ENDED = events.ReservationEnded.DESCRIPTOR.full_name
LOW = events.BalanceLow.DESCRIPTOR.full_name


async def read(one: Replica, url: str) -> list[Outgoing]:
    """Read events as a relay does that dies before it marks them."""

    async def look(account: str) -> tuple[State, datetime]:
        told = await one.look(account)
        return told.state, told.now

    words = Words(responses.account, responses.reservation, responses.warning)
    source = LedgerSource(one.ledger, Announcer(words), look)
    engine = sql.create_engine(url, application="test")
    async with engine.connect() as connection:
        found: Sequence[Outgoing] = await source.pending(connection, 100)
        await connection.rollback()
    await engine.dispose()
    return list(found)


async def ends(one: Replica, url: str) -> list[Outgoing]:
    """Read those of them that tell the ends of reservations."""
    return [event for event in await read(one, url) if event.message_name == ENDED]


async def test_an_end_that_is_told_again_is_the_same_event(
    fresh_service_database: Callable[[str], str],
) -> None:
    """INV-9: readers drop a copy by its id; a late commit is a fact of its own and changes none."""
    url = fresh_service_database("budget")
    async with replica(url) as one:
        await one.report(500)
        held = await one.reserve(10, hold=timedelta(milliseconds=1))
        while not (first := await ends(one, url)):
            await one.desk.at("default", Sweep())
        await one.commit(held, 6)

        told = await ends(one, url)
        again = await ends(one, url)

    assert told == again
    assert told[:1] == first
    assert len({event.event_id for event in told}) == len(told) == 2
    states = [events.ReservationEnded.FromString(event.payload).reservation for event in told]
    assert {each.name for each in states} == {f"reservations/{held.id}"}
    assert [each.state for each in states] == [
        pb.RESERVATION_STATE_UNKNOWN,
        pb.RESERVATION_STATE_COMMITTED,
    ]


async def test_an_account_that_cannot_be_read_holds_up_no_events_of_another(
    fresh_service_database: Callable[[str], str], fresh_database: str
) -> None:
    """INV-9: one key's ledger is damaged; who listens for the others must hear of them."""
    url = fresh_service_database("budget")
    async with replica(url) as one:
        for account in ("damaged", "sound"):
            await one.report(5, account)
    connection = await asyncpg.connect(sql.plain_url(fresh_database))
    await connection.execute("update budget.ledger set fact = '{}' where account = 'damaged'")
    await connection.close()

    async with replica(url) as other:
        told = await read(other, url)

    low = [events.BalanceLow.FromString(each.payload) for each in told if each.message_name == LOW]
    assert [each.account for each in low] == ["accounts/sound"] * 2


async def test_what_is_written_in_the_place_of_a_lost_entry_is_another_event(
    fresh_service_database: Callable[[str], str], fresh_database: str
) -> None:
    """INV-9: after a restore a reader must not take the new fact for a copy of the lost one."""
    url = fresh_service_database("budget")
    async with replica(url) as one:
        await one.report(500)
        held = await one.reserve(10)
        before = (await one.look("default")).state.sequence
        await one.commit(held, 6)
        [lost] = await ends(one, url)
    connection = await asyncpg.connect(sql.plain_url(fresh_database))
    await connection.execute("delete from budget.ledger where sequence > $1", before)
    await connection.close()

    async with replica(url) as restored:
        await restored.commit(held, 7)
        [told] = await ends(restored, url)

    assert told.event_id != lost.event_id
    state = events.ReservationEnded.FromString(told.payload).reservation
    assert state.committed_token_count == 7
