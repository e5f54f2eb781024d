"""What each process of the stack is told, and what it is not."""

import shlex
from dataclasses import replace
from pathlib import Path

import pytest

from deploy.local import stack
from deploy.local.stack import SERVICES, Addresses, Ports, Sandbox

KEY = "a-very-secret-keepa-key"
MIGRATOR = "postgresql://migrator:migrators-password@db/prod"
OURS = {
    "PATH": "/usr/bin",
    "KEEPA_API_KEY": KEY,
    "DATABASE_URL": MIGRATOR,
    "HTTPS_PROXY": "http://proxy:3128",
    "BUDGET_LOG_LEVEL": "DEBUG",
    "DISCOVERY_PORT": "1",
    "LOG_LEVEL": "WARNING",
    "AWS_SECRET_ACCESS_KEY": "unrelated",
}


def addresses() -> Addresses:
    return Addresses(
        ports=Ports(),
        database_urls={name: f"postgresql+asyncpg://{name}@db/prod" for name in SERVICES},
        nats_url="nats://127.0.0.1:4222",
        nats_monitor_url="http://127.0.0.1:8222",
        keepa_url="http://127.0.0.1:8090",
        key_file=Path("/data/secrets/keepa_api_key"),
        tick_seconds=60.2,
    )


@pytest.mark.parametrize("service", SERVICES)
def test_no_service_is_given_the_key_itself_or_the_migrators_password(service: str) -> None:
    """An environment is readable by anything that runs as the same user."""
    told = stack.service_environment(service, addresses(), OURS)

    assert KEY not in told.values()
    assert MIGRATOR not in told.values()
    assert "AWS_SECRET_ACCESS_KEY" not in told


@pytest.mark.parametrize("service", SERVICES)
def test_only_the_gateway_learns_where_the_key_and_the_way_out_are(service: str) -> None:
    """It is the only way out; the others have no use for either."""
    told = stack.service_environment(service, addresses(), OURS)

    is_gateway = service == "keepa_gateway"
    assert ("KEEPA_API_KEY_FILE" in told) == is_gateway
    assert ("HTTPS_PROXY" in told) == is_gateway


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_knows_its_own_database_role_only(service: str) -> None:
    told = stack.service_environment(service, addresses(), OURS)

    urls = {name for name in told if name.endswith("DATABASE_URL")}
    assert urls == {f"{service.upper()}_DATABASE_URL"}


def test_targets_follow_the_one_way_of_the_calls() -> None:
    """Nothing calls to its left, so nothing is told where its callers are."""
    targets = {
        service: {
            name
            for name in stack.service_settings(service, addresses())
            if name.endswith("_TARGET")
        }
        for service in SERVICES
    }

    assert targets == {
        "budget": set(),
        "keepa_gateway": {"BUDGET_TARGET"},
        "discovery": {"KEEPA_GATEWAY_TARGET", "BUDGET_TARGET"},
        "autosourcing": {"DISCOVERY_TARGET", "BUDGET_TARGET"},
    }


def test_a_services_own_variables_pass_but_the_stack_decides_the_port() -> None:
    """Any setting of a service can be changed from outside without the stack knowing it."""
    budget = stack.service_environment("budget", addresses(), OURS)
    discovery = stack.service_environment("discovery", addresses(), OURS)

    assert budget["BUDGET_LOG_LEVEL"] == "DEBUG"
    assert "BUDGET_LOG_LEVEL" not in discovery
    assert discovery["DISCOVERY_PORT"] == "50053"


def test_budget_is_told_of_a_stand_in_so_that_shortened_ticks_are_believed() -> None:
    """Budget refuses KEEPA_TICK_SECONDS against a real account: unasked, it takes Keepa for one."""
    scaled = replace(addresses(), tick_seconds=1.0)
    real = replace(addresses(), keepa_url=None)

    told = stack.service_settings("budget", scaled)

    assert told["KEEPA_TICK_SECONDS"] == "1.0"
    assert told["KEEPA_BASE_URL"] == scaled.keepa_url
    assert "KEEPA_BASE_URL" not in stack.service_settings("budget", real)
    for other in ("discovery", "autosourcing"):
        assert "KEEPA_BASE_URL" not in stack.service_settings(other, scaled)


def test_one_number_moves_every_port_and_none_meets_another() -> None:
    """A second stack beside the first needs nothing but that number."""
    ports = Ports.above(51000)

    all_ports = [ports.of(name) for name in ("postgres", "nats", "sandbox", *SERVICES)]
    assert sorted(all_ports) == list(range(51001, 51008))
    assert [ports.of(name) for name in SERVICES] == [51001, 51002, 51003, 51004]


def test_the_sandbox_is_told_its_catalogue_only_when_there_is_one() -> None:
    plain = stack.sandbox_command(Sandbox(), 8090, 60.2)
    recorded = stack.sandbox_command(Sandbox(Path("/answers"), balance=0), 8090, 60.2)

    assert "--catalog" not in plain
    assert "--balance" not in plain
    assert recorded[-4:] == ("--catalog", "/answers", "--balance", "0")


def test_the_key_shows_in_no_trace() -> None:
    """A failing assertion or an uncaught exception prints values like this one."""
    assert KEY not in repr(stack.Keepa(key=KEY))


def test_the_command_line_client_is_told_where_a_moved_stack_is() -> None:
    """Otherwise `avault` asks the usual ports, where nobody or somebody else's stack answers."""
    assert stack.avault_lines(Ports()) == (".venv/bin/avault balance",)
    export, _ = stack.avault_lines(Ports.above(21000))
    assert export == (
        "export BUDGET_TARGET=127.0.0.1:21001 KEEPA_GATEWAY_TARGET=127.0.0.1:21002 "
        "DISCOVERY_TARGET=127.0.0.1:21003 AUTOSOURCING_TARGET=127.0.0.1:21004"
    )


def test_a_service_is_started_by_hand_from_a_folder_with_spaces() -> None:
    """A shell took the line apart at the space and ran half of a path."""
    settings = Path("/my data/env/budget.env")

    variable, *command = shlex.split(stack.by_hand_line("budget", settings))

    assert variable == f"ARBITRAGEVAULT_ENV_FILE={settings}"
    assert tuple(command) == stack.service_command("budget")


def test_three_calls_to_try_name_a_port_and_a_method() -> None:
    lines = stack.grpcurl_lines(Ports())

    assert len(lines) == 3
    assert lines[0] == (
        "grpcurl -plaintext 127.0.0.1:50051 arbitragevault.budget.v1.BudgetService/ListAccounts"
    )
