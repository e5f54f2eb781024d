"""BudgetService on the wire: the request as a value, the answer, the answer as a response."""
# ruff: noqa: ARG002 - the contract fixes the parameters

from collections.abc import AsyncIterator
from datetime import timedelta

from arbitragevault.budget.v1 import budget_pb2 as pb
from arbitragevault.budget.v1 import budget_pb2_grpc
from google.protobuf.duration_pb2 import Duration

from services.budget.api import requests, responses
from services.budget.domain.reservation import Reservation
from services.budget.usecases.budget import Budget
from services.budget.usecases.readings import Readings, actions
from services.budget.usecases.writer import Told
from services.chassis.errors import Refusal, invalid_field
from services.chassis.rpc import pages, times
from services.chassis.rpc.call import Context, current_call


class BudgetServicer(budget_pb2_grpc.BudgetServiceServicer):
    """Translates between the contract and the use cases; decides nothing itself."""

    def __init__(self, budget: Budget, readings: Readings) -> None:
        self._budget = budget
        self._readings = readings

    async def ReserveTokens(
        self, request: pb.ReserveTokensRequest, context: Context
    ) -> pb.ReserveTokensResponse:
        """Set tokens aside."""
        call = current_call()
        told = await self._budget.reserve(
            requests.terms(request, call.caller),
            requests.max_wait(request, call.remaining()),
        )
        return pb.ReserveTokensResponse(
            reservation=_reservation(told),
            account=_account(told),
            remaining_hold_duration=_remaining(told),
        )

    async def CommitReservation(
        self, request: pb.CommitReservationRequest, context: Context
    ) -> pb.CommitReservationResponse:
        """Book what a call consumed."""
        told = await self._budget.commit(requests.commit(request))
        return pb.CommitReservationResponse(reservation=_reservation(told), account=_account(told))

    async def ReleaseReservation(
        self, request: pb.ReleaseReservationRequest, context: Context
    ) -> pb.ReleaseReservationResponse:
        """Give tokens back."""
        told = await self._budget.release(requests.release(request))
        return pb.ReleaseReservationResponse(reservation=_reservation(told), account=_account(told))

    async def ExtendReservation(
        self, request: pb.ExtendReservationRequest, context: Context
    ) -> pb.ExtendReservationResponse:
        """Move an expiry."""
        told = await self._budget.extend(requests.extend(request))
        return pb.ExtendReservationResponse(reservation=_reservation(told))

    async def BatchReserveTokens(
        self, request: pb.BatchReserveTokensRequest, context: Context
    ) -> pb.BatchReserveTokensResponse:
        """Reserve for many calls at once."""
        for number, single in enumerate(request.requests):
            if single.HasField("max_wait_duration") and single.max_wait_duration.ToTimedelta():
                raise invalid_field(f"requests[{number}].max_wait_duration", "must be absent.")
        caller = current_call().caller
        many = [requests.terms(single, caller) for single in request.requests]
        outcomes = await self._budget.reserve_all(many)
        answer = pb.BatchReserveTokensResponse()
        for single, outcome in zip(request.requests, outcomes, strict=True):
            result = answer.results.add(request_id=single.request_id)
            if isinstance(outcome, Refusal):
                result.error.CopyFrom(_error(outcome))
            else:
                assert isinstance(outcome.answer, Reservation)
                responses.write(outcome.answer, result.reservation)
        return answer

    async def GetReservation(
        self, request: pb.GetReservationRequest, context: Context
    ) -> pb.GetReservationResponse:
        """Read one reservation."""
        told = await self._readings.reservation(requests.reservation(request.name))
        return pb.GetReservationResponse(reservation=responses.reservation(told))

    async def ListReservations(
        self, request: pb.ListReservationsRequest, context: Context
    ) -> pb.ListReservationsResponse:
        """List reservations, newest first."""
        query = requests.reservation_query(request)
        found, onward = await self._readings.reservations(query)
        return pb.ListReservationsResponse(
            reservations=map(responses.reservation, found),
            next_page_token=requests.page_token(request, onward),
        )

    async def ReportBalance(
        self, request: pb.ReportBalanceRequest, context: Context
    ) -> pb.ReportBalanceResponse:
        """Record a balance."""
        account = requests.account(request.account)
        told = await self._budget.report(account, requests.report(request))
        return pb.ReportBalanceResponse(account=_account(told), accepted=told.answer is True)

    async def GetAccount(
        self, request: pb.GetAccountRequest, context: Context
    ) -> pb.GetAccountResponse:
        """Read one account."""
        told = await self._readings.account(requests.account(request.name))
        return pb.GetAccountResponse(account=_account(told))

    async def ListAccounts(
        self, request: pb.ListAccountsRequest, context: Context
    ) -> pb.ListAccountsResponse:
        """List accounts by name."""
        size = pages.size(request.page_size)
        told, unreadable, last = await self._readings.accounts(
            requests.named_place(request, request.page_token), size
        )
        return pb.ListAccountsResponse(
            accounts=map(_account, told),
            next_page_token=requests.page_token(request, last),
            unreachable=[f"accounts/{name}" for name in unreadable],
        )

    async def WatchAccount(
        self, request: pb.WatchAccountRequest, context: Context
    ) -> AsyncIterator[pb.WatchAccountResponse]:
        """Stream an account and its changes."""
        account = requests.account(request.name)
        async for seen in self._readings.watch(account, requests.after_sequence(request)):
            yield responses.watched(seen, account)

    async def CheckAction(
        self, request: pb.CheckActionRequest, context: Context
    ) -> pb.CheckActionResponse:
        """Say whether an action could start."""
        check = await self._readings.check(*requests.check(request))
        wait = None if check.start is None else check.start - check.told.now
        return pb.CheckActionResponse(
            allowed=check.allowed,
            balance_token_count=check.balance,
            required_token_count=check.required,
            deficit_token_count=0 if check.allowed else check.required - check.balance,
            start_time=responses.timestamp(check.start),
            wait_duration=times.duration(wait),
            warning=responses.level(check.told.state.balance(check.told.now))[1],
        )

    async def ListActions(
        self, request: pb.ListActionsRequest, context: Context
    ) -> pb.ListActionsResponse:
        """List the registry of actions."""
        size = pages.size(request.page_size)
        after = requests.named_place(request, request.page_token)
        found = [action for action in actions() if action.key > after]
        listed = [
            pb.Action(
                name=f"actions/{action.key}",
                display_name=action.title,
                token_count=action.tokens,
                unit_description=action.unit,
            )
            for action in found[:size]
        ]
        onward = found[size - 1].key if len(found) > size else ""
        return pb.ListActionsResponse(
            actions=listed, next_page_token=requests.page_token(request, onward)
        )

    async def ListLedgerEntries(
        self, request: pb.ListLedgerEntriesRequest, context: Context
    ) -> pb.ListLedgerEntriesResponse:
        """List the ledger."""
        query = requests.entry_query(request)
        found = await self._readings.entries(query)
        onward = found[-1].sequence if len(found) == query.limit else 0
        return pb.ListLedgerEntriesResponse(
            entries=[responses.entry(each, query.account) for each in found],
            next_page_token=requests.page_token(request, onward),
        )

    async def GetUsage(self, request: pb.GetUsageRequest, context: Context) -> pb.GetUsageResponse:
        """Sum what was spent."""
        usage = await self._readings.usage(
            requests.usage_query(request),
            seconds=requests.patience(current_call().remaining()),
        )
        return pb.GetUsageResponse(
            rows=[responses.usage_row(row) for row in usage.rows], total_token_count=usage.total
        )

    async def VerifyLedger(
        self, request: pb.VerifyLedgerRequest, context: Context
    ) -> pb.VerifyLedgerResponse:
        """Check a ledger, or a part of it."""
        findings = await self._readings.verify(
            requests.account(request.account),
            full=request.full,
            place=requests.verified(request),
            seconds=requests.patience(current_call().remaining()),
        )
        answer = responses.findings(findings)
        answer.next_page_token = requests.verified_token(request, findings.onward)
        return answer


def _reservation(told: Told) -> pb.Reservation:
    assert isinstance(told.answer, Reservation)
    return responses.reservation(told.answer)


def _remaining(told: Told) -> Duration | None:
    """What is left of a hold, by the one clock that gave it its end."""
    assert isinstance(told.answer, Reservation)
    end = told.answer.expires_at
    return None if end is None else times.duration(max(end - told.now, timedelta(0)))


def _account(told: Told) -> pb.Account:
    return responses.account(told.state, told.now)


def _error(refusal: Refusal) -> pb.ReserveTokensError:
    return pb.ReserveTokensError(
        reason=refusal.reason,
        message=refusal.message,
        metadata={name: str(value) for name, value in refusal.facts.items()},
        retry_delay=times.duration(refusal.retry_after),
    )
