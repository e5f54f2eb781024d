"""Blocking: products that must not be bought, whatever they would earn."""

from types import NoneType

from services.chassis.clock import Clock
from services.discovery.domain.criteria import digest
from services.discovery.domain.kept import BlockedProduct, not_found
from services.discovery.ports import Drawer, Kept, Page, Place, Scores
from services.discovery.usecases.keeping import Ask, Known, known


class Blocker:
    """Keeps the do-not-buy list; a change of it outdates the scores of its product."""

    def __init__(self, kept: Kept, scores: Scores, clock: Clock) -> None:
        self._kept = kept
        self._scores = scores
        self._clock = clock

    async def block(self, ask: Ask, domain: int, asin: str, reason: str) -> Known[BlockedProduct]:
        """Put a product on the list, or change why it is there."""
        wanted = BlockedProduct(
            domain=domain,
            asin=asin,
            reason=reason,
            caller=ask.caller,
            created_at=self._clock.now(),
        )

        async def act(drawer: Drawer) -> BlockedProduct:
            await drawer.unsettle(asin)
            return await drawer.put_blocked(wanted)

        question = digest("block", (domain, asin, reason))
        blocked = await self._kept.once(ask.id, question, BlockedProduct, act)
        return (await known(self._scores, (blocked,)))[0]

    async def blocked(self, *, size: int, after: Place) -> Page[Known[BlockedProduct]]:
        """List the products, newest first."""
        page = await self._kept.blocked(size=size, after=after)
        return Page(await known(self._scores, page.items), page.next_place)

    async def unblock(self, ask: Ask, domain: int, asin: str) -> None:
        """Take a product off the list.

        Raises:
            Refusal: BLOCKED_PRODUCT_NOT_FOUND.
        """

        async def act(drawer: Drawer) -> None:
            if not await drawer.drop_blocked(domain, asin):
                name = f"blockedProducts/{domain}-{asin}"
                raise not_found("BLOCKED_PRODUCT", "BlockedProduct", name)
            await drawer.unsettle(asin)

        await self._kept.once(ask.id, digest("unblock", (domain, asin)), NoneType, act)
