"""Scored products, and how their scores came about."""

from collections.abc import Callable, Sequence
from typing import Any

from arbitragevault.discovery.v1 import discovery_pb2 as discovery
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from services.cli.show.words import grid, money, recommendation, span, tokens_of, word


def scores(shown: Sequence[discovery.ProductScore]) -> Table:
    """Show scored products, one a line."""
    table = Table("product", "advice", "buy", "sell", "ROI", "velocity", "why", box=None)
    for score in shown:
        table.add_row(f"{score.asin} {score.title[:40]}", *_figures(score), score.summary)
    return table


def named_scores(shown: Sequence[discovery.ProductScore]) -> Table:
    """Show stored scores with the names by which they are explained and compared; fits 80 columns."""
    table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False)
    table.add_column("score", no_wrap=True)  # To be copied whole.
    for name in ("buy", "sell", "ROI", "velocity"):
        table.add_column(name, justify="right", no_wrap=True)
    for score in shown:
        advice, *figures = _figures(score)
        scored = f"{score.as_of_time.ToDatetime():%Y-%m-%d %H:%M} UTC"
        told = Text.assemble(advice, f"  {score.asin}  {scored}")
        table.add_row(Group(told, Text(score.name, style="dim")), *figures)
    return table


def _figures(score: discovery.ProductScore) -> tuple[Text, str, str, str, str]:
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
    if not shown.HasField("unit_count"):
        table.add_row("units", Text(f"unknown: {answer.info.stop_message}", style="yellow"))
        return table
    table.add_row("units", f"{shown.unit_count}, estimated")
    table.add_row("near", f"{money(shown.low_cents)} to {money(shown.high_cents)}")
    table.add_row("offers", f"{shown.offer_count}, {shown.fba_offer_count} shipped by Amazon")
    table.add_row("stock known", f"of {shown.known_stock_count} offers")
    if shown.stale:
        table.add_row("state", Text("expired: no newer answer was to be had", style="yellow"))
    if answer.info.stop_reason:
        table.add_row("why old", Text(answer.info.stop_message, style="yellow"))
    return table


def price(shown: discovery.EstimateDiscoveryResponse) -> str:
    """Say what a search will cost at most, before anything is spent."""
    told = f"costs at most {tokens_of(shown.most_token_count)}"
    if shown.offer_token_count:
        told += f", and {shown.offer_token_count} more for live offers"
    products = "1 product" if shown.cached_count == 1 else f"{shown.cached_count} products"
    stored = [products] if shown.cached_count else []
    if shown.search_cached:
        stored.insert(0, "the list")
    return f"{told}; already stored: {' and '.join(stored)}" if stored else told


def search(info: discovery.SearchInfo, total: int, blocked: Sequence[str] = ()) -> str:
    """Say how an answer came about, and what was left out of it."""
    told = f"{total} match; {came_about(info)}"
    return f"{told}; blocked and left out: {', '.join(blocked)}" if blocked else told


def came_about(info: discovery.SearchInfo) -> str:
    """Say where an answer is from, how old it is, and what it cost."""
    source = f"stored {span(info.age_duration)} ago" if info.cache_hit else "asked now"
    if info.stale:
        source += ", expired"
    if info.refreshing:
        source += " and being asked anew"
    told = f"{source}; {tokens_of(info.token_count)}"
    if info.unsettled_token_count:
        told += f" and {info.unsettled_token_count} whose outcome is unknown"
    return f"{told}; stopped early: {info.stop_message}" if info.stop_reason else told


def metrics(shown: discovery.ProductMetrics) -> Table:
    """Show what is known of a product; what is not known is left out."""

    def known(name: str, write: Callable[[Any], str]) -> str:
        return write(getattr(shown, name)) if shown.HasField(name) else ""  # type: ignore[arg-type]

    def plain(value: float) -> str:
        return f"{value:,.0f}"

    def yes(value: bool) -> str:  # noqa: FBT001 - the one value that it writes
        return "yes" if value else "no"

    fields: list[tuple[str, str, Callable[[Any], str]]] = [
        ("Amazon sells it", "amazon_present", yes),
        ("Amazon's price", "amazon_cents", money),
        ("lowest new", "new_cents", money),
        ("lowest used", "used_cents", money),
        ("buy box", "buy_box_cents", money),
        ("median new, 90 days", "median_new_90d_cents", money),
        ("median used, 90 days", "median_used_90d_cents", money),
        ("sales rank", "sales_rank", plain),
        ("mean rank, 30 days", "mean_sales_rank_30d", plain),
        ("mean rank, 90 days", "mean_sales_rank_90d", plain),
        ("rank drops, 30 days", "sales_rank_drop_count_30d", plain),
        ("rank drops, 90 days", "sales_rank_drop_count_90d", plain),
        ("sold a month", "monthly_sales", lambda value: f"{value:.1f}, estimated"),
        ("velocity", "velocity_score", plain),
        ("stability", "stability_score", plain),
        ("confidence", "confidence_score", plain),
        ("new offers", "new_offer_count", plain),
        ("used offers", "used_offer_count", plain),
        ("shipped by Amazon", "fba_offer_count", plain),
        ("Amazon out of stock", "amazon_out_of_stock_percent_90d", lambda value: f"{value} %"),
    ]
    rows = [(label, known(name, write)) for label, name, write in fields]
    return grid([("product", f"{shown.asin} {shown.title}"), *rows])


def views(shown: Sequence[discovery.ViewConfig]) -> Table:
    """Show the views there are, one a line."""
    table = Table("view", "aims at an ROI of", box=None)
    for each in shown:
        table.add_row(each.name.removeprefix("views/"), f"{each.target_roi_percent:g} %")
    return table


def view(shown: discovery.GetStrategicViewResponse) -> Table:
    """Show products in the order of a view, one a line."""
    table = Table("product", "view", "pay at most", "sell at least", "advice", "why", box=None)
    for row in shown.rows:
        buy, sell = row.HasField("target_buy_cents"), row.HasField("target_sell_cents")
        table.add_row(
            f"{row.score.asin} {row.score.title[:40]}",
            f"{row.view_score:.0f}" if row.HasField("view_score") else "",
            money(row.target_buy_cents) if buy else "",
            money(row.target_sell_cents) if sell else "",
            recommendation(row.score.recommendation),
            row.reason,
        )
    return table
