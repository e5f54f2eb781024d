"""Tokens: accounts, the ledger, who spent and who holds them."""

from collections.abc import Sequence

from arbitragevault.budget.v1 import budget_pb2 as budget
from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from services.cli.audit import Audit
from services.cli.show.words import above_name, grid, span, table_of_named, word


def account(shown: budget.Account) -> Table:
    """Show the state of an account."""
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim")
    table.add_column(justify="right")
    if shown.state == budget.BALANCE_STATE_NEVER_OBSERVED:
        table.add_row("balance", "unknown: Keepa has not been asked yet")
        return table
    table.add_row("balance", f"{shown.balance_token_count} of {shown.capacity_token_count} tokens")
    table.add_row("available", f"{shown.available_token_count}")
    table.add_row("held for open calls", f"{shown.held_token_count}")
    if shown.unsettled_token_count:
        table.add_row("outcome unknown", f"{shown.unsettled_token_count}")
    table.add_row("refill", f"{shown.refill_rate} a minute")
    table.add_row("spent so far", f"{shown.spent_token_count}")
    if shown.state == budget.BALANCE_STATE_STALE:
        table.add_row("state", Text("stale: nothing is granted until Keepa is asked", "yellow"))
    if shown.warning:
        table.add_row("warning", Text(shown.warning, style="yellow"))
    return table


def ledger(entries: Sequence[budget.LedgerEntry], *, heading: bool = True) -> Table:
    """Show ledger entries, one a line; a line that follows others needs no heading."""
    table = Table(box=None, show_header=heading)
    for name in ("#", "time", "entry", "tokens", "available", "for", "note"):
        table.add_column(name)
    for entry in entries:
        table.add_row(
            str(entry.sequence),
            entry.create_time.ToDatetime().strftime("%H:%M:%S"),
            word(budget.LedgerEntryKind, entry.kind, "LEDGER_ENTRY_KIND_"),
            str(entry.token_count),
            str(entry.available_token_count),
            " ".join(filter(None, (entry.action, entry.endpoint))),
            entry.note,
        )
    return table


def audit(shown: Audit) -> RenderableType:
    """Show the ledger beside the sandbox's truth."""
    table = Table("", "ledger", "sandbox", box=None)
    table.add_row("tokens spent", str(shown.booked), str(shown.charged))
    table.add_row("balance", str(shown.after.projected), str(shown.after.balance))
    table.add_row("outcome unknown", str(shown.after.unsettled), "")
    table.add_row("lowest balance ever", "", str(shown.after.lowest))
    verdict = (
        Text("Every token is accounted for.", style="bold green")
        if shown.balanced
        else Text("The ledger and the sandbox differ.", style="bold red")
    )
    return Panel(Group(table, verdict), title="Ledger against truth", title_align="left")


def usage(rows: Sequence[budget.UsageRow], by: Sequence[str]) -> Table:
    """Show sums of what was spent, one a line."""
    table = Table(*by, "tokens", "calls", "outcome unknown", box=None)
    for row in rows:
        known = [str(getattr(row, each.lower())) or "-" for each in by]
        unknown = str(row.unsettled_token_count or "")
        table.add_row(*known, str(row.token_count), str(row.call_count), unknown)
    return table


def reservations(shown: Sequence[budget.Reservation]) -> Table:
    """Show for what tokens are held, each with its name to be copied below it."""
    table = table_of_named(shown, "for", "state", "held", "spent", "by", "since")
    for each in shown:
        purpose = " ".join(filter(None, (each.action, each.endpoint, each.job)))
        table.add_row(
            above_name(purpose or "no action", each.name),
            word(budget.ReservationState, each.state, "RESERVATION_STATE_"),
            str(each.token_count),
            str(each.committed_token_count),
            each.caller,
            f"{each.create_time.ToDatetime():%H:%M:%S}",
        )
    return table


def accounts(shown: Sequence[budget.Account]) -> Table:
    """Show accounts, one a line."""
    table = Table("account", "balance", "of", "available", "refill a minute", "spent", box=None)
    for each in shown:
        unknown = each.state == budget.BALANCE_STATE_NEVER_OBSERVED
        table.add_row(
            each.name.removeprefix("accounts/"),
            "unknown" if unknown else str(each.balance_token_count),
            str(each.capacity_token_count),
            str(each.available_token_count),
            str(each.refill_rate),
            str(each.spent_token_count),
        )
    return table


def actions(shown: Sequence[budget.Action]) -> Table:
    """Show what can be started, one a line."""
    table = Table("action", "about", "tokens", "", box=None)
    for each in shown:
        name = each.name.removeprefix("actions/")
        table.add_row(name, each.display_name, str(each.token_count), each.unit_description)
    return table


def action_check(shown: budget.CheckActionResponse) -> Table:
    """Show whether something could start."""
    waits = not shown.allowed and shown.HasField("start_time")
    return grid(
        [
            ("may start", Text("yes", "green") if shown.allowed else Text("not now", "yellow")),
            ("available", f"{shown.balance_token_count} tokens"),
            ("needed", f"{shown.required_token_count} tokens"),
            ("missing", str(shown.deficit_token_count or "")),
            ("could start in", span(shown.wait_duration) if waits else ""),
            ("could start", "" if shown.allowed or waits else "never: it is more than fits"),
            ("warning", Text(shown.warning, style="yellow") if shown.warning else ""),
        ]
    )


def ledger_check(shown: budget.VerifyLedgerResponse) -> RenderableType:
    """Show what a replay of the ledger has found."""
    verdict = (
        Text("Every entry follows from those before it.", style="green")
        if shown.consistent
        else Text("The ledger breaks its rules.", style="bold red")
    )
    earlier = f", up to {shown.checkpoint_sequence} earlier" if shown.checkpoint_sequence else ""
    facts = grid(
        [
            ("entries", f"{shown.verified_sequence} of {shown.newest_sequence}{earlier}"),
            ("spent", f"{shown.spent_token_count} tokens"),
        ]
    )
    if not shown.violations:
        return Group(verdict, facts)
    table = Table("rule", "#", "what is wrong", box=None)
    for each in shown.violations:
        table.add_row(each.invariant, str(each.sequence), each.description)
    return Group(verdict, facts, table)
