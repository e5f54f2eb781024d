"""A port that was chosen is still free when its server comes, whoever else chooses one meanwhile."""

import secrets
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from deploy.local import ports
from deploy.local.nats import Nats

CHECKOUT = Path(__file__).parents[3]
CHOOSE = """
import itertools, secrets, sys
from deploy.local import ports
wanted = itertools.count(int(sys.argv[1]) - ports.LOWEST_FREE)
secrets.randbelow = lambda _: next(wanted)
print(ports.free_port())
"""

LISTEN = """
import os, socket, sys
if os.fork():
    os.wait()
else:
    with socket.create_server(("127.0.0.1", 0)) as server:
        print(server.getsockname()[1], flush=True)
        sys.stdin.read()
"""


@pytest.fixture
def chosen() -> int:
    """A port that was chosen, and on which nobody listens yet."""
    return ports.free_port()


def test_another_process_is_not_given_a_port_that_was_chosen_here(chosen: int) -> None:
    """Two starts at one moment both found the same port free; the second one failed."""
    command = [sys.executable, "-c", CHOOSE, str(chosen)]
    other = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=True)

    assert int(other.stdout) > chosen


def test_a_chosen_port_is_no_obstacle_to_the_server_that_it_is_for(chosen: int) -> None:
    """It is not taken, a server starts there, and after its end another one."""
    assert not ports.is_taken(chosen)
    for _ in range(2):
        with Nats.start(port=chosen, durable=False) as server:
            assert server.port == chosen
            assert ports.is_taken(chosen)


def test_of_a_block_every_port_is_free(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stack has seven ports in a row, and one that is taken spoils the row."""
    first = ports.free_block(5)
    ports._let_go(ports._held.pop() for _ in range(5))
    tries = iter([first, first, first + 2])
    monkeypatch.setattr(secrets, "randbelow", lambda _: next(tries) - ports.LOWEST_FREE)
    with socket.create_server((ports.HOST, first + 1)):
        assert ports.free_block(3) == first + 2


@pytest.mark.skipif(sys.platform != "linux", reason="/proc says who listens")
def test_a_port_that_another_stack_holds_is_named_with_the_process_to_stop() -> None:
    """A person who stopped the PostgreSQL that was named saw it come back."""
    command = [sys.executable, "-c", LISTEN, "deploy.local"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdin is not None
        assert other.stdout is not None
        holder = ports.holder_of(int(other.stdout.readline()))
        other.stdin.close()

    assert holder is not None
    assert holder.endswith(f", of the stack that process {other.pid} keeps up)")
