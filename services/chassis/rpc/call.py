"""The call that is being answered: who asks, under which id and trace, and until when."""

import re
import secrets
import time
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, TypeAlias

import grpc.aio

Context: TypeAlias = grpc.aio.ServicerContext[Any, Any]
"""What a servicer's method gets beside its request."""

ANONYMOUS = "anonymous"
CALLER_HEADER = "x-caller"
REQUEST_ID_HEADER = "x-request-id"
TRACE_HEADER = "traceparent"

_TRACEPARENT = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
_UNWANTED = re.compile(r"[^A-Za-z0-9_.:@/\-]")
_LONGEST_NAME = 64


@dataclass(frozen=True)
class Call:
    """What travels along with a piece of work, from the first service to the last.

    Attributes:
        caller: The original caller's name; empty outside any call.
        request_id: Joins the log lines of one request; made here when the caller sent none.
        traceparent: W3C trace context of this hop; empty outside any call.
        deadline: On the monotonic clock; ``None`` when the work has none.
    """

    caller: str = ""
    request_id: str = ""
    traceparent: str = ""
    deadline: float | None = None

    def remaining(self) -> float | None:
        """Seconds until the deadline, negative when it has passed; ``None`` without one."""
        return None if self.deadline is None else self.deadline - time.monotonic()


_current: ContextVar[Call] = ContextVar("call", default=Call())  # noqa: B039 - it is frozen


def current_call() -> Call:
    """Give the call that this task works for; an empty one outside any call."""
    return _current.get()


def enter(call: Call) -> None:
    """Make ``call`` the current one for the rest of this task."""
    _current.set(call)


@contextmanager
def working_for(call: Call) -> Iterator[Call]:
    """Make ``call`` the current one inside a block."""
    token = _current.set(call)
    try:
        yield call
    finally:
        _current.reset(token)


def from_metadata(
    metadata: Iterable[tuple[str, str | bytes]] | None, remaining: float | None
) -> Call:
    """Read a call from what its sender attached, distrusting all of it."""
    found = {key: value for key, value in metadata or () if isinstance(value, str)}
    return Call(
        caller=clean_name(found.get(CALLER_HEADER, "")) or ANONYMOUS,
        request_id=clean_name(found.get(REQUEST_ID_HEADER, "")) or str(uuid.uuid4()),
        traceparent=next_hop(found.get(TRACE_HEADER, "")),
        deadline=None if remaining is None else time.monotonic() + remaining,
    )


def clean_name(name: str) -> str:
    """Cut a name that came from outside to 64 harmless characters."""
    return _UNWANTED.sub("_", name.strip()[:_LONGEST_NAME])


def next_hop(traceparent: str) -> str:
    """Continue a trace with a span of our own, or begin one when there is none to continue."""
    span = secrets.token_hex(8)
    if _TRACEPARENT.fullmatch(traceparent):
        return f"{traceparent[:36]}{span}{traceparent[52:]}"
    return f"00-{secrets.token_hex(16)}-{span}-00"
