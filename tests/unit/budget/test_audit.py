"""What an auditor of a ledger finds, and that it can be put down and taken up again."""

from datetime import timedelta

from services.budget.api.requests import patience
from services.budget.domain.audit import Audit, Auditor
from services.budget.domain.entries import Entry
from services.budget.domain.evolve import forget
from services.budget.domain.rules import STANDARD
from services.budget.domain.state import State
from services.budget.domain.values import replace
from services.budget.storage import checkpoints
from tests.unit.budget.support import Book, granted, opened

EMPTY = Audit(State(account="default"))


def busy() -> Book:
    """An account with a balance, a settled call, a held one and a newer balance."""
    book = opened(500)
    granted(book.commit(granted(book.reserve(10)), 8))
    granted(book.reserve(20))
    book.pass_time(1)
    book.see(492)
    return book


def found(entries: list[Entry], book: Book, **twice: object) -> list[tuple[str, int]]:
    auditor = Auditor(EMPTY)
    for entry in entries:
        auditor.take(entry, **twice)
    auditor.compare(book.state, book.now)
    return [(each.invariant, each.sequence) for each in auditor.audit.violations]


def test_a_sound_ledger_has_no_violation() -> None:
    """INV-6: the replay gives the state in use, to the last field."""
    book = busy()

    assert found(book.entries, book) == []


def test_every_promise_that_is_broken_is_named_with_its_place() -> None:
    """What nobody looks for is not verified."""
    book = busy()
    entries = book.entries
    held, seen = entries[1], entries[-1]
    back = replace(seen.fact, observation=replace(seen.fact.observation, arrived_ms=1))
    miscounted = replace(book.state, spent=7)

    poor = [entries[0], replace(held, available=9), *entries[2:]]
    assert found(poor, book) == [("INV-1", 2)]
    assert found(entries, book, twice={held.request_id}) == [("INV-2", 2)]
    backwards = found([*entries[:-1], replace(seen, fact=back)], book)
    assert ("INV-7", seen.sequence) in backwards
    assert found([*entries[:2], *entries[3:]], book)[0] == ("INV-10", 4)
    book.state = miscounted
    assert found(entries, book) == [("INV-6", 0)]


def test_a_hold_that_nobody_ended_is_found() -> None:
    """INV-3: tokens must not stay away because a sweep has died."""
    book = busy()
    held = next(iter(book.state.live.values()))
    assert held.expires_at is not None
    book.now = held.expires_at + timedelta(seconds=11)

    assert found(book.entries, book) == [("INV-3", held.sequence)]


def test_a_replay_that_was_put_down_is_taken_up_as_it_was() -> None:
    """A checkpoint holds everything that the rest of the replay depends on, violations too."""
    book = busy()
    poor = [book.entries[0], replace(book.entries[1], available=9), *book.entries[2:]]

    for at in range(1, len(poor)):
        first = Auditor(EMPTY)
        for entry in poor[:at]:
            first.take(entry)
        kept = checkpoints.encode(first.audit)
        second = Auditor(checkpoints.decode(kept, STANDARD))
        for entry in poor[at:]:
            second.take(entry)

        assert second.audit.state == forget(book.state)
        assert [each.sequence for each in second.audit.violations] == [2]
        assert checkpoints.encode(checkpoints.decode(kept, STANDARD)) == kept


def test_a_verification_leaves_half_of_its_deadline_for_the_answer() -> None:
    """A call that runs into its deadline has said nothing of what it found."""
    assert patience(None) == 5
    assert patience(30) == 5
    assert patience(4) == 2
