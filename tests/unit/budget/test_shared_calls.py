"""One Keepa call that several payers share: each commits its part with the same balance."""

from services.budget.domain.rules import Stage
from tests.unit.budget.support import ENVELOPE, granted, opened


def test_parts_of_one_call_are_covered_by_its_balance_and_by_no_more() -> None:
    """INV-8: after the last part our balance is Keepa's; before it nothing is free too early."""
    book = opened(500)
    parts = [granted(book.reserve(tokens)) for tokens in (3, 1, 6)]

    available = []
    for part in parts:
        granted(book.commit(part, part.terms.tokens, left=490))
        available.append(book.available)

    assert available == [483, 484, 490]
    assert book.state.spent == 10


def test_the_last_part_of_a_call_closes_the_stretch_that_its_siblings_kept_open() -> None:
    """Drift is told by every call that nothing overlaps, however many pay for it."""
    book = opened(500)
    parts = [granted(book.reserve(2)) for _ in range(3)]

    for part in parts:
        granted(book.commit(part, 2, left=490))

    assert book.total("Foreign") == 4
    assert book.available == 490


def test_a_part_is_drawn_from_the_envelope_of_its_own_payer() -> None:
    book = opened(500)
    envelope = granted(book.reserve(20, kind=ENVELOPE))
    own = granted(book.reserve(4, parent=envelope.id))
    other = granted(book.reserve(1))

    granted(book.commit(own, 4, left=495))
    granted(book.commit(other, 1, left=495))

    assert book.view(envelope).committed == 4
    assert book.view(envelope).rest == 16
    assert book.available == 495 - 16


def test_lost_parts_are_settled_each_at_its_own_bound() -> None:
    """A lost answer: what the balance misses is exactly what the parts held."""
    book = opened(500)
    parts = [granted(book.reserve(tokens)) for tokens in (3, 1, 6)]
    book.pass_time(200)
    book.sweep()

    book.see(500 + 3 * 20 - 10)

    assert [book.view(part).stage for part in parts] == [Stage.SETTLED] * 3
    assert [book.view(part).committed for part in parts] == [3, 1, 6]
