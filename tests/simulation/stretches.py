"""What was lost, taken and booked between two balances, by Keepa's own account of it.

A stretch ends with the balance at which the ledger compares, and begins with the one before. What our
own calls do not explain of it was lost at the full bucket, or taken by a stranger, or is what a
call took whose answer was lost; the entries behind the balance must name as much, each at its place.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from tests.simulation.keepa import Keepa
from tests.simulation.store import Stored
from tests.simulation.world import World

NAMES = ("Settled", "Foreign", "Credit", "Overflow")
MILLISECOND = 0.001


@dataclass
class Stretch:
    """One comparison of the ledger.

    Attributes:
        balances: All that were entered from its beginning to its end, in Keepa's order.
        own: Cost of our calls that were booked within it, as far as they were charged within it.
        booked: Sums of the entries that the comparison made, by kind.
        sequence: Of the entry that ended it.
    """

    balances: list[Any]
    own: int
    sequence: int
    muddled: bool
    booked: dict[str, int] = field(default_factory=lambda: dict.fromkeys(NAMES, 0))


class Stretches:
    """Checks every comparison of one account's ledger against the bucket."""

    def __init__(self, world: World, account: str) -> None:
        self._world = world
        self._account = account
        self._keepa: Keepa = world.keepas[account]

    def check(self) -> None:
        """S4: a stranger's use is no overflow when a balance shows that the bucket had room."""
        mix = self._world.mix
        if mix.lie or mix.liar or mix.plan or mix.reduction or mix.clock_step or mix.gift:
            return
        for stretch in _stretches(self._world.database.ledgers[self._account]):
            self._check(stretch)

    def _check(self, stretch: Stretch) -> None:
        start, end = stretch.balances[0], stretch.balances[-1]
        booked = stretch.booked
        room = sum(_spilled(one, two) for one, two in pairwise(stretch.balances))
        if booked["Overflow"] > room:
            self._blame(stretch, f"the balances allow {room} of {booked}")
        if booked["Foreign"] and _spilled(start, end) - stretch.own > room:
            self._world.seen["overflow ruled out by a balance"] += 1
        if stretch.muddled or booked["Settled"]:
            return
        lost, taken = self._truth(start, end)
        named = booked["Foreign"] + booked["Overflow"] - booked["Credit"]
        if named != lost + taken or booked["Foreign"] > taken:
            self._blame(stretch, f"{lost} were lost and {taken} taken, booked are {booked}")
        elif taken and lost:
            self._world.seen["a stranger beside an overflow"] += 1

    def _truth(self, start: Any, end: Any) -> tuple[int, int]:
        keepa, lost, taken = self._keepa, 0, 0
        begin, until = (
            keepa.second(seen.arrived_ms + seen.processing_ms) + MILLISECOND
            for seen in (start, end)
        )
        for line in keepa.lines:
            if begin < line.at <= until:
                lost += keepa.rate + line.tokens if line.kind == "tick" else 0
                taken += line.tokens if line.kind == "foreign" else 0
        return lost, taken

    def _blame(self, stretch: Stretch, told: str) -> None:
        self._world.blame("S4", f"{self._account}/{stretch.sequence}: {told}")


def _spilled(one: Any, two: Any) -> int:
    """Tokens above the rim if nobody took any from one balance to the next."""
    ends = [seen.arrived_ms + seen.processing_ms + seen.refill_in_ms for seen in (one, two)]
    ticks = round((ends[1] - ends[0]) / 60_200)
    return int(max(0, one.tokens + ticks * one.refill_rate - 60 * one.refill_rate))


def _stretches(ledger: Iterable[Stored]) -> list[Stretch]:
    """Cut a ledger where the comparison starts afresh."""
    found: list[Stretch] = []
    start = anchor = None
    between: list[Any] = []
    own, muddled, naming = 0, False, False
    settled: set[Any] = set()
    for stored in ledger:
        entry, fact = stored.entry, stored.entry.fact
        kind = type(fact).__name__
        naming = naming and kind in NAMES
        if naming:
            found[-1].booked[kind] += fact.tokens
        if kind == "Settled":
            settled.add(entry.about.reservation)
        elif kind == "Committed":
            own += fact.tokens if fact.counted else 0
            muddled |= entry.about.reservation in settled
        elif kind == "Observed":
            anchor = fact.observation if fact.newest else anchor
            between.append(fact.observation)
            if fact.closes:
                if start is not None:
                    balances = [start, *_ordered(between, start, anchor), anchor]
                    found.append(Stretch(balances, own, entry.sequence, muddled))
                    naming = True
                start, between, own, muddled = anchor, [], 0, False
    return found


def _ordered(between: list[Any], start: Any, end: Any) -> list[Any]:
    inside = [seen for seen in between if seen.supersedes(start) and end.supersedes(seen)]
    return sorted(inside, key=lambda seen: (seen.made_ms, -seen.tokens))
