"""The products that the stand-in sells: invented from a seed, or recorded from the real one."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from deploy.sandbox.catalogue.statistics import Points
from deploy.sandbox.catalogue.taxonomy import Category
from deploy.sandbox.catalogue.view import View


class Item(Protocol):
    """One product."""

    @property
    def asin(self) -> str:
        """The product's ASIN."""

    @property
    def domain(self) -> int:
        """The Amazon locale it is sold in."""

    @property
    def facts(self) -> dict[str, Any]:
        """Fields of the product that the finder can ask for; ``categories`` holds all ancestors."""

    def stat(self, name: str, index: int) -> int:
        """Return ``stats[name][index]``; -1 is absent."""

    def count(self, name: str) -> int:
        """Return a scalar of ``stats`` such as ``salesRankDrops90``."""

    def series(self) -> Mapping[int, Points]:
        """Return the free histories by index, unpacked; triples hold price plus shipping."""

    def one_series(self, index: int) -> Points:
        """Return one history without telling the others; empty when there is none."""

    def sellers(self) -> Sequence[str]:
        """Return the ids of who offers it now."""

    def updated(self) -> int:
        """Return the Keepa minute of the newest refresh."""

    def refresh(self, now: int) -> None:
        """Refresh the product at minute ``now``."""

    def render(self, view: View) -> dict[str, Any]:
        """Return Keepa's product object."""


class Catalogue(Protocol):
    """All products."""

    @property
    def tree(self) -> Mapping[int, Category]:
        """The categories, by id."""

    def asins(self) -> Sequence[str]:
        """Return every ASIN."""

    def find(self, asin: str) -> Item | None:
        """Return the product, or None when it is unknown."""

    def by_code(self, code: str) -> list[str]:
        """Return the ASINs that carry an EAN, UPC or ISBN."""

    def placeholder(self, asin: str, domain: int, view: View) -> dict[str, Any]:
        """Return the type-4 product of an unknown ASIN."""
