"""Where the pages of each list go on, read from tokens that anybody could have made."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TypeVar
from uuid import UUID

from google.protobuf.message import Message

from services.autosourcing.domain.picks import Kind
from services.autosourcing.domain.review import Reviewed
from services.autosourcing.ports import NewestPlace, PickPlace
from services.chassis.rpc import pages

size, token = pages.size, pages.token

# What the database cannot compare is refused here.
_DECIMAL = re.compile(r"-?[0-9]{1,12}(\.[0-9]{1,12})?")
_INTEGER = re.compile(r"-?[0-9]{1,18}")
_ASIN = re.compile(r"[A-Z0-9]{10}")
_PROFILE = re.compile(r"[a-z0-9-]{1,64}")

T = TypeVar("T")


def cut(found: Sequence[T], most: int) -> tuple[Sequence[T], T | None]:
    """One page of ``most + 1`` found items, and its last one when more follow."""
    return found[:most], found[most - 1] if len(found) > most else None


def newest_place(request: Message, given: str) -> NewestPlace | None:
    """Where a page that lists the newest first ended; None for the first page."""
    if not given:
        return None
    created, last_id = pages.place(request, given, 2)
    try:
        return datetime.fromisoformat(str(created)).astimezone(UTC), UUID(str(last_id))
    except (ValueError, OverflowError):
        raise pages.bad_token() from None


def newest_token(request: Message, last: NewestPlace | None) -> str:
    """Go on behind the last of a page that lists the newest first; empty when nothing follows."""
    return pages.token(request, last[0].isoformat(), str(last[1])) if last else ""


def pick_place(request: Message, given: str) -> PickPlace | None:
    """Where a page of picks ended; None for the first page."""
    if not given:
        return None
    kind, score, profit, asin, pick_id = pages.place(request, given, 5)
    forms = ((_DECIMAL, score), (_INTEGER, profit), (_ASIN, asin))
    if not all(form.fullmatch(str(part)) for form, part in forms):
        raise pages.bad_token()
    try:
        return PickPlace(Kind(str(kind)), str(score), int(profit), str(asin), UUID(str(pick_id)))
    except ValueError:
        raise pages.bad_token() from None


def pick_token(request: Message, last: PickPlace | None) -> str:
    """Go on behind the last pick of a page; empty when nothing follows."""
    if last is None:
        return ""
    place = (last.kind, last.sort_score, last.profit_cents, last.asin, str(last.id))
    return pages.token(request, *place)


def profile_place(request: Message, given: str) -> str:
    """Where a page of profiles ended; empty for the first page."""
    if not given:
        return ""
    profile_id = str(pages.place(request, given, 1)[0])
    if not _PROFILE.fullmatch(profile_id):
        raise pages.bad_token()
    return profile_id


def review_place(request: Message, given: str) -> UUID | None:
    """The pick with which a page of a review ended; None for the first page."""
    if not given:
        return None
    try:
        return UUID(str(pages.place(request, given, 1)[0]))
    except ValueError:
        raise pages.bad_token() from None


def behind(reviewed: Sequence[Reviewed], last: UUID | None) -> Sequence[Reviewed]:
    """What follows the pick with which the last page ended.

    Raises:
        Refusal: There is no such pick in this list.
    """
    if last is None:
        return reviewed
    places = (at for at, each in enumerate(reviewed, 1) if each.sighting.pick.id == last)
    found = next(places, None)
    if found is None:
        raise pages.bad_token()
    return reviewed[found:]
