"""Whether the key works and the account has tokens, asked through the gateway before any job."""

import time

import grpc
from arbitragevault.keepa_gateway.v1 import keepa_gateway_pb2 as pb
from arbitragevault.keepa_gateway.v1 import keepa_gateway_pb2_grpc as pb_grpc
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from deploy.local.process import CannotStart

CHECK_SECONDS = 40.0
POLL_SECONDS = 0.3
OURS = ("BUDGET_UNAVAILABLE", "STORAGE_UNAVAILABLE", "UNAVAILABLE")
"""Reasons that name a part of this stack and not Keepa."""


class Unusable(CannotStart):
    """The key is refused, the account is empty, or Keepa does not answer."""


def check(target: str) -> int:
    """Ask Keepa for the balance, which is free, and return it.

    Where one of our own parts came up later than the gateway, which asks it again only in a
    while, the question is repeated.

    Raises:
        Unusable: No job could run; the message says why and what to do.
    """
    with grpc.insecure_channel(target) as channel:
        answer = _answer(pb_grpc.KeepaGatewayServiceStub(channel))
    account = answer.account
    tokens = int(account.observation.token_count)
    if tokens <= 0:
        raise Unusable(
            f"The Keepa account is empty ({tokens} tokens): it refills by "
            f"{account.refill_rate} a minute, so try again later."
        )
    return tokens


def _answer(stub: pb_grpc.KeepaGatewayServiceStub) -> pb.CheckConnectionResponse:
    request = pb.CheckConnectionRequest(retry_rejected_key=True)
    give_up_at = time.monotonic() + CHECK_SECONDS
    while True:
        left = max(POLL_SECONDS, give_up_at - time.monotonic())
        try:
            return stub.CheckConnection(request, timeout=left)
        except grpc.RpcError as error:
            if _reason(error) not in OURS or time.monotonic() + POLL_SECONDS > give_up_at:
                raise _unusable(error) from None
        time.sleep(POLL_SECONDS)


def _unusable(error: grpc.RpcError) -> Unusable:
    reason = _reason(error)
    if reason == "KEEPA_KEY_REJECTED":
        return Unusable(
            "Keepa rejects the key: check KEEPA_API_KEY_FILE or KEEPA_API_KEY against keepa.com/#!api."
        )
    return Unusable(f"Keepa cannot be used now ({reason}): {error.details()}")


def _reason(error: grpc.RpcError) -> str:
    status = rpc_status.from_call(error)
    for detail in status.details if status is not None else ():
        info = error_details_pb2.ErrorInfo()
        if detail.Unpack(info):
            return str(info.reason)
    return str(error.code().name)
