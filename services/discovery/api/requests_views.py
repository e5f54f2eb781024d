"""Requests for strategic views as values of the domain."""

from arbitragevault.discovery.v1 import discovery_pb2 as pb

from services.chassis.rpc.call import current_call
from services.discovery.api import requests
from services.discovery.usecases.asking import Request


def sight(message: pb.GetStrategicViewRequest) -> Request:
    """Read who asks for a view; what is not stored is fetched only where that is allowed."""
    return Request(
        id=requests.request_id(message.request_id),
        errand=requests.errand(message.spending, current_call().caller),
        force_refresh=message.force_refresh,
        cache_only=not message.fetch_missing,
    )
