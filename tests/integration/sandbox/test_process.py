"""`python -m deploy.sandbox` starts fast, stops at once, and says in a sentence why it cannot."""

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from deploy.sandbox.door import listening

ROOT = Path(__file__).resolve().parents[3]
SECRET = "S3CRET" * 10


def command(*options: str) -> list[str]:
    return [sys.executable, "-m", "deploy.sandbox", "--port", "0", *options]


@contextlib.contextmanager
def process(*options: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Start the stand-in and wait for its address."""
    with subprocess.Popen(
        command(*options), cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as started:
        assert started.stdout
        try:
            line = started.stdout.readline()
            address = re.search(r"http://\S+", line)
            assert address, line
            yield started, address.group()
        finally:
            started.kill()


def failed(*options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(*options), cwd=ROOT, text=True, capture_output=True, check=False, timeout=40
    )


def test_it_serves_and_stops_at_once_even_with_a_request_hanging() -> None:
    """`make up` must come down when asked, whatever is open."""
    with process() as (started, url), httpx.Client(base_url=url, timeout=30) as http:
        http.post("/_sandbox/faults", json={"fault": "hang"})
        with pytest.raises(httpx.ReadTimeout):
            http.get("/token", params={"key": "k"}, timeout=httpx.Timeout(30, read=0.3))
        with socket.create_connection(("127.0.0.1", int(url.rsplit(":", 1)[1]))) as half:
            half.sendall(b"GET /token?key=k HTTP/1.1\r\n")
            started.send_signal(signal.SIGTERM)
            code = started.wait(timeout=30)

    assert code == 0


def test_what_it_prints_holds_no_key() -> None:
    """G7: not at start, not per request, not on errors, not at the end."""
    with process("--key", SECRET) as (started, url):
        with httpx.Client(base_url=url, timeout=30) as http:
            assert http.get("/token", params={"key": SECRET}).status_code == 200
            assert http.get("/token", params={"key": SECRET + "x"}).status_code == 400
            http.post("/_sandbox/faults", json={"fault": "close", "at": "middle"})
            with pytest.raises(httpx.TransportError):
                http.get("/token", params={"key": SECRET})
        started.send_signal(signal.SIGTERM)
        assert started.stdout
        printed = started.stdout.read()

    assert SECRET not in printed
    assert "Traceback" not in printed


def test_a_taken_port_is_named_in_one_sentence() -> None:
    """And the exit code says that nothing runs."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        refused = failed("--port", port)

    assert refused.returncode == 1
    assert refused.stderr.count("\n") == 1
    assert port in refused.stderr


@pytest.mark.parametrize("kind", ["missing", "empty"])
def test_a_folder_without_recordings_is_named_in_one_sentence(tmp_path: Path, kind: str) -> None:
    """--catalog with a typing error must not serve an empty shop."""
    folder = tmp_path / "nothing" if kind == "missing" else tmp_path

    refused = failed("--catalog", os.fspath(folder))

    assert refused.returncode == 1
    assert refused.stderr.count("\n") == 1
    assert os.fspath(folder) in refused.stderr


def test_options_shape_the_account() -> None:
    """Rate, balance and tick are what the command line says."""
    options = ("--rate", "5", "--balance", "7", "--tick-seconds", "30", "--books", "10")
    with process(*options) as (_, url):
        balance = httpx.get(f"{url}/_sandbox/balance", timeout=30).json()

    assert balance["tokensLeft"] == 7
    assert balance["capacity"] == 300
    assert balance["tickMilliseconds"] == 30_000


def test_its_start_is_quick_whatever_the_catalogue() -> None:
    """`make demo` waits for it; the interpreter and its imports are most of the time."""
    with process("--books", "100000") as (started, url):
        used = psutil.Process(started.pid).cpu_times()
        assert httpx.get(f"{url}/_sandbox/health", timeout=30).status_code == 200

    assert used.user + used.system < 4  # of the processor; under 1 s alone


def test_no_answer_waits_for_the_acknowledgement_of_its_head() -> None:
    """40 ms a call, which looked like Keepa's own and hid what the gateway adds."""
    with listening("127.0.0.1", 0) as door, socket.create_connection(door.getsockname()) as _:
        connection, _ = door.accept()
        with connection:
            assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
