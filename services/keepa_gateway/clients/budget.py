"""The ledger of tokens over gRPC: the only module that knows budget's stub."""

import time
import uuid
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import UTC, timedelta
from typing import TYPE_CHECKING, TypeVar
from uuid import UUID

import grpc
import grpc.aio
from arbitragevault.budget.v1 import budget_pb2 as pb
from google.protobuf.timestamp_pb2 import Timestamp

from services.chassis.errors import Kind, Refusal
from services.chassis.rpc import times
from services.chassis.rpc.call import Call as RpcCall
from services.chassis.rpc.call import current_call, working_for
from services.chassis.rpc.status import UPSTREAM_UNAVAILABLE, refusal_from
from services.keepa_gateway.domain.attempt import Charge, Spending
from services.keepa_gateway.domain.calls import Call, Deadlines, Endpoint
from services.keepa_gateway.domain.envelope import Observation
from services.keepa_gateway.domain.hopeless import Purse
from services.keepa_gateway.ports import Fate, Hold, OpenHold

if TYPE_CHECKING:  # The generated class of the async stub exists in its stub file only.
    from arbitragevault.budget.v1.budget_pb2_grpc import BudgetServiceAsyncStub

SETTLE_SECONDS = 10.0
CAPACITY_SECONDS = 10.0
_PAGE = 1000
_STATE, _SETTLED = "RESERVATION_STATE_", "SETTLED"
_ENDPOINTS = frozenset(endpoint.value for endpoint in Endpoint)
_Answer = TypeVar("_Answer")


class GrpcBudget:
    """Implements ``ports.Budget``."""

    def __init__(
        self,
        stub: "BudgetServiceAsyncStub",
        account: str,
        *,
        deadlines: Deadlines,
        margin: timedelta,
    ) -> None:
        self._capacity: int | None = None
        self._capacity_until = float("-inf")
        self._deadlines = deadlines
        self._margin = margin
        self._stub = stub
        self._account = f"accounts/{account}"

    async def reserve(
        self, hold_id: UUID, *, tokens: int, call: Call, spending: Spending, wait: timedelta
    ) -> Hold | None:
        """Reserve under an id made from the caller's, so that a repetition holds nothing twice."""
        request = pb.ReserveTokensRequest(
            request_id=str(hold_id),
            account=self._account,
            token_count=tokens,
            priority=pb.Priority.ValueType(spending.priority),
            kind=pb.RESERVATION_KIND_CALL,
            parent=spending.envelope,
            action=spending.action,
            endpoint=call.endpoint.value,
            job=spending.job,
            hold_duration=times.duration(self._deadlines.of(call.pace) + self._margin),
            max_wait_duration=times.duration(wait),
        )
        # Counted from before the question: no two clocks need agree, and whatever the way there
        # and back took is taken off the hold.
        asked_at = time.monotonic()
        answer = await _asked(self._stub.ReserveTokens, request)
        if answer.reservation.state != pb.RESERVATION_STATE_HELD:
            return None
        covered = answer.remaining_hold_duration.ToTimedelta() - self._margin
        covers_until = asked_at + covered.total_seconds()
        return Hold(answer.reservation.name, answer.account.sequence, covers_until)

    async def commit(self, charge: Charge) -> None:
        """Commit with an id made from the attempt's; repeating it changes nothing."""
        observation = charge.observation
        self._hear(observation)
        request = pb.CommitReservationRequest(
            request_id=str(uuid.uuid5(charge.attempt_id, "commit")),
            name=charge.reservation,
            consumed_token_count=charge.consumed,
            observation=_observation(observation) if observation is not None else None,
            after_sequence=charge.after_sequence,
        )
        await self._settling(self._stub.CommitReservation, request)

    async def release(self, reservation: str) -> None:
        """Release; a settlement that had guessed a cost is replaced by none.

        A hold whose cost is booked stays as it is: nothing of it was unspent.
        """
        request = pb.ReleaseReservationRequest(
            request_id=str(uuid.uuid5(UUID(reservation.removeprefix("reservations/")), "release")),
            name=reservation,
            reason=pb.RELEASE_REASON_NOT_SENT,
        )
        try:
            await self._settling(self._stub.ReleaseReservation, request)
        except Refusal as refusal:
            if refusal.reason not in ("RESERVATION_ENDED", "RESERVATION_NOT_FOUND"):
                raise
            if refusal.facts.get("state") == _SETTLED:
                await self._commit_nothing(reservation)

    async def _commit_nothing(self, reservation: str) -> None:
        request = pb.CommitReservationRequest(
            request_id=str(uuid.uuid5(UUID(reservation.removeprefix("reservations/")), "nothing")),
            name=reservation,
            consumed_token_count=0,
        )
        await self._settling(self._stub.CommitReservation, request)

    async def report(self, observation: Observation, *, after_sequence: int) -> None:
        """Report under a new id: each observation is told once."""
        self._hear(observation)
        request = pb.ReportBalanceRequest(
            request_id=str(uuid.uuid4()),
            account=self._account,
            observation=_observation(observation),
            after_sequence=after_sequence,
        )
        await self._settling(self._stub.ReportBalance, request)

    async def account(self) -> pb.Account:
        """Read the account; one that was never observed when there is none yet."""
        request = pb.GetAccountRequest(name=self._account)
        try:
            return (await _asked(self._stub.GetAccount, request)).account
        except Refusal as refusal:
            if refusal.reason != "ACCOUNT_NOT_FOUND":
                raise
            return pb.Account(name=self._account, state=pb.BALANCE_STATE_NEVER_OBSERVED)

    async def sequence(self) -> int:
        """Read the account's newest sequence."""
        return (await self.account()).sequence

    async def in_doubt(self) -> bool:
        """Read the account's state."""
        return (await self.account()).state != pb.BALANCE_STATE_KNOWN

    async def available(self) -> int:
        """Read what is available."""
        return (await self.account()).available_token_count

    async def capacity(self, wanted: int) -> int | None:
        """Read what the account learned; a plan changes seldom, so it is kept for a while."""
        if time.monotonic() > self._capacity_until or wanted > (self._capacity or 0):
            self._capacity = (await self.account()).capacity_token_count or None
            self._capacity_until = time.monotonic() + CAPACITY_SECONDS
        return self._capacity

    def _hear(self, observation: Observation | None) -> None:
        """Forget the capacity of a plan that an answer says is over."""
        if observation is not None and observation.capacity != self._capacity:
            self._capacity_until = float("-inf")

    async def purse(self, envelope: str) -> Purse:
        """Read the reservation, within the caller's deadline."""
        request = pb.GetReservationRequest(name=envelope)
        told = (await _asked(self._stub.GetReservation, request)).reservation
        return Purse(
            name=told.name,
            state=pb.ReservationState.Name(told.state).removeprefix(_STATE),
            tokens=told.token_count,
            committed=told.committed_token_count,
            remaining=told.remaining_token_count,
        )

    async def fate(self, reservation: str) -> Fate:
        """Read the reservation's state."""
        request = pb.GetReservationRequest(name=reservation)
        answer = await self._settling(self._stub.GetReservation, request)
        state = answer.reservation.state
        if state == pb.RESERVATION_STATE_UNKNOWN:
            return Fate.UNKNOWN
        return Fate.HELD if state == pb.RESERVATION_STATE_HELD else Fate.ENDED

    async def open_holds(self) -> Sequence[OpenHold]:
        """List what is held or unknown, left out envelopes and what others reserved by hand."""
        found: list[OpenHold] = []
        for state in (pb.RESERVATION_STATE_HELD, pb.RESERVATION_STATE_UNKNOWN):
            request = pb.ListReservationsRequest(
                account=self._account, state=state, page_size=_PAGE
            )
            answer = await self._settling(self._stub.ListReservations, request)
            found += [
                OpenHold(
                    name=each.name,
                    request_id=UUID(each.request_id),
                    created_at=each.create_time.ToDatetime(UTC),
                )
                for each in answer.reservations
                if each.kind == pb.RESERVATION_KIND_CALL and each.endpoint in _ENDPOINTS
            ]
        return found

    async def _settling(
        self, method: Callable[..., Awaitable[_Answer]], request: object
    ) -> _Answer:
        """Ask without the caller's deadline: what was paid is booked even when nobody waits."""
        with _for_nobodys_deadline():
            return await _asked(method, request, seconds=SETTLE_SECONDS)


async def _asked(
    method: Callable[..., Awaitable[_Answer]], request: object, seconds: float | None = None
) -> _Answer:
    try:
        return await method(request, timeout=seconds)
    except grpc.aio.AioRpcError as error:
        refusal = refusal_from(error)
        if refusal.reason != UPSTREAM_UNAVAILABLE:
            raise refusal from None
        raise Refusal(
            Kind.UNAVAILABLE,
            "BUDGET_UNAVAILABLE",
            "The token budget cannot be reached, so nothing was spent.",
            retry_after=timedelta(seconds=1),
        ) from None


def _for_nobodys_deadline() -> AbstractContextManager[RpcCall]:
    return working_for(replace(current_call(), deadline=None))


def _observation(value: Observation) -> pb.Observation:
    keepa_time = Timestamp()
    keepa_time.FromMilliseconds(value.timestamp_ms)
    return pb.Observation(
        keepa_time=keepa_time,
        processing_duration=times.duration(timedelta(milliseconds=value.processing_ms)),
        token_count=value.tokens_left,
        refill_wait_duration=times.duration(timedelta(milliseconds=value.refill_in_ms)),
        refill_rate=value.refill_rate,
        token_flow_reduction=value.flow_reduction,
    )
