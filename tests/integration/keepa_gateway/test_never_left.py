"""Row 14 of the fault matrix, through the gateway: what certainly never left costs nothing.

A port where nobody listens, a name that no server knows, and a server that really speaks TLS with
a certificate that nobody trusts: the key is not shown to any of them.
"""

import asyncio
import ssl
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from arbitragevault.keepa_gateway.v1 import keepa_gateway_pb2 as pb

from services.chassis import sql
from tests.integration.keepa_gateway import certificates
from tests.integration.keepa_gateway.replicas import answering_only
from tests.integration.keepa_gateway.world import CANARY, World, collected, products
from tests.support import refusal, until

pytestmark = pytest.mark.anyio

ATTEMPTS = "select * from keepa_gateway.attempts where request_id = $1"
CLAIMS = "select count(*) from keepa_gateway.claims"
Heard = list[bytes]


@pytest.fixture
async def stranger(tmp_path: Path) -> AsyncIterator[tuple[str, Path, Heard]]:
    """A server with a certificate of its own; what it hears, it hears through TLS."""
    certificate, key = certificates.untrusted(tmp_path)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    heard: Heard = []

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await reader.read(65_536))
        writer.close()

    server = await asyncio.start_server(listen, "127.0.0.1", 0, ssl=context)
    yield f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}", certificate, heard
    server.close()


async def refused_at_no_cost(world: World, keepa_base_url: str) -> str:
    """Ask a replica that looks for Keepa there; returns why nothing came."""
    nowhere = await answering_only(world, keepa_base_url)
    request = products(world.sandbox.asins(2))
    spent, asked = (await world.account()).spent_token_count, await world.sandbox.truth()

    refused = await refusal(nowhere.GetProducts(request))

    account = await world.account()
    assert account.held_token_count == account.unsettled_token_count == 0
    assert account.spent_token_count == spent
    assert refused.reason == "KEEPA_UNAVAILABLE"
    assert refused.retry_after is not None
    assert refused.retry_after.total_seconds() > 0
    assert CANARY[-6:] not in repr(refused)
    (attempt,) = await settled(world, request)
    assert (attempt["verdict"], attempt["consumed"]) == ("unsent", 0)
    paths = {line["path"] for line in (await world.sandbox.truth())[len(asked) :]}
    assert paths <= {"/token"}
    answers = await collected(world.gateway.GetProducts(products(list(request.asins))))
    assert {one.status for one in answers.values()} == {pb.PRODUCT_STATUS_FOUND}
    return str(refused)


async def settled(world: World, request: pb.GetProductsRequest) -> list[Any]:
    """The attempts of a request, once none is open and nothing of theirs is claimed."""
    connection = await asyncpg.connect(sql.plain_url(world.database_url))
    try:

        async def closed() -> bool:
            rows = await connection.fetch(ATTEMPTS, uuid.UUID(request.request_id))
            open_ones = [row for row in rows if row["state"] != "ended" or not row["settled_at"]]
            return bool(rows) and not open_ones and not await connection.fetchval(CLAIMS)

        await until(closed)
        return list(await connection.fetch(ATTEMPTS, uuid.UUID(request.request_id)))
    finally:
        await connection.close()


async def test_a_port_where_nobody_listens(world: World) -> None:
    await refused_at_no_cost(world, "http://127.0.0.1:9")


async def test_a_name_that_does_not_exist(world: World) -> None:
    """The names below .invalid are reserved for never existing."""
    await refused_at_no_cost(world, "https://api.keepa.invalid")


async def test_a_certificate_that_nobody_trusts(
    world: World, stranger: tuple[str, Path, Heard]
) -> None:
    """Who trusted it would reach that server; the gateway shakes no hands and says no key."""
    address, certificate, heard = stranger
    trusting = ssl.create_default_context(cafile=certificate)
    port = int(address.rpartition(":")[2])
    _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=trusting)
    writer.write(b"hello")
    await until(lambda: listened(heard))
    writer.close()

    await refused_at_no_cost(world, address)

    assert heard == [b"hello"]


async def listened(heard: Heard) -> bool:
    """Whether anything was heard."""
    return bool(heard)
