"""Turning good answers into what is stored, one product at a time."""

import asyncio
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from datetime import datetime

import msgspec

from services.chassis import telemetry
from services.keepa_gateway.domain.answers import StoredList
from services.keepa_gateway.domain.bodies import BrokenBody, decoded
from services.keepa_gateway.domain.facts import ProductsFetched
from services.keepa_gateway.domain.list_requests import ProductSearchRequest
from services.keepa_gateway.domain.lists import BestSellersBody, FinderBody
from services.keepa_gateway.domain.market_bodies import SellerIdsBody
from services.keepa_gateway.domain.matching import by_code, named
from services.keepa_gateway.domain.product import decode
from services.keepa_gateway.domain.products_request import ProductsRequest
from services.keepa_gateway.domain.pruning import pruned
from services.keepa_gateway.domain.snapshot import Snapshot, unread
from services.keepa_gateway.ports import Harvest, Packer
from services.keepa_gateway.usecases.paid import Reap
from services.keepa_gateway.usecases.reading import Reading
from services.keepa_gateway.usecases.way import Way

# What is decoded on the event loop itself; about a millisecond of work.
LARGE_BYTES = 64 << 10
# Fields and items that are named in the log of a list that was not wholly readable.
MOST_NAMED = 20
_log = telemetry.get_logger(__name__)


def products(request: ProductsRequest, packer: Packer, way: Way) -> Reap:
    """Build what reaps the answer to a product call."""

    async def reap(reading: Reading, subjects: tuple[str, ...]) -> Harvest:
        snapshots, came_at = [], way.now()
        for raw in reading.items:
            try:
                snapshots.append(await _snapshot(request, raw, packer, came_at))
            except BrokenBody:
                _log.error("product unreadable", domain=request.domain, bytes=len(raw))
        found = match(request, subjects, snapshots)
        if request.codes:
            snapshots = [named(one, found) for one in snapshots]
        fact = ProductsFetched(
            domain=request.domain,
            asins=tuple(one.asin for one in snapshots if one.known),
            missing=_missing(request, subjects, snapshots),
            tokens=reading.outcome.consumed or 0,
            fetched_at=came_at,
        )
        return Harvest(snapshots=snapshots, found=found, facts=(fact,))

    return reap


async def _snapshot(
    request: ProductsRequest, raw: bytes, packer: Packer, came_at: datetime
) -> Snapshot:
    """Decode one product a turn of the event loop, and a large one beside it.

    The largest product seen takes 40 ms. In a thread the interpreter changes over every 5 ms, so
    other calls go on meanwhile; small products are not worth the way there.
    """
    if len(raw) > LARGE_BYTES:
        return await asyncio.to_thread(_decoded, request, raw, packer, came_at)
    await asyncio.sleep(0)
    return _decoded(request, raw, packer, came_at)


def _decoded(request: ProductsRequest, raw: bytes, packer: Packer, came_at: datetime) -> Snapshot:
    read = decode(raw)
    if read.dropped:
        _log.warning("product fields unreadable", asin=read.product.asin, fields=read.dropped)
    if not request.options.offers:
        # Keepa says false, too, where nobody asked.
        read.product.offers_successful = None
    try:
        packed = packer(read.product)
    except (ValueError, TypeError) as error:
        # It alone is lost; the others of its call are paid for as well.
        raise BrokenBody from error
    return Snapshot(
        domain=request.domain,
        asin=read.product.asin,
        options=request.options,
        fetched_at=came_at,
        known=read.product.known,
        product=packed,
        raw=raw,
        codes=read.product.codes,
        unread=unread(request.options, read.product),
    )


def match(
    request: ProductsRequest, subjects: Sequence[str], snapshots: Collection[Snapshot]
) -> dict[str, tuple[str, ...]]:
    """Say which products answer which subject; nothing for one that Keepa left out."""
    if not request.asins:
        return by_code(subjects, snapshots)
    there = {one.asin for one in snapshots}
    return {subject: (subject,) if subject in there else () for subject in subjects}


def _missing(
    request: ProductsRequest, subjects: Iterable[str], snapshots: Iterable[Snapshot]
) -> tuple[str, ...]:
    if not request.asins:
        return ()
    known = {one.asin for one in snapshots if one.known}
    return tuple(subject for subject in subjects if subject not in known)


async def finder(reading: Reading, _: tuple[str, ...]) -> Harvest:
    """Reap a page of the Product Finder."""
    body = decoded(reading.rest, FinderBody)
    asins = body.asin_list or []
    total = body.total_results if body.total_results is not None else len(asins)
    insights = bytes(body.search_insights)
    return Harvest(listing=StoredList(asins, total, insights).packed())


async def best_sellers(reading: Reading, _: tuple[str, ...]) -> Harvest:
    """Reap a best-seller list; a category without one has an empty list."""
    body = decoded(reading.rest, BestSellersBody)
    asins = (body.best_sellers_list.asin_list if body.best_sellers_list else None) or []
    return Harvest(listing=StoredList(asins, len(asins)).packed())


def typed(form: type[msgspec.Struct]) -> Reap:
    """Build what reaps an answer of some form: only what the form names and fits is kept."""

    async def reap(reading: Reading, _: tuple[str, ...]) -> Harvest:
        try:
            body = decoded(reading.rest, form)
        except BrokenBody:
            body, dropped = pruned(reading.rest, form)
            _log.warning("list partly unreadable", form=form.__name__, fields=dropped[:MOST_NAMED])
        return Harvest(listing=msgspec.json.encode(body))

    return reap


async def seller_ids(reading: Reading, _: tuple[str, ...]) -> Harvest:
    """Reap ids of sellers; 0 in all when Keepa does not say how many there are."""
    body = decoded(reading.rest, SellerIdsBody)
    return Harvest(listing=StoredList(body.seller_id_list or [], body.total_results or 0).packed())


def product_search(request: ProductSearchRequest, packer: Packer, way: Way) -> Reap:
    """Build what reaps a product search: its products are stored like any other."""
    like = ProductsRequest(domain=request.domain, options=request.options)
    keep = products(like, packer, way)

    async def reap(reading: Reading, subjects: tuple[str, ...]) -> Harvest:
        if request.asins_only:
            return await finder(reading, subjects)
        harvest = await keep(reading, subjects)
        asins = [one.asin for one in harvest.snapshots]
        return replace(harvest, found={}, listing=StoredList(asins, len(asins)).packed())

    return reap
