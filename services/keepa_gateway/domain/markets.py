"""The Amazon marketplaces that Keepa covers, by Keepa's own numbers."""

from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class Market:
    """One Amazon marketplace.

    Attributes:
        domain: Keepa's number for it, as sent in requests.
        host: The shop's address.
        currency: ISO 4217; prices count its smallest unit (cents, but whole yen).
        best_sellers: Whether Keepa keeps best-seller lists for it.
    """

    domain: int
    host: str
    currency: str
    best_sellers: bool = True


# 7 was amazon.cn and is reserved. Source: keepacom/api_backend, structs/AmazonLocale.java.
MARKETS = MappingProxyType(
    {
        market.domain: market
        for market in (
            Market(1, "amazon.com", "USD"),
            Market(2, "amazon.co.uk", "GBP"),
            Market(3, "amazon.de", "EUR"),
            Market(4, "amazon.fr", "EUR"),
            Market(5, "amazon.co.jp", "JPY"),
            Market(6, "amazon.ca", "CAD"),
            Market(8, "amazon.it", "EUR"),
            Market(9, "amazon.es", "EUR"),
            Market(10, "amazon.in", "INR"),
            Market(11, "amazon.com.mx", "MXN"),
            Market(12, "amazon.com.br", "BRL", best_sellers=False),
        )
    }
)
