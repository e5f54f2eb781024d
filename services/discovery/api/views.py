"""Strategic views over gRPC."""

from arbitragevault.discovery.v1 import discovery_pb2 as pb

from services.chassis.clock import Clock
from services.chassis.rpc.call import Context, current_call
from services.discovery.api import read, write
from services.discovery.domain.views import Seen
from services.discovery.usecases.asking import Request
from services.discovery.usecases.viewing import Viewer


class ViewMethods:
    """The part of the servicer that shows products as a view sees them."""

    _viewer: Viewer
    _clock: Clock

    async def GetStrategicView(
        self, request: pb.GetStrategicViewRequest, _: Context
    ) -> pb.GetStrategicViewResponse:
        """Order given products by a view, from what is stored unless more is allowed."""
        sight = await self._viewer.view(
            Request(
                id=read.request_id(request.request_id),
                errand=read.errand(request.spending, current_call().caller),
                force_refresh=request.force_refresh,
                cache_only=not request.fetch_missing,
            ),
            request.name.removeprefix("views/"),
            read.domain(request.domain),
            read.asins(request.asins),
            read.options(request.options),
        )
        return pb.GetStrategicViewResponse(
            name=request.name,
            target_roi_percent=float(sight.roi_percent),
            rows=map(_row, sight.rows),
            info=write.info(sight.ended.tally, sight.ended.seconds, self._clock.now()),
        )


def _row(one: Seen) -> pb.StrategicViewRow:
    return pb.StrategicViewRow(
        score=write.appraisal(one.appraisal),
        view_score=None if one.view_score is None else round(one.view_score, 2),
        target_buy_cents=one.target_buy,
        target_sell_cents=one.target_sell,
        reason=one.reason,
    )
