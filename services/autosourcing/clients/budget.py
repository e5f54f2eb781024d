"""Budget over gRPC: envelopes and the outlook for a job."""

from datetime import UTC, timedelta
from uuid import UUID, uuid5

import grpc
from arbitragevault.budget.v1 import budget_pb2 as pb
from arbitragevault.budget.v1 import budget_pb2_grpc

from services.autosourcing.domain.estimate import Outlook
from services.autosourcing.domain.job import Job, envelope_request_id
from services.autosourcing.ports import Cost, Grant
from services.chassis.errors import Refusal
from services.chassis.rpc import times
from services.chassis.rpc.status import refusal_from

ACTION = "auto_sourcing_job"
ANSWER_SECONDS = 10.0
NOTHING = Cost(0, 0)
# Refusals that this service's contract lists as its own.
_OWN = ("INSUFFICIENT_TOKENS", "BALANCE_UNKNOWN", "UPSTREAM_UNAVAILABLE")


class GrpcBudget:
    """Implements ``ports.Budget`` over a stub."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._stub = budget_pb2_grpc.BudgetServiceStub(channel)

    async def reserve(
        self, job: Job, *, tokens: int, gate: int, hold: timedelta, wait: timedelta
    ) -> Grant:
        """Reserve an envelope under an id made from the job's and the attempt's number."""
        request = pb.ReserveTokensRequest(
            request_id=str(envelope_request_id(job.id, job.queue.attempt)),
            token_count=tokens,
            priority=pb.PRIORITY_BACKGROUND if job.background else pb.PRIORITY_JOB,
            kind=pb.RESERVATION_KIND_ENVELOPE,
            action=ACTION,
            job=f"jobs/{job.id}",
            hold_duration=times.duration(hold),
            max_wait_duration=times.duration(wait),
            gate_token_count=gate,
        )
        try:
            answer = await self._stub.ReserveTokens(
                request, timeout=wait.total_seconds() + ANSWER_SECONDS
            )
        except grpc.aio.AioRpcError as error:
            raise _refusal(error) from error
        held = answer.reservation
        return Grant(
            name=held.name,
            open=held.state == pb.RESERVATION_STATE_HELD,
            expires_at=held.expire_time.ToDatetime(tzinfo=UTC),
        )

    async def release(self, job_id: UUID, envelope: str) -> Cost:
        """Release the envelope; one that has ended by itself is read instead.

        One that budget has never heard of was asked for and not granted: it cost nothing.
        """
        request = pb.ReleaseReservationRequest(
            request_id=str(uuid5(job_id, f"release/{envelope}")),
            name=envelope,
            reason=pb.RELEASE_REASON_FINISHED,
        )
        try:
            answer = await self._stub.ReleaseReservation(request, timeout=ANSWER_SECONDS)
        except grpc.aio.AioRpcError as error:
            refusal = _refusal(error)
            if refusal.reason == "RESERVATION_ENDED":
                return await self.cost(envelope)
            if refusal.reason == "RESERVATION_NOT_FOUND":
                return NOTHING
            raise refusal from error
        return _cost(answer.reservation)

    async def cost(self, name: str) -> Cost:
        """Read the envelope; one that was never granted cost nothing."""
        request = pb.GetReservationRequest(name=name)
        try:
            answer = await self._stub.GetReservation(request, timeout=ANSWER_SECONDS)
        except grpc.aio.AioRpcError as error:
            refusal = _refusal(error)
            if refusal.reason == "RESERVATION_NOT_FOUND":
                return NOTHING
            raise refusal from error
        return _cost(answer.reservation)

    async def outlook(self, *, tokens: int, gate: int) -> Outlook:
        """Ask whether the action could start; an unknown balance is an answer, not a failure."""
        request = pb.CheckActionRequest(
            name=f"actions/{ACTION}",
            estimate_token_count=tokens,
            priority=pb.PRIORITY_JOB,
            gate_token_count=gate,
        )
        try:
            answer = await self._stub.CheckAction(request, timeout=ANSWER_SECONDS)
        except grpc.aio.AioRpcError as error:
            refusal = _refusal(error)
            if refusal.reason == "BALANCE_UNKNOWN":
                return Outlook(balance=None, required=gate, wait_seconds=None)
            raise refusal from error
        possible = answer.allowed or answer.HasField("start_time")
        return Outlook(
            balance=answer.balance_token_count,
            required=answer.required_token_count,
            wait_seconds=answer.wait_duration.ToTimedelta().total_seconds() if possible else None,
            warning=answer.warning,
        )


def _cost(envelope: pb.Reservation) -> Cost:
    return Cost(envelope.committed_token_count, envelope.unsettled_token_count)


def _refusal(error: grpc.aio.AioRpcError) -> Refusal:
    """What budget said; reasons that are also ours are passed on as ours."""
    refusal = refusal_from(error)
    if refusal.reason == "WAIT_TIMEOUT":
        refusal.reason = "INSUFFICIENT_TOKENS"
    if refusal.reason in _OWN:
        refusal.domain = None
    return refusal
