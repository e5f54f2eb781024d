"""Small parts: names on the broker, headers, traces, database errors, loops, the fake clock."""

import asyncio
import uuid
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest
from arbitragevault.keepa_gateway.v1 import events_pb2
from sqlalchemy import exc

from services.chassis import loops, sql
from services.chassis.events import names
from services.chassis.events.publisher import Outgoing, headers
from services.chassis.loops import Loop, supervise
from services.chassis.rpc import call
from tests.support import FakeClock

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def test_every_name_on_the_broker_follows_from_the_messages_name() -> None:
    """A table of subjects would go stale."""
    event = events_pb2.KeyRejected

    assert names.subject(event) == "arbitragevault.keepa_gateway.v1.KeyRejected"
    assert names.publisher_of(names.subject(event)) == "keepa_gateway"
    assert names.stream_name("keepa_gateway") == "ARBITRAGEVAULT_KEEPA_GATEWAY"
    assert names.stream_subjects("keepa_gateway") == "arbitragevault.keepa_gateway.v1.*"
    assert names.durable_name("discovery", event) == "discovery-KeyRejected"


@pytest.mark.parametrize("name", ["x.budget.v1.E", "arbitragevault.budget", "", "a.b.c.d.e"])
def test_a_foreign_subject_has_no_publisher(name: str) -> None:
    """Readers take events of ours only."""
    with pytest.raises(ValueError):  # noqa: PT011 - two kinds of wrong, one answer
        names.publisher_of(name)


def test_the_headers_are_cloudevents_in_binary_mode() -> None:
    """Tools that know CloudEvents can read our events."""
    occurred = datetime(2026, 1, 2, 3, 4, 5, 678_000, tzinfo=UTC)
    event = Outgoing(uuid.UUID(int=1), "arbitragevault.budget.v1.BalanceLow", b"", occurred, TRACE)

    assert headers(event) == {
        "Nats-Msg-Id": str(uuid.UUID(int=1)),
        "traceparent": TRACE,
        "ce-specversion": "1.0",
        "ce-id": str(uuid.UUID(int=1)),
        "ce-source": "/budget",
        "ce-type": "arbitragevault.budget.v1.BalanceLow",
        "ce-time": "2026-01-02T03:04:05.678000Z",
        "ce-datacontenttype": "application/protobuf",
        "ce-dataschema": "arbitragevault.budget.v1.BalanceLow",
        "ce-traceparent": TRACE,
    }


def test_a_trace_is_continued_with_a_span_of_our_own() -> None:
    """The sampling decision stays the first one's."""
    following = call.next_hop(TRACE)

    assert following[:36] == TRACE[:36]
    assert following[36:52] != TRACE[36:52]
    assert following.endswith("-01")


@pytest.mark.parametrize(
    "bad", ["", "x", TRACE + "0", TRACE.upper(), "00-" + "0" * 32 + TRACE[35:]]
)
def test_a_damaged_trace_begins_a_new_one(bad: str) -> None:
    """A stranger's header must not end up in ours as it stands."""
    assert call._TRACEPARENT.fullmatch(call.next_hop(bad))


@pytest.mark.parametrize(
    ("error", "passes"),
    [
        (exc.TimeoutError(), True),
        (exc.OperationalError("", {}, ConnectionRefusedError()), True),
        (exc.DBAPIError("", {}, Exception(), connection_invalidated=True), True),
        (asyncpg.CannotConnectNowError("starting up"), True),
        (asyncpg.TooManyConnectionsError("too many"), True),
        (asyncpg.DeadlockDetectedError("deadlock"), True),
        (asyncpg.SerializationError("serialization"), True),
        (asyncpg.LockNotAvailableError("lock timeout"), True),
        (asyncpg.QueryCanceledError("statement timeout"), True),
        (asyncpg.UniqueViolationError("twice"), False),
        (asyncpg.UndefinedTableError("no table"), False),
        (asyncpg.InsufficientPrivilegeError("denied"), False),
        (ValueError(), False),
        (TimeoutError(), False),
    ],
)
def test_only_a_database_that_may_answer_later_is_away(error: Exception, passes: bool) -> None:  # noqa: FBT001 - a column of the table
    """A wrong statement stays wrong however often it is repeated; a timeout may be anybody's."""
    assert sql.unavailable(error) is passes


@pytest.mark.anyio
async def test_a_loop_that_fails_is_run_again_and_one_that_ends_is_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Only a failure asks for another try."""
    monkeypatch.setattr(loops, "_SHORTEST_PAUSE_SECONDS", 0.0)
    runs = 0

    async def fail_twice() -> None:
        nonlocal runs
        runs += 1
        if runs < 3:
            raise ValueError(runs)

    async with asyncio.timeout(30):
        await supervise(Loop("test", fail_twice))

    assert runs == 3


def test_the_fake_clock_tells_both_times_alike_and_jumps_only_one() -> None:
    """Waits are measured on the steady clock, so a jump must not touch it."""
    clock = FakeClock()
    before, steady = clock.now(), clock.monotonic()

    clock.advance(timedelta(seconds=60, milliseconds=200))
    clock.jump(-timedelta(hours=1))

    assert clock.now() - before == timedelta(seconds=60.2) - timedelta(hours=1)
    assert clock.monotonic() - steady == pytest.approx(60.2)
    assert clock.now().tzinfo is UTC
