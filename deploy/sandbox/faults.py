"""Misbehaviour on request: a small JSON vocabulary and who it strikes."""

import asyncio
import math
from dataclasses import dataclass
from typing import Literal, get_args

import msgspec

Kind = Literal[
    "rate_limited",
    "status",
    "delay",
    "hang",
    "close",
    "truncated_gzip",
    "garbage",
    "lying_balance",
]
Moment = Literal["before", "headers", "middle"]
UNCHARGED = frozenset({"rate_limited", "status"})


class FaultOrder(msgspec.Struct, forbid_unknown_fields=True, rename="camel", frozen=True):
    """A fault as it is ordered over HTTP; README.md explains each field.

    Attributes:
        requests: Strike this many requests; 1 when neither this nor ``seconds`` is given.
        seconds: Strike every request that arrives within this time.
        path: Strike only this endpoint, such as ``/product``.
        skip: Let this many matching requests pass first.
        charged: Whether the struck request is worked and paid for; each kind has a default.
    """

    fault: Kind
    requests: int | None = None
    seconds: float | None = None
    path: str | None = None
    skip: int = 0
    charged: bool | None = None
    status: int = 503
    milliseconds: int = 1_000
    at: Moment = "before"
    tokens_left: int | None = None
    offset: int = 0

    def __post_init__(self) -> None:
        """Refuse an order that could strike nothing or has no meaning."""
        if self.requests is not None and self.requests < 1:
            raise ValueError("requests must be at least 1")
        if self.seconds is not None and not 0 < self.seconds <= 86_400:
            raise ValueError("seconds must be above 0 and at most 86400")
        if not 400 <= self.status <= 599:
            raise ValueError("status must be 400 to 599")
        if self.skip < 0 or not 0 <= self.milliseconds <= 600_000:
            raise ValueError("skip must be 0 or more, milliseconds 0 to 600000")

    @property
    def pays(self) -> bool:
        """Whether a struck request is worked and paid for."""
        return self.fault not in UNCHARGED if self.charged is None else self.charged


KINDS = get_args(Kind)


@dataclass
class _Active:
    order: FaultOrder
    remaining: float
    until_ms: float
    to_skip: int


class Faults:
    """The faults that are armed; each request is struck by the oldest one that matches."""

    def __init__(self) -> None:
        self._active: list[_Active] = []
        self.cleared = asyncio.Event()

    def arm(self, order: FaultOrder, now_ms: int) -> None:
        """Arm a fault from this instant on."""
        lasting = order.seconds is not None
        until = now_ms + 1_000 * order.seconds if order.seconds is not None else math.inf
        unlimited = lasting and order.requests is None
        remaining = math.inf if unlimited else (order.requests or 1)
        self._active.append(_Active(order, remaining, until, order.skip))

    def clear(self) -> None:
        """Disarm all, and let go of the requests that hang."""
        self._active.clear()
        self.cleared.set()
        self.cleared = asyncio.Event()

    def take(self, path: str, now_ms: int) -> FaultOrder | None:
        """Return the fault that strikes a request for ``path``, using up one of its strikes."""
        self._active = [a for a in self._active if a.remaining > 0 and a.until_ms > now_ms]
        for active in self._active:
            if active.order.path not in {None, path}:
                continue
            if active.to_skip:
                active.to_skip -= 1
                continue
            active.remaining -= 1
            return active.order
        return None

    def armed(self, now_ms: int) -> list[FaultOrder]:
        """Return the faults still armed, oldest first."""
        return [a.order for a in self._active if a.remaining > 0 and a.until_ms > now_ms]
