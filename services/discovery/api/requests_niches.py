"""Requests for niches as values of the domain."""

from arbitragevault.discovery.v1 import discovery_pb2 as pb

from services.discovery.api import requests
from services.discovery.domain.niches import NicheKind
from services.discovery.usecases.scouting import Quest

DEFAULT_SCORED = 10

KINDS = {
    pb.NICHE_KIND_SMART_VELOCITY: NicheKind.SMART_VELOCITY,
    pb.NICHE_KIND_TEXTBOOKS: NicheKind.TEXTBOOKS,
}


def quest(message: pb.DiscoverNichesRequest) -> Quest:
    """Read which niches are examined, and fill the defaults in."""
    for name in message.names:
        if name.startswith("bookmarks/"):
            requests.identity(name)
    return Quest(
        names=tuple(message.names),
        count=message.count or 1,
        kind=KINDS.get(message.kind),
        seed=message.seed,
        scored=message.scored_count or DEFAULT_SCORED,
    )
