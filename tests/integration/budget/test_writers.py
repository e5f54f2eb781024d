"""Several replicas write to one account through PostgreSQL, and never oversell."""

import asyncio
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import asyncpg
import pytest

from services.budget.domain import refusals
from services.budget.domain.commands import Reserve
from services.budget.domain.decide import decide
from services.budget.domain.draft import Decision
from services.budget.domain.entries import Entry
from services.budget.domain.evolve import forget
from services.budget.domain.reservation import Reservation
from services.budget.domain.rules import Kind, Priority, Reason, Rules, Stage
from services.budget.domain.state import State
from services.budget.domain.values import replace
from services.budget.ports import Batch
from services.budget.storage import ledger
from services.budget.usecases import writer as writers
from services.budget.usecases.readings import Opening
from services.budget.usecases.writer import Change, Told
from services.chassis import sql
from services.chassis.errors import Refusal
from tests.integration.budget.support import SOON, asked, queued, replica, stated

pytestmark = pytest.mark.anyio

Url = Callable[[str], str]


@pytest.fixture
def url(fresh_service_database: Url) -> str:
    return fresh_service_database("budget")


async def test_two_replicas_racing_for_the_last_tokens_never_oversell(url: str) -> None:
    """INC-7, INV-1: each replica keeping its own balance emptied the account."""
    async with replica(url) as one, replica(url) as two:
        await one.report(310)

        outcomes = await asyncio.gather(
            *(each.tries(1 + number % 5) for number in range(300) for each in (one, two))
        )

        granted = [each.terms.tokens for each in outcomes if isinstance(each, Reservation)]
        assert sum(granted) <= 300
        assert 300 - sum(granted) < 5  # Nothing that would still fit was refused.
        assert await one.available() == await two.available() == 310 - sum(granted)
        refused = [each for each in outcomes if isinstance(each, Refusal)]
        assert {each.reason for each in refused} == {"INSUFFICIENT_TOKENS"}


async def test_fifty_identical_calls_on_two_replicas_take_tokens_once(url: str) -> None:
    """INV-2: a retry storm is one reservation with one answer."""
    async with replica(url) as one, replica(url) as two:
        await one.report(1000)
        terms = asked(7)

        answers = await asyncio.gather(
            *(each.budget.reserve(terms, timedelta(0)) for _ in range(25) for each in (one, two))
        )

        assert len({told.answer for told in answers}) == 1
        assert await two.available() == 993


async def test_the_same_id_with_other_content_is_refused_across_accounts(url: str) -> None:
    """Ids are unique across accounts; a second meaning is a caller's bug."""
    async with replica(url) as one, replica(url) as two:
        await one.report(1000)
        await one.report(1000, account="other")
        key = uuid4()

        held = await one.reserve(5, id=key)
        with pytest.raises(Refusal) as reused:
            await two.reserve(5, id=key, account="other")

        assert reused.value.reason == "REQUEST_ID_REUSED"
        assert held.terms.account == "default"


async def test_two_accounts_racing_for_one_id_give_it_one_meaning(url: str) -> None:
    """The unique index decides between replicas that could not see each other."""
    async with replica(url) as one, replica(url) as two:
        await one.report(1000)
        await two.report(1000, account="other")
        for _ in range(20):
            key = uuid4()

            outcomes = await asyncio.gather(
                one.tries(5, id=key), two.tries(5, id=key, account="other")
            )

            kinds = sorted(type(outcome).__name__ for outcome in outcomes)
            assert kinds == ["Refusal", "Reservation"], outcomes


async def test_a_restart_finds_the_same_state_as_a_full_replay(url: str) -> None:
    """INV-6: the state is the ledger's, not the process's."""
    async with replica(url) as one:
        await one.report(900)
        envelope = await one.reserve(200, kind=Kind.ENVELOPE)
        calls = [await one.reserve(5, parent=envelope.id) for _ in range(6)]
        await one.commit(calls[0], 4, stated(896))
        await one.commit(calls[1], 9)
        await one.release(calls[2])
        await one.release(envelope, Reason.FINISHED)
        before = (await one.look()).state

    async with replica(url) as again:
        after = (await again.look()).state
        findings = await again.readings.verify("default")

    assert forget(after) == forget(before)
    assert findings.violations == ()
    assert findings.entries == before.sequence


async def test_a_snapshot_gives_the_state_that_a_replay_gives(url: str) -> None:
    """A restart with a long ledger reads a snapshot and what came after it."""
    async with replica(url) as one:
        await one.report(1190)
        for _ in range(3):
            await asyncio.gather(*(one.tries(1) for _ in range(800)))
            held = [r for r in (await one.look()).state.live.values() if r.stage is Stage.HELD]
            await asyncio.gather(*(one.release(each) for each in held))
        envelope = await one.reserve(100, kind=Kind.ENVELOPE)
        await one.commit(await one.reserve(10, parent=envelope.id), 12)
        before = (await one.look()).state
        kept = await one.ledger.load("default", Rules())

    assert kept.sequence == before.sequence
    assert forget(before) == kept
    async with replica(url) as again:
        findings = await again.readings.verify("default")
    assert findings.violations == ()


async def test_a_long_replay_that_was_cut_off_goes_on_where_it_was(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A supervisor gives up on a slow start, and the next one must not be as slow for ever."""
    monkeypatch.setattr(ledger, "PAGE", 10)
    monkeypatch.setattr(ledger, "REPLAY_KEPT", 20)
    async with replica(url) as one:
        await one.report(900)
        await asyncio.gather(*(one.reserve(1) for _ in range(40)))
        before = (await one.look()).state
    began = []

    async with replica(url) as again:
        honest = again.ledger.page

        async def cut_off(account: str, after: int, limit: int) -> Sequence[Entry]:
            began.append(after)
            if began == [0, 10, 20, 30]:
                raise refusals.storage_unavailable()
            return await honest(account, after, limit)

        monkeypatch.setattr(again.ledger, "page", cut_off)
        with pytest.raises(Refusal):
            await again.ledger.load("default", Rules())
        told = await again.ledger.load("default", Rules())

    assert began == [0, 10, 20, 30, 20, 30, 40, 41]
    assert told == forget(before)


@pytest.mark.parametrize("leap", [3600.0, -3600.0])
async def test_a_wrong_idea_of_the_time_stores_nothing_by_itself(url: str, leap: float) -> None:
    """INV-1: ticks count from stored instants, so only the database's clock may set them."""
    async with replica(url) as one:
        await one.report(500)
        await one.reserve(5)
        writer = one.desk.writer("default")
        writer._steady = lambda: time.monotonic() + leap

        held = await one.reserve(5)
        seen = await one.report(400, arrived_ms=stated(0).arrived_ms + 1)

        assert abs(held.created_at - datetime.now(UTC)) < timedelta(seconds=30)
        assert seen.state.anchor is not None
        assert abs(seen.state.anchor.stored_at - datetime.now(UTC)) < timedelta(seconds=30)


async def test_a_late_commit_of_an_ended_reservation_is_read_by_other_replicas(url: str) -> None:
    """INV-4: replicas that never saw the reservation fold its late commit all the same."""
    async with replica(url) as one, replica(url) as two:
        await one.report(500)
        call = await one.reserve(10)
        await one.release(call)
        await two.look()
        await one.look()

        told = await one.commit(call, 8)

        assert told.answer.stage is Stage.COMMITTED
        assert forget((await two.look()).state) == forget((await one.look()).state)
        assert await two.available() == 492


async def test_a_wait_is_granted_by_whichever_replica_frees_the_tokens(url: str) -> None:
    """The queue is in the ledger: a release on one replica ends a wait on the other."""
    async with replica(url) as one, replica(url) as two:
        await one.report(60)
        blocking = await one.reserve(50)

        waiting = asyncio.create_task(two.reserve(40, timedelta(seconds=30)))
        await queued(two, 1)
        assert not waiting.done()
        await one.release(blocking)

        assert (await waiting).stage is Stage.HELD
        assert await one.available() == 20


async def test_a_wait_that_ends_in_its_own_batch_is_told_at_once(url: str) -> None:
    """Tokens freed in the same transaction that queued the request must not be waited for."""
    async with replica(url) as one:
        await one.report(60)
        blocking = await one.reserve(50)

        waiting = asyncio.create_task(one.reserve(40, timedelta(seconds=20)))
        freeing = asyncio.create_task(one.release(blocking))

        assert (await waiting).stage is Stage.HELD
        await freeing


async def test_many_waiters_on_two_replicas_are_each_granted_once(url: str) -> None:
    """A crowd at the gate: ticks let in whoever fits, nobody twice, nobody forgotten."""
    rules = Rules(tick=timedelta(seconds=0.1))
    async with replica(url, rules) as one, replica(url, rules) as two:
        await one.report(10, refill_in_ms=100)

        granted = await asyncio.gather(
            *(
                each.reserve(3, timedelta(seconds=15), priority=priority)
                for number in range(20)
                for each, priority in ((one, Priority.INTERACTIVE), (two, Priority(1 + number % 2)))
            )
        )

        assert {each.stage for each in granted} == {Stage.HELD}
        told = await one.look()
        assert told.state.charged == 120
        assert not told.state.waiting
        findings = await two.readings.verify("default")
        assert findings.violations == ()


async def test_a_wait_ends_in_time_with_the_reason_and_the_moment(url: str) -> None:
    """A caller is told when it would succeed, not left to hang."""
    async with replica(url) as one:
        await one.report(20)

        with pytest.raises(Refusal) as ended:
            await one.reserve(40, timedelta(seconds=0.3))

        assert ended.value.reason == "WAIT_TIMEOUT"
        assert ended.value.facts == {"balance": 20, "required": 50, "deficit": 30}
        assert timedelta(seconds=119) < ended.value.retry_after < timedelta(seconds=121)
        assert not (await one.look()).state.waiting


async def test_a_tick_admits_the_queue_without_any_call(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Waiters need nobody else to act: the certain tick wakes them, and no other look."""
    monkeypatch.setattr(writers, "PULSE_SECONDS", 3_600.0)
    async with replica(url, Rules(tick=timedelta(seconds=0.2))) as one:
        await one.report(20, refill_in_ms=300)

        granted = await one.reserve(40, timedelta(seconds=30))

        assert granted.stage is Stage.HELD
        anchor = (await one.look()).state.anchor
        assert anchor is not None
        assert granted.created_at >= anchor.tick_at(2, one.desk._rules)


async def test_a_caller_that_goes_away_leaves_the_queue(url: str) -> None:
    """Nobody waits for a dead caller, and no tokens are held for it."""
    async with replica(url) as one:
        await one.report(20)
        waiting = asyncio.create_task(one.reserve(40, timedelta(seconds=120)))
        await queued(one, 1)

        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)

        await queued(one, 0)


async def test_holds_expire_by_the_sweep_of_any_replica(url: str) -> None:
    """INV-3: a dead gateway's hold becomes UNKNOWN, still subtracted; an envelope's rest returns."""
    async with replica(url) as one, replica(url) as two:
        await one.report(500)
        call = await one.reserve(10, hold=timedelta(seconds=0.2))
        envelope = await one.reserve(100, kind=Kind.ENVELOPE, hold=timedelta(seconds=0.2))
        sweeping = asyncio.create_task(two.desk.sweep())

        async with asyncio.timeout(SOON):
            while Stage.HELD in {x.stage for x in (await one.look()).state.live.values()}:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        sweeping.cancel()

        assert (await two.readings.reservation(call.id)).stage is Stage.UNKNOWN
        assert (await two.readings.reservation(envelope.id)).stage is Stage.RELEASED
        assert await one.available() == 490


async def test_a_lost_connection_costs_no_answer(url: str, fresh_database: str) -> None:
    """A batch that failed is decided again; a stored one is recalled, never doubled."""
    import asyncpg

    from services.chassis import sql

    admin = await asyncpg.connect(sql.plain_url(fresh_database))
    async with replica(url) as one:
        await one.report(1000)
        stop = asyncio.Event()

        async def kill() -> None:
            while not stop.is_set():
                await admin.execute(
                    "select pg_terminate_backend(pid) from pg_stat_activity"
                    " where application_name = 'test'"
                )
                await asyncio.sleep(0.1)

        killing = asyncio.create_task(kill())
        keys = [uuid4() for _ in range(60)]
        granted: dict[object, Reservation] = {}
        for key in keys:
            for _ in range(20):
                outcome = await one.tries(3, id=key)
                if isinstance(outcome, Reservation):
                    granted[key] = outcome
                    break
                assert outcome.reason == "STORAGE_UNAVAILABLE"
        stop.set()
        await killing
        await admin.close()

        assert len(granted) == 60
        assert await one.available() == 1000 - 180
        assert (await one.readings.verify("default")).violations == ()


async def test_a_follower_misses_nothing_over_a_lost_database(url: str) -> None:
    """A replica that has to read its state again tells its watchers what that passed over."""
    async with replica(url) as one, replica(url) as two:
        await one.report(500)
        watch = one.readings.watch("default", None)
        await anext(watch)
        await one.reserve(1)

        one.desk.writer("default")._warm = False  # As after a failed batch.
        for _ in range(3):
            await two.reserve(1)
        await one.reserve(1)

        seen = [(await anext(watch)) for _ in range(5)]
        assert [change.entry.sequence for change in seen] == [2, 3, 4, 5, 6]
        assert [change.state.available(change.now) for change in seen] == [499, 498, 497, 496, 495]
        await watch.aclose()


async def test_what_is_stored_while_a_watch_opens_is_told_once(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """INV-9: the opening includes it, so it must not come again as news."""
    async with replica(url) as one, replica(url) as two:
        await one.report(500)
        look = two.readings.account
        writes = iter((False, True))

        async def account(name: str) -> Told:
            if next(writes, False):  # After the follower has begun, before it knows the newest.
                await one.reserve(1)
            return await look(name)

        monkeypatch.setattr(two.readings, "account", account)
        watch = two.readings.watch("default", None)
        opening = await anext(watch)
        await one.reserve(1)
        await two.look()
        change = await anext(watch)
        await watch.aclose()

        assert isinstance(opening, Opening)
        assert isinstance(change, Change)
        assert (opening.after, opening.told.state.sequence) == (2, 2)
        assert change.entry.sequence == 3


async def test_the_role_may_add_to_the_ledger_and_nothing_else(
    url: str, fresh_database: str
) -> None:
    """INV-10: not even a bug in the service can change what is written."""
    import asyncpg

    from services.chassis import sql

    connection = await asyncpg.connect(sql.plain_url(url))
    for statement in (
        "update budget.ledger set tokens = 0",
        "delete from budget.ledger",
        "truncate budget.ledger",
        "drop table budget.ledger",
        "create table budget.more (id int)",
    ):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute(statement)
    await connection.close()


async def test_unknown_accounts_and_reservations_are_named(url: str) -> None:
    """A typo is told apart from a lack of tokens, and leaves nothing behind."""
    async with replica(url) as one:
        for asking, reason in (
            (one.reserve(1, account="nobody"), "ACCOUNT_NOT_FOUND"),
            (one.reserve(1, parent=uuid4()), "RESERVATION_NOT_FOUND"),
            (one.look("nobody"), "ACCOUNT_NOT_FOUND"),
        ):
            with pytest.raises(Refusal) as refused:
                await asking
            assert refused.value.reason == reason
        assert "nobody" not in one.desk._writers
        assert State(account="default") == forget((await one.look()).state)


async def test_commands_of_one_batch_see_each_other(url: str) -> None:
    """The batch is decided in order, each command on what the last one left."""
    async with replica(url) as one:
        await one.report(60)
        writer = one.desk.writer("default")
        terms = [asked(20) for _ in range(5)]

        told = await asyncio.gather(
            *(writer.ask(Reserve(terms=each)) for each in terms), return_exceptions=True
        )

        assert [isinstance(each, Refusal) for each in told] == [False, False, True, True, True]


@pytest.mark.parametrize("off", [-1, 0, 1, 50])
async def test_a_batch_follows_the_newest_entry_or_is_not_stored(url: str, off: int) -> None:
    """Not what is older, and not what was never stored either: a ledger has no gaps."""
    async with replica(url) as one:
        await one.report(100)
        told = await one.tries(5)
        assert isinstance(told, Reservation)
        newest = told.sequence
        state = (await one.readings.account("default")).state
        decided = decide(state, Reserve(terms=asked(3)), datetime.now(UTC))
        assert isinstance(decided, Decision)
        (entry,) = decided.entries
        batch = Batch(
            after=newest + off,
            decided_at=datetime.now(UTC),
            tolerance=timedelta(minutes=1),
            ring=False,
            strange=[],
            entries=[replace(entry, sequence=newest + off + 1)],
        )

        clock = await one.ledger.store("default", batch)

        assert (clock is not None) == (off == 0)
        stored = await one.ledger.page("default", newest, 10)
        assert [each.sequence for each in stored] == ([newest + 1] if off == 0 else [])


@pytest.mark.parametrize(("warm", "written"), [(True, 0), (True, 3), (False, 0)])
async def test_a_ledger_that_was_restored_to_an_earlier_entry_goes_on_from_there(
    url: str, fresh_database: str, *, warm: bool, written: int
) -> None:
    """INV-10: what a replica still remembers is not built upon, whatever others wrote since."""
    async with replica(url) as one:
        await one.report(100)
        kept = await one.reserve(5)
        watch = one.readings.watch("default", None)
        await anext(watch)
        for _ in range(2):
            await one.reserve(5)
        await anext(watch)
        assert isinstance(told := await anext(watch), Change)
        connection = await asyncpg.connect(sql.plain_url(fresh_database))
        await connection.execute("delete from budget.ledger where sequence > $1", kept.sequence)
        await connection.close()
        async with replica(url) as two:
            for _ in range(written):
                await two.reserve(1)

        one.desk.writer("default")._warm = warm  # A lost connection makes it read anew.

        held = await one.reserve(1)
        with pytest.raises(Refusal) as ended:
            await anext(watch)

        assert held.sequence == kept.sequence + written + 1
        assert await one.available() == 94 - written
        assert (ended.value.reason, ended.value.facts) == (
            "SEQUENCE_AHEAD",
            {"after_sequence": told.entry.sequence, "newest_sequence": told.entry.sequence - 1},
        )
        found = (await one.readings.verify("default", full=True)).violations
        assert [(each.invariant, each.sequence) for each in found] == [("INV-10", 0)]
    async with replica(url) as again:
        assert (await again.readings.verify("default", full=True)).consistent
