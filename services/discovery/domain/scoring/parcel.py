"""The parcel: weight and size of one copy, measured or assumed."""

from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

from services.discovery.domain.product import ProductFacts

EXACT = Decimal("0.01")
GRAMS_PER_OUNCE = Decimal("28.349523125")
MM_PER_INCH = Decimal("25.4")


@dataclass(frozen=True, slots=True)
class Parcel:
    """One packed copy.

    Attributes:
        inches: The three sides, in any order.
        assumed: Whether weight or size had to be guessed.
    """

    ounces: Decimal
    inches: tuple[Decimal, Decimal, Decimal]
    assumed: bool = False

    @property
    def cubic_inches(self) -> Decimal:
        """The volume of the box."""
        length, width, height = self.inches
        return length * width * height

    @property
    def cubic_feet(self) -> Decimal:
        """The volume that storage is charged for."""
        return self.cubic_inches / 1728

    @property
    def pounds(self) -> Decimal:
        """The weight that inbound freight is charged for."""
        return self.ounces / 16


PAPERBACK = Parcel(Decimal(16), (Decimal(9), Decimal(6), Decimal(1)), assumed=True)
HARDCOVER = Parcel(Decimal(24), (Decimal(10), Decimal(8), Decimal("1.25")), assumed=True)


def parcel_of(product: ProductFacts, *, textbook: bool) -> Parcel:
    """Measure the parcel, filling what is not known with a typical book of its kind.

    Ounces and inches are rounded to hundredths first, so that the fees can be redone by hand.
    """
    typical = HARDCOVER if textbook or product.hardcover else PAPERBACK
    weight, size = product.weight_grams, product.size_mm
    ounces = typical.ounces if weight is None else _exact(weight / GRAMS_PER_OUNCE)
    if size is None:
        return Parcel(ounces, typical.inches, assumed=True)
    length, width, height = (_exact(side / MM_PER_INCH) for side in size)
    return Parcel(ounces, (length, width, height), assumed=weight is None)


def _exact(measure: Decimal) -> Decimal:
    return measure.quantize(EXACT, rounding=ROUND_HALF_UP)
