"""A field that breaks its rule is told what it may be, in the words of the contract."""

import pytest
from arbitragevault.budget.v1 import budget_pb2 as budget
from arbitragevault.discovery.v1 import discovery_pb2 as discovery
from google.protobuf.message import Message

from services.chassis.errors import Refusal
from services.chassis.rpc.validation import checked


@pytest.mark.parametrize(
    ("request_", "field", "told"),
    [
        (budget.GetReservationRequest(name="x"), "name", "must be reservations/{uuid}"),
        (
            budget.ListReservationsRequest(job="x"),
            "job",
            "must be jobs/{uuid}, or empty",
        ),
        (
            budget.GetAccountRequest(name="x"),
            "name",
            "must be accounts/[a-z0-9]{0 to 62 of [a-z0-9-]}",
        ),
        (discovery.ListScoresRequest(asin="x"), "asin", "must be {10 of [A-Z0-9]}, or empty"),
    ],
)
def test_a_pattern_is_said_in_the_form_of_the_contract(
    request_: Message, field: str, told: str
) -> None:
    """Every refusal helps: a regular expression is no help to most people."""
    with pytest.raises(Refusal) as refused:
        checked(type(request_).FromString)(request_.SerializeToString())

    violation = refused.value.violations[0]
    assert (violation.field, violation.description) == (field, told)
