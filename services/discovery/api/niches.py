"""Niches over gRPC: their templates, and what is found in them."""

from collections.abc import AsyncIterator
from contextlib import aclosing

from arbitragevault.discovery.v1 import discovery_pb2 as pb

from services.chassis.clock import Clock
from services.chassis.rpc.call import Context, current_call
from services.discovery.api import read, write
from services.discovery.domain.niches import NicheKind, Template
from services.discovery.domain.scouting import MOST_SHOWN, Examined
from services.discovery.usecases.asking import Request
from services.discovery.usecases.browsing import browse
from services.discovery.usecases.scouting import Quest, Scout, Scouted

DEFAULT_SCORED = 10

KINDS = {
    pb.NICHE_KIND_SMART_VELOCITY: NicheKind.SMART_VELOCITY,
    pb.NICHE_KIND_TEXTBOOKS: NicheKind.TEXTBOOKS,
}


class NicheMethods:
    """The part of the servicer that answers about niches."""

    _scout: Scout
    _clock: Clock

    async def ListNicheTemplates(
        self, request: pb.ListNicheTemplatesRequest, _: Context
    ) -> pb.ListNicheTemplatesResponse:
        """List the templates of niches by name."""
        page = browse(
            KINDS.get(request.kind),
            size=read.page_size(request.page_size),
            after=read.page_place(request, request.page_token),
        )
        return pb.ListNicheTemplatesResponse(
            templates=[template(one) for one in page.items],
            next_page_token=read.page_token(request, page.next_place),
        )

    async def DiscoverNiches(
        self, request: pb.DiscoverNichesRequest, _: Context
    ) -> AsyncIterator[pb.DiscoverNichesResponse]:
        """Examine niches, one message each, then how the whole came about."""
        asked = Request(
            id=read.request_id(request.request_id),
            errand=read.errand(request.spending, current_call().caller),
            force_refresh=request.force_refresh,
            cache_only=request.cache_only,
        )
        async with aclosing(self._scout.scout(asked, quest(request))) as told:
            async for one in told:
                if isinstance(one, Scouted):
                    info = write.info(one.tally, one.seconds, self._clock.now())
                    yield pb.DiscoverNichesResponse(info=info, seed=one.seed)
                else:
                    yield pb.DiscoverNichesResponse(niche=niche(one))


def quest(message: pb.DiscoverNichesRequest) -> Quest:
    """Read which niches are examined, and fill the defaults in."""
    for name in message.names:
        if name.startswith("bookmarks/"):
            read.identity(name)
    return Quest(
        names=tuple(message.names),
        count=message.count or 1,
        kind=KINDS.get(message.kind),
        seed=message.seed,
        scored=message.scored_count or DEFAULT_SCORED,
    )


def niche(one: Examined) -> pb.Niche:
    """Write a niche as it was examined."""
    quarry = one.quarry
    return pb.Niche(
        name=quarry.name,
        display_name=quarry.display_name,
        filter=write.filter_message(quarry.filter),
        strategy=write.strategy(quarry.strategy),
        niche_score=one.score,
        total_count=one.total,
        scored_count=one.scored,
        passed_count=len(one.passed),
        mean_roi_percent=one.mean_roi,
        mean_velocity_score=one.mean_velocity,
        scores=[write.appraisal(each) for each in one.passed[:MOST_SHOWN]],
        token_count=one.tokens,
        warning=quarry.warning,
        blocked_count=one.blocked,
    )


def template(one: Template) -> pb.NicheTemplate:
    """Write a template."""
    least_days, most_days = one.days
    return pb.NicheTemplate(
        name=one.name,
        display_name=one.display_name,
        description=one.description,
        kind=pb.NicheKind.Value(f"NICHE_KIND_{one.kind}"),
        filter=write.filter_message(one.filter),
        strategy=write.strategy(one.strategy),
        minimum_profit_cents=one.profit_cents,
        maximum_fba_offer_count=one.fba_offers,
        minimum_roi_percent=one.roi_percent,
        minimum_velocity_score=one.velocity,
        least_days_to_sell=least_days,
        most_days_to_sell=most_days,
        warning=one.warning,
    )
