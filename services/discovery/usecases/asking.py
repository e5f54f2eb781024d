"""What every search brings beside its question."""

from dataclasses import dataclass, replace
from datetime import timedelta
from uuid import UUID, uuid5

from services.discovery.domain.criteria import digest
from services.discovery.domain.errand import Errand, Priority


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What every search brings beside its question.

    Attributes:
        accept_stale: An answer that has expired is good enough where all of it is stored.
        close_looks: How many candidates are looked at again with their live offers, at most.
    """

    id: UUID
    errand: Errand
    force_refresh: bool = False
    cache_only: bool = False
    accept_stale: bool = False
    close_looks: int = 0

    def call_id(self, content: object) -> UUID:
        """Name a call by the request and by what it asks for: a retry names the same ones."""
        return uuid5(self.id, digest("call", content))

    def later(self) -> "Request":
        """Ask the same again in the background, paid by the account when nobody else asks."""
        errand = replace(
            self.errand, envelope="", priority=Priority.BACKGROUND, max_wait=timedelta(0)
        )
        return replace(
            self, id=uuid5(self.id, "later"), errand=errand, accept_stale=False, close_looks=0
        )
