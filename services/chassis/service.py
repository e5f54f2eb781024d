"""What a composition root hands over to be run."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import grpc.aio

from services.chassis.loops import Loop


@dataclass(frozen=True)
class Service:
    """What a composition root hands over to be run.

    Attributes:
        name: As in ``budget``; the first part of its error domain.
        register: Adds the servicers to the server.
        full_names: Full names of the services, for health and reflection.
        loops: Relays, consumers, sweepers, workers.
        finish: Awaited at stop after the loops ended and before the server stops, and once more
            after that, for what its last calls began: waits for paid work to end.
    """

    name: str
    register: Callable[[grpc.aio.Server], None]
    full_names: Sequence[str]
    loops: Sequence[Loop] = ()
    finish: Sequence[Callable[[], Awaitable[None]]] = ()
