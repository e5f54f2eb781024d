"""Jobs, their picks, and what starts them."""

from collections.abc import Sequence

from arbitragevault.autosourcing.v1 import autosourcing_pb2 as autosourcing
from arbitragevault.discovery.v1 import discovery_pb2 as discovery
from rich.box import HORIZONTALS
from rich.console import Group
from rich.table import Table
from rich.text import Text

from services.cli.show.words import (
    COLORS,
    above_name,
    grid,
    money,
    number_of,
    recommendation,
    span,
    table_of_named,
    wanted,
    word,
)


def estimate(shown: autosourcing.EstimateJobResponse) -> Table:
    """Show what a job would cost."""
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim")
    table.add_column()
    table.add_row(
        "costs at most",
        f"{shown.estimated_token_count} tokens (a job may cost {shown.max_token_count})",
    )
    known = str(shown.balance_token_count) if shown.balance_known else "unknown"
    table.add_row("balance", f"{known} tokens; {shown.required_token_count} needed to start")
    if shown.cached_count:
        table.add_row("already stored", f"{shown.cached_count} products, free")
    verdict = Text("yes", "green") if shown.safe_to_proceed else Text("not now", "yellow")
    table.add_row("may start", verdict)
    for label, text in (("warning", shown.warning), ("suggestion", shown.suggestion)):
        if text:
            table.add_row(label, Text(text, style="yellow"))
    if not shown.safe_to_proceed and shown.HasField("start_time"):
        table.add_row("could start in", span(shown.wait_duration))
    return table


def job_line(job: autosourcing.Job) -> Text:
    """Show the progress of a job in one line."""
    state = word(autosourcing.JobState, job.state, "JOB_STATE_")
    line = Text(f"{state:<14}  ", style=COLORS.get(state, "yellow"))
    line.append(f"{job.analyzed_count}/{job.planned_count} analysed  ", style="default")
    line.append(f"{job.pick_count} picks  {job.token_count} tokens  ", style="default")
    line.append(job.message, style="dim")
    if job.state == autosourcing.JOB_STATE_PENDING and job.HasField("expected_start_time"):
        line.append(f"; starts at about {job.expected_start_time.ToDatetime():%H:%M:%S} UTC")
    return line


def jobs(shown: Sequence[autosourcing.Job]) -> Table:
    """Show jobs, each with what became of it; fits a terminal of 80 columns."""
    table = Table(box=None)
    table.add_column("job")
    for name in ("analysed", "picks", "tokens", "took"):
        table.add_column(name, justify="right", no_wrap=True)
    for job in shown:
        state = word(autosourcing.JobState, job.state, "JOB_STATE_")
        told = Text.assemble((state, COLORS.get(state, "yellow")), (f"  {job.message}", "dim"))
        table.add_row(
            Group(Text(job.name, no_wrap=True), told),  # To be copied whole.
            str(job.analyzed_count),
            str(job.pick_count),
            str(job.token_count),
            span(job.duration),
        )
    return table


def schedules(shown: Sequence[autosourcing.Schedule]) -> Table:
    """Show schedules, each with its name to be copied below what it is called."""
    table = table_of_named(shown, "schedule", "hours", "time zone", "next start")
    for schedule in shown:
        table.add_row(
            above_name(schedule.display_name, schedule.name),
            " ".join(str(hour) for hour in schedule.hours),
            schedule.time_zone,
            _next_start(schedule),
        )
    return table


def slots(shown: Sequence[autosourcing.ScheduleSlot]) -> Table:
    """Show what became of hours, the newest first."""
    table = Table(box=None)
    for name in ("date", "hour", "outcome", "job or reason"):
        table.add_column(name)
    for slot in shown:
        outcome = word(autosourcing.SlotOutcome, slot.outcome, "SLOT_OUTCOME_")
        color = "green" if slot.job else "yellow"
        hour = f"{slot.hour:02}:00"
        table.add_row(slot.date, hour, Text(outcome, style=color), slot.job or slot.reason)
    return table


def _next_start(schedule: autosourcing.Schedule) -> Text:
    if schedule.paused:
        return Text("paused", style="yellow")
    if not schedule.HasField("next_slot_time"):
        return Text("not within a year", style="yellow")
    return Text(f"{schedule.next_slot_time.ToDatetime():%Y-%m-%d %H:%M} UTC")


def picks(shown: Sequence[autosourcing.Pick]) -> Table:
    """Show picks with why, cost, ROI, velocity and tokens; fits a terminal of 80 columns."""
    table = Table(
        title="Picks",
        title_justify="left",
        title_style="bold",
        box=HORIZONTALS,
        expand=True,
        show_edge=False,
        padding=0,
    )
    table.add_column("product and why", ratio=1)
    for name in ("buy", "sell", "ROI", "velocity", "tokens"):
        table.add_column(name, justify="right", no_wrap=True)
    for pick in shown:
        score = pick.score
        target = pick.kind == autosourcing.PICK_KIND_TARGET
        table.add_row(
            Group(
                Text.assemble(recommendation(score.recommendation), f"  {score.asin}"),
                Text(score.title, no_wrap=True, overflow="ellipsis"),
                Text(pick.reason, style="dim"),
                Text(_decided(pick), style="dim", overflow="fold"),  # To be copied whole.
            ),
            f"≤ {money(score.max_buy_cents)}" if target else money(score.buy_cents),
            money(score.sell_cents),
            "" if target else f"{score.roi_percent:.0f} %",
            f"{score.velocity_score:.0f}",
            str(score.token_count),
        )
    return table


def _decided(pick: autosourcing.Pick) -> str:
    """Name a pick, and what a person has decided about it."""
    action = word(autosourcing.PickAction, pick.action, "PICK_ACTION_")
    plain = pick.action in {
        autosourcing.PICK_ACTION_UNSPECIFIED,
        autosourcing.PICK_ACTION_PENDING,
    }
    return "  ".join(
        filter(None, (pick.name, "" if plain else action.replace("_", " "), pick.notes))
    )


def imported(shown: autosourcing.ImportIdentifiersResponse) -> str:
    """Say how much of a file could be used."""
    products = number_of(len(shown.identifiers), "product")
    told = [f"{products} from {number_of(shown.line_count, 'line')}"]
    if shown.duplicate_count:
        told.append(f"repeated: {shown.duplicate_count}")
    if shown.rejected_count:
        told.append(f"rejected: {shown.rejected_count}")
    return "; ".join(told)


def passed_over(shown: Sequence[autosourcing.AnalyzedProduct]) -> Table | None:
    """Show the products that are no picks, each with its reason; None when there are none."""
    rest = [p for p in shown if p.outcome != autosourcing.PRODUCT_OUTCOME_PICKED]
    if not rest:
        return None
    table = Table(
        title="Not picked", title_justify="left", title_style="bold", box=HORIZONTALS, expand=True
    )
    table.add_column("product", ratio=2)
    table.add_column("why", ratio=3)
    for product in rest:
        outcome = word(autosourcing.ProductOutcome, product.outcome, "PRODUCT_OUTCOME_")
        told = outcome.replace("_", " ").capitalize()
        title = Text(product.title, no_wrap=True, overflow="ellipsis", style="dim")
        table.add_row(Group(Text(product.asin), title), f"{told}: {product.reason}")
    return table


def profiles(shown: Sequence[autosourcing.Profile]) -> Table:
    """Show profiles, each with its id to be copied."""
    table = Table(box=None)
    table.add_column("profile", no_wrap=True)  # To be copied whole.
    for name in ("called", "looks for", "asks for"):
        table.add_column(name)
    for each in shown:
        asked = [
            ("ROI", each.minimum_roi_percent),
            ("velocity", each.minimum_velocity_score),
            ("stability", each.minimum_stability_score),
            ("confidence", each.minimum_confidence_score),
        ]
        table.add_row(
            each.name.removeprefix("profiles/"),
            each.display_name,
            wanted(each.filter),
            ", ".join(f"{name} {least:g}" for name, least in asked if least),
        )
    return table


def profile(shown: autosourcing.Profile) -> Table:
    """Show one profile, a value a line."""
    strategy = word(discovery.Strategy, shown.strategy, "STRATEGY_")
    return grid(
        [
            ("profile", shown.name.removeprefix("profiles/")),
            ("called", shown.display_name),
            ("looks for", wanted(shown.filter)),
            ("strategy", strategy.lower() if shown.strategy else ""),
            ("products at most", str(shown.max_products or "")),
            ("least ROI", f"{shown.minimum_roi_percent:g} %"),
            ("least velocity", f"{shown.minimum_velocity_score:g}"),
            ("least stability", f"{shown.minimum_stability_score:g}"),
            ("least confidence", f"{shown.minimum_confidence_score:g}"),
            ("picks at most", str(shown.max_picks or "any number")),
        ]
    )


def reviewed(shown: Sequence[autosourcing.ReviewedPick]) -> Table:
    """Show picks of a day with their classes, one a line."""
    table = Table("class", "product", "advice", "ROI", "seen", "why", box=None)
    for each in shown:
        score = each.pick.score
        table.add_row(
            word(autosourcing.ReviewClass, each.review_class, "REVIEW_CLASS_"),
            f"{score.asin} {score.title[:40]}",
            recommendation(score.recommendation),
            f"{score.roi_percent:.0f} %" if each.pick.kind == autosourcing.PICK_KIND_PRICED else "",
            f"{each.sighting_count} times" if each.sighting_count > 1 else "once",
            each.reason,
        )
    return table


def review_counts(shown: autosourcing.GetDailyReviewResponse) -> str:
    """Say how many picks of a day are in each class."""
    counts = [
        f"{each.pick_count} {word(autosourcing.ReviewClass, each.review_class, 'REVIEW_CLASS_')}"
        for each in shown.classes
        if each.pick_count
    ]
    return f"{shown.date}: {', '.join(counts) or 'no picks'}"


def job_stats(shown: autosourcing.GetJobStatsResponse) -> Table:
    """Show what jobs found and spent."""
    states = [
        f"{each.job_count} {word(autosourcing.JobState, each.state, 'JOB_STATE_')}"
        for each in shown.states
        if each.job_count
    ]
    per_pick, per_buy = shown.HasField("tokens_per_pick"), shown.HasField("tokens_per_buy")
    return grid(
        [
            ("jobs", f"{shown.job_count}  {', '.join(states)}"),
            ("tokens", str(shown.token_count)),
            ("products analysed", str(shown.analyzed_count)),
            ("picks", str(shown.pick_count)),
            ("tokens per pick", f"{shown.tokens_per_pick:.1f}" if per_pick else ""),
            ("tokens per buy", f"{shown.tokens_per_buy:.1f}" if per_buy else ""),
            (
                "took on average",
                span(shown.mean_duration) if shown.HasField("mean_duration") else "",
            ),
        ]
    )
