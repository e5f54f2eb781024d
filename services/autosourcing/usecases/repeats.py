"""Requests that come a second time get their first answer."""

from typing import TypeVar

import msgspec

from services.autosourcing.domain import refusals
from services.autosourcing.ports import Request, Work

T = TypeVar("T")


async def first_answer(work: Work, request: Request) -> bytes | None:
    """The answer that this request got before; None when it is new.

    Raises:
        Refusal: Its id was used for something else.
    """
    known = await work.request(request.id)
    if known is None:
        return None
    made, answer = known
    if made.fingerprint != request.fingerprint:
        raise refusals.request_id_reused()
    return answer


async def repeated(work: Work, request: Request, kind: type[T]) -> T | None:
    """What this request stored before, as a value; None when it is new.

    Raises:
        Refusal: Its id was used for something else.
    """
    answer = await first_answer(work, request)
    return msgspec.json.decode(answer, type=kind) if answer else None
