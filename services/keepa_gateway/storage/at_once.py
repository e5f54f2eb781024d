"""Intents and outcomes as single statements: what nearly always holds takes one round trip.

Each insists on what it took for granted. When that does not hold nothing is changed, and the
same is done step by step in a transaction.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import msgspec

from services.chassis import sql
from services.chassis.events.outbox import channel
from services.keepa_gateway.domain.attempt import Intent
from services.keepa_gateway.domain.egress import Egress
from services.keepa_gateway.domain.outcome import Outcome, Verdict
from services.keepa_gateway.ports import Ending, Opened, Sought
from services.keepa_gateway.storage import rows
from services.keepa_gateway.storage.tables import outbox

# Overtaken, or two that wait for each other: then PostgreSQL ends one of them.
_NOT_SO = (asyncpg.SerializationError, asyncpg.DeadlockDetectedError)

_OPEN = """
with asked as (
    select * from unnest($5::uuid[], $6::uuid[], $7::int[], $8::text[], $9::text[], $10::text[],
        $11::bigint[], $12::bigint[])
    as asked (attempt_id, request_id, number, content, fingerprint, reservation, bound, after_sequence)
), wanted as (
    select * from unnest($13::uuid[], $14::text[], $15::text[]) with ordinality
    as wanted (attempt_id, subject, key, place)
), opened as (
    insert into keepa_gateway.attempts (
        call_id, endpoint, attempt_id, request_id, number, content, fingerprint, reservation, bound,
        after_sequence, subjects, found, state, reason, started_at, give_up_at)
    select $1::uuid, $2::text, asked.*,
        array(select w.subject from wanted w where w.attempt_id = asked.attempt_id
            order by w.place),
        '{}', 'sent', '', clock_timestamp(), clock_timestamp() + $3::interval + $4::interval
    from asked order by attempt_id
    on conflict do nothing returning attempt_id
), claimed as (
    insert into keepa_gateway.claims (key, attempt_id)
    select key, attempt_id from wanted order by key collate "C"
    on conflict do nothing returning key
)
select case when keepa_gateway.insist(
    (select count(*) from opened) = (select count(*) from asked)
    and (select count(*) from claimed) = (select count(*) from wanted))
then not keepa_gateway.stored_since($16, $17, $18) end
"""

# What it brought is counted before the way out is, so that this row, which every call changes, is
# locked last: whoever stores a lot holds it no longer than who stores nothing.
_CLOSE = f"""
with part as (
    select * from unnest($1::uuid[], $2::bigint[], $3::text[])
    as part (attempt_id, consumed, found)
), ended as (
    update keepa_gateway.attempts a
    set state = 'ended', verdict = $4, consumed = part.consumed, http_status = $5,
        observation = $6::text::jsonb, reason = $7, error = $8::text::jsonb,
        found = part.found::jsonb, ended_at = clock_timestamp(),
        settled_at = case when part.consumed is null then a.settled_at end
    from part
    where a.attempt_id = part.attempt_id
        and (a.state = 'sent' or (a.verdict = 'unknown' and $4 <> 'unknown'))
    returning a.*
), given_back as (
    delete from keepa_gateway.claims c using ended
    where c.attempt_id = ended.attempt_id and $4 <> 'unknown'
), kept as (
    insert into keepa_gateway.snapshots as stored
        (domain, asin, profile, options, known, codes, fetched_at, product, raw)
    select domain, asin, profile, options::jsonb, known,
        array(select jsonb_array_elements_text(codes::jsonb)), fetched_at, product, raw
    from unnest($9::int[], $10::text[], $11::text[], $12::text[], $13::bool[], $14::text[],
        $15::timestamptz[], $16::bytea[], $17::bytea[])
        as new (domain, asin, profile, options, known, codes, fetched_at, product, raw)
    where exists (select from ended) order by domain, asin collate "C", profile collate "C"
    on conflict (domain, asin, profile) do update set options = excluded.options,
        known = excluded.known, codes = excluded.codes, fetched_at = excluded.fetched_at,
        product = excluded.product, raw = excluded.raw
    where stored.fetched_at < excluded.fetched_at
    returning true
), listed as (
    insert into keepa_gateway.listings as stored (fingerprint, fetched_at, payload)
    select fingerprint, $18::timestamptz, $19::bytea from ended where $19 is not null limit 1
    on conflict (fingerprint) do update set fetched_at = excluded.fetched_at,
        payload = excluded.payload
    where stored.fetched_at < excluded.fetched_at
    returning true
), told as (
    insert into keepa_gateway.outbox (event_id, message_name, payload, traceparent)
    select * from unnest($20::uuid[], $21::text[], $22::bytea[], $23::text[])
    where exists (select from ended)
    returning pg_notify('{channel(outbox)}', '')
), counted as (
    update keepa_gateway.egress set requests = requests + $24, spent = spent + $25,
        answered_at = case when $26 then clock_timestamp() else answered_at end
    where account = $27 and {rows.stands(28)} and exists (select from ended)
        and (select count(*) from kept) + (select count(*) from listed) >= 0
    returning true
)
select ended.*, keepa_gateway.insist(exists (select from counted)),
    (select count(*) from told)
from ended
"""  # noqa: S608 - only names of columns and of a channel are put in

_SNAPSHOT = (
    *("domain", "asin", "profile", "options", "known", "codes"),
    *("fetched_at", "product", "raw"),
)
_EVENT = ("event_id", "message_name", "payload", "traceparent")


@dataclass(frozen=True, slots=True, kw_only=True)
class Brought:
    """What an answer brought, as rows.

    Attributes:
        snapshots: Rows of products, each product once.
        listing: A packed list, as it is stored; and when it came.
        events: Rows of the outbox.
    """

    snapshots: Sequence[dict[str, Any]]
    listing: bytes | None
    came_at: datetime | None
    events: Sequence[dict[str, Any]]

    @property
    def bytes(self) -> int:
        """About how much it is."""
        products = sum(len(one["product"]) + len(one["raw"]) for one in self.snapshots)
        return products + len(self.listing or b"")


async def open_attempts(
    driver: sql.Driver, intents: Sequence[Intent], grace: timedelta, sought: Sought | None
) -> dict[UUID, Opened] | None:
    """Store the intents of one call with all their claims; nothing when others have some of them."""
    call = intents[0]
    wanted = [(one.attempt_id, *each) for one in intents for each in one.keys.items()]
    given = (
        *(call.call_id, call.endpoint, call.deadline, grace),
        *zip(*(_asked(one) for one in intents), strict=True),
        *zip(*wanted, strict=True),
        *((sought.domain, sought.asins, sought.since) if sought else (None, None, None)),
    )
    async with driver.lend() as connection:
        try:
            missing = await connection.fetchval(_OPEN, *given)
        except _NOT_SO:
            return None
    known = missing if sought and sought.asins else False
    return {one.attempt_id: Opened(gained=tuple(one.keys), missing=known) for one in intents}


async def close_attempts(
    driver: sql.Driver,
    endings: Sequence[Ending],
    outcome: Outcome,
    brought: Brought,
    *,
    account: str,
    state: Egress,
) -> list[rows.Row] | None:
    """Store an outcome while the way out is in ``state``; nothing when it is not."""
    given = (
        [one.attempt_id for one in endings],
        [one.consumed for one in endings],
        [_document(one.found) for one in endings],
        *(outcome.verdict.value, outcome.status, _document(rows.observation(outcome.observation))),
        *(outcome.reason, _document(rows.error(outcome.error))),
        *_columns(list(map(_written, brought.snapshots)), _SNAPSHOT),
        *(brought.came_at, brought.listing),
        *_columns(brought.events, _EVENT),
        *(int(outcome.verdict is not Verdict.UNSENT), outcome.consumed or 0),
        *(outcome.observation is not None, account),
        *rows.standing(state),
    )
    async with driver.lend() as connection:
        try:
            return list(await connection.fetch(_CLOSE, *given))
        except _NOT_SO:
            return None


def _asked(one: Intent) -> tuple[Any, ...]:
    return (
        *(one.attempt_id, one.request_id, one.number, one.content),
        *(one.fingerprint, one.reservation, one.bound, one.after_sequence),
    )


def _columns(given: Sequence[Mapping[str, Any]], names: Sequence[str]) -> list[list[Any]]:
    return [[row[name] for row in given] for name in names]


def _written(product: Mapping[str, Any]) -> dict[str, Any]:
    """A product's row with its lists as documents: arrays of arrays have no ragged edges."""
    return {**product, **{name: _document(product[name]) for name in ("options", "codes")}}


def _document(value: Any) -> str | None:
    return None if value is None else msgspec.json.encode(value).decode()
