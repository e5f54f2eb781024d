"""What a caller sees of everything that can go wrong, over a real connection."""

from collections.abc import Callable
from typing import Any

import grpc
import pytest
from google.rpc import error_details_pb2, status_pb2

from services.chassis.errors import FieldViolation, Kind, Refusal, invalid_field
from services.chassis.rpc import status
from services.chassis.testing.refused import finished
from tests.support import refusal

pytestmark = pytest.mark.anyio

Ask = Callable[..., Any]
EVERY_KIND = ["One", "Many", "Written", "Gathered", "Both"]


async def _failure(call: Any) -> grpc.aio.AioRpcError:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await finished(call)
    return caught.value


def _details(error: grpc.aio.AioRpcError) -> status_pb2.Status:
    packed = dict(error.trailing_metadata() or ())["grpc-status-details-bin"]
    return status_pb2.Status.FromString(packed)


@pytest.mark.parametrize("method", EVERY_KIND)
async def test_a_bug_tells_its_caller_an_id_and_nothing_else(
    ask: Ask, method: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The text of an exception holds keys and addresses; only the log may have it (G7)."""
    error = await _failure(ask(method, "bug"))

    assert error.code() is grpc.StatusCode.INTERNAL
    info = error_details_pb2.ErrorInfo()
    assert _details(error).details[0].Unpack(info)
    assert (info.reason, info.domain) == ("INTERNAL", "budget.arbitragevault")
    assert list(info.metadata) == ["error_id"]
    assert "CANARY" not in str(error)
    assert info.metadata["error_id"] in (error.details() or "")


@pytest.mark.parametrize("method", EVERY_KIND)
async def test_a_refusal_reaches_its_caller_whole(ask: Ask, method: str) -> None:
    """Reason, numbers and exact wait are what a caller acts on."""
    refused = await refusal(ask(method, "refuse"))

    assert refused.kind is Kind.RESOURCE_EXHAUSTED
    assert refused.reason == "INSUFFICIENT_TOKENS"
    assert refused.domain == "budget.arbitragevault"
    assert refused.facts == {"balance": 3, "required": 15, "deficit": 12}
    assert refused.retry_after is not None
    assert refused.retry_after.total_seconds() == 61.2


async def test_the_trailers_say_balance_required_and_whole_seconds(ask: Ask) -> None:
    """Through the proxy they become headers; a wait is rounded up, never down."""
    trailers = dict((await _failure(ask("One", "refuse"))).trailing_metadata() or ())

    assert trailers["x-token-balance"] == "3"
    assert trailers["x-token-required"] == "15"
    assert trailers["retry-after"] == "62"


async def test_a_quota_refusal_carries_each_detail_once(ask: Ask) -> None:
    """Clients look details up by type, so a second ErrorInfo would be ambiguous."""
    built = _details(await _failure(ask("One", "refuse")))

    kinds = [detail.type_url.rpartition(".")[2] for detail in built.details]
    assert kinds == ["ErrorInfo", "RetryInfo", "QuotaFailure"]


@pytest.mark.parametrize("method", EVERY_KIND)
async def test_bytes_that_are_no_message_are_the_callers_mistake(ask: Ask, method: str) -> None:
    """Grpc itself answers UNKNOWN with the decoder's text."""
    error = await _failure(ask(method, b"\xff\xff\xff\xff"))

    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert "StringValue" not in (error.details() or "")
    assert (await refusal(ask(method, b"\xff"))).reason == "INVALID_FIELD"


@pytest.mark.parametrize("method", ["Unwritten", "UnwrittenMany"])
async def test_a_method_nobody_wrote_yet_is_unimplemented(ask: Ask, method: str) -> None:
    """The contract is larger than the first release."""
    refused = await refusal(ask(method, ""))

    assert (refused.kind, refused.reason) == (Kind.UNIMPLEMENTED, "UNIMPLEMENTED")


async def test_a_servicers_own_abort_passes(ask: Ask) -> None:
    """``AbortError`` is an ``Exception``: a careless catch-all would turn it into INTERNAL."""
    error = await _failure(ask("One", "abort"))

    assert (error.code(), error.details()) == (grpc.StatusCode.DATA_LOSS, "on purpose")


async def test_an_answer_of_none_is_a_bug(ask: Ask) -> None:
    """Grpc would answer UNKNOWN with the serializer's text."""
    assert (await _failure(ask("One", "nothing"))).code() is grpc.StatusCode.INTERNAL


@pytest.mark.parametrize("kind", list(Kind))
def test_every_kind_survives_the_way_there_and_back(kind: Kind) -> None:
    """A refusal passed on through two services must not change its meaning."""
    sent = Refusal(
        kind,
        "SOME_REASON",
        "A sentence with 12 in it.",
        facts={"number": 12, "isbn": "0593655036", "text": "a b"},
        violations=[FieldViolation("a.b", "must be positive")],
        resource=("Reservation", "reservations/r1"),
        domain="keepa_gateway.arbitragevault",
    )
    built = status.status(sent, "discovery")
    error = grpc.aio.AioRpcError(
        status.code(kind),
        grpc.aio.Metadata(),
        grpc.aio.Metadata(*status.trailers(built, sent)),
        built.message,
    )

    got = status.refusal_from(error)

    for name in ("kind", "reason", "message", "facts", "violations", "resource", "domain"):
        assert getattr(got, name) == getattr(sent, name), name


@pytest.mark.parametrize(
    ("code", "kind", "reason"),
    [
        ("UNAVAILABLE", Kind.UNAVAILABLE, "UPSTREAM_UNAVAILABLE"),
        ("CANCELLED", Kind.UNAVAILABLE, "UPSTREAM_UNAVAILABLE"),
        ("INTERNAL", Kind.UNAVAILABLE, "UPSTREAM_UNAVAILABLE"),
        ("UNKNOWN", Kind.UNAVAILABLE, "UPSTREAM_UNAVAILABLE"),
        ("DATA_LOSS", Kind.UNAVAILABLE, "UPSTREAM_UNAVAILABLE"),
        ("DEADLINE_EXCEEDED", Kind.DEADLINE_EXCEEDED, "DEADLINE_EXCEEDED"),
        ("UNIMPLEMENTED", Kind.UNIMPLEMENTED, "UNIMPLEMENTED"),
        ("PERMISSION_DENIED", Kind.PERMISSION_DENIED, "PERMISSION_DENIED"),
        ("OUT_OF_RANGE", Kind.INVALID_ARGUMENT, "OUT_OF_RANGE"),
    ],
)
@pytest.mark.parametrize("damage", [(), (("grpc-status-details-bin", b"\xff\xff"),)])
def test_an_error_without_details_still_becomes_a_refusal(
    code: str, kind: Kind, reason: str, damage: tuple[tuple[str, bytes], ...]
) -> None:
    """A dead peer sends no details, and a strange proxy damaged ones."""
    error = grpc.aio.AioRpcError(
        grpc.StatusCode[code], grpc.aio.Metadata(), grpc.aio.Metadata(*damage), "text"
    )

    got = status.refusal_from(error)

    assert (got.kind, got.reason) == (kind, reason)


def test_however_many_fields_are_wrong_the_answer_fits_into_the_trailers() -> None:
    """Metadata over 8 KiB would reach the caller as RESOURCE_EXHAUSTED without any detail."""
    violations = [FieldViolation(f"items[{n}].tokens", "é" * 500) for n in range(5_000)]
    refused = Refusal(
        Kind.INVALID_ARGUMENT,
        "INVALID_FIELD",
        "ü" * 5_000,
        facts={f"fact{n}": "x" * 1_000 for n in range(5)},
        violations=violations,
    )

    built = status.status(refused, "budget")

    assert built.ByteSize() < 4_500
    request = error_details_pb2.BadRequest()
    assert built.details[-1].Unpack(request)
    last = request.field_violations[-1]
    assert last.description == f"and {5_001 - len(request.field_violations)} more violations"


def test_one_wrong_field_is_named_with_what_is_allowed() -> None:
    """The caller must find the field without reading our code."""
    refused = invalid_field("filter.min_price_cents", "must be at least 0")

    assert refused.kind is Kind.INVALID_ARGUMENT
    assert refused.violations == (FieldViolation("filter.min_price_cents", "must be at least 0"),)
