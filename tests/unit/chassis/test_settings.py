"""Settings: where each value comes from, and what a bad one is told."""

from typing import Any

import pytest
from pydantic import Field

from services.chassis import settings as chassis
from services.chassis import sql
from services.chassis.settings import ServiceSettings, load, shared


class GatewaySettings(ServiceSettings, env_prefix="KEEPA_GATEWAY_"):
    """A service with one setting of its own, and one it shares."""

    port: int = 50052
    per_minute: int = Field(20, ge=1, description="requests to Keepa")
    keepa_base_url: str = Field("https://api.keepa.com", validation_alias=shared("KEEPA_BASE_URL"))


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Nothing set but the database."""
    for name in ("DATABASE_URL", "NATS_URL", "LOG_LEVEL", chassis.ENV_FILE):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("KEEPA_GATEWAY_DATABASE_URL", "postgresql://gateway:pw@db/x")
    return monkeypatch


def _complaints(capsys: pytest.CaptureFixture[str]) -> list[str]:
    with pytest.raises(SystemExit) as exit_:
        load(GatewaySettings)
    assert exit_.value.code == 2
    return capsys.readouterr().err.splitlines()


def test_own_settings_are_prefixed_and_shared_ones_are_not(
    environment: pytest.MonkeyPatch,
) -> None:
    """One ``NATS_URL`` serves all; one ``PORT`` would serve none."""
    environment.setenv("KEEPA_GATEWAY_PORT", "7")
    environment.setenv("NATS_URL", "nats://elsewhere")
    environment.setenv("KEEPA_BASE_URL", "http://sandbox")

    found = load(GatewaySettings)

    assert (found.port, found.nats_url) == (7, "nats://elsewhere")
    assert found.keepa_base_url == "http://sandbox"
    assert found.database_url == "postgresql+asyncpg://gateway:pw@db/x"


def test_the_database_of_a_service_follows_from_the_migrators(
    environment: pytest.MonkeyPatch,
) -> None:
    """One variable is enough; each service still is its own role."""
    environment.delenv("KEEPA_GATEWAY_DATABASE_URL")
    environment.setenv("DATABASE_URL", "postgresql://migrator:secret@db:5432/x")

    found = load(GatewaySettings)

    assert found.database_url == sql.role_url(
        "postgresql://migrator:secret@db:5432/x", "keepa_gateway"
    )
    assert found.database_url.startswith("postgresql+asyncpg://keepa_gateway:")
    assert "secret" not in found.database_url


def test_two_services_have_two_passwords() -> None:
    """Who knows one role's password must not know the next one's."""
    urls = {sql.role_url("postgresql://m:secret@db/x", name) for name in ("budget", "discovery")}

    assert len({url.split(":")[2].split("@")[0] for url in urls}) == 2


def test_a_migrator_without_a_password_is_one_sentence(
    environment: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """An empty one would derive passwords that everybody can compute."""
    environment.delenv("KEEPA_GATEWAY_DATABASE_URL")
    environment.setenv("DATABASE_URL", "postgresql://migrator@db/x")

    (complaint,) = _complaints(capsys)

    assert "set KEEPA_GATEWAY_DATABASE_URL" in complaint


def test_a_missing_database_names_both_ways_to_give_it(
    environment: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The reader of the message chooses."""
    environment.delenv("KEEPA_GATEWAY_DATABASE_URL")

    (complaint,) = _complaints(capsys)

    assert complaint.startswith("KEEPA_GATEWAY_DATABASE_URL: set it, or DATABASE_URL")


def test_every_bad_value_is_told_at_once_by_name_and_never_shown(
    environment: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Settings hold secrets, and messages end up in tickets."""
    environment.setenv("KEEPA_GATEWAY_PORT", "hunter2")
    environment.setenv("KEEPA_GATEWAY_PER_MINUTE", "0")
    environment.setenv("LOG_LEVEL", "hunter2")

    complaints = _complaints(capsys)

    assert [line.partition(":")[0] for line in complaints] == [
        "KEEPA_GATEWAY_PORT",
        "LOG_LEVEL",
        "KEEPA_GATEWAY_PER_MINUTE",
    ]
    assert "requests to Keepa" in complaints[2]
    assert "hunter2" not in "".join(complaints)


def test_a_file_fills_what_the_environment_leaves_open(
    environment: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    """The environment wins, so one value can be changed for one run."""
    file = tmp_path / "settings.env"
    file.write_text("KEEPA_GATEWAY_PORT=8\nNATS_URL=nats://from-file\n")
    environment.setenv(chassis.ENV_FILE, str(file))
    environment.setenv("KEEPA_GATEWAY_PORT", "9")
    environment.setenv("NATS_URL", "")
    environment.delenv("NATS_URL")

    found = load(GatewaySettings)

    assert (found.port, found.nats_url) == (9, "nats://from-file")


def test_a_missing_file_is_one_sentence(
    environment: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Silently starting without it would start with defaults."""
    environment.setenv(chassis.ENV_FILE, "/nowhere/settings.env")

    (complaint,) = _complaints(capsys)

    assert "/nowhere/settings.env" in complaint


def test_settings_do_not_show_their_secrets() -> None:
    """They are logged at start by somebody, some day."""
    assert "pw@" not in repr(load(GatewaySettings))
