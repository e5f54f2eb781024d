"""Events: never lost, effective once, whatever dies in between."""

import asyncio
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from arbitragevault.budget.v1 import events_pb2 as events
from sqlalchemy import exc, func, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from deploy.local.nats import Nats
from services.chassis import sql
from services.chassis.events import consumer, inbox, outbox
from services.chassis.events.consumer import Delivery, Poison
from services.chassis.events.outbox import OutboxSource
from services.chassis.events.publisher import Outgoing, Publisher, headers
from services.chassis.events.relay import Relay
from services.chassis.rpc.call import Call, current_call, working_for
from tests.integration.chassis.conftest import Exchange, exchanging
from tests.support import until

pytestmark = pytest.mark.anyio

SUBJECT = "arbitragevault.budget.v1.BalanceLow"
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


async def _has(exchange: Exchange, table: str, number: int) -> None:
    async def holds() -> bool:
        return await exchange.count(table) >= number

    await until(holds)


async def _unsent(exchange: Exchange) -> int:
    table = exchange.tables["outbox"]
    async with exchange.engine.connect() as connection:
        rows = await connection.execute(select(table.c.id).where(table.c.sent_at.is_(None)))
        return len(rows.all())


async def test_events_arrive_in_order_and_once(exchange: Exchange) -> None:
    """A job's steps are read in the order in which they became true (INV-9)."""
    await exchange.publish_to()
    exchange.start(exchange.relay().run)
    exchange.start(exchange.consumer().run)

    for start in range(0, 300, 50):
        await exchange.put(*range(start, start + 50))
    await _has(exchange, "effect", 300)

    assert await exchange.effects() == list(range(300))
    assert await exchange.stored() == 300


async def test_a_fact_that_was_rolled_back_is_never_announced(exchange: Exchange) -> None:
    """Publishing beside the transaction would announce what never happened."""
    await exchange.publish_to()
    exchange.start(exchange.relay().run)
    table = exchange.tables["outbox"]

    async def announce_and_fail() -> None:
        async with sql.transaction(exchange.engine) as connection:
            await outbox.put(connection, table, events.BalanceLow(sequence=1))
            raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await announce_and_fail()
    await exchange.put(2)
    exchange.start(exchange.consumer().run)
    await _has(exchange, "effect", 1)

    assert await exchange.effects() == [2]


async def test_a_fact_that_commits_late_is_not_passed_over(exchange: Exchange) -> None:
    """Ids are given out before the commit, so "id > last" would skip the slower one."""
    await exchange.publish_to()
    exchange.start(exchange.relay().run)
    exchange.start(exchange.consumer().run)
    table = exchange.tables["outbox"]

    async with sql.transaction(exchange.engine) as slow:
        await outbox.put(slow, table, events.BalanceLow(sequence=1))
        await exchange.put(2)
        await _has(exchange, "effect", 1)
    await _has(exchange, "effect", 2)

    assert await exchange.effects() == [2, 1]


async def test_an_event_that_no_broker_takes_is_refused_where_it_is_made(
    exchange: Exchange,
) -> None:
    """In the outbox it would be tried for ever, and keep back everything behind it."""
    large = events.BalanceLow(account="x" * outbox.MOST_BYTES)

    with pytest.raises(ValueError, match="1000000 are allowed"):
        async with sql.transaction(exchange.engine) as connection:
            await outbox.put(connection, exchange.tables["outbox"], large)

    assert await exchange.count("outbox") == 0


async def test_the_same_fact_put_twice_is_one_event(exchange: Exchange) -> None:
    """A sweeper repeats a step with the same ids after a crash."""
    for _ in range(2):
        await exchange.put(7, event_id=uuid.uuid5(uuid.NAMESPACE_URL, "7"))

    assert await exchange.count("outbox") == 1


class _DyingSource(OutboxSource):
    """Dies once between the publishing and the marking."""

    def __init__(self, table: Any) -> None:
        super().__init__(table)
        self.deaths = 0

    async def mark_sent(self, connection: AsyncConnection, batch: Sequence[Outgoing]) -> None:
        if not self.deaths:
            self.deaths += 1
            await connection.execute(text("select pg_terminate_backend(pg_backend_pid())"))
        await super().mark_sent(connection, batch)


@pytest.mark.parametrize("window", [600.0, 0.1])
async def test_a_relay_that_dies_before_marking_publishes_again(
    exchange: Exchange, window: float
) -> None:
    """The broker drops the copy within its window; after it the inbox does (K13, K14)."""
    await exchange.publish_to()
    info = await exchange.js.stream_info("ARBITRAGEVAULT_BUDGET")
    info.config.duplicate_window = window
    await exchange.js.update_stream(info.config)
    source = _DyingSource(exchange.tables["outbox"])
    relay = Relay(exchange.engine, source, Publisher(exchange.js), "dying")
    await exchange.put(1, 2, 3)
    exchange.start(relay.run)
    exchange.start(exchange.consumer().run)

    async def sent() -> bool:
        return not await _unsent(exchange)

    await until(sent)
    copies = 3 if window > 1 else 6
    await _has(exchange, "effect", 3)
    await asyncio.sleep(0.3)

    assert source.deaths == 1
    assert await exchange.stored() == copies
    assert await exchange.effects() == [1, 2, 3]


async def test_one_of_two_relays_works_and_the_other_inherits(exchange: Exchange) -> None:
    """Two at once would mix the order up; none would stop every job (fault 43)."""
    await exchange.publish_to()
    tasks = [exchange.start(exchange.relay().run) for _ in range(2)]
    await exchange.put(1)
    await _until_sent(exchange)

    async with exchange.engine.connect() as connection:
        query = (
            "select pg_terminate_backend(pid) from pg_locks where locktype = 'advisory' and granted"
        )
        killed = (await connection.execute(text(query))).all()
    await exchange.put(2)
    await _until_sent(exchange)

    assert len(killed) == 1
    assert not any(task.done() for task in tasks)
    assert await exchange.stored() == 2


async def _until_sent(exchange: Exchange) -> None:
    async def sent() -> bool:
        return not await _unsent(exchange)

    await until(sent)


async def test_events_wait_in_the_outbox_while_the_broker_is_away(
    postgres: str, tmp_path: Path
) -> None:
    """The broker is a cache of the outbox: its loss delays and loses nothing (fault 31)."""
    first = Nats.start(tmp_path)
    async with exchanging(postgres, first.url) as exchange:
        await exchange.publish_to()
        exchange.start(exchange.relay().run)
        exchange.start(exchange.consumer().run)
        await exchange.put(1)
        await _has(exchange, "effect", 1)

        first.stop()
        await exchange.put(2, 3)
        await asyncio.sleep(1.5)
        assert await _unsent(exchange) == 2
        with Nats.start(tmp_path, first.port):
            await _has(exchange, "effect", 3)
            await _until_sent(exchange)

            assert await exchange.effects() == [1, 2, 3]


async def test_a_reader_may_start_before_its_publisher(exchange: Exchange) -> None:
    """Services start in any order."""
    exchange.start(exchange.consumer().run)
    await asyncio.sleep(0.2)

    await exchange.publish_to()
    exchange.start(exchange.relay().run)
    await exchange.put(1)

    await _has(exchange, "effect", 1)


async def test_a_handler_that_fails_leaves_nothing_and_is_asked_again(exchange: Exchange) -> None:
    """Half an effect would be worse than none."""
    attempts: list[int] = []

    async def fail_twice(_: Any, delivery: Delivery, __: AsyncConnection) -> None:
        attempts.append(delivery.attempt)
        if delivery.attempt < 3:
            raise LookupError("not here yet")

    await exchange.publish_to()
    exchange.start(exchange.relay().run)
    exchange.start(exchange.consumer(fail_twice).run)
    await exchange.put(1)
    await _has(exchange, "effect", 1)
    await asyncio.sleep(0.1)

    assert attempts == [1, 2, 3]
    assert await exchange.effects() == [1]
    assert await exchange.count("dead") == 0


async def test_poison_is_kept_once_and_stops_nobody(exchange: Exchange) -> None:
    """An operator must find it, and the events behind it must not wait for that."""

    async def refuse_one(event: events.BalanceLow, _: Any, __: Any) -> None:
        if event.sequence == 1:
            raise Poison("names no account")

    await exchange.publish_to()
    exchange.start(exchange.relay().run)
    exchange.start(exchange.consumer(refuse_one).run)
    await exchange.put(1, 2)
    await _has(exchange, "effect", 1)
    await _has(exchange, "dead", 1)

    async with exchange.engine.connect() as connection:
        letter = (await connection.execute(select(exchange.tables["dead"]))).mappings().one()
    assert await exchange.effects() == [2]
    assert events.BalanceLow.FromString(letter["payload"]).sequence == 1
    assert (letter["reader"], letter["attempts"]) == ("discovery-BalanceLow", 1)
    assert letter["error"] == "Poison: names no account"


async def _bury_long_ago(exchange: Exchange) -> None:
    dead = exchange.tables["dead"]
    letter = {"reader": "one", "stream": "any", "stream_sequence": 1, "subject": "any"}
    letter |= {"headers": {}, "payload": b"", "attempts": 1, "error": "Poison"}
    async with exchange.engine.begin() as connection:
        died_at = func.now() - inbox.LETTERS_KEPT_FOR - timedelta(days=1)
        await connection.execute(dead.insert().values(**letter, died_at=died_at))


async def test_a_flood_of_dead_letters_does_not_wait_for_the_hour(
    exchange: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is too old goes at the start, and again as soon as many more have come."""
    monkeypatch.setattr(consumer, "SMALL_CHUNK", 2)

    async def refuse(*_: Any) -> None:
        raise Poison("names no account")

    await _bury_long_ago(exchange)
    await exchange.publish_to()
    exchange.start(exchange.relay().run)
    exchange.start(exchange.consumer(refuse).run)
    await until(lambda: _only_new(exchange))

    await _bury_long_ago(exchange)
    await exchange.put(1)
    await _has(exchange, "dead", 2)
    await exchange.put(2)
    await until(lambda: _only_new(exchange))

    assert await exchange.count("dead") == 2


async def _only_new(exchange: Exchange) -> bool:
    async with exchange.engine.connect() as connection:
        subjects = select(exchange.tables["dead"].c.subject)
        return set(await connection.scalars(subjects)) <= {SUBJECT}


async def test_an_event_that_never_succeeds_ends_as_a_dead_letter(
    exchange: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The broker's own limit would drop it without a trace."""
    monkeypatch.setattr(consumer, "BACKOFF_SECONDS", (0.01,) * 9)
    attempts: list[int] = []

    async def fail(_: Any, delivery: Delivery, __: AsyncConnection) -> None:
        attempts.append(delivery.attempt)
        raise LookupError("never")

    await exchange.publish_to()
    exchange.start(exchange.relay().run)
    exchange.start(exchange.consumer(fail).run)
    await exchange.put(1)
    await _has(exchange, "dead", 1)
    await asyncio.sleep(0.2)

    assert attempts == list(range(1, consumer.MOST_DELIVERIES + 1))
    assert await exchange.effects() == []


async def test_a_database_that_is_away_uses_up_no_deliveries(
    exchange: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a night without a database every event must still be good."""
    monkeypatch.setattr(consumer, "BACKOFF_SECONDS", (0.01,) * 9)
    monkeypatch.setattr(consumer, "DATABASE_PAUSE_SECONDS", 0.0)
    most = consumer.MOST_DELIVERIES

    async def away(_: Any, delivery: Delivery, __: AsyncConnection) -> None:
        if delivery.attempt <= most + 3:
            raise exc.OperationalError("select", {}, ConnectionRefusedError())

    await exchange.publish_to()
    exchange.start(exchange.relay().run)
    exchange.start(exchange.consumer(away).run)
    await exchange.put(1)
    await _has(exchange, "effect", 1)

    assert await exchange.count("dead") == 0


def _headers(**changed: str) -> dict[str, str]:
    event = Outgoing(uuid.uuid4(), SUBJECT, b"", datetime.now(UTC))
    return {**headers(event), **changed}


@pytest.mark.parametrize(
    ("payload", "sent"),
    [
        (b"\xff\xff", _headers()),
        (b"", {}),
        (b"", _headers(**{"Nats-Msg-Id": "no uuid"})),
        (b"", _headers(**{"ce-time": "yesterday"})),
        (b"", _headers(**{"ce-type": "arbitragevault.autosourcing.v1.JobCreated"})),
    ],
)
async def test_a_damaged_or_forged_event_is_set_aside(
    exchange: Exchange, payload: bytes, sent: dict[str, str]
) -> None:
    """Whoever can write to the broker must not be able to stop a reader."""
    await exchange.publish_to()
    exchange.start(exchange.consumer().run)

    await exchange.js.publish(SUBJECT, payload, headers=sent or None)
    await _has(exchange, "dead", 1)

    assert await exchange.effects() == []


async def test_the_trace_goes_on_where_the_event_is_handled(exchange: Exchange) -> None:
    """One trace shows a job from the click to the pick."""
    seen: list[Call] = []

    async def look(_: Any, __: Any, ___: Any) -> None:
        seen.append(current_call())

    await exchange.publish_to()
    exchange.start(exchange.relay().run)
    exchange.start(exchange.consumer(look).run)
    with working_for(Call(caller="console", traceparent=TRACE)):
        await exchange.put(1)
    await _has(exchange, "effect", 1)

    assert seen[0].traceparent[:35] == TRACE[:35]
    assert seen[0].caller == "discovery"


async def test_a_stopped_reader_gives_its_events_back_at_once(exchange: Exchange) -> None:
    """Otherwise they wait half a minute for their redelivery (a deployment is no fault)."""
    busy = asyncio.Event()

    async def hang(_: Any, delivery: Delivery, __: AsyncConnection) -> None:
        if delivery.attempt == 1:
            busy.set()
            await asyncio.sleep(30)

    await exchange.publish_to()
    exchange.start(exchange.relay().run)
    first = exchange.start(exchange.consumer(hang).run)
    await exchange.put(1, 2, 3)
    await busy.wait()

    first.cancel()
    await asyncio.wait([first])
    exchange.start(exchange.consumer().run)

    await _has(exchange, "effect", 3)
    assert sorted(await exchange.effects()) == [1, 2, 3]
