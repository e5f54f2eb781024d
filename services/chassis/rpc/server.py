"""Builds the server of a service: limits, the border, health, reflection and channelz."""

from collections.abc import Sequence

import grpc
import grpc.aio
from google.protobuf import descriptor_pool
from grpc_channelz.v1 import channelz
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1._async import HealthServicer
from grpc_reflection.v1alpha import reflection
from grpc_reflection.v1alpha import reflection_pb2 as reflection_pb
from grpc_reflection.v1alpha._async import ReflectionServicer

from services.chassis.rpc.border import Border
from services.chassis.settings import ServiceSettings

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING

REFLECTION_V1 = "grpc.reflection.v1.ServerReflection"
_MAX_METADATA_BYTES = 8192
_RECEIVED_TIMES = 4
_MINUTE_MS = 60_000


class AddressTakenError(Exception):
    """Another process listens on the address already."""


def create_border(settings: ServiceSettings, service: str) -> Border:
    """Build the interceptor with the limits of ``settings``."""
    return Border(
        service,
        max_concurrent_rpcs=settings.max_concurrent_rpcs,
        max_request_bytes=settings.max_request_bytes,
    )


def create_server(
    settings: ServiceSettings, service: str, *, border: Border | None = None
) -> grpc.aio.Server:
    """Build a server on which nothing is registered yet.

    Args:
        settings: Its limits.
        service: The error domain's first part, as in ``budget``.
        border: Its interceptor, for who wants to end its watches at stop.
    """
    limit = settings.max_concurrent_rpcs
    return grpc.aio.server(
        interceptors=[border or create_border(settings, service)],
        options=_options(settings),
        # The border refuses earlier and with advice; this is the guard behind it, and leaves
        # room for health and reflection when every other place is taken.
        maximum_concurrent_rpcs=2 * limit + 100,
    )


def listen(server: grpc.aio.Server, host: str, port: int) -> int:
    """Take the address and return its port, the chosen one when ``port`` is 0.

    Raises:
        AddressTakenError: Somebody has it, or it is no address of this machine.
    """
    try:
        return server.add_insecure_port(address(host, port))
    except RuntimeError as error:
        raise AddressTakenError(f"{host}:{port}") from error


def address(host: str, port: int) -> str:
    """Join the two; an IPv6 address needs its brackets."""
    return f"[{host}]:{port}" if ":" in host and not host.startswith("[") else f"{host}:{port}"


async def enable_health(server: grpc.aio.Server, full_names: Sequence[str]) -> HealthServicer:
    """Add the health service; everything is NOT_SERVING until `serving` says otherwise."""
    health = HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(health, server)
    for name in ("", *full_names):
        await health.set(name, NOT_SERVING)
    return health


async def serving(health: HealthServicer, full_names: Sequence[str]) -> None:
    """Report the process and each of its services as SERVING."""
    for name in ("", *full_names):
        await health.set(name, SERVING)


def enable_reflection(server: grpc.aio.Server, full_names: Sequence[str]) -> None:
    """Answer both versions of server reflection; grpcio itself brings only the older one."""
    health_name = health_pb2.DESCRIPTOR.services_by_name["Health"].full_name
    names = (*full_names, health_name, reflection.SERVICE_NAME, REFLECTION_V1)
    reflection.enable_server_reflection(names, server)
    servicer = ReflectionServicer(names, pool=descriptor_pool.Default())
    handler = grpc.stream_stream_rpc_method_handler(
        servicer.ServerReflectionInfo,
        request_deserializer=reflection_pb.ServerReflectionRequest.FromString,
        response_serializer=reflection_pb.ServerReflectionResponse.SerializeToString,
    )
    server.add_generic_rpc_handlers(
        [grpc.method_handlers_generic_handler(REFLECTION_V1, {"ServerReflectionInfo": handler})]
    )


def enable_channelz(server: grpc.aio.Server) -> None:
    """Let operators look at connections and calls."""
    channelz.add_channelz_servicer(server)


def _options(settings: ServiceSettings) -> list[tuple[str, int]]:
    return [
        # A second process on the same port must fail, not silently take half of the calls.
        ("grpc.so_reuseport", 0),
        # Requests that are too large get this far, so that their refusal names the field.
        ("grpc.max_receive_message_length", _RECEIVED_TIMES * settings.max_request_bytes),
        ("grpc.max_metadata_size", _MAX_METADATA_BYTES),
        ("grpc.absolute_max_metadata_size", 2 * _MAX_METADATA_BYTES),
        ("grpc.max_concurrent_streams", 512),
        ("grpc.keepalive_time_ms", _MINUTE_MS),
        ("grpc.keepalive_timeout_ms", 10_000),
        # Our own clients ping every 10 s; without this they would be sent away for it.
        ("grpc.http2.min_ping_interval_without_data_ms", 5_000),
        # Now and then clients reconnect, and so find replicas that came later.
        ("grpc.max_connection_age_ms", 30 * _MINUTE_MS),
        ("grpc.max_connection_age_grace_ms", _MINUTE_MS),
    ]
