"""Reading an answer: judged as a whole, cut into pieces, never longer than a moment at a time."""

import asyncio
from dataclasses import dataclass, field
from datetime import datetime

import msgspec

from services.chassis import telemetry
from services.keepa_gateway.domain.bodies import BrokenBody, Slices, decoded, envelope
from services.keepa_gateway.domain.calls import Call
from services.keepa_gateway.domain.outcome import Outcome, Verdict, judge, unreadable
from services.keepa_gateway.ports import Reply

_log = telemetry.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Reading:
    """An answer taken apart.

    Attributes:
        items: The products as sent, for a product call.
        rest: The body without them.
    """

    outcome: Outcome
    items: list[bytes] = field(default_factory=list)
    rest: bytes = b""


async def read(call: Call, reply: Reply, now: datetime) -> Reading:
    """Judge a reply; ``now`` is the local instant, to tell a lying timestamp."""
    try:
        items, rest = await _cut(call, reply.body)
        fields = decoded(rest, dict[str, msgspec.Raw])
        outcome = judge(call, reply.status, envelope(rest), fields, now)
    except BrokenBody:
        return Reading(unreadable(reply.status, reply.body))
    if outcome.observation is None and outcome.verdict is not Verdict.KEY_REJECTED:
        _log.warning("balance implausible", endpoint=call.endpoint, status=reply.status)
    return Reading(outcome, items, rest)


async def _cut(call: Call, body: bytes) -> tuple[list[bytes], bytes]:
    if call.wanted != "products":
        return [], body
    slices = Slices(body, call.wanted)
    items: list[bytes] = []
    for item in slices:
        items.append(item)
        await asyncio.sleep(0)
    return items, slices.rest
