"""Products as a strategic view sees them, as messages."""

from arbitragevault.discovery.v1 import discovery_pb2 as pb

from services.discovery.api import responses
from services.discovery.domain.views import Seen


def row(one: Seen) -> pb.StrategicViewRow:
    """Write one product's row."""
    return pb.StrategicViewRow(
        score=responses.appraisal(one.appraisal),
        view_score=None if one.view_score is None else round(one.view_score, 2),
        target_buy_cents=one.target_buy,
        target_sell_cents=one.target_sell,
        reason=one.reason,
    )
