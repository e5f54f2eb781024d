"""What the ledger can be asked to do."""

from datetime import timedelta
from functools import lru_cache
from hashlib import blake2b
from uuid import UUID

from services.budget.domain.balance import Observation
from services.budget.domain.reservation import Terms
from services.budget.domain.rules import Kind, Priority, Reason
from services.budget.domain.values import Value

NO_WAIT = timedelta(0)


def fingerprint(*content: str | float) -> str:
    """Return a short digest that tells requests of different content apart."""
    return blake2b(repr(content).encode(), digest_size=12).hexdigest()


class Reserve(Value, frozen=True, kw_only=True):
    """Set tokens aside; ``max_wait`` above zero queues the request when they are short."""

    terms: Terms
    max_wait: timedelta = NO_WAIT

    @property
    def request_id(self) -> UUID:
        """The reservation's id is the request's."""
        return self.terms.id

    @property
    def content(self) -> str:
        """What must be equal in a repeated request: everything but how long to wait.

        The caller is who asks, not what is asked: a retry may come by another way.
        """
        terms, tags = self.terms, self.terms.tags
        place = (terms.account, terms.kind, terms.parent)
        amounts = (terms.tokens, terms.priority, terms.gate, terms.hold)
        return _alike(place, amounts, (tags.action, tags.endpoint, tags.job))

    @property
    def binds(self) -> tuple[UUID, ...]:
        """Ids that may stand for something already."""
        return (self.terms.id,)

    @property
    def named(self) -> tuple[UUID, ...]:
        """Reservations that the decision looks at."""
        return () if self.terms.parent is None else (self.terms.parent,)


@lru_cache(maxsize=1024)
def _alike(
    place: tuple[str, Kind, UUID | None],
    amounts: tuple[int, Priority, int, timedelta],
    labels: tuple[str, str, UUID | None],
) -> str:
    """Return the fingerprint of requests that differ in their ids alone."""
    (account, kind, parent), (tokens, priority, gate, hold) = place, amounts
    action, endpoint, job = labels
    spans = (tokens, priority.value, gate, hold.total_seconds())
    return fingerprint(
        "reserve", account, kind.value, str(parent), *spans, action, endpoint, str(job)
    )


class OnReservation(Value, frozen=True, kw_only=True):
    """What is asked of one reservation, under an id of its own."""

    request_id: UUID
    reservation: UUID

    @property
    def binds(self) -> tuple[UUID, ...]:
        """Ids that may stand for something already."""
        return (self.request_id,)

    @property
    def named(self) -> tuple[UUID, ...]:
        """Reservations that the decision looks at."""
        return (self.reservation,)


class Commit(OnReservation, frozen=True, kw_only=True):
    """Book what Keepa says a call consumed."""

    tokens: int
    observation: Observation | None = None
    after_sequence: int = 0

    @property
    def content(self) -> str:
        """The amount; a retry may bring the balance that the first try had not."""
        return fingerprint("commit", str(self.reservation), self.tokens)


class Release(OnReservation, frozen=True, kw_only=True):
    """Give back tokens that were certainly not spent, or end an envelope."""

    reason: Reason

    @property
    def content(self) -> str:
        """Everything asked."""
        return fingerprint("release", str(self.reservation), self.reason.value)


class Extend(OnReservation, frozen=True, kw_only=True):
    """Move the expiry of a hold to ``hold`` from now."""

    hold: timedelta

    @property
    def content(self) -> str:
        """Everything asked."""
        return fingerprint("extend", str(self.reservation), self.hold.total_seconds())


class Report(Value, frozen=True, kw_only=True):
    """Record a balance that Keepa stated outside of a reserved call."""

    request_id: UUID
    observation: Observation
    after_sequence: int = 0
    binds: tuple[UUID, ...] = ()  # An older or repeated report changes nothing.
    named: tuple[UUID, ...] = ()


class Sweep(Value, frozen=True):
    """End every hold and every wait whose time has passed."""

    binds: tuple[UUID, ...] = ()
    named: tuple[UUID, ...] = ()


class Admit(Value, frozen=True):
    """Grant whatever waits and can be granted now."""

    binds: tuple[UUID, ...] = ()
    named: tuple[UUID, ...] = ()


class Look(Value, frozen=True):
    """Change nothing; answered with the state as it is."""

    binds: tuple[UUID, ...] = ()
    named: tuple[UUID, ...] = ()


class Leave(Value, frozen=True, kw_only=True):
    """End one wait, because its time or its caller is gone."""

    reservation: UUID

    @property
    def binds(self) -> tuple[UUID, ...]:
        """Ids that may stand for something already."""
        return (self.reservation,)

    @property
    def named(self) -> tuple[UUID, ...]:
        """Reservations that the decision looks at."""
        return (self.reservation,)


Command = Reserve | Commit | Release | Extend | Report | Sweep | Admit | Leave | Look
