"""Niches, and what a person keeps."""

from collections.abc import Sequence

from arbitragevault.discovery.v1 import discovery_pb2 as discovery
from rich.table import Table
from rich.text import Text

from services.cli.show.words import (
    above_name,
    grid,
    money,
    recommendation,
    table_of_named,
    wanted,
    when,
    word,
)


def blocked(shown: Sequence[discovery.BlockedProduct]) -> Table:
    """Show what must not be bought, one a line."""
    table = Table("product", "title", "reason", "since", "by", box=None)
    for each in shown:
        since = f"{each.create_time.ToDatetime():%Y-%m-%d}"
        table.add_row(each.asin, each.title[:40], each.reason, since, each.caller)
    return table


def niche_templates(shown: Sequence[discovery.NicheTemplate]) -> Table:
    """Show what there is to look for, one a line."""
    table = Table(box=None)
    table.add_column("niche", no_wrap=True)  # To be copied whole.
    for name in ("about", "looks for", "asks for"):
        table.add_column(name)
    for template in shown:
        least = money(template.minimum_profit_cents)
        table.add_row(
            template.name.removeprefix("niches/"),
            template.display_name,
            wanted(template.filter),
            f"ROI {template.minimum_roi_percent:.0f} %, profit {least}",
        )
    return table


def niches(shown: Sequence[discovery.Niche]) -> Table:
    """Show how good niches are, one a line."""
    table = Table("niche", "score", "pass", "ROI", "velocity", "match", "tokens", "", box=None)
    for niche in shown:
        roi, velocity = niche.mean_roi_percent, niche.mean_velocity_score
        table.add_row(
            niche.display_name,
            f"{niche.niche_score:.0f}" if niche.HasField("niche_score") else "",
            f"{niche.passed_count} of {niche.scored_count}",
            f"{roi:.0f} %" if niche.HasField("mean_roi_percent") else "",
            f"{velocity:.0f}" if niche.HasField("mean_velocity_score") else "",
            str(niche.total_count),
            str(niche.token_count),
            niche.warning,
        )
    return table


def saved_niches(shown: Sequence[discovery.SavedNiche]) -> Table:
    """Show saved niches, each with its name to be copied below it."""
    table = table_of_named(shown, "niche", "looks for", "score", "notes")
    for each in shown:
        known = each.HasField("last_niche_score")
        score = f"{each.last_niche_score:.0f}" if known else ""
        table.add_row(
            above_name(each.display_name, each.name), wanted(each.filter), score, each.notes
        )
    return table


def saved_niche(shown: discovery.SavedNiche) -> Table:
    """Show one saved niche, a value a line."""
    examined = shown.HasField("last_examine_time")
    known = shown.HasField("last_niche_score")
    strategy = word(discovery.Strategy, shown.strategy, "STRATEGY_").lower()
    return grid(
        [
            ("niche", shown.name),
            ("called", shown.display_name),
            ("looks for", wanted(shown.filter)),
            ("strategy", strategy if shown.strategy else ""),
            ("made from", shown.template.removeprefix("niches/")),
            ("notes", shown.notes),
            ("last score", f"{shown.last_niche_score:.0f}" if known else ""),
            ("examined", when(shown.last_examine_time) if examined else "never"),
        ]
    )


def favorites(shown: Sequence[discovery.Favorite]) -> Table:
    """Show favourites with their newest score, one a line."""
    table = Table("product", "title", "advice", "ROI", "velocity", "notes", "since", box=None)
    for each in shown:
        score, scored = each.score, each.HasField("score")
        table.add_row(
            each.asin,
            each.title[:40],
            recommendation(score.recommendation) if scored else "",
            f"{score.roi_percent:.0f} %" if score.HasField("roi_percent") else "",
            f"{score.velocity_score:.0f}" if score.HasField("velocity_score") else "",
            each.notes,
            f"{each.create_time.ToDatetime():%Y-%m-%d}",
        )
    return table


def searches(shown: Sequence[discovery.Search]) -> Table:
    """Show former searches, each with its name to be copied below it."""
    table = table_of_named(shown, "looked for", "when", "kind", "found", "tokens", "ROI")
    for each in shown:
        roi = f"{each.mean_roi_percent:.0f} %" if each.HasField("mean_roi_percent") else ""
        table.add_row(
            above_name(wanted(each.filter) or each.job or "given products", each.name),
            f"{each.create_time.ToDatetime():%d %b %H:%M}",
            word(discovery.SearchKind, each.kind, "SEARCH_KIND_").lower(),
            str(each.result_count),
            "stored" if each.cache_hit else str(each.token_count),
            roi,
        )
    return table


def caches(shown: Sequence[discovery.CacheHealth]) -> Table:
    """Show how well the caches serve, one a line."""
    table = Table("cache", "fresh", "expired", "hits", "answered", "bytes", "reuse", box=None)
    for each in shown:
        table.add_row(
            each.cache,
            str(each.entry_count),
            str(each.expired_count),
            str(each.hit_count),
            Text(f"{each.hit_percent:.0f} %", style="yellow" if each.alert else ""),
            f"{each.size_bytes:,}",
            f"{each.rating}, {each.mean_hit_count:.1f} hits an entry",
        )
    return table
