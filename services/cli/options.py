"""Options that several commands share, and what they mean in the contracts' words."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
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
Domain = Annotated[str, typer.Option(help="The marketplace, such as com, co_uk or de.")]
Page = Annotated[int, typer.Option(min=0, max=199, help="From 0.")]
PerPage = Annotated[int, typer.Option(min=50, max=10_000, help="Answers on a page.")]
Selection = Annotated[
    typer.FileText | None,
    typer.Option(
        "--selection",
        help="A JSON file with everything that the contract's selection offers; - reads it "
        "from standard input.",
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
