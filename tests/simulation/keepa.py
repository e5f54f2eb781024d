"""Keepa's bucket, written from the page on Keepa alone: it shares no arithmetic with the ledger."""

from dataclasses import dataclass, field
from random import Random

TICK = 60.2
LATE = 0.046
VERY_LATE = 0.267
BETWEEN_VERY_LATE = 8  # One such tick was recorded in 250.


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the truth: what happened to the bucket, and the balance after it.

    Attributes:
        call: Id of the reservation that one of our own calls was made for.
        lost: Tokens that no rule of ours could have kept: a stranger's, or above the bound.
    """

    at: float
    kind: str
    tokens: int
    balance: int
    call: object = None
    lost: int = 0


@dataclass(frozen=True, slots=True)
class Body:
    """The token fields of an answer, times in milliseconds of Keepa's clock."""

    timestamp: int
    processing: int
    left: int
    refill_in: int
    rate: int
    reduction: float
    consumed: int
    status: int = 200


@dataclass
class Keepa:
    """One account's bucket.

    Ticks come one by one, each a little later than announced, and the next is announced from
    there. Only what is asked or looked at moves the bucket: ``advance`` first.

    Attributes:
        epoch_ms: Keepa's clock at second 0 of the world.
    """

    rng: Random
    rate: int
    tokens: int
    epoch_ms: int
    announced: float
    reduction: float = 0.0
    lines: list[Line] = field(default_factory=list)
    changed_at: float = -1.0  # When a plan or a reduction last took something away.
    overflowed: int = 0
    _fraction: int = 0
    _actual: float = 0.0
    _since_late: int = 0

    def __post_init__(self) -> None:
        self._actual = self.announced + self._lateness()
        self._note(0.0, "start", 0)

    @property
    def capacity(self) -> int:
        """Tokens live for sixty minutes."""
        return 60 * self.rate

    def advance(self, now: float) -> None:
        """Let every tick happen that is due."""
        while self._actual <= now:
            at = self._actual
            self._fraction += self.rate * 1000 - round(self.reduction * 1000)
            whole, self._fraction = divmod(self._fraction, 1000)
            full = self.tokens + whole
            kept = max(self.tokens, min(self.capacity, full))
            self.overflowed += full - kept
            gained, self.tokens = kept - self.tokens, kept
            self._note(at, "tick", -gained)
            self.announced = at + TICK
            self._actual = self.announced + self._lateness()

    def open(self, now: float) -> bool:
        """Whether a request that arrives now is carried out, whatever it will cost."""
        self.advance(now)
        return self.tokens > 0

    def charge(self, now: float, tokens: int, call: object, *, lost: int = 0) -> None:
        """Take the price of one of our calls."""
        self._take(now, "call", tokens, call, lost)

    def steal(self, now: float, tokens: int) -> None:
        """Take the price of somebody else's call with the same key."""
        if self.open(now):
            self._take(now, "foreign", tokens, None, tokens)

    def give(self, now: float, tokens: int) -> None:
        """Add tokens that nobody expects."""
        self.advance(now)
        self._take(now, "gift", -min(tokens, self.capacity - self.tokens), None, 0)

    def change_plan(self, now: float, rate: int) -> None:
        """Change rate and capacity; what does not fit any more is gone."""
        self.advance(now)
        if rate < self.rate:
            self.changed_at = now
        self.rate = rate
        gone = max(0, self.tokens - self.capacity)
        self._take(now, "plan", gone, None, gone)

    def reduce(self, now: float, reduction: float) -> None:
        """Let trackings take some of the refill."""
        self.advance(now)
        if reduction > self.reduction:
            self.changed_at = now
        self.reduction = reduction

    def body(self, arrived: float, now: float, consumed: int, status: int = 200) -> Body:
        """Answer; ``left`` and ``refill_in`` are those of the moment the answer is made."""
        self.advance(now)
        timestamp, made = self._milliseconds(arrived), self._milliseconds(now)
        return Body(
            timestamp=timestamp,
            processing=made - timestamp,
            left=self.tokens,
            refill_in=max(0, self._milliseconds(self.announced) - made),
            rate=self.rate,
            reduction=self.reduction,
            consumed=consumed,
            status=status,
        )

    def second(self, milliseconds: int) -> float:
        """Say which second of the world a time of Keepa's is."""
        return (milliseconds - self.epoch_ms) / 1000

    def _take(self, now: float, kind: str, tokens: int, call: object, lost: int) -> None:
        self.advance(now)
        self.tokens -= tokens
        self._note(now, kind, tokens, call, lost)

    def _note(self, at: float, kind: str, tokens: int, call: object = None, lost: int = 0) -> None:
        self.lines.append(Line(at, kind, tokens, self.tokens, call, lost))

    def _milliseconds(self, second: float) -> int:
        return self.epoch_ms + int(second * 1000)

    def _lateness(self) -> float:
        self._since_late += 1
        if self._since_late > BETWEEN_VERY_LATE and self.rng.random() < 0.2:
            self._since_late = 0
            return VERY_LATE
        return self.rng.random() * LATE
