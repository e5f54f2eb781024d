"""Options that several commands share, and what they mean in the contracts' words."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any

import typer
from arbitragevault.autosourcing.v1 import autosourcing_pb2 as autosourcing
from arbitragevault.discovery.v1 import discovery_pb2 as discovery
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

Json = Annotated[bool, typer.Option("--json", help="Print the answers as JSON, one per line.")]
Categories = Annotated[
    list[int] | None, typer.Option("--category", help="Keepa category id; may be repeated.")
]
RankMin = Annotated[int, typer.Option(min=0, help="Best sales rank; 0 is open.")]
RankMax = Annotated[int, typer.Option(min=0, help="Worst sales rank; 0 is open.")]
PriceMin = Annotated[float, typer.Option(min=0, help="Lowest price in dollars; 0 is open.")]
PriceMax = Annotated[float, typer.Option(min=0, help="Highest price in dollars; 0 is open.")]
Title = Annotated[str, typer.Option(help="Words that the title must hold.")]
Availability = Annotated[
    str, typer.Option(help="What Amazon itself may offer: any, amazon_absent or amazon_present.")
]
Condition = Annotated[
    str,
    typer.Option(
        help="To be sold in: new, used_like_new, used_very_good, used_good or used_acceptable."
    ),
]
Results = Annotated[int, typer.Option(min=1, max=10_000, help="Products at most.")]
Products = Annotated[int, typer.Option(min=0, max=1000, help="Products analysed at most; 0: 10.")]
Strategy = Annotated[
    str,
    typer.Option(
        help="balanced, smart_velocity, textbooks_standard or textbooks_patience; empty: the profile's."
    ),
]
Profile = Annotated[
    str, typer.Option(help="Id of a saved profile, such as textbooks-conservateur.")
]
Asins = Annotated[
    list[str] | None,
    typer.Option("--asin", help="Judge this ASIN or ISBN instead of searching; may be repeated."),
]
Buy = Annotated[
    list[str] | None,
    typer.Option(
        "--buy",
        help="Own buying price in dollars: 12.50 for every product that is named, or "
        "ASIN=12.50; may be repeated.",
    ),
]
MinRoi = Annotated[float, typer.Option(min=0, max=1000, help="Least ROI of a pick in percent.")]
MinVelocity = Annotated[float, typer.Option(min=0, max=100, help="Least velocity of a pick.")]
BestSellers = Annotated[
    bool,
    typer.Option(
        "--best-sellers",
        help="The best sellers of one category instead of a search: 50 tokens, no range.",
    ),
]
Offers = Annotated[
    int,
    typer.Option(
        min=0,
        max=100,
        help="Best candidates to look at again with their live offers: "
        "usually 6 tokens each, 16 at most.",
    ),
]
CacheOnly = Annotated[
    bool,
    typer.Option("--cache-only", help="Only what is stored, whatever its age. Spends nothing."),
]
AcceptStale = Annotated[
    bool,
    typer.Option(
        "--accept-stale",
        help="What has expired will do, for nothing; it is fetched anew behind the answer.",
    ),
]
Refresh = Annotated[bool, typer.Option("--refresh", help="Ask Keepa whatever is stored, and pay.")]
AtLeast = Annotated[
    str, typer.Option(help="The least advice to be listed: skip, consider, buy or strong_buy.")
]
File = Annotated[
    Path | None,
    typer.Option(
        exists=True,
        dir_okay=False,
        readable=True,
        help="Judge the ASINs or ISBNs of this CSV, with own prices, instead of searching.",
    ),
]
Limit = Annotated[int, typer.Option(min=1, max=10_000, help="Lines at most.")]
Since = Annotated[
    datetime | None, typer.Option(help="In UTC; without it, since 30 days ago.", show_default=False)
]
Until = Annotated[
    datetime | None, typer.Option(help="In UTC; without it, until now.", show_default=False)
]
Clear = Annotated[
    list[str] | None, typer.Option("--clear", help="A field to be emptied; may be repeated.")
]
JobName = Annotated[str, typer.Option("--job", help="Only of this job, jobs/<uuid>.")]


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


def age(*, cache_only: CacheOnly = False, refresh: Refresh = False) -> Age:
    """Read how old an answer may be.

    Raises:
        typer.BadParameter: What is stored is both wanted and not wanted.
    """
    if refresh and cache_only:
        raise typer.BadParameter("does not go with --cache-only", param_hint="--refresh")
    return Age(cache_only=cache_only, refresh=refresh)


def any_age(
    *, cache_only: CacheOnly = False, accept_stale: AcceptStale = False, refresh: Refresh = False
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
    category: Categories = None,
    rank_min: RankMin = 0,
    rank_max: RankMax = 0,
    price_min: PriceMin = 0,
    price_max: PriceMax = 0,
    title: Title = "",
    availability: Availability = "",
    condition: Condition = "",
    *,
    best_sellers: BestSellers = False,
) -> discovery.DiscoveryFilter:
    """Build a filter; what is not given is not in it, and dollars are turned into cents.

    Raises:
        typer.BadParameter: A name is not known.
    """
    built = discovery.DiscoveryFilter(
        category_ids=category or [],
        title=title,
        availability=named(discovery.Availability, "AVAILABILITY_", availability, "--availability"),
        condition=condition_named(condition),
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


def scoring(
    strategy: Strategy = "",
    condition: Condition = "",
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
        strategy=strategy_named(strategy),
        condition=condition_named(condition),
        sales_tax_basis_points=round(sales_tax * 100),
        source_shipping_cents=round(shipping * 100),
    )


def job_spec(  # noqa: PLR0917 - one option each
    max_products: Products = 0,
    strategy: Strategy = "",
    profile: Profile = "",
    asin: Asins = None,
    buy: Buy = None,
    min_roi: MinRoi = 0,
    min_velocity: MinVelocity = 0,
    called: Annotated[str, typer.Option(help="The job's name for people.")] = "",
    *,
    refresh: Refresh = False,
) -> autosourcing.JobSpec:
    """Build what a job looks for, its filter aside.

    Raises:
        typer.BadParameter: A name is not known, or a price is none.
    """
    built = autosourcing.JobSpec(
        display_name=called,
        profile=full("profiles", profile) if profile else "",
        strategy=strategy_named(strategy),
        max_products=max_products,
        minimum_roi_percent=min_roi,
        minimum_velocity_score=min_velocity,
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


def full(kind: str, given: str) -> str:
    """Complete a resource name, such as `jobs/<uuid>`, of which the kind may be left out."""
    return given if given.startswith(f"{kind}/") else f"{kind}/{given}"


def instant(given: datetime | None) -> Timestamp | None:
    """Read an instant in UTC."""
    if given is None:
        return None
    built = Timestamp()
    built.FromDatetime(given.replace(tzinfo=UTC))
    return built


def changed(message: Message, clear: Iterable[str] | None, allowed: Sequence[str]) -> list[str]:
    """Name the fields that change: those that hold something, and those to be emptied.

    Raises:
        typer.BadParameter: Nothing changes, or a field cannot be emptied.
    """
    cleared = list(clear or ())
    for each in cleared:
        if each not in allowed:
            raise typer.BadParameter(
                f"{each!r} must be one of {', '.join(allowed)}", param_hint="--clear"
            )
    given = [field.name for field, _ in message.ListFields() if field.name in allowed]
    if not given and not cleared:
        raise typer.BadParameter("nothing was given that changes; see --help")
    return list(dict.fromkeys(given + cleared))


def strategy_named(name: str) -> discovery.Strategy.ValueType:
    """Find a strategy; none is the profile's or the default."""
    value: discovery.Strategy.ValueType = named(discovery.Strategy, "STRATEGY_", name, "--strategy")
    return value


def condition_named(name: str) -> discovery.Condition.ValueType:
    """Find a condition; none is the default."""
    value: discovery.Condition.ValueType = named(
        discovery.Condition, "CONDITION_", name, "--condition"
    )
    return value


def advice_named(name: str) -> discovery.Recommendation.ValueType:
    """Find a recommendation; none is every one."""
    value: discovery.Recommendation.ValueType = named(
        discovery.Recommendation, "RECOMMENDATION_", name, "--at-least"
    )
    return value


def action_named(name: str) -> autosourcing.PickAction.ValueType:
    """Find what a person may decide about a pick; none leaves it as it is, or is every one."""
    value: autosourcing.PickAction.ValueType = named(
        autosourcing.PickAction, "PICK_ACTION_", name, "--action"
    )
    return value


def named(enum: Any, prefix: str, name: str, option: str) -> Any:
    """Find a value by its name without the prefix, in small letters; the first one for none.

    Raises:
        typer.BadParameter: There is no such value; it says which there are.
    """
    if not name:
        return 0
    known = {value.removeprefix(prefix).lower(): value for value in enum.keys()[1:]}
    if name.lower() not in known:
        raise typer.BadParameter(f"must be one of {', '.join(known)}", param_hint=option)
    return enum.Value(known[name.lower()])
