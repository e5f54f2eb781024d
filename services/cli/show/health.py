"""How the services are."""

from collections.abc import Sequence

from rich.table import Table
from rich.text import Text

from services.cli.doctor import Check


def checks(shown: Sequence[Check]) -> Table:
    """Show how each service is."""
    table = Table("service", "address", "state", box=None)
    for check in shown:
        style = "green" if check.healthy else "red"
        table.add_row(check.service, check.target, Text(check.told, style=style))
    return table
