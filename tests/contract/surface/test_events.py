"""Every event that was designed exists, says its subject, and stays readable for ever."""

from pathlib import Path

import pytest
from google.protobuf.message_factory import GetMessageClass

from services.chassis.events import names
from tests.contract.surface import contracts
from tools import golden

# The list of the design, section 6, in its order.
DESIGNED = {
    "budget": "BalanceChanged BalanceLow ReservationEnded DriftDetected OverflowBooked",
    "keepa_gateway": "ProductsFetched RateLimited CircuitChanged KeyRejected",
    "autosourcing": """
        JobCreated DiscoveryRequested ScoringRequested JobProgressed PickFound JobStopped
        JobFinished
    """,
    "discovery": """
        DiscoveryCompleted DiscoveryFailed ScoringCompleted ScoringFailed ScoringConfigChanged
    """,
}
EXAMPLES = sorted(golden.GOLDEN.glob("*.bin"))


@pytest.mark.parametrize("service", contracts.SERVICES)
def test_every_designed_event_exists_and_no_other(service: str) -> None:
    """A reader waits for these by name; one that nobody designed has no reader."""
    assert contracts.events(service) == sorted(DESIGNED[service].split())


def test_the_subject_of_an_event_is_its_full_name() -> None:
    """So no table of subjects exists that could be wrong."""
    for event in golden.events():
        assert names.subject(GetMessageClass(event)()) == event.full_name


def test_an_event_file_holds_events_only() -> None:
    """Every message in it is a subject of its stream; what events share is in the service's file."""
    events = {event.full_name for event in golden.events()}
    shared = {field.message_type.full_name for field in contracts.fields() if field.message_type}

    assert events & shared == set()


def test_every_event_has_an_example_that_shows_all_of_it() -> None:
    """A field that is in no example could be lost without anybody noticing."""
    shown = [event for event in golden.events() if golden.newest(event.full_name)]
    grown = [
        event.full_name
        for event in shown
        if golden.newest(event.full_name) != golden.encoded(golden.example(event))
    ]

    assert len(shown) == len(list(golden.events()))
    assert grown == [], "run `python tools/golden.py` and commit the result"


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_what_was_published_once_still_says_the_same(path: Path) -> None:
    """Streams keep events for 30 days, and a reader may be an older or a newer release."""
    (kind,) = (event for event in golden.events() if event.full_name == path.stem.partition("-")[0])

    decoded = GetMessageClass(kind).FromString(path.read_bytes())

    assert golden.text(decoded) == path.with_suffix(".txt").read_text(encoding="utf-8")


def test_no_example_is_of_an_event_that_is_gone() -> None:
    """An event is never taken out of the contracts, even when nobody publishes it any more."""
    known = {event.full_name for event in golden.events()}

    assert {path.stem.partition("-")[0] for path in EXAMPLES} == known
