"""What Keepa answers beside products to score, and whether calls may leave."""

from collections.abc import Sequence
from typing import Protocol

from arbitragevault.keepa_gateway.v1 import keepa_gateway_pb2 as keepa
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from services.cli.show.tokens import account
from services.cli.show.words import grid, money, tokens_of, when, word


class Paid(Protocol):
    """An answer of Keepa."""

    @property
    def token_count(self) -> int:
        """What it cost."""

    @property
    def cached(self) -> bool:
        """Whether it was stored."""


def cost(shown: keepa.EstimateCostResponse) -> str:
    """Say what a request costs, before anything is spent."""
    least, most = shown.least_token_count, shown.most_token_count
    if not most:
        return "costs nothing: it is stored"
    return f"costs {'' if least == most else f'{least} to '}{tokens_of(most)}"


def paid(shown: Paid) -> str:
    """Say where an answer is from, and what it cost."""
    return f"{'stored' if shown.cached else 'asked now'}; {tokens_of(shown.token_count)}"


def token_status(shown: keepa.GetTokenStatusResponse) -> RenderableType:
    """Show tokens, throttle, breaker and stored products."""
    egress, stored = shown.egress, shown.snapshots
    saved = f"{stored.hit_count} answers saved {stored.saved_token_count} tokens"
    leaves = Text("yes", style="green") if egress.open else Text("no", style="red")
    paused = when(egress.pause_end_time) if egress.HasField("pause_end_time") else ""
    opens = when(egress.circuit_retry_time) if egress.HasField("circuit_retry_time") else ""
    facts = grid(
        [
            ("next refill in", f"{shown.refill_wait_minutes:g} min"),
            ("calls may leave", leaves),
            ("key", Text("rejected", style="red") if egress.key_rejected else "accepted"),
            ("breaker", word(keepa.CircuitState, egress.circuit, "CIRCUIT_STATE_").lower()),
            ("tries again", opens),
            ("held by a 429 until", paused),
            (
                "throttle",
                f"{egress.throttle_available_count} now, {egress.throttle_per_minute_count} a minute",
            ),
            ("calls made", f"{shown.request_count} for {shown.spent_token_count} tokens"),
            ("calls out", f"{egress.pending_count}, {egress.unknown_count} with unknown outcome"),
            (
                "stored products",
                f"{stored.product_count}; {saved}",
            ),
        ]
    )
    return Group(account(shown.account), facts)


def products(shown: Sequence[keepa.ProductResult]) -> Table:
    """Show what became of products, one a line."""
    table = Table("asked", "product", "state", "rank", "new", "used", "tokens", box=None)
    for each in shown:
        known = {one.name: one for one in each.product.statistics.series}
        told = word(keepa.ProductStatus, each.status, "PRODUCT_STATUS_")
        table.add_row(
            each.requested,
            f"{each.product.asin} {each.product.title[:40]}",
            f"{told} {each.reason}",
            _now(known.get("SALES"), amount=False),
            _now(known.get("NEW")),
            _now(known.get("USED")),
            str(each.token_count),
        )
    return table


def listings(shown: Sequence[keepa.Product]) -> Table:
    """Show products as they are listed, one a line."""
    table = Table("product", "title", "by", "rank", "new", "used", box=None)
    for each in shown:
        known = {one.name: one for one in each.statistics.series}
        table.add_row(
            each.asin,
            each.title[:50],
            ", ".join(each.authors)[:30] or each.brand,
            _now(known.get("SALES"), amount=False),
            _now(known.get("NEW")),
            _now(known.get("USED")),
        )
    return table


def categories(shown: Sequence[keepa.CategoryDetail]) -> Table:
    """Show categories with the ids that searches take, one a line."""
    table = Table("id", "category", "products", "mean buy box", "sellers", "children", box=None)
    for each in shown:
        priced = each.HasField("mean_buy_box_cents")
        table.add_row(
            str(each.id),
            each.context_free_name or each.name,
            f"{each.product_count:,}" if each.HasField("product_count") else "",
            money(each.mean_buy_box_cents) if priced else "",
            f"{each.seller_count:,}" if each.HasField("seller_count") else "",
            str(len(each.child_ids) or ""),
        )
    return table


def deals(shown: Sequence[keepa.Deal], selection: keepa.DealSelection) -> Table:
    """Show how the value that makes the deals changed, one deal a line."""
    table = Table("product", "title", "now", "average", "change", "drops, 30 days", box=None)
    interval = selection.interval or keepa.DEAL_INTERVAL_DAY
    amount = selection.price_type != "SALES" and not selection.price_type.startswith("COUNT")
    for each in shown:
        value = next((one for one in each.series if one.name == selection.price_type), None)
        changes = [one for one in value.changes if one.interval == interval] if value else []
        average = changes[0].average if changes and changes[0].HasField("average") else None
        percent = f"{-changes[0].change_percent} %" if changes else ""
        drops = each.HasField("sales_rank_drop_count_30d")
        table.add_row(
            each.asin,
            each.title[:50],
            _now(value, amount=amount),
            "" if average is None else _amount(average, amount=amount),
            percent,
            str(each.sales_rank_drop_count_30d) if drops else "",
        )
    return table


def lightning_deals(shown: Sequence[keepa.LightningDeal]) -> Table:
    """Show lightning deals, one a line."""
    table = Table("product", "title", "state", "deal", "else", "claimed", "until", box=None)
    for each in shown:
        claimed = f"{each.claimed_percent} %" if each.HasField("claimed_percent") else ""
        table.add_row(
            each.asin,
            each.title[:50],
            word(keepa.LightningDealState, each.state, "LIGHTNING_DEAL_STATE_").lower(),
            money(each.deal_cents) if each.HasField("deal_cents") else "",
            money(each.current_cents) if each.HasField("current_cents") else "",
            claimed,
            when(each.end_time) if each.HasField("end_time") else "",
        )
    return table


def sellers(shown: Sequence[keepa.Seller]) -> Table:
    """Show sellers, one a line."""
    table = Table("seller", "name", "rating", "ratings", "products", "ships", "buy box", box=None)
    for each in shown:
        table.add_row(
            each.id,
            Text(each.display_name, style="red" if each.scam else ""),
            f"{each.rating_percent} %" if each.HasField("rating_percent") else "",
            f"{each.rating_count:,}" if each.HasField("rating_count") else "",
            f"{each.storefront_count:,}" if each.HasField("storefront_count") else "",
            "by Amazon" if each.fulfilled_by_amazon else "itself",
            f"{each.buy_box_new_percent:.0f} %" if each.HasField("buy_box_new_percent") else "",
        )
    return table


def _now(series: keepa.SeriesStatistics | keepa.DealSeries | None, *, amount: bool = True) -> str:
    if series is None or not series.HasField("current"):
        return ""
    return _amount(series.current, amount=amount)


def _amount(value: int, *, amount: bool) -> str:
    return money(value) if amount else f"{value:,}"
