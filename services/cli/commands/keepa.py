"""Keepa itself: whether calls may leave, and what it answers beside products to score."""

from typing import Annotated, Any
from uuid import uuid4

import typer
from arbitragevault.keepa_gateway.v1 import keepa_gateway_pb2 as keepa
from google.protobuf.duration_pb2 import Duration
from google.protobuf.json_format import Parse, ParseError
from google.protobuf.message import Message

from services.cli import options, show
from services.cli.asking import asking, console, progress, show_all, show_one
from services.cli.patience import patiently
from services.cli.stack import Stack

app = typer.Typer(
    help="Keepa itself: whether calls may leave, categories, deals, sellers.", no_args_is_help=True
)

Refresh = options.Refresh
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


@app.command()
def status(*, json: options.Json = False) -> None:
    """Show tokens, throttle, breaker and stored products. Asks Keepa nothing."""

    async def ask(stack: Stack) -> None:
        request = keepa.GetTokenStatusRequest()
        answer = await patiently(lambda: stack.keepa_gateway.GetTokenStatus(request))
        show_one(answer, show.token_status(answer), json=json)

    asking(ask)


@app.command()
def check(
    *,
    retry_rejected_key: Annotated[
        bool, typer.Option("--retry-rejected-key", help="The key was replaced: try it again.")
    ] = False,
    json: options.Json = False,
) -> None:
    """Ask Keepa for the balance, which is free, and so whether key and way are good."""
    request = keepa.CheckConnectionRequest(retry_rejected_key=retry_rejected_key)

    async def ask(stack: Stack) -> None:
        answer = await patiently(lambda: stack.keepa_gateway.CheckConnection(request))
        show_one(answer, show.account(answer.account), json=json)
        progress.print(f"Keepa answered in {answer.latency_duration.ToMilliseconds()} ms.")

    asking(ask)


@app.command()
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
    domain: Domain = "com",
    *,
    stock: Annotated[bool, typer.Option("--stock", help="With --offers; up to 2 more.")] = False,
    history: Annotated[bool, typer.Option("--history", help="Histories too. Free.")] = False,
    rating: Annotated[bool, typer.Option("--rating", help="Up to 1 token more.")] = False,
    raw: Annotated[
        bool, typer.Option("--raw", help="As Keepa sent it, one line of JSON each.")
    ] = False,
    cache_only: options.CacheOnly = False,
    refresh: Refresh = False,
    json: options.Json = False,
) -> None:
    """Fetch products as Keepa has them, without scoring. 1 token each, 0 when stored."""
    request = keepa.GetProductsRequest(
        **_asked(domain, refresh=refresh),
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
        await _tell_cost(stack, products=request)
        found = await patiently(lambda: collect(stack))
        if raw:
            for each in found:
                print(each.raw_json.decode())
        else:
            show_all(found, show.products(found), json=json)
        progress.print(f"{sum(each.token_count for each in found)} tokens")

    asking(ask)


@app.command()
def find(
    selection: Selection = None,
    page: Page = 0,
    per_page: PerPage = 50,
    domain: Domain = "com",
    *,
    insights: Annotated[
        bool, typer.Option("--insights", help="What all matches have in common: 30 tokens more.")
    ] = False,
    refresh: Refresh = False,
    json: options.Json = False,
) -> None:
    """Ask the Product Finder in Keepa's own fields. 10 tokens and 1 per started 100 ASINs."""
    request = keepa.FindProductsRequest(
        **_asked(domain, refresh=refresh),
        selection=_selection(selection, keepa.ProductSelection()),
        page=page,
        per_page=per_page,
        insights=insights,
    )

    async def ask(stack: Stack) -> None:
        await _tell_cost(stack, find=request)
        answer = await patiently(lambda: stack.keepa_gateway.FindProducts(request))
        show_one(answer, "\n".join(answer.asins), json=json)
        if insights and not json:
            console.print(answer.insights_json.decode())
        progress.print(f"{answer.total_count} match; {show.paid(answer)}")

    asking(ask)


@app.command()
def search(
    words: Annotated[list[str], typer.Argument(help="Words of the title, author or topic.")],
    domain: Domain = "com",
    *,
    refresh: Refresh = False,
    json: options.Json = False,
) -> None:
    """Search products by words, 20 at most. 10 tokens."""
    request = keepa.SearchProductsRequest(
        **_asked(domain, refresh=refresh), term=" ".join(words), stats_days=90
    )

    async def ask(stack: Stack) -> None:
        await _tell_cost(stack, search=request)
        answer = await patiently(lambda: stack.keepa_gateway.SearchProducts(request))
        show_all(answer.products, show.listings(answer.products), json=json)
        progress.print(show.paid(answer))

    asking(ask)


@app.command("best-sellers")
def best_sellers(
    category: Annotated[int, typer.Argument(help="Keepa's id; see `keepa find-categories`.")],
    range_days: Annotated[
        int, typer.Option(help="Days over which ranks are averaged: 0, 30, 90 or 180.")
    ] = 0,
    month: Annotated[str, typer.Option(help="The list of a past month, YYYY-MM.")] = "",
    domain: Domain = "com",
    *,
    limit: options.Limit = 50,
    refresh: Refresh = False,
    json: options.Json = False,
) -> None:
    """List the best sellers of a category, best first. 50 tokens for the whole list."""
    year, number = _month(month)
    request = keepa.ListBestSellersRequest(
        **_asked(domain, refresh=refresh),
        category_id=category,
        range_days=range_days,
        year=year,
        month=number,
    )

    async def collect(stack: Stack) -> list[keepa.ListBestSellersResponse]:
        return [part async for part in stack.keepa_gateway.ListBestSellers(request)]

    async def ask(stack: Stack) -> None:
        await _tell_cost(stack, best_sellers=request)
        parts = await patiently(lambda: collect(stack))
        whole = keepa.ListBestSellersResponse()
        for part in reversed(parts):  # The first one tells what it cost.
            whole.MergeFrom(part)
        shown = [asin for part in parts for asin in part.asins][:limit]
        whole.asins[:] = shown
        show_one(whole, "\n".join(shown), json=json)
        progress.print(f"{len(shown)} of {whole.total_count} shown; {show.paid(whole)}")

    asking(ask)


@app.command()
def categories(
    category: Annotated[
        list[int] | None, typer.Argument(help="Keepa's ids, 10 at most; none: all roots.")
    ] = None,
    domain: Domain = "com",
    *,
    parents: Annotated[bool, typer.Option("--parents", help="Their parents too. Free.")] = False,
    refresh: Refresh = False,
    json: options.Json = False,
) -> None:
    """Show categories with their numbers of products and their usual prices. 1 token."""
    request = keepa.GetCategoriesRequest(
        **_asked(domain, refresh=refresh), category_ids=category or [0], include_parents=parents
    )

    async def ask(stack: Stack) -> None:
        await _tell_cost(stack, categories=request)
        answer = await patiently(lambda: stack.keepa_gateway.GetCategories(request))
        found = [*answer.parents, *answer.categories]
        show_all(found, show.categories(found), json=json)
        if answer.missing_category_ids:
            missing = ", ".join(map(str, answer.missing_category_ids))
            progress.print(f"Keepa does not know {missing}.", style="yellow")
        progress.print(show.paid(answer))

    asking(ask)


@app.command("find-categories")
def find_categories(
    words: Annotated[list[str], typer.Argument(help="All of them must be in the name.")],
    domain: Domain = "com",
    *,
    refresh: Refresh = False,
    json: options.Json = False,
) -> None:
    """Search categories by words, 50 at most: their ids go into --category. 1 token."""
    request = keepa.SearchCategoriesRequest(**_asked(domain, refresh=refresh), term=" ".join(words))

    async def ask(stack: Stack) -> None:
        await _tell_cost(stack, category_search=request)
        answer = await patiently(lambda: stack.keepa_gateway.SearchCategories(request))
        show_all(answer.categories, show.categories(answer.categories), json=json)
        progress.print(show.paid(answer))

    asking(ask)


@app.command()
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
    selection: Selection = None,
    page: Annotated[int, typer.Option(min=0, max=66, help="From 0, 150 deals each.")] = 0,
    domain: Domain = "com",
    *,
    refresh: Refresh = False,
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
        **_asked(domain, refresh=refresh), selection=_selection(selection, chosen), page=page
    )

    async def ask(stack: Stack) -> None:
        await _tell_cost(stack, deals=request)
        answer = await patiently(lambda: stack.keepa_gateway.ListDeals(request))
        show_all(answer.deals, show.deals(answer.deals, request.selection), json=json)
        more = f"; --page {page + 1} may hold more" if answer.more else ""
        progress.print(f"{show.paid(answer)}{more}")

    asking(ask)


@app.command("lightning-deals")
def lightning_deals(
    asin: Annotated[str, typer.Argument(help="The product; 1 token.")] = "",
    state: Annotated[str, typer.Option(help="Only available, upcoming, expired...")] = "",
    domain: Domain = "com",
    *,
    full_list: Annotated[
        bool, typer.Option("--full-list", help="All of the marketplace: yes to 500 tokens.")
    ] = False,
    limit: options.Limit = 100,
    refresh: Refresh = False,
    json: options.Json = False,
) -> None:
    """List the lightning deals of a product, or all of them."""
    if bool(asin) == full_list:
        raise typer.BadParameter("name a product, or give --full-list", param_hint="ASIN")
    request = keepa.ListLightningDealsRequest(
        **_asked(domain, refresh=refresh),
        asin=asin,
        full_list=full_list,
        state=options.named(keepa.LightningDealState, "LIGHTNING_DEAL_STATE_", state, "--state"),
        page_size=min(limit, 5000),
    )

    async def ask(stack: Stack) -> None:
        await _tell_cost(stack, lightning_deals=request)
        answer = await patiently(lambda: stack.keepa_gateway.ListLightningDeals(request))
        found = answer.deals[:limit]
        show_all(found, show.lightning_deals(found), json=json)
        progress.print(f"{len(found)} of {answer.total_count} shown; {show.paid(answer)}")

    asking(ask)


@app.command()
def sellers(
    seller: Annotated[list[str], typer.Argument(help="Amazon's ids of sellers, 100 at most.")],
    domain: Domain = "com",
    *,
    storefront: Annotated[
        bool, typer.Option("--storefront", help="Of one seller: its ASINs; 9 tokens more.")
    ] = False,
    refresh: Refresh = False,
    json: options.Json = False,
) -> None:
    """Show sellers: ratings, storefront, buy box. 1 token each."""
    request = keepa.GetSellersRequest(
        **_asked(domain, refresh=refresh), seller_ids=seller, storefront=storefront
    )

    async def ask(stack: Stack) -> None:
        await _tell_cost(stack, sellers=request)
        answer = await patiently(lambda: stack.keepa_gateway.GetSellers(request))
        show_all(answer.sellers, show.sellers(answer.sellers), json=json)
        for each in answer.sellers if storefront and not json else ():
            console.print("\n".join(each.storefront_asins))
        if answer.missing_seller_ids:
            missing = ", ".join(answer.missing_seller_ids)
            progress.print(f"Keepa does not know {missing}.", style="yellow")
        progress.print(show.paid(answer))

    asking(ask)


@app.command("top-sellers")
def top_sellers(
    domain: Domain = "com",
    *,
    limit: options.Limit = 50,
    refresh: Refresh = False,
    json: options.Json = False,
) -> None:
    """List the ids of the most rated sellers. 50 tokens for the whole list."""
    request = keepa.ListTopSellersRequest(**_asked(domain, refresh=refresh), page_size=limit)

    async def ask(stack: Stack) -> None:
        await _tell_cost(stack, top_sellers=request)
        answer = await patiently(lambda: stack.keepa_gateway.ListTopSellers(request))
        show_one(answer, "\n".join(answer.seller_ids), json=json)
        shown = len(answer.seller_ids)
        progress.print(f"{shown} of {answer.total_count} shown; {show.paid(answer)}")

    asking(ask)


@app.command("find-sellers")
def find_sellers(
    selection: Selection = None,
    page: Page = 0,
    per_page: PerPage = 50,
    domain: Domain = "com",
    *,
    refresh: Refresh = False,
    json: options.Json = False,
) -> None:
    """Ask the Seller Finder in Keepa's own fields. 10 tokens and 1 per started 100 sellers."""
    request = keepa.FindSellersRequest(
        **_asked(domain, refresh=refresh),
        selection=_selection(selection, keepa.SellerSelection()),
        page=page,
        per_page=per_page,
    )

    async def ask(stack: Stack) -> None:
        await _tell_cost(stack, seller_find=request)
        answer = await patiently(lambda: stack.keepa_gateway.FindSellers(request))
        show_one(answer, "\n".join(answer.seller_ids), json=json)
        progress.print(f"{answer.total_count} match; {show.paid(answer)}")

    asking(ask)


def _asked(domain: str, *, refresh: bool) -> dict[str, Any]:
    """Say what every paid request says: its id, the marketplace, and how old an answer may be."""
    asked: dict[str, Any] = {
        "request_id": str(uuid4()),
        "domain": options.named(keepa.Domain, "DOMAIN_", domain, "--domain"),
    }
    return {**asked, "max_age_duration": Duration()} if refresh else asked


def _selection(file: typer.FileText | None, into: Message) -> Any:
    """Read a selection in the JSON of the contract, beside what options say of it."""
    if file is None:
        return into
    try:
        return Parse(file.read(), into)
    except ParseError as error:
        name = into.DESCRIPTOR.name
        raise typer.BadParameter(f"is no {name}: {error}", param_hint="--selection") from None


def _month(text: str) -> tuple[int, int]:
    if not text:
        return 0, 0
    year, _, month = text.partition("-")
    if not (year.isdecimal() and month.isdecimal()):
        raise typer.BadParameter("must be YYYY-MM", param_hint="--month")
    return int(year), int(month)


async def _tell_cost(stack: Stack, **asked: Any) -> None:
    """Say what a request costs before it is made."""
    question = keepa.EstimateCostRequest(**asked)
    answer = await patiently(lambda: stack.keepa_gateway.EstimateCost(question))
    progress.print(show.cost(answer))
