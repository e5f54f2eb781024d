"""What Keepa states about an account, and what is certain some time later."""

from datetime import UTC, datetime, timedelta
from functools import lru_cache

from services.budget.domain.rules import MINUTES_KEPT, Rules
from services.budget.domain.values import Value

MILLI = 1000
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MILLISECOND = timedelta(milliseconds=1)
FOREVER = 50_000_000  # Ticks: some 95 years. Calendars end, and debts of such a size do not.


class Observation(Value, frozen=True, kw_only=True):
    """The token fields of one Keepa answer.

    Attributes:
        arrived_ms: ``timestamp``: when the request arrived, Keepa's clock, since 1970.
        processing_ms: ``processingTimeInMs``.
        tokens: ``tokensLeft`` when the answer was made; may be negative.
        refill_in_ms: ``refillIn``, from the making of the answer to the next tick.
        refill_rate: Tokens per minute of the plan; 0 marks a body that is no balance.
        flow_reduction_milli: ``tokenFlowReduction`` in thousandths of a token per minute.
    """

    arrived_ms: int
    processing_ms: int = 0
    tokens: int
    refill_in_ms: int
    refill_rate: int
    flow_reduction_milli: int = 0

    @property
    def made_ms(self) -> int:
        """When the answer was made: the order of observations."""
        return self.arrived_ms + self.processing_ms

    @property
    def next_tick_ms(self) -> int:
        """When Keepa adds the next tokens, by its own clock."""
        return self.made_ms + self.refill_in_ms

    @property
    def capacity(self) -> int:
        """The most tokens the bucket can hold."""
        return MINUTES_KEPT * self.refill_rate

    def gain(self, ticks: int) -> int:
        """Tokens that ``ticks`` ticks after this observation add."""
        return ticks * (self.refill_rate * MILLI - self.flow_reduction_milli) // MILLI

    def supersedes(self, other: "Observation") -> bool:
        """Whether this is the newer statement; of one instant the lower balance is.

        Two answers made in the same millisecond tell their order only by what they leave.
        """
        return (self.made_ms, -self.tokens) > (other.made_ms, -other.tokens)


class Anchor(Value, frozen=True, kw_only=True):
    """The newest observation and when the ledger stored it, by the database's clock.

    ``after_sequence`` is what its asker had read before it asked.
    """

    observation: Observation
    stored_at: datetime
    after_sequence: int = 0

    def certain_ticks(self, now: datetime, rules: Rules) -> int:
        """Count the ticks that have surely happened, by database time elapsed."""
        since = now - self.tick_at(1, rules)
        return 0 if since < timedelta(0) else since // rules.spacing + 1

    def tick_at(self, number: int, rules: Rules) -> datetime:
        """Say when tick ``number`` (from 1) becomes certain."""
        first = self.stored_at + self.observation.refill_in_ms * MILLISECOND + rules.slack
        return first + (number - 1) * rules.spacing

    def balance(self, now: datetime, rules: Rules) -> int:
        """Tokens certainly at Keepa, before anything it has not yet counted."""
        return _balance(self, now, rules)

    def reaches(self, tokens: int, rules: Rules) -> datetime | None:
        """Say when ticks alone have brought the bucket to ``tokens``; None for not in a lifetime.

        Counts past the capacity on purpose: what is subtracted from the balance will by
        then have been spent, and the bucket will have refilled behind it.
        """
        seen = self.observation
        net = seen.refill_rate * MILLI - seen.flow_reduction_milli
        if tokens <= seen.tokens:
            return self.stored_at
        ticks = -(-(tokens - seen.tokens) * MILLI // net) if net > 0 else FOREVER
        return None if ticks >= FOREVER else self.tick_at(ticks, rules)


@lru_cache(maxsize=16)
def _balance(anchor: Anchor, now: datetime, rules: Rules) -> int:
    """Tell a balance; all commands of a batch ask for the same one, several times each."""
    seen = anchor.observation
    return min(seen.capacity, seen.tokens + seen.gain(anchor.certain_ticks(now, rules)))
