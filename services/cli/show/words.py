"""What every table is written with: words, money, spans, refusals."""

from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta
from typing import Any, Protocol

from arbitragevault.discovery.v1 import discovery_pb2 as discovery
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from services.chassis.errors import Refusal

COLORS = {
    "STRONG_BUY": "bold green",
    "BUY": "green",
    "CONSIDER": "yellow",
    "SKIP": "dim",
    "COMPLETED": "green",
    "RUNNING": "cyan",
    "PENDING": "cyan",
    "FAILED": "red",
}


class ContractEnum(Protocol):
    """An enum of a contract."""

    def Name(self, number: Any) -> str:
        """Name a value."""

    def values(self) -> Sequence[Any]:
        """List the values known to this version."""


def word(enum: ContractEnum, value: int, prefix: str) -> str:
    """Name an enum value without its prefix; a value from a newer contract shows its number."""
    return enum.Name(value).removeprefix(prefix) if value in enum.values() else str(value)


def money(cents: int) -> str:
    """Write an amount of dollars."""
    return f"{'-' if cents < 0 else ''}${abs(cents) / 100:,.2f}"


def number_of(count: int, noun: str) -> str:
    """Write a number of things, whose plural has an s."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def tokens_of(count: int) -> str:
    """Write a number of tokens."""
    return number_of(count, "token")


def span(duration: Duration | timedelta) -> str:
    """Write a duration as a person says it, rounded up to the second."""
    exact = duration if isinstance(duration, timedelta) else duration.ToTimedelta()
    seconds = -(-exact // timedelta(seconds=1))
    minutes, seconds = divmod(int(seconds), 60)
    return f"{minutes} min {seconds} s" if minutes else f"{seconds} s"


def recommendation(value: int) -> Text:
    """Write a recommendation in its colour; nothing where there is none."""
    if value == discovery.RECOMMENDATION_UNSPECIFIED:
        return Text()
    name = word(discovery.Recommendation, value, "RECOMMENDATION_")
    return Text(name.replace("_", " "), style=COLORS.get(name, ""))


def refusal(refused: Refusal) -> str:
    """Write why something was refused, and when to try again."""
    lines = [refused.message]
    if len(refused.violations) > 1:  # The message names the only one.
        lines += [f"  {each.field}: {each.description}" for each in refused.violations]
    suggestion = str(refused.facts.get("suggestion", ""))
    if suggestion and suggestion not in refused.message:
        lines.append(f"  {suggestion}")
    if refused.retry_after is not None:
        lines.append(f"  Try again in {span(refused.retry_after)}.")
    return "\n".join(lines)


def grid(rows: Iterable[tuple[str, RenderableType]]) -> Table:
    """Show what is known of one thing, a value a line; what is empty is left out."""
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", no_wrap=True)
    table.add_column()
    for label, value in rows:
        if value:
            table.add_row(label, value)
    return table


class Named(Protocol):
    """What has a resource name."""

    @property
    def name(self) -> str:
        """The name."""


def table_of_named(shown: Iterable[Named], heading: str, *others: str) -> Table:
    """Make a table whose first column has room for the longest name."""
    table = Table(box=None)
    table.add_column(heading, min_width=max((len(each.name) for each in shown), default=0))
    for each in others:
        table.add_column(each)
    return table


def above_name(told: str, name: str) -> Group:
    """Write what something is above its name, which is to be copied whole."""
    return Group(Text(told), Text(name, style="dim"))


def when(instant: Timestamp) -> str:
    """Write an instant to the minute."""
    return f"{instant.ToDatetime():%Y-%m-%d %H:%M} UTC"


def between(low: int, high: int, write: Callable[[int], str]) -> str:
    """Write a range, of which 0 is an open end; empty when both are."""
    if not low and not high:
        return ""
    if not high:
        return f"from {write(low)}"
    return f"{write(low)} to {write(high)}" if low else f"up to {write(high)}"


def wanted(searched: discovery.DiscoveryFilter) -> str:
    """Say in one line which products a filter looks for; empty when it says nothing."""
    ranks, prices = searched.rank_range, searched.price_range
    availability = word(discovery.Availability, searched.availability, "AVAILABILITY_")
    condition = word(discovery.Condition, searched.condition, "CONDITION_")
    told = [
        ", ".join(map(str, searched.category_ids)),
        f'"{searched.title}"' if searched.title else "",
        between(ranks.minimum, ranks.maximum, lambda rank: f"{rank:,}"),
        between(prices.minimum_cents, prices.maximum_cents, money),
        availability.replace("_", " ").lower() if searched.availability > 1 else "",
        condition.replace("_", " ").lower() if searched.condition > 1 else "",
        "best sellers" if searched.source == discovery.DISCOVERY_SOURCE_BEST_SELLERS else "",
    ]
    return "; ".join(filter(None, told))
