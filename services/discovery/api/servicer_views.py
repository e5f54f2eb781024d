"""The methods of DiscoveryService about strategic views."""

from arbitragevault.discovery.v1 import discovery_pb2 as pb

from services.chassis.clock import Clock
from services.chassis.rpc.call import Context
from services.discovery.api import requests, requests_views, responses, responses_views
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
            requests_views.sight(request),
            request.name.removeprefix("views/"),
            requests.domain(request.domain),
            requests.asins(request.asins),
            requests.options(request.options),
        )
        return pb.GetStrategicViewResponse(
            name=request.name,
            target_roi_percent=float(sight.roi_percent),
            rows=map(responses_views.row, sight.rows),
            info=responses.info(sight.ended.tally, sight.ended.seconds, self._clock.now()),
        )
