"""Claims about cutting answers apart."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.keepa_gateway.domain.bodies import BrokenBody, Slices, envelope

scalars = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text()
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
products = st.lists(st.dictionaries(st.text(), values, max_size=3), max_size=4)


@given(
    items=products,
    others=st.dictionaries(st.text(min_size=1), values, max_size=3),
    indented=st.booleans(),
)
def test_slices_are_the_items_and_the_rest_is_the_rest(
    items: list[object], others: dict[str, object], *, indented: bool
) -> None:
    """Whatever braces, brackets and quotes the texts of a product hold."""
    body = msgspec.json.encode({**others, "products": items, "tokensLeft": 3})
    if indented:
        body = msgspec.json.format(body, indent=2)

    slices = Slices(body, "products")
    cut = [msgspec.json.decode(piece) for piece in slices]

    assert cut == items
    assert msgspec.json.decode(slices.rest) == {**others, "products": [], "tokensLeft": 3}


@pytest.mark.parametrize(
    "body", [b'{"error":{"products":[{}]},"tokensLeft":3}', b'{"products":null}']
)
def test_a_body_without_the_array_is_all_rest(body: bytes) -> None:
    slices = Slices(body, "products")

    assert list(slices) == []
    assert slices.rest == body


def test_every_truncation_is_noticed() -> None:
    """A cut body may not pass for a shorter answer."""
    body = b'{"products":[{"asin":"a","t":"x]}\\""},{"asin":"b"}],"tokensLeft":3}'

    for length in range(len(body)):
        with pytest.raises((BrokenBody, msgspec.DecodeError)):
            read_whole(body[:length])


def read_whole(body: bytes) -> None:
    slices = Slices(body, "products")
    list(slices)
    msgspec.json.decode(slices.rest)


def test_a_cost_that_is_stated_twice_is_no_cost() -> None:
    """Fault 18: one reader would book 0 and another 2, and only one of them with Keepa."""
    told = b'{"tokensConsumed":2,"tokensLeft":5}'
    twice = told[:-1] + b',"tokensConsumed":0,"tokensLeft":1000000}'

    assert envelope(told).consumed == 2
    with pytest.raises(BrokenBody):
        envelope(twice)
