"""Claims about intents and outcomes that are stored by single statements.

They leave behind what the same done step by step leaves behind. Where something did not hold they
leave nothing behind, and it is done step by step.
"""

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from time import monotonic
from typing import Any

import asyncpg
import msgspec
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from services.chassis import sql
from services.keepa_gateway.domain.attempt import Attempt, Intent
from services.keepa_gateway.domain.envelope import KeepaError, Observation
from services.keepa_gateway.domain.facts import ProductsFetched
from services.keepa_gateway.domain.outcome import Outcome, Verdict, unknown
from services.keepa_gateway.domain.products_request import ProductOptions
from services.keepa_gateway.domain.snapshot import Snapshot
from services.keepa_gateway.events.announce import event
from services.keepa_gateway.ports import Ending, Harvest, Opened, Sought
from services.keepa_gateway.storage import at_once
from services.keepa_gateway.storage import gate as gate_module
from services.keepa_gateway.storage.attempts import PostgresAttempts
from services.keepa_gateway.storage.gate import PostgresGate
from services.keepa_gateway.storage.snapshots import keep_snapshots, packed_snapshots
from tests.support import until

pytestmark = pytest.mark.anyio

ACCOUNT = "default"
GRACE = timedelta(seconds=30)
BURST = 5
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
FAR = "'2126-11-20'"
BALANCE = Observation(
    timestamp_ms=0,
    processing_ms=7,
    tokens_left=42,
    refill_in_ms=30_000,
    refill_rate=5,
    flow_reduction=0.5,
)
ANSWERED = Outcome(verdict=Verdict.ANSWERED, consumed=5, observation=BALANCE, status=200)
FAILED = Outcome(verdict=Verdict.FAILED, consumed=0, status=500)
LIMITED = Outcome(verdict=Verdict.RATE_LIMITED, consumed=0, status=429)
TABLES = {
    "attempts": "*, observation is null as no_balance, error is null as no_error",
    **dict.fromkeys(("claims", "snapshots", "listings", "egress", "outbox"), "*"),
}
# What differs from one run to the next; of other instants it is told whether they are there.
NAMES = ("id", "event_id", "started_at", "give_up_at", "occurred_at")
INSTANTS = ("ended_at", "settled_at", "answered_at")
UNMOVED = """
update keepa_gateway.egress set failures = 0, trials = 0, opened_until = null, paused_until = null,
    pause_balance = 0, rejected_at = null, quiet_until = null, answered_at = null, requests = 0, spent = 0
"""
CLEAR = (
    UNMOVED,
    *(
        f"delete from keepa_gateway.{name}"
        for name in ("claims", "attempts", "snapshots", "listings", "outbox")
    ),
    "update keepa_gateway.throttle set full_at = clock_timestamp()",
)
OPENED = f"update keepa_gateway.egress set failures = 5, opened_until = {FAR}"
ODD = "\u00e9 \u2603 \U0001f4d6 \\u0000 \"quoted\" 'single' {} $1 %s :name\n"


@dataclass(frozen=True)
class Replica:
    """A replica's attempts and gate."""

    engine: AsyncEngine
    driver: sql.Driver
    gate: PostgresGate
    attempts: PostgresAttempts

    async def change(self, *statements: str) -> None:
        """Change the tables past the replica, and let it look."""
        async with sql.transaction(self.engine) as connection:
            for statement in statements:
                await connection.execute(text(statement))
        await self.gate.read()

    async def table(self, name: str) -> list[dict[str, Any]]:
        """Every row of a table."""
        query = f"select {TABLES[name]} from keepa_gateway.{name}"
        async with self.engine.connect() as connection:
            found = await connection.execute(text(query))
            return [dict(row) for row in found.mappings()]

    async def left(self) -> dict[str, list[str]]:
        """What is in the tables, without what differs from one run to the next."""
        return {name: sorted(map(_told, await self.table(name))) for name in TABLES}


def _told(row: Mapping[str, Any]) -> str:
    kept = {name: value for name, value in row.items() if name not in NAMES}
    return str({name: bool(value) if name in INSTANTS else value for name, value in kept.items()})


@pytest.fixture(scope="module")
async def running(service_database: Callable[[str], str]) -> AsyncIterator[list[Replica]]:
    """Two replicas of one database."""
    async with AsyncExitStack() as stack:
        replicas = []
        for _ in range(2):
            url = service_database("keepa_gateway")
            engine = sql.create_engine(url, application="test", pool_size=4)
            stack.push_async_callback(engine.dispose)
            announce = partial(event, account=ACCOUNT)
            driver = sql.Driver(engine, kept=1)
            stack.push_async_callback(driver.close)
            gate = gate_of(driver)
            await gate.prepare()
            replicas.append(
                Replica(
                    engine,
                    driver,
                    gate,
                    PostgresAttempts(engine, driver, gate, announce, grace=GRACE),
                )
            )
        yield replicas


@pytest.fixture
async def replicas(running: list[Replica]) -> list[Replica]:
    """The same with nothing stored, and both have looked."""
    await running[0].change(*CLEAR)
    await running[1].gate.read()
    return running


@pytest.fixture
def replica(replicas: list[Replica]) -> Replica:
    """One of them."""
    return replicas[0]


def intent(place: int, *subjects: str) -> Intent:
    """What one payer stores before a call."""
    return Intent(
        attempt_id=uuid.UUID(int=place),
        call_id=uuid.UUID(int=99),
        request_id=uuid.UUID(int=1_000 + place),
        number=0,
        content="content",
        endpoint="product",
        fingerprint="fingerprint",
        keys={one: f"product:{one}" for one in subjects},
        reservation=f"reservations/{place}",
        bound=3,
        after_sequence=7,
        deadline=timedelta(seconds=15),
        covers_until=0.0,
    )


def ending(place: int, consumed: int | None, **found: tuple[str, ...]) -> Ending:
    """One payer's part in an outcome."""
    return Ending(attempt_id=uuid.UUID(int=place), consumed=consumed, found=found)


def book(asin: str, *, title: str = "", codes: Sequence[str] = ()) -> Snapshot:
    """A product as it came."""
    return Snapshot(
        domain=1,
        asin=asin,
        options=ProductOptions(),
        fetched_at=NOW,
        known=True,
        product=title.encode(),
        raw=b"{}",
        codes=frozenset(codes),
    )


def fetched(*asins: str) -> ProductsFetched:
    """What is told of products."""
    return ProductsFetched(domain=1, asins=asins, missing=("Z",), tokens=5, fetched_at=NOW)


Deed = Callable[[Replica], Awaitable[Any]]


def opening(*intents: Intent) -> Deed:
    """Open, and tell what became of each."""
    return lambda one: one.attempts.open(intents)


def closing(outcome: Outcome, *endings: Ending, **brought: Any) -> Deed:
    """Close, and tell what is stored."""

    async def deed(one: Replica) -> list[Attempt]:
        there = await one.attempts.close(endings, outcome, Harvest(**brought))
        return [replace(each, started_at=NOW, ended_at=NOW) for _, each in sorted(there.items())]

    return deed


def settling(*places: int) -> Deed:
    """Note that budget knows."""
    return lambda one: one.attempts.mark_settled(*(uuid.UUID(int=place) for place in places))


def changing(statement: str) -> Deed:
    """Something else happens."""
    return lambda one: one.change(statement)


ONE, TWO = intent(1, "A", "B"), intent(2, "C")
STORIES: dict[str, list[Deed]] = {
    "products of several payers": [
        opening(ONE, TWO),
        closing(
            ANSWERED,
            ending(1, 3, A=("A",), B=()),
            ending(2, 2, C=("C", "D")),
            snapshots=[book("A", codes=["2", "1"]), book("C"), book("D", codes=["3"])],
            facts=[fetched("A", "C", "D")],
            came_at=NOW,
        ),
    ],
    "a product that is named twice": [
        opening(ONE),
        closing(ANSWERED, ending(1, 5), snapshots=[book("A", title="first"), book("A", title="2")]),
    ],
    "a product of which something newer is stored": [
        opening(ONE, TWO),
        closing(ANSWERED, ending(1, 3), snapshots=[book("A", title="there"), book("B")]),
        changing(f"update keepa_gateway.snapshots set fetched_at = {FAR} where asin = 'A'"),
        closing(ANSWERED, ending(2, 2), snapshots=[book("A", title="later"), book("B")]),
    ],
    "a list": [
        opening(ONE),
        closing(ANSWERED, ending(1, 5), listing=b"[1,2]", came_at=NOW),
        opening(TWO),
        closing(ANSWERED, ending(2, 5), listing=b"[3]", came_at=NOW + timedelta(seconds=1)),
    ],
    "an answer that says neither a balance nor a cost": [
        opening(ONE),
        closing(Outcome(verdict=Verdict.ANSWERED, status=200), ending(1, None, A=("A",))),
        settling(1),
    ],
    "what Keepa says in odd characters": [
        opening(intent(1, ODD)),
        closing(
            Outcome(
                verdict=Verdict.REJECTED,
                consumed=0,
                reason=ODD,
                error=KeepaError(type=ODD, message={"a": ODD}, details="\x00\ud800"),
                status=400,
            ),
            Ending(attempt_id=uuid.UUID(int=1), consumed=0, found={ODD: (ODD,)}),
            snapshots=[book(ODD, codes=[ODD, ""])],
            facts=[fetched(ODD)],
        ),
    ],
    "a lost answer while the circuit is open": [
        changing(OPENED),
        opening(ONE),
        closing(unknown("lost"), ending(1, None)),
        closing(unknown("again"), ending(1, None)),
    ],
    "an answer that comes after all": [
        changing(OPENED),
        opening(ONE, TWO),
        closing(unknown("lost"), ending(1, None), ending(2, None)),
        settling(1, 2),
        closing(
            ANSWERED,
            ending(1, 3, A=("A",)),
            ending(2, 2),
            snapshots=[book("A")],
            facts=[fetched("A")],
        ),
        closing(replace(ANSWERED, consumed=9), ending(1, 9), ending(2, 0), snapshots=[book("B")]),
    ],
    "an outcome of which a part is stored": [
        opening(ONE, TWO),
        closing(ANSWERED, ending(1, 3), snapshots=[book("A")]),
        closing(ANSWERED, ending(1, 1), ending(2, 2), snapshots=[book("C")]),
    ],
    "a pause that a second 429 does not lengthen": [
        changing(f"update keepa_gateway.egress set paused_until = {FAR}"),
        opening(ONE),
        closing(Outcome(verdict=Verdict.RATE_LIMITED, consumed=0, status=429), ending(1, 0)),
    ],
    "a call that never left while the circuit is open": [
        changing(OPENED),
        opening(ONE),
        closing(Outcome(verdict=Verdict.UNSENT, consumed=0, reason="no"), ending(1, 0)),
    ],
}


@pytest.mark.parametrize("story", STORIES.values(), ids=list(STORIES))
async def test_one_statement_does_what_the_steps_do(
    replica: Replica, story: list[Deed], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever asks later finds the same intents, outcomes, products, lists, sums and events."""
    with monkeypatch.context() as patch:
        patch.delattr(PostgresAttempts, "_open")
        patch.delattr(PostgresAttempts, "_close_in_turn")
        told = [await deed(replica) for deed in story]
    left = await replica.left()
    await replica.change(*CLEAR)

    monkeypatch.setattr(at_once, "open_attempts", not_so)
    monkeypatch.setattr(at_once, "close_attempts", not_so)
    assert [await deed(replica) for deed in story] == told
    assert await replica.left() == left


async def not_so(*_: Any, **__: Any) -> None:
    """What was taken for granted does not hold."""


async def test_a_product_that_keepa_names_twice_is_stored_once(replica: Replica) -> None:
    """The first of the two stays."""
    await replica.attempts.open([ONE])
    twice = Harvest(snapshots=[book("A", title="first"), book("A", title="second"), book("B")])

    await replica.attempts.close([ending(1, 5)], ANSWERED, twice)

    stored = await replica.table("snapshots")
    assert sorted((row["asin"], row["product"]) for row in stored) == [("A", b"first"), ("B", b"")]


async def test_intents_of_which_others_have_a_key_leave_nothing_behind(replica: Replica) -> None:
    """G4: then they are stored without it, and the call asks for the rest alone."""
    other, two, three = intent(7, "B"), intent(2, "B"), intent(3, "C")
    await replica.attempts.open([other])
    before = await replica.left()

    assert not await at_once.open_attempts(replica.driver, [ONE, two, three], GRACE, None)
    assert await replica.left() == before

    opened = await replica.attempts.open([ONE, two, three])
    assert [opened[one.attempt_id].gained for one in (ONE, two, three)] == [("A",), (), ("C",)]
    claims = {row["key"]: row["attempt_id"].int for row in await replica.table("claims")}
    assert claims == {"product:A": 1, "product:B": 7, "product:C": 3}


async def test_an_intent_that_is_there_already_is_foreign(replica: Replica) -> None:
    """One request at two replicas: the second one sends nothing, and leaves no claim behind."""
    await replica.attempts.open([intent(1, "A")])

    opened = await replica.attempts.open([intent(1, "A", "B"), intent(2, "C")])

    assert opened[uuid.UUID(int=1)].foreign
    assert opened[uuid.UUID(int=2)].gained == ("C",)
    claims = {row["key"] for row in await replica.table("claims")}
    assert claims == {"product:A", "product:C"}


@pytest.mark.parametrize(
    ("sought", "missing"),
    [
        (None, False),
        (Sought(1, [], NOW), False),
        (Sought(1, ["A"], NOW + timedelta(milliseconds=1)), True),
        (Sought(1, ["A"], NOW), False),
        (Sought(1, ["B"], NOW), True),
        (Sought(2, ["A"], NOW), True),
    ],
)
async def test_to_claim_tells_whether_the_store_has_it_by_now(
    replica: Replica,
    sought: Sought | None,
    missing: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    """G4: who is told that nothing is there need not look again; else nothing is said."""
    await replica.attempts.open([ONE])
    await replica.attempts.close([ending(1, 5)], ANSWERED, Harvest(snapshots=[book("A")]))

    opened = await replica.attempts.open([intent(2, "A")], sought)

    assert opened == {uuid.UUID(int=2): Opened(gained=("A",), missing=missing)}


async def test_what_was_stored_while_a_claim_waited_is_seen(replicas: list[Replica]) -> None:
    """G4, INC-9: the other call's outcome is committed while ours waits for its claim."""
    one, other = replicas
    await one.attempts.open([ONE])
    async with sql.transaction(other.engine) as connection:
        await connection.execute(text("delete from keepa_gateway.claims"))
        packed = await packed_snapshots([book("A")])
        await keep_snapshots(connection, packed)
        opening = asyncio.create_task(one.attempts.open([intent(2, "A")], Sought(1, ["A"], NOW)))
        await blocked(other)

    assert await opening == {uuid.UUID(int=2): Opened(gained=("A",), missing=False)}


async def test_many_who_want_the_same_at_once_share_it_out(replicas: list[Replica]) -> None:
    """G4: each key has one payer, in whatever order they name them; nobody is refused."""
    names = [f"A{place}" for place in range(8)]
    turned = [names[place:] + names[:place] for place in range(8)]
    asking = [
        replicas[place % 2].attempts.open(
            [intent(2 * place + 1, *some[:3]), intent(2 * place + 2, *some[3:])]
        )
        for place, some in enumerate(turned)
    ]

    opened = [one for each in await asyncio.gather(*asking) for one in each.values()]

    assert sorted(name for one in opened for name in one.gained) == names
    assert len(await replicas[0].table("claims")) == len(names)


async def test_a_failure_is_counted_though_the_circuit_was_closed_unseen(
    replicas: list[Replica],
) -> None:
    """G6: who saw it open would not count; another replica has closed it, so it counts."""
    one, other = replicas
    await one.change(OPENED)
    await one.attempts.open([ONE])
    await other.change("update keepa_gateway.egress set failures = 0, opened_until = null")

    assert await closed_at_once(one, FAILED) is None
    assert [row["state"] for row in await one.table("attempts")] == ["sent"]

    await one.attempts.close([ending(1, 0)], FAILED, Harvest())
    (egress,) = await one.table("egress")
    assert (egress["failures"], egress["requests"]) == (1, 1)


UNSEEN = (
    "failures = 2",
    "trials = 1",
    f"opened_until = {FAR}",
    f"paused_until = {FAR}",
    "pause_balance = -1",
    f"rejected_at = {FAR}",
)


@pytest.mark.parametrize("unseen", UNSEEN)
async def test_an_outcome_is_not_stored_at_once_when_the_way_out_moved_unseen(
    replicas: list[Replica], unseen: str
) -> None:
    """G6: a good answer breaks the row of failures that others have counted meanwhile."""
    one, other = replicas
    await one.attempts.open([ONE])
    await other.change(f"update keepa_gateway.egress set {unseen}")
    before = await one.left()

    assert await closed_at_once(one, ANSWERED) is None
    assert await one.left() == before

    await one.attempts.close([ending(1, 5)], ANSWERED, Harvest())
    (egress,) = await one.table("egress")
    assert (egress["failures"], egress["requests"], egress["spent"]) == (0, 1, 5)


async def test_a_pause_that_another_replica_began_outlasts_a_good_answer(
    replicas: list[Replica],
) -> None:
    """INC-4, G5: what nobody here has seen yet is not undone by what was seen."""
    one, other = replicas
    await one.attempts.open([ONE])
    limited = Outcome(verdict=Verdict.RATE_LIMITED, consumed=0, observation=BALANCE, status=429)
    await other.gate.record(limited, trial=False)
    ((paused, _), (before, _)) = (await other.gate.read(), await one.gate.read(within=GRACE))
    assert before.paused_until is None, "it has not seen it"

    assert await closed_at_once(one, ANSWERED) is None
    await one.attempts.close([ending(1, 5)], ANSWERED, Harvest())

    (egress,) = await one.table("egress")
    assert egress["paused_until"] == paused.paused_until
    assert (egress["requests"], egress["spent"]) == (2, 5)
    assert (await one.gate.read(within=GRACE))[0].paused_until == paused.paused_until


async def closed_at_once(one: Replica, outcome: Outcome) -> Any:
    """Try to store an outcome of the first intent while the way out is as it was seen."""
    state = one.gate.unmoved(outcome)
    assert state is not None, "by what was seen nothing moves"
    nothing = at_once.Brought(snapshots=(), listing=None, came_at=None, events=())
    return await at_once.close_attempts(
        one.driver, [ending(1, outcome.consumed)], outcome, nothing, account=ACCOUNT, state=state
    )


@pytest.mark.parametrize("quick", [True, False], ids=["at once", "in turn"])
async def test_who_waits_to_store_a_product_holds_nobody_up(
    replica: Replica, monkeypatch: pytest.MonkeyPatch, *, quick: bool
) -> None:
    """The row that every call changes is locked last, however much there is to store before."""
    await replica.attempts.open([ONE])
    await replica.attempts.open([TWO])
    await replica.attempts.close([ending(2, 1)], ANSWERED, Harvest(snapshots=[book("Y")]))
    if not quick:
        monkeypatch.setattr(at_once, "close_attempts", not_so)
    later = Harvest(snapshots=[changed_later(book("Y"))])
    free = text("select account from keepa_gateway.egress for update skip locked")

    async with sql.transaction(replica.engine) as connection:
        await connection.execute(text("set local idle_in_transaction_session_timeout = 0"))
        await connection.execute(text("select from keepa_gateway.snapshots for update"))
        waiting = asyncio.create_task(replica.attempts.close([ending(1, 3)], ANSWERED, later))
        await blocked(replica)
        async with sql.transaction(replica.engine) as other:
            assert len((await other.execute(free)).all()) == 1
        assert not waiting.done()

    await waiting
    (egress,) = await replica.table("egress")
    assert (egress["requests"], egress["spent"]) == (2, 10)


def changed_later(one: Snapshot) -> Snapshot:
    """The same product, fetched again."""
    return msgspec.structs.replace(one, fetched_at=NOW + timedelta(hours=1))


async def blocked(replica: Replica) -> None:
    """Wait until somebody waits for a lock."""
    waits = text("select count(*) from pg_locks where not granted")

    async def some() -> bool:
        async with sql.statement(replica.engine) as connection:
            return bool(await connection.scalar(waits))

    await until(some)


async def test_a_place_that_another_replica_took_is_not_taken_from_memory(
    replicas: list[Replica],
) -> None:
    """T10: both remember all of the burst; together they take it once."""
    taken = [await replicas[place % 2].gate.take_place(0) for place in range(2 * BURST)]

    assert taken[:BURST] == [None] * BURST
    assert all(isinstance(wait, timedelta) for wait in taken[BURST:])


@pytest.mark.parametrize(
    "moved",
    [
        OPENED,
        f"update keepa_gateway.egress set paused_until = {FAR}",
        f"update keepa_gateway.egress set quiet_until = {FAR}",
        "update keepa_gateway.egress set rejected_at = clock_timestamp()",
    ],
)
async def test_no_place_is_taken_while_the_way_is_closed_unseen(
    replicas: list[Replica], moved: str
) -> None:
    """T10, INC-2: what another replica met is learned by asking for a place; none is lost by it."""
    one, other = replicas
    await other.change(moved)

    assert await one.gate.take_place(0) == timedelta(0)

    egress, now = await one.gate.read(within=GRACE)
    assert egress.refusal(now) is not None or egress.quiet_for(now)
    await other.change(UNMOVED)
    taken = [await one.gate.take_place(0) for _ in range(BURST + 1)]
    assert taken.count(None) == BURST


async def test_a_place_is_one_statement_and_one_more_when_another_replica_took_one(
    replicas: list[Replica],
) -> None:
    """No lock is held on the way: a click waits for no crowd."""
    counting = Counting(replicas[0].engine, kept=1)
    gate = gate_of(counting)
    await gate.read()
    lent = []
    for other_took in (False, False, True, False):
        if other_took:
            assert await replicas[1].gate.take_place(0) is None
        counting.lent = 0
        assert await gate.take_place(0) is None
        lent.append(counting.lent)

    assert lent == [1, 1, 2, 1]
    await counting.close()


class Counting(sql.Driver):
    """Counts what it lends."""

    lent = 0

    def lend(self) -> AbstractAsyncContextManager[asyncpg.Connection]:
        """Count."""
        self.lent += 1
        return super().lend()


def gate_of(driver: sql.Driver) -> PostgresGate:
    """The gate of a replica; a place a minute, so that none comes back while a test stands still."""
    return PostgresGate(
        driver._engine,
        driver,
        partial(event, account=ACCOUNT),
        account=ACCOUNT,
        tick=timedelta(seconds=60),
        per_minute=1,
        burst=BURST,
    )


class Slow(sql.Driver):
    """Gives what was read only when it is told to."""

    def __init__(self, engine: AsyncEngine) -> None:
        super().__init__(engine, kept=1)
        self.read, self.go = asyncio.Event(), asyncio.Event()

    @asynccontextmanager
    async def lend(self) -> AsyncIterator[asyncpg.Connection]:
        """Hold back what it was lent for."""
        async with super().lend() as connection:
            yield connection
            self.read.set()
            await self.go.wait()


@pytest.mark.parametrize("asking", ["read", "take_place"])
async def test_an_own_429_is_not_forgotten_by_a_look_from_before(
    replica: Replica, asking: str
) -> None:
    """INC-2: the first 429 stops everybody, and who sent the call first of all."""
    slow = Slow(replica.engine)
    gate = gate_of(slow)
    looking = asyncio.create_task(gate.read() if asking == "read" else gate.take_place(0))
    await slow.read.wait()
    if asking == "take_place":  # Its own look is done; the statement that takes comes next.
        slow.read.clear()
        slow.go.set()
        slow.go.clear()
        await slow.read.wait()

    await gate.record(LIMITED, trial=False)
    slow.go.set()
    await looking

    egress, now = await gate.read(within=GRACE)
    assert egress.refusal(now) is not None
    await slow.close()


@pytest.mark.parametrize("comes", ["before", "after"])
async def test_an_own_quiet_moment_is_known_at_once(replica: Replica, comes: str) -> None:
    """INV-8: nobody leaves by a look from before, whether that is here already or on its way."""
    slow = Slow(replica.engine)
    gate = gate_of(slow)
    looking = asyncio.create_task(gate.read())
    await slow.read.wait()
    if comes == "before":
        slow.go.set()
        await looking

    await gate.hush(GRACE)
    slow.go.set()
    await looking

    egress, now = await gate.read(within=GRACE)
    assert egress.quiet_for(now)
    await slow.close()


@pytest.mark.parametrize("comes", ["before its end", "after its end"])
async def test_an_own_429_is_not_forgotten_while_it_is_being_stored(
    replica: Replica, comes: str
) -> None:
    """INC-2: nobody else reads what is not committed, and the disk may take its time."""
    slow = Slow(replica.engine)
    gate = gate_of(slow)
    slow.go.set()
    await gate.read()
    slow.go.clear()
    slow.read.clear()

    async with gate.moving() as connection:
        await gate.apply(connection, LIMITED, trial=False)
        looking = asyncio.create_task(gate.read())
        await slow.read.wait()
        if comes == "before its end":
            slow.go.set()
            await looking
        stored, now = await gate.read(within=GRACE)
        assert stored.refusal(now) is not None
    slow.go.set()
    await looking

    egress, now = await gate.read(within=GRACE)
    assert egress.refusal(now) is not None
    await slow.close()


async def test_a_look_is_as_old_as_its_question(
    replica: Replica, monkeypatch: pytest.MonkeyPatch
) -> None:
    """INC-2: what another replica met while a look was on its way is looked for once more."""
    late = 0.0
    monkeypatch.setattr(gate_module, "monotonic", lambda: monotonic() + late)
    slow = Slow(replica.engine)
    gate = gate_of(slow)
    looking = asyncio.create_task(gate.read())
    await slow.read.wait()
    await replica.gate.record(LIMITED, trial=False)
    late = 60.0
    slow.go.set()
    await looking

    egress, now = await gate.read(within=GRACE)
    assert egress.refusal(now) is not None
    await slow.close()


async def test_who_takes_a_place_in_turn_takes_none_while_the_way_is_closed(
    replicas: list[Replica], monkeypatch: pytest.MonkeyPatch
) -> None:
    """INC-2: in a crowd the lock decides, and it may have been waited for."""
    one, other = replicas

    async def overtaken(*_: object) -> bool:
        return False

    monkeypatch.setattr(PostgresGate, "_take", overtaken)
    await other.change(OPENED)

    assert await one.gate.take_place(0) == timedelta(0)

    egress, now = await one.gate.read(within=GRACE)
    assert egress.refusal(now) is not None
    await other.change(UNMOVED)
    taken = [await one.gate.take_place(0) for _ in range(BURST + 1)]
    assert taken.count(None) == BURST


async def test_many_at_once_take_no_more_places_than_there_are(replicas: list[Replica]) -> None:
    """T10, INC-7: however their looks and takes overlap; what is given back is there again."""
    asking = [one.gate.take_place(0) for one in replicas for _ in range(3 * BURST)]

    taken = await asyncio.gather(*asking)
    await replicas[0].gate.give_back_place()
    again = await asyncio.gather(*(one.gate.take_place(0) for one in replicas))

    assert taken.count(None) == BURST
    assert list(again).count(None) == 1
