"""When a loop with other work forgets another chunk."""

from services.chassis.purging import CHUNK, Rounds


def test_only_a_full_chunk_is_followed_by_another_at_once() -> None:
    """A backlog goes between two pieces of work, and an empty table is not asked all the time."""
    rounds = Rounds()

    assert rounds.due()
    rounds.went(CHUNK)
    assert rounds.due()
    rounds.went(CHUNK - 1)
    assert not rounds.due()


def test_what_may_have_become_too_much_is_looked_at_at_once() -> None:
    """A flood of dead letters does not wait for the hour."""
    rounds = Rounds(200)

    rounds.went(199)
    assert not rounds.due()
    rounds.soon()
    assert rounds.due()
    rounds.went(200)
    assert rounds.due()
