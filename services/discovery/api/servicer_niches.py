"""The methods of DiscoveryService about niches: their templates, and what is found in them."""

from collections.abc import AsyncIterator
from contextlib import aclosing

from arbitragevault.discovery.v1 import discovery_pb2 as pb

from services.chassis.clock import Clock
from services.chassis.rpc.call import Context
from services.discovery.api import (
    requests,
    requests_niches,
    requests_pages,
    responses,
    responses_niches,
)
from services.discovery.usecases.browsing import browse
from services.discovery.usecases.scouting import Scout, Scouted


class NicheMethods:
    """The part of the servicer that answers about niches."""

    _scout: Scout
    _clock: Clock

    async def ListNicheTemplates(
        self, request: pb.ListNicheTemplatesRequest, _: Context
    ) -> pb.ListNicheTemplatesResponse:
        """List the templates of niches by name."""
        page = browse(
            requests_niches.KINDS.get(request.kind),
            size=requests_pages.size(request.page_size),
            after=requests_pages.place(request, request.page_token),
        )
        return pb.ListNicheTemplatesResponse(
            templates=[responses_niches.template(one) for one in page.items],
            next_page_token=requests_pages.token(request, page.next_place),
        )

    async def DiscoverNiches(
        self, request: pb.DiscoverNichesRequest, _: Context
    ) -> AsyncIterator[pb.DiscoverNichesResponse]:
        """Examine niches, one message each, then how the whole came about."""
        asked = requests.request(request)
        async with aclosing(self._scout.scout(asked, requests_niches.quest(request))) as told:
            async for one in told:
                if isinstance(one, Scouted):
                    info = responses.info(one.tally, one.seconds, self._clock.now())
                    yield pb.DiscoverNichesResponse(info=info, seed=one.seed)
                else:
                    yield pb.DiscoverNichesResponse(niche=responses_niches.niche(one))
