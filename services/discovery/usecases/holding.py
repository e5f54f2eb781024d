"""Envelopes of searches: held while they run, given back at their end, never left for long."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from uuid import UUID, uuid5

from services.chassis.errors import Refusal
from services.discovery.domain.errand import Errand
from services.discovery.ports import Envelopes

DURATION = timedelta(seconds=40)
"""How long an envelope outlives a search that was killed; a running one prolongs it."""

LONGEST_SECONDS = 600.0
"""How long an envelope is prolonged: longer than any search takes whose caller reads its answers.
One that has stopped reading must not keep the account's tokens; the envelope then expires."""

_PROLONG_SECONDS = 10.0


class Holder:
    """Holds the tokens of searches that make several calls."""

    def __init__(self, envelopes: Envelopes) -> None:
        self._envelopes = envelopes

    @asynccontextmanager
    async def held(self, hold_id: UUID, tokens: int, errand: Errand) -> AsyncIterator[Errand]:
        """Hold tokens for the length of a block, and give an errand that is paid from them.

        Raises:
            Refusal: Budget's; nothing is held then.
        """
        envelope = await self._envelopes.hold(hold_id, tokens, errand, duration=DURATION)
        keeper = asyncio.create_task(self._prolong(envelope), name=f"prolong {envelope}")
        try:
            yield replace(errand, envelope=envelope, max_tokens=0)
        finally:
            keeper.cancel()
            # A caller who went away must not leave tokens behind.
            releasing = self._envelopes.release(uuid5(hold_id, "release"), envelope)
            await asyncio.shield(asyncio.ensure_future(releasing))

    async def left(self, envelope: str) -> int:
        """Read how many tokens may still be drawn from an envelope.

        Raises:
            Refusal: Budget's.
        """
        return await self._envelopes.left(envelope)

    async def _prolong(self, envelope: str) -> None:
        """Prolong until cancelled, or for too long; a budget away for a moment is asked again."""
        clock = asyncio.get_running_loop().time
        until = clock() + LONGEST_SECONDS
        while clock() < until:
            await asyncio.sleep(_PROLONG_SECONDS)
            try:
                await self._envelopes.extend(envelope, duration=DURATION)
            except Refusal as refusal:
                if refusal.reason == "RESERVATION_ENDED":
                    return
