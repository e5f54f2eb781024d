"""The balance and the ledger."""

import asyncio
from typing import Annotated

import typer
from arbitragevault.budget.v1 import budget_pb2 as budget
from rich.live import Live

from services.cli import options, show
from services.cli.asking import asking, console, show_all, show_one
from services.cli.audit import ACCOUNT
from services.cli.patience import patiently
from services.cli.stack import Stack

LEDGER_PAGE = 1000


def balance(
    *,
    watch: Annotated[bool, typer.Option(help="Stay and show changes.")] = False,
    json: options.Json = False,
) -> None:
    """Show the token balance."""

    async def ask(stack: Stack) -> None:
        request = budget.GetAccountRequest(name=ACCOUNT)
        answer = await patiently(lambda: stack.budget.GetAccount(request))
        if not watch:
            show_one(answer.account, show.account(answer.account), json=json)
            return
        with Live(show.account(answer.account), console=console) as live:
            while True:
                await asyncio.sleep(1)
                answer = await patiently(lambda: stack.budget.GetAccount(request))
                live.update(show.account(answer.account))

    asking(ask)


def ledger(
    *,
    after: Annotated[int, typer.Option(min=0, help="Only entries after this number.")] = 0,
    job_name: options.JobName = "",
    json: options.Json = False,
) -> None:
    """Show the token ledger, entry by entry."""

    async def ask(stack: Stack) -> None:
        request = budget.ListLedgerEntriesRequest(
            account=ACCOUNT, after_sequence=after, job=job_name, page_size=LEDGER_PAGE
        )
        while True:
            page = await patiently(lambda: stack.budget.ListLedgerEntries(request))
            show_all(page.entries, show.ledger(page.entries), json=json)
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token

    asking(ask)
