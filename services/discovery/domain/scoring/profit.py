"""Fees, profit and the price to pay: every line to the cent, at any sell price."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from math import ceil, floor

from services.discovery.domain.scoring.card import FeeCard, Shipment
from services.discovery.domain.scoring.figures import Figures
from services.discovery.domain.scoring.money import cents, percentage, share
from services.discovery.domain.scoring.terms import Channel, Terms

MISMATCH_CENTS = 50
ROUNDED_LINES = 4
"""Lines of the sale that grow with its price and are each rounded: at most half a cent each."""


@dataclass(frozen=True, slots=True)
class Sale:
    """What Amazon and the trade keep of one sale, in cents, at one sell price.

    Attributes:
        fulfilment_card: The card's fee before the fuel surcharge; 0 when shipped by us.
        mismatch: Keepa's own fee differs from the card's by more than 50 cents.
    """

    sell: int
    referral: int
    closing: int
    fulfilment_card: int
    fulfilment: int
    placement: int
    storage: int
    postage: int
    returns: int
    buffer: int
    mismatch: bool

    @property
    def net(self) -> int:
        """What is left of the sale, before the copy itself is paid for."""
        kept = self.referral + self.closing + self.fulfilment + self.placement
        return self.sell - kept - self.storage - self.postage - self.returns - self.buffer


@dataclass(frozen=True, slots=True)
class Cost:
    """What one copy costs until it lies at Amazon, or with us, in cents."""

    buy: int
    source_shipping: int
    sales_tax: int
    prep: int
    inbound: int

    @property
    def cash(self) -> int:
        """All of it."""
        return self.buy + self.source_shipping + self.sales_tax + self.prep + self.inbound


@dataclass(frozen=True, slots=True)
class Outcome:
    """Profit, and the same in per cent of the cash and of the price, unrounded.

    Attributes:
        roi_percent: None when the copy costs nothing.
    """

    sell: int
    profit: int
    roi_percent: Decimal | None
    margin_percent: Decimal | None


@dataclass(frozen=True, slots=True)
class Fulfilment:
    """Amazon's fee for one parcel in one price band: by the card, and as charged."""

    card: int
    charged: int
    mismatch: bool


@dataclass(frozen=True, slots=True)
class Trade:
    """One way of selling one product: answers for any sell price and any buying price.

    Attributes:
        fulfilment: One fee for each price band of the card.
        referral_percent: The product's own, else the card's.
        storage: Of one copy until it is sold, each month at its own rate, in cents.
        inbound: Freight of one copy to Amazon's warehouse, in cents.
    """

    terms: Terms
    card: FeeCard
    fulfilment: tuple[Fulfilment, ...]
    referral_percent: Decimal
    closing: int
    placement: int
    storage: int
    inbound: int

    def sale(self, sell_cents: int) -> Sale:
        """Work out every fee of a sale."""
        fulfilment = self.fulfilment[self.card.band(sell_cents)]
        return Sale(
            sell=sell_cents,
            referral=share(sell_cents, self.referral_percent),
            closing=self.closing,
            fulfilment_card=fulfilment.card,
            fulfilment=fulfilment.charged,
            placement=self.placement,
            storage=self.storage,
            postage=self.terms.postage_cents if self.terms.channel is Channel.FBM else 0,
            returns=share(sell_cents, self.card.returns_percent),
            buffer=share(sell_cents, self.terms.strategy.buffer_percent),
            mismatch=fulfilment.mismatch,
        )

    def cost(self, buy_cents: int) -> Cost:
        """Work out what a copy bought at a price costs in all."""
        terms = self.terms
        return Cost(
            buy=buy_cents,
            source_shipping=terms.source_shipping_cents,
            sales_tax=share(buy_cents, terms.sales_tax_percent),
            prep=terms.prep_cents,
            inbound=self.inbound,
        )

    def outcome(self, sell_cents: int, cash_cents: int) -> Outcome:
        """Set what a sale leaves against what the copy cost."""
        profit = self.sale(sell_cents).net - cash_cents
        return Outcome(
            sell=sell_cents,
            profit=profit,
            roi_percent=percentage(profit, cash_cents),
            margin_percent=percentage(profit, sell_cents),
        )

    def max_buy(self, net_cents: int) -> int:
        """Find the highest buying price that still earns the target; negative means none does."""
        terms = self.terms
        room = floor(Decimal(net_cents * 100) / (100 + terms.target_percent))
        room -= terms.prep_cents + self.inbound + terms.source_shipping_cents
        if room < 0 or not terms.sales_tax_percent:
            return room
        price = floor(Decimal(room * 100) / (100 + terms.sales_tax_percent)) + 1
        while price + share(price, terms.sales_tax_percent) > room:
            price -= 1
        return price

    def break_even(self, cash_cents: int) -> int | None:
        """Find the lowest sell price that pays for the copy.

        Profit may fall where a price enters the next band of the card, so each band is searched
        on its own, from the cheapest; None when no price that would be scored is enough.
        """
        (lower, upper), dearest = self.card.band_cents, self.terms.rules.limits.dearest_cents
        for first, last in ((1, lower - 1), (lower, upper), (upper + 1, dearest)):
            for price in self._near_break_even(first, last, cash_cents):
                if self.sale(price).net >= cash_cents:
                    return price
        return None

    def _near_break_even(self, first: int, last: int, cash_cents: int) -> range:
        """Bound the prices of one band among which its break-even lies.

        Within a band the net is a straight line but for its rounded lines, so the break-even
        lies within a few cents of where that line meets the cash.
        """
        terms, card = self.terms, self.card
        percent = self.referral_percent + card.returns_percent + terms.strategy.buffer_percent
        if percent >= 100:
            return range(0)
        missing = (cash_cents - self.sale(first).net) * 100
        slack = ROUNDED_LINES * 100
        least = first + floor((missing - slack) / (100 - percent))
        most = first + ceil((missing + slack) / (100 - percent))
        return range(max(first, least), min(last, most) + 1)


def trade(
    figures: Figures,
    terms: Terms,
    card: FeeCard,
    *,
    shipment: Shipment | None,
    day: date,
    months: int,
) -> Trade:
    """Work out everything about a sale that does not depend on its price.

    ``shipment`` is None when the reseller ships, so that Amazon's tiers do not matter;
    ``months`` says how long storage is paid for.
    """
    fba = terms.channel is Channel.FBA
    own, closing = figures.referral_percent, figures.closing_cents
    if closing is None:
        closing = card.media_closing_cents if figures.media else 0
    storage = cents(figures.parcel.cubic_feet * card.storage_rate(day, months))
    return Trade(
        terms=terms,
        card=card,
        fulfilment=_fulfilment(figures, card, shipment, day),
        referral_percent=card.referral_percent if own is None else own,
        closing=closing,
        placement=terms.placement_cents if fba else 0,
        storage=storage if fba else 0,
        inbound=cents(figures.parcel.pounds * terms.inbound_cents_per_pound) if fba else 0,
    )


def _fulfilment(
    figures: Figures, card: FeeCard, shipment: Shipment | None, day: date
) -> tuple[Fulfilment, ...]:
    """Give the fee of each price band; where Keepa's own contradicts, the larger one."""
    if shipment is None:
        return (Fulfilment(0, 0, mismatch=False),) * 3
    own, factor = figures.pick_and_pack_cents, card.fuel_factor(day)
    fees = []
    for band in range(3):
        fee = shipment.tier.fee(shipment.bill_ounces, band)
        mismatch = own is not None and abs(fee - own) > MISMATCH_CENTS
        base = max(fee, own) if mismatch and own is not None else fee
        fees.append(Fulfilment(fee, cents(base * factor), mismatch))
    return tuple(fees)


def months_stored(days_to_sell: float) -> int:
    """Count the months storage is paid for: at least one, started ones whole."""
    return max(1, ceil(days_to_sell / 30))
