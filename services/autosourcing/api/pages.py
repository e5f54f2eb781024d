"""Pages of lists: sizes, and opaque tokens that are bound to the question."""

import base64
import binascii
import hashlib
import json
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TypeVar
from uuid import UUID

from google.protobuf.message import Message

from services.autosourcing.domain.picks import Kind
from services.autosourcing.ports import PickPlace
from services.chassis.errors import Refusal, invalid_field

DEFAULT_SIZE = 50
LARGEST_SIZE = 1000

# Anybody can make a token: what the database cannot compare is refused here.
_DECIMAL = re.compile(r"-?[0-9]{1,12}(\.[0-9]{1,12})?")
_INTEGER = re.compile(r"-?[0-9]{1,18}")
_ASIN = re.compile(r"[A-Z0-9]{10}")
_PROFILE = re.compile(r"[a-z0-9-]{1,64}")

T = TypeVar("T")


def size(asked: int) -> int:
    """The size of a page: the default for 0, and never more than the largest."""
    return min(asked or DEFAULT_SIZE, LARGEST_SIZE)


def cut(found: Sequence[T], most: int) -> tuple[Sequence[T], T | None]:
    """One page of ``most + 1`` found items, and its last one when more follow."""
    return found[:most], found[most - 1] if len(found) > most else None


def token(request: Message, *place: str | int) -> str:
    """A token that continues the same question behind ``place``."""
    text = json.dumps([_question(request), *place])
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def newest_place(request: Message, given: str) -> tuple[datetime, UUID] | None:
    """Where a page that lists the newest first ended; None for the first page."""
    if not given:
        return None
    created, last_id = _read(request, given, 2)
    try:
        return datetime.fromisoformat(str(created)).astimezone(UTC), UUID(str(last_id))
    except (ValueError, OverflowError):
        raise _bad() from None


def pick_place(request: Message, given: str) -> PickPlace | None:
    """Where a page of picks ended; None for the first page."""
    if not given:
        return None
    kind, score, profit, asin, pick_id = _read(request, given, 5)
    forms = ((_DECIMAL, score), (_INTEGER, profit), (_ASIN, asin))
    if not all(form.fullmatch(str(part)) for form, part in forms):
        raise _bad()
    try:
        return PickPlace(Kind(str(kind)), str(score), int(profit), str(asin), UUID(str(pick_id)))
    except ValueError:
        raise _bad() from None


def profile_place(request: Message, given: str) -> str:
    """Where a page of profiles ended; empty for the first page."""
    if not given:
        return ""
    place = str(_read(request, given, 1)[0])
    if not _PROFILE.fullmatch(place):
        raise _bad()
    return place


def review_place(request: Message, given: str) -> UUID | None:
    """The pick with which a page of a review ended; None for the first page."""
    if not given:
        return None
    try:
        return UUID(str(_read(request, given, 1)[0]))
    except ValueError:
        raise _bad() from None


def _read(request: Message, given: str, parts: int) -> list[str | int]:
    try:
        padded = given + "=" * (-len(given) % 4)
        parsed: list[str | int] = json.loads(base64.urlsafe_b64decode(padded))
        question, *place = parsed
    except (binascii.Error, ValueError, TypeError):
        raise _bad() from None
    if question != _question(request) or len(place) != parts:
        raise _bad()
    return place


def _question(request: Message) -> str:
    """A digest of the method and everything that is asked of it but the page itself."""
    asked = type(request)()
    asked.CopyFrom(request)
    for name in ("page_size", "page_token"):
        asked.ClearField(name)
    told = asked.DESCRIPTOR.full_name.encode() + asked.SerializeToString(deterministic=True)
    return hashlib.sha256(told).hexdigest()[:16]


def _bad() -> Refusal:
    return invalid_field("page_token", "is not the token of a page of this question")
