"""Entries as rows and back: columns for what is searched, JSON for the fact itself."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec

from services.budget.domain import entries as facts
from services.budget.domain.entries import About, Entry, Fact
from services.budget.domain.refusals import UnreadableEntryError
from services.budget.domain.reservation import Tags, Terms
from services.budget.domain.rules import Kind, Priority

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
_ARRAYS = (
    "text[]",  # The kinds,
    "bigint[]",  # the tokens,
    "bigint[]",  # what is available after each,
    "uuid[]",  # the reservations,
    "uuid[]",  # and their parents;
    "",  # the callers,
    "",  # actions
    "",  # and endpoints;
    "uuid[]",  # the jobs,
    "uuid[]",  # the requests
    "text[]",  # and their contents;
    "",  # the facts.
)


def places(first: int) -> str:
    """Write the parameters of a statement that takes ``columns``, from number ``first`` on."""
    casts = (f"::text::{array}" if array else "" for array in _ARRAYS)
    arrays = (f"${number}{cast}" for number, cast in enumerate(casts, first + 1))
    return ", ".join((f"${first}", *arrays))


class _Terms(msgspec.Struct):
    """What a grant or a wait was asked with, beside what the columns of its row say."""

    account: str
    kind: Kind
    priority: Priority
    gate: int
    hold: timedelta


class _Held(msgspec.Struct):
    terms: _Terms
    expires_at: datetime


class _Waiting(msgspec.Struct):
    terms: _Terms
    until: datetime
    promised_at: datetime | None
    first: bool = False


_encoder = msgspec.json.Encoder()
_decoders = {name: msgspec.json.Decoder(kind) for name, kind in KINDS.items()}
_held_decoder = msgspec.json.Decoder(_Held)
_waiting_decoder = msgspec.json.Decoder(_Waiting)


def columns(entries: Sequence[Entry]) -> tuple[Any, ...]:
    """Give entries of one instant that follow each other as the parameters of ``places``.

    What can hold no character that needs an escape goes as the text of an array: binding values
    one by one costs ten times as much. The document of before cost the database half of its time.
    """
    at = entries[0].at
    assert all(entry.at == at for entry in entries)
    about = [entry.about for entry in entries]
    tags = [each.tags for each in about]
    return (
        at,
        _array([NAMES[type(entry.fact)] for entry in entries]),
        _array([entry.fact.tokens for entry in entries]),
        _array([entry.available for entry in entries]),
        _array([each.reservation for each in about]),
        _array([each.parent for each in about]),
        [each.caller for each in tags],
        [each.action for each in tags],
        [each.endpoint for each in tags],
        _array([each.job for each in tags]),
        _array([entry.request_id for entry in entries]),
        _array([entry.content for entry in entries]),
        [_encoder.encode(_shortened(entry.fact)).decode() for entry in entries],
    )


def entry(row: Mapping[str, Any]) -> Entry:
    """Read one row of ``SELECT``.

    Raises:
        UnreadableEntryError: Its fact is damaged, or of a kind that only a newer version knows.
    """
    tags = Tags(
        caller=row["caller"], action=row["action"], endpoint=row["endpoint"], job=row["job"]
    )
    try:
        fact = _fact(row, tags)
    except (ValueError, KeyError) as error:
        told = f"Entry {row['sequence']} of kind {row['kind']} cannot be read: {error}."
        raise UnreadableEntryError(row["sequence"], told) from error
    return Entry(
        sequence=row["sequence"],
        at=row["at"],
        fact=fact,
        about=About(reservation=row["reservation"], parent=row["parent"], tags=tags),
        available=row["available"],
        request_id=row["request_id"],
        content=row["content"],
    )


def _array(values: Sequence[int | str | UUID | None]) -> str:
    """Write an array as PostgreSQL reads it: like JSON, but for the brackets."""
    return f"{{{_encoder.encode(values)[1:-1].decode()}}}"


def _shortened(fact: Fact) -> msgspec.Struct:
    """Leave out what the columns say."""
    match fact:
        case facts.Held(terms=terms, expires_at=expires_at):
            return _Held(_beside(terms), expires_at)
        case facts.Waiting(terms=terms):
            return _Waiting(_beside(terms), fact.until, fact.promised_at, fact.first)
    return fact


def _beside(terms: Terms) -> _Terms:
    return _Terms(terms.account, terms.kind, terms.priority, terms.gate, terms.hold)


def _fact(row: Mapping[str, Any], tags: Tags) -> Fact:
    kind, stored = row["kind"], row["fact"]
    if kind == "HELD":
        held = _held_decoder.decode(stored)
        return facts.Held(terms=_terms(row, tags, held.terms), expires_at=held.expires_at)
    if kind == "WAITING":
        waiting = _waiting_decoder.decode(stored)
        return facts.Waiting(
            terms=_terms(row, tags, waiting.terms),
            until=waiting.until,
            promised_at=waiting.promised_at,
            first=waiting.first,
        )
    return _decoders[kind].decode(stored)


def _terms(row: Mapping[str, Any], tags: Tags, beside: _Terms) -> Terms:
    return Terms(
        id=row["reservation"],
        account=beside.account,
        tokens=row["tokens"],
        kind=beside.kind,
        priority=beside.priority,
        parent=row["parent"],
        gate=beside.gate,
        hold=beside.hold,
        tags=tags,
    )
