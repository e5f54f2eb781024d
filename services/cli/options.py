"""Options that several commands share, and what they mean in the contracts' words."""

from pathlib import Path
from typing import Annotated, Any

import typer
from arbitragevault.autosourcing.v1 import autosourcing_pb2 as autosourcing
from arbitragevault.discovery.v1 import discovery_pb2 as discovery

Json = Annotated[bool, typer.Option("--json", help="Print the answers as JSON, one per line.")]
Categories = Annotated[
    list[int] | None, typer.Option("--category", help="Keepa category id; may be repeated.")
]
RankMin = Annotated[int, typer.Option(min=0, help="Best sales rank; 0 is open.")]
RankMax = Annotated[int, typer.Option(min=0, help="Worst sales rank; 0 is open.")]
PriceMin = Annotated[float, typer.Option(min=0, help="Lowest price in dollars; 0 is open.")]
PriceMax = Annotated[float, typer.Option(min=0, help="Highest price in dollars; 0 is open.")]
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
JobName = Annotated[str, typer.Option("--job", help="Only of this job, jobs/<uuid>.")]


def product_filter(
    categories: list[int] | None, ranks: tuple[int, int], dollars: tuple[float, float]
) -> discovery.DiscoveryFilter:
    """Build a filter from options; dollars are turned into cents."""
    built = discovery.DiscoveryFilter(category_ids=categories or [])
    if any(ranks):
        built.rank_range.minimum, built.rank_range.maximum = ranks
    if any(dollars):
        low, high = (round(value * 100) for value in dollars)
        built.price_range.minimum_cents, built.price_range.maximum_cents = low, high
    return built


def strategy_named(name: str) -> discovery.Strategy.ValueType:
    """Find a strategy; none is the profile's or the default.

    Raises:
        typer.BadParameter: There is no such strategy.
    """
    value: discovery.Strategy.ValueType = _named(
        discovery.Strategy, "STRATEGY_", name, "--strategy"
    )
    return value


def advice_named(name: str) -> discovery.Recommendation.ValueType:
    """Find a recommendation; none is every one.

    Raises:
        typer.BadParameter: There is no such recommendation.
    """
    value: discovery.Recommendation.ValueType = _named(
        discovery.Recommendation, "RECOMMENDATION_", name, "--at-least"
    )
    return value


def action_named(name: str) -> autosourcing.PickAction.ValueType:
    """Find what a person may decide about a pick; none leaves it as it is.

    Raises:
        typer.BadParameter: There is no such decision.
    """
    value: autosourcing.PickAction.ValueType = _named(
        autosourcing.PickAction, "PICK_ACTION_", name, "--action"
    )
    return value


def consistent(*, cache_only: bool, accept_stale: bool, refresh: bool) -> None:
    """Check what is said of the age of an answer.

    Raises:
        typer.BadParameter: What is stored is both wanted and not wanted.
    """
    if refresh and (cache_only or accept_stale):
        raise typer.BadParameter(
            "goes with neither --cache-only nor --accept-stale", param_hint="--refresh"
        )


def _named(enum: Any, prefix: str, name: str, option: str) -> Any:
    """Find a value by its name without the prefix, in small letters; the first one for none."""
    if not name:
        return 0
    known = {value.removeprefix(prefix).lower(): value for value in enum.keys()[1:]}
    if name.lower() not in known:
        raise typer.BadParameter(f"must be one of {', '.join(known)}", param_hint=option)
    return enum.Value(known[name.lower()])


def spec(  # noqa: PLR0917 - the options in their order
    categories: list[int] | None,
    ranks: tuple[int, int],
    dollars: tuple[float, float],
    max_products: int,
    strategy: str,
    profile: str,
    asins: list[str] | None,
) -> autosourcing.JobSpec:
    """Build what a job looks for."""
    built = autosourcing.JobSpec(
        profile=f"profiles/{profile}" if profile else "",
        strategy=strategy_named(strategy),
        max_products=max_products,
        identifiers=[autosourcing.Identifier(value=asin) for asin in asins or []],
    )
    searched = product_filter(categories, ranks, dollars)
    if searched.ByteSize():
        built.filter.CopyFrom(searched)
    return built
