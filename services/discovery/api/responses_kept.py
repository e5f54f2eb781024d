"""What people keep as messages: saved niches, favourites, and products not to buy."""

from arbitragevault.discovery.v1 import discovery_pb2 as pb
from arbitragevault.keepa_gateway.v1 import keepa_gateway_pb2 as keepa

from services.chassis.rpc import times
from services.discovery.api import responses
from services.discovery.domain.kept import BlockedProduct, Favorite, SavedNiche
from services.discovery.usecases.keeping import Known


def saved_niche(one: SavedNiche) -> pb.SavedNiche:
    """Write a saved niche."""
    return pb.SavedNiche(
        name=one.name,
        display_name=one.display_name,
        filter=responses.filter_of(one.filter),
        strategy=responses.strategy(one.strategy),
        notes=one.notes,
        template=one.template,
        last_niche_score=one.last_score,
        last_examine_time=times.timestamp(one.last_examined_at),
        caller=one.caller,
        create_time=times.timestamp(one.created_at),
        update_time=times.timestamp(one.updated_at),
        etag=one.etag,
    )


def favorite(one: Known[Favorite]) -> pb.Favorite:
    """Write a favourite with its newest score."""
    kept, newest = one.kept, one.appraisal
    return pb.Favorite(
        name=f"favorites/{kept.domain}-{kept.asin}",
        asin=kept.asin,
        domain=keepa.Domain.ValueType(kept.domain),
        notes=kept.notes,
        title="" if newest is None else newest.title,
        score=None if newest is None else responses.appraisal(newest),
        caller=kept.caller,
        create_time=times.timestamp(kept.created_at),
        update_time=times.timestamp(kept.updated_at),
    )


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
