"""What a service says when it cannot start: one sentence, what to do, and never a password."""

import socket
from typing import Any

import pytest

from deploy.local.nats import Nats
from services.chassis import preflight
from services.chassis.events import nats
from services.chassis.run import StartError
from services.chassis.settings import ServiceSettings

pytestmark = pytest.mark.anyio

NOWHERE = "127.0.0.1:1"
SECRET = "hunter2-canary"


class GatewaySettings(ServiceSettings, env_prefix="KEEPA_GATEWAY_"):
    """Of a service that has migrations."""


def _settings(**changed: Any) -> GatewaySettings:
    values = {"port": 0, "database_url": "postgresql://a:b@c/d", "start_patience_seconds": 0}
    return GatewaySettings(**{**values, **changed})


async def _sentence(settings: GatewaySettings) -> str:
    with pytest.raises(StartError) as caught:
        await preflight.await_database(settings)
    return str(caught.value)


async def test_a_database_that_is_away_is_named() -> None:
    """A trace would hide what to do, and might show a password."""
    url = f"postgresql://tiny:{SECRET}@{NOWHERE}/x"

    assert await _sentence(_settings(database_url=url)) == (
        f"keepa_gateway cannot reach PostgreSQL at {NOWHERE} (ConnectionRefusedError): start it, "
        "or correct KEEPA_GATEWAY_DATABASE_URL."
    )


async def test_a_wrong_password_names_the_role_and_not_the_password(postgres: str) -> None:
    """The sentence ends up in tickets."""
    url = postgres.replace(postgres.split(":")[2].split("@", maxsplit=1)[0], SECRET)

    sentence = await _sentence(_settings(database_url=url))

    assert "as role postgres" in sentence
    assert SECRET not in sentence


async def test_a_database_without_tables_names_the_command_that_makes_them(databases: Any) -> None:
    """The second likeliest mistake of a first start."""
    sentence = await _sentence(_settings(database_url=databases.server_url))

    assert "the database has none" in sentence
    assert "python -m services.chassis.migrate" in sentence


async def test_a_migrated_database_is_let_pass(postgres: str) -> None:
    """The sentences above must not come from a check that never passes."""
    await preflight.await_database(_settings(database_url=postgres))


async def test_a_broker_that_is_away_is_named() -> None:
    """Without its user and password."""
    with pytest.raises(StartError) as caught:
        await nats.connect(f"nats://tiny:{SECRET}@{NOWHERE}", "tiny", patience_seconds=0.5)

    assert str(caught.value) == (
        f"tiny cannot reach NATS at {NOWHERE} (ConnectionRefusedError): "
        "start it, or correct NATS_URL."
    )


async def test_a_broker_that_forgets_is_refused() -> None:
    """With its default settings a power cut takes events that were acknowledged."""
    with Nats.start(durable=False) as careless, Nats.start() as careful:
        with pytest.raises(StartError, match="sync_interval: always"):
            await nats.check_sync_always(careless.monitor_url)

        await nats.check_sync_always(careful.monitor_url)

    with pytest.raises(StartError, match="NATS_MONITOR_URL does not answer"):
        await nats.check_sync_always(careful.monitor_url)


def test_a_taken_port_is_named_with_what_to_do() -> None:
    """The likeliest mistake of a first start is a second one."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(StartError) as caught:
            preflight.check_port(_settings(port=port))

    assert str(caught.value) == (
        f"keepa_gateway cannot listen on 127.0.0.1:{port}: another process has port {port}; "
        "stop it, or set KEEPA_GATEWAY_PORT."
    )


@pytest.mark.parametrize("host", ["203.0.113.9", "no.such.host.invalid"])
def test_an_address_of_another_machine_is_named(host: str) -> None:
    """A typing error in the address is not a taken port."""
    with pytest.raises(StartError, match="correct KEEPA_GATEWAY_HOST"):
        preflight.check_port(_settings(host=host))
