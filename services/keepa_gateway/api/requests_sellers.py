"""Requests for sellers as values of the domain, in Keepa's own words."""

from arbitragevault.keepa_gateway.v1 import keepa_gateway_pb2 as pb

from services.keepa_gateway.api import requests
from services.keepa_gateway.domain.market_requests import (
    SellerFinderRequest,
    SellersRequest,
    TopSellersRequest,
)

DEFAULT_PER_PAGE = 50


def sellers_request(request: pb.GetSellersRequest) -> SellersRequest:
    """Read a request for sellers."""
    return SellersRequest(
        domain=request.domain or pb.DOMAIN_COM,
        sellers=tuple(request.seller_ids),
        storefront=request.storefront,
    )


def top_sellers_request(request: pb.ListTopSellersRequest) -> TopSellersRequest:
    """Read a request for the most rated sellers."""
    return TopSellersRequest(domain=request.domain or pb.DOMAIN_COM)


def seller_finder_request(request: pb.FindSellersRequest) -> SellerFinderRequest:
    """Read a Seller Finder request in Keepa's own words."""
    selection = requests.plain(request.selection.extra) | requests.ranges(request.selection)
    if sorts := requests.sorts(request.selection):
        selection["sort"] = sorts
    return SellerFinderRequest(
        domain=request.domain or pb.DOMAIN_COM,
        selection=selection,
        page=request.page,
        per_page=request.per_page or DEFAULT_PER_PAGE,
    )
