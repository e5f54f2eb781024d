"""The searches over the ledger that change nothing."""

from collections.abc import Sequence
from uuid import UUID

from services.budget.domain.entries import Entry
from services.budget.ports import EntryQuery, ReservationQuery, Usage, UsageQuery, UsageSum
from services.budget.storage import rows
from services.budget.storage.checkpoints import PostgresCheckpoints

_SEARCH = f"""
select {rows.SELECT} from budget.ledger
where account = $1 and sequence > $2 and ($4 = '' or kind = $4)
    and ($5::uuid is null or reservation = $5) and ($6::uuid is null or job = $6)
order by sequence limit $3
"""  # noqa: S608 - only column names are put in
# Without a stage a reservation is ranked by its newest grant or queueing.
_FIND_ANY = """
select sequence, reservation from budget.ledger as l
where account = $1 and sequence < $2 and kind in ('HELD', 'WAITING')
    and ($4::uuid is null or parent = $4) and ($5::uuid is null or job = $5)
    and not exists (
        select from budget.ledger as later
        where later.reservation = l.reservation and later.sequence > l.sequence
            and later.kind in ('HELD', 'WAITING'))
order by sequence desc limit $3
"""
_FIND_STAGE = """
select sequence, reservation from budget.ledger as l
where account = $1 and sequence < $2 and kind = $6
    and ($4::uuid is null or parent = $4) and ($5::uuid is null or job = $5)
    and not exists (
        select from budget.ledger as later
        where later.reservation = l.reservation and later.sequence > l.sequence
            and later.kind not in ('OVERRUN', 'EXTENDED'))
order by sequence desc limit $3
"""
_DIMENSIONS = {
    "caller": "outcome.caller",
    "action": "outcome.action",
    "endpoint": "outcome.endpoint",
    "job": "coalesce(outcome.job::text, '')",
    "day": "to_char(outcome.at at time zone 'UTC', 'YYYY-MM-DD')",
}
# The newest outcome of a call counts, whenever it came: a late commit replaces the estimate that
# was settled before it, and a release the unknown. A commit is the last word, so that the many are
# read in the order of the pages, and only the few others are looked up.
_USAGE = """
with outcome as (
    select * from budget.ledger as l
    where account = $1 and kind in ('COMMITTED', 'SETTLED', 'UNKNOWN')
        and at >= coalesce($2::timestamptz, now() - interval '30 days')
        and at < coalesce($3::timestamptz, 'infinity')
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


class PostgresReadings(PostgresCheckpoints):
    """Implements all of ``ports.Ledger``: the writing half, the checkpoints and the searches."""

    async def search(self, query: EntryQuery) -> Sequence[Entry]:
        """Read the entries that match."""
        filters = (query.kind, query.reservation, query.job)
        found = await self._fetch(_SEARCH, query.account, query.after, query.limit, *filters)
        return [rows.entry(row) for row in found]

    async def find(self, query: ReservationQuery) -> Sequence[tuple[int, UUID]]:
        """Rank the reservations that match."""
        filters = (query.account, query.before, query.limit, query.parent, query.job)
        stage = () if query.stage is None else (query.stage.value,)
        found = await self._fetch(_FIND_STAGE if stage else _FIND_ANY, *filters, *stage)
        return [(row["sequence"], row["reservation"]) for row in found]

    async def usage(self, query: UsageQuery) -> Usage:
        """Sum by the dimensions asked for."""
        groups = ", ".join(str(place) for place, _ in enumerate(query.dimensions, 1))
        keys = "".join(f"{_DIMENSIONS[name]} as {name}, " for name in query.dimensions)
        statement = _USAGE.format(keys=keys, groups=groups)
        filters = (query.account, query.since, query.until, query.limit)
        found = await self._fetch(statement, *filters)
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
