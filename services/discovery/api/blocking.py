"""The do-not-buy list over gRPC."""

from arbitragevault.discovery.v1 import discovery_pb2 as pb
from arbitragevault.keepa_gateway.v1 import keepa_gateway_pb2 as keepa

from services.chassis.rpc import times
from services.chassis.rpc.call import Context
from services.discovery.api import read
from services.discovery.api.keeping import ask
from services.discovery.domain.kept import BlockedProduct
from services.discovery.usecases.blocking import Blocker
from services.discovery.usecases.keeping import Known


class BlockingMethods:
    """The part of the servicer that answers about the do-not-buy list."""

    _blocker: Blocker

    async def BlockProduct(
        self, request: pb.BlockProductRequest, _: Context
    ) -> pb.BlockProductResponse:
        """Put a product on the do-not-buy list, or change why it is there."""
        blocked = await self._blocker.block(
            ask(request.request_id), read.domain(request.domain), request.asin, request.reason
        )
        return pb.BlockProductResponse(blocked_product=blocked_product(blocked))

    async def ListBlockedProducts(
        self, request: pb.ListBlockedProductsRequest, _: Context
    ) -> pb.ListBlockedProductsResponse:
        """List the do-not-buy list, newest first."""
        page = await self._blocker.blocked(
            size=read.page_size(request.page_size),
            after=read.page_place(request, request.page_token),
        )
        return pb.ListBlockedProductsResponse(
            blocked_products=[blocked_product(one) for one in page.items],
            next_page_token=read.page_token(request, page.next_place),
        )

    async def UnblockProduct(
        self, request: pb.UnblockProductRequest, _: Context
    ) -> pb.UnblockProductResponse:
        """Take a product off the do-not-buy list."""
        await self._blocker.unblock(
            ask(request.request_id), read.domain(request.domain), request.asin
        )
        return pb.UnblockProductResponse()


def blocked_product(one: Known[BlockedProduct]) -> pb.BlockedProduct:
    """Write a blocked product."""
    kept = one.kept
    return pb.BlockedProduct(
        name=f"blockedProducts/{kept.domain}-{kept.asin}",
        asin=kept.asin,
        domain=keepa.Domain.ValueType(kept.domain),
        reason=kept.reason,
        title="" if one.appraisal is None else one.appraisal.title,
        caller=kept.caller,
        create_time=times.timestamp(kept.created_at),
    )
