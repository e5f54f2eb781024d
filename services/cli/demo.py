"""The demo: one AutoSourcing job from its estimate to its picks, with the ledger to prove it."""

import sys
from functools import partial
from pathlib import Path
from uuid import uuid4

import httpx
from arbitragevault.autosourcing.v1 import autosourcing_pb2 as autosourcing
from arbitragevault.discovery.v1 import discovery_pb2 as discovery
from rich.console import Console
from rich.live import Live
from rich.text import Text

from services.chassis.errors import Refusal
from services.cli import audit, show
from services.cli.export import export_picks
from services.cli.patience import LONG_PATIENCE_SECONDS, patiently, watch_job
from services.cli.stack import Stack, Targets, connect

BOOKS_CATEGORY = 283155


def generated_books() -> autosourcing.JobSpec:
    """Look for books that sell within weeks at a price that leaves room for fees."""
    return autosourcing.JobSpec(
        display_name="Demo: fast-selling books",
        filter=discovery.DiscoveryFilter(
            category_ids=[BOOKS_CATEGORY],
            rank_range=discovery.RankRange(minimum=5_000, maximum=80_000),
            price_range=discovery.PriceRange(minimum_cents=1_500, maximum_cents=6_000),
            availability=discovery.AVAILABILITY_AMAZON_ABSENT,
        ),
        strategy=discovery.STRATEGY_SMART_VELOCITY,
        max_products=10,
        include_recently_seen=True,
    )


def recorded_books() -> autosourcing.JobSpec:
    """Take every recorded book, used: most had no new offer, and most are slow sellers."""
    return autosourcing.JobSpec(
        display_name="Demo: recorded real books",
        filter=discovery.DiscoveryFilter(
            category_ids=[BOOKS_CATEGORY], condition=discovery.CONDITION_USED_GOOD
        ),
        strategy=discovery.STRATEGY_TEXTBOOKS_PATIENCE,
        max_products=20,
        include_recently_seen=True,
    )


_steadily = partial(patiently, seconds=LONG_PATIENCE_SECONDS)


async def run_demo(
    targets: Targets, sandbox_url: str | None, out_dir: Path, *, recorded: bool = False
) -> int:
    """Run one job and show everything about it.

    Args:
        targets: Where the four services listen.
        sandbox_url: The Keepa sandbox, whose truth is compared; None with a real key.
        out_dir: Where the picks are written as CSV.
        recorded: Whether the catalogue is recorded answers, in which no pick is certain.

    Returns:
        0 when the job completed, found picks (or the catalogue is recorded) and every token
        is accounted for; else 1.
    """
    console = Console(markup=False, emoji=False)
    try:
        async with connect(targets) as stack:
            story = Story(stack, console, out_dir)
            return await story.tell(sandbox_url, recorded=recorded)
    except Refusal as refused:
        print(show.refusal(refused), file=sys.stderr)
        return 1
    except httpx.HTTPError as error:
        print(f"The Keepa sandbox cannot be asked for its own count: {error}.", file=sys.stderr)
        return 1


class Story:
    """One run of the demo."""

    def __init__(self, stack: Stack, console: Console, out_dir: Path) -> None:
        self._stack = stack
        self._console = console
        self._out_dir = out_dir

    async def tell(self, sandbox_url: str | None, *, recorded: bool) -> int:
        """Estimate, run, show, export, audit; give the exit code."""
        before = await audit.read(self._stack, sandbox_url) if sandbox_url else None
        spec = recorded_books() if recorded else generated_books()
        await self._estimate(spec)
        job = await self._run(spec)
        found = await self._show(job)
        balanced = True
        if before and sandbox_url:
            compared = await audit.compare(self._stack, sandbox_url, before)
            self._console.print(show.audit(compared))
            balanced = compared.balanced
        completed = job.state == autosourcing.JOB_STATE_COMPLETED
        return 0 if completed and balanced and (found or recorded) else 1

    async def _estimate(self, spec: autosourcing.JobSpec) -> None:
        self._console.rule(Text(spec.display_name, style="bold"), align="left")
        request = autosourcing.EstimateJobRequest(spec=spec)
        answer = await _steadily(lambda: self._stack.autosourcing.EstimateJob(request))
        self._console.print(show.estimate(answer))

    async def _run(self, spec: autosourcing.JobSpec) -> autosourcing.Job:
        """Start the job and follow it; the request id makes a repetition harmless."""
        request = autosourcing.CreateJobRequest(request_id=str(uuid4()), spec=spec)
        answer = await _steadily(lambda: self._stack.autosourcing.CreateJob(request))
        job = answer.job
        self._console.print(Text(f"{job.name}", style="dim"))
        # A terminal shows one living line; a file or a pipe gets one line a change.
        living = self._console.is_terminal
        with Live(show.job_line(job), console=self._console, transient=True) as live:
            async for change in watch_job(self._stack, job.name):
                job = change.job
                live.update(show.job_line(job))
                for pick in change.picks:
                    told = show.recommendation(pick.score.recommendation)
                    told.append(f"  {pick.score.asin} {pick.score.title}", style="default")
                    live.console.print(told)
                if not living and not job.HasField("end_time"):
                    self._console.print(show.job_line(job))
        self._console.print(show.job_line(job))
        return job

    async def _show(self, job: autosourcing.Job) -> bool:
        """Show the picks and what was passed over, and write the file; tell if any was found."""
        listing = autosourcing.ListPicksRequest(job=job.name, page_size=1000)
        picks = (await _steadily(lambda: self._stack.autosourcing.ListPicks(listing))).picks
        asked = autosourcing.GetJobRequest(name=job.name)
        ended = (await _steadily(lambda: self._stack.autosourcing.GetJob(asked))).job
        if picks:
            self._console.print(show.picks(picks))
        if rest := show.passed_over(ended.products):
            self._console.print(rest)
        path = await export_picks(
            self._stack, job.name, autosourcing.EXPORT_FORMAT_CSV, self._out_dir / "picks.csv"
        )
        self._console.print(
            f"{len(picks)} picks from {ended.analyzed_count} products for {ended.token_count} "
            f"tokens in {show.span(ended.duration)}. Written to {path}."
        )
        return bool(picks)
