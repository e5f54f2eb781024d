"""Ids from the wire are the standard library's in everything but what they cost."""

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.budget.api import requests
from services.chassis.errors import Refusal

ALMOST = st.text("0123456789abcdef-", min_size=36, max_size=36)


@given(st.uuids().filter(lambda each: each.int).map(str) | ALMOST)
def test_an_id_is_what_the_standard_library_makes_of_its_text(text: str) -> None:
    """Rows, snapshots and other replicas hold the same ids as the standard type."""
    try:
        expected = UUID(text)
    except ValueError:
        with pytest.raises(Refusal):
            requests.identity("request_id", text)
        return

    told = requests.identity("request_id", text)

    assert {told: "known"}[expected] == {expected: "known"}[told] == "known"
    assert (str(told), repr(told)) == (str(expected), repr(expected))


def test_the_zero_id_is_refused() -> None:
    with pytest.raises(Refusal):
        requests.identity("request_id", str(UUID(int=0)))
