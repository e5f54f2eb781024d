"""What a schedule makes of its slots, and when it starts next."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.autosourcing.domain.schedule import (
    AGAIN,
    LATEST,
    Schedule,
    SlotOutcome,
    look,
    next_look,
    next_start,
    slot_request_id,
)
from services.autosourcing.domain.spec import Spec

SECOND = timedelta(seconds=1)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def schedule(since: str = "2026-06-01T00:00", hours: tuple[int, ...] = (7,)) -> Schedule:
    begun = at(since)
    return Schedule(UUID(int=7), Spec(profile="textbooks"), hours, begun, begun)


def outcomes(made: Schedule, now: str) -> list[tuple[str, int, SlotOutcome, str]]:
    _, decisions = look(made, at(now))
    return [(str(d.slot.date), d.slot.hour, d.outcome, d.reason) for d in decisions]


def test_a_slot_starts_when_it_comes_and_not_before() -> None:
    made = schedule()

    assert outcomes(made, "2026-06-01T06:59:59") == []
    assert outcomes(made, "2026-06-01T07:00:00") == [("2026-06-01", 7, SlotOutcome.STARTING, "")]


def test_what_was_looked_at_is_not_looked_at_again() -> None:
    """A8: a look remembers how far it went, so the next one finds nothing twice."""
    made, first = look(schedule(), at("2026-06-01T07:00:01"))
    _, second = look(made, at("2026-06-01T07:00:02"))

    assert (len(first), second) == (1, ())
    assert next_look(made) == at("2026-06-02T07:00")


@pytest.mark.parametrize(
    ("late", "outcome"), [(LATEST, SlotOutcome.STARTING), (LATEST + SECOND, SlotOutcome.SKIPPED)]
)
def test_more_than_ten_minutes_late_is_too_late(late: timedelta, outcome: SlotOutcome) -> None:
    """Design 6.6: nobody wants the morning's job at noon."""
    now = (at("2026-06-01T07:00") + late).replace(tzinfo=None).isoformat()

    (found,) = outcomes(schedule(), now)

    assert found[2] is outcome
    if outcome is SlotOutcome.SKIPPED:
        assert found[3] == "It could only start 11 minutes late; 10 are allowed"


def test_after_a_night_without_any_process_every_missed_run_is_reported() -> None:
    """A8: missed runs are told, and not made up for all at once."""
    made = schedule(hours=(1, 5, 9))

    found = outcomes(made, "2026-06-02T09:05")

    assert [each[:3] for each in found] == [
        ("2026-06-01", 1, SlotOutcome.SKIPPED),
        ("2026-06-01", 5, SlotOutcome.SKIPPED),
        ("2026-06-01", 9, SlotOutcome.SKIPPED),
        ("2026-06-02", 1, SlotOutcome.SKIPPED),
        ("2026-06-02", 5, SlotOutcome.SKIPPED),
        ("2026-06-02", 9, SlotOutcome.STARTING),
    ]


@settings(max_examples=20)
@given(st.integers(0, 60), st.sets(st.integers(0, 23), min_size=1))
def test_a_long_absence_is_decided_week_by_week_without_a_gap(days: int, hours: set[int]) -> None:
    """A look is bounded, and the next one goes on where it ended."""
    made = schedule(hours=tuple(sorted(hours)))
    now = made.created_at + timedelta(days=days)
    found = []

    while made.looked_until < now:
        made, decisions = look(made, now)
        assert len(decisions) <= 8 * 24
        found += [(each.slot.date, each.slot.hour) for each in decisions]

    assert len(found) == len(set(found))
    assert len(found) == days * len(hours)


def test_a_paused_schedule_says_so_for_each_slot() -> None:
    made = schedule()

    assert outcomes(replace(made, paused=True), "2026-06-01T07:00")[0][2:] == (
        SlotOutcome.SKIPPED,
        "The schedule is paused",
    )
    until = replace(made, pause_until=at("2026-06-02T07:00"))
    assert outcomes(until, "2026-06-01T07:00")[0][2:] == (
        SlotOutcome.SKIPPED,
        "The schedule is paused until 2026-06-02 07:00 UTC",
    )
    after, _ = look(until, at("2026-06-02T06:00"))
    assert outcomes(after, "2026-06-02T07:00")[0][2] is SlotOutcome.STARTING


def test_a_date_to_be_skipped_is_one_of_its_own_zone() -> None:
    """A reseller in Auckland means the day there, most of which is yesterday in UTC."""
    made = replace(
        schedule("2026-06-01T00:00"), time_zone="Pacific/Auckland", skip_dates=(date(2026, 6, 2),)
    )

    (found,) = outcomes(made, "2026-06-01T19:00")

    assert found == ("2026-06-02", 7, SlotOutcome.SKIPPED, "2026-06-02 is a date to be skipped")


def test_an_hour_left_out_by_daylight_saving_is_missed() -> None:
    """Design 6.6: MISSED with its reason, not run an hour later."""
    made = replace(schedule("2026-03-28T12:00", hours=(2, 3)), time_zone="Europe/Paris")

    found = outcomes(made, "2026-03-29T01:00")

    assert found == [
        (
            "2026-03-29",
            2,
            SlotOutcome.MISSED,
            "On 2026-03-29 clocks skipped 02:00 in Europe/Paris",
        ),
        ("2026-03-29", 3, SlotOutcome.STARTING, ""),
    ]


def test_the_next_start_passes_over_what_is_held_back() -> None:
    made = replace(
        schedule("2026-03-28T00:00", hours=(2,)),
        time_zone="Europe/Paris",
        skip_dates=(date(2026, 3, 30),),
        pause_until=at("2026-03-28T12:00"),
    )

    # The 28th is paused, the 29th has no such hour, the 30th is to be skipped.
    assert next_start(made, at("2026-03-28T00:00")) == at("2026-03-31T00:00")
    assert next_start(replace(made, paused=True), at("2026-03-28T00:00")) is None


def test_a_pause_ends_at_its_instant_and_no_later() -> None:
    made = replace(schedule(), pause_until=at("2026-06-05T07:00"))

    assert next_start(made, at("2026-06-01T00:00")) == at("2026-06-05T07:00")


def test_a_pause_to_the_end_of_time_has_no_next_start() -> None:
    """The contract lets a caller name the year 9999."""
    made = replace(schedule(), pause_until=at("9999-12-31T23:00"))

    assert next_start(made, at("2026-06-01T00:00")) is None


def test_each_slot_has_a_request_of_its_own_for_ever() -> None:
    """A8: whichever replica asks, and however often, the slot's job is the same one."""
    _, decisions = look(schedule(hours=tuple(range(24))), at("2026-06-03T00:00"))
    ids = [slot_request_id(UUID(int=7), each.slot) for each in decisions]

    assert len(set(ids)) == len(ids) == 48
    assert ids[0] == slot_request_id(UUID(int=7), decisions[0].slot)
    assert ids[0] != slot_request_id(UUID(int=8), decisions[0].slot)


def test_a_pause_that_ended_before_the_calendar_began_holds_nothing_back() -> None:
    """The first instant that the contract can say has none before it; the list must not fail."""
    made = replace(schedule(), pause_until=datetime.min.replace(tzinfo=UTC))

    assert next_start(made, at("2026-06-01T06:00")) == at("2026-06-01T07:00")
    assert outcomes(made, "2026-06-01T07:00:00") == [("2026-06-01", 7, SlotOutcome.STARTING, "")]


def test_a_zone_that_is_gone_is_a_problem_until_it_is_known_again() -> None:
    """Nobody knows which hours came meanwhile, so none is passed over: they are told later."""
    made, now = schedule(), at("2026-06-01T09:00")
    lost = replace(made, time_zone="Europe/Nowhere")

    seen, decisions = look(lost, now)

    assert (decisions, seen.looked_until) == ((), made.looked_until)
    assert "Europe/Nowhere" in seen.problem
    assert next_look(seen) == now + AGAIN
    assert next_look(lost) == made.looked_until
    assert next_start(seen, now) is None

    found, decisions = look(replace(seen, time_zone="UTC"), now)

    assert [each.outcome for each in decisions] == [SlotOutcome.SKIPPED]
    assert (found.problem, found.again_at) == ("", None)
    assert next_look(found) == at("2026-06-02T07:00")
