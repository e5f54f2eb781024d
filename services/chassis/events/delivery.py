"""One event as it reached a reader, and what a handler says about it."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from nats.aio.msg import Msg

from services.chassis.events.names import publisher_of
from services.chassis.rpc.call import Call, clean_name, next_hop


class Poison(Exception):  # noqa: N818 - what it is called wherever events are talked about
    """Raised by a handler for an event that no redelivery can cure."""


@dataclass(frozen=True)
class Delivery:
    """What is known of an event beside its content.

    Attributes:
        event_id: The same at every delivery, and for every copy.
        subject: Full name of its message.
        occurred_at: When it became true, by its publisher's database, in UTC.
        attempt: 1 at the first delivery to this reader.
    """

    event_id: UUID
    subject: str
    occurred_at: datetime
    attempt: int


def read(message: Msg) -> Delivery:
    """Read the headers of a message.

    Raises:
        Poison: They are missing or damaged, or the event claims another publisher.
    """
    found = message.headers or {}
    try:
        if found["ce-type"] != message.subject:
            raise Poison(f"the event says {found['ce-type']}, its subject {message.subject}")
        publisher_of(message.subject)
        return Delivery(
            event_id=UUID(found["Nats-Msg-Id"]),
            subject=message.subject,
            occurred_at=datetime.fromisoformat(found["ce-time"]),
            attempt=message.metadata.num_delivered,
        )
    except (KeyError, ValueError) as error:
        raise Poison(f"a header is missing or damaged: {error}") from error


def call_of(message: Msg, reader: str) -> Call:
    """Give the call that handling an event works for: the reader's, in the event's trace."""
    found = message.headers or {}
    return Call(
        caller=reader,
        request_id=clean_name(found.get("Nats-Msg-Id", "")),
        traceparent=next_hop(found.get("traceparent", "")),
    )
