"""What must hold over a finished run, judged from the ledger's entries and Keepa's truth alone."""

from collections import Counter
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from services.budget.domain.entries import Held
from services.budget.domain.reservation import Reservation
from services.chassis.errors import Refusal
from tests.simulation.books import OPEN, Books, Row
from tests.simulation.gateway import MARGIN, Gateways
from tests.simulation.keepa import Keepa, Line
from tests.simulation.store import Stored
from tests.simulation.swarm import DEADLINE
from tests.simulation.world import BEGIN, World

FLOORS = {1: 10, 2: 10, 3: 50}
LEAST = 10
STALE = 180.0
MILLISECOND = 0.001
JITTER = timedelta(seconds=1)  # Each balance states its next tick anew.
MANY = 12  # Violations after which the rest is not told.


class Auditor:
    """Reads one account's ledger beside the bucket that it rations."""

    def __init__(self, world: World, gateways: Gateways, account: str) -> None:
        self.world = world
        self.account = account
        self.books = Books()
        self.keepa: Keepa = world.keepas[account]
        self._attempts = gateways.attempts
        self._stored: list[Stored] = world.database.ledgers[account]
        self._charged: dict[Any, float] = {}
        self._losses: list[tuple[float, int]] = []
        self._true = self.keepa.lines[0].balance
        self._spent: Counter[str] = Counter()
        self._promises: list[_Promise] = []
        self._seen_before = 0.0  # When the balance before the newest was made.
        self._first: Any = None  # The balance from which everything must be accounted for.
        # A step forward ends holds of calls that are still out, and makes ticks of nothing.
        self._trusts_clock = world.mix.clock_step <= 0

    def audit(self) -> None:
        """Go through both stories in the order in which they happened."""
        lines = iter(self.keepa.lines[1:])
        line = next(lines, None)
        for stored in self._stored:
            while line is not None and line.at <= stored.at:
                self._on_line(line)
                line = next(lines, None)
            self._on_entry(stored)
            if len(self.world.violations) > MANY:
                return
        while line is not None:
            self._on_line(line)
            line = next(lines, None)
        self._at_rest()

    def blame(self, invariant: str, told: str) -> None:
        """Note a violation, with the place in the ledger."""
        self.world.blame(invariant, f"{self.account}/{self.books.sequence}: {told}")

    def _on_line(self, line: Line) -> None:
        """Look at what Keepa did: INV-11, INV-5, and no debt that a rule could have kept off."""
        self._true = line.balance
        if line.lost:
            self._losses.append((line.at, line.lost))
        if line.kind != "call":
            self._spent[line.kind] += line.tokens if line.kind != "tick" else 0
            return
        row = self.books.rows.get(line.call)
        if row is None or not row.granted:
            self.blame("INV-11", f"{line.tokens} were spent for {line.call}, held by nobody")
            return
        self._charged[line.call] = line.at
        bound = row.terms.tokens
        if line.tokens - line.lost > bound:
            self.blame("INV-11", f"{line.tokens} were spent for {line.call}, {bound} were held")
        if row.stage not in OPEN and self._trusts_clock:
            self.blame("INV-5", f"{line.call} was spent after it was {row.stage}")
            self._losses.append((line.at, line.tokens))
        lost = sum(tokens for _, tokens in self._losses)
        if self._trusts_clock and not self.world.mix.liar and not self._unlearned(line.at):
            self._no_debt(line, lost)

    def _unlearned(self, at: float) -> bool:
        """Whether the plan shrank so lately that nobody may have seen it yet."""
        return 0 <= self.keepa.changed_at <= at <= self.keepa.changed_at + STALE

    def _no_debt(self, line: Line, lost: int) -> None:
        if line.balance < LEAST - lost:
            self.blame("INV-1", f"Keepa has {line.balance} tokens; {lost} are others' doing")

    def _on_entry(self, stored: Stored) -> None:
        entry, books = stored.entry, self.books
        kind = type(entry.fact).__name__
        before = books.anchor
        row = books.rows.get(entry.about.reservation)
        stage = row.stage if row else None
        if kind == "Held":
            self._before_grant(entry)
        starts = [(promise, promise.before(entry, books)) for promise in self._promises]
        books.take(entry)
        while books.wrong:
            self.world.blame(*books.wrong.pop().split(": ", 1))
        self._count(entry, kind, stage)
        if kind == "Observed" and entry.fact.newest and before is not None:
            self._order(before, entry.fact.observation)
            self._seen_before = self.keepa.second(before.arrived_ms + before.processing_ms)
        if kind == "Observed" and entry.fact.doubt:
            self._doubt(entry.fact.doubt)
        if kind == "Held":
            self._after_grant(entry)
        self._sums(entry)
        self._belief(stored)
        self._ends(stored, kind, stage)
        for promise, alone in starts:
            promise.see(entry, self, alone)
        self._promises = [promise for promise in self._promises if not promise.over]

    def _count(self, entry: Any, kind: str, stage: str | None) -> None:
        """Count the rare things, so that a run that never met them can be told."""
        name = kind.upper()
        if kind == "Observed" and entry.fact.newest and self._first is None:
            self._first = entry.fact.observation
        if kind == "Committed" and stage != "HELD":
            name = f"COMMITTED late, from {stage}"
        elif kind == "Released":
            name = f"RELEASED {entry.fact.reason.value} from {stage}"
        elif kind == "Observed" and not entry.fact.newest:
            name = "OBSERVED again" if entry.fact.closes else "OBSERVED older, to cover"
        elif kind == "Observed" and entry.fact.doubt:
            name = "OBSERVED in doubt"
        self.world.seen[name] += 1
        if kind in ("Foreign", "Credit", "Overflow"):
            self._spent[name] += entry.fact.tokens

    def _order(self, before: Any, after: Any) -> None:
        if after.arrived_ms + after.processing_ms < before.arrived_ms + before.processing_ms:
            self.blame("INV-7", "the anchor moves back")
        if after.refill_rate == 0:
            self.blame("T5", "a body of zeros became the balance")

    def _before_grant(self, entry: Any) -> None:
        """INV-1: a recent balance, the gate, an open envelope with enough in it."""
        books, terms, now = self.books, entry.fact.terms, entry.at
        if books.anchored_at is None:
            self.blame("T5", "a grant before the first balance")
            return
        age = (now - books.anchored_at).total_seconds()
        if age > STALE:
            self.blame("T5", f"a grant on a balance {age:.0f} s old")
        if terms.parent is None:
            if books.available(now) < terms.gate:
                self.blame("INV-1", f"a grant through the gate of {terms.gate}")
            self._passes(entry)
            return
        envelope = books.rows.get(terms.parent)
        if envelope is None or envelope.stage != "HELD" or now >= (envelope.expires or now):
            self.blame("INV-3", f"a draw on {terms.parent}, which has ended")
        elif books.rest(envelope) < terms.tokens:
            self.blame("INV-1", f"a draw of {terms.tokens} on a rest of {books.rest(envelope)}")

    def _passes(self, entry: Any) -> None:
        """The head of the queue, when it could have gone, goes before a lower priority."""
        free = self.books.available(entry.at)
        queue = [
            row
            for row in self.books.waiting()
            if row.terms.parent is None and row.until is not None and row.until > entry.at
        ]
        first = min((row.terms.priority for row in queue), default=entry.fact.terms.priority)
        heads = [row for row in queue if row.terms.priority == first]
        if first >= entry.fact.terms.priority or len(heads) > 1:
            return
        self.world.seen["higher priority waits"] += 1
        terms = heads[0].terms
        required = max(terms.tokens + FLOORS[terms.priority], terms.gate)
        if free >= required > free - entry.fact.tokens:
            self.blame("QUEUE", f"{terms.id} waits for {required} of {free}, passed over")

    def _after_grant(self, entry: Any) -> None:
        terms, now = entry.fact.terms, entry.at
        floor = LEAST if terms.parent else FLOORS[terms.priority]
        left = self.books.cash(now) if terms.parent else self.books.available(now)
        if left < floor:
            self.blame("INV-1", f"the grant of {terms.tokens} left {left}, below {floor}")

    def _sums(self, entry: Any) -> None:
        """The number that readers see after each entry is the one that the rules give."""
        own = self.books.available(entry.at)
        if own != entry.available:
            kind = type(entry.fact).__name__
            self.blame("INV-1", f"{kind} tells {entry.available} available, the rules {own}")

    def _belief(self, stored: Stored) -> None:
        """Never optimistic: what we count on is there, whatever calls under way still take."""
        books, entry = self.books, stored.entry
        if books.anchored_at is None or not self._trusts_clock:
            return
        made = self.keepa.second(books.anchor.arrived_ms + books.anchor.processing_ms)
        age = (entry.at - books.anchored_at).total_seconds()
        lies = self.world.mix.lie
        blind = made <= self.keepa.changed_at or (lies and self.world.mix.reduction)
        if blind or not -5 <= age <= STALE:
            return
        # A lie can hide behind what nobody has seen missing before it, and behind nothing else.
        since = min(made, self._seen_before) if lies else made
        excused = sum(tokens for at, tokens in self._losses if at >= since - 0.002)
        coming = sum(row.terms.tokens for row in self._coming(entry))
        if books.cash(entry.at) > self._true - coming + excused and not self.world.mix.liar:
            told = f"{books.cash(entry.at)} counted on, {self._true} there, {coming} under way"
            self.blame("INV-1", f"{told}, {excused} excused ({type(entry.fact).__name__})")

    def _coming(self, entry: Any) -> list[Row]:
        """Calls that Keepa has not charged and may still charge."""
        found = []
        for row in self.books.open_calls():
            attempt = self._attempts.get(row.terms.id)
            sent = attempt is not None and attempt.state not in ("fenced", "unsent")
            left = (row.expires - entry.at).total_seconds() if row.expires else 0.0
            if row.terms.id not in self._charged and (sent or left > DEADLINE + MARGIN):
                lives = attempt is None or attempt.state == "sent"
                if lives:
                    found.append(row)
        return found

    def _doubt(self, tokens: int) -> None:
        """T8: nobody is refused for tokens that are there, unless somebody lies or gives."""
        mix = self.world.mix
        if not (mix.lie or mix.gift or mix.liar or mix.plan or mix.reduction or mix.clock_step):
            self.blame("T8", f"{tokens} tokens are in doubt, and nobody gave reason for it")

    def _ends(self, stored: Stored, kind: str, stage: str | None) -> None:
        """INV-3 and INV-5: why something ended, and when."""
        entry, mix = stored.entry, self.world.mix
        row = self.books.rows.get(entry.about.reservation)
        if row is None:
            return
        if kind == "Released" and not row.envelope:
            proven = entry.request_id is not None and entry.fact.reason.value == "NOT_SENT"
            if stage in OPEN and not proven:
                self.blame("INV-5", f"{row.terms.id} went back without proof")
            if row.terms.id in self._charged and stage in OPEN and not mix.liar:
                self.blame("INV-5", f"{row.terms.id} went back and was spent")
        if kind == "Settled" and self._trusts_clock:
            attempt = self._attempts.get(row.terms.id)
            if attempt is not None and attempt.state == "sent" and stored.at < attempt.sent_at:
                self.blame("INV-5", f"{row.terms.id} settled before it was sent")
        if kind in ("Unknown", "Released") and row.expires and not (mix.crash or mix.broken):
            late = (entry.at - row.expires).total_seconds()
            if mix.clock_step == 0 and late > mix.sweep + 4 + 20 * mix.latency and stage == "HELD":
                self.blame("INV-3", f"{row.terms.id} was held {late:.1f} s past its expiry")
        if kind == "Waiting":
            self._promises.append(_Promise(row, entry.at, self.books))

    def _at_rest(self) -> None:
        """Liveness, INV-4 and INV-8, once the faults have stopped."""
        books, keepa = self.books, self.keepa
        for key, row in books.rows.items():
            if row.stage in (*OPEN, "WAITING"):
                self.blame("L1", f"{key} is still {row.stage}")
        for key, attempt in self._attempts.items():
            if attempt.account != self.account or attempt.state not in ("unsent", "ended"):
                continue
            known, ends = books.rows.get(key), {"COMMITTED"}
            if attempt.state == "unsent":
                ends.add("RELEASED")
            if known is None or known.stage not in ends or known.cost != attempt.cost:
                self.blame("INV-4", f"{key} cost {attempt.cost}, the ledger has {known}")
        if books.anchor is None or not self._stored:
            self.blame("INV-8", "no balance was ever believed")
            return
        made = keepa.second(books.anchor.arrived_ms + books.anchor.processing_ms)
        truth = [line.balance for line in keepa.lines if line.at <= made + 0.001][-1]
        fraction = 1 if self.world.mix.reduction else 0  # Of a token, that no body tells.
        if books.anchor.tokens != truth or books.charged() or books.doubt > fraction:
            told = f"{books.anchor.tokens} less {books.charged()} and {books.doubt}"
            self.blame("INV-8", f"at rest we have {told}, Keepa had {truth}")
        self._account_for_all()

    def _account_for_all(self) -> None:
        """Every token that left Keepa is somebody's: a call's, or a stranger's."""
        mix, spent = self.world.mix, self._spent
        if mix.lie or mix.liar or mix.plan or mix.reduction or mix.clock_step:
            return
        others = mix.foreign or mix.overrun or mix.gift
        if not others and spent["FOREIGN"] + spent["CREDIT"]:
            self.blame("T5", f"a stranger was invented: {dict(spent)}")
        self._balanced()

    def _balanced(self) -> None:
        """S1: what the ledger names is what Keepa took and lost, whoever told of it how late."""
        first, last = self._first, self.books.anchor
        begin, end = (
            self.keepa.second(seen.arrived_ms + seen.processing_ms) + MILLISECOND
            for seen in (first, last)
        )
        gone = 0
        for line in self.keepa.lines:
            if begin < line.at <= end:
                gone += line.tokens + (self.keepa.rate if line.kind == "tick" else 0)
        ours = sum(row.cost for row in self.books.rows.values() if not row.envelope)
        spent = self._spent
        named = ours + spent["FOREIGN"] + spent["OVERFLOW"] - spent["CREDIT"]
        if named != gone:
            told = {name: spent[name] for name in ("FOREIGN", "OVERFLOW", "CREDIT")}
            self.blame("S1", f"{gone} are gone, {ours} are ours, {told}")


class _Promise:
    """The promised start of a request that found nobody before it in the queue."""

    def __init__(self, row: Row, at: datetime, books: Books) -> None:
        self.row = row
        self.over = row.terms.parent is not None or any(
            other.terms.parent is None and other.terms.priority <= row.terms.priority
            for other in books.waiting()
            if other is not row and other.until is not None and other.until > at
        )
        self._passed = False

    @property
    def required(self) -> int:
        """What must be available."""
        terms = self.row.terms
        return int(max(terms.tokens + FLOORS[terms.priority], terms.gate))

    def before(self, entry: Any, books: Books) -> datetime | None:
        """Say when it could start if nobody else were served."""
        return books.start(self.required, entry.at)

    def see(self, entry: Any, auditor: Auditor, alone: datetime | None) -> None:
        """Only a higher priority may move it: what passes must leave the promise as it is."""
        row, fact, books = self.row, entry.fact, auditor.books
        waits = row.stage == "WAITING" and row.until is not None and row.until > entry.at
        if not waits:
            self.over = True
            if row.stage == "HELD" and self._passed:
                auditor.world.seen["promise kept while a small one passed"] += 1
        elif isinstance(fact, Held) and fact.terms.parent is None:
            self._passed = True
            behind = books.start(self.required, entry.at)
            promised = row.promised or BEGIN
            rises = behind is None or alone is None or behind > max(alone, promised + JITTER)
            if alone is not None and rises and fact.terms.priority >= row.terms.priority:
                told = f"{row.terms.id}, promised {promised:%X}, could start {alone:%X}"
                auditor.blame("PROMISE", f"{told}; a grant of {fact.tokens} made it {behind}")


def agree(world: World) -> None:
    """INV-2: one outcome for each request id, whoever asked, wherever and however often."""
    bound: dict[UUID, str] = {}
    for account, stored in world.database.ledgers.items():
        for each in stored:
            key = each.entry.request_id
            if key is None:
                continue
            if key in bound:
                world.blame("INV-2", f"{key} is bound in {account} and in {bound[key]}")
            bound[key] = account
    for key, answers in world.answers.items():
        granted = [told for _, told in answers if isinstance(told, Reservation)]
        if any(told != granted[0] for told in granted):
            world.blame("INV-2", f"{key} was answered {granted}")
        if any(told.id == key for told in granted) and key not in bound:
            world.blame("INV-4", f"{key} was answered and is not in the ledger")
        refused = [told for _, told in answers if isinstance(told, Refusal)]
        if granted and refused:
            world.seen["refused first, granted later"] += 1
