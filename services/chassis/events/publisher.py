"""Publishes events to JetStream, many in flight at once, and waits for every acknowledgement."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import quote
from uuid import UUID

from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.js import JetStreamContext

from services.chassis.events.names import publisher_of

ACK_SECONDS = 4.0


class PublishError(Exception):
    """The broker did not acknowledge every event; the same ones may be published again."""


@dataclass(frozen=True)
class Outgoing:
    """An event on its way out.

    Attributes:
        event_id: The same at every attempt, so that the broker drops the second copy.
        message_name: Full name of the message, which is also the subject.
        payload: The message's bytes.
        occurred_at: When it became true, in UTC.
        traceparent: The trace it became true in; empty when there was none.
    """

    event_id: UUID
    message_name: str
    payload: bytes
    occurred_at: datetime
    traceparent: str = ""


class Publisher:
    """Sends batches to the stream of one service."""

    def __init__(self, js: JetStreamContext) -> None:
        self._js = js
        self._client: Client = js._nc  # noqa: SLF001 - it offers no other way to ask

    async def publish(self, batch: Sequence[Outgoing]) -> None:
        """Publish a batch in its order, all of it in flight at once.

        A lost acknowledgement leaves it open whether an event arrived. Publishing again under
        the same ids is the answer: the broker drops copies for ten minutes, readers for ever.

        Raises:
            PublishError: Not everything was acknowledged within 4 s.
        """
        if not self._client.is_connected:
            raise PublishError("the broker is not connected")
        waiting = [
            self._js.publish(
                event.message_name, event.payload, timeout=ACK_SECONDS, headers=headers(event)
            )
            for event in batch
        ]
        outcomes = await asyncio.gather(*waiting, return_exceptions=True)
        failures = [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
        for failure in failures:
            if not isinstance(failure, NatsError | TimeoutError | OSError):
                raise failure
        if failures:
            told = f"{len(failures)} of {len(batch)} events were not acknowledged"
            raise PublishError(f"{told}: {failures[0]!r}") from failures[0]


def headers(event: Outgoing) -> dict[str, str]:
    """Build the headers: the broker's own, and the CloudEvents attributes in binary mode.

    Source: CloudEvents 1.0 NATS protocol binding, sections 3.1 and 3.1.3.
    """
    event_id = str(event.event_id)
    attributes = {
        "specversion": "1.0",
        "id": event_id,
        "source": f"/{publisher_of(event.message_name)}",
        "type": event.message_name,
        "time": event.occurred_at.astimezone(UTC).isoformat().replace("+00:00", "Z"),
        "datacontenttype": "application/protobuf",
        "dataschema": event.message_name,
    }
    built = {f"ce-{name}": quote(value, safe="/:+.-_") for name, value in attributes.items()}
    built["Nats-Msg-Id"] = event_id
    if event.traceparent:
        built |= {"traceparent": event.traceparent, "ce-traceparent": event.traceparent}
    return built
