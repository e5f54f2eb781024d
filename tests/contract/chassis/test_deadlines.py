"""Deadlines, and what a call carries from one service to the next."""

import asyncio
import time
from collections.abc import Callable
from typing import Any

import grpc
import pytest

from services.chassis.errors import Kind
from services.chassis.rpc import border, call, client
from services.chassis.rpc.call import Call, working_for
from services.chassis.rpc.status import UPSTREAM_UNAVAILABLE
from tests.support import refusal

pytestmark = pytest.mark.anyio

Ask = Callable[..., Any]
TRIES = 5
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.mark.parametrize("method", ["One", "Many", "Written", "Gathered", "Both"])
async def test_a_call_with_too_little_time_is_refused_before_anything_is_done(
    ask: Ask, plain: grpc.aio.Channel, method: str
) -> None:
    """Work for a caller who cannot wait for it is spent for nobody (S13)."""
    for _ in range(TRIES):
        refused = await refusal(ask(method, "bug", channel=plain, timeout=0.08))
        # grpc's client says INTERNAL of its own when a call ends while it still sends.
        if refused.reason != UPSTREAM_UNAVAILABLE:
            break

    assert refused.kind is Kind.DEADLINE_EXCEEDED
    # On a busy machine the caller's own clock may strike first; then nothing was done either.
    assert refused.reason in ("DEADLINE_TOO_SHORT", "DEADLINE_EXCEEDED")


async def test_a_short_deadline_says_how_short(ask: Ask) -> None:
    """The caller learns what would have been enough."""
    refused = await refusal(ask("One", "", timeout=0.09))

    if refused.reason == "DEADLINE_TOO_SHORT":
        assert refused.facts["least_ms"] == 100
        assert int(refused.facts["remaining_ms"]) < 100


async def test_a_unary_call_without_a_deadline_gets_one(
    ask: Ask, plain: grpc.aio.Channel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A person with grpcurl sets none, and must not hold a place for ever."""
    monkeypatch.setattr(border, "DEFAULT_DEADLINE_SECONDS", 0.2)

    refused = await refusal(ask("One", "sleep", channel=plain))

    assert (refused.kind, refused.reason) == (Kind.DEADLINE_EXCEEDED, "DEADLINE_EXCEEDED")
    assert refused.domain == "budget.arbitragevault"


async def test_a_stream_without_a_deadline_gets_none(
    ask: Ask, plain: grpc.aio.Channel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A watch may last for days."""
    monkeypatch.setattr(border, "DEFAULT_DEADLINE_SECONDS", 0.1)
    stream = ask("Many", "sleep", channel=plain)

    assert (await stream.read()).value == "first"
    reading = asyncio.ensure_future(stream.read())
    _, pending = await asyncio.wait([reading], timeout=0.4)

    assert pending
    stream.cancel()
    await asyncio.wait([reading])


async def test_the_caller_of_a_timed_out_stream_sees_the_deadline(ask: Ask) -> None:
    """Grpc ends the handler; the answer must still be DEADLINE_EXCEEDED and no bug."""
    assert (await refusal(ask("Many", "sleep", timeout=1))).reason == "DEADLINE_EXCEEDED"


async def test_each_hop_keeps_fifty_milliseconds_of_an_inherited_deadline(ask: Ask) -> None:
    """The one in front needs time for its own answer."""
    with working_for(Call(caller="console", deadline=time.monotonic() + 9.9)):
        answer = await ask("One", "")

    assert 0 < float(answer.value.split()[3]) < 9.88  # The wire rounds up to 10 ms.


async def test_a_calls_own_timeout_wins_when_it_is_shorter(ask: Ask) -> None:
    """Inheriting a deadline never lengthens a call."""
    with working_for(Call(deadline=time.monotonic() + 50)):
        answer = await ask("One", "", timeout=9)

    assert float(answer.value.split()[3]) < 9.1


async def test_a_unary_call_of_ours_always_has_a_deadline(ask: Ask) -> None:
    """Without one a lost answer would be waited for until the process ends."""
    began = time.monotonic()

    answer = await ask("One", "")

    took, usual = time.monotonic() - began, client.DEFAULT_TIMEOUT_SECONDS
    assert usual - took - 0.1 < float(answer.value.split()[3]) < usual + 0.1


async def test_who_asked_first_is_told_to_the_last(ask: Ask) -> None:
    """Fairness by caller works only if the gateway does not appear as everybody."""
    with working_for(Call(caller="console", request_id="r-1", traceparent=TRACE)):
        caller, request_id, trace, _ = (await ask("One", "")).value.split()

    assert (caller, request_id) == ("console", "r-1")
    assert trace[:35] == TRACE[:35]
    assert trace[36:52] != TRACE[36:52]


async def test_a_call_of_nobodys_is_the_services_own(ask: Ask) -> None:
    """A sweeper works for no caller; the service itself is then the one who asks."""
    assert (await ask("One", "")).value.split()[0] == "test"


async def test_a_stranger_is_anonymous_and_gets_a_request_id(
    ask: Ask, plain: grpc.aio.Channel
) -> None:
    """Log lines of one request can be joined even when its sender sent no id."""
    caller, request_id, _, remaining = (await ask("One", "", channel=plain)).value.split()

    assert caller == call.ANONYMOUS
    assert len(request_id) == 36
    assert remaining == "None"


async def test_names_from_outside_are_cut_to_harmless_ones(
    ask: Ask, plain: grpc.aio.Channel
) -> None:
    """They end up in log lines and in the ledger."""
    metadata = (("x-caller", "a b\"{'" + "x" * 100), ("traceparent", "nonsense"))

    caller, _, trace, _ = (await ask("One", "", channel=plain, metadata=metadata)).value.split()

    assert caller == "a_b___" + "x" * 58
    assert len(trace) == 55
