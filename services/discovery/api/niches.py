"""The templates of niches over gRPC."""

from arbitragevault.discovery.v1 import discovery_pb2 as pb

from services.chassis.rpc.call import Context
from services.discovery.api import read, write
from services.discovery.domain.niches import NicheKind, Template
from services.discovery.usecases.browsing import browse

KINDS = {
    pb.NICHE_KIND_SMART_VELOCITY: NicheKind.SMART_VELOCITY,
    pb.NICHE_KIND_TEXTBOOKS: NicheKind.TEXTBOOKS,
}


class NicheMethods:
    """The part of the servicer that answers about templates."""

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
            templates=[template(one) for one in page.templates],
            next_page_token=read.page_token(request, page.next_place),
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
