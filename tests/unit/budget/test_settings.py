"""What budget is told at start, and what it refuses to be told."""

import pytest
from pydantic import ValidationError

from services.budget.settings import Settings

URL = "postgresql+asyncpg://budget:secret@127.0.0.1/x"
SANDBOX = "http://127.0.0.1:8090"


def test_the_usual_settings_are_keepas_own() -> None:
    settings = Settings(database_url=URL)

    assert (settings.port, settings.keepa_tick_seconds) == (50051, 60.2)


@pytest.mark.parametrize(
    "address",
    ["https://api.keepa.com", "https://API.keepa.com:443/", "http://user@api.keepa.com./x", ""],
)
def test_time_is_never_scaled_against_the_real_keepa(address: str) -> None:
    """Ticks counted too early would be spent before they are there."""
    with pytest.raises(ValidationError, match=r"KEEPA_TICK_SECONDS must be 60\.2"):
        Settings(database_url=URL, keepa_tick_seconds=1, keepa_base_url=address)


def test_a_sandbox_may_scale_time() -> None:
    settings = Settings(database_url=URL, keepa_tick_seconds=0.5, keepa_base_url=SANDBOX)

    assert settings.keepa_tick_seconds == 0.5


@pytest.mark.parametrize("seconds", [0, -1, 61, float("nan")])
def test_a_tick_out_of_range_is_refused(seconds: float) -> None:
    with pytest.raises(ValidationError):
        Settings(database_url=URL, keepa_tick_seconds=seconds, keepa_base_url=SANDBOX)
