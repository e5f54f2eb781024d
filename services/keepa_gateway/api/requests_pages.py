"""Pages of a stored answer: a token names the answer and the place in it."""

import base64
from collections.abc import Sequence
from datetime import datetime
from typing import TypeVar

import msgspec

from services.chassis.errors import invalid_field
from services.keepa_gateway.domain.answers import ListAnswer

DEFAULT_SIZE = 1_000

Item = TypeVar("Item")


class PageToken(msgspec.Struct, frozen=True):
    """Where a page ended.

    Attributes:
        answer: The fingerprint of what was asked.
        fetched_at: When Keepa answered; another answer has other pages.
        asked: What else the pages depend on, such as a filter.
    """

    answer: str
    fetched_at: datetime
    start: int
    asked: str = ""


def read(token: str, *, answer: str, asked: str = "") -> PageToken | None:
    """Read a token; nothing for an empty one.

    Raises:
        Refusal: INVALID_FIELD, when it is none of ours or of another request.
    """
    if not token:
        return None
    try:
        page = msgspec.msgpack.decode(base64.urlsafe_b64decode(token), type=PageToken)
    except (ValueError, msgspec.MsgspecError):
        raise invalid_field("page_token", "is not a token of this method") from None
    if page.answer != answer or page.asked != asked or page.start < 0:
        raise invalid_field("page_token", "belongs to another request")
    return page


def cut(
    items: Sequence[Item], answer: ListAnswer, *, start: int, size: int, asked: str = ""
) -> tuple[Sequence[Item], str]:
    """Give one page and the token of the next; empty on the last."""
    page = items[start : start + size]
    if start + size >= len(items):
        return page, ""
    token = PageToken(answer.fingerprint, answer.fetched_at, start + size, asked)
    return page, base64.urlsafe_b64encode(msgspec.msgpack.encode(token)).decode()
