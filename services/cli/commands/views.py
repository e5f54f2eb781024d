"""Strategic views: given products in the order of one aim, with the prices that it asks for."""

from typing import Annotated
from uuid import uuid4

import typer
from arbitragevault.discovery.v1 import discovery_pb2 as discovery

from services.cli import criteria, options, show
from services.cli.asking import asking, progress, show_all
from services.cli.commands.products import tell_price
from services.cli.gathering import gathers
from services.cli.patience import patiently
from services.cli.stack import Stack

app = typer.Typer(help="Given products in the order of one aim.", no_args_is_help=True)


@app.command("list")
def listed(*, json: options.Json = False) -> None:
    """List the views and the return on cost that each aims at. Spends nothing."""

    async def ask(stack: Stack) -> None:
        request = discovery.GetScoringConfigRequest()
        config = (await patiently(lambda: stack.discovery.GetScoringConfig(request))).config
        show_all(config.views, show.views(config.views), json=json)

    asking(ask)


@app.command("show")
@gathers(scoring=criteria.scoring)
def shown(
    scoring: discovery.ScoringOptions,
    view: Annotated[str, typer.Argument(help="Such as velocity; `avault views list` names them.")],
    asin: Annotated[list[str], typer.Argument(help="The products.")],
    buy: options.Buy = None,
    *,
    fetch: Annotated[
        bool, typer.Option("--fetch", help="Fetch what is not stored: 1 token a product.")
    ] = False,
    refresh: Annotated[
        bool, typer.Option("--refresh", help="With --fetch: ask Keepa whatever is stored.")
    ] = False,
    json: options.Json = False,
) -> None:
    """Order products by a view, best first, from what is stored unless --fetch is given."""
    if refresh and not fetch:
        raise typer.BadParameter("needs --fetch", param_hint="--refresh")
    request = discovery.GetStrategicViewRequest(
        request_id=str(uuid4()),
        name=options.full("views", view),
        asins=asin,
        options=scoring,
        fetch_missing=fetch,
        force_refresh=refresh,
    )
    request.options.buy_cents.update(criteria.own_costs(asin, buy))
    question = discovery.EstimateDiscoveryRequest(
        asins=discovery.AsinList(asins=asin), force_refresh=refresh
    )

    async def ask(stack: Stack) -> None:
        await tell_price(stack, question, free=not fetch)
        answer = await patiently(lambda: stack.discovery.GetStrategicView(request))
        show_all(answer.rows, show.view(answer), json=json)
        progress.print(show.came_about(answer.info))

    asking(ask)
