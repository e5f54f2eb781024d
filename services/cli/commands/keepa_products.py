"""Products as Keepa has them: one by one, found, best sellers, deals."""

from typing import Annotated

import typer
from arbitragevault.keepa_gateway.v1 import keepa_gateway_pb2 as keepa

from services.cli import options, show
from services.cli.asking import asking, console, progress, show_all, show_one
from services.cli.inquiring import asked, selected, tell_cost
from services.cli.patience import patiently
from services.cli.stack import Stack


def products(
    asin: Annotated[list[str] | None, typer.Argument(help="ASINs, 100 at most.")] = None,
    code: Annotated[
        list[str] | None, typer.Option(help="Or a UPC, EAN or ISBN-13; may be repeated.")
    ] = None,
    offers: Annotated[
        int, typer.Option(min=0, max=100, help="Live offers, 20 to 100: 6 tokens each 10 found.")
    ] = 0,
    stats_days: Annotated[
        int, typer.Option(min=0, max=3650, help="Days that the statistics cover.")
    ] = 90,
    domain: options.Domain = "com",
    *,
    stock: Annotated[bool, typer.Option("--stock", help="With --offers; up to 2 more.")] = False,
    history: Annotated[bool, typer.Option("--history", help="Histories too. Free.")] = False,
    rating: Annotated[bool, typer.Option("--rating", help="Up to 1 token more.")] = False,
    raw: Annotated[
        bool, typer.Option("--raw", help="As Keepa sent it, one line of JSON each.")
    ] = False,
    cache_only: options.CacheOnly = False,
    refresh: options.Refresh = False,
    json: options.Json = False,
) -> None:
    """Fetch products as Keepa has them, without scoring. 1 token each, 0 when stored."""
    request = keepa.GetProductsRequest(
        **asked(domain, refresh=refresh),
        asins=asin or [],
        codes=code or [],
        options=keepa.ProductOptions(
            stats_days=stats_days, history=history, offer_count=offers, stock=stock, rating=rating
        ),
        cache_only=cache_only,
        include_raw_json=raw,
    )

    async def collect(stack: Stack) -> list[keepa.ProductResult]:
        stream = stack.keepa_gateway.GetProducts(request)
        return [result async for part in stream for result in part.results]

    async def ask(stack: Stack) -> None:
        await tell_cost(stack, products=request)
        found = await patiently(lambda: collect(stack))
        if raw:
            for each in found:
                print(each.raw_json.decode())
        else:
            show_all(found, show.products(found), json=json)
        progress.print(show.tokens_of(sum(each.token_count for each in found)))

    asking(ask)


def find(
    selection: options.Selection = None,
    page: options.Page = 0,
    per_page: options.PerPage = 50,
    domain: options.Domain = "com",
    *,
    insights: Annotated[
        bool, typer.Option("--insights", help="What all matches have in common: 30 tokens more.")
    ] = False,
    refresh: options.Refresh = False,
    json: options.Json = False,
) -> None:
    """Ask the Product Finder in Keepa's own fields. 10 tokens and 1 per started 100 ASINs."""
    request = keepa.FindProductsRequest(
        **asked(domain, refresh=refresh),
        selection=selected(selection, keepa.ProductSelection()),
        page=page,
        per_page=per_page,
        insights=insights,
    )

    async def ask(stack: Stack) -> None:
        await tell_cost(stack, find=request)
        answer = await patiently(lambda: stack.keepa_gateway.FindProducts(request))
        show_one(answer, "\n".join(answer.asins), json=json)
        if insights and not json:
            console.print(answer.insights_json.decode())
        progress.print(f"{answer.total_count} match; {show.paid(answer)}")

    asking(ask)


def search(
    words: Annotated[list[str], typer.Argument(help="Words of the title, author or topic.")],
    domain: options.Domain = "com",
    *,
    refresh: options.Refresh = False,
    json: options.Json = False,
) -> None:
    """Search products by words, 20 at most. 10 tokens."""
    request = keepa.SearchProductsRequest(
        **asked(domain, refresh=refresh), term=" ".join(words), stats_days=90
    )

    async def ask(stack: Stack) -> None:
        await tell_cost(stack, search=request)
        answer = await patiently(lambda: stack.keepa_gateway.SearchProducts(request))
        show_all(answer.products, show.listings(answer.products), json=json)
        progress.print(show.paid(answer))

    asking(ask)


def best_sellers(
    category: Annotated[int, typer.Argument(help="Keepa's id; see `keepa find-categories`.")],
    range_days: Annotated[
        int, typer.Option(help="Days over which ranks are averaged: 0, 30, 90 or 180.")
    ] = 0,
    month: Annotated[str, typer.Option(help="The list of a past month, YYYY-MM.")] = "",
    domain: options.Domain = "com",
    *,
    limit: options.Limit = 50,
    refresh: options.Refresh = False,
    json: options.Json = False,
) -> None:
    """List the best sellers of a category, best first. 50 tokens for the whole list."""
    year, number = _month(month)
    request = keepa.ListBestSellersRequest(
        **asked(domain, refresh=refresh),
        category_id=category,
        range_days=range_days,
        year=year,
        month=number,
    )

    async def collect(stack: Stack) -> list[keepa.ListBestSellersResponse]:
        return [part async for part in stack.keepa_gateway.ListBestSellers(request)]

    async def ask(stack: Stack) -> None:
        await tell_cost(stack, best_sellers=request)
        parts = await patiently(lambda: collect(stack))
        whole = keepa.ListBestSellersResponse()
        for part in reversed(parts):  # The first one tells what it cost.
            whole.MergeFrom(part)
        shown = [asin for part in parts for asin in part.asins][:limit]
        whole.asins[:] = shown
        show_one(whole, "\n".join(shown), json=json)
        progress.print(f"{len(shown)} of {whole.total_count} shown; {show.paid(whole)}")

    asking(ask)


def deals(  # noqa: PLR0917 - one option each
    price_type: Annotated[
        str, typer.Option(help="Whose change makes the deal, such as NEW, USED, AMAZON or SALES.")
    ] = "NEW",
    interval: Annotated[str, typer.Option(help="day, week, month or quarter.")] = "day",
    category: options.Categories = None,
    title: options.Title = "",
    drop_min: Annotated[
        int, typer.Option(min=0, max=100, help="Least fall in percent; Keepa knows 10 and more.")
    ] = 0,
    rank_max: options.RankMax = 0,
    order: Annotated[
        str, typer.Option(help="newest, change, sales_rank or change_percent.")
    ] = "newest",
    selection: options.Selection = None,
    page: Annotated[int, typer.Option(min=0, max=66, help="From 0, 150 deals each.")] = 0,
    domain: options.Domain = "com",
    *,
    refresh: options.Refresh = False,
    json: options.Json = False,
) -> None:
    """List products whose price or rank changed lately. 5 tokens a page."""
    chosen = keepa.DealSelection(
        price_type=price_type.upper(),
        interval=options.named(keepa.DealInterval, "DEAL_INTERVAL_", interval, "--interval"),
        category_ids=category or [],
        title=title,
        order=options.named(keepa.DealOrder, "DEAL_ORDER_", order, "--order"),
    )
    if drop_min:
        chosen.change_percent_range.minimum = drop_min
    if rank_max:
        chosen.sales_rank_range.maximum = rank_max
    request = keepa.ListDealsRequest(
        **asked(domain, refresh=refresh), selection=selected(selection, chosen), page=page
    )

    async def ask(stack: Stack) -> None:
        await tell_cost(stack, deals=request)
        answer = await patiently(lambda: stack.keepa_gateway.ListDeals(request))
        show_all(answer.deals, show.deals(answer.deals, request.selection), json=json)
        more = f"; --page {page + 1} may hold more" if answer.more else ""
        progress.print(f"{show.paid(answer)}{more}")

    asking(ask)


def lightning_deals(
    asin: Annotated[str, typer.Argument(help="The product; 1 token.")] = "",
    state: Annotated[str, typer.Option(help="Only available, upcoming, expired...")] = "",
    domain: options.Domain = "com",
    *,
    full_list: Annotated[
        bool, typer.Option("--full-list", help="All of the marketplace: yes to 500 tokens.")
    ] = False,
    limit: options.Limit = 100,
    refresh: options.Refresh = False,
    json: options.Json = False,
) -> None:
    """List the lightning deals of a product, or all of them."""
    if bool(asin) == full_list:
        raise typer.BadParameter("name a product, or give --full-list", param_hint="ASIN")
    request = keepa.ListLightningDealsRequest(
        **asked(domain, refresh=refresh),
        asin=asin,
        full_list=full_list,
        state=options.named(keepa.LightningDealState, "LIGHTNING_DEAL_STATE_", state, "--state"),
        page_size=min(limit, 5000),
    )

    async def ask(stack: Stack) -> None:
        await tell_cost(stack, lightning_deals=request)
        answer = await patiently(lambda: stack.keepa_gateway.ListLightningDeals(request))
        found = answer.deals[:limit]
        show_all(found, show.lightning_deals(found), json=json)
        progress.print(f"{len(found)} of {answer.total_count} shown; {show.paid(answer)}")

    asking(ask)


def _month(text: str) -> tuple[int, int]:
    if not text:
        return 0, 0
    year, _, month = text.partition("-")
    if not (year.isdecimal() and month.isdecimal()):
        raise typer.BadParameter("must be YYYY-MM", param_hint="--month")
    return int(year), int(month)
