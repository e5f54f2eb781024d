"""Whatever the services can be asked, a person at a terminal can ask, or there is a reason."""

import re
from pathlib import Path
from typing import Any

import typer.main
from arbitragevault.autosourcing.v1 import autosourcing_pb2
from arbitragevault.budget.v1 import budget_pb2
from arbitragevault.discovery.v1 import discovery_pb2
from arbitragevault.keepa_gateway.v1 import keepa_gateway_pb2

from services.cli.app import app

SOURCES = Path(__file__).parents[3] / "services" / "cli"
ASKED = re.compile(r"stack\.(budget|keepa_gateway|discovery|autosourcing)\.([A-Z]\w+)")
CONTRACTS = {
    "budget": budget_pb2,
    "keepa_gateway": keepa_gateway_pb2,
    "discovery": discovery_pb2,
    "autosourcing": autosourcing_pb2,
}
OF_MACHINES = (
    "the protocol of who pays for a call: a person who held tokens would only block others"
)
LEFT_OUT = {
    ("budget", "ReserveTokens"): OF_MACHINES,
    ("budget", "CommitReservation"): OF_MACHINES,
    ("budget", "ReleaseReservation"): OF_MACHINES,
    ("budget", "ExtendReservation"): OF_MACHINES,
    ("budget", "BatchReserveTokens"): OF_MACHINES,
    ("budget", "ReportBalance"): "only what Keepa said may be believed; `keepa check` asks it",
    ("keepa_gateway", "GetEgressStatus"): "`keepa status` shows it beside the tokens",
    ("budget", "GetReservation"): "`tokens reservations` shows all that there is to one",
}


def test_every_method_is_asked_by_a_command_or_left_out_for_a_reason() -> None:
    """Who adds a method decides whether a reseller needs it."""
    offered = {
        (service, method.name)
        for service, contract in CONTRACTS.items()
        for definition in contract.DESCRIPTOR.services_by_name.values()
        for method in definition.methods
    }
    asked = {pair for file in SOURCES.rglob("*.py") for pair in ASKED.findall(file.read_text())}

    assert len(offered) > 80
    assert asked <= offered
    assert offered - asked == set(LEFT_OUT)


def commands(group: Any, path: str = "avault") -> list[tuple[str, Any]]:
    """Every command below a group, with the words that call it."""
    found: list[tuple[str, Any]] = []
    for name, command in group.commands.items():
        found.append((f"{path} {name}", command))
        if hasattr(command, "commands"):
            found += commands(command, f"{path} {name}")
    return found


def test_every_command_and_option_says_what_it_is_for() -> None:
    """`--help` is the manual."""
    known = commands(typer.main.get_command(app))

    silent = [path for path, command in known if not command.get_short_help_str()]
    silent += [
        f"{path}: {one.name}"
        for path, command in known
        for one in command.params
        if one.name != "help" and not one.help
    ]

    assert len(known) > 80
    assert not silent
