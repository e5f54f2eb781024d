"""What is asked for: products, how they are scored, jobs, and how old an answer may be."""

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated

import typer
from arbitragevault.autosourcing.v1 import autosourcing_pb2 as autosourcing
from arbitragevault.discovery.v1 import discovery_pb2 as discovery

from services.cli import options

MOST_DOLLARS = 1_000_000
_DOLLARS = re.compile(r"[0-9]{1,7}(\.[0-9]{1,2})?")


@dataclass(frozen=True)
class Age:
    """How old an answer may be.

    Attributes:
        cache_only: Whatever its age, if it is stored.
        accept_stale: Expired, if all of it is stored.
        refresh: Only a new one.
    """

    cache_only: bool
    refresh: bool
    accept_stale: bool = False


def age(*, cache_only: options.CacheOnly = False, refresh: options.Refresh = False) -> Age:
    """Read how old an answer may be.

    Raises:
        typer.BadParameter: What is stored is both wanted and not wanted.
    """
    if refresh and cache_only:
        raise typer.BadParameter("does not go with --cache-only", param_hint="--refresh")
    return Age(cache_only=cache_only, refresh=refresh)


def any_age(
    *,
    cache_only: options.CacheOnly = False,
    accept_stale: options.AcceptStale = False,
    refresh: options.Refresh = False,
) -> Age:
    """Read how old an answer may be, where an expired one may do.

    Raises:
        typer.BadParameter: What is stored is both wanted and not wanted.
    """
    if refresh and (cache_only or accept_stale):
        raise typer.BadParameter(
            "goes with neither --cache-only nor --accept-stale", param_hint="--refresh"
        )
    return Age(cache_only=cache_only, refresh=refresh, accept_stale=accept_stale)


def product_filter(  # noqa: PLR0917 - one option each
    category: options.Categories = None,
    rank_min: options.RankMin = 0,
    rank_max: options.RankMax = 0,
    price_min: options.PriceMin = 0,
    price_max: options.PriceMax = 0,
    title: options.Title = "",
    availability: options.Availability = "",
    condition: options.Condition = "",
    *,
    best_sellers: options.BestSellers = False,
) -> discovery.DiscoveryFilter:
    """Build a filter; what is not given is not in it, and dollars are turned into cents.

    Raises:
        typer.BadParameter: A name is not known.
    """
    built = discovery.DiscoveryFilter(
        category_ids=category or [],
        title=title,
        availability=options.named(
            discovery.Availability, "AVAILABILITY_", availability, "--availability"
        ),
        condition=options.condition_named(condition),
    )
    if best_sellers:
        built.source = discovery.DISCOVERY_SOURCE_BEST_SELLERS
    if rank_min or rank_max:
        built.rank_range.minimum, built.rank_range.maximum = rank_min, rank_max
    if price_min or price_max:
        low, high = (round(value * 100) for value in (price_min, price_max))
        built.price_range.minimum_cents, built.price_range.maximum_cents = low, high
    return built


def amended(
    stored: discovery.DiscoveryFilter, given: discovery.DiscoveryFilter
) -> discovery.DiscoveryFilter:
    """Put what is given of a filter in place of what is stored; the rest stays."""
    built = discovery.DiscoveryFilter()
    built.CopyFrom(stored)
    if given.category_ids:
        del built.category_ids[:]
    built.MergeFrom(given)
    return built


def amend(
    changed: discovery.SavedNiche | autosourcing.Profile,
    stored: discovery.DiscoveryFilter,
    clear: Collection[str] | None,
) -> None:
    """Complete the filter that is given for a change with what is stored, unless it is cleared."""
    if changed.HasField("filter") and "filter" not in (clear or ()):
        changed.filter.CopyFrom(amended(stored, changed.filter))


def scoring(
    strategy: options.Strategy = "",
    condition: options.Condition = "",
    sales_tax: Annotated[
        float, typer.Option(min=0, max=50, help="On the buying price, in percent.")
    ] = 0,
    shipping: Annotated[
        float, typer.Option(min=0, max=1000, help="To you, in dollars a unit.")
    ] = 0,
) -> discovery.ScoringOptions:
    """Build how products are scored, own buying prices aside.

    Raises:
        typer.BadParameter: A name is not known.
    """
    return discovery.ScoringOptions(
        strategy=options.strategy_named(strategy),
        condition=options.condition_named(condition),
        sales_tax_basis_points=round(sales_tax * 100),
        source_shipping_cents=round(shipping * 100),
    )


def job_spec(  # noqa: PLR0917 - one option each
    max_products: options.Products = 0,
    strategy: options.Strategy = "",
    profile: options.Profile = "",
    asin: options.Asins = None,
    buy: options.Buy = None,
    min_roi: options.MinRoi = 0,
    min_velocity: options.MinVelocity = 0,
    called: Annotated[str, typer.Option(help="The job's name for people.")] = "",
    *,
    again: Annotated[
        bool, typer.Option(help="Analyse what was analysed in the last 7 days.")
    ] = False,
    refresh: options.Refresh = False,
) -> autosourcing.JobSpec:
    """Build what a job looks for, its filter aside.

    Raises:
        typer.BadParameter: A name is not known, or a price is none.
    """
    built = autosourcing.JobSpec(
        display_name=called,
        profile=options.full("profiles", profile) if profile else "",
        strategy=options.strategy_named(strategy),
        max_products=max_products,
        minimum_roi_percent=min_roi,
        minimum_velocity_score=min_velocity,
        include_recently_seen=again,
        force_refresh=refresh,
    )
    costs = own_costs(asin or [], buy)
    for value in asin or []:
        built.identifiers.append(autosourcing.Identifier(value=value, buy_cents=costs.get(value)))
    return built


def own_costs(asins: Sequence[str], given: Iterable[str] | None) -> dict[str, int]:
    """Read own buying prices: one for all products, or one for each.

    Returns:
        Cents by ASIN, of those that have a price.

    Raises:
        typer.BadParameter: A price is none, or is for a product that was not named.
    """
    costs: dict[str, int] = {}
    for each in sorted(given or (), key=lambda one: "=" in one):  # The particular ones last.
        asin, assigned, price = each.rpartition("=")
        if not _DOLLARS.fullmatch(price) or not 0 < Decimal(price) <= MOST_DOLLARS:
            raise typer.BadParameter(
                f"{each!r} must be dollars such as 12.50, from 0.01 to {MOST_DOLLARS}, "
                "or ASIN=12.50",
                param_hint="--buy",
            )
        if assigned and asin not in asins:
            known = ", ".join(asins) or "none"
            raise typer.BadParameter(
                f"{asin!r} is not among the products that are named: {known}", param_hint="--buy"
            )
        if not assigned and not asins:
            raise typer.BadParameter("name the products that it is for", param_hint="--buy")
        costs.update(dict.fromkeys([asin] if assigned else asins, int(Decimal(price) * 100)))
    return costs


def brought(
    file: options.File = None,
    identifier_column: Annotated[
        str, typer.Option(help="With --file: the heading of its ASINs or ISBNs.")
    ] = "",
    cost_column: Annotated[
        str, typer.Option(help="With --file: the heading of its prices, else cost, price or buy.")
    ] = "",
) -> autosourcing.ImportIdentifiersRequest | None:
    """Read a file of products; None without one.

    Raises:
        typer.BadParameter: A column is named of no file.
    """
    if file is None:
        if identifier_column or cost_column:
            raise typer.BadParameter("names the file that has the column", param_hint="--file")
        return None
    return autosourcing.ImportIdentifiersRequest(
        content=file.read_bytes(), identifier_column=identifier_column, cost_column=cost_column
    )
