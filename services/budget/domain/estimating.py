"""What calls are presumed to have cost whose answers nobody saw, and what a late answer changes."""

from collections.abc import Iterable

from services.budget.domain.draft import Draft
from services.budget.domain.entries import Credit, Foreign, Overflow, Settled
from services.budget.domain.reservation import Reservation
from services.budget.domain.state import Estimate
from services.budget.domain.values import Value


class Gone(Value, frozen=True, kw_only=True):
    """Tokens that are gone and not yet anybody's.

    Attributes:
        missing: A balance lacks them.
        hidden: A full bucket lost as many, and so may hide that a call took them.
    """

    missing: int
    hidden: int

    def less(self, tokens: int) -> "Gone":
        """Return what is left when a call took some; what a balance lacks goes first."""
        seen = min(self.missing, tokens)
        return Gone(missing=self.missing - seen, hidden=max(0, self.hidden - (tokens - seen)))


def settle(draft: Draft, calls: Iterable[tuple[Reservation, bool]], gone: Gone, since: int) -> Gone:
    """Give what is gone to calls, oldest first and up to their bounds; return what is left.

    Of a call that began before the stretch compared, marked so, nothing hidden need be its own;
    nothing shows that it was free, so it is settled at its bound.
    """
    for call, dark in calls:
        bound = call.terms.tokens
        shown = min(gone.missing, bound)
        made_up = 0 if dark else min(gone.hidden, bound - shown)
        gone = Gone(missing=gone.missing - shown, hidden=gone.hidden - made_up)
        unseen = bound - shown if dark else 0
        cost = shown + made_up + unseen
        fact = Settled(tokens=cost, hidden=made_up, dark=unseen, since=since)
        if fact != _last(draft, call):
            draft.add(fact, call.terms)
    return gone


def name(draft: Draft, gone: Gone, credit: int = 0) -> None:
    """Book what none of our calls took, and what they took and was booked as somebody else's."""
    if gone.missing:
        draft.add(Foreign(tokens=gone.missing))
    if credit:
        draft.add(Credit(tokens=credit))
    if gone.hidden:
        draft.add(Overflow(tokens=gone.hidden))


def correct(draft: Draft, found: Reservation, cost: int, estimates: tuple[Estimate, ...]) -> None:
    """Divide anew what is gone, now that the cost of a settled call is known.

    The balance that the estimates were made of is the same. What this call did not take was
    taken by those that were settled beside it, else by a stranger, or ran over a full bucket;
    what it took above all that, was booked as a stranger's before.
    """
    unshown = Estimate(reservation=found, since=0, hidden=0, dark=0)
    own = next((each for each in estimates if each.reservation.id == found.id), unshown)
    beside = sorted(
        (each for each in estimates if each.since == own.since > 0 and each is not own),
        key=lambda each: (each.reservation.created_at, each.reservation.sequence),
    )
    shown = own.shown + sum(each.shown for each in beside)
    hidden = own.hidden + sum(each.hidden for each in beside)
    gone = Gone(missing=shown - hidden, hidden=hidden).less(cost)
    calls = [(each.reservation, each.dark > 0) for each in beside]
    gone = settle(draft, calls, gone, own.since)
    name(draft, gone, credit=0 if own.dark else max(0, cost - shown))


def _last(draft: Draft, call: Reservation) -> Settled | None:
    """Return how a call is settled by now."""
    for each in draft.state.estimates:
        if each.reservation.id == call.id:
            return Settled(
                tokens=each.reservation.committed,
                hidden=each.hidden,
                dark=each.dark,
                since=each.since,
            )
    return None
