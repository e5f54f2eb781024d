"""Where the pages of each list go on, read from tokens that anybody could have made."""

import re
from datetime import MAXYEAR, MINYEAR, datetime

from arbitragevault.discovery.v1 import discovery_pb2 as pb
from google.protobuf.message import Message

from services.chassis.rpc import pages
from services.discovery.ports import Place

size = pages.size

_OF_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_OF_PRODUCT = re.compile(r"[0-9]{1,2}-[A-Z0-9]{10}")
_OF_REVISION = re.compile(r"[0-9]{1,18}")
_TIMED_LISTS = {
    "ListSearchesRequest": _OF_ID,
    "ListSavedNichesRequest": _OF_ID,
    "ListFavoritesRequest": _OF_PRODUCT,
    "ListBlockedProductsRequest": _OF_PRODUCT,
}
"""Lists in order of time, and what tells rows of one instant apart."""


def place(request: Message, given: str) -> Place:
    """Read where the last page ended; None for the first page."""
    if not given:
        return None
    first, second = map(str, pages.place(request, given, 2))
    if not _comparable(request, first, second):
        raise pages.bad_token()
    return first, second


def _comparable(request: Message, first: str, second: str) -> bool:
    """Tell whether the database can compare a place: anybody can make a token."""
    if "\0" in first + second:
        return False
    if isinstance(request, pb.ListScoringConfigRevisionsRequest):
        return bool(_OF_REVISION.fullmatch(first))
    second_form = _TIMED_LISTS.get(request.DESCRIPTOR.name)
    if isinstance(request, pb.ListScoresRequest) and request.include_former:
        second_form = _OF_ID
    if second_form is None:
        return True
    try:
        year = datetime.fromisoformat(first).year
    except ValueError:
        return False
    return MINYEAR < year < MAXYEAR and bool(second_form.fullmatch(second))


def token(request: Message, at: Place) -> str:
    """Write a token that goes on with the same question; empty on the last page."""
    return "" if at is None else pages.token(request, *at)
