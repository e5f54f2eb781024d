"""A process that races for tokens: asks with ids that others ask with as well, until it is told.

    python racer.py PORT PORT SEED FIRST COUNT

Writes one line for each id: the id, and the reservation's name or a dash for a refusal. Which
replica is asked is chance at each try, for either may be dead.
"""

import random
import sys
import time
from uuid import UUID, uuid5

import grpc
from arbitragevault.budget.v1 import budget_pb2 as pb
from arbitragevault.budget.v1 import budget_pb2_grpc

NAMESPACE = UUID("5d2f7a3e-8f61-4f44-9d3b-1f6a7b0c2d11")
TOKENS = 3
GIVE_UP_SECONDS = 40.0


def main(one: str, two: str, seed: str, first: str, count: str) -> None:
    """Ask for each id in an order of its own."""
    chance = random.Random(seed)
    options = [("grpc.initial_reconnect_backoff_ms", 50), ("grpc.max_reconnect_backoff_ms", 200)]
    channels = [grpc.insecure_channel(f"127.0.0.1:{port}", options) for port in (one, two)]
    stubs = [budget_pb2_grpc.BudgetServiceStub(channel) for channel in channels]
    numbers = list(range(int(first), int(first) + int(count)))
    chance.shuffle(numbers)
    for number in numbers:
        request = pb.ReserveTokensRequest(
            request_id=str(uuid5(NAMESPACE, str(number))), token_count=TOKENS
        )
        print(request.request_id, ask(chance, stubs, request), flush=True)  # noqa: T201
        time.sleep(0.05 * chance.random())


def ask(
    chance: random.Random,
    stubs: list[budget_pb2_grpc.BudgetServiceStub],
    request: pb.ReserveTokensRequest,
) -> str:
    """Repeat a request until it is answered."""
    end = time.monotonic() + GIVE_UP_SECONDS
    while time.monotonic() < end:
        try:
            answer = chance.choice(stubs).ReserveTokens(request, timeout=3)
        except grpc.RpcError as error:
            if error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED:
                return "-"
            time.sleep(0.05)
        else:
            return answer.reservation.name
    raise TimeoutError(request.request_id)


if __name__ == "__main__":
    main(*sys.argv[1:])
