"""The routes: Keepa's own, and the stand-in's controls under /_sandbox."""

import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from deploy.sandbox.account import Account
from deploy.sandbox.answering import Endpoint, Keepa
from deploy.sandbox.catalogue import Catalogue
from deploy.sandbox.control import control_routes
from deploy.sandbox.door import Door
from deploy.sandbox.endpoints.bestsellers import BestSellers
from deploy.sandbox.endpoints.category import CategoryLookup, Shelves
from deploy.sandbox.endpoints.deal import Deals
from deploy.sandbox.endpoints.graph import GraphImage
from deploy.sandbox.endpoints.lightning import LightningDeals
from deploy.sandbox.endpoints.product import Product
from deploy.sandbox.endpoints.query import Query
from deploy.sandbox.endpoints.search import Search
from deploy.sandbox.endpoints.seller import Market, Seller, SellerQuery, TopSeller
from deploy.sandbox.endpoints.token import Token
from deploy.sandbox.endpoints.tracking import Tracking
from deploy.sandbox.faults import Faults
from deploy.sandbox.wire import Severable

Handler = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True)
class Sandbox:
    """A stand-in ready to be served, with what a test may want to look at."""

    app: Severable
    account: Account
    faults: Faults


def build(
    account: Account,
    catalogue: Catalogue,
    *,
    rng: random.Random,
    key: str | None = None,
    latency: float = 0.0,
) -> Sandbox:
    """Wire the stand-in together.

    ``key`` is the only one that is accepted, or None for any; a ``latency`` of 1.0 answers as
    slowly as Keepa was measured to, 0 at once.
    """
    faults, door = Faults(), Door()
    keepa = Keepa(account, faults, key=key, latency=latency)
    endpoints = _endpoints(catalogue, rng, account)
    routes = [_route(keepa, path, endpoint) for path, endpoint in endpoints.items()]
    lost = Route("/{path:path}", keepa.lost, methods=["GET", "POST"])
    app = Starlette(routes=[*control_routes(account, faults, door), *_flat(routes), lost])
    return Sandbox(Severable(app, door), account, faults)


def _endpoints(catalogue: Catalogue, rng: random.Random, account: Account) -> dict[str, Endpoint]:
    shelves, product = Shelves(catalogue), Product(catalogue, rng)
    market = Market(catalogue)
    return {
        "/token": Token(),
        "/product": product,
        "/query": Query(catalogue),
        "/bestsellers": BestSellers(catalogue),
        "/category": CategoryLookup(catalogue, shelves),
        "/search": Search(catalogue, shelves, product),
        "/deal": Deals(catalogue),
        "/seller": Seller(market),
        "/sellerquery": SellerQuery(market),
        "/topseller": TopSeller(market),
        "/lightningdeal": LightningDeals(catalogue),
        "/tracking": Tracking(account.track),
        "/graphimage": GraphImage(catalogue),
    }


def _route(keepa: Keepa, path: str, endpoint: Endpoint) -> list[Route]:
    """Return the routes of one endpoint: the trailing slash makes no difference."""

    async def handle(request: Request) -> Response:
        return await keepa.serve(request, endpoint)

    return [Route(form, handle, methods=["GET", "POST"]) for form in (path, path + "/")]


def _flat(groups: list[list[Route]]) -> list[Route]:
    return [route for group in groups for route in group]
