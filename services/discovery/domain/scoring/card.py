"""Amazon's fee card: fulfilment, storage and the percentages, by the date they are valid from."""

import json
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import cache
from importlib import resources
from math import ceil
from typing import Any

from services.discovery.domain.scoring.parcel import Parcel


@dataclass(frozen=True, slots=True)
class Tier:
    """One size tier: its limits and the fee for each step of weight and band of price."""

    name: str
    max_inches: tuple[Decimal, Decimal, Decimal]
    max_ounces: Decimal
    volumetric: bool
    steps: tuple[tuple[Decimal, tuple[int, int, int]], ...]
    beyond_cents: tuple[int, int, int] | None
    beyond_ounces: Decimal
    beyond_step_cents: int

    def fee(self, ounces: Decimal, band: int) -> int:
        """Look up the fulfilment fee in cents before surcharges."""
        for limit, fees in self.steps:
            if ounces <= limit:
                return fees[band]
        assert self.beyond_cents is not None, "a tier's weight limit lies within its steps"
        started = ceil((ounces - self.steps[-1][0]) / self.beyond_ounces)
        return self.beyond_cents[band] + self.beyond_step_cents * started


@dataclass(frozen=True, slots=True)
class Shipment:
    """How Amazon classes one parcel."""

    tier: Tier
    bill_ounces: Decimal


@dataclass(frozen=True, slots=True)
class FeeCard:
    """The card in force from one day on."""

    id: str
    effective_from: date
    band_cents: tuple[int, int]
    tiers: tuple[Tier, ...]
    volumetric_divisor: Decimal
    fuel: tuple[tuple[date, Decimal], ...]
    peak_first: tuple[int, int]
    peak_last: tuple[int, int]
    storage_cents: tuple[Decimal, ...]
    referral_percent: Decimal
    media_closing_cents: int
    returns_percent: Decimal

    def classify(self, parcel: Parcel) -> Shipment | None:
        """Find the smallest tier that takes the parcel; None when it is larger than all."""
        sides = sorted(parcel.inches, reverse=True)
        for tier in self.tiers:
            ounces = parcel.ounces
            if tier.volumetric:
                ounces = max(ounces, parcel.cubic_inches / self.volumetric_divisor * 16)
            fits = all(side <= limit for side, limit in zip(sides, tier.max_inches, strict=True))
            if fits and ounces <= tier.max_ounces:
                return Shipment(tier, ounces)
        return None

    def band(self, sell_cents: int) -> int:
        """Name the price band: 0 below the lower bound, 2 above the upper one, else 1."""
        lower, upper = self.band_cents
        return (sell_cents >= lower) + (sell_cents > upper)

    def fuel_factor(self, day: date) -> Decimal:
        """Give the surcharge on fulfilment that is in force on a day."""
        return next((factor for start, factor in self.fuel if start <= day), Decimal(1))

    def peak(self, day: date) -> bool:
        """Whether Amazon's peak card, which is not captured here, applies on a day."""
        moment = (day.month, day.day)
        return moment >= self.peak_first or moment <= self.peak_last

    def storage_rate(self, day: date, months: int) -> Decimal:
        """Add up the monthly rates in cents per cubic foot, from the month of ``day`` on."""
        return sum(
            (self.storage_cents[(day.month - 1 + month) % 12] for month in range(months)),
            Decimal(0),
        )


def card_for(day: date) -> tuple[FeeCard, bool]:
    """Choose the newest card in force on a day.

    Returns:
        The card, and whether it really is in force: for days before the first card there is
        none, and the first one is used.
    """
    cards = _cards()
    return next(((card, True) for card in cards if card.effective_from <= day), (cards[-1], False))


@cache
def _cards() -> tuple[FeeCard, ...]:
    """Read every card that comes with the package, newest first."""
    folder = resources.files("services.discovery.domain") / "data"
    names = sorted(file.name for file in folder.iterdir() if file.name.startswith("us_fees_"))
    cards = [_card(json.loads((folder / name).read_text("utf-8"))) for name in names]
    return tuple(sorted(cards, key=lambda card: card.effective_from, reverse=True))


def _card(data: dict[str, Any]) -> FeeCard:
    fuel = [(date.fromisoformat(s["effective_from"]), Decimal(s["factor"])) for s in data["fuel"]]
    lower, upper = data["band_cents"]
    return FeeCard(
        id=data["id"],
        effective_from=date.fromisoformat(data["effective_from"]),
        band_cents=(lower, upper),
        tiers=tuple(_tier(tier) for tier in data["tiers"]),
        volumetric_divisor=Decimal(data["volumetric_divisor"]),
        fuel=tuple(sorted(fuel, reverse=True)),
        peak_first=tuple(data["peak"]["first"]),
        peak_last=tuple(data["peak"]["last"]),
        storage_cents=tuple(Decimal(rate) for rate in data["storage_cents_per_cubic_foot"]),
        referral_percent=Decimal(data["referral_percent"]),
        media_closing_cents=data["media_closing_cents"],
        returns_percent=Decimal(data["returns_percent"]),
    )


def _tier(data: dict[str, Any]) -> Tier:
    length, width, height = (Decimal(side) for side in data["max_inches"])
    beyond = data["beyond"] or {"base_cents": None, "ounces": "1", "cents": 0}
    base = beyond["base_cents"]
    return Tier(
        name=data["name"],
        max_inches=(length, width, height),
        max_ounces=Decimal(data["max_ounces"]),
        volumetric=data["volumetric"],
        steps=tuple((Decimal(ounces), tuple(fees)) for ounces, *fees in data["steps"]),
        beyond_cents=None if base is None else tuple(base),
        beyond_ounces=Decimal(beyond["ounces"]),
        beyond_step_cents=beyond["cents"],
    )
