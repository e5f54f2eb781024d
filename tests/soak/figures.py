"""What a run is worth knowing for, read from the database after it."""

from typing import Any

# Limits hold to the token, and to the second in which somebody is there to look.
LATEST_END_SECONDS = 30
BROKEN = {
    "jobs that spent more than they held": """
        select count(*) from autosourcing.jobs j join budget.ledger h
            on h.kind = 'HELD' and 'reservations/' || h.reservation = j.document #>> '{envelope,name}'
        where j.tokens > h.tokens and not exists (
            select from budget.ledger o where o.job = j.id and o.kind = 'OVERRUN')""",
    "jobs that outlived their deadline": f"""
        select count(*) from autosourcing.jobs
        where ended_at > (document->>'deadline_at')::timestamptz
            + interval '{LATEST_END_SECONDS} seconds'""",
    "jobs that hold more than a job may": """
        select count(*) from autosourcing.jobs
        where (document #>> '{plan,estimated_tokens}')::int > 200""",
    "picks of jobs that are not there": """
        select count(*) from autosourcing.picks p
        where not exists (select from autosourcing.jobs j where j.id = p.job_id)""",
}
_SUMS = """
    select count(*) as jobs, coalesce(sum(tokens), 0)::bigint as tokens,
        coalesce(sum(analyzed), 0)::bigint as analyzed,
        percentile_cont(0.5) within group (order by seconds) as p50,
        percentile_cont(0.99) within group (order by seconds) as p99,
        max(extract(epoch from ended_at - (document->>'deadline_at')::timestamptz)) as latest
    from (select *, extract(epoch from ended_at - started_at) as seconds
        from autosourcing.jobs) timed"""
_PICKS = """
    select count(*) as picks,
        count(*) filter (where recommendation in ('BUY', 'STRONG_BUY')) as buys
    from autosourcing.picks"""
_STATES = "select state, count(*) from autosourcing.jobs group by 1 order by 1"


async def broken(database: Any) -> list[str]:
    """Sentences about what no run may leave behind."""
    found = []
    for what, sql in BROKEN.items():
        if count := await database.fetchval(sql):
            found.append(f"A1: {count} {what}")
    return found


async def lines(database: Any) -> list[str]:
    """The figures, one line a subject."""
    sums, picks = await database.fetchrow(_SUMS), await database.fetchrow(_PICKS)
    states = await database.fetch(_STATES)
    told = [f"jobs={sums['jobs']} " + " ".join(f"{row[0]}={row[1]}" for row in states)]
    told.append(
        f"tokens={sums['tokens']} analyzed={sums['analyzed']} picks={picks['picks']} "
        f"buys={picks['buys']} tokens_per_pick={_ratio(sums['tokens'], picks['picks'])} "
        f"tokens_per_buy={_ratio(sums['tokens'], picks['buys'])}"
    )
    told.append(
        f"seconds p50={sums['p50'] or 0:.1f} p99={sums['p99'] or 0:.1f} "
        f"latest_end_after_deadline={sums['latest'] or 0:.1f}"
    )
    return told


def _ratio(tokens: int, found: int) -> str:
    return f"{tokens / found:.2f}" if found else "none"
