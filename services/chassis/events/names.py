"""Names on the broker, all derived from the name of the message, so that no table maps them."""

from google.protobuf.message import Message

PREFIX = "arbitragevault"


def subject(event: Message | type[Message]) -> str:
    """Give the subject of an event: the full name of its message."""
    return event.DESCRIPTOR.full_name


def publisher_of(name: str) -> str:
    """Give the service that publishes a subject: ``arbitragevault.budget.v1.X`` is budget's."""
    prefix, service, _version, _message = name.split(".")
    if prefix != PREFIX:
        raise ValueError(f"{name} is no event of ours")
    return service


def stream_name(service: str) -> str:
    """Give the name of a publisher's one stream."""
    return f"{PREFIX}_{service}".upper()


def stream_subjects(service: str) -> str:
    """Give what a publisher's stream keeps."""
    return f"{PREFIX}.{service}.v1.*"


def durable_name(reader: str, event_type: type[Message]) -> str:
    """Give the name under which the broker remembers how far a reader has read."""
    return f"{reader}-{event_type.DESCRIPTOR.name}"
