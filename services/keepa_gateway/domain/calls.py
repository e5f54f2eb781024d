"""One HTTP request to Keepa as a value, without the key."""

import hashlib
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

import msgspec

from services.keepa_gateway.domain import costs
from services.keepa_gateway.domain.costs import Cost


class Endpoint(StrEnum):
    """Keepa's paths, by the names used in ledgers and logs."""

    PRODUCT = "product"
    QUERY = "query"
    BESTSELLERS = "bestsellers"
    CATEGORY = "category"
    SEARCH = "search"
    DEAL = "deal"
    SELLER = "seller"
    SELLERQUERY = "sellerquery"
    TOPSELLER = "topseller"
    LIGHTNINGDEAL = "lightningdeal"
    TOKEN = "token"  # noqa: S105 - the name of a path


class Pace(StrEnum):
    """How long a kind of call usually takes."""

    STATUS = "status"
    PLAIN = "plain"
    OFFERS = "offers"
    LIST = "list"

    @property
    def usual(self) -> timedelta:
        """Less time than this is not worth paying for an answer nobody can wait for."""
        seconds = {"status": 0.1, "plain": 0.5, "offers": 5.0, "list": 1.0}[self]
        return timedelta(seconds=seconds)


@dataclass(frozen=True, slots=True, kw_only=True)
class Deadlines:
    """When to give up on an answer, in seconds by pace; whether it was charged is unknown then."""

    status: float = 10.0
    plain: float = 30.0
    offers: float = 120.0
    list: float = 60.0

    def of(self, pace: Pace) -> timedelta:
        """The deadline of one pace."""
        return timedelta(seconds=getattr(self, pace.value))


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One HTTP request to Keepa, without the key.

    Attributes:
        wanted: The field a good answer holds.
        optional: Whether a good answer may lack that field, as for a category without a list.
        subjects: What is asked about: ASINs, codes or category ids.
    """

    endpoint: Endpoint
    parameters: tuple[tuple[str, str], ...]
    body: bytes | None = None
    wanted: str
    cost: Cost
    pace: Pace
    optional: bool = False
    subjects: tuple[str, ...] = ()

    @property
    def fingerprint(self) -> str:
        """The same for identical requests, whoever makes them."""
        parts = msgspec.json.encode((self.endpoint, sorted(self.parameters)))
        return hashlib.sha256(parts + b"\n" + (self.body or b"")).hexdigest()


TOKEN_CALL = Call(
    endpoint=Endpoint.TOKEN,
    parameters=(),
    wanted="tokensLeft",
    cost=costs.token_status(),
    pace=Pace.STATUS,
)
