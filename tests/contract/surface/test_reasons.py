"""Every refusal has a reason with a name that clients in any language can switch on."""

import re

import pytest

from tests.contract.surface import contracts

# The table of the design, section 5, and what every server may answer.
EVERYWHERE = """
    INVALID_FIELD REQUEST_ID_REUSED DEADLINE_TOO_SHORT DEADLINE_EXCEEDED UNAUTHENTICATED
    PERMISSION_DENIED OVERLOADED STORAGE_UNAVAILABLE SERVER_STOPPING UNIMPLEMENTED INTERNAL
"""
DESIGNED = {
    "budget": """
        INSUFFICIENT_TOKENS QUEUE_FULL WAIT_TIMEOUT RESERVATION_ENDED ENVELOPE_EXHAUSTED
        COST_EXCEEDS_CAPACITY BALANCE_UNKNOWN COMMIT_CONFLICT RESERVATION_NOT_FOUND
        ACCOUNT_NOT_FOUND ACTION_NOT_FOUND
    """,
    "keepa_gateway": """
        KEEPA_RATE_LIMITED THROTTLED WAIT_TIMEOUT CIRCUIT_OPEN KEEPA_UNAVAILABLE
        KEEPA_KEY_REJECTED
    """,
    "discovery": """
        JOB_TOO_EXPENSIVE ETAG_MISMATCH SCORE_NOT_FOUND SEARCH_NOT_FOUND NICHE_NOT_FOUND
        FAVORITE_NOT_FOUND BLOCKED_PRODUCT_NOT_FOUND PRODUCT_NOT_FOUND
    """,
    "autosourcing": """
        INSUFFICIENT_TOKENS BALANCE_UNKNOWN JOB_TOO_EXPENSIVE JOB_FINISHED ETAG_MISMATCH
        JOB_NOT_FOUND PICK_NOT_FOUND PROFILE_NOT_FOUND SCHEDULE_NOT_FOUND
    """,
}
PREFIX = "ERROR_REASON_"


def reasons(service: str) -> list[str]:
    """The reasons of a service as they stand in ``ErrorInfo``."""
    values = contracts.file(service, "error_reason").enum_types_by_name["ErrorReason"].values
    return [value.name.removeprefix(PREFIX) for value in values if value.number]


@pytest.mark.parametrize("service", contracts.SERVICES)
def test_every_designed_reason_has_a_name(service: str) -> None:
    """What the design promises to say must be there to be said."""
    assert set((EVERYWHERE + DESIGNED[service]).split()) - set(reasons(service)) == set()


@pytest.mark.parametrize("service", contracts.SERVICES)
def test_a_reason_fits_into_error_info(service: str) -> None:
    """google.rpc.ErrorInfo allows 63 characters of [A-Z0-9_], not ending in an underscore."""
    form = re.compile(r"[A-Z][A-Z0-9_]{0,61}[A-Z0-9]")

    assert [reason for reason in reasons(service) if not form.fullmatch(reason)] == []


@pytest.mark.parametrize("service", contracts.SERVICES)
def test_a_reason_that_an_rpc_names_is_in_an_enum(service: str, comments: dict[str, str]) -> None:
    """A comment that promises a reason nobody can send misleads whoever writes a client."""
    known = {reason for name in contracts.SERVICES for reason in reasons(name)}
    promised = {
        reason
        for method in contracts.service(service).methods
        for sentence in re.findall(r"[Ff]ails with[^.]*", comments[method.full_name])
        for reason in re.findall(r"`([A-Z][A-Z_]+)`", sentence)
    }

    assert promised - known - {"RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "UNAVAILABLE"} == set()


@pytest.mark.parametrize("service", contracts.SERVICES)
def test_a_missing_resource_can_always_be_named(service: str) -> None:
    """Each *_NOT_FOUND has a kind of resource in the contract that it is about."""
    messages = contracts.file(service, service).message_types_by_name
    words = {word.upper() for name in messages for word in re.findall("[A-Z][a-z]+", name)}

    missing = [reason for reason in reasons(service) if reason.endswith("_NOT_FOUND")]

    assert [reason for reason in missing if not set(reason.split("_")[:-2]) <= words] == []
