"""A field that breaks its rule is told what it may be, in the words of the contract."""

import re
from collections.abc import Iterator
from itertools import chain

import pytest
from arbitragevault.autosourcing.v1 import autosourcing_pb2 as autosourcing
from arbitragevault.budget.v1 import budget_pb2 as budget
from arbitragevault.discovery.v1 import discovery_pb2 as discovery
from arbitragevault.keepa_gateway.v1 import keepa_gateway_pb2 as gateway
from buf.validate import validate_pb2
from google.protobuf.descriptor import Descriptor
from google.protobuf.message import Message

from services.chassis.errors import Refusal
from services.chassis.rpc import sizes
from services.chassis.rpc.patterns import in_words
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
            (
                "must be accounts/{1 character of a-z or 0-9}{up to 62 characters of a-z, 0-9 or -}"
                ", such as accounts/example"
            ),
        ),
        (
            discovery.ListScoresRequest(asin="x"),
            "asin",
            "must be 10 characters of A-Z or 0-9, such as 0123456789, or empty",
        ),
        (
            discovery.DiscoverNichesRequest(names=["x"]),
            "names[0]",
            (
                "must be niches/{1 to 64 characters of a-z, 0-9 or -} or bookmarks/{uuid}"
                ", such as niches/example"
            ),
        ),
        (
            autosourcing.GetDailyReviewRequest(date="yesterday"),
            "date",
            "must be YYYY-MM-DD, such as 2026-11-20, or empty",
        ),
    ],
)
def test_a_pattern_is_said_in_the_form_of_the_contract(
    request_: Message, field: str, told: str
) -> None:
    """Every refusal helps: a regular expression is no help to most people."""
    with pytest.raises(Refusal) as refused:
        read(request_)

    violations = {one.field: one.description for one in refused.value.violations}
    assert violations[field] == told


def patterns(message: Descriptor) -> Iterator[str]:
    """Tell every pattern that a message's texts are held against."""
    for field in message.fields:
        rules = field.GetOptions().Extensions[validate_pb2.field]
        texts = (rules.string, rules.repeated.items.string, rules.map.keys.string)
        yield from (text.pattern for text in texts if text.pattern)
    for inner in message.nested_types:
        yield from patterns(inner)


def test_every_pattern_of_the_contracts_is_said_in_words() -> None:
    """Whoever writes one that has no words yet learns it here, and not from a reseller."""
    contracts = (autosourcing, budget, discovery, gateway)
    messages = chain.from_iterable(
        contract.DESCRIPTOR.message_types_by_name.values() for contract in contracts
    )
    found = set(chain.from_iterable(map(patterns, messages)))

    assert len(found) > 25
    for pattern in found:
        words = in_words(pattern)
        assert not re.search(r"[][()|^$*?]|\{\d+[,}]", words), words
        example = re.search(r"such as ([^,]*)", words)
        assert example or "{uuid}" in words, words
        assert example is None or re.search(pattern, example[1]), words


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
