"""Entries as rows and back: columns for what is searched, JSON for the fact itself."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

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
select $1, * from jsonb_to_recordset($2) as row(
    sequence bigint, kind text, at timestamptz, tokens bigint, available bigint,
    reservation uuid, parent uuid, caller text, action text, endpoint text, job uuid,
    request_id uuid, content text, fact jsonb)
"""  # noqa: S608 - only column names are put in


class _Row(msgspec.Struct, omit_defaults=True):
    """An entry as the columns of its row; what is left out becomes null."""

    sequence: int
    kind: str
    at: datetime
    tokens: int
    available: int
    caller: str
    action: str
    endpoint: str
    content: str
    fact: Fact
    reservation: UUID | None = None
    parent: UUID | None = None
    job: UUID | None = None
    request_id: UUID | None = None


_encoder = msgspec.json.Encoder()
_decoders = {name: msgspec.json.Decoder(kind) for name, kind in KINDS.items()}


def document(entries: Sequence[Entry]) -> str:
    """Write entries as one document for ``INSERT``; a value for each column costs ten times more."""
    return _encoder.encode([_row(entry) for entry in entries]).decode()


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


def _row(entry: Entry) -> _Row:
    about, tags = entry.about, entry.about.tags
    return _Row(
        sequence=entry.sequence,
        kind=NAMES[type(entry.fact)],
        at=entry.at,
        tokens=entry.fact.tokens,
        available=entry.available,
        caller=tags.caller,
        action=tags.action,
        endpoint=tags.endpoint,
        content=entry.content,
        fact=entry.fact,
        reservation=about.reservation,
        parent=about.parent,
        job=tags.job,
        request_id=entry.request_id,
    )
