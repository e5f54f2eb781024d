"""Entries as rows and back: columns for what is searched, JSON for the fact itself."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from services.budget.domain import entries as facts
from services.budget.domain.entries import About, Entry, Fact
from services.budget.domain.reservation import Tags

KINDS: dict[str, type[Fact]] = {
    "OBSERVED": facts.Observed,
    "WAITING": facts.Waiting,
    "HELD": facts.Held,
    "COMMITTED": facts.Committed,
    "RELEASED": facts.Released,
    "UNKNOWN": facts.Unknown,
    "SETTLED": facts.Settled,
    "OVERRUN": facts.Overrun,
    "FOREIGN": facts.Foreign,
    "CREDIT": facts.Credit,
    "OVERFLOW": facts.Overflow,
    "BALANCE_LOW": facts.BalanceLow,
    "EXTENDED": facts.Extended,
}
NAMES = {kind: name for name, kind in KINDS.items()}

COLUMNS = (
    "sequence, kind, at, tokens, available, reservation, parent, caller, action, endpoint,"
    " job, request_id, content, fact"
)
SELECT = COLUMNS.replace("fact", "fact::text as fact")
INSERT = f"""
insert into budget.ledger (account, {COLUMNS})
select $1, * from unnest(
    $2::bigint[], $3::text[], $4::timestamptz[], $5::bigint[], $6::bigint[], $7::uuid[],
    $8::uuid[], $9::text[], $10::text[], $11::text[], $12::uuid[], $13::uuid[], $14::text[],
    $15::jsonb[])
"""  # noqa: S608 - only column names are put in

_encoder = msgspec.json.Encoder()
_decoders = {name: msgspec.json.Decoder(kind) for name, kind in KINDS.items()}


def columns(entries: Sequence[Entry]) -> list[list[Any]]:
    """Turn entries into one list for each column, in the order of ``COLUMNS``."""
    if not entries:
        return [[] for _ in COLUMNS.split(",")]
    return [list(column) for column in zip(*map(_row, entries), strict=True)]


def entry(row: Mapping[str, Any]) -> Entry:
    """Read one row of ``SELECT``."""
    tags = Tags(
        caller=row["caller"], action=row["action"], endpoint=row["endpoint"], job=row["job"]
    )
    return Entry(
        sequence=row["sequence"],
        at=row["at"],
        fact=_decoders[row["kind"]].decode(row["fact"]),
        about=About(reservation=row["reservation"], parent=row["parent"], tags=tags),
        available=row["available"],
        request_id=row["request_id"],
        content=row["content"],
    )


def _row(entry: Entry) -> tuple[Any, ...]:
    about, tags = entry.about, entry.about.tags
    return (
        entry.sequence,
        NAMES[type(entry.fact)],
        entry.at,
        entry.fact.tokens,
        entry.available,
        about.reservation,
        about.parent,
        tags.caller,
        tags.action,
        tags.endpoint,
        tags.job,
        entry.request_id,
        entry.content,
        _encoder.encode(entry.fact).decode(),
    )
