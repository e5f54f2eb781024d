"""Which parts of a product a request asked for."""

from dataclasses import dataclass

from deploy.sandbox.catalogue.statistics import DAY, Windows


@dataclass(frozen=True)
class View:
    """The options of one /product request that shape its answer.

    Attributes:
        minute: The Keepa minute of the request.
        stats: The statistics' interval, as days back from the product's last refresh or as
            first and last Keepa minute; None for no statistics.
        days: Only this much of every history, or None for all of it.
        offers: The most offers wanted, or 0.
    """

    minute: int
    stats: int | tuple[int, int] | None = None
    history: bool = True
    days: int | None = None
    offers: int = 0
    only_live_offers: bool = False
    buybox: bool = False
    rating: bool = False
    stock: bool = False

    def windows(self, updated: int) -> Windows | None:
        """Return what statistics are taken over for a product refreshed at ``updated``."""
        if self.stats is None:
            return None
        if isinstance(self.stats, int):
            return Windows(updated, updated - self.stats * DAY, updated)
        return Windows(updated, *self.stats)
