"""Tokens: the balance, the ledger, who spent them, who holds them."""

import asyncio
from typing import Annotated

import typer
from arbitragevault.budget.v1 import budget_pb2 as budget
from rich.live import Live

from services.cli import options, show
from services.cli.asking import (
    EXIT_REFUSED,
    asking,
    console,
    first_of,
    progress,
    show_all,
    show_one,
)
from services.cli.patience import patiently, watch_ledger
from services.cli.stack import Stack

LEDGER_PAGE = 1000

app = typer.Typer(
    help="Who spent tokens, who holds them, what may start; none of it spends any.",
    no_args_is_help=True,
)

Account = Annotated[str, typer.Option(help="Id of the account, one for each Keepa key.")]


def balance(
    account: Account = "default",
    *,
    watch: Annotated[bool, typer.Option(help="Stay and show changes.")] = False,
    json: options.Json = False,
) -> None:
    """Show the token balance."""
    request = budget.GetAccountRequest(name=options.full("accounts", account))

    async def ask(stack: Stack) -> None:
        answer = await patiently(lambda: stack.budget.GetAccount(request))
        if not watch:
            show_one(answer.account, show.account(answer.account), json=json)
            return
        # Asked again and again: refills are no entries of the ledger, so no stream tells them.
        with Live(show.account(answer.account), console=console) as live:
            while True:
                await asyncio.sleep(1)
                answer = await patiently(lambda: stack.budget.GetAccount(request))
                live.update(show.account(answer.account))

    asking(ask)


def ledger(
    after: Annotated[int, typer.Option(min=0, help="Only entries after this number.")] = 0,
    last: Annotated[int, typer.Option(min=0, help="Only so many newest entries; 0: all.")] = 0,
    kind: Annotated[str, typer.Option(help="Only this kind, such as committed or foreign.")] = "",
    job_name: options.JobName = "",
    account: Account = "default",
    *,
    follow: Annotated[
        bool, typer.Option("--follow", help="Stay and show new entries as they are stored.")
    ] = False,
    json: options.Json = False,
) -> None:
    """Show the token ledger, entry by entry."""
    if follow and (kind or job_name):
        raise typer.BadParameter("goes with neither --kind nor --job", param_hint="--follow")
    name = options.full("accounts", account)
    request = budget.ListLedgerEntriesRequest(
        account=name,
        after_sequence=after,
        kind=options.named(budget.LedgerEntryKind, "LEDGER_ENTRY_KIND_", kind, "--kind"),
        job=options.full("jobs", job_name) if job_name else "",
        page_size=LEDGER_PAGE,
    )

    async def ask(stack: Stack) -> None:
        if last:
            asked = budget.GetAccountRequest(name=name)
            newest = (await patiently(lambda: stack.budget.GetAccount(asked))).account.sequence
            request.after_sequence = max(after, newest - last)
        seen = request.after_sequence
        while True:
            page = await patiently(lambda: stack.budget.ListLedgerEntries(request))
            show_all(page.entries, show.ledger(page.entries), json=json)
            seen = max([seen, *(entry.sequence for entry in page.entries)])
            if not page.next_page_token:
                break
            request.page_token = page.next_page_token
        if follow:
            async for entry in watch_ledger(stack, name, seen):
                show_one(entry, show.ledger([entry], heading=False), json=json)

    asking(ask)


@app.command()
def usage(
    by: Annotated[
        list[str] | None,
        typer.Option(help="caller, action, endpoint, job or day; may be repeated."),
    ] = None,
    since: options.Since = None,
    until: options.Until = None,
    account: Account = "default",
    *,
    json: options.Json = False,
) -> None:
    """Sum what was spent, largest first."""
    chosen = by or ["action"]
    request = budget.GetUsageRequest(
        account=options.full("accounts", account),
        dimensions=[
            options.named(budget.UsageDimension, "USAGE_DIMENSION_", each, "--by")
            for each in chosen
        ],
        start_time=options.instant(since),
        end_time=options.instant(until),
    )

    async def ask(stack: Stack) -> None:
        answer = await patiently(lambda: stack.budget.GetUsage(request))
        show_all(answer.rows, show.usage(answer.rows, chosen), json=json)
        progress.print(f"{show.tokens_of(answer.total_token_count)} in all")

    asking(ask)


@app.command()
def reservations(
    state: Annotated[
        str,
        typer.Option(
            help="Only waiting, held, committed, released, unknown or settled; without it, all."
        ),
    ] = "",
    job_name: options.JobName = "",
    parent: Annotated[str, typer.Option(help="Only what draws on this envelope.")] = "",
    account: Account = "default",
    *,
    limit: options.Limit = 20,
    json: options.Json = False,
) -> None:
    """List for what tokens are or were held, newest first."""
    request = budget.ListReservationsRequest(
        account=options.full("accounts", account),
        state=options.named(budget.ReservationState, "RESERVATION_STATE_", state, "--state"),
        job=options.full("jobs", job_name) if job_name else "",
        parent=options.full("reservations", parent) if parent else "",
    )

    async def ask(stack: Stack) -> None:
        call = stack.budget.ListReservations
        found = await first_of(call, request, "reservations", limit)
        show_all(found, show.reservations(found), json=json)

    asking(ask)


@app.command()
def accounts(*, limit: options.Limit = 100, json: options.Json = False) -> None:
    """List the accounts, one for each Keepa key."""

    async def ask(stack: Stack) -> None:
        found = await first_of(
            stack.budget.ListAccounts, budget.ListAccountsRequest(), "accounts", limit
        )
        show_all(found, show.accounts(found), json=json)

    asking(ask)


@app.command()
def actions(*, json: options.Json = False) -> None:
    """List what can be started, with the published prices."""

    async def ask(stack: Stack) -> None:
        request = budget.ListActionsRequest()
        found = await first_of(stack.budget.ListActions, request, "actions", 1000)
        show_all(found, show.actions(found), json=json)

    asking(ask)


@app.command()
def check(
    action: Annotated[str, typer.Argument(help="Such as auto_sourcing_job; see `tokens actions`.")],
    estimate: Annotated[
        int, typer.Option(min=0, help="What it would cost at most; 0: its published price.")
    ] = 0,
    account: Account = "default",
    *,
    json: options.Json = False,
) -> None:
    """Say whether an action could start now, and when if not."""
    request = budget.CheckActionRequest(
        name=options.full("actions", action),
        account=options.full("accounts", account),
        estimate_token_count=estimate,
    )

    async def ask(stack: Stack) -> None:
        answer = await patiently(lambda: stack.budget.CheckAction(request))
        show_one(answer, show.action_check(answer), json=json)

    asking(ask)


@app.command()
def verify(
    account: Account = "default",
    *,
    full: Annotated[
        bool, typer.Option("--full", help="Replay from the first entry, whatever was verified.")
    ] = False,
    json: options.Json = False,
) -> None:
    """Replay the ledger and compare it with the state in use. Fails when an invariant is broken."""
    request = budget.VerifyLedgerRequest(account=options.full("accounts", account), full=full)

    async def ask(stack: Stack) -> None:
        while True:
            answer = await patiently(lambda: stack.budget.VerifyLedger(request))
            if not answer.next_page_token:
                break
            progress.print(
                f"{answer.verified_sequence} of {answer.newest_sequence} entries", style="dim"
            )
            request.page_token = answer.next_page_token
        show_one(answer, show.ledger_check(answer), json=json)
        if not answer.consistent:
            raise typer.Exit(EXIT_REFUSED)

    asking(ask)
