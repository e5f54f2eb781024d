"""The state of one account: small, frozen, and made by the ledger alone."""

from datetime import datetime
from uuid import UUID

import msgspec

from services.budget.domain.balance import Anchor, Observation
from services.budget.domain.mapping import Chain, Map, empty, nothing
from services.budget.domain.reservation import Reservation
from services.budget.domain.rules import CLOCK_STEP, STALE_AFTER, STANDARD, Rules
from services.budget.domain.values import Value


class Uncovered(Value, frozen=True, kw_only=True):
    """A committed cost that no observation reflects yet.

    Attributes:
        sequence: The commit's; an observation asked for after reading it covers it.
        parent: The envelope that carries the cost, None for the account itself.
    """

    sequence: int
    tokens: int
    parent: UUID | None


class Answered(Value, frozen=True, kw_only=True):
    """A call since the baseline whose cost is known.

    Attributes:
        arrived_ms: When it reached Keepa; None when its answer carried no balance.
    """

    arrived_ms: int | None
    made_ms: int | None
    tokens: int


class Estimate(Value, frozen=True, kw_only=True):
    """A settled call whose own answer may still come.

    Attributes:
        since: The sequence of the balance that it was settled from, as others may have been.
        hidden: The part of its cost that a full bucket may have made up for.
        dark: The part of its cost that no balance shows.
    """

    reservation: Reservation
    since: int
    hidden: int
    dark: int

    @property
    def shown(self) -> int:
        """The part of its cost that a balance and an overflow speak for."""
        return self.reservation.committed - self.dark


class Bound(Value, frozen=True, kw_only=True):
    """What a request id stands for: its content, and the answer it got."""

    content: str
    answer: Reservation


class State(Value, frozen=True, kw_only=True):
    """Everything that a decision about one account needs.

    ``past`` and ``bound`` hold what was recalled from the ledger for the commands at hand;
    dropping them changes no sum.

    Attributes:
        sequence: Of the newest entry folded in.
        anchor: The newest observation by Keepa's time.
        previous: The one that was the anchor before it.
        baseline: The observation from which our calls are compared with the balance.
        answered: Calls with a known cost since the baseline.
        between: Balances since the baseline, in the order in which they were entered.
        doubt: Tokens of the anchor that nothing explains, believed when seen twice.
        announced: The lowest threshold announced in the present fall; 0 for none.
        live: Held and unknown reservations, and envelopes that still carry something.
        waiting: The queue, by reservation.
        estimates: Calls that were settled lately and not committed since.
        charged: Sum of what ``live`` and ``uncovered`` take from the available tokens.
        calls: The part of ``charged`` that calls may really have cost, envelopes' rests left out.
        held_calls: Number of calls without an outcome that are not UNKNOWN.
        unsettled: Sum of the bounds of UNKNOWN calls.
        uncovered_tokens: Sum over ``uncovered``.
        spent: Tokens consumed by our own calls since the first entry.
    """

    account: str
    rules: Rules = STANDARD
    sequence: int = 0
    anchor: Anchor | None = None
    previous: Observation | None = None
    baseline: Anchor | None = None
    answered: Chain[Answered] = msgspec.field(default_factory=nothing)
    between: Chain[Observation] = msgspec.field(default_factory=nothing)
    doubt: int = 0
    announced: int = 0
    live: Map[UUID, Reservation] = msgspec.field(default_factory=empty)
    waiting: Map[UUID, Reservation] = msgspec.field(default_factory=empty)
    uncovered: Map[UUID, Uncovered] = msgspec.field(default_factory=empty)
    estimates: tuple[Estimate, ...] = ()
    past: Map[UUID, Reservation] = msgspec.field(default_factory=empty)
    bound: Map[UUID, Bound] = msgspec.field(default_factory=empty)
    charged: int = 0
    calls: int = 0
    held_calls: int = 0
    unsettled: int = 0
    uncovered_tokens: int = 0
    spent: int = 0

    def balance(self, now: datetime) -> int:
        """Tokens certainly at Keepa; 0 before the first observation."""
        return self.anchor.balance(now, self.rules) if self.anchor else 0

    def available(self, now: datetime) -> int:
        """Tokens a grant could use before any floor: clamp first, subtract after."""
        return self.balance(now) - self.charged - self.doubt

    def cash(self, now: datetime) -> int:
        """Tokens that stay if every call under way costs its bound.

        The undrawn rests of envelopes are in it: a draw moves tokens from there to a call.
        """
        return self.balance(now) - self.calls - self.doubt

    def known(self, now: datetime) -> bool:
        """Whether the balance was observed, recently, and not after now."""
        if self.anchor is None:
            return False
        return -CLOCK_STEP <= now - self.anchor.stored_at <= STALE_AFTER

    def find(self, reservation: UUID) -> Reservation | None:
        """Return a reservation that is live, waiting or recalled."""
        found = self.live.get(reservation) or self.waiting.get(reservation)
        return found or self.past.get(reservation)
