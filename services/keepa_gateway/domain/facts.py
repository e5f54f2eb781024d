"""What the gateway tells the others once it has become true."""

from dataclasses import dataclass
from datetime import datetime

from services.keepa_gateway.domain.breaker import Circuit


@dataclass(frozen=True, slots=True, kw_only=True)
class ProductsFetched:
    """Products came from Keepa and are stored."""

    domain: int
    asins: tuple[str, ...]
    missing: tuple[str, ...]
    tokens: int
    fetched_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class RateLimited:
    """Keepa answered 429; nobody calls until the pause ends."""

    balance: int
    paused_until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class CircuitChanged:
    """The breaker opened, began its trials or closed."""

    before: Circuit
    after: Circuit
    changed_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRejected:
    """Keepa does not take the key; nothing leaves until an operator acts."""

    detected_at: datetime


Fact = ProductsFetched | RateLimited | CircuitChanged | KeyRejected
