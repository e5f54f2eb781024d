"""Channels to peers: each call gets a deadline, and carries on who asked and under which trace."""

from collections.abc import Callable
from typing import Any, Self

import grpc
import grpc.aio

from services.chassis.rpc import call as calls

DEFAULT_TIMEOUT_SECONDS = 30.0
OWN_SHARE_SECONDS = 0.05
"""What each hop keeps of an inherited deadline for its own answer."""

_MAX_ANSWER_BYTES = 32 << 20
_OPTIONS: list[tuple[str, int | str]] = [
    # A dead peer is noticed in 13 s and a frozen one, whose kernel still acknowledges, as well.
    ("grpc.keepalive_time_ms", 10_000),
    ("grpc.keepalive_timeout_ms", 3_000),
    ("grpc.http2.ping_timeout_ms", 3_000),
    # A peer that comes back is found within seconds; each attempt ends after three.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 3_000),
    ("grpc.max_reconnect_backoff_ms", 3_000),
    # Only we know which calls may be repeated, and with which request id.
    ("grpc.enable_retries", 0),
    ("grpc.service_config", '{"loadBalancingConfig": [{"round_robin": {}}]}'),
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.max_receive_message_length", _MAX_ANSWER_BYTES),
    ("grpc.max_metadata_size", 16_384),
    ("grpc.absolute_max_metadata_size", 32_768),
]


def create_channel(target: str, *, caller: str) -> grpc.aio.Channel:
    """Open a channel that fills in deadline, caller and trace on every call.

    A unary call gets its own timeout, else 30 s; a stream its own, else none. Neither outlives
    the call it is made for, less 50 ms. ``x-caller`` is who asked first, else ``caller``.

    The calls are wrapped here and not by client interceptors, because those cost a task per
    call and lose a stream's cancellation; and no service config sets the timeout, because
    the library fires it early.

    Source: grpc/grpc#40633.
    """
    return PassingChannel(grpc.aio.insecure_channel(target, options=_OPTIONS), caller)


class PassingChannel(grpc.aio.Channel):
    """A channel whose calls pass on what the current call brought."""

    def __init__(self, channel: grpc.aio.Channel, caller: str) -> None:
        self._channel = channel
        self._caller = caller

    def unary_unary(self, *args: Any, **kwargs: Any) -> Any:
        """Give a method of one request and one answer."""
        return self._passing(self._channel.unary_unary(*args, **kwargs), DEFAULT_TIMEOUT_SECONDS)

    def unary_stream(self, *args: Any, **kwargs: Any) -> Any:
        """Give a method of one request and many answers."""
        return self._passing(self._channel.unary_stream(*args, **kwargs), None)

    def stream_unary(self, *args: Any, **kwargs: Any) -> Any:
        """Give a method of many requests and one answer."""
        return self._passing(self._channel.stream_unary(*args, **kwargs), DEFAULT_TIMEOUT_SECONDS)

    def stream_stream(self, *args: Any, **kwargs: Any) -> Any:
        """Give a method of many requests and many answers."""
        return self._passing(self._channel.stream_stream(*args, **kwargs), None)

    def get_state(self, try_to_connect: bool = False) -> grpc.ChannelConnectivity:  # noqa: FBT001, FBT002 - grpc's signature
        """Tell whether the channel is connected."""
        return self._channel.get_state(try_to_connect)

    async def wait_for_state_change(self, last_observed_state: grpc.ChannelConnectivity) -> None:
        """Wait until the channel leaves a state."""
        await self._channel.wait_for_state_change(last_observed_state)

    async def channel_ready(self) -> None:
        """Wait until the channel is connected."""
        await self._channel.channel_ready()

    async def close(self, grace: float | None = None) -> None:
        """Close, after running calls had ``grace`` seconds."""
        await self._channel.close(grace)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def _passing(self, method: Callable[..., Any], default: float | None) -> Callable[..., Any]:
        def begin(
            request: Any = None, *, timeout: float | None = None, metadata: Any = None, **rest: Any
        ) -> Any:
            call = calls.current_call()
            own = default if timeout is None else timeout
            return method(
                request,
                timeout=_shorter(own, call.remaining()),
                metadata=(*(metadata or ()), *self._attached(call)),
                **rest,
            )

        return begin

    def _attached(self, call: calls.Call) -> tuple[tuple[str, str], ...]:
        inherited = call.caller if call.caller != calls.ANONYMOUS else ""
        pairs = (
            (calls.CALLER_HEADER, inherited or self._caller),
            (calls.REQUEST_ID_HEADER, call.request_id),
            (calls.TRACE_HEADER, call.traceparent or calls.next_hop("")),
        )
        return tuple((key, value) for key, value in pairs if value)


def _shorter(own: float | None, inherited: float | None) -> float | None:
    if inherited is None:
        return own
    left = max(0.0, inherited - OWN_SHARE_SECONDS)
    return left if own is None else min(own, left)
