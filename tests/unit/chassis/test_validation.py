"""A field that breaks its rule is told what it may be, in the words of the contract."""

import pytest
from arbitragevault.autosourcing.v1 import autosourcing_pb2 as autosourcing
from arbitragevault.budget.v1 import budget_pb2 as budget
from arbitragevault.discovery.v1 import discovery_pb2 as discovery
from google.protobuf.message import Message

from services.chassis.errors import Refusal
from services.chassis.rpc import sizes
from services.chassis.rpc.validation import checked

ID = "9f0e5d39-2f8f-4a0e-8f5b-6f1a5f2f6f11"
MOST_BYTES = 1 << 20


def read(request: Message) -> Message:
    """Send a request through the border and back."""
    found = checked(type(request).FromString, MOST_BYTES)(request.SerializeToString())
    assert isinstance(found, Message)
    return found


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
        read(request_)

    violation = refused.value.violations[0]
    assert (violation.field, violation.description) == (field, told)


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        (autosourcing.ExportPicksRequest(), "format"),
        (autosourcing.ExportPicksRequest(format=99), "format"),  # type: ignore[arg-type]
    ],
)
def test_a_choice_names_what_there_is_to_choose_from(request_: Message, field: str) -> None:
    """Who meets a value that does not exist wants to know those that do."""
    with pytest.raises(Refusal) as refused:
        read(request_)

    (violation,) = refused.value.violations
    assert violation.field == field
    assert violation.description == (
        "must be one of EXPORT_FORMAT_CSV, EXPORT_FORMAT_JSON_LINES, EXPORT_FORMAT_XLSX"
    )


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        (discovery.ListScoresRequest(include_former=True), "include_former"),
        (
            discovery.EstimateDiscoveryRequest(
                filter=discovery.DiscoveryFilter(
                    source=discovery.DISCOVERY_SOURCE_BEST_SELLERS, title="maps"
                )
            ),
            "filter.source",
        ),
        (
            autosourcing.CreateProfileRequest(request_id=ID, profile=autosourcing.Profile()),
            "profile.display_name",
        ),
    ],
)
def test_a_rule_over_several_fields_names_the_one_at_fault(request_: Message, field: str) -> None:
    """A refusal that names no field leaves the caller to guess."""
    with pytest.raises(Refusal) as refused:
        read(request_)

    assert [violation.field for violation in refused.value.violations] == [field]


def test_a_choice_inside_other_messages_is_named_as_well() -> None:
    bad = discovery.StrategyConfig(strategy=77)  # type: ignore[arg-type]
    request = discovery.PreviewScoringConfigRequest(
        config=discovery.ScoringConfig(strategies=[bad]), asins=["0306406152"]
    )

    with pytest.raises(Refusal) as refused:
        read(request)

    assert refused.value.violations[0].field == "config.strategies[0].strategy"
    assert "must be one of STRATEGY_BALANCED" in refused.value.violations[0].description


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        (autosourcing.UpdatePickRequest(request_id=ID, name=f"picks/{ID}", notes="a\0"), "notes"),
        (
            autosourcing.CreateJobRequest(
                request_id=ID, spec=autosourcing.JobSpec(display_name="\0")
            ),
            "spec.display_name",
        ),
        (
            autosourcing.EstimateJobRequest(
                spec=autosourcing.JobSpec(
                    identifiers=[autosourcing.Identifier(value="0123456789\0")]
                )
            ),
            "spec.identifiers[0].value",
        ),
    ],
)
def test_a_zero_character_is_refused_wherever_it_is(request_: Message, field: str) -> None:
    """PostgreSQL stores none, so without this it would end as INTERNAL deep inside a service."""
    with pytest.raises(Refusal) as refused:
        read(request_)

    assert refused.value.reason == "INVALID_FIELD"
    assert [violation.field for violation in refused.value.violations] == [field]


def test_zero_bytes_that_are_no_characters_pass() -> None:
    """A zero is an ordinary byte of present numbers, of fractions and of empty texts."""
    request = autosourcing.EstimateJobRequest(
        spec=autosourcing.JobSpec(
            minimum_roi_percent=2.0, identifiers=[autosourcing.Identifier(value="0123456789")]
        )
    )
    data = request.SerializeToString()

    assert b"\0" in data
    assert read(request) == request


def test_a_long_list_of_nothing_is_refused_by_its_first_fault() -> None:
    """To name half a million faults took 88 s, in which the service answered nobody."""
    empty = budget.BatchReserveTokensRequest(requests=[budget.ReserveTokensRequest()] * 20_000)

    with pytest.raises(Refusal) as refused:
        read(empty)

    (violation,) = refused.value.violations
    assert violation.field == "requests"
    assert "no more than 1000" in violation.description


@pytest.mark.parametrize(
    ("request_", "field", "told"),
    [
        (
            autosourcing.ImportIdentifiersRequest(content=bytes(MOST_BYTES), cost_column="cost"),
            "content",
            (
                "must be at most 1000000 bytes; "
                "the request has 1048586 bytes, of which 1048576 are allowed"
            ),
        ),
        (
            discovery.ScoreProductsRequest(request_id=ID, asins=["0306406152"] * 100_000),
            "asins",
            "the request has 1200038 bytes, of which 1048576 are allowed",
        ),
    ],
)
def test_a_request_that_is_too_large_names_what_makes_it_so(
    request_: Message, field: str, told: str
) -> None:
    """A13: whoever brings a file of two megabytes is told which file, and what would do."""
    with pytest.raises(Refusal) as refused:
        read(request_)

    (violation,) = refused.value.violations
    assert (violation.field, violation.description) == (field, told)


@pytest.mark.parametrize("data", [b"\xff" * 20, b"\x0a\x7f", b"\x07", b"\x00\x00", b""])
def test_bytes_that_are_no_message_name_no_field(data: bytes) -> None:
    """What is too large may be anything."""
    kind = autosourcing.ImportIdentifiersRequest.DESCRIPTOR

    assert sizes.too_large(data, kind, 0).field == ""
