"""The gateway over gRPC: finding, products and what they would cost."""

import time
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, timedelta
from uuid import UUID

import grpc
import grpc.aio
from arbitragevault.budget.v1 import budget_pb2
from arbitragevault.keepa_gateway.v1 import keepa_gateway_pb2 as pb
from arbitragevault.keepa_gateway.v1 import keepa_gateway_pb2_grpc

from services.chassis.clock import Clock
from services.chassis.rpc import times
from services.chassis.rpc.call import Call, current_call, next_hop, working_for
from services.chassis.rpc.status import refusal_from
from services.discovery.clients.facts import facts
from services.discovery.domain.answers import Fetched, Listing, Status
from services.discovery.domain.criteria import Availability, Filter, Source
from services.discovery.domain.errand import Errand, Priority
from services.discovery.domain.looking import Depth
from services.discovery.ports import Cost

DAYS = 365
WAIT_SECONDS = 60.0
"""How long an answer may take when nobody set a deadline: Keepa's own list calls have as long."""

OPTIONS = pb.ProductOptions(stats_days=DAYS, history=True, history_days=DAYS)
"""One token each: statistics and a year of history, no offers."""

OFFERS = pb.ProductOptions(
    stats_days=DAYS, history=True, history_days=DAYS, offer_count=20, only_live_offers=True
)
STOCK = pb.ProductOptions(
    stats_days=DAYS, history=True, history_days=DAYS, offer_count=20, only_live_offers=True,
    stock=True,
)  # fmt: skip
DEPTHS = {Depth.PLAIN: OPTIONS, Depth.OFFERS: OFFERS, Depth.STOCK: STOCK}

UNUSED = UUID(int=0, version=4)
"""The request id of a question about a price."""

ROOTS = frozenset({283155, 5174, 2625373011, 229534, 468642})
"""Root categories of amazon.com, which the finder takes as such and not among the others."""

PRIORITIES = {
    Priority.INTERACTIVE: budget_pb2.PRIORITY_INTERACTIVE,
    Priority.JOB: budget_pb2.PRIORITY_JOB,
    Priority.BACKGROUND: budget_pb2.PRIORITY_BACKGROUND,
}
ABSENT = (
    pb.AMAZON_AVAILABILITY_NONE,
    pb.AMAZON_AVAILABILITY_PREORDER,
    pb.AMAZON_AVAILABILITY_UNKNOWN,
    pb.AMAZON_AVAILABILITY_BACK_ORDER,
    pb.AMAZON_AVAILABILITY_DELAYED,
)


class GrpcGateway:
    """Implements ``ports.Gateway`` over a stub."""

    def __init__(self, channel: grpc.aio.Channel, clock: Clock) -> None:
        self._stub = keepa_gateway_pb2_grpc.KeepaGatewayServiceStub(channel)
        self._clock = clock

    async def find(
        self, request_id: UUID, wanted: Filter, errand: Errand, *, max_age: timedelta
    ) -> Listing:
        """Ask the finder for its first page, as long as the search needs, or for best sellers."""
        if wanted.source is Source.BEST_SELLERS:
            return await self._best_sellers(request_id, wanted, errand, max_age)
        request = _find_request(request_id, wanted, max_age)
        request.spending.CopyFrom(_spending(errand))
        with self._on(errand):
            try:
                answer = await self._stub.FindProducts(request, timeout=WAIT_SECONDS)
            except grpc.aio.AioRpcError as error:
                raise refusal_from(error) from error
        return Listing(
            asins=tuple(answer.asins[: wanted.max_results]),
            total=answer.total_count,
            found_at=answer.fetch_time.ToDatetime(tzinfo=UTC),
            tokens=answer.token_count,
        )

    async def _best_sellers(
        self, request_id: UUID, wanted: Filter, errand: Errand, max_age: timedelta
    ) -> Listing:
        """Read the list as far as it is wanted; it is paid for whole and stored by the gateway."""
        request = _best_sellers_request(request_id, wanted, max_age)
        request.spending.CopyFrom(_spending(errand))
        with self._on(errand):
            stream = self._stub.ListBestSellers(request, timeout=WAIT_SECONDS)
        listing = Listing()
        try:
            async for part in stream:
                listing = Listing(
                    asins=(*listing.asins, *part.asins)[: wanted.max_results],
                    total=part.total_count,
                    found_at=listing.found_at or part.fetch_time.ToDatetime(tzinfo=UTC),
                    tokens=listing.tokens + part.token_count,
                )
                if len(listing.asins) >= wanted.max_results:
                    break
        except grpc.aio.AioRpcError as error:
            raise refusal_from(error) from error
        finally:
            stream.cancel()
        return listing

    async def products(
        self,
        request_id: UUID,
        domain: int,
        asins: Sequence[str],
        errand: Errand,
        *,
        max_age: timedelta,
        stored_only: bool = False,
        fresh_only: bool = False,
        depth: Depth = Depth.PLAIN,
    ) -> AsyncGenerator[Fetched]:
        """Read the stream; a caller that stops reading ends it."""
        request = _products_request(request_id, domain, asins, max_age)
        request.cache_only = stored_only
        request.fresh_only = fresh_only
        request.options.CopyFrom(DEPTHS[depth])
        request.spending.CopyFrom(_spending(errand))
        patience = WAIT_SECONDS + len(asins) * (1 if depth is Depth.PLAIN else 20)
        with self._on(errand):
            stream = self._stub.GetProducts(request, timeout=patience)
        try:
            async for answer in stream:
                for result in answer.results:
                    yield fetched(result)
        except grpc.aio.AioRpcError as error:
            raise refusal_from(error) from error
        finally:
            stream.cancel()

    async def product_cost(self, domain: int, asins: Sequence[str], *, max_age: timedelta) -> Cost:
        """Ask for the estimate; its request id is not used up."""
        products = _products_request(UNUSED, domain, asins, max_age)
        return await self._cost(pb.EstimateCostRequest(products=products))

    async def list_cost(self, wanted: Filter, *, max_age: timedelta) -> Cost:
        """Ask for the estimate of the very call that `find` would make."""
        if wanted.source is Source.BEST_SELLERS:
            best_sellers = _best_sellers_request(UNUSED, wanted, max_age)
            return await self._cost(pb.EstimateCostRequest(best_sellers=best_sellers))
        find = _find_request(UNUSED, wanted, max_age)
        return await self._cost(pb.EstimateCostRequest(find=find))

    async def _cost(self, request: pb.EstimateCostRequest) -> Cost:
        try:
            answer = await self._stub.EstimateCost(request)
        except grpc.aio.AioRpcError as error:
            raise refusal_from(error) from error
        return Cost(most=answer.most_token_count, stored=answer.cached_count)

    @contextmanager
    def _on(self, errand: Errand) -> Iterator[None]:
        """Pass on an errand's caller, trace and deadline; a running call passes on its own."""
        if errand.deadline is None:
            yield
            return
        left = (errand.deadline - self._clock.now()).total_seconds()
        call = Call(
            caller=errand.caller,
            request_id=current_call().request_id,
            traceparent=next_hop(errand.traceparent),
            deadline=time.monotonic() + left,
        )
        with working_for(call):
            yield


def selection(wanted: Filter) -> pb.ProductSelection:
    """Say what is looked for in the finder's words: ordinary products, best rank first."""
    price = "current_USED" if wanted.condition.used else "current_NEW"
    ranges = [
        _range("current_SALES", wanted.rank_least or 1, wanted.rank_most),
        _range(price, wanted.price_least, wanted.price_most),
    ]
    roots = [each for each in wanted.category_ids if each in ROOTS]
    return pb.ProductSelection(
        root_category_id=roots[0] if roots else 0,
        category_ids=() if roots else wanted.category_ids,
        ranges=[each for each in ranges if each is not None],
        title=wanted.title,
        types=[pb.PRODUCT_TYPE_STANDARD],
        amazon_availabilities={
            Availability.ANY: (),
            Availability.AMAZON_ABSENT: ABSENT,
            Availability.AMAZON_PRESENT: (pb.AMAZON_AVAILABILITY_NOW,),
        }[wanted.availability],
        sorts=[pb.SelectionSort(field="current_SALES")],
    )


def fetched(answer: pb.ProductResult) -> Fetched:
    """Read one product of the answer."""
    known = answer.HasField("product")
    return Fetched(
        asin=answer.requested,
        status=Status(pb.ProductStatus.Name(answer.status).removeprefix("PRODUCT_STATUS_")),
        facts=facts(answer.product) if known else None,
        image_url=answer.product.image_url if known else "",
        currency_code=answer.product.currency_code if known else "",
        tokens=answer.token_count,
        unsettled=answer.unsettled_token_count,
        fetched_at=(
            answer.fetch_time.ToDatetime(tzinfo=UTC) if answer.HasField("fetch_time") else None
        ),
        reason=answer.reason,
        retry_after=answer.retry_delay.ToTimedelta() if answer.HasField("retry_delay") else None,
    )


def _range(field: str, least: int | None, most: int | None) -> pb.SelectionRange | None:
    if least is None and most is None:
        return None
    return pb.SelectionRange(field=field, minimum=least, maximum=most)


def _find_request(request_id: UUID, wanted: Filter, max_age: timedelta) -> pb.FindProductsRequest:
    return pb.FindProductsRequest(
        request_id=str(request_id),
        domain=pb.Domain.ValueType(wanted.domain),
        selection=selection(wanted),
        per_page=wanted.per_page,
        max_age_duration=times.duration(max_age),
    )


def _best_sellers_request(
    request_id: UUID, wanted: Filter, max_age: timedelta
) -> pb.ListBestSellersRequest:
    return pb.ListBestSellersRequest(
        request_id=str(request_id),
        domain=pb.Domain.ValueType(wanted.domain),
        category_id=wanted.category_ids[0],
        max_age_duration=times.duration(max_age),
    )


def _products_request(
    request_id: UUID, domain: int, asins: Sequence[str], max_age: timedelta
) -> pb.GetProductsRequest:
    return pb.GetProductsRequest(
        request_id=str(request_id),
        domain=pb.Domain.ValueType(domain),
        asins=asins,
        options=OPTIONS,
        max_age_duration=times.duration(max_age),
    )


def _spending(errand: Errand) -> pb.Spending:
    return pb.Spending(
        envelope=errand.envelope,
        priority=PRIORITIES[errand.priority],
        action=errand.action,
        job=errand.job,
        max_wait_duration=times.duration(min(errand.max_wait, timedelta(minutes=10))),
        max_token_count=errand.max_tokens,
    )
