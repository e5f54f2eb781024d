"""Answers that are put together from stored bytes are the messages that protobuf would write."""

from datetime import UTC, datetime, timedelta

import msgspec
from arbitragevault.keepa_gateway.v1 import keepa_gateway_pb2 as pb
from hypothesis import given, settings
from hypothesis import strategies as st

from services.keepa_gateway.api import responses_products
from services.keepa_gateway.domain.answers import ProductAnswer, Status
from services.keepa_gateway.domain.products_request import ProductOptions
from services.keepa_gateway.domain.snapshot import Snapshot

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
LARGE = 300 << 10

instants = st.datetimes(datetime(2011, 1, 1), datetime(2037, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - the strategy adds it
products = st.builds(
    pb.Product,
    asin=st.text(max_size=10),
    title=st.text(max_size=300),
    root_category_id=st.integers(0, 2**40),
    series=st.lists(
        st.builds(
            pb.Series,
            name=st.text(max_size=5),
            times=st.lists(st.integers(-(2**63), 2**63 - 1), max_size=3),
        ),
        max_size=2,
    ),
)
snapshots = st.builds(
    Snapshot,
    domain=st.just(1),
    asin=st.just("0593655036"),
    options=st.just(ProductOptions()),
    # Some are of one call, which came at one instant.
    fetched_at=st.sampled_from([NOW - timedelta(hours=2), NOW + timedelta(seconds=1)]) | instants,
    known=st.booleans(),
    product=products.map(pb.Product.SerializeToString),
    raw=st.binary(max_size=300),
)
answers = st.builds(
    ProductAnswer,
    requested=st.text(max_size=14),
    status=st.sampled_from(Status),
    snapshot=st.none() | snapshots,
    tokens=st.integers(0, 2) | st.integers(0, 2**40),
    unsettled=st.integers(0, 2),
    reason=st.sampled_from(["", "THROTTLED"]),
    retry_after=st.none() | st.timedeltas(timedelta(0), timedelta(days=2)),
)


def plainly(answer: ProductAnswer, *, with_raw: bool) -> pb.ProductResult:
    """The result as protobuf itself builds it: parsed, set field by field."""
    built = responses_products.product_result(answer, NOW)
    built.requested = answer.requested
    if answer.snapshot is not None and answer.snapshot.known:
        built.product.CopyFrom(pb.Product.FromString(answer.snapshot.product))
        built.raw_json = answer.snapshot.raw if with_raw else b""
    return built


@settings(max_examples=50)
@given(given_answers=st.lists(answers, max_size=12), with_raw=st.booleans())
def test_put_together_is_what_protobuf_would_write(
    given_answers: list[ProductAnswer], *, with_raw: bool
) -> None:
    sent = list(responses_products.messages(given_answers, NOW, with_raw=with_raw))

    read = [one for each in sent for one in pb.GetProductsResponse.FromString(each).results]
    assert read == [plainly(one, with_raw=with_raw) for one in given_answers]


def test_answers_that_differ_in_one_thing_stay_apart() -> None:
    """What several have in common is serialised once."""
    one = stored(10)
    snapshot = msgspec.structs.replace(one.snapshot, fetched_at=NOW - timedelta(days=1))
    others = [
        msgspec.structs.replace(one, **{name: value})
        for name, value in {
            "requested": "0306406152",
            "status": Status.STALE,
            "tokens": 1,
            "unsettled": 1,
            "reason": "THROTTLED",
            "retry_after": timedelta(seconds=1),
            "snapshot": snapshot,
        }.items()
    ]

    (sent,) = responses_products.messages([one, *others], NOW, with_raw=False)

    read = list(pb.GetProductsResponse.FromString(sent).results)
    assert read == [plainly(each, with_raw=False) for each in (one, *others)]


@given(st.integers(1, 300) | st.integers(1, 2**63 - 1))
def test_a_length_is_written_as_protobuf_writes_it(length: int) -> None:
    tag = responses_products.varint(pb.ProductResult.TOKEN_COUNT_FIELD_NUMBER << 3)

    assert (
        tag + responses_products.varint(length)
        == pb.ProductResult(token_count=length).SerializeToString()
    )


def stored(size: int) -> ProductAnswer:
    """A product whose message has some size."""
    title = pb.Product(title="x" * size).SerializeToString()
    return ProductAnswer(
        requested="0593655036",
        status=Status.CACHED,
        snapshot=Snapshot(
            domain=1, asin="0593655036", options=ProductOptions(), fetched_at=NOW, known=True,
            product=title,
        ),
    )  # fmt: skip


def test_small_products_come_together() -> None:
    """A message each would cost more than all that is in them."""
    (sent,) = responses_products.messages([stored(1000)] * 100, NOW, with_raw=False)

    assert len(pb.GetProductsResponse.FromString(sent).results) == 100


@settings(max_examples=20)
@given(
    st.lists(
        st.sampled_from(
            [0, LARGE, responses_products.MOST_BYTES, 2 * responses_products.MOST_BYTES]
        ),
        max_size=8,
    )
)
def test_a_message_keeps_its_bounds(sizes: list[int]) -> None:
    """What a reader must hold at once does not depend on how much was asked for."""
    many = [*map(stored, sizes), *[stored(0)] * (2 * responses_products.MOST_RESULTS)]

    sent = list(responses_products.messages(many, NOW, with_raw=False))

    read = [pb.GetProductsResponse.FromString(each).results for each in sent]
    assert sum(map(len, read)) == len(many)
    for message, results in zip(sent, read, strict=True):
        assert 1 <= len(results) <= responses_products.MOST_RESULTS
        assert len(message) <= responses_products.MOST_BYTES or len(results) == 1


def test_the_bound_of_a_message_holds_to_the_byte() -> None:
    """Two products of half a message each, a little less or more."""
    for less in range(80):
        half = stored(responses_products.MOST_BYTES // 2 - less)

        sent = [
            len(each) for each in responses_products.messages([half, half], NOW, with_raw=False)
        ]

        assert len(sent) == (1 if sum(sent) <= responses_products.MOST_BYTES else 2)


def test_nothing_is_no_message() -> None:
    assert list(responses_products.messages([], NOW, with_raw=False)) == []
