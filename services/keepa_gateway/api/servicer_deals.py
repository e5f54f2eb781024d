# ruff: noqa: ARG002 - the signatures are grpc's
"""The methods of KeepaGatewayService that answer about deals."""

from datetime import timedelta

from arbitragevault.keepa_gateway.v1 import keepa_gateway_pb2 as pb

from services.chassis.rpc import times
from services.chassis.rpc.call import Context
from services.keepa_gateway.api import (
    requests,
    requests_deals,
    requests_pages,
    responses_deals,
)
from services.keepa_gateway.api.servicer_lists import kept_or_asked
from services.keepa_gateway.domain.bodies import decoded
from services.keepa_gateway.domain.market_bodies import DealsBody, LightningDealsBody
from services.keepa_gateway.usecases import harvesting
from services.keepa_gateway.usecases.lists import Lists

DEALS_AGE = timedelta(minutes=10)
MOST_DEALS = 5_000


class DealMethods:
    """Translates between the contract and the use cases for deals."""

    _lists: Lists

    async def ListDeals(
        self, request: pb.ListDealsRequest, context: Context
    ) -> pb.ListDealsResponse:
        """Answer a page of deals."""
        wanted = requests_deals.deals_request(request)
        asking = requests.asking(request, default_age=DEALS_AGE)
        answer = await self._lists.answer(wanted, asking, harvesting.typed(DealsBody))
        return responses_deals.deals_answer(answer, wanted)

    async def ListLightningDeals(
        self, request: pb.ListLightningDealsRequest, context: Context
    ) -> pb.ListLightningDealsResponse:
        """Answer a page of lightning deals; only the first page can cost."""
        wanted = requests_deals.lightning_deals_request(request).validated()
        state = str(request.state)
        token = requests_pages.read(
            request.page_token, answer=wanted.call().fingerprint, asked=state
        )
        asking = requests.asking(request, default_age=DEALS_AGE)
        answer = await kept_or_asked(
            self._lists, token, wanted, asking, harvesting.typed(LightningDealsBody)
        )
        found = [
            one
            for one in decoded(answer.payload, LightningDealsBody).lightning_deals or ()
            if not request.state or responses_deals.lightning_state(one) == request.state
        ]
        size = min(request.page_size or requests_pages.DEFAULT_SIZE, MOST_DEALS)
        start = token.start if token else 0
        page, following = requests_pages.cut(found, answer, start=start, size=size, asked=state)
        return pb.ListLightningDealsResponse(
            deals=[responses_deals.lightning_deal(one) for one in page],
            next_page_token=following,
            total_count=len(found),
            token_count=answer.tokens,
            fetch_time=times.timestamp(answer.fetched_at),
            cached=answer.cached,
        )
