"""A bad setting is one sentence that names it; a good one switches exactly one part."""

from pathlib import Path

import pytest

from deploy.local import settings
from deploy.local.settings import BadSetting, Choices
from deploy.local.stack import (
    DEFAULT_TICK_SECONDS,
    SHORTEST_TICK_SECONDS,
    Ports,
    Sandbox,
)
from services.chassis import settings as chassis


def read(environment: dict[str, str], catalog: Path | None = None) -> Choices:
    sandbox = Sandbox(catalog=catalog)
    return settings.read_environment(environment, ports=Ports(), sandbox=sandbox, data=None)


def test_with_nothing_set_everything_is_embedded() -> None:
    """A plain checkout needs no server."""
    choices = read({})

    assert choices.database_url is None
    assert choices.nats_url is None
    assert choices.keepa.is_sandbox
    assert choices.keepa.tick_seconds == 60.2


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DATABASE_URL", "postgresql+asyncpg://m:pw@db:5432/prod"),
        ("NATS_URL", "nats://a:4222,nats://b:4222"),
        ("KEEPA_BASE_URL", "http://127.0.0.1:8090"),
        ("KEEPA_API_KEY", "k" * 64),
    ],
)
def test_each_variable_replaces_its_own_part_and_no_other(name: str, value: str) -> None:
    """Nothing else changes when one engine is outgrown."""
    choices = read({name: value})

    assert (choices.database_url is None) == (name != "DATABASE_URL")
    assert (choices.nats_url is None) == (name != "NATS_URL")
    assert choices.keepa.is_sandbox == (not name.startswith("KEEPA"))


def test_a_key_file_is_read_at_once_and_kept_as_a_path(tmp_path: Path) -> None:
    """A missing or empty file would otherwise show only when the first call is refused."""
    file = tmp_path / "key"
    file.write_text("secret\n")

    choices = read({"KEEPA_API_KEY_FILE": str(file)})

    assert choices.keepa.key_file == file
    assert choices.keepa.key is None


@pytest.mark.parametrize(
    ("environment", "told"),
    [
        ({"DATABASE_URL": "mysql://u:hunter2@h/x"}, "DATABASE_URL must look like postgresql://"),
        ({"DATABASE_URL": "postgresql://u:hunter2@h:port/x"}, "DATABASE_URL must look like"),
        ({"NATS_URL": "hunter2"}, "NATS_URL must look like nats://"),
        ({"KEEPA_BASE_URL": "ftp://hunter2"}, "KEEPA_BASE_URL must look like http://"),
        ({"KEEPA_BASE_URL": "https://api.keepa.com"}, "no key"),
        ({"KEEPA_API_KEY": "hunter2", "KEEPA_API_KEY_FILE": "/x"}, "both set"),
        ({"KEEPA_API_KEY_FILE": "/nowhere/key"}, "KEEPA_API_KEY_FILE cannot be read"),
        ({"KEEPA_TICK_SECONDS": "soon"}, "KEEPA_TICK_SECONDS must be"),
        ({"KEEPA_TICK_SECONDS": "nan"}, "KEEPA_TICK_SECONDS must be"),
        ({"KEEPA_TICK_SECONDS": "1", "KEEPA_API_KEY": "hunter2"}, "for a sandbox only"),
        ({"BUDGET_DATABASE_URL": "postgresql://u:hunter2@h/x"}, "DATABASE_URL, which makes"),
    ],
)
def test_a_bad_variable_is_named_without_its_value(environment: dict[str, str], told: str) -> None:
    """It may be a password in the wrong place, and it may end in a log."""
    with pytest.raises(BadSetting) as refused:
        read(environment)

    assert told in str(refused.value)
    assert "hunter2" not in str(refused.value)
    assert "\n" not in str(refused.value)


def test_the_runner_takes_the_ticks_that_the_services_take() -> None:
    """Or a stack would be made whose services do not start."""
    taken = (chassis.SHORTEST_TICK_SECONDS, chassis.KEEPA_TICK_SECONDS)

    assert taken == (SHORTEST_TICK_SECONDS, DEFAULT_TICK_SECONDS)


def test_a_catalogue_that_is_not_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadSetting, match="--catalog must name a folder"):
        read({}, catalog=tmp_path / "absent")


@pytest.mark.parametrize("base", [0, 80, 65530, 70000])
def test_a_base_that_leaves_no_room_for_all_ports_is_refused(base: int) -> None:
    with pytest.raises(BadSetting, match="--port-base must be from 1024 to 65528"):
        settings.ports_above(base, postgres=None, nats=None)


def test_an_engines_own_port_wins_over_the_base() -> None:
    ports = settings.ports_above(51000, postgres=6000, nats=None)

    assert ports.postgres == 6000
    assert ports.nats == 51006
