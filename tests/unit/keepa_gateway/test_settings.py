"""Claims about what the gateway refuses to start with."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from services.keepa_gateway.settings import Settings

BASE = {"database_url": "postgresql://keepa_gateway:x@127.0.0.1/x", "keepa_api_key": "k" * 64}


@pytest.mark.parametrize(
    "url", ["http://api.keepa.com", "http://10.0.0.1:8090", "ftp://127.0.0.1", "https://", "x"]
)
def test_the_key_never_travels_in_the_clear(url: str) -> None:
    """Plain HTTP is for this machine alone."""
    with pytest.raises(ValidationError, match="must be https"):
        Settings(**BASE, keepa_base_url=url)


@pytest.mark.parametrize("url", ["http://127.0.0.1:8090", "http://localhost:1", "http://[::1]:1"])
def test_the_sandbox_on_this_machine_is_taken(url: str) -> None:
    assert Settings(**BASE, keepa_base_url=url, keepa_tick_seconds=0.5).keepa_tick_seconds == 0.5


def test_ticks_are_not_scaled_at_keepa_itself() -> None:
    """A wrong tick would let callers in before their tokens are there."""
    with pytest.raises(ValidationError, match="KEEPA_TICK_SECONDS"):
        Settings(**BASE, keepa_tick_seconds=1.0)


def test_a_missing_key_is_named() -> None:
    with pytest.raises(ValidationError, match="KEEPA_API_KEY_FILE"):
        Settings(database_url="postgresql://x:x@127.0.0.1/x")


def test_the_key_is_read_from_its_file(tmp_path: Path) -> None:
    """An environment can be read by every process of the user; a file can be closed to them."""
    file = tmp_path / "key"
    file.write_text("from-the-file\n")

    settings = Settings(**BASE, keepa_api_key_file=file)

    assert settings.read_key() == "from-the-file"


def test_settings_do_not_show_the_key() -> None:
    assert "k" * 64 not in repr(Settings(**BASE))
