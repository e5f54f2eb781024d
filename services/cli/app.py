"""`avault`: each command asks a service and shows the answer.

Data goes to standard output, progress and errors to standard error. Exit codes: 0 done, 1 refused,
2 wrong use, 3 a service could not be reached, 4 a job that was followed did not complete.
"""

from collections.abc import Callable

import typer

from services.cli.commands import (
    blocked,
    cache,
    config,
    days,
    favorites,
    health,
    jobs,
    keepa,
    niches,
    products,
    profiles,
    schedules,
    scores,
    searches,
    tokens,
    views,
)

app = typer.Typer(
    help="Finds Amazon products worth reselling, with every Keepa token accounted for.",
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
    add_completion=False,
)

COMMANDS: dict[str, tuple[Callable[..., None], ...]] = {
    "Search and judge": (
        products.discover,
        products.score,
        products.metrics,
        products.verify,
        products.stock,
    ),
    "Jobs and picks": (
        jobs.estimate,
        jobs.run,
        jobs.jobs,
        jobs.job,
        jobs.cancel,
        jobs.picks,
        jobs.decide,
        jobs.export,
        days.review,
        days.opportunity,
        days.stats,
    ),
    "What is stored": (scores.scores, scores.history, scores.explain, scores.compare),
    "Tokens and running it": (tokens.balance, tokens.ledger, health.doctor),
}
GROUPS = {
    "Search and judge": {"niches": niches.app, "views": views.app},
    "Jobs and picks": {"profiles": profiles.app, "schedules": schedules.app},
    "What is stored": {
        "searches": searches.app,
        "favorites": favorites.app,
        "blocked": blocked.app,
        "config": config.app,
        "cache": cache.app,
    },
    "Tokens and running it": {"tokens": tokens.app, "keepa": keepa.app},
}

for panel, commands in COMMANDS.items():
    for command in commands:
        app.command(rich_help_panel=panel)(command)
    for name, group in GROUPS[panel].items():
        app.add_typer(group, name=name, rich_help_panel=panel)
