"""`avault`: each command asks a service and shows the answer.

Data goes to standard output, progress and errors to standard error. Exit codes: 0 done, 1 refused,
2 wrong use, 3 a service could not be reached.
"""

import typer

from services.cli.commands import blocked, health, jobs, niches, products, schedules, scores, tokens

app = typer.Typer(
    help="Finds Amazon products worth reselling, with every Keepa token accounted for.",
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
    add_completion=False,
)

for command in (
    tokens.balance,
    jobs.estimate,
    jobs.run,
    jobs.jobs,
    jobs.job,
    jobs.cancel,
    jobs.picks,
    jobs.decide,
    jobs.export,
    tokens.ledger,
    products.discover,
    products.score,
    products.verify,
    products.stock,
    scores.scores,
    scores.history,
    scores.explain,
    scores.compare,
    health.doctor,
):
    app.command()(command)

app.add_typer(blocked.app, name="blocked")
app.add_typer(niches.app, name="niches")
app.add_typer(schedules.app, name="schedules")
