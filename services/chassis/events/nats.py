"""The broker: connections that never give up, streams that never forget, and a durability check."""

import asyncio
import json
import urllib.request
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from urllib.parse import urlsplit

import nats
from google.protobuf.message import Message
from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.js import JetStreamContext
from nats.js.api import (
    AckPolicy,
    ConsumerConfig,
    DeliverPolicy,
    DiscardPolicy,
    RetentionPolicy,
    StorageType,
    StreamConfig,
)
from nats.js.errors import BadRequestError, NotFoundError

from services.chassis import telemetry
from services.chassis.events.names import (
    durable_name,
    publisher_of,
    stream_name,
    stream_subjects,
    subject,
)
from services.chassis.preflight import StartError

DUPLICATE_WINDOW_SECONDS = 600.0
MAX_AGE_SECONDS = 30 * 24 * 3600.0

_DRAIN_SECONDS = 5.0
_log = telemetry.get_logger(__name__)


async def connect(nats_url: str, name: str, *, patience_seconds: float) -> Client:
    """Connect, waiting for a broker that is still starting; later losses are healed for ever.

    Args:
        nats_url: One URL, or several joined by commas.
        name: The service's; also the prefix of its inboxes, which its permissions name.
        patience_seconds: How long to wait for the first connection.

    Raises:
        StartError: The broker did not answer in time.
    """
    last: list[Exception] = []
    try:
        async with asyncio.timeout(patience_seconds):
            return await _connect(nats_url, name, last)
    except (OSError, TimeoutError, NatsError) as error:
        where = ", ".join(urlsplit(url).netloc.rpartition("@")[2] for url in _urls(nats_url))
        reason = type(last[-1] if last else error).__name__
        raise StartError(
            f"{name} cannot reach NATS at {where} ({reason}): start it, or correct NATS_URL."
        ) from None


@asynccontextmanager
async def connection(nats_url: str, name: str, *, patience_seconds: float) -> AsyncIterator[Client]:
    """Connect for the length of a block, and drain at its end.

    Raises:
        StartError: The broker did not answer in time.
    """
    client = await connect(nats_url, name, patience_seconds=patience_seconds)
    try:
        yield client
    finally:
        await drain(client)


async def drain(client: Client) -> None:
    """Send what is buffered and close, in bounded time even when the broker is away."""
    with suppress(TimeoutError, NatsError, OSError):
        async with asyncio.timeout(_DRAIN_SECONDS):
            if client.is_connected:
                await client.drain()
    with suppress(TimeoutError, NatsError, OSError):
        async with asyncio.timeout(_DRAIN_SECONDS):
            await client.close()


async def ensure_stream(js: JetStreamContext, service: str) -> None:
    """Make the stream of a publisher, or bring it to what it should be.

    It refuses new events when it is full, instead of forgetting old ones, and lets nobody
    delete any.
    """
    config = StreamConfig(
        name=stream_name(service),
        subjects=[stream_subjects(service)],
        retention=RetentionPolicy.LIMITS,
        storage=StorageType.FILE,
        discard=DiscardPolicy.NEW,
        max_age=MAX_AGE_SECONDS,
        duplicate_window=DUPLICATE_WINDOW_SECONDS,
        deny_delete=True,
        deny_purge=True,
    )
    try:
        await js.add_stream(config)
    except BadRequestError:
        found = await js.stream_info(stream_name(service))
        config.num_replicas = found.config.num_replicas  # An operator's choice stays.
        config.max_bytes = found.config.max_bytes
        await js.update_stream(config)


async def await_stream(js: JetStreamContext, service: str) -> None:
    """Wait until a publisher has made its stream; it may start later than its readers."""
    told = False
    while True:
        try:
            await js.stream_info(stream_name(service))
        except (NotFoundError, TimeoutError, NatsError) as error:
            if not told:
                _log.info("stream awaited", stream=stream_name(service), error=str(error))
            told = True
        else:
            return
        await asyncio.sleep(0.5)


async def bind(
    js: JetStreamContext, reader: str, event_type: type[Message], *, ack_wait_seconds: float = 30.0
) -> JetStreamContext.PullSubscription:
    """Make a reader's durable consumer of one event, or bring it up to date, and open it."""
    stream = stream_name(publisher_of(subject(event_type)))
    durable = durable_name(reader, event_type)
    config = ConsumerConfig(
        name=durable,
        durable_name=durable,
        filter_subject=subject(event_type),
        deliver_policy=DeliverPolicy.ALL,
        ack_policy=AckPolicy.EXPLICIT,
        ack_wait=ack_wait_seconds,
        max_deliver=-1,
        max_ack_pending=512,
    )
    await js.add_consumer(stream, config)
    return await js.pull_subscribe_bind(durable=durable, stream=stream)


async def check_sync_always(monitor_url: str) -> None:
    """Refuse a broker that acknowledges events before they are on its disk.

    Raises:
        StartError: ``sync_interval`` is not ``always``, or the monitoring port does not answer.
    """
    try:
        config = await asyncio.to_thread(_jetstream_config, monitor_url)
    except (OSError, ValueError) as error:
        raise StartError(
            f"NATS_MONITOR_URL does not answer ({type(error).__name__}): correct it, "
            "or leave it empty to start without the durability check."
        ) from error
    if not config.get("sync_always"):
        raise StartError(
            "NATS may lose acknowledged events: set `sync_interval: always` in its jetstream block."
        )


def _jetstream_config(monitor_url: str) -> dict[str, object]:
    url = f"{monitor_url.rstrip('/')}/varz"
    with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310 - the operator's address
        found = json.load(answer)
    config: dict[str, object] = found.get("jetstream", {}).get("config") or {}
    return config


def _urls(nats_url: str) -> list[str]:
    return [url.strip() for url in nats_url.split(",")]


async def _connect(nats_url: str, name: str, failures: list[Exception]) -> Client:
    """Connect, trying for ever, and note in ``failures`` why it takes so long."""
    client: Client | None = None

    async def lost() -> None:
        if client is not None and not (client.is_draining or client.is_closed):
            _log.warning("broker lost", client=name)

    async def found() -> None:
        _log.info("broker found again", client=name)

    async def failed(error: Exception) -> None:
        failures[:] = [error]
        _log.debug("broker error", client=name, error=str(error))

    client = await nats.connect(
        _urls(nats_url),
        name=name,
        inbox_prefix=f"_INBOX_{name}",
        error_cb=failed,
        disconnected_cb=lost,
        reconnected_cb=found,
        connect_timeout=2,
        reconnect_time_wait=0.25,
        max_reconnect_attempts=-1,
        ping_interval=5,
        max_outstanding_pings=2,
        drain_timeout=2,
    )
    return client
