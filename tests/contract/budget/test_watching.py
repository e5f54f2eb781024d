"""What a reader of a live account may rely on when it comes back, over real ports."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import grpc.aio
import pytest
from arbitragevault.budget.v1 import budget_pb2 as pb
from arbitragevault.budget.v1.budget_pb2_grpc import BudgetServiceStub

from services.budget.storage.readings import PostgresReadings
from services.budget.usecases.readings import MISSED_LIMIT
from services.budget.usecases.writer import FOLLOWER_QUEUE
from services.chassis.errors import Refusal
from services.chassis.rpc.status import refusal_from
from tests.bench.restart import fill
from tests.contract.budget.support import Service, budget, reserve, seen

pytestmark = pytest.mark.anyio

PATIENCE = 60.0  # Seconds until a stream that should have told more is given up.
NARROW = [("grpc.http2.bdp_probe", 0), ("grpc.http2.lookahead_bytes", 65_535)]


@pytest.fixture
async def replicas(
    fresh_service_database: Callable[[str], str],
) -> AsyncIterator[tuple[Service, Service]]:
    url = fresh_service_database("budget")
    async with budget(url) as one, budget(url) as two:
        yield one, two


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """Which stretches of the ledger are read from here on: after what, and how many entries."""
    stretches: list[tuple[int, int]] = []
    honest = PostgresReadings.page

    async def page(self: PostgresReadings, account: str, after: int, limit: int) -> Any:
        found = await honest(self, account, after, limit)
        stretches.append((after, len(found)))
        return found

    monkeypatch.setattr(PostgresReadings, "page", page)
    return stretches


async def watching(service: Service, count: int, after: int | None = None) -> list[Any]:
    """Watch until so many messages have come."""
    request = pb.WatchAccountRequest(name="accounts/default", after_sequence=after)
    stream = service.stub.WatchAccount(request, timeout=PATIENCE)
    messages = [await stream.read() for _ in range(count)]
    stream.cancel()
    return messages


async def test_a_reader_goes_on_at_another_replica_with_what_it_missed_and_then_what_is_new(
    replicas: tuple[Service, Service], read: list[tuple[int, int]]
) -> None:
    """T9: no gap and no repetition, whichever replica answers; what was missed is not replayed."""
    one, two = replicas
    await one.report(500)
    for _ in range(6):
        await one.reserve(10)
    await two.account()
    read.clear()

    request = pb.WatchAccountRequest(name="accounts/default", after_sequence=4)
    stream = two.stub.WatchAccount(request, timeout=PATIENCE)
    opening, *missed = [await stream.read() for _ in range(4)]
    stretches = list(read)
    await one.reserve(10)
    await two.account()
    new = await stream.read()
    stream.cancel()

    assert (opening.account.sequence, opening.after_sequence) == (7, 4)
    assert [each.entry.sequence for each in missed] == [5, 6, 7]
    assert [each.entry.available_token_count for each in missed] == [460, 450, 440]
    assert not any(each.HasField("account") for each in missed)
    assert (new.entry.sequence, new.account.sequence) == (8, 8)
    assert new.account.available_token_count == 430
    assert stretches == [(4, 3)]


async def test_without_a_sequence_only_new_entries_come_and_after_zero_all(
    replicas: tuple[Service, Service],
) -> None:
    """A reader of an empty account that comes back after its first entry has missed that one."""
    one, _ = replicas
    await one.report(500)

    (fresh,) = await watching(one, 1)
    opening, first = await watching(one, 2, after=0)

    assert fresh.after_sequence == 1
    assert opening.after_sequence == 0
    assert first.entry.kind == pb.LEDGER_ENTRY_KIND_OBSERVED


async def test_who_missed_more_than_the_limit_begins_afresh_and_is_told(
    fresh_database: str,
    fresh_service_database: Callable[[str], str],
    read: list[tuple[int, int]],
) -> None:
    """A reader that was away for a month must not make a replica replay that month."""
    await fill(fresh_database, MISSED_LIMIT + 1_001)
    async with budget(fresh_service_database("budget")) as service:
        await service.report(500)  # The balance that was filled in is long out of date.
        newest = (await service.account()).sequence
        read.clear()

        within = await watching(service, MISSED_LIMIT + 1, after=newest - MISSED_LIMIT)
        most = sum(entries for _, entries in read)
        read.clear()
        request = pb.WatchAccountRequest(
            name="accounts/default", after_sequence=newest - MISSED_LIMIT - 1
        )
        stream = service.stub.WatchAccount(request, timeout=PATIENCE)
        opening = await stream.read()
        await service.reserve(10)
        new = await stream.read()
        stream.cancel()

    assert within[0].after_sequence == newest - MISSED_LIMIT
    sequences = [each.entry.sequence for each in within[1:]]
    assert sequences == list(range(newest - MISSED_LIMIT + 1, newest + 1))
    assert most == MISSED_LIMIT
    assert opening.after_sequence == opening.account.sequence == newest
    assert (new.entry.sequence, new.account.sequence) == (newest + 1, newest + 1)
    assert read == []


async def test_a_sequence_that_the_ledger_has_not_come_to_is_refused(
    replicas: tuple[Service, Service],
) -> None:
    """A reader of another ledger, or of one that was restored, would miss everything silently."""
    one, two = replicas
    await one.report(500)
    request = pb.WatchAccountRequest(name="accounts/default", after_sequence=2)

    with pytest.raises(grpc.aio.AioRpcError) as ended:
        await two.stub.WatchAccount(request, timeout=PATIENCE).read()
    refused = refusal_from(ended.value)
    await one.reserve(10)
    (opening,) = await watching(two, 1, after=2)

    assert ended.value.code() is grpc.StatusCode.FAILED_PRECONDITION
    assert refused.reason == "SEQUENCE_AHEAD"
    assert refused.facts == {"after_sequence": 2, "newest_sequence": 1}
    assert opening.after_sequence == 2


async def test_a_reader_that_does_not_read_is_ended_and_resumes_without_a_gap(
    replicas: tuple[Service, Service],
) -> None:
    """A stream is bounded on the server, too; what a reader got before its end is whole."""
    one, two = replicas
    await one.report(6000, observation=seen(6000, refill_rate=100))
    async with grpc.aio.insecure_channel(one.served.address, options=NARROW) as channel:
        request = pb.WatchAccountRequest(name="accounts/default")
        stream = BudgetServiceStub(channel).WatchAccount(request, timeout=PATIENCE)
        await stream.read()
        for _ in range(3):
            many = [reserve() for _ in range(FOLLOWER_QUEUE)]
            await one.stub.BatchReserveTokens(pb.BatchReserveTokensRequest(requests=many))
        got, ended = await until_ended(stream)
    newest = (await two.account()).sequence
    opening, *rest = await watching(two, 1 + newest - got[-1], after=got[-1])

    assert ended.reason == "SLOW_READER"
    assert ended.facts == {"limit": FOLLOWER_QUEUE}
    assert FOLLOWER_QUEUE <= len(got) < 3 * FOLLOWER_QUEUE
    assert opening.after_sequence == got[-1]
    assert [*got, *(each.entry.sequence for each in rest)] == list(range(2, newest + 1))


async def until_ended(stream: Any) -> tuple[list[int], Refusal]:
    """Read to the end of a stream; return the sequences, and why it ended."""
    got: list[int] = []
    try:
        while message := await stream.read():
            got.append(message.entry.sequence)
    except grpc.aio.AioRpcError as error:
        return got, refusal_from(error)
    raise AssertionError("expected the stream to be ended")
