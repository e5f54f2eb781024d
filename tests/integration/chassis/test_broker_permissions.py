"""The broker of production: each service can do what it does, and nothing else."""

import asyncio
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

import nats.errors
import pytest
from arbitragevault.autosourcing.v1 import events_pb2 as jobs
from arbitragevault.budget.v1 import events_pb2 as money
from arbitragevault.discovery.v1 import events_pb2 as finds
from arbitragevault.keepa_gateway.v1 import events_pb2 as products
from google.protobuf.message import Message
from nats.aio.client import Client
from nats.js import JetStreamContext

from deploy.local import nats as local
from deploy.local import ports
from services.chassis.events import names
from services.chassis.events import nats as broker

pytestmark = pytest.mark.anyio

CONFIGURATION = Path(__file__).parents[3] / "deploy/nats/nats.conf"
SERVICES = ["budget", "keepa_gateway", "discovery", "autosourcing"]
OWN: dict[str, type[Message]] = {
    "budget": money.BalanceLow,
    "keepa_gateway": products.KeyRejected,
    "discovery": finds.DiscoveryCompleted,
    "autosourcing": jobs.DiscoveryRequested,
}
READ: list[tuple[str, type[Message]]] = [
    ("discovery", jobs.DiscoveryRequested),
    ("discovery", jobs.ScoringRequested),
    ("autosourcing", finds.DiscoveryCompleted),
    ("autosourcing", finds.DiscoveryFailed),
    ("autosourcing", finds.ScoringCompleted),
    ("autosourcing", finds.ScoringFailed),
]


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The configuration as it is, but for its addresses and its folder."""
    folder, chosen = tmp_path_factory.mktemp("nats"), ports.free_port()
    text = CONFIGURATION.read_text()
    for old, new in (
        ('"0.0.0.0:4222"', f'"127.0.0.1:{chosen}"'),
        ('http: "127.0.0.1:8222"', ""),
        ("/data/nats", str(folder)),
    ):
        assert old in text
        text = text.replace(old, new)
    (folder / "nats.conf").write_text(text)
    passwords = {f"{service.upper()}_NATS_PASSWORD": service * 2 for service in SERVICES}
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            [local._binary(), "--config", folder / "nats.conf"], env=passwords, stderr=log
        )
        yield chosen
        process.terminate()
        process.wait()


@pytest.fixture
async def clients(port: int) -> AsyncIterator[dict[str, Client]]:
    """A connection of each service, with every stream made by its owner."""
    made = {
        name: await broker.connect(
            f"nats://{name}:{name * 2}@127.0.0.1:{port}", name, patience_seconds=30
        )
        for name in SERVICES
    }
    for name, client in made.items():
        await broker.ensure_stream(client.jetstream(), name)
    yield made
    for client in made.values():
        await broker.drain(client)


async def _is_denied(js: JetStreamContext, subject: str, seconds: float) -> bool:
    """The broker says nothing to who may not publish; the silence is the refusal."""
    try:
        await js.publish(subject, b"", timeout=seconds, headers={"Nats-Msg-Id": str(uuid4())})
    except (TimeoutError, nats.errors.Error):
        return True
    return False


async def test_a_stranger_is_not_let_in(port: int) -> None:
    """Whoever can publish can start jobs."""
    with pytest.raises(broker.StartError) as caught:
        await broker.connect(
            f"nats://budget:guess@127.0.0.1:{port}", "budget", patience_seconds=0.5
        )

    assert "guess" not in str(caught.value)


@pytest.mark.parametrize("service", SERVICES)
async def test_a_service_publishes_its_own_events_and_no_others(
    clients: dict[str, Client], service: str
) -> None:
    """A forged event of another's would be believed by its readers."""
    js = clients[service].jetstream()

    outcomes = {
        owner: await _is_denied(js, names.subject(event), 20 if owner == service else 0.3)
        for owner, event in OWN.items()
    }

    assert outcomes == {owner: owner != service for owner in SERVICES}


@pytest.mark.parametrize(("reader", "event"), READ)
async def test_a_reader_reads_what_it_listens_to(
    clients: dict[str, Client], reader: str, event: type[Message]
) -> None:
    """With the very calls that a consumer makes."""
    owner = names.publisher_of(names.subject(event))
    await clients[owner].jetstream().publish(names.subject(event), b"x")
    js = clients[reader].jetstream()

    source = await broker.bind(js, reader, event)
    (message,) = await source.fetch(1, timeout=20)
    await message.ack_sync(timeout=20)
    await source.unsubscribe()

    assert message.subject == names.subject(event)


@pytest.mark.parametrize("service", SERVICES)
async def test_a_service_cannot_delete_a_stream_or_listen_in(
    clients: dict[str, Client], service: str
) -> None:
    """Not even its own: events are the readers' as well."""
    client, heard = clients[service], asyncio.Event()
    js = client.jetstream(timeout=0.3)

    for owner in SERVICES:
        with pytest.raises((TimeoutError, nats.errors.Error)):
            await js.delete_stream(names.stream_name(owner))

    async def listen(_: object) -> None:
        heard.set()

    with suppress(nats.errors.Error):
        await client.subscribe("arbitragevault.>", cb=listen)
    await clients["budget"].jetstream().publish(names.subject(money.BalanceLow), b"y")
    await asyncio.sleep(0.1)
    assert not heard.is_set()
