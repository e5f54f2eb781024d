"""Pages of lists: their size, and opaque tokens that are bound to the question."""

import base64
import binascii
import hashlib
import json

from google.protobuf.message import Message

from services.chassis.errors import Refusal, invalid_field

DEFAULT_SIZE = 50
LARGEST_SIZE = 1000


def size(asked: int, default: int = DEFAULT_SIZE) -> int:
    """Give the items of a page: the default for 0, and never more than the largest."""
    return min(asked or default, LARGEST_SIZE)


def token(request: Message, *place: str | int) -> str:
    """Write a token that goes on with the same question behind ``place``."""
    text = json.dumps([question(request), *place])
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def place(request: Message, given: str, parts: int) -> list[str | int]:
    """Read where a page ended; anybody can make a token, so its parts may be anything.

    Raises:
        Refusal: It is no token, or one of another question.
    """
    try:
        padded = given + "=" * (-len(given) % 4)
        told: list[str | int] = json.loads(base64.urlsafe_b64decode(padded))
        asked, *found = told
    except (binascii.Error, ValueError, TypeError):
        raise bad_token() from None
    if asked != question(request) or len(found) != parts:
        raise bad_token()
    return found


def question(request: Message) -> str:
    """Digest the method and everything that is asked of it but the page itself."""
    asked = type(request)()
    asked.CopyFrom(request)
    for name in {"page_size", "page_token"} & set(asked.DESCRIPTOR.fields_by_name):
        asked.ClearField(name)
    told = asked.DESCRIPTOR.full_name.encode() + asked.SerializeToString(deterministic=True)
    return hashlib.sha256(told).hexdigest()[:16]


def bad_token() -> Refusal:
    """Refuse what is not the token of a page of this question."""
    return invalid_field("page_token", "is not the token of a page of this question")
