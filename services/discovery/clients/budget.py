"""Budget over gRPC: envelopes of searches."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from uuid import UUID, uuid4, uuid5

import grpc
import grpc.aio
from arbitragevault.budget.v1 import budget_pb2 as pb
from arbitragevault.budget.v1 import budget_pb2_grpc

from services.chassis import telemetry
from services.chassis.errors import Kind
from services.chassis.rpc import times
from services.chassis.rpc.call import current_call, working_for
from services.chassis.rpc.status import refusal_from
from services.discovery.clients.keepa_gateway import PRIORITIES
from services.discovery.domain.errand import Errand

ACTION = "manual_search"
ANSWER_SECONDS = 5.0
# What budget may have decided although we were not told: then the tokens may be held.
UNCERTAIN = (Kind.UNAVAILABLE, Kind.DEADLINE_EXCEEDED)
# Before each try to give tokens back: in all, longer than budget or its database takes to restart.
PAUSES_SECONDS = (0.0, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0)
PATIENCE_SECONDS = 1.0
"""How long a search waits for its envelope to be closed before it answers."""

_log = telemetry.get_logger(__name__)


class GrpcEnvelopes:
    """Implements ``ports.Envelopes`` over a stub."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._stub = budget_pb2_grpc.BudgetServiceStub(channel)
        self._giving_back: set[asyncio.Task[None]] = set()

    async def hold(
        self, request_id: UUID, tokens: int, errand: Errand, *, duration: timedelta
    ) -> str:
        """Reserve an envelope; one that is never released returns its rest when it expires.

        When it is not known whether the tokens are held, they are given back in the background:
        a search that is tried again asks for an envelope of its own.
        """
        request = pb.ReserveTokensRequest(
            request_id=str(request_id),
            token_count=tokens,
            kind=pb.RESERVATION_KIND_ENVELOPE,
            priority=PRIORITIES[errand.priority],
            action=errand.action or ACTION,
            job=errand.job,
            hold_duration=times.duration(duration),
            max_wait_duration=times.duration(errand.max_wait),
        )
        wait = errand.max_wait.total_seconds() + ANSWER_SECONDS
        try:
            answer = await self._stub.ReserveTokens(request, timeout=wait)
        except grpc.aio.AioRpcError as error:
            refusal = refusal_from(error)
            if refusal.kind in UNCERTAIN and refusal.reason != "BALANCE_UNKNOWN":
                self._let_go(request_id)
            raise refusal from error
        except asyncio.CancelledError:
            self._let_go(request_id)
            raise
        return answer.reservation.name

    async def extend(self, envelope: str, *, duration: timedelta) -> None:
        """Extend; each time is a request of its own."""
        request = pb.ExtendReservationRequest(
            request_id=str(uuid4()), name=envelope, hold_duration=times.duration(duration)
        )
        try:
            await self._stub.ExtendReservation(request, timeout=ANSWER_SECONDS)
        except grpc.aio.AioRpcError as error:
            raise refusal_from(error) from error

    async def left(self, envelope: str) -> int:
        """Read the reservation."""
        request = pb.GetReservationRequest(name=envelope)
        try:
            answer = await self._stub.GetReservation(request, timeout=ANSWER_SECONDS)
        except grpc.aio.AioRpcError as error:
            raise refusal_from(error) from error
        return int(answer.reservation.remaining_token_count)

    async def finish(self) -> None:
        """Wait until everything is given back, or given up."""
        if self._giving_back:
            await asyncio.wait(set(self._giving_back))

    async def release(self, request_id: UUID, envelope: str) -> None:
        """Release; a budget that is away for a moment is asked again in the background."""
        await asyncio.wait({self._give_back(request_id, envelope)}, timeout=PATIENCE_SECONDS)

    def _let_go(self, reservation: UUID) -> None:
        """Give back what may be held, under the ids that a known grant would have."""
        self._give_back(uuid5(reservation, "release"), f"reservations/{reservation}")

    def _give_back(self, request_id: UUID, envelope: str) -> "asyncio.Task[None]":
        request = pb.ReleaseReservationRequest(
            request_id=str(request_id), name=envelope, reason=pb.RELEASE_REASON_FINISHED
        )
        # The search may have ended because its caller's time was up; this must not.
        with working_for(replace(current_call(), deadline=None)):
            task = asyncio.create_task(self._insist(request), name=f"give back {envelope}")
        self._giving_back.add(task)
        task.add_done_callback(self._giving_back.discard)
        return task

    async def _insist(self, request: pb.ReleaseReservationRequest) -> None:
        """Ask until it is so; one that budget does not know of yet may still be granted."""
        reason = ""
        for pause in PAUSES_SECONDS:
            await asyncio.sleep(pause)
            try:
                await self._stub.ReleaseReservation(request, timeout=ANSWER_SECONDS)
            except grpc.aio.AioRpcError as error:
                reason = refusal_from(error).reason
                if reason == "RESERVATION_ENDED":
                    return
            else:
                return
        if reason != "RESERVATION_NOT_FOUND":
            _log.warning("envelope left to expire", envelope=request.name, reason=reason)
