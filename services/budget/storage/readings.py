"""The searches over the ledger that change nothing."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import asyncpg

from services.budget.domain import refusals
from services.budget.domain.entries import Entry
from services.budget.ports import EntryQuery, ReservationQuery, Usage, UsageQuery, UsageSum
from services.budget.storage import rows
from services.budget.storage.checkpoints import PostgresCheckpoints
from services.chassis.errors import Refusal

# Only conditions that are asked for are written down: a filter that may be empty is one that a
# generic plan, which a session may take from the sixth call on, can ask no index for.
_SEARCH = f"""
select {rows.SELECT} from budget.ledger where {{where}} order by sequence limit {{limit}}
"""  # noqa: S608 - only column names are put in
# Without a stage a reservation is ranked by its newest grant or queueing.
_FIND = """
select sequence, reservation from {ledger} as l
where {where} and not exists (
    select from budget.ledger as later
    where later.reservation = l.reservation and later.sequence > l.sequence and {later})
order by sequence desc limit {limit}
"""
# Read by the index of reservations before anything is ranked: there are few.
_AMONG = "(select * from budget.ledger where reservation = any({ids}::uuid[]) offset 0)"
_GRANT, _LATER_GRANT = "kind in ('HELD', 'WAITING')", "later.kind in ('HELD', 'WAITING')"
_LATER_STAGE = "later.kind not in ('OVERRUN', 'EXTENDED')"
_DIMENSIONS = {
    "caller": "outcome.caller",
    "action": "outcome.action",
    "endpoint": "outcome.endpoint",
    "job": "coalesce(outcome.job::text, '')",
    "day": "to_char(outcome.at at time zone 'UTC', 'YYYY-MM-DD')",
}
# The newest outcome of a call counts, whenever it came: a late commit replaces the estimate that
# was settled before it, and a release the unknown. A commit is the last word, so that the many are
# read in the order of the pages, and only the few others are looked up. The span is read before
# anything else: the planner would read the index of kinds beside it, and all of that.
_USAGE = """
with spanned as (
    select * from budget.ledger
    where account = $1 and at >= coalesce($2::timestamptz, now() - interval '30 days')
        and at < coalesce($3::timestamptz, 'infinity')
    offset 0),
outcome as (
    select * from spanned as l
    where kind in ('COMMITTED', 'SETTLED', 'UNKNOWN')
        and (kind = 'COMMITTED' or not exists (
            select from budget.ledger as later
            where later.reservation = l.reservation and later.sequence > l.sequence
                and later.kind in ('COMMITTED', 'SETTLED', 'UNKNOWN', 'RELEASED')))),
summed as (
    select {keys}
        coalesce(sum(tokens) filter (where kind <> 'UNKNOWN'), 0)::bigint as tokens,
        count(*) filter (where kind <> 'UNKNOWN') as calls,
        coalesce(sum(tokens) filter (where kind = 'UNKNOWN'), 0)::bigint as unsettled
    from outcome group by {groups})
select *, (select coalesce(sum(tokens), 0)::bigint from summed) as total
from summed order by tokens desc, unsettled desc, {groups} limit $4
"""
# Sequences have no holes, and instants follow them but for a step of the clock: two halvings of
# the key tell how many entries a span has, in a millisecond.
_LENGTH = """
with recursive narrowed as (
    select place, edge, 0::bigint as low, 1 + (
        select coalesce(max(sequence), 0) from budget.ledger where account = $1) as high
    from unnest(array[coalesce($2::timestamptz, now() - interval '30 days'),
        coalesce($3::timestamptz, 'infinity')]) with ordinality as edges (edge, place)
    union all
    select place, edge, case when at < edge then sequence else low end,
        case when at < edge then high else sequence end
    from narrowed, lateral (
        select sequence, at from budget.ledger
        where account = $1 and sequence = (low + high) / 2) as middle
    where high - low > 1)
select sum(case place when 1 then -low else low end)::bigint as entries
from narrowed where high - low = 1
"""
# A plan for any span, which a session takes from the sixth call on, reads twice as long.
_BOUNDED = """
select set_config('statement_timeout', $1, true), set_config('plan_cache_mode',
    'force_custom_plan', true)
"""
MOST_SUMMED = 2_000_000
"""Entries of a span that is summed at once; it took 2 to 5 s on two busy cores."""


class _Asked:
    """The values of a statement, numbered in the order in which it names them."""

    def __init__(self) -> None:
        self.values: list[object] = []

    def value(self, value: object) -> str:
        """Name a value."""
        self.values.append(value)
        return f"${len(self.values)}"

    def all(self, *conditions: tuple[str, object]) -> str:
        """Write down the conditions that have a value."""
        given = [(name, value) for name, value in conditions if value is not None]
        return " and ".join(f"{name} {self.value(value)}" for name, value in given)


class PostgresReadings(PostgresCheckpoints):
    """Implements all of ``ports.Ledger``: the writing half, the checkpoints and the searches."""

    async def search(self, query: EntryQuery) -> Sequence[Entry]:
        """Read the entries that match."""
        asked = _Asked()
        where = asked.all(
            ("account =", query.account),
            ("sequence >", query.after),
            ("kind =", query.kind or None),
            ("reservation =", query.reservation),
            ("job =", query.job),
        )
        statement = _SEARCH.format(where=where, limit=asked.value(query.limit))
        return [rows.entry(row) for row in await self._fetch(statement, *asked.values)]

    async def find(self, query: ReservationQuery) -> Sequence[tuple[int, UUID]]:
        """Rank the reservations that match."""
        asked = _Asked()
        where = asked.all(
            ("account =", query.account),
            ("sequence <", query.before),
            ("kind =", query.stage and query.stage.value),
            ("parent =", query.parent),
            ("job =", query.job),
        )
        ledger = "budget.ledger"
        if query.among is not None:
            ledger = _AMONG.format(ids=asked.value(list(query.among)))
        statement = _FIND.format(
            ledger=ledger,
            where=where if query.stage else f"{where} and {_GRANT}",
            later=_LATER_STAGE if query.stage else _LATER_GRANT,
            limit=asked.value(query.limit),
        )
        found = await self._fetch(statement, *asked.values)
        return [(row["sequence"], row["reservation"]) for row in found]

    async def usage(self, query: UsageQuery, *, seconds: float) -> Usage:
        """Sum by the dimensions asked for, unless the span is too long for that."""
        span = (query.account, query.since, query.until)
        (length,) = await self._fetch(_LENGTH, *span)
        entries = length["entries"] or 0
        if entries > MOST_SUMMED:
            raise refusals.usage_too_large(entries, MOST_SUMMED)
        groups = ", ".join(str(place) for place, _ in enumerate(query.dimensions, 1))
        keys = "".join(f"{_DIMENSIONS[name]} as {name}, " for name in query.dimensions)
        statement = _USAGE.format(keys=keys, groups=groups)
        slow = refusals.usage_too_slow(entries, seconds)
        found = await self._within(seconds, slow, statement, *span, query.limit)
        sums = [
            UsageSum(
                keys={name: row[name] for name in query.dimensions},
                tokens=row["tokens"],
                calls=row["calls"],
                unsettled=row["unsettled"],
            )
            for row in found
        ]
        return Usage(rows=sums, total=found[0]["total"] if found else 0)

    async def _within(
        self, seconds: float, slow: Refusal, statement: str, *values: object
    ) -> Sequence[Any]:
        """Run a statement once, or raise ``slow`` when the database has ended it after a time."""
        async with self._raw() as connection, connection.transaction():
            await connection.execute(_BOUNDED, f"{max(1, round(1e3 * seconds))}ms")
            try:
                return list(await connection.fetch(statement, *values))
            except asyncpg.QueryCanceledError as error:
                raise slow from error
