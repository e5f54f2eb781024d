"""Faults strike whom they were ordered for, and nobody else."""

import msgspec
import pytest

from deploy.sandbox.faults import KINDS, UNCHARGED, FaultOrder, Faults

NOW = 1_800_000_000_000


def order(**fields: object) -> FaultOrder:
    return msgspec.convert(fields, FaultOrder)


def test_a_fault_without_a_measure_strikes_once() -> None:
    """The usual order in a test: the next request goes wrong, the one after it is fine."""
    faults = Faults()
    faults.arm(order(fault="garbage"), NOW)

    assert faults.take("/product", NOW)
    assert faults.take("/product", NOW) is None


def test_a_fault_strikes_the_path_it_names_after_the_requests_it_skips() -> None:
    """A test must be able to break exactly the third page of a job."""
    faults = Faults()
    faults.arm(order(fault="hang", path="/product", skip=2, requests=2), NOW)

    struck = [bool(faults.take("/product", NOW)) for _ in range(6)]

    assert struck == [False, False, True, True, False, False]
    assert faults.take("/token", NOW) is None


def test_a_fault_of_some_seconds_ends_by_itself() -> None:
    """A storm is a duration, not a count."""
    faults = Faults()
    faults.arm(order(fault="rate_limited", seconds=2), NOW)

    assert all(faults.take("/token", NOW + ms) for ms in (0, 500, 1_999))
    assert faults.take("/token", NOW + 2_000) is None


async def test_clearing_disarms_all_and_lets_go_of_those_that_hang() -> None:
    faults = Faults()
    faults.arm(order(fault="status", requests=100), NOW)
    waiting = faults.cleared

    faults.clear()

    assert waiting.is_set()
    assert faults.take("/token", NOW) is None
    assert not faults.armed(NOW)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_says_whether_the_struck_call_is_paid_for(kind: str) -> None:
    """A lost answer was paid; a refused one was not; the order may say otherwise."""
    assert order(fault=kind).pays is (kind not in UNCHARGED)
    assert order(fault=kind, charged=True).pays
    assert not order(fault=kind, charged=False).pays


@pytest.mark.parametrize(
    "fields",
    [
        {"fault": "explode"},
        {"fault": "delay", "milliseconds": -1},
        {"fault": "status", "status": 200},
        {"fault": "hang", "requests": 0},
        {"fault": "hang", "seconds": 0},
        {"fault": "close", "at": "after"},
        {"fault": "garbage", "times": 3},
    ],
)
def test_an_order_that_makes_no_sense_is_refused(fields: dict[str, object]) -> None:
    """A misspelt fault that strikes nobody would make a chaos test pass for nothing."""
    with pytest.raises(msgspec.ValidationError):
        order(**fields)


pytestmark = pytest.mark.anyio
