"""Products as they were fetched: the newest for each ASIN and set of options."""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from datetime import timedelta
from typing import Any

from sqlalchemy import delete, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from services.chassis import sql
from services.keepa_gateway.domain.snapshot import Snapshot
from services.keepa_gateway.storage import rows
from services.keepa_gateway.storage.packing import compress, expand
from services.keepa_gateway.storage.tables import snapshot

KEPT_FOR = timedelta(days=30)
# What is packed and unpacked on the event loop; more of it goes to a thread, where it holds nobody up.
_HEAVY_BYTES = 64 << 10
_DESCRIBING = ("domain", "asin", "profile", "options", "known", "codes", "fetched_at")


def profile(options: Iterable[tuple[str, str]]) -> str:
    """The name of a set of options: the parameters that Keepa got."""
    return "&".join(f"{name}={value}" for name, value in options)


async def packed_snapshots(snapshots: Sequence[Snapshot]) -> list[dict[str, Any]]:
    """Make the rows of some products; packing 100 large books is done off the event loop."""
    if sum(len(one.raw) + len(one.product) for one in snapshots) < _HEAVY_BYTES:
        return [_row(one) for one in snapshots]
    return await asyncio.to_thread(lambda: [_row(one) for one in snapshots])


def _row(one: Snapshot) -> dict[str, Any]:
    return {
        "domain": one.domain,
        "asin": one.asin,
        "profile": profile(one.options.parameters()),
        "options": asdict(one.options),
        "known": one.known,
        "codes": sorted(one.codes),
        "fetched_at": one.fetched_at,
        "product": compress(one.product),
        "raw": compress(one.raw),
    }


async def keep_snapshots(connection: AsyncConnection, packed: Sequence[dict[str, Any]]) -> None:
    """Store what came, unless something newer is there; in one order, against deadlocks."""
    if not packed:
        return
    row = insert(snapshot)
    new = row.excluded
    names = ("options", "known", "codes", "fetched_at", "product", "raw")
    kept = row.on_conflict_do_update(
        index_elements=[snapshot.c.domain, snapshot.c.asin, snapshot.c.profile],
        set_={name: new[name] for name in names},
        where=snapshot.c.fetched_at < new.fetched_at,
    )
    await connection.execute(kept, sorted(packed, key=lambda one: (one["domain"], one["asin"])))


class PostgresSnapshots:
    """Implements ``ports.Snapshots``."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._reading = sql.reading(engine)

    async def find(
        self, domain: int, asins: Sequence[str], *, with_raw: bool
    ) -> dict[str, list[Snapshot]]:
        """Read every set of options of the ASINs."""
        wanted = (snapshot.c.domain == domain) & snapshot.c.asin.in_(asins)
        found: dict[str, list[Snapshot]] = {}
        for one in await self._read(wanted, with_raw=with_raw):
            found.setdefault(one.asin, []).append(one)
        return found

    async def find_by_code(
        self, domain: int, codes: Sequence[str], *, with_raw: bool
    ) -> dict[str, list[Snapshot]]:
        """Read by the index of codes."""
        wanted = (snapshot.c.domain == domain) & snapshot.c.codes.overlap(list(codes))
        found: dict[str, list[Snapshot]] = {}
        for one in await self._read(wanted, with_raw=with_raw):
            for code in one.codes.intersection(codes):
                found.setdefault(code, []).append(one)
        return found

    async def purge(self) -> None:
        """Forget what is older than any caller may ask for."""
        old = snapshot.c.fetched_at < func.now() - KEPT_FOR
        async with sql.transaction(self._engine) as connection:
            await connection.execute(delete(snapshot).where(old))

    async def _read(self, wanted: Any, *, with_raw: bool) -> list[Snapshot]:
        names = (*_DESCRIBING, "product", *(("raw",) if with_raw else ()))
        columns = [snapshot.c[name] for name in names]
        query = select(*columns).where(wanted).order_by(snapshot.c.fetched_at.desc())
        async with self._reading.connect() as connection:
            found = (await connection.execute(query)).mappings().all()
        if sum(_weight(row) for row in found) < _HEAVY_BYTES:
            return [_snapshot(row) for row in found]
        return await asyncio.to_thread(lambda: [_snapshot(row) for row in found])


def _weight(row: rows.Row) -> int:
    """How many packed bytes a row holds."""
    return len(row["product"]) + len(row.get("raw", b""))


def _snapshot(row: rows.Row) -> Snapshot:
    return Snapshot(
        domain=row["domain"],
        asin=row["asin"],
        options=rows.options(row["options"]),
        fetched_at=row["fetched_at"],
        known=row["known"],
        product=expand(row["product"]),
        raw=expand(row["raw"]) if "raw" in row else b"",
        codes=frozenset(row["codes"]),
    )
