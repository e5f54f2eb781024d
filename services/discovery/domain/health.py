"""How well a cache serves."""

from dataclasses import dataclass

EXCELLENT_HITS = 3
GOOD_HITS = 1
ALERT_PERCENT = 50.0


@dataclass(frozen=True, slots=True)
class Purged:
    """What was forgotten: entries, and their size."""

    entries: int = 0
    size_bytes: int = 0

    def __add__(self, other: "Purged") -> "Purged":
        """Sum up two caches."""
        return Purged(self.entries + other.entries, self.size_bytes + other.size_bytes)


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheHealth:
    """One cache by numbers.

    Attributes:
        requests: Answers given in the last 7 days, ``served`` of them from the cache.
    """

    cache: str
    entries: int
    expired: int
    hits: int
    size_bytes: int
    requests: int
    served: int

    @property
    def mean_hits(self) -> float:
        """Mean hits per entry, expired ones included."""
        return self.hits / max(1, self.entries + self.expired)

    @property
    def rating(self) -> str:
        """The word for the mean."""
        if self.mean_hits > EXCELLENT_HITS:
            return "excellent"
        return "good" if self.mean_hits > GOOD_HITS else "low reuse"

    @property
    def hit_percent(self) -> float:
        """Share of the answers given from the cache."""
        return 100 * self.served / self.requests if self.requests else 0.0

    @property
    def alert(self) -> bool:
        """Whether fewer than half of the answers came from it; a cache nobody asked is calm."""
        return self.requests > 0 and self.hit_percent < ALERT_PERCENT
