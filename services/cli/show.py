"""Turns answers of the services into what a person reads in a terminal."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Protocol

from arbitragevault.autosourcing.v1 import autosourcing_pb2 as autosourcing
from arbitragevault.budget.v1 import budget_pb2 as budget
from arbitragevault.discovery.v1 import discovery_pb2 as discovery
from google.protobuf.duration_pb2 import Duration
from rich.box import HORIZONTALS
from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from services.chassis.errors import Refusal
from services.cli.audit import Audit
from services.cli.doctor import Check

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


def span(duration: Duration | timedelta) -> str:
    """Write a duration as a person says it, rounded up to the second."""
    exact = duration if isinstance(duration, timedelta) else duration.ToTimedelta()
    seconds = -(-exact // timedelta(seconds=1))
    minutes, seconds = divmod(int(seconds), 60)
    return f"{minutes} min {seconds} s" if minutes else f"{seconds} s"


def recommendation(value: int) -> Text:
    """Write a recommendation in its colour."""
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


def account(shown: budget.Account) -> Table:
    """Show the state of an account."""
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim")
    table.add_column(justify="right")
    if shown.state == budget.BALANCE_STATE_NEVER_OBSERVED:
        table.add_row("balance", "unknown: Keepa has not been asked yet")
        return table
    table.add_row("balance", f"{shown.balance_token_count} of {shown.capacity_token_count} tokens")
    table.add_row("available", f"{shown.available_token_count}")
    table.add_row("held for open calls", f"{shown.held_token_count}")
    if shown.unsettled_token_count:
        table.add_row("outcome unknown", f"{shown.unsettled_token_count}")
    table.add_row("refill", f"{shown.refill_rate} a minute")
    table.add_row("spent so far", f"{shown.spent_token_count}")
    if shown.state == budget.BALANCE_STATE_STALE:
        table.add_row("state", Text("stale: nothing is granted until Keepa is asked", "yellow"))
    if shown.warning:
        table.add_row("warning", Text(shown.warning, style="yellow"))
    return table


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
    line = Text(f"{state:<14}", style=COLORS.get(state, "yellow"))
    line.append(f"{job.analyzed_count}/{job.planned_count} analysed  ", style="default")
    line.append(f"{job.pick_count} picks  {job.token_count} tokens  ", style="default")
    line.append(job.message, style="dim")
    if job.state == autosourcing.JOB_STATE_PENDING and job.HasField("expected_start_time"):
        line.append(f"; starts at about {job.expected_start_time.ToDatetime():%H:%M:%S} UTC")
    return line


def jobs(shown: Sequence[autosourcing.Job]) -> Table:
    """Show jobs, one a line."""
    table = Table(box=None)
    table.add_column("job", no_wrap=True)  # To be copied whole.
    for name in ("state", "analysed", "picks", "tokens", "took", "message"):
        table.add_column(name)
    for job in shown:
        state = word(autosourcing.JobState, job.state, "JOB_STATE_")
        table.add_row(
            job.name,
            Text(state, style=COLORS.get(state, "yellow")),
            str(job.analyzed_count),
            str(job.pick_count),
            str(job.token_count),
            span(job.duration),
            job.message,
        )
    return table


def schedules(shown: Sequence[autosourcing.Schedule]) -> Table:
    """Show schedules, one a line."""
    table = Table(box=None)
    table.add_column("schedule", no_wrap=True)  # To be copied whole.
    for name in ("called", "hours", "time zone", "next start"):
        table.add_column(name)
    for schedule in shown:
        table.add_row(
            schedule.name,
            schedule.display_name,
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
        title="Picks", title_justify="left", title_style="bold", box=HORIZONTALS, expand=True
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
                Text(_decided(pick), style="dim"),
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
    told = f"{len(shown.identifiers)} products from {shown.line_count} lines"
    return f"{told}; {shown.duplicate_count} lines repeat one, {shown.rejected_count} were rejected"


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


def ledger(entries: Sequence[budget.LedgerEntry]) -> Table:
    """Show ledger entries, one a line."""
    table = Table("#", "time", "entry", "tokens", "available", "for", "note", box=None)
    for entry in entries:
        table.add_row(
            str(entry.sequence),
            entry.create_time.ToDatetime().strftime("%H:%M:%S"),
            word(budget.LedgerEntryKind, entry.kind, "LEDGER_ENTRY_KIND_"),
            str(entry.token_count),
            str(entry.available_token_count),
            " ".join(filter(None, (entry.action, entry.endpoint))),
            entry.note,
        )
    return table


def scores(shown: Sequence[discovery.ProductScore]) -> Table:
    """Show scored products, one a line."""
    table = Table("product", "advice", "buy", "sell", "ROI", "velocity", "why", box=None)
    for score in shown:
        table.add_row(f"{score.asin} {score.title[:40]}", *_figures(score), score.summary)
    return table


def named_scores(shown: Sequence[discovery.ProductScore]) -> Table:
    """Show stored scores, one a line, with the names by which they are explained and compared."""
    table = Table(box=None)
    table.add_column("score", no_wrap=True)  # To be copied whole.
    for name in ("product", "scored", "advice", "buy", "sell", "ROI", "velocity"):
        table.add_column(name)
    for score in shown:
        scored = f"{score.as_of_time.ToDatetime():%Y-%m-%d %H:%M} UTC"
        table.add_row(score.name, score.asin, scored, *_figures(score))
    return table


def _figures(score: discovery.ProductScore) -> tuple[RenderableType, ...]:
    """Write advice, buy, sell, ROI and velocity; nothing where nothing is known."""
    assumed = score.buy_basis == discovery.BUY_BASIS_ASSUMED
    buy = score.max_buy_cents if assumed else score.buy_cents
    known = score.HasField("max_buy_cents" if assumed else "buy_cents")
    roi = score.HasField("roi_percent") and not assumed
    return (
        recommendation(score.recommendation),
        f"{'≤ ' if assumed else ''}{money(buy)}" if known else "",
        money(score.sell_cents) if score.HasField("sell_cents") else "",
        f"{score.roi_percent:.0f} %" if roi else "",
        f"{score.velocity_score:.0f}" if score.HasField("velocity_score") else "",
    )


def explanation(shown: discovery.ExplainScoreResponse) -> Table:
    """Show a calculation line by line, as it can be redone."""
    table = Table("line", "value", "from", box=None)
    for line in shown.lines:
        table.add_row(line.label, line.value, Text(line.formula, style="dim"))
    return table


def differences(shown: discovery.ExplainScoreResponse) -> Table:
    """Show what is not the same in two scores: first what went in, then what follows from it."""
    table = Table("", "line", "before", "now", box=None)
    for line in sorted(shown.differences, key=lambda each: not each.input):
        cause = Text("changed", style="yellow") if line.input else Text("follows", style="dim")
        table.add_row(cause, line.label, line.before, line.after)
    return table


def verification(shown: discovery.VerifyProductResponse) -> RenderableType:
    """Show what to do with a product, and what changed since it was decided on."""
    verdict = word(discovery.VerificationVerdict, shown.verdict, "VERIFICATION_VERDICT_")
    color = {"OK": "bold green", "CHANGED": "yellow", "AVOID": "bold red"}.get(verdict, "")
    told = Text.assemble((verdict, color), f"  {shown.message}")
    if not shown.changes:
        return told
    table = Table("what", "before", "now", "", box=None)
    for change in shown.changes:
        table.add_row(change.field.replace("_", " "), change.before, change.after, change.message)
    return Group(told, table)


def stock(answer: discovery.EstimateStockResponse) -> Table:
    """Show how many units are for sale near a price; offers that nobody saw are not none."""
    shown = answer.estimate
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim")
    table.add_column()
    if answer.info.stop_reason and not shown.stale:
        table.add_row("units", Text(f"unknown: {answer.info.stop_message}", style="yellow"))
        return table
    table.add_row("units", f"{shown.unit_count}, estimated")
    table.add_row("near", f"{money(shown.low_cents)} to {money(shown.high_cents)}")
    table.add_row("offers", f"{shown.offer_count}, {shown.fba_offer_count} shipped by Amazon")
    table.add_row("stock known", f"of {shown.known_stock_count} offers")
    if shown.stale:
        table.add_row("state", Text("expired: no newer answer was to be had", style="yellow"))
    return table


def blocked(shown: Sequence[discovery.BlockedProduct]) -> Table:
    """Show what must not be bought, one a line."""
    table = Table("product", "title", "reason", "since", "by", box=None)
    for each in shown:
        since = f"{each.create_time.ToDatetime():%Y-%m-%d}"
        table.add_row(each.asin, each.title[:40], each.reason, since, each.caller)
    return table


def niche_templates(shown: Sequence[discovery.NicheTemplate]) -> Table:
    """Show what there is to look for, one a line."""
    table = Table("niche", "about", "rank", "price", "least ROI", "least profit", box=None)
    for template in shown:
        ranks, prices = template.filter.rank_range, template.filter.price_range
        table.add_row(
            template.name.removeprefix("niches/"),
            template.display_name,
            f"{ranks.minimum:,} to {ranks.maximum:,}",
            f"{money(prices.minimum_cents)} to {money(prices.maximum_cents)}",
            f"{template.minimum_roi_percent:.0f} %",
            money(template.minimum_profit_cents),
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


def audit(shown: Audit) -> RenderableType:
    """Show the ledger beside the sandbox's truth."""
    table = Table("", "ledger", "sandbox", box=None)
    table.add_row("tokens spent", str(shown.booked), str(shown.charged))
    table.add_row("balance", str(shown.after.projected), str(shown.after.balance))
    table.add_row("outcome unknown", str(shown.after.unsettled), "")
    table.add_row("lowest balance ever", "", str(shown.after.lowest))
    verdict = (
        Text("Every token is accounted for.", style="bold green")
        if shown.balanced
        else Text("The ledger and the sandbox differ.", style="bold red")
    )
    return Panel(Group(table, verdict), title="Ledger against truth", title_align="left")


def price(shown: discovery.EstimateDiscoveryResponse) -> str:
    """Say what a search will cost at most, before anything is spent."""
    told = f"costs at most {shown.most_token_count} tokens"
    if shown.offer_token_count:
        told += f", and {shown.offer_token_count} more for live offers"
    stored = [f"{shown.cached_count} products"] if shown.cached_count else []
    if shown.search_cached:
        stored.insert(0, "the list")
    return f"{told}; already stored: {' and '.join(stored)}" if stored else told


def search(info: discovery.SearchInfo, total: int) -> str:
    """Say how an answer came about."""
    return f"{total} match; {came_about(info)}"


def came_about(info: discovery.SearchInfo) -> str:
    """Say where an answer is from, how old it is, and what it cost."""
    source = f"stored {span(info.age_duration)} ago" if info.cache_hit else "asked now"
    if info.stale:
        source += ", expired"
    if info.refreshing:
        source += " and being asked anew"
    told = f"{source}; {info.token_count} tokens"
    if info.unsettled_token_count:
        told += f" and {info.unsettled_token_count} whose outcome is unknown"
    return f"{told}; stopped early: {info.stop_message}" if info.stop_reason else told


def checks(shown: Sequence[Check]) -> Table:
    """Show how each service is."""
    table = Table("service", "address", "state", box=None)
    for check in shown:
        style = "green" if check.healthy else "red"
        table.add_row(check.service, check.target, Text(check.told, style=style))
    return table
