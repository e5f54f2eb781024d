"""Claims about the key: it is on the wire to Keepa and nowhere else (G7)."""

import base64
import urllib.parse

import asyncpg
import nats
import pytest

from services.chassis import sql
from tests.integration.keepa_gateway.conftest import MakeWorld
from tests.integration.keepa_gateway.world import CANARY, Sandbox, World, products

pytestmark = pytest.mark.anyio

FAULTS = (
    {"fault": "rate_limited"},
    {"fault": "status", "status": 500},
    {"fault": "status", "status": 403},
    {"fault": "truncated_gzip"},
    {"fault": "garbage"},
    {"fault": "close", "at": "before"},
    {"fault": "close", "at": "headers"},
    {"fault": "close", "at": "middle"},
    {"fault": "hang"},
    {"fault": "lying_balance", "tokensLeft": 10**9},
)
TRACES = (
    CANARY,
    CANARY[-6:],
    urllib.parse.quote(CANARY),
    base64.b64encode(CANARY.encode()).decode().rstrip("="),
)


async def test_no_fault_leaves_the_key_anywhere(
    make_world: MakeWorld, rich_sandbox: Sandbox, capfd: pytest.CaptureFixture[str]
) -> None:
    """Every fault of the list, then every place: answers, logs, tables, events."""
    world = await make_world(rich_sandbox, plain_seconds=0.5)
    told = [await everything_said(world, fault) for fault in FAULTS]

    captured = capfd.readouterr()
    places = {
        "answers": "".join(told),
        "logs": captured.out + captured.err,
        "tables": await everything_stored(world),
        "events": await everything_published(world),
    }

    assert len(places["tables"]) > 1_000
    for name, text in places.items():
        for trace in TRACES:
            assert trace not in text, f"the key is in the {name}"


async def everything_said(world: World, fault: dict[str, object]) -> str:
    """What a caller hears when a fault strikes, errors and their details included."""
    await lift(world)
    await world.sandbox.fault(**fault, path="/product")
    try:
        call = world.gateway.GetProducts(products(world.sandbox.asins(1)))
        return repr([answer async for answer in call])
    except Exception as error:  # noqa: BLE001 - whatever it is, it is searched
        return repr(error) + repr(getattr(error, "trailing_metadata", tuple)())
    finally:
        await world.sandbox.fault(fault="clear")


async def lift(world: World) -> None:
    """Forget pauses, latches and failures, so that the next fault strikes too."""
    connection = await asyncpg.connect(sql.plain_url(world.database_url))
    await connection.execute(
        "update keepa_gateway.egress set paused_until = null, rejected_at = null, failures = 0"
    )
    await connection.close()


async def everything_stored(world: World) -> str:
    """Every row of every table, as text."""
    connection = await asyncpg.connect(sql.plain_url(world.database_url))
    names = await connection.fetch(
        "select table_schema, table_name from information_schema.tables"
        " where table_schema in ('keepa_gateway', 'budget')"
    )
    rows: list[str] = []
    for schema, table in names:
        found = await connection.fetch(
            f"select t::text || to_jsonb(t)::text as row from {schema}.{table} t"
        )
        rows += [row["row"] for row in found]
    await connection.close()
    return "\n".join(rows)


async def everything_published(world: World) -> str:
    """Every message of every stream."""
    client = await nats.connect(world.nats_url)
    stream = client.jetstream()
    found = []
    for info in await stream.streams_info():
        name = info.config.name
        for sequence in range(info.state.first_seq, info.state.last_seq + 1):
            message = await stream.get_msg(name, sequence)
            found.append(f"{message.subject} {message.headers} {message.data!r}")
    await client.close()
    return "\n".join(found)


async def test_an_unforeseen_error_tells_nothing(
    make_world: MakeWorld, rich_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bug in the paid section ends as INTERNAL with an id, whatever its text held."""
    world = await make_world(rich_sandbox)

    async def fail(*_: object) -> None:
        raise RuntimeError(f"GET https://api.keepa.com/product?key={CANARY}")

    monkeypatch.setattr("services.keepa_gateway.clients.keepa.HttpKeepa.send", fail)
    with pytest.raises(Exception) as raised:  # noqa: PT011 - its text is what is tested
        async for _ in world.gateway.GetProducts(products(world.sandbox.asins(1))):
            pass

    assert "INTERNAL" in repr(raised.value)
    assert CANARY not in repr(raised.value)
