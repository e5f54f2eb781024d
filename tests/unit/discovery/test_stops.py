"""Why a search stopped, where it came from, and how well the caches serve."""

import pytest

from services.chassis.errors import Kind, Refusal
from services.discovery.domain.health import CacheHealth
from services.discovery.domain.past import SearchSource, source_of
from services.discovery.domain.stops import Stop, StopReason, stop_for, stop_named


@pytest.mark.parametrize(
    ("reason", "domain", "stop"),
    [
        ("WAIT_TIMEOUT", "budget.arbitragevault", StopReason.INSUFFICIENT_TOKENS),
        ("WAIT_TIMEOUT", "keepa_gateway.arbitragevault", StopReason.THROTTLED),
        ("SOMETHING_NEW", None, StopReason.FAULT),
    ],
)
def test_a_refusal_is_read_with_its_domain(
    reason: str, domain: str | None, stop: StopReason
) -> None:
    """Waiting for tokens and waiting for the throttle end with the same word."""
    refusal = Refusal(Kind.RESOURCE_EXHAUSTED, reason, "no", domain=domain)

    assert stop_for(refusal).reason is stop


@pytest.mark.parametrize(
    "code",
    [
        "KEEPA_RATE_LIMITED",
        "INSUFFICIENT_TOKENS",
        "ENVELOPE_EXHAUSTED",
        "DEADLINE_TOO_SHORT",
        "CIRCUIT_OPEN",
        "KEEPA_KEY_REJECTED",
        "THROTTLED",
        "BUDGET_UNAVAILABLE",
        "SOMETHING_NEW",
    ],
)
def test_a_stop_is_told_in_a_sentence(code: str) -> None:
    """Resellers read it as the end of their job: "KEEPA_RATE_LIMITED" is no sentence."""
    told = stop_named(code, None).message

    assert told[0].isupper()
    assert told.endswith(".")
    assert " " in told
    assert code not in told or code == "SOMETHING_NEW"


@pytest.mark.parametrize(
    "reason",
    [
        StopReason.RATE_LIMITED,
        StopReason.INSUFFICIENT_TOKENS,
        StopReason.ENVELOPE_ENDED,
        StopReason.KEY_REJECTED,
        StopReason.FAULT,
    ],
)
def test_a_job_never_sits_out_what_only_spending_less_would_cure(reason: StopReason) -> None:
    """Going on after a 429 took one account from 193 to -17 in a second (INC-4)."""
    assert not Stop(reason).passing


@pytest.mark.parametrize(
    "reason",
    [StopReason.THROTTLED, StopReason.KEEPA_UNAVAILABLE, StopReason.UPSTREAM_UNAVAILABLE],
)
def test_a_job_sits_out_a_way_that_is_closed_for_a_moment(reason: StopReason) -> None:
    """Design 6.4: a closed throttle or breaker makes it wait, to its deadline."""
    assert Stop(reason).passing


@pytest.mark.parametrize(
    ("caller", "source"),
    [
        ("console", SearchSource.FRONTEND),
        ("avault", SearchSource.MANUAL),
        ("my-script", SearchSource.API),
    ],
)
def test_the_caller_s_name_tells_where_a_search_came_from(
    caller: str, source: SearchSource
) -> None:
    """D3."""
    assert source_of(caller) is source


@pytest.mark.parametrize(
    ("hits", "rating"), [(31, "excellent"), (30, "good"), (11, "good"), (10, "low reuse")]
)
def test_a_cache_is_rated_by_its_hits_per_entry(hits: int, rating: str) -> None:
    """D4: more than 3 excellent, more than 1 good."""
    health = CacheHealth(
        cache="discovery", entries=10, expired=0, hits=hits, size_bytes=0, requests=10, served=5
    )

    assert health.rating == rating
    assert not health.alert


def test_a_cache_alerts_below_half_and_stays_calm_when_nobody_asked() -> None:
    """D4: an alarm at an empty start is an alarm nobody reads."""
    idle = CacheHealth(
        cache="discovery", entries=0, expired=0, hits=0, size_bytes=0, requests=0, served=0
    )
    poor = CacheHealth(
        cache="discovery", entries=1, expired=0, hits=4, size_bytes=0, requests=9, served=4
    )

    assert not idle.alert
    assert poor.alert
