"""What stands on every port beside the service itself, and what guards it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import grpc
import pytest
from arbitragevault.budget.v1 import budget_pb2, budget_pb2_grpc
from google.protobuf import descriptor_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2 as reflection_pb

from services.chassis.rpc import server as servers
from services.chassis.rpc.client import create_channel
from services.chassis.testing.refused import finished
from tests.contract.chassis.conftest import NAME, Text, register
from tests.support import Served, refusal, serve, settings

pytestmark = pytest.mark.anyio

Ask = Callable[..., Any]
BUDGET = budget_pb2.DESCRIPTOR.services_by_name["BudgetService"].full_name
LARGE = 1_000_000  # Bytes, more than goes out before they are read.
REFLECTIONS = ["grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflection"]


def _reflect(channel: grpc.aio.Channel, service: str, *requests: Any) -> Any:
    method = channel.stream_stream(
        f"/{service}/ServerReflectionInfo",
        request_serializer=reflection_pb.ServerReflectionRequest.SerializeToString,
        response_deserializer=reflection_pb.ServerReflectionResponse.FromString,
    )
    return method(iter(requests))


@pytest.mark.parametrize("version", REFLECTIONS)
async def test_both_versions_of_reflection_tell_the_services(echo: Served, version: str) -> None:
    """Grpcurl asks for v1 first, older tools only for v1alpha."""
    request = reflection_pb.ServerReflectionRequest(list_services="")

    (answer,) = await finished(_reflect(echo.channel, version, request))

    names = {service.name for service in answer.list_services_response.service}
    assert names == {NAME, "grpc.health.v1.Health", *REFLECTIONS}


@pytest.mark.parametrize("version", REFLECTIONS)
async def test_reflection_describes_our_contracts_with_all_they_import(version: str) -> None:
    """``grpcurl describe`` needs the files of every import, google's and buf's as well."""
    asked = [reflection_pb.ServerReflectionRequest(file_containing_symbol=BUDGET)]
    async with serve(lambda _: None, service="budget", full_names=[BUDGET]) as served:
        (answer,) = await finished(_reflect(served.channel, version, *asked))

    found = [
        descriptor_pb2.FileDescriptorProto.FromString(data).name
        for data in answer.file_descriptor_response.file_descriptor_proto
    ]
    assert "arbitragevault/budget/v1/budget.proto" in found


async def test_health_answers_for_the_process_and_for_each_service(echo: Served) -> None:
    """Balancers ask for "", meshes for the full name."""
    stub = health_pb2_grpc.HealthStub(echo.channel)

    for name in ("", NAME):
        answer = await stub.Check(health_pb2.HealthCheckRequest(service=name))
        assert answer.status == servers.SERVING
    assert (await refusal(stub.Check(health_pb2.HealthCheckRequest(service="x")))).reason == (
        "NOT_FOUND"
    )


async def test_a_full_server_refuses_with_advice_and_still_tells_its_health() -> None:
    """A balancer that gets no answer would take the busiest replica away."""
    limits = settings(max_concurrent_rpcs=2)
    async with serve(register, service="budget", limits=limits) as served:
        echo = served.channel.unary_unary(
            f"/{NAME}/One", request_serializer=bytes, response_deserializer=bytes
        )
        busy = [asyncio.ensure_future(echo(b"\n\x05sleep")) for _ in range(2)]
        await _taken(served, 2)

        refused = await refusal(echo(b""))
        health = health_pb2_grpc.HealthStub(served.channel)
        answer = await health.Check(health_pb2.HealthCheckRequest())

        assert refused.reason == "OVERLOADED"
        assert refused.facts == {"limit": 2}
        assert refused.retry_after is not None
        assert answer.status == servers.SERVING
        for call in busy:
            call.cancel()
        await asyncio.wait(busy)


async def test_a_place_is_free_again_when_its_call_ended() -> None:
    """However it ended: with an answer, a refusal, a bug, or its caller gone."""
    async with serve(register, service="budget", limits=settings(max_concurrent_rpcs=1)) as served:
        echo = served.channel.unary_unary(
            f"/{NAME}/One", request_serializer=bytes, response_deserializer=bytes
        )
        for word in (b"", b"\n\x03bug", b"\n\x06refuse", b"\n\x05abort"):
            await asyncio.gather(echo(word), return_exceptions=True)
        await _taken(served, 0)  # The last of them has answered, and may hold its place still.
        left = asyncio.ensure_future(echo(b"\n\x05sleep"))
        await _taken(served, 1)
        left.cancel()
        await asyncio.wait([left])
        await _taken(served, 0)

        await echo(b"")


async def _taken(served: Served, number: int) -> None:
    """Wait until so many unary calls have a place."""
    async with asyncio.timeout(20):
        while served.border._places._taken[False] != number:  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def test_a_request_over_the_limit_is_refused(ask: Ask) -> None:
    """A request of hundreds of megabytes must not reach the memory of the service."""
    large = await refusal(ask("One", "x" * 2_000_000))
    huge = await refusal(ask("One", "x" * 5_000_000))

    assert large.reason == "INVALID_FIELD"
    assert [violation.field for violation in large.violations] == ["value"]
    assert huge.reason == "RESOURCE_EXHAUSTED"


async def test_two_servers_never_share_a_port(echo: Served) -> None:
    """Grpc's default lets a second process silently take half of the calls."""
    second = servers.create_server(settings(), "budget")
    port = int(echo.address.rpartition(":")[2])

    with pytest.raises(servers.AddressTakenError):
        servers.listen(second, "127.0.0.1", port)


async def test_watches_end_at_once_when_the_server_stops(ask: Ask, echo: Served) -> None:
    """A stop that waits for a stream without an end waits its whole grace."""
    watch = ask("WatchMany", "sleep")
    assert (await watch.read()).value == "first"
    health = health_pb2_grpc.HealthStub(echo.channel).Watch(health_pb2.HealthCheckRequest())
    await health.read()

    echo.border.watches.end()

    refused = await refusal(watch.read())
    assert refused.reason == "SERVER_STOPPING"
    assert refused.retry_after is not None
    assert (await refusal(health.read())).reason == "SERVER_STOPPING"


@pytest.mark.parametrize("kind", ["yielded", "written"])
async def test_a_watch_is_told_that_it_ended_also_in_the_middle_of_a_message(kind: str) -> None:
    """Else a reader that is slow to take what it is told hears nothing any more, for ever."""
    begun = asyncio.Event()
    large = Text(value="x" * LARGE)

    async def yielded(request: Any, context: Any) -> AsyncIterator[Any]:
        while True:
            begun.set()
            yield large

    async def written(request: Any, context: Any) -> None:
        while True:
            begun.set()
            await context.write(large)

    def watched(server: grpc.aio.Server) -> None:
        method = grpc.unary_stream_rpc_method_handler(
            yielded if kind == "yielded" else written,
            request_deserializer=Text.FromString,
            response_serializer=Text.SerializeToString,
        )
        server.add_generic_rpc_handlers(
            [grpc.method_handlers_generic_handler(NAME, {"WatchMany": method})]
        )

    async with serve(watched, service="budget", full_names=[NAME]) as served:
        watch = served.channel.unary_stream(
            f"/{NAME}/WatchMany", request_serializer=bytes, response_deserializer=Text.FromString
        )(b"")
        await begun.wait()
        for _ in range(10):  # Turns of the loop: nobody reads, so it is on its way and not there.
            await asyncio.sleep(0)

        served.border.watches.end()

        async with asyncio.timeout(20):
            assert (await refusal(watch)).reason == "SERVER_STOPPING"


async def test_a_channel_finds_a_server_that_came_back() -> None:
    """Services start in any order, and again."""
    async with serve(register, service="budget") as first:
        address = first.address
        async with create_channel(address, caller="test") as channel:
            echo = channel.unary_unary(
                f"/{NAME}/One", request_serializer=bytes, response_deserializer=bytes
            )
            await echo(b"")
            await first.server.stop(None)
            assert (await refusal(echo(b""))).reason == "UPSTREAM_UNAVAILABLE"

            again = servers.create_server(settings(), "budget")
            register(again)
            servers.listen(again, "127.0.0.1", int(address.rpartition(":")[2]))
            await again.start()
            async with asyncio.timeout(40):
                while True:
                    outcome = await asyncio.gather(echo(b""), return_exceptions=True)
                    if not isinstance(outcome[0], BaseException):
                        break
                    await asyncio.sleep(0.05)
            await again.stop(None)


class _Budget(budget_pb2_grpc.BudgetServiceServicer):
    """The generated base: every method is in the contract and none is written."""


@pytest.fixture
def budget_register() -> Callable[[grpc.aio.Server], None]:
    return lambda server: budget_pb2_grpc.add_BudgetServiceServicer_to_server(_Budget(), server)


async def test_every_field_that_breaks_its_annotation_is_named(
    budget_register: Callable[[grpc.aio.Server], None],
) -> None:
    """A caller mends all of its mistakes at once."""
    async with serve(budget_register, service="budget", full_names=[BUDGET]) as served:
        stub = budget_pb2_grpc.BudgetServiceStub(served.channel)
        refused = await refusal(
            stub.ReserveTokens(budget_pb2.ReserveTokensRequest(request_id="x", token_count=-1))
        )

    assert refused.reason == "INVALID_FIELD"
    assert {violation.field for violation in refused.violations} >= {"request_id", "token_count"}
    assert all(violation.description for violation in refused.violations)


async def test_fields_inside_lists_are_named_with_their_place(
    budget_register: Callable[[grpc.aio.Server], None],
) -> None:
    """Of a hundred items the caller must find the one at fault."""
    async with serve(budget_register, service="budget", full_names=[BUDGET]) as served:
        stub = budget_pb2_grpc.BudgetServiceStub(served.channel)
        request = budget_pb2.BatchReserveTokensRequest()
        request.requests.add()
        request.requests.add(token_count=-1)
        refused = await refusal(stub.BatchReserveTokens(request))

    fields = {violation.field for violation in refused.violations}
    assert "requests[1].token_count" in fields
