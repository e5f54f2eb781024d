"""Domain values as messages: reservations that share a template, and what an entry's kind does not say."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

from arbitragevault.budget.v1 import budget_pb2 as pb

from services.budget.api import responses
from services.budget.domain.entries import Settled
from services.budget.domain.reservation import HOLD, Reservation, Tags, Terms
from services.budget.domain.rules import Kind, Priority, Stage
from tests.unit.budget.support import granted, opened

NOW = datetime(2026, 11, 21, tzinfo=UTC)


def test_a_reservation_of_a_batch_is_told_as_if_it_were_alone() -> None:
    """Whatever differs between two of one batch, each is told with its own."""
    tags = Tags(caller="one", action="manual_search", endpoint="/product", job=uuid4())
    terms = [
        Terms(id=uuid4(), tokens=1),
        Terms(id=uuid4(), tokens=1),
        Terms(id=uuid4(), tokens=2, account="other"),
        Terms(id=uuid4(), tokens=1, priority=Priority.JOB, parent=uuid4(), tags=tags),
        Terms(id=uuid4(), tokens=1, kind=Kind.ENVELOPE),
    ]
    told = [
        Reservation(terms=each, stage=stage, created_at=NOW, sequence=number, expires_at=end)
        for end in (NOW + HOLD, NOW + timedelta(hours=1))
        for stage in (Stage.HELD, Stage.COMMITTED)
        for number, each in enumerate(terms, 1)
    ]
    answer = pb.BatchReserveTokensResponse()

    for each in told:
        responses.write(each, answer.results.add().reservation)

    expected = [responses.reservation(each) for each in told]
    assert [result.reservation for result in answer.results] == expected


def test_what_a_full_bucket_hides_is_told_to_be_presumed() -> None:
    """T9: who forgot a hold at a full bucket finds its bound booked, and why."""
    book = opened(1200)
    granted(book.reserve(15, hold=timedelta(seconds=5)))
    book.pass_time(70)
    book.sweep()
    book.see(1200)

    (settled,) = [each for each in book.entries if isinstance(each.fact, Settled)]

    assert settled.fact.tokens == 15
    told = responses.entry(settled, "default").note
    assert told == "Presumed: 15 of them the full bucket may have made up for."
