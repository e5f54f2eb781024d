"""What older versions stored is still there, in the form in which it is sent now."""

import importlib
import json
from collections.abc import AsyncIterator

import pytest
from arbitragevault.keepa_gateway.v1 import keepa_gateway_pb2 as pb
from sqlalchemy import func, insert, text
from sqlalchemy.ext.asyncio import AsyncEngine

from services.chassis import sql
from services.keepa_gateway.domain.product import decode
from services.keepa_gateway.storage.packing import compress, pack
from services.keepa_gateway.storage.snapshots import PostgresSnapshots
from services.keepa_gateway.storage.tables import snapshots

pytestmark = pytest.mark.anyio

ROWS = 5


@pytest.fixture
async def engine(fresh_database: str) -> AsyncIterator[AsyncEngine]:
    """The gateway's tables, empty, as the migrator reaches them."""
    made = sql.create_engine(fresh_database, application="test")
    yield made
    await made.dispose()


async def test_a_product_stored_by_an_older_version_is_made_anew(
    engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its message was compressed, and its histories had another type; the JSON has them all."""
    migrations = "services.keepa_gateway.storage.migrations.versions"
    migration = importlib.import_module(f"{migrations}.0004_products_as_sent")
    monkeypatch.setattr(migration, "BATCH", 2)
    asins = [f"B00000000{number}" for number in range(ROWS)]
    sent = [
        json.dumps({"asin": asin, "title": asin, "csv": [[7775880, place]]}).encode()
        for place, asin in enumerate(asins)
    ]
    unreadable = b"[]"
    async with sql.transaction(engine) as connection:
        for asin, raw in [*zip(asins, sent, strict=True), ("B999999999", unreadable)]:
            await connection.execute(
                insert(snapshots).values(
                    domain=1, asin=asin, profile="history=1", options={}, known=True, codes=[],
                    fetched_at=func.now(), product=compress(b"old form"), raw=compress(raw),
                )
            )  # fmt: skip

        # As the table was called then.
        await connection.execute(text("alter table keepa_gateway.snapshots rename to snapshot"))
        await connection.run_sync(migration.rewrite)
        await connection.execute(text("alter table keepa_gateway.snapshot rename to snapshots"))

    found = await PostgresSnapshots(engine, sql.Driver(engine, kept=0)).find(
        1, [*asins, "B999999999"], with_raw=True
    )
    assert set(found) == set(asins)
    for asin, raw in zip(asins, sent, strict=True):
        (one,) = found[asin]
        assert one.product == pack(decode(raw).product)
        assert list(pb.Product.FromString(one.product).series[0].times) == [29339880 * 60]
        assert one.raw == raw
