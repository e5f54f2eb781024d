"""The market as Keepa sees it: categories and sellers."""

from typing import Annotated

import typer
from arbitragevault.keepa_gateway.v1 import keepa_gateway_pb2 as keepa

from services.cli import options, show
from services.cli.asking import asking, console, progress, show_all, show_one
from services.cli.inquiring import asked, selected, tell_cost
from services.cli.patience import patiently
from services.cli.stack import Stack


def categories(
    category: Annotated[
        list[int] | None, typer.Argument(help="Keepa's ids, 10 at most; none: all roots.")
    ] = None,
    domain: options.Domain = "com",
    *,
    parents: Annotated[bool, typer.Option("--parents", help="Their parents too. Free.")] = False,
    refresh: options.Refresh = False,
    json: options.Json = False,
) -> None:
    """Show categories with their numbers of products and their usual prices. 1 token."""
    request = keepa.GetCategoriesRequest(
        **asked(domain, refresh=refresh), category_ids=category or [0], include_parents=parents
    )

    async def ask(stack: Stack) -> None:
        await tell_cost(stack, categories=request)
        answer = await patiently(lambda: stack.keepa_gateway.GetCategories(request))
        found = [*answer.parents, *answer.categories]
        show_all(found, show.categories(found), json=json)
        if answer.missing_category_ids:
            missing = ", ".join(map(str, answer.missing_category_ids))
            progress.print(f"Keepa does not know {missing}.", style="yellow")
        progress.print(show.paid(answer))

    asking(ask)


def find_categories(
    words: Annotated[list[str], typer.Argument(help="All of them must be in the name.")],
    domain: options.Domain = "com",
    *,
    refresh: options.Refresh = False,
    json: options.Json = False,
) -> None:
    """Search categories by words, 50 at most: their ids go into --category. 1 token."""
    request = keepa.SearchCategoriesRequest(**asked(domain, refresh=refresh), term=" ".join(words))

    async def ask(stack: Stack) -> None:
        await tell_cost(stack, category_search=request)
        answer = await patiently(lambda: stack.keepa_gateway.SearchCategories(request))
        show_all(answer.categories, show.categories(answer.categories), json=json)
        progress.print(show.paid(answer))

    asking(ask)


def sellers(
    seller: Annotated[list[str], typer.Argument(help="Amazon's ids of sellers, 100 at most.")],
    domain: options.Domain = "com",
    *,
    storefront: Annotated[
        bool, typer.Option("--storefront", help="Of one seller: its ASINs; 9 tokens more.")
    ] = False,
    refresh: options.Refresh = False,
    json: options.Json = False,
) -> None:
    """Show sellers: ratings, storefront, buy box. 1 token each."""
    request = keepa.GetSellersRequest(
        **asked(domain, refresh=refresh), seller_ids=seller, storefront=storefront
    )

    async def ask(stack: Stack) -> None:
        await tell_cost(stack, sellers=request)
        answer = await patiently(lambda: stack.keepa_gateway.GetSellers(request))
        show_all(answer.sellers, show.sellers(answer.sellers), json=json)
        for each in answer.sellers if storefront and not json else ():
            console.print("\n".join(each.storefront_asins))
        if answer.missing_seller_ids:
            missing = ", ".join(answer.missing_seller_ids)
            progress.print(f"Keepa does not know {missing}.", style="yellow")
        progress.print(show.paid(answer))

    asking(ask)


def top_sellers(
    domain: options.Domain = "com",
    *,
    limit: options.Limit = 50,
    refresh: options.Refresh = False,
    json: options.Json = False,
) -> None:
    """List the ids of the most rated sellers. 50 tokens for the whole list."""
    request = keepa.ListTopSellersRequest(**asked(domain, refresh=refresh), page_size=limit)

    async def ask(stack: Stack) -> None:
        await tell_cost(stack, top_sellers=request)
        answer = await patiently(lambda: stack.keepa_gateway.ListTopSellers(request))
        show_one(answer, "\n".join(answer.seller_ids), json=json)
        shown = len(answer.seller_ids)
        progress.print(f"{shown} of {answer.total_count} shown; {show.paid(answer)}")

    asking(ask)


def find_sellers(
    selection: options.Selection = None,
    page: options.Page = 0,
    per_page: options.PerPage = 50,
    domain: options.Domain = "com",
    *,
    refresh: options.Refresh = False,
    json: options.Json = False,
) -> None:
    """Ask the Seller Finder in Keepa's own fields. 10 tokens and 1 per started 100 sellers."""
    request = keepa.FindSellersRequest(
        **asked(domain, refresh=refresh),
        selection=selected(selection, keepa.SellerSelection()),
        page=page,
        per_page=per_page,
    )

    async def ask(stack: Stack) -> None:
        await tell_cost(stack, seller_find=request)
        answer = await patiently(lambda: stack.keepa_gateway.FindSellers(request))
        show_one(answer, "\n".join(answer.seller_ids), json=json)
        progress.print(f"{answer.total_count} match; {show.paid(answer)}")

    asking(ask)
