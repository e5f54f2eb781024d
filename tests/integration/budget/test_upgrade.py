"""A ledger that an older version filled, brought to the tables of today."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import msgspec
import pytest
from alembic import command

from services.budget.domain.commands import Command, Commit, Report, Reserve
from services.budget.domain.decide import decide
from services.budget.domain.draft import Decision
from services.budget.domain.entries import Entry
from services.budget.domain.evolve import forget, replay
from services.budget.domain.reservation import Tags, Terms
from services.budget.domain.rules import STANDARD, Kind, Priority
from services.budget.domain.state import State
from services.budget.storage import rows
from services.chassis import migrate, sql
from tests.integration.budget.support import replica, stated

pytestmark = pytest.mark.anyio

BEFORE = "0006"  # Facts were jsonb, and told of a request what its columns said already.
INSERT = """
insert into budget.ledger (account, sequence, kind, at, tokens, available, reservation, parent,
    caller, action, endpoint, job, request_id, content, fact)
values ('default', $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
"""


async def test_a_ledger_of_before_is_read_as_it_was_and_goes_on(
    fresh_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An upgrade that lost a part of one fact would change what a replay says of all tokens."""
    entries = list(_history())
    upgrade = command.upgrade
    connection = await asyncpg.connect(sql.plain_url(fresh_database))
    await connection.execute("drop schema budget cascade")
    with monkeypatch.context() as patched:
        patched.setattr(command, "upgrade", lambda config, _: upgrade(config, BEFORE))
        await migrate.migrate(fresh_database, ["budget"])
    await connection.executemany(INSERT, [_row_of_before(each) for each in entries])
    await connection.close()

    await migrate.migrate(fresh_database, ["budget"])

    async with replica(sql.role_url(fresh_database, "budget")) as one:
        assert await one.ledger.page("default", 0, 100) == entries
        before = forget(replay(State(account="default", rules=STANDARD), entries))
        assert await one.ledger.load("default", STANDARD) == before
        held = await one.reserve(2)
        assert (await one.ledger.tell([held.id]))[0] == held
        assert (await one.look()).state.sequence == held.sequence == len(entries) + 1


def _history() -> Iterator[Entry]:
    """Decide a grant, an envelope with a draw, a wait and a late cost."""
    now = datetime.now(UTC)
    tags = Tags(caller='a "caller"', action="manual_search", endpoint="/product", job=uuid4())
    envelope = Terms(id=uuid4(), tokens=60, kind=Kind.ENVELOPE, priority=Priority.JOB, tags=tags)
    draw = Terms(id=uuid4(), tokens=7, parent=envelope.id, hold=timedelta(seconds=61.5), tags=tags)
    late = Terms(id=uuid4(), tokens=300, gate=310, priority=Priority.BACKGROUND, tags=tags)
    asked: Sequence[Command] = (
        Report(request_id=uuid4(), observation=stated(200), after_sequence=0),
        Reserve(terms=Terms(id=uuid4(), tokens=1)),
        Reserve(terms=envelope),
        Reserve(terms=draw),
        Reserve(terms=late, max_wait=timedelta(minutes=20)),
        Commit(request_id=uuid4(), reservation=draw.id, tokens=9, observation=stated(191)),
    )
    state = State(account="default", rules=STANDARD)
    for each in asked:
        decision = decide(state, each, now)
        assert isinstance(decision, Decision)
        yield from decision.entries
        state = decision.state


def _row_of_before(entry: Entry) -> tuple[Any, ...]:
    about, tags = entry.about, entry.about.tags
    keys: tuple[UUID | None, ...] = (about.reservation, about.parent)
    return (
        *(entry.sequence, rows.NAMES[type(entry.fact)], entry.at),
        *(entry.fact.tokens, entry.available, *keys),
        *(tags.caller, tags.action, tags.endpoint, tags.job),
        *(entry.request_id, entry.content, msgspec.json.encode(entry.fact).decode()),
    )
