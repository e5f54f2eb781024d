"""The commands of `avault`: each asks a service and shows the answer.

Data goes to standard output, progress and errors to standard error. Exit codes: 0 done, 1 refused,
2 wrong use, 3 a service could not be reached.
"""

import asyncio
import sys
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import Annotated
from uuid import uuid4

import typer
from arbitragevault.autosourcing.v1 import autosourcing_pb2 as autosourcing
from arbitragevault.budget.v1 import budget_pb2 as budget
from arbitragevault.discovery.v1 import discovery_pb2 as discovery
from google.protobuf.duration_pb2 import Duration
from google.protobuf.json_format import MessageToJson
from google.protobuf.message import Message
from rich.console import Console
from rich.live import Live

from services.chassis.errors import Kind, Refusal
from services.chassis.rpc.status import UPSTREAM_UNAVAILABLE
from services.cli import show
from services.cli.audit import ACCOUNT
from services.cli.doctor import examine
from services.cli.export import export_picks
from services.cli.patience import patiently, watch_job
from services.cli.stack import Stack, Targets, connect

EXIT_REFUSED, EXIT_UNREACHABLE = 1, 3
LEDGER_PAGE = 1000
FORMATS = {
    ".csv": autosourcing.EXPORT_FORMAT_CSV,
    ".jsonl": autosourcing.EXPORT_FORMAT_JSON_LINES,
    ".xlsx": autosourcing.EXPORT_FORMAT_XLSX,
}

app = typer.Typer(
    help="Finds Amazon products worth reselling, with every Keepa token accounted for.",
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
    add_completion=False,
)
console = Console()
progress = Console(stderr=True)

Json = Annotated[bool, typer.Option("--json", help="Print the answers as JSON, one per line.")]
Categories = Annotated[
    list[int] | None, typer.Option("--category", help="Keepa category id; may be repeated.")
]
RankMin = Annotated[int, typer.Option(min=0, help="Best sales rank; 0 is open.")]
RankMax = Annotated[int, typer.Option(min=0, help="Worst sales rank; 0 is open.")]
PriceMin = Annotated[float, typer.Option(min=0, help="Lowest price in dollars; 0 is open.")]
PriceMax = Annotated[float, typer.Option(min=0, help="Highest price in dollars; 0 is open.")]
Results = Annotated[int, typer.Option(min=1, max=10_000, help="Products at most.")]
Products = Annotated[int, typer.Option(min=0, max=1000, help="Products analysed at most; 0: 10.")]
Strategy = Annotated[
    str,
    typer.Option(
        help="balanced, smart_velocity, textbooks_standard or textbooks_patience; empty: the profile's."
    ),
]
Profile = Annotated[
    str, typer.Option(help="Id of a saved profile, such as textbooks-conservateur.")
]
Asins = Annotated[
    list[str] | None,
    typer.Option("--asin", help="Judge this ASIN or ISBN instead of searching; may be repeated."),
]
JobName = Annotated[str, typer.Option("--job", help="Only of this job, jobs/<uuid>.")]


@app.command()
def balance(
    *,
    watch: Annotated[bool, typer.Option(help="Stay and show changes.")] = False,
    json: Json = False,
) -> None:
    """Show the token balance."""

    async def ask(stack: Stack) -> None:
        request = budget.GetAccountRequest(name=ACCOUNT)
        answer = await patiently(lambda: stack.budget.GetAccount(request))
        if not watch:
            _print(answer.account, show.account(answer.account), json=json)
            return
        with Live(show.account(answer.account), console=console) as live:
            while True:
                await asyncio.sleep(1)
                answer = await patiently(lambda: stack.budget.GetAccount(request))
                live.update(show.account(answer.account))

    _run(ask)


@app.command()
def estimate(  # noqa: PLR0917 - one option each
    category: Categories = None,
    rank_min: RankMin = 0,
    rank_max: RankMax = 0,
    price_min: PriceMin = 0,
    price_max: PriceMax = 0,
    max_products: Products = 0,
    strategy: Strategy = "",
    profile: Profile = "",
    asin: Asins = None,
    *,
    json: Json = False,
) -> None:
    """Say what a job would cost, and whether it may start. Spends nothing."""
    spec = _spec(
        category,
        (rank_min, rank_max),
        (price_min, price_max),
        max_products,
        strategy,
        profile,
        asin,
    )

    async def ask(stack: Stack) -> None:
        request = autosourcing.EstimateJobRequest(spec=spec)
        answer = await patiently(lambda: stack.autosourcing.EstimateJob(request))
        _print(answer, show.estimate(answer), json=json)

    _run(ask)


@app.command()
def run(  # noqa: PLR0917 - one option each
    category: Categories = None,
    rank_min: RankMin = 0,
    rank_max: RankMax = 0,
    price_min: PriceMin = 0,
    price_max: PriceMax = 0,
    max_products: Products = 0,
    strategy: Strategy = "",
    profile: Profile = "",
    asin: Asins = None,
    wait: Annotated[int, typer.Option(min=0, max=3600, help="Seconds to queue for tokens.")] = 0,
    *,
    again: Annotated[
        bool, typer.Option(help="Analyse what was analysed in the last 7 days.")
    ] = False,
    json: Json = False,
) -> None:
    """Run an AutoSourcing job and follow it to its end."""
    spec = _spec(
        category,
        (rank_min, rank_max),
        (price_min, price_max),
        max_products,
        strategy,
        profile,
        asin,
    )
    spec.include_recently_seen = again

    async def ask(stack: Stack) -> None:
        request = autosourcing.CreateJobRequest(
            request_id=str(uuid4()), spec=spec, max_wait_duration=Duration(seconds=wait)
        )
        job = (await patiently(lambda: stack.autosourcing.CreateJob(request))).job
        progress.print(f"{job.name}", style="dim")
        with Live(show.job_line(job), console=progress, transient=True) as live:
            async for change in watch_job(stack, job.name):
                job = change.job
                live.update(show.job_line(job))
        progress.print(show.job_line(job))
        await _show_picks(stack, job.name, json=json)

    _run(ask)


@app.command()
def jobs(*, limit: Annotated[int, typer.Option(min=1, max=1000)] = 20, json: Json = False) -> None:
    """List jobs, newest first."""

    async def ask(stack: Stack) -> None:
        request = autosourcing.ListJobsRequest(page_size=limit)
        answer = await patiently(lambda: stack.autosourcing.ListJobs(request))
        _print_all(answer.jobs, show.jobs(answer.jobs), json=json)

    _run(ask)


@app.command()
def job(name: Annotated[str, typer.Argument(help="jobs/<uuid>")], *, json: Json = False) -> None:
    """Show one job with every product it analysed and why."""

    async def ask(stack: Stack) -> None:
        request = autosourcing.GetJobRequest(name=name)
        answer = await patiently(lambda: stack.autosourcing.GetJob(request))
        if json:
            _print(answer.job, "", json=True)
            return
        console.print(show.job_line(answer.job))
        await _show_picks(stack, name, json=False)
        if rest := show.passed_over(answer.job.products):
            console.print(rest)

    _run(ask)


@app.command()
def cancel(name: Annotated[str, typer.Argument(help="jobs/<uuid>")]) -> None:
    """End a running job; its picks stay."""

    async def ask(stack: Stack) -> None:
        request = autosourcing.CancelJobRequest(request_id=str(uuid4()), name=name)
        answer = await patiently(lambda: stack.autosourcing.CancelJob(request))
        console.print(show.job_line(answer.job))

    _run(ask)


@app.command()
def picks(*, job_name: JobName = "", json: Json = False) -> None:
    """List picks, best first."""
    _run(lambda stack: _show_picks(stack, job_name, json=json))


@app.command()
def export(
    path: Annotated[
        Path, typer.Argument(help="The file; its ending says the format: .csv, .jsonl or .xlsx.")
    ],
    *,
    job_name: JobName = "",
) -> None:
    """Write picks to a file."""
    if path.suffix not in FORMATS:
        allowed = ", ".join(FORMATS)
        raise typer.BadParameter(f"the file must end in one of {allowed}", param_hint="PATH")

    async def ask(stack: Stack) -> None:
        written = await export_picks(stack, job_name, FORMATS[path.suffix], path)
        console.print(f"Written to {written}.")

    _run(ask)


@app.command()
def ledger(
    *,
    after: Annotated[int, typer.Option(min=0, help="Only entries after this number.")] = 0,
    job_name: JobName = "",
    json: Json = False,
) -> None:
    """Show the token ledger, entry by entry."""

    async def ask(stack: Stack) -> None:
        request = budget.ListLedgerEntriesRequest(
            account=ACCOUNT, after_sequence=after, job=job_name, page_size=LEDGER_PAGE
        )
        while True:
            page = await patiently(lambda: stack.budget.ListLedgerEntries(request))
            _print_all(page.entries, show.ledger(page.entries), json=json)
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token

    _run(ask)


@app.command()
def discover(  # noqa: PLR0917 - one option each
    category: Categories = None,
    rank_min: RankMin = 0,
    rank_max: RankMax = 0,
    price_min: PriceMin = 0,
    price_max: PriceMax = 0,
    max_results: Results = 10,
    strategy: Strategy = "",
    *,
    json: Json = False,
) -> None:
    """Find products and score them, best first."""
    searched = _filter(category, (rank_min, rank_max), (price_min, price_max))
    searched.max_results = max_results

    async def ask(stack: Stack) -> None:
        request = discovery.DiscoverScoredProductsRequest(
            request_id=str(uuid4()),
            filter=searched,
            options=discovery.ScoringOptions(strategy=_strategy(strategy)),
        )
        answer = await patiently(lambda: stack.discovery.DiscoverScoredProducts(request))
        _print_all(answer.scores, show.scores(answer.scores), json=json)
        progress.print(show.search(answer.info, answer.total_count))

    _run(ask)


@app.command()
def score(
    asin: Annotated[list[str], typer.Argument(help="ASINs to score.")],
    strategy: Strategy = "",
    *,
    json: Json = False,
) -> None:
    """Score given products."""

    async def ask(stack: Stack) -> None:
        request = discovery.ScoreProductsRequest(
            request_id=str(uuid4()),
            asins=asin,
            options=discovery.ScoringOptions(strategy=_strategy(strategy)),
        )

        async def collect() -> list[discovery.ProductScore]:
            parts = stack.discovery.ScoreProducts(request)
            return [part.score async for part in parts if part.HasField("score")]

        found = await patiently(collect)
        _print_all(found, show.scores(found), json=json)

    _run(ask)


@app.command()
def doctor() -> None:
    """Check that every service answers, and say what to do where one does not."""

    async def ask() -> bool:
        checks = await examine(Targets.from_environment())
        console.print(show.checks(checks))
        return all(check.healthy for check in checks)

    if not asyncio.run(ask()):
        raise typer.Exit(EXIT_UNREACHABLE)


def _run(ask: Callable[[Stack], Awaitable[None]]) -> None:
    """Connect, ask, and turn a refusal into a sentence and an exit code."""

    async def connected() -> None:
        async with connect(Targets.from_environment()) as stack:
            await ask(stack)

    try:
        asyncio.run(connected())
    except Refusal as refused:
        print(show.refusal(refused), file=sys.stderr)
        away = refused.kind in (Kind.UNAVAILABLE, Kind.DEADLINE_EXCEEDED)
        if refused.reason == UPSTREAM_UNAVAILABLE:
            print("`avault doctor` says which service is away.", file=sys.stderr)
        raise typer.Exit(EXIT_UNREACHABLE if away else EXIT_REFUSED) from None
    except KeyboardInterrupt:
        raise typer.Exit(130) from None


async def _show_picks(stack: Stack, job_name: str, *, json: bool) -> None:
    request = autosourcing.ListPicksRequest(job=job_name, page_size=1000)
    answer = await patiently(lambda: stack.autosourcing.ListPicks(request))
    _print_all(answer.picks, show.picks(answer.picks), json=json)


def _print(message: Message, shown: object, *, json: bool) -> None:
    if json:
        print(MessageToJson(message, indent=None))
    else:
        console.print(shown)


def _print_all(messages: Iterable[Message], shown: object, *, json: bool) -> None:
    if not json:
        console.print(shown)
        return
    for message in messages:
        print(MessageToJson(message, indent=None))


def _filter(
    categories: list[int] | None, ranks: tuple[int, int], dollars: tuple[float, float]
) -> discovery.DiscoveryFilter:
    built = discovery.DiscoveryFilter(category_ids=categories or [])
    if any(ranks):
        built.rank_range.minimum, built.rank_range.maximum = ranks
    if any(dollars):
        low, high = (round(value * 100) for value in dollars)
        built.price_range.minimum_cents, built.price_range.maximum_cents = low, high
    return built


def _strategy(name: str) -> discovery.Strategy.ValueType:
    if not name:
        return discovery.STRATEGY_UNSPECIFIED
    known = {
        value.removeprefix("STRATEGY_").lower(): value for value in discovery.Strategy.keys()[1:]
    }
    if name not in known:
        raise typer.BadParameter(f"must be one of {', '.join(known)}", param_hint="--strategy")
    return discovery.Strategy.Value(known[name])


def _spec(  # noqa: PLR0917 - the options in their order
    categories: list[int] | None,
    ranks: tuple[int, int],
    dollars: tuple[float, float],
    max_products: int,
    strategy: str,
    profile: str,
    asins: list[str] | None,
) -> autosourcing.JobSpec:
    spec = autosourcing.JobSpec(
        profile=f"profiles/{profile}" if profile else "",
        strategy=_strategy(strategy),
        max_products=max_products,
        identifiers=[autosourcing.Identifier(value=asin) for asin in asins or []],
    )
    searched = _filter(categories, ranks, dollars)
    if searched.ByteSize():
        spec.filter.CopyFrom(searched)
    return spec
