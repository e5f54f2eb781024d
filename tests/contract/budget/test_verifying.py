"""What a verification of a ledger may claim, and how it goes on, over real ports."""

import itertools
from collections.abc import AsyncIterator, Callable, Sequence

import asyncpg
import pytest
from arbitragevault.budget.v1 import budget_pb2 as pb

from services.budget.domain.audit import Audit, Violation
from services.budget.domain.rules import STANDARD
from services.budget.domain.state import State
from services.budget.domain.values import replace
from services.budget.storage.readings import PostgresReadings
from services.chassis import sql
from tests.contract.budget.support import Service, budget, commit, reserve
from tests.support import refusal

pytestmark = pytest.mark.anyio

STRETCH = 10
ENTRIES = 25
ACCOUNT = "accounts/default"


@pytest.fixture
async def replicas(
    fresh_service_database: Callable[[str], str],
) -> AsyncIterator[tuple[Service, Service]]:
    """Two replicas with 25 entries and a checkpoint at each tenth; every call stops at the next."""
    url = fresh_service_database("budget")
    late = itertools.count(step=100.0).__next__  # Each look at this clock comes too late.
    async with (
        budget(url, stretch=STRETCH, steady=late) as one,
        budget(url, stretch=STRETCH, steady=late) as two,
    ):
        await one.report(1000)
        held = await one.reserve(7)
        await one.stub.CommitReservation(commit(held, 5))
        many = [reserve() for _ in range(ENTRIES - 3)]
        await one.stub.BatchReserveTokens(pb.BatchReserveTokensRequest(requests=many))
        yield one, two


async def verify(
    replicas: Sequence[Service], *, full: bool = False, page_token: str = ""
) -> list[pb.VerifyLedgerResponse]:
    """Verify to the end, each call at another replica."""
    request = pb.VerifyLedgerRequest(full=full, page_token=page_token)
    answers = []
    for replica in itertools.cycle(replicas):
        answers.append(await replica.stub.VerifyLedger(request))
        request.page_token = answers[-1].next_page_token
        if not request.page_token:
            break
    return answers


async def tamper(database_url: str, statement: str) -> None:
    """Do to a ledger what the service's own role may not."""
    connection = await asyncpg.connect(sql.plain_url(database_url))
    await connection.execute(statement)
    await connection.close()


async def test_a_long_ledger_is_verified_a_part_at_a_time_by_any_replica(
    replicas: tuple[Service, Service],
) -> None:
    """INV-6: no call claims more than it and those before it have looked at."""
    answers = await verify(replicas, full=True)

    reached = [(each.entry_count, each.verified_sequence) for each in answers]
    assert reached == [(10, 10), (10, 20), (5, 25)]
    assert [each.HasField("consistent") for each in answers] == [False, False, True]
    assert answers[-1].consistent
    assert {each.newest_sequence for each in answers} == {ENTRIES}
    assert {each.checkpoint_sequence for each in answers} == {0}
    assert [each.spent_token_count for each in answers] == [5, 5, 5]
    assert not any(each.HasField("checkpoint_time") for each in answers)


async def test_a_simple_call_goes_on_from_what_was_verified_before_and_says_so(
    replicas: tuple[Service, Service],
) -> None:
    """It costs what is new since then, however long the ledger."""
    one, two = replicas
    first = await one.stub.VerifyLedger(pb.VerifyLedgerRequest())
    second = await two.stub.VerifyLedger(pb.VerifyLedgerRequest())
    (third,) = await verify([one])

    assert not first.HasField("consistent")
    assert (first.checkpoint_sequence, first.verified_sequence) == (0, 10)
    assert not second.HasField("consistent")
    assert (second.checkpoint_sequence, second.verified_sequence) == (10, 20)
    assert second.HasField("checkpoint_time")
    assert third.consistent
    assert (third.checkpoint_sequence, third.verified_sequence) == (20, ENTRIES)
    assert third.entry_count == 5
    assert third.spent_token_count == 5


async def test_what_was_changed_behind_a_checkpoint_is_found_in_full_and_then_never_forgotten(
    replicas: tuple[Service, Service], fresh_database: str
) -> None:
    """Only a replay from the first entry looks at the first entry."""
    await verify(replicas)

    await tamper(fresh_database, "update budget.ledger set available = 3 where sequence = 12")
    (simple,) = await verify(replicas)
    full = await verify(replicas, full=True)
    (later,) = await verify(replicas)

    assert simple.consistent
    assert simple.checkpoint_sequence == 20
    told = [(each.invariant, each.sequence) for each in full[-1].violations]
    assert told == [("INV-1", 12)]
    assert [each.HasField("consistent") for each in full] == [False, True, True]
    assert not any(each.consistent for each in full)
    assert later.checkpoint_sequence == 20
    assert later.HasField("consistent")
    assert not later.consistent
    assert later.violations == full[-1].violations


async def test_a_state_in_use_that_the_ledger_does_not_give_is_found(
    replicas: tuple[Service, Service],
) -> None:
    """INV-6: the entries may all be right, and what is decided on may not."""
    one, two = replicas
    await one.account()
    writer = one.desk.writer("default")
    writer.state = replace(writer.state, charged=writer.state.charged - 1)

    wrong = (await verify([one]))[-1]
    right = (await verify([two]))[-1]

    assert wrong.HasField("consistent")
    assert [(each.invariant, each.sequence) for each in wrong.violations] == [("INV-6", 0)]
    assert right.consistent


async def test_a_finding_is_not_written_over_by_a_verification_that_began_behind_it(
    fresh_service_database: Callable[[str], str],
) -> None:
    """Two may be under way at once; the one from the first entry on knows more."""
    engine = sql.create_engine(fresh_service_database("budget"), application="test")
    kept = PostgresReadings(sql.Driver(engine, kept=0))
    state = State(account="default", sequence=10)
    broken = Audit(state, (Violation("INV-1", 5, "Too little was left."),))

    await kept.keep_checkpoint(Audit(state), replace=False)
    digest = await kept.keep_checkpoint(broken, replace=True)
    late = await kept.keep_checkpoint(Audit(state), replace=False)
    found = await kept.checkpoint("default", 10, STANDARD)
    await engine.dispose()

    assert found is not None
    assert found.audit == broken
    assert found.digest == digest != late


@pytest.mark.parametrize(
    ("statement", "told", "reached"),
    [
        ("delete from budget.ledger where sequence = 14", ("INV-10", 15), 13),
        ("delete from budget.ledger where sequence >= 24", ("INV-10", 0), 23),
        (
            "update budget.ledger set reservation = gen_random_uuid() where sequence = 3",
            ("INV-6", 3),
            2,
        ),
    ],
)
async def test_what_cannot_be_replayed_ends_the_verification_with_its_place(
    replicas: tuple[Service, Service],
    fresh_database: str,
    statement: str,
    told: tuple[str, int],
    reached: int,
) -> None:
    """INV-10: a hole is told as a violation; nothing behind it is claimed."""
    await replicas[0].account()
    await tamper(fresh_database, statement)

    answer = (await verify(replicas[:1], full=True))[-1]

    assert answer.HasField("consistent")
    assert not answer.consistent
    assert [(each.invariant, each.sequence) for each in answer.violations] == [told]
    assert answer.verified_sequence == reached
    assert answer.next_page_token == ""


async def test_a_verification_goes_on_from_its_own_checkpoint_or_not_at_all(
    replicas: tuple[Service, Service], fresh_database: str
) -> None:
    """A full replay that trusted somebody else's row would not be full."""
    one, two = replicas
    first = await one.stub.VerifyLedger(pb.VerifyLedgerRequest(full=True))
    onward = pb.VerifyLedgerRequest(full=True, page_token=first.next_page_token)
    for wrong in (
        pb.VerifyLedgerRequest(page_token=first.next_page_token),
        pb.VerifyLedgerRequest(full=True, page_token="bm9uZQ"),
    ):
        damaged = await refusal(two.stub.VerifyLedger(wrong))
        assert damaged.reason == "INVALID_FIELD"
        assert damaged.violations[0].field == "page_token"

    await tamper(
        fresh_database,
        "update budget.checkpoints set audit ="
        """ convert_to(replace(convert_from(audit, 'UTF8'), '"spent":5', '"spent":4'), 'UTF8')""",
    )
    replaced = await refusal(two.stub.VerifyLedger(onward))
    await tamper(fresh_database, "update budget.checkpoints set audit = 'damaged'")
    (simple,) = (await verify(replicas))[-1:]
    await tamper(fresh_database, "delete from budget.checkpoints")
    gone = await refusal(two.stub.VerifyLedger(onward))

    assert replaced.reason == gone.reason == "CHECKPOINT_LOST"
    assert replaced.facts == gone.facts == {"sequence": 10}
    assert simple.consistent
    assert simple.checkpoint_sequence == 0
    assert (await verify(replicas, full=True))[-1].consistent


@pytest.mark.parametrize("sequence", [11, 14])
async def test_an_entry_that_cannot_be_read_is_found_with_its_place(
    replicas: tuple[Service, Service], fresh_database: str, sequence: int
) -> None:
    """INV-6: what stands before it was looked at, what stands behind it cannot be."""
    await tamper(
        fresh_database, f"update budget.ledger set fact = '{{}}' where sequence = {sequence}"
    )

    for replica in replicas:  # The first has the account in memory, the second cannot.
        *_, last = await verify([replica], full=replica is replicas[0])

        assert last.HasField("consistent")
        assert not last.consistent
        assert [(found.invariant, found.sequence) for found in last.violations] == [
            ("INV-6", sequence)
        ]
        assert last.violations[0].description.startswith(f"Entry {sequence} of kind HELD")
        assert (last.verified_sequence, last.newest_sequence) == (sequence - 1, ENTRIES)


@pytest.mark.parametrize(
    ("statement", "sequence"),
    [
        ("update budget.ledger set fact = '{}' where sequence = 14", 14),
        ("delete from budget.ledger where sequence = 14", 15),
    ],
)
async def test_who_cannot_read_a_ledger_says_at_which_entry(
    replicas: tuple[Service, Service], fresh_database: str, statement: str, sequence: int
) -> None:
    """T5: no balance can be told, and an operator must not search the log for the reason."""
    await tamper(fresh_database, statement)

    refused = await refusal(replicas[1].stub.GetAccount(pb.GetAccountRequest(name=ACCOUNT)))

    assert refused.reason == "LEDGER_UNREADABLE"
    assert refused.facts == {"sequence": sequence}
    assert f"ntry {sequence}" in refused.message
