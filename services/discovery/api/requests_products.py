"""Requests about one product as values of the domain."""

from arbitragevault.discovery.v1 import discovery_pb2 as pb

from services.chassis.rpc import times
from services.chassis.rpc.call import current_call
from services.discovery.api import requests
from services.discovery.domain.scoring.terms import Condition
from services.discovery.domain.verification import View
from services.discovery.usecases.asking import Request
from services.discovery.usecases.checking import Decision


def second_look(message: pb.VerifyProductRequest) -> Request:
    """Read who asks for a second look, and who pays."""
    spending = requests.errand(message.spending, current_call().caller)
    return Request(id=requests.request_id(message.request_id), errand=spending)


def condition(value: pb.Condition.ValueType) -> Condition:
    """Read a condition; new when none is named."""
    return requests.CONDITIONS.get(value, Condition.NEW)


def decision(request: pb.VerifyProductRequest) -> Decision:
    """Read what a product was when somebody decided to buy it."""
    options = requests.options(request.options) if request.HasField("options") else None
    match request.WhichOneof("decision"):
        case "score":
            return Decision(score_id=requests.identity(request.score, "score"), options=options)
        case "baseline":
            return Decision(view=_view(request.baseline), options=options)
        case _:
            return Decision(options=options)


def _view(told: pb.VerificationBaseline) -> View:
    observed = None
    if told.HasField("observe_time"):
        observed = times.instant(told.observe_time, "baseline.observe_time")
    return View(
        sell_cents=told.sell_cents,
        rank=told.sales_rank or None,
        fba_offers=told.fba_offer_count if told.HasField("fba_offer_count") else None,
        observed_at=observed,
    )
