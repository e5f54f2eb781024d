"""The facts of the ledger, each a frozen value; an entry places one of them in the sequence."""

from datetime import datetime
from uuid import UUID

from services.budget.domain.balance import Observation
from services.budget.domain.reservation import NO_TAGS, Reservation, Tags, Terms
from services.budget.domain.rules import Reason
from services.budget.domain.values import Value


class Observed(Value, frozen=True, kw_only=True):
    """Keepa stated a balance.

    Attributes:
        after_sequence: What the asker had read before it asked; commits up to it are covered.
        newest: Whether it became the anchor; one that did not covers commits, puts the anchor in
            doubt, shows that a bucket was not full, or, when it ``closes``, is the anchor looked
            at again.
        closes: Whether the comparison with our own calls starts afresh from here.
        doubt: Tokens above what is explained, held back until a second observation.
        covers: The call whose own answer this is, when the anchor was older: its cost is
            covered from here on, and not an entry before.
    """

    observation: Observation
    after_sequence: int
    newest: bool
    closes: bool
    doubt: int
    covers: UUID | None = None

    @property
    def tokens(self) -> int:
        """The balance stated."""
        return self.observation.tokens


class Waiting(Value, frozen=True, kw_only=True):
    """A request was queued.

    Attributes:
        first: Whether nobody of its priority or a higher one waited: its promise is kept.
    """

    terms: Terms
    until: datetime
    promised_at: datetime | None
    first: bool = False

    @property
    def tokens(self) -> int:
        """Tokens waited for."""
        return self.terms.tokens


class Held(Value, frozen=True, kw_only=True):
    """Tokens were set aside."""

    terms: Terms
    expires_at: datetime

    @property
    def tokens(self) -> int:
        """Tokens set aside."""
        return self.terms.tokens


class Committed(Value, frozen=True, kw_only=True):
    """A call's cost was booked.

    Attributes:
        overrun: The part of ``tokens`` above what was held.
        covered: Whether the anchor reflects the cost already.
        counted: Whether it explains a part of the balance since the baseline.
        arrived_ms: When the call reached Keepa; None when its answer carried no balance.
        made_ms: When its answer was made.
        before: The ended reservation that a late commit corrects, so that the entry can be
            read without the past; None for a call that was still open.
    """

    tokens: int
    overrun: int
    covered: bool
    counted: bool
    before: Reservation | None = None
    arrived_ms: int | None = None
    made_ms: int | None = None


class Overrun(Value, frozen=True, kw_only=True):
    """A call cost more than was held; the excess."""

    tokens: int


class Released(Value, frozen=True, kw_only=True):
    """Tokens went back, or a wait ended."""

    tokens: int
    reason: Reason


class Unknown(Value, frozen=True, kw_only=True):
    """A hold expired without an outcome: the call may have been charged, at most this."""

    tokens: int


class Settled(Value, frozen=True, kw_only=True):
    """An unknown cost was settled from a later balance, or settled anew.

    Attributes:
        hidden: The part of ``tokens`` that a full bucket may have made up for.
        dark: The part that no balance shows, for the call began before any that can be compared.
        since: The sequence of the balance that it was settled from.
    """

    tokens: int
    hidden: int = 0
    dark: int = 0
    since: int = 0


class Foreign(Value, frozen=True, kw_only=True):
    """Somebody else spent tokens with the same key."""

    tokens: int


class Credit(Value, frozen=True, kw_only=True):
    """Keepa added tokens beyond the expected refills."""

    tokens: int


class Overflow(Value, frozen=True, kw_only=True):
    """Refill was lost because the bucket was full."""

    tokens: int


class BalanceLow(Value, frozen=True, kw_only=True):
    """The balance fell to ``tokens``, below ``threshold``."""

    tokens: int
    threshold: int


class Extended(Value, frozen=True, kw_only=True):
    """The expiry of a hold was moved."""

    tokens: int
    expires_at: datetime


Fact = (
    Observed
    | Waiting
    | Held
    | Committed
    | Overrun
    | Released
    | Unknown
    | Settled
    | Foreign
    | Credit
    | Overflow
    | BalanceLow
    | Extended
)


class About(Value, frozen=True, kw_only=True):
    """The reservation an entry concerns, with its parent and tags for reading and summing."""

    reservation: UUID | None = None
    parent: UUID | None = None
    tags: Tags = NO_TAGS


NOTHING = About()


class Entry(Value, frozen=True, kw_only=True):
    """One line of the ledger; never changed, never deleted.

    Attributes:
        sequence: Its place in the account's ledger, from 1 without gaps.
        at: When it was stored, by the database's clock.
        available: Tokens available right after it, before any floor.
        request_id: The request that this entry binds for ever; None for consequences.
        content: Fingerprint of that request.
    """

    sequence: int
    at: datetime
    fact: Fact
    about: About = NOTHING
    available: int = 0
    request_id: UUID | None = None
    content: str = ""
