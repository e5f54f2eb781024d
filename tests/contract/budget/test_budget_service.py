"""What a caller of BudgetService may rely on, over a real port."""

import asyncio
import inspect
import re
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from uuid import uuid4

import asyncpg
import grpc
import pytest
from arbitragevault.budget.v1 import budget_pb2 as pb
from arbitragevault.budget.v1 import error_reason_pb2
from arbitragevault.budget.v1.budget_pb2_grpc import BudgetServiceStub
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from services.budget.domain import refusals
from services.budget.domain.rules import Rules
from services.budget.storage import readings
from services.budget.usecases import budget as budgets
from services.chassis import sql
from services.chassis.errors import Kind, Refusal
from services.chassis.rpc import client, pages
from services.chassis.rpc.status import refusal_from
from tests.contract.budget.support import (
    Service,
    budget,
    commit,
    extend,
    release,
    report,
    reserve,
    seen,
    span,
)
from tests.support import refusal

pytestmark = pytest.mark.anyio


@pytest.fixture
async def service(fresh_service_database: Callable[[str], str]) -> AsyncIterator[Service]:
    async with budget(fresh_service_database("budget")) as served:
        yield served


async def test_a_repeated_request_is_charged_once(service: Service) -> None:
    """A caller that times out and asks again must not pay twice."""
    await service.report(310)
    request = reserve(300)  # All there is above the floor: a second charge would be refused.

    first = await service.stub.ReserveTokens(request)
    again = await service.stub.ReserveTokens(request)

    assert again.reservation == first.reservation
    assert again.account.available_token_count == 10


async def test_a_reservation_tells_everything_about_itself(service: Service) -> None:
    """T9: usage is read per caller, action, endpoint and job, so each is kept."""
    await service.report(500)
    job = f"jobs/{uuid4()}"
    request = reserve(
        7,
        priority=pb.PRIORITY_JOB,
        action="auto_sourcing_job",
        endpoint="product",
        job=job,
        hold_duration=span(90),
    )

    answer = await service.stub.ReserveTokens(request)

    held = answer.reservation
    assert held.name == f"reservations/{request.request_id}"
    assert held.state == pb.RESERVATION_STATE_HELD
    assert (held.kind, held.priority) == (pb.RESERVATION_KIND_CALL, pb.PRIORITY_JOB)
    assert (held.caller, held.action, held.endpoint) == ("test", "auto_sourcing_job", "product")
    assert (held.job, held.account, held.token_count) == (job, "accounts/default", 7)
    life = held.expire_time.ToDatetime() - held.create_time.ToDatetime()
    assert life == timedelta(seconds=90)
    account = answer.account
    assert (account.balance_token_count, account.available_token_count) == (500, 493)
    assert (account.held_token_count, account.capacity_token_count) == (7, 1200)
    assert account.sequence == held.sequence == 2


async def test_a_refusal_says_exactly_what_is_missing_and_how_long(service: Service) -> None:
    """T8: numbers and the tick model's wait, in details and in trailers."""
    await service.report(12)

    with pytest.raises(grpc.aio.AioRpcError) as failed:
        await service.stub.ReserveTokens(reserve(23))

    error = failed.value
    assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    told = refusal_from(error)
    assert told.reason == "INSUFFICIENT_TOKENS"
    assert told.facts == {"balance": 12, "required": 33, "deficit": 21}
    # Two ticks: the first is 60 s away, the next 60.25 s later, and 300 ms to be certain.
    assert timedelta(seconds=119.5) < told.retry_after < timedelta(seconds=120.56)
    trailers = dict(error.trailing_metadata())
    assert (trailers["x-token-balance"], trailers["x-token-required"]) == ("12", "33")
    assert trailers["retry-after"] in {"120", "121"}
    names = {each.TypeName() for each in rpc_status.from_call(error).details}
    assert names == {
        "google.rpc.ErrorInfo",
        "google.rpc.RetryInfo",
        "google.rpc.QuotaFailure",
    }
    info = error_details_pb2.ErrorInfo()
    rpc_status.from_call(error).details[0].Unpack(info)
    assert info.domain == "budget.arbitragevault"


async def test_a_commit_is_booked_once_and_a_different_one_is_refused(service: Service) -> None:
    """INV-2, INV-4: late, repeated and larger commits are facts; a second amount is not."""
    await service.report(500)
    held = await service.reserve(10)
    request = commit(held, 13, observation=seen(487))

    first = await service.stub.CommitReservation(request)
    again = await service.stub.CommitReservation(request)
    other_id = await service.stub.CommitReservation(commit(held, 13))
    refused = await refusal(service.stub.CommitReservation(commit(held, 9)))

    booked = first.reservation
    assert booked.state == pb.RESERVATION_STATE_COMMITTED
    assert (booked.committed_token_count, booked.overrun_token_count) == (13, 3)
    assert again.reservation == other_id.reservation == booked
    assert first.account.available_token_count == first.account.balance_token_count == 487
    assert first.account.spent_token_count == 13
    assert refused.reason == "COMMIT_CONFLICT"
    assert refused.facts == {"committed": 13, "offered": 9}


async def test_a_commit_without_a_balance_stays_subtracted_until_it_is_covered(
    service: Service,
) -> None:
    """Coverage: only an observation asked for after the commit was read reflects it for sure."""
    await service.report(500)
    held = await service.reserve(10)

    booked = (await service.stub.CommitReservation(commit(held, 10))).account
    early = await service.report(500, after_sequence=booked.sequence - 1)
    late = await service.report(490, after_sequence=booked.sequence)

    assert (booked.available_token_count, booked.uncovered_token_count) == (490, 10)
    assert early.account.available_token_count == 490
    assert late.account.available_token_count == 490
    assert late.account.uncovered_token_count == 0


async def test_a_release_gives_back_once_and_never_what_was_spent(service: Service) -> None:
    """INV-5: tokens return only when they were certainly not spent."""
    await service.report(500)
    unsent, spent = await service.reserve(10), await service.reserve(10)
    await service.stub.CommitReservation(commit(spent, 10, observation=seen(490)))

    first = await service.stub.ReleaseReservation(release(unsent))
    again = await service.stub.ReleaseReservation(release(unsent))
    refused = await refusal(service.stub.ReleaseReservation(release(spent)))
    unfit = await refusal(
        service.stub.ReleaseReservation(
            release(await service.reserve(1), reason=pb.RELEASE_REASON_FINISHED)
        )
    )

    assert first.reservation.state == pb.RESERVATION_STATE_RELEASED
    assert again.reservation == first.reservation
    assert refused.reason == "RESERVATION_ENDED"
    assert refused.facts == {"state": "COMMITTED", "remaining": 0}
    assert unfit.reason == "INVALID_FIELD"


async def test_an_envelope_charges_the_account_once(service: Service) -> None:
    """A job's calls draw on what the job holds; strangers to it cannot be starved or doubled."""
    await service.report(500)
    envelope = await service.reserve(100, kind=pb.RESERVATION_KIND_ENVELOPE)

    call = await service.reserve(30, parent=envelope.name)
    drawn = await service.account()
    await service.stub.CommitReservation(commit(call, 12, observation=seen(488)))
    too_much = await refusal(service.stub.ReserveTokens(reserve(89, parent=envelope.name)))
    told = (
        await service.stub.GetReservation(pb.GetReservationRequest(name=envelope.name))
    ).reservation
    ended = await service.stub.ReleaseReservation(
        release(envelope, reason=pb.RELEASE_REASON_FINISHED)
    )
    after = await refusal(service.stub.ReserveTokens(reserve(1, parent=envelope.name)))

    assert drawn.available_token_count == 400
    assert too_much.reason == "ENVELOPE_EXHAUSTED"
    assert too_much.facts == {"state": "HELD", "remaining": 88, "required": 89}
    assert (told.committed_token_count, told.remaining_token_count) == (12, 88)
    assert ended.reservation.state == pb.RESERVATION_STATE_RELEASED
    assert ended.account.available_token_count == 488
    assert after.reason == "RESERVATION_ENDED"
    assert after.facts == {"state": "RELEASED", "remaining": 0}


async def test_only_envelopes_have_children_and_they_do_not_nest(service: Service) -> None:
    """The contract's two shapes of a reservation stay two."""
    await service.report(500)
    call = await service.reserve(10)
    envelope = await service.reserve(10, kind=pb.RESERVATION_KIND_ENVELOPE)

    of_call = await refusal(service.stub.ReserveTokens(reserve(1, parent=call.name)))
    nested = await refusal(
        service.stub.ReserveTokens(
            reserve(1, parent=envelope.name, kind=pb.RESERVATION_KIND_ENVELOPE)
        )
    )
    committed = await refusal(service.stub.CommitReservation(commit(envelope, 3)))

    assert [each.violations[0].field for each in (of_call, nested, committed)] == [
        "parent",
        "parent",
        "name",
    ]


async def test_an_expiry_moves_later_and_never_earlier(service: Service) -> None:
    """A long call keeps its hold; an ended one cannot be revived."""
    await service.report(500)
    held = await service.reserve(10, hold_duration=span(60))

    longer = (await service.stub.ExtendReservation(extend(held, 120))).reservation
    shorter = (await service.stub.ExtendReservation(extend(held, 5))).reservation
    await service.stub.ReleaseReservation(release(held))
    refused = await refusal(service.stub.ExtendReservation(extend(held, 120)))

    assert longer.expire_time.ToDatetime() > held.expire_time.ToDatetime()
    assert shorter.expire_time == longer.expire_time
    assert refused.reason == "RESERVATION_ENDED"


async def test_an_expired_call_is_unknown_and_a_late_commit_still_counts(
    service: Service,
) -> None:
    """Nobody knows whether it was sent: it stays subtracted until its answer is told."""
    await service.report(500)
    held = await service.reserve(10, hold_duration=span(1))
    await asyncio.sleep(1.05)
    await service.sweep()

    unknown = (
        await service.stub.GetReservation(pb.GetReservationRequest(name=held.name))
    ).reservation
    account = await service.account()
    late = await service.stub.CommitReservation(commit(held, 6, observation=seen(494)))

    assert unknown.state == pb.RESERVATION_STATE_UNKNOWN
    assert unknown.unsettled_token_count == account.unsettled_token_count == 10
    assert account.available_token_count == 490
    assert late.reservation.state == pb.RESERVATION_STATE_COMMITTED
    assert late.account.available_token_count == 494


async def test_a_batch_gives_each_request_its_own_outcome(service: Service) -> None:
    """One round trip, decided in order; a refusal of one is not a refusal of all."""
    await service.report(60)
    requests = [reserve(30), reserve(30), reserve(20), reserve(1300)]

    answer = await service.stub.BatchReserveTokens(pb.BatchReserveTokensRequest(requests=requests))
    again = await service.stub.BatchReserveTokens(pb.BatchReserveTokensRequest(requests=requests))

    outcomes = [each.error.reason or "HELD" for each in answer.results]
    assert outcomes == ["HELD", "INSUFFICIENT_TOKENS", "HELD", "COST_EXCEEDS_CAPACITY"]
    assert [each.request_id for each in answer.results] == [each.request_id for each in requests]
    assert answer.results[1].error.metadata == {
        "balance": "30",
        "required": "40",
        "deficit": "10",
    }
    assert answer.results[1].error.retry_delay.seconds >= 59
    assert [each.reservation for each in again.results] == [
        each.reservation for each in answer.results
    ]
    waits = pb.BatchReserveTokensRequest(requests=[reserve(1, max_wait_duration=span(1))])
    assert (await refusal(service.stub.BatchReserveTokens(waits))).reason == "INVALID_FIELD"


async def test_one_id_twice_in_a_batch_is_one_reservation(service: Service) -> None:
    """A client that doubles a line of its batch pays once and is told the same twice."""
    await service.report(60)
    twice = reserve(30)

    answer = await service.stub.BatchReserveTokens(
        pb.BatchReserveTokensRequest(
            requests=[twice, twice, reserve(31, request_id=twice.request_id)]
        )
    )

    first, second, other = answer.results
    assert first == second
    assert other.error.reason == "REQUEST_ID_REUSED"
    assert (await service.account()).available_token_count == 30


async def test_a_batch_may_draw_on_an_envelope_that_it_makes(service: Service) -> None:
    """The requests are decided in their order, as if they had been asked one by one."""
    await service.report(100)
    await service.report(100, account="accounts/other")
    envelope = reserve(30, kind=pb.RESERVATION_KIND_ENVELOPE, account="accounts/other")
    dear = reserve(95, kind=pb.RESERVATION_KIND_ENVELOPE)
    parents = [f"reservations/{each.request_id}" for each in (envelope, dear)]
    draws = [reserve(20, parent=parents[0]), reserve(20, parent=parents[0])]
    asked = [envelope, *draws, dear, reserve(1, parent=parents[1])]

    answer = await service.stub.BatchReserveTokens(pb.BatchReserveTokensRequest(requests=asked))

    reasons = [each.error.reason for each in answer.results]
    assert reasons == ["", "", "ENVELOPE_EXHAUSTED", "INSUFFICIENT_TOKENS", "RESERVATION_NOT_FOUND"]
    drawn = answer.results[1].reservation
    assert (drawn.parent, drawn.account) == (parents[0], "accounts/other")
    assert (await service.account()).available_token_count == 100


async def test_reservations_are_listed_newest_first_and_by_filter(service: Service) -> None:
    """Pages are bound to their filters and never repeat or skip."""
    await service.report(1000)
    envelope = await service.reserve(100, kind=pb.RESERVATION_KIND_ENVELOPE)
    children = [await service.reserve(1, parent=envelope.name) for _ in range(5)]
    await service.stub.CommitReservation(commit(children[0], 1))
    request = pb.ListReservationsRequest(page_size=4)

    first = await service.stub.ListReservations(request)
    request.page_token = first.next_page_token
    second = await service.stub.ListReservations(request)
    held = await service.stub.ListReservations(
        pb.ListReservationsRequest(state=pb.RESERVATION_STATE_HELD, parent=envelope.name)
    )
    stolen = pb.ListReservationsRequest(parent=envelope.name, page_token=first.next_page_token)

    names = [each.name for each in (*first.reservations, *second.reservations)]
    assert names == [each.name for each in reversed([envelope, *children])]
    assert [each.name for each in held.reservations] == [
        each.name for each in reversed(children[1:])
    ]
    assert (await refusal(service.stub.ListReservations(stolen))).reason == "INVALID_FIELD"
    damaged = pb.ListReservationsRequest(page_token="????")
    assert (await refusal(service.stub.ListReservations(damaged))).reason == "INVALID_FIELD"


async def test_a_page_token_that_nobody_gave_is_refused(service: Service) -> None:
    """A damaged or forged token never starts over in silence, nor fails inside."""
    await service.report(100)
    first = await service.stub.ListLedgerEntries(pb.ListLedgerEntriesRequest(page_size=1))

    for place in (10**30, -1, "1", 0.5):
        forged = pages.token(pb.ListLedgerEntriesRequest(), place)
        entries = pb.ListLedgerEntriesRequest(page_token=forged)
        assert (await refusal(service.stub.ListLedgerEntries(entries))).reason == "INVALID_FIELD"
    unstorable = pages.token(pb.ListAccountsRequest(), "\0")
    accounts = pb.ListAccountsRequest(page_token=unstorable)
    assert (await refusal(service.stub.ListAccounts(accounts))).reason == "INVALID_FIELD"
    for token in ("auto_sourcing_job", "AAAA", "W10=", first.next_page_token):
        accounts = pb.ListAccountsRequest(page_token=token)
        actions = pb.ListActionsRequest(page_token=token)
        told = [
            await refusal(service.stub.ListAccounts(accounts)),
            await refusal(service.stub.ListActions(actions)),
        ]
        assert {each.reason for each in told} == {"INVALID_FIELD"}, token


async def test_the_newest_report_by_keepas_own_time_wins(service: Service) -> None:
    """T6, INV-7: answers overtake each other; arrival proves nothing."""
    newer, older = report(400), report(480)
    older.observation.keepa_time.seconds = newer.observation.keepa_time.seconds - 5

    first = await service.stub.ReportBalance(newer)
    second = await service.stub.ReportBalance(older)
    zeros = await service.stub.ReportBalance(
        report(0, observation=seen(0, refill_rate=0, refill_wait_duration=span(0)))
    )

    assert (first.accepted, second.accepted, zeros.accepted) == (True, False, False)
    assert zeros.account.balance_token_count == 400


async def test_accounts_have_a_limit(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each costs a sweep every second: whoever makes names up must not make them all accounts."""
    monkeypatch.setattr(budgets, "MOST_ACCOUNTS", 2)
    await service.report(77, account="accounts/second-key")

    refused = await refusal(service.report(77, account="accounts/third-key"))
    known = await service.report(76, account="accounts/second-key")

    assert refused.reason == "TOO_MANY_ACCOUNTS"
    assert refused.facts == {"limit": 2}
    assert known.accepted
    listed = await service.stub.ListAccounts(pb.ListAccountsRequest())
    assert len(listed.accounts) == 2


async def test_the_first_report_creates_an_account(service: Service) -> None:
    """The gateway names its key's account; nothing is configured here."""
    await service.report(77, account="accounts/second-key")

    told = (await service.stub.GetAccount(pb.GetAccountRequest(name="accounts/second-key"))).account
    page = await service.stub.ListAccounts(pb.ListAccountsRequest(page_size=1))
    rest = await service.stub.ListAccounts(pb.ListAccountsRequest(page_token=page.next_page_token))

    assert told.balance_token_count == 77
    listed = [*page.accounts, *rest.accounts]
    assert [each.name for each in listed] == ["accounts/default", "accounts/second-key"]
    assert listed[0].state == pb.BALANCE_STATE_NEVER_OBSERVED


async def test_an_account_tells_how_low_it_is(service: Service) -> None:
    """T4: the text is fixed, because people search for it."""
    await service.report(17)

    account = await service.account()

    assert account.level == pb.BALANCE_LEVEL_LOW
    assert account.warning == "Keepa token balance low: 17 tokens (safety buffer: 20)"
    assert account.state == pb.BALANCE_STATE_KNOWN
    assert account.observation.token_count == 17
    until_tick = account.next_tick_time.ToDatetime() - account.observe_time.ToDatetime()
    assert until_tick == timedelta(seconds=60.3)


async def test_an_action_is_checked_without_taking_anything(service: Service) -> None:
    """T2: allowed, balance, required, deficit and when, from the price or an estimate."""
    await service.report(100)
    check = service.stub.CheckAction

    search = await check(pb.CheckActionRequest(name="actions/manual_search"))
    job = await check(pb.CheckActionRequest(name="actions/auto_sourcing_job"))
    small = await check(
        pb.CheckActionRequest(name="actions/auto_sourcing_job", estimate_token_count=5)
    )
    never = await check(
        pb.CheckActionRequest(name="actions/surprise_me", estimate_token_count=2000)
    )
    unknown = await refusal(check(pb.CheckActionRequest(name="actions/fly")))

    assert (search.allowed, search.required_token_count) == (True, 20)
    assert (job.allowed, job.required_token_count, job.deficit_token_count) == (False, 210, 110)
    assert job.wait_duration.seconds in range(5 * 60, 7 * 60)
    assert (small.allowed, small.required_token_count) == (True, 50)
    assert not never.allowed
    assert not never.HasField("start_time")
    assert unknown.reason == "ACTION_NOT_FOUND"
    assert (await service.account()).available_token_count == 100


async def test_the_actions_and_their_prices_are_published(service: Service) -> None:
    """T1: the registry is the contract's, not a constant in each caller."""
    first = await service.stub.ListActions(pb.ListActionsRequest(page_size=2))
    rest = await service.stub.ListActions(pb.ListActionsRequest(page_token=first.next_page_token))

    prices = {each.name: each.token_count for each in (*first.actions, *rest.actions)}
    assert prices == {
        "actions/auto_sourcing_job": 200,
        "actions/manual_search": 10,
        "actions/niche_discovery": 150,
        "actions/product_lookup": 1,
        "actions/surprise_me": 50,
    }


async def test_the_ledger_is_listed_in_order_and_by_filter(service: Service) -> None:
    """The audit: what happened, to whom, with what left."""
    await service.report(500)
    held = await service.reserve(10, job=f"jobs/{uuid4()}")
    await service.stub.CommitReservation(commit(held, 12, observation=seen(480)))
    request = pb.ListLedgerEntriesRequest(page_size=3)

    first = await service.stub.ListLedgerEntries(request)
    request.page_token = first.next_page_token
    second = await service.stub.ListLedgerEntries(request)
    of_job = await service.stub.ListLedgerEntries(pb.ListLedgerEntriesRequest(job=held.job))
    foreign = await service.stub.ListLedgerEntries(
        pb.ListLedgerEntriesRequest(kind=pb.LEDGER_ENTRY_KIND_FOREIGN)
    )

    entries = [*first.entries, *second.entries]
    kinds = [pb.LedgerEntryKind.Name(each.kind)[18:] for each in entries]
    assert kinds == ["OBSERVED", "HELD", "COMMITTED", "OVERRUN", "OBSERVED", "FOREIGN"]
    assert [each.sequence for each in entries] == [1, 2, 3, 4, 5, 6]
    assert [each.token_count for each in entries] == [500, 10, 12, 2, 480, 8]
    assert entries[-1].available_token_count == 480
    assert {each.reservation for each in of_job.entries} == {held.name}
    assert [each.sequence for each in foreign.entries] == [6]


async def test_one_account_that_cannot_be_read_hides_no_other(
    service: Service, fresh_database: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """T1: one key's ledger is damaged; who has three keys must see the other two."""
    for account in ("first", "second", "third"):
        await service.report(100, account=f"accounts/{account}")
    connection = await asyncpg.connect(sql.plain_url(fresh_database))
    await connection.execute(
        """insert into budget.ledger (account, sequence, kind, at, tokens, available, caller,
            action, endpoint, content, fact)
        values ('second', 2, 'PROMISED', now(), 1, 1, '', '', '', '', '{}')"""
    )
    await connection.close()

    await service.desk.warm()  # A start comes through, and says so once.
    await service.desk.warm()
    told = capsys.readouterr().err
    request, listed, unreachable = pb.ListAccountsRequest(page_size=1), [], []
    while True:
        page = await service.stub.ListAccounts(request)
        listed += [each.name for each in page.accounts]
        unreachable += page.unreachable
        request.page_token = page.next_page_token
        if not page.next_page_token:
            break
    refused = await refusal(service.stub.GetAccount(pb.GetAccountRequest(name="accounts/second")))

    assert listed == ["accounts/default", "accounts/first", "accounts/third"]
    assert unreachable == ["accounts/second"]
    assert (refused.reason, refused.facts) == ("LEDGER_UNREADABLE", {"sequence": 2})
    assert told.count("Entry 2 of kind PROMISED") == 1
    assert "Entry 2 of kind PROMISED" in capsys.readouterr().err


async def test_usage_is_summed_by_what_was_asked(service: Service) -> None:
    """T9: who spent what on which day, each call once."""
    await service.report(900)
    for endpoint, tokens in (("product", 10), ("product", 5), ("query", 11)):
        held = await service.reserve(tokens, endpoint=endpoint, action="manual_search")
        await service.stub.CommitReservation(commit(held, tokens))

    usage = await service.stub.GetUsage(
        pb.GetUsageRequest(dimensions=[pb.USAGE_DIMENSION_ENDPOINT, pb.USAGE_DIMENSION_CALLER])
    )
    by_day = await service.stub.GetUsage(pb.GetUsageRequest(dimensions=[pb.USAGE_DIMENSION_DAY]))

    rows = [(row.endpoint, row.caller, row.token_count, row.call_count) for row in usage.rows]
    assert rows == [("product", "test", 15, 2), ("query", "test", 11, 1)]
    assert usage.total_token_count == by_day.rows[0].token_count == 26
    assert len(by_day.rows[0].day) == 10


async def test_usage_of_too_long_a_span_is_refused_with_its_size(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """T9, A13: it ended as if the database were away, which a client asks again."""
    monkeypatch.setattr(readings, "MOST_SUMMED", 1)
    await service.report(900)
    await service.reserve(10)

    request = pb.GetUsageRequest(dimensions=[pb.USAGE_DIMENSION_DAY])
    refused = await refusal(service.stub.GetUsage(request))

    assert (refused.reason, refused.kind) == ("USAGE_TOO_LARGE", Kind.FAILED_PRECONDITION)
    assert refused.facts == {"entries": 2, "limit": 1}


async def test_usage_tells_the_unknown_until_it_is_known(service: Service) -> None:
    """T9: what was never sent is not owed for ever, and what was committed late is told once."""
    await service.report(500)
    sent, never_sent, _ = [
        await service.reserve(tokens, hold_duration=span(1)) for tokens in (10, 20, 40)
    ]
    await asyncio.sleep(1.05)
    await service.sweep()
    request = pb.GetUsageRequest(dimensions=[pb.USAGE_DIMENSION_ENDPOINT])

    before = (await service.stub.GetUsage(request)).rows[0]
    await service.stub.CommitReservation(commit(sent, 6))
    await service.stub.ReleaseReservation(release(never_sent))
    after = (await service.stub.GetUsage(request)).rows[0]

    assert (before.token_count, before.call_count, before.unsettled_token_count) == (0, 0, 70)
    assert (after.token_count, after.call_count, after.unsettled_token_count) == (6, 1, 40)


async def test_a_ledger_verifies_itself(service: Service) -> None:
    """INV-6 in production: a replay from zero gives the state in use."""
    await service.report(500)
    held = await service.reserve(10)
    await service.stub.CommitReservation(commit(held, 4))

    answer = await service.stub.VerifyLedger(pb.VerifyLedgerRequest())

    assert answer == pb.VerifyLedgerResponse(
        consistent=True,
        entry_count=3,
        spent_token_count=4,
        verified_sequence=3,
        newest_sequence=3,
    )


async def test_an_account_can_be_watched_and_resumed(service: Service) -> None:
    """T9: the balance live; a reader that reconnects misses nothing."""
    await service.report(500)
    watch = service.stub.WatchAccount(pb.WatchAccountRequest(name="accounts/default"))

    first = await watch.read()
    held = await service.reserve(10)
    second = await watch.read()
    watch.cancel()
    await service.stub.ReleaseReservation(release(held))
    resumed = service.stub.WatchAccount(
        pb.WatchAccountRequest(name="accounts/default", after_sequence=second.entry.sequence)
    )
    state, missed = await resumed.read(), await resumed.read()
    resumed.cancel()

    assert not first.HasField("entry")
    assert (first.account.sequence, first.after_sequence) == (1, 1)
    assert second.entry.kind == pb.LEDGER_ENTRY_KIND_HELD
    assert second.account.available_token_count == 490
    assert (state.account.sequence, state.after_sequence) == (3, 2)
    assert missed.entry.sequence == 3
    assert missed.entry.kind == pb.LEDGER_ENTRY_KIND_RELEASED


async def test_a_wait_ends_before_the_callers_deadline(service: Service) -> None:
    """A wait that outlives its caller helps nobody; the answer arrives in time."""
    await service.report(15)
    request = reserve(30, max_wait_duration=span(600))

    for _ in range(20):  # The caller's own clock may strike first on a machine that stalls.
        ended = await refusal(service.stub.ReserveTokens(request, timeout=1.0))
        if not ended.reason.startswith("DEADLINE"):
            break

    assert ended.reason == "WAIT_TIMEOUT"
    assert ended.facts["deficit"] == 25
    assert ended.retry_after > timedelta(seconds=60)


async def test_a_full_queue_refuses_at_once(service: Service) -> None:
    """A bound on everything: the queue never grows without limit."""
    service.desk._rules = Rules(queue_limit=1)
    await service.report(15)

    first = asyncio.create_task(
        refusal(service.stub.ReserveTokens(reserve(30, max_wait_duration=span(60))))
    )
    while not (await service.account()).waiting_count:  # noqa: ASYNC110 - it is on its way there
        await asyncio.sleep(0.01)
    refused = await refusal(service.stub.ReserveTokens(reserve(30, max_wait_duration=span(1))))

    assert refused.reason == "QUEUE_FULL"
    assert refused.facts == {"limit": 1, "balance": 15, "required": 40, "deficit": 25}
    first.cancel()
    await asyncio.wait([first])


async def test_nothing_is_granted_on_an_unknown_balance(service: Service) -> None:
    """T5, INC-3: no fallback number, ever."""
    refused = await refusal(service.stub.ReserveTokens(reserve(1)))
    checked = await refusal(
        service.stub.CheckAction(pb.CheckActionRequest(name="actions/product_lookup"))
    )

    assert refused.reason == checked.reason == "BALANCE_UNKNOWN"
    assert refused.retry_after == timedelta(seconds=1)


@pytest.mark.parametrize(
    ("tokens", "gate", "required"), [(1200, 0, 1210), (5, 1201, 1201), (10_000_000, 0, 10_000_010)]
)
async def test_what_never_fits_is_refused_at_once(
    service: Service, tokens: int, gate: int, required: int
) -> None:
    """INC-8: a call larger than the bucket waited for ever."""
    await service.report(1200)

    refused = await refusal(
        service.stub.ReserveTokens(
            reserve(tokens, gate_token_count=gate, max_wait_duration=span(600))
        )
    )

    assert refused.reason == "COST_EXCEEDS_CAPACITY"
    assert refused.facts == {"required": required, "capacity": 1200}
    assert refused.retry_after is None


async def test_ids_name_one_request_and_one_resource(service: Service) -> None:
    """Mistakes of callers are told apart from lacks of tokens."""
    await service.report(500)
    held = await service.reserve(10)
    key = held.name.removeprefix("reservations/")
    nobody = pb.Reservation(name=f"reservations/{uuid4()}")

    other = await refusal(service.stub.ReserveTokens(reserve(11, request_id=key)))
    as_commit = await refusal(service.stub.CommitReservation(commit(held, 5, request_id=key)))
    missing = await refusal(service.stub.CommitReservation(commit(nobody, 5)))
    unread = await refusal(service.stub.GetReservation(pb.GetReservationRequest(name=nobody.name)))
    account = await refusal(service.stub.ReserveTokens(reserve(1, account="accounts/none")))

    assert other.reason == as_commit.reason == "REQUEST_ID_REUSED"
    assert missing.reason == unread.reason == "RESERVATION_NOT_FOUND"
    assert missing.resource[1] == nobody.name
    assert account.reason == "ACCOUNT_NOT_FOUND"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("request_id", "not-a-uuid"),
        ("request_id", "00000000-0000-0000-0000-000000000000"),
        ("token_count", 0),
        ("token_count", -5),
        ("token_count", 2**63 - 1),
        ("account", "accounts/UPPER"),
        ("parent", "reservations/short"),
        ("parent", "reservations/------------------------------------"),
        ("hold_duration", span(0.5)),
        ("hold_duration", span(1e9)),
        ("max_wait_duration", span(-1)),
        ("gate_token_count", -1),
        ("action", "a" * 65),
        ("priority", 99),
    ],
)
async def test_fields_out_of_range_are_named(service: Service, field: str, value: object) -> None:
    """S14: nothing outside its declared range reaches the ledger."""
    refused = await refusal(service.stub.ReserveTokens(reserve(1)))
    assert refused.reason == "BALANCE_UNKNOWN"

    refused = await refusal(service.stub.ReserveTokens(reserve(**{"tokens": 1, field: value})))

    assert refused.reason == "INVALID_FIELD"
    assert refused.violations[0].field.startswith(field)
    assert (await service.account()).sequence == 0


def test_every_reason_of_the_ledger_is_in_the_contract() -> None:
    """A reason that the contract does not know cannot be planned for."""
    known = {value.name for value in error_reason_pb2.ErrorReason.DESCRIPTOR.values}
    used = set(re.findall(r'"([A-Z]+(?:_[A-Z]+)*)"', inspect.getsource(refusals)))

    assert len(used) > 10
    assert {f"ERROR_REASON_{reason}" for reason in used} <= known


async def test_the_caller_is_kept_from_its_own_word(service: Service) -> None:
    """Until identities come from certificates, `x-caller` names the caller."""
    await service.report(500)
    async with client.create_channel(service.served.address, caller="keepa_gateway") as channel:
        answer = await BudgetServiceStub(channel).ReserveTokens(reserve(1))

    assert answer.reservation.caller == "keepa_gateway"


async def test_an_unreachable_database_is_said_so() -> None:
    """Callers repeat the same request; nothing is known to be stored."""
    async with budget("postgresql+asyncpg://budget:x@127.0.0.1:1/none") as service:
        refused = await refusal(service.stub.ReserveTokens(reserve(1)))

    assert isinstance(refused, Refusal)
    assert refused.reason == "STORAGE_UNAVAILABLE"
    assert refused.retry_after == timedelta(seconds=1)
