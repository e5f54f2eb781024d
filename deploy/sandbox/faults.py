"""Misbehaviour on request: a small JSON vocabulary and who it strikes."""

import asyncio
import math
from dataclasses import dataclass
from typing import Any, Literal, get_args

import msgspec

Kind = Literal[
    "rate_limited",
    "status",
    "error",
    "rejected_key",
    "redirect",
    "delay",
    "late",
    "hang",
    "drip",
    "close",
    "empty",
    "truncated_gzip",
    "gzip_bomb",
    "wrong_encoding",
    "wrong_length",
    "garbage",
    "lying_balance",
    "failed_offers",
]
Moment = Literal["before", "headers", "middle"]
Garbage = Literal["page", "nan", "duplicate_keys", "deep", "charset", "half"]
UNCHARGED = frozenset({"rate_limited", "status", "error", "rejected_key", "redirect"})
STATUS = {"status": 503, "error": 200, "rejected_key": 400, "redirect": 302, "rate_limited": 429}


class FaultOrder(msgspec.Struct, forbid_unknown_fields=True, rename="camel", frozen=True):
    """A fault as it is ordered over HTTP; README.md explains each field.

    Attributes:
        requests: Strike this many requests; 1 when neither this nor ``seconds`` is given.
        seconds: Strike every request that arrives within this time.
        path: Strike only this endpoint, such as ``/product``.
        skip: Let this many matching requests pass first.
        charged: Whether the struck request is worked and paid for; each kind has a default.
        fields: Values that the envelope claims instead of its own, of any JSON type.
        without: Fields that the envelope lacks.
    """

    fault: Kind
    requests: int | None = None
    seconds: float | None = None
    path: str | None = None
    skip: int = 0
    charged: bool | None = None
    status: int | None = None
    milliseconds: int = 1_000
    at: Moment = "before"
    form: Garbage = "page"
    trailer: bool = False
    megabytes: int = 300
    location: str = "https://elsewhere.invalid"
    tokens_left: int | None = None
    offset: int = 0
    fields: dict[str, Any] = {}
    without: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse an order that could strike nothing or has no meaning."""
        if self.requests is not None and self.requests < 1:
            raise ValueError("requests must be at least 1")
        if self.seconds is not None and not 0 < self.seconds <= 86_400:
            raise ValueError("seconds must be above 0 and at most 86400")
        least = {"error": 200, "redirect": 301}.get(self.fault, 400)
        if self.status is not None and not least <= self.status <= 599:
            raise ValueError(f"status must be {least} to 599")
        if self.skip < 0 or not 0 <= self.milliseconds <= 600_000:
            raise ValueError("skip must be 0 or more, milliseconds 0 to 600000")
        if not 1 <= self.megabytes <= 1_024:
            raise ValueError("megabytes must be 1 to 1024")

    @property
    def pays(self) -> bool:
        """Whether a struck request is worked and paid for."""
        return self.fault not in UNCHARGED if self.charged is None else self.charged

    @property
    def answers(self) -> int:
        """The HTTP status of what is sent."""
        return self.status or STATUS.get(self.fault, 200)

    def lied(self, envelope: dict[str, Any]) -> dict[str, Any]:
        """Return the envelope as this fault claims it."""
        if self.fault in {"lying_balance", "rate_limited"}:
            shown = self.tokens_left
            left = envelope["tokensLeft"] + self.offset if shown is None else shown
            envelope = {**envelope, "tokensLeft": left}
        return {
            name: v for name, v in {**envelope, **self.fields}.items() if name not in self.without
        }


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
