"""The searches over the ledger that change nothing."""

from collections.abc import Sequence
from uuid import UUID

from services.budget.domain.entries import Entry
from services.budget.ports import EntryQuery, ReservationQuery, Usage, UsageQuery, UsageSum
from services.budget.storage import rows
from services.budget.storage.checkpoints import PostgresCheckpoints

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
