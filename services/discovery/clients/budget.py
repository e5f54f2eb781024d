"""Budget over gRPC: envelopes of searches."""

from datetime import timedelta
from uuid import UUID

import grpc
import grpc.aio
from arbitragevault.budget.v1 import budget_pb2 as pb
from arbitragevault.budget.v1 import budget_pb2_grpc
from google.protobuf.duration_pb2 import Duration

from services.chassis import telemetry
from services.chassis.rpc.status import refusal_from
from services.discovery.clients.keepa_gateway import PRIORITIES
from services.discovery.domain.errand import Errand

ACTION = "manual_search"
ANSWER_SECONDS = 5.0
_log = telemetry.get_logger(__name__)


class GrpcEnvelopes:
    """Implements ``ports.Envelopes`` over a stub."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._stub = budget_pb2_grpc.BudgetServiceStub(channel)

    async def hold(
        self, request_id: UUID, tokens: int, errand: Errand, *, duration: timedelta
    ) -> str:
        """Reserve an envelope; one that is never released returns its rest when it expires."""
        request = pb.ReserveTokensRequest(
            request_id=str(request_id),
            token_count=tokens,
            kind=pb.RESERVATION_KIND_ENVELOPE,
            priority=PRIORITIES[errand.priority],
            action=errand.action or ACTION,
            job=errand.job,
            hold_duration=_duration(duration),
            max_wait_duration=_duration(errand.max_wait),
        )
        wait = errand.max_wait.total_seconds() + ANSWER_SECONDS
        try:
            answer = await self._stub.ReserveTokens(request, timeout=wait)
        except grpc.aio.AioRpcError as error:
            raise refusal_from(error) from error
        return answer.reservation.name

    async def release(self, request_id: UUID, envelope: str) -> None:
        """Release; when that fails the envelope's expiry does the same a little later."""
        request = pb.ReleaseReservationRequest(
            request_id=str(request_id), name=envelope, reason=pb.RELEASE_REASON_FINISHED
        )
        try:
            await self._stub.ReleaseReservation(request, timeout=ANSWER_SECONDS)
        except grpc.aio.AioRpcError as error:
            refused = refusal_from(error)
            if refused.reason != "RESERVATION_ENDED":
                _log.warning("envelope not released", envelope=envelope, reason=refused.reason)


def _duration(span: timedelta) -> Duration:
    message = Duration()
    message.FromTimedelta(span)
    return message
