"""The embedded engines: real servers from wheels that start anywhere and lose nothing."""

import os
import shutil
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import anyio
import asyncpg
import nats
import psutil
import pytest

from deploy.local import ports
from deploy.local.nats import Nats
from deploy.local.ports import PortTaken
from deploy.local.postgres import Postgres
from tests.support import http_client

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def made_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder whose database exists already: making one takes most of a second."""
    folder = tmp_path_factory.mktemp("made") / "postgres"
    with Postgres.start(folder, durable=False):
        pass
    return folder


@pytest.fixture
def folder(made_once: Path, tmp_path: Path) -> Path:
    """A copy of it for one test."""
    return Path(shutil.copytree(made_once, tmp_path / "postgres"))


@pytest.fixture
def somebodys_port() -> Iterator[int]:
    """A port on which we listen ourselves."""
    with socket.create_server((ports.HOST, 0)) as server:
        yield server.getsockname()[1]


async def ask(server: Postgres, query: str) -> object:
    connection = await asyncpg.connect(server.url.replace("+asyncpg", ""))
    try:
        return await connection.fetchval(query)
    finally:
        await connection.close()


async def becomes_true(claim: Callable[[], bool]) -> bool:
    with anyio.move_on_after(40):
        while not claim():  # noqa: ASYNC110  processes set no event
            await anyio.sleep(0.02)
    return claim()


def ended(pid: int) -> bool:
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


async def test_a_temporary_database_leaves_neither_process_nor_folder() -> None:
    """Test sessions come and go by the hundred."""
    server = Postgres.start(durable=False)
    place = server.log.parent
    assert await ask(server, "select 1") == 1

    server.stop()
    server.stop()

    assert ended(server.pid)
    assert not place.exists()


async def test_the_default_is_durable(folder: Path) -> None:
    """A ledger in memory would be a promise that a power cut breaks."""
    with Postgres.start(folder) as server:
        assert await ask(server, "show fsync") == "on"
        assert await ask(server, "show synchronous_commit") == "on"
        assert await ask(server, "show full_page_writes") == "on"


async def test_nobody_gets_in_without_the_password(folder: Path) -> None:
    """Loopback is shared by every user of a machine."""
    with Postgres.start(folder, durable=False) as server:
        with pytest.raises(asyncpg.InvalidPasswordError):
            await asyncpg.connect(f"postgresql://postgres:wrong@{ports.HOST}:{server.port}/")
        assert (folder / "password").stat().st_mode & 0o077 == 0


async def test_what_was_committed_survives_kill_9_at_the_same_address(folder: Path) -> None:
    """Services keep the address they were given, so a restart has to use it again."""
    server = Postgres.start(folder, durable=False)
    await ask(server, "create table t as select 41 + 1 as answer")
    os.kill(server.pid, signal.SIGKILL)
    assert await becomes_true(lambda: not server.running)

    again = Postgres.start(folder, server.port, durable=False)

    with again:
        assert again.url == server.url
        assert await ask(again, "select answer from t") == 42


async def test_a_lock_file_whose_process_id_was_reused_does_not_stop_it(folder: Path) -> None:
    """After a reboot the id in postmaster.pid may be anybody's, here our own."""
    (folder / "cluster/postmaster.pid").write_text(f"{os.getpid()}\n{folder}\n")

    with Postgres.start(folder, durable=False) as server:
        assert await ask(server, "select 1") == 1


async def test_a_half_made_database_is_made_again(tmp_path: Path) -> None:
    """A kill in the first second must not spoil the folder for ever."""
    half = tmp_path / "postgres" / "cluster.new"
    half.mkdir(parents=True)
    (half / "PG_VERSION").write_text("18\n")

    with Postgres.start(tmp_path / "postgres", durable=False) as server:
        assert await ask(server, "select 1") == 1


async def test_it_runs_below_a_folder_that_others_cannot_enter(folder: Path) -> None:
    """As root the server is another user; root's own folders are closed to that one."""
    folder.parent.chmod(0o700)

    with Postgres.start(folder, durable=False) as server:
        assert await ask(server, "select 1") == 1


async def test_an_engine_outlives_the_thread_that_started_it() -> None:
    """The kernel ties a child to a thread, not to a process; this trap ends servers at random."""
    started: list[Nats] = []
    thread = threading.Thread(target=lambda: started.append(Nats.start()))
    thread.start()
    thread.join()

    await anyio.sleep(0.2)

    with started[0] as server:
        assert server.running


@pytest.mark.parametrize(
    ("engine", "name", "variable"),
    [(Postgres, "PostgreSQL", "DATABASE_URL"), (Nats, "NATS", "NATS_URL")],
)
async def test_a_taken_port_is_named_with_its_holder_and_what_to_do(
    engine: type[Postgres | Nats], name: str, variable: str, somebodys_port: int
) -> None:
    """`address already in use` leaves a person with nothing to do next."""
    with pytest.raises(PortTaken) as refused:
        engine.start(port=somebodys_port)

    sentence = str(refused.value)
    assert sentence.startswith(f"{name} cannot listen on 127.0.0.1:{somebodys_port}")
    assert f"(pid {os.getpid()})" in sentence
    assert variable in sentence


async def test_a_message_that_nats_acknowledged_survives_kill_9(tmp_path: Path) -> None:
    """`sync_interval: always` is what makes an acknowledgement worth something."""
    server = Nats.start(tmp_path / "nats")
    client = await nats.connect(server.url)
    stream = client.jetstream()
    await stream.add_stream(name="kept", subjects=["kept.*"])
    await stream.publish("kept.one", b"fact")
    await client.close()
    os.kill(server.pid, signal.SIGKILL)
    assert await becomes_true(lambda: not server.running)

    with Nats.start(tmp_path / "nats", server.port) as again:
        client = await nats.connect(again.url)
        kept = await client.jetstream().get_msg("kept", 1)
        await client.close()

    assert kept.data == b"fact"


async def test_nats_syncs_every_write() -> None:
    with Nats.start() as server:
        async with http_client() as client:
            answer = await client.get(f"{server.monitor_url}/jsz")

    assert answer.json()["config"]["sync_always"] is True
