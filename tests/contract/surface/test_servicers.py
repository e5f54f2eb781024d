"""Each servicer answers what its contract says, and what it does not answer yet it says plainly."""

import importlib
import importlib.util
import inspect
from types import ModuleType
from typing import Any

import grpc.aio
import protovalidate
import pytest
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message_factory import GetMessageClass

from services.chassis.errors import Kind
from tests.contract.surface import contracts, minimal
from tests.support import refusal, serve

pytestmark = pytest.mark.anyio


def generated(service: str) -> ModuleType:
    """The generated module with the base of a servicer and the stub."""
    return importlib.import_module(f"arbitragevault.{service}.v1.{service}_pb2_grpc")


def base(service: str) -> type[Any]:
    """The generated servicer, which answers nothing."""
    found: type[Any] = getattr(generated(service), f"{contracts.SERVICES[service]}Servicer")
    return found


def servicer(service: str) -> type[Any]:
    """The service's own servicer; the generated one while it has none."""
    name = f"services.{service}.api.servicer"
    if importlib.util.find_spec(f"services.{service}.api") is None:
        return base(service)
    if importlib.util.find_spec(name) is None:
        return base(service)
    parent = base(service)
    own = [
        thing
        for thing in vars(importlib.import_module(name)).values()
        if inspect.isclass(thing) and issubclass(thing, parent) and thing is not parent
    ]
    assert len(own) == 1, f"{name} has {len(own)} servicers"
    return own[0]


def answered(service: str) -> dict[str, Any]:
    """The RPC methods that a servicer has of its own, by name."""
    parent = base(service)
    own = servicer(service)
    public = {name for name in dir(own) if name[0].isupper()}
    return {
        name: getattr(own, name)
        for name in public
        if getattr(own, name) is not getattr(parent, name, None)
    }


@pytest.mark.parametrize("service", contracts.SERVICES)
def test_a_servicer_answers_only_what_is_in_the_contract(service: str) -> None:
    """A misspelt method would never be called, and its RPC would stay unanswered."""
    known = {method.name for method in contracts.service(service).methods}

    assert set(answered(service)) - known == set()


@pytest.mark.parametrize("service", contracts.SERVICES)
def test_streams_are_streams_and_single_answers_are_single(service: str) -> None:
    """The wrong kind of method fails only when somebody calls it."""
    streaming = {
        method.name: method.server_streaming for method in contracts.service(service).methods
    }
    wrong = [
        name
        for name, method in answered(service).items()
        if inspect.isasyncgenfunction(method) != streaming[name]
        or inspect.iscoroutinefunction(method) == streaming[name]
    ]

    assert wrong == []


@pytest.mark.parametrize("service", contracts.SERVICES)
def test_the_smallest_request_passes_its_own_rules(service: str) -> None:
    """Rules that no request can meet would close an RPC for everybody."""
    for method in contracts.service(service).methods:
        protovalidate.validate(minimal.request(method.input_type))


@pytest.mark.parametrize("service", contracts.SERVICES)
async def test_an_rpc_without_an_answer_yet_says_so_and_nothing_else(service: str) -> None:
    """A client must tell "not in this version" from "broken", and must not wait for it."""
    own = servicer(service)
    add = getattr(generated(service), f"add_{contracts.SERVICES[service]}Servicer_to_server")
    full_name = contracts.service(service).full_name

    def register(server: grpc.aio.Server) -> None:
        # Unanswered methods are the generated ones, which need nothing that __init__ gives.
        add(object.__new__(own), server)

    async with serve(register, service=service, full_names=[full_name]) as served:
        for method in contracts.service(service).methods:
            if method.name not in answered(service):
                refused = await refusal(_call(served.channel, method))

                assert refused.kind is Kind.UNIMPLEMENTED, method.name
                assert refused.reason == "UNIMPLEMENTED"
                assert refused.domain == f"{service}.arbitragevault"
                assert (dict(refused.facts), refused.retry_after) == ({}, None)


def _call(channel: grpc.aio.Channel, method: MethodDescriptor) -> Any:
    kind = channel.unary_stream if method.server_streaming else channel.unary_unary
    request = minimal.request(method.input_type)
    call = kind(
        f"/{method.containing_service.full_name}/{method.name}",
        request_serializer=type(request).SerializeToString,
        response_deserializer=GetMessageClass(method.output_type).FromString,
    )
    return call(request)
