"""The scoring configuration and its revisions."""

from collections.abc import Sequence

from arbitragevault.discovery.v1 import discovery_pb2 as discovery
from rich.console import Group, RenderableType
from rich.table import Table

from services.cli.configuration import values
from services.cli.show.words import grid, recommendation, when, word


def config(shown: discovery.ScoringConfig) -> RenderableType:
    """Show every value that can be set with its path."""
    table = Table("path", "value", box=None)
    for path, value in values(shown):
        table.add_row(path, value)
    return Group(_about(shown), table)


def config_change(
    before: discovery.ScoringConfig, after: discovery.ScoringConfig
) -> RenderableType:
    """Show what a change made of the configuration."""
    table = Table("path", "before", "now", box=None)
    former = dict(values(before))
    for path, value in values(after):
        if former.get(path) != value:
            table.add_row(path, former.get(path, ""), value)
    return Group(_about(after), table if table.row_count else "No value differs.")


def revisions(shown: Sequence[discovery.ScoringConfigRevision]) -> Table:
    """Show revisions with what each changed."""
    table = Table("revision", "when", "by", "why", "changed", box=None)
    for each in shown:
        first = each.config.revision == 1
        changes = [f"{one.path}: {one.before} -> {one.after}" for one in each.changes]
        made = each.config.HasField("update_time")
        table.add_row(
            str(each.config.revision),
            when(each.config.update_time) if made else "",
            each.config.caller,
            each.note,
            "as built" if first else "\n".join(changes),
        )
    return table


def previews(shown: discovery.PreviewScoringConfigResponse) -> Table:
    """Show products before and after a change, one a line."""
    table = Table("product", "now", "ROI", "then", "ROI", "", box=None)
    for each in shown.previews:
        table.add_row(
            f"{each.asin} {each.after.title[:40]}",
            recommendation(each.before.recommendation),
            _roi(each.before),
            recommendation(each.after.recommendation),
            _roi(each.after),
            "changes" if each.changed else "",
        )
    return table


def config_stats(shown: discovery.GetScoringConfigStatsResponse) -> Table:
    """Show what the stored scores look like."""
    counts = [
        f"{each.score_count} {word(discovery.Recommendation, each.recommendation, 'RECOMMENDATION_')}"
        for each in shown.recommendations
        if each.score_count
    ]
    means = [
        ("mean ROI", "mean_roi_percent", " %"),
        ("mean velocity", "mean_velocity_score", ""),
        ("mean confidence", "mean_confidence_score", ""),
    ]
    return grid(
        [
            ("revision", f"{shown.revision} of {shown.revision_count}"),
            ("scores", f"{shown.score_count}  {', '.join(counts)}"),
            ("stale scores", str(shown.stale_score_count)),
            *(
                (label, f"{getattr(shown, name):.1f}{unit}")
                for label, name, unit in means
                if shown.HasField(name)  # type: ignore[arg-type]
            ),
        ]
    )


def _about(shown: discovery.ScoringConfig) -> Table:
    made = shown.HasField("update_time")
    return grid(
        [
            ("revision", f"{shown.revision}{' by ' + shown.caller if shown.caller else ''}"),
            ("since", when(shown.update_time) if made else ""),
            ("rules", f"{shown.score_version}, fee card {shown.fee_card}"),
        ]
    )


def _roi(score: discovery.ProductScore) -> str:
    return f"{score.roi_percent:.0f} %" if score.HasField("roi_percent") else ""
