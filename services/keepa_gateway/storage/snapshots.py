"""Products as they were fetched: the newest for each ASIN and set of options."""

import asyncio
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from functools import lru_cache
from operator import itemgetter
from typing import Any
from uuid import UUID

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from services.chassis import purging, sql
from services.keepa_gateway.domain.products_request import ProductOptions
from services.keepa_gateway.domain.snapshot import Snapshot
from services.keepa_gateway.storage import rows
from services.keepa_gateway.storage.packing import compress, expand
from services.keepa_gateway.storage.tables import snapshots

KEPT_FOR = timedelta(days=30)
# What is packed and unpacked on the event loop; more of it goes to a thread, where it holds nobody up.
_HEAVY_BYTES = 64 << 10
# Ends the name of what was asked for when the offers among it could not be read. Such a product
# has a row of its own beside the one whose offers were.
_UNREAD = "&unread=1"
_FIND = """
select domain, asin, profile, options::text, known, codes, fetched_at,
    case when $3 then product else '' end as product, case when $4 then raw else '' end as raw
from keepa_gateway.snapshots where domain = $1 and {which} order by fetched_at desc
"""
_BY_ASIN = _FIND.format(which="asin = any ($2)")
_BY_CODE = _FIND.format(which="codes && $2")
# One row at least, so that it is told whether the request is known even when nothing is stored.
_FIRST_LOOK = """
with asked as materialized (
    select exists (select from keepa_gateway.attempts where request_id = $1) as before
)
select asked.before, stored.asin, stored.profile, stored.known, stored.fetched_at,
    stored.product, case when $5 then stored.raw end
from asked
left join keepa_gateway.snapshots as stored
    on not asked.before and stored.domain = $2 and stored.asin = any ($3)
    and stored.fetched_at >= $4
"""


def name_of(options: ProductOptions, *, unread: bool) -> str:
    """The name of a set of options, the parameters that Keepa got, and of what came of them."""
    return "&".join(f"{name}={value}" for name, value in options.parameters()) + _UNREAD * unread


def was_unread(profile: str) -> bool:
    """Whether a name is that of a look whose offers could not be read."""
    return profile.endswith(_UNREAD)


@lru_cache(maxsize=256)
def options_of(profile: str) -> ProductOptions:
    """Read a set of options by its name, as far as it matters to what they cover.

    Quicker than the column that holds all of them, and products by the hundred have the same few.
    """
    given = dict(part.split("=", 1) for part in profile.split("&"))
    return ProductOptions(
        history=given["history"] == "1",
        history_days=int(given.get("days", 0)),
        stats_days=int(given.get("stats", 0)),
        offers=int(given.get("offers", 0)),
        only_live_offers="only-live-offers" in given,
        stock="stock" in given,
        buybox="buybox" in given,
        rating="rating" in given,
        videos="videos" in given,
        aplus="aplus" in given,
        historical_variations="historical-variations" in given,
        update_hours=int(given["update"]) if "update" in given else None,
    )


async def packed_snapshots(snapshots: Sequence[Snapshot]) -> list[dict[str, Any]]:
    """Make the rows of some products; packing 100 large books is done off the event loop."""
    # Keepa may name a product twice; one statement stores no row twice.
    once = list({_key(one): one for one in reversed(snapshots)}.values())
    if sum(len(one.raw) for one in once) < _HEAVY_BYTES:
        return [_row(one) for one in once]
    return await asyncio.to_thread(lambda: [_row(one) for one in once])


def _key(one: Snapshot) -> tuple[Any, ...]:
    return (one.domain, one.asin, one.options, one.unread)


def _row(one: Snapshot) -> dict[str, Any]:
    return {
        "domain": one.domain,
        "asin": one.asin,
        "profile": name_of(one.options, unread=one.unread),
        "options": asdict(one.options),
        "known": one.known,
        "codes": sorted(one.codes),
        "fetched_at": one.fetched_at,
        "product": one.product,
        "raw": compress(one.raw),
    }


async def keep_snapshots(connection: AsyncConnection, packed: Sequence[dict[str, Any]]) -> None:
    """Store what came, unless something newer is there; in one order, against deadlocks."""
    if not packed:
        return
    row = insert(snapshots)
    new = row.excluded
    names = ("options", "known", "codes", "fetched_at", "product", "raw")
    kept = row.on_conflict_do_update(
        index_elements=[snapshots.c.domain, snapshots.c.asin, snapshots.c.profile],
        set_={name: new[name] for name in names},
        where=snapshots.c.fetched_at < new.fetched_at,
    )
    await connection.execute(kept, sorted(packed, key=itemgetter("domain", "asin", "profile")))


class PostgresSnapshots:
    """Implements ``ports.Snapshots``."""

    def __init__(self, engine: AsyncEngine, driver: sql.Driver) -> None:
        self._engine = engine
        self._driver = driver

    async def find(
        self, domain: int, asins: Sequence[str], *, with_raw: bool, with_product: bool = True
    ) -> dict[str, list[Snapshot]]:
        """Read every set of options of the ASINs."""
        found: dict[str, list[Snapshot]] = {}
        for one in await self._read(_BY_ASIN, domain, asins, with_product, with_raw):
            found.setdefault(one.asin, []).append(one)
        return found

    async def first_look(
        self,
        request_id: UUID,
        domain: int,
        asins: Sequence[str],
        *,
        not_before: datetime,
        with_raw: bool,
    ) -> dict[str, list[Snapshot]] | None:
        """Read through the driver itself: of this path every microsecond counts."""
        given = (request_id, domain, asins, not_before, with_raw)
        async with self._driver.lend() as connection:
            found = await connection.fetch(_FIRST_LOOK, *given)
        if found[0][0]:
            return None
        raws = await _expanded([row[6] or b"" for row in found]) if with_raw else None
        there: dict[str, list[Snapshot]] = {}
        for place, (_, asin, named, known, fetched_at, product, _) in enumerate(found):
            if asin is not None:
                one = Snapshot(
                    domain=domain,
                    asin=asin,
                    options=options_of(named),
                    fetched_at=fetched_at,
                    known=known,
                    product=product,
                    raw=raws[place] if raws is not None else b"",
                    unread=was_unread(named),
                )
                there.setdefault(asin, []).append(one)
        return there

    async def find_by_code(
        self, domain: int, codes: Sequence[str], *, with_raw: bool, with_product: bool = True
    ) -> dict[str, list[Snapshot]]:
        """Read by the index of codes."""
        found: dict[str, list[Snapshot]] = {}
        for one in await self._read(_BY_CODE, domain, codes, with_product, with_raw):
            for code in one.codes.intersection(codes):
                found.setdefault(code, []).append(one)
        return found

    async def purge(self) -> None:
        """Forget what is older than any caller may ask for."""
        old = purging.older(snapshots, snapshots.c.fetched_at, KEPT_FOR)
        await purging.forget(self._engine, snapshots, old, chunk=purging.SMALL_CHUNK)

    async def _read(self, statement: str, *wanted: Any) -> list[Snapshot]:
        async with self._driver.lend() as connection:
            found = await connection.fetch(statement, *wanted)
        raws = await _expanded([row["raw"] for row in found])
        return [_snapshot(row, raw) for row, raw in zip(found, raws, strict=True)]


async def _expanded(packed: Sequence[bytes]) -> list[bytes]:
    """Unpack what was read; nothing stays nothing, and much of it is done off the event loop."""

    def unpacked() -> list[bytes]:
        return [expand(one) if one else one for one in packed]

    light = sum(map(len, packed)) < _HEAVY_BYTES
    return unpacked() if light else await asyncio.to_thread(unpacked)


def _snapshot(row: rows.Row, raw: bytes) -> Snapshot:
    return Snapshot(
        domain=row["domain"],
        asin=row["asin"],
        options=rows.options(row["options"]),
        fetched_at=row["fetched_at"],
        known=row["known"],
        product=row["product"],
        raw=raw,
        codes=frozenset(row["codes"]),
        unread=was_unread(row["profile"]),
    )
