"""Starts engines and a stubborn child, says who they are, and waits to be killed."""

import json
import sys
import time

from deploy.local import process
from deploy.local.nats import Nats
from deploy.local.postgres import Postgres

STUBBORN = """
import signal, time
for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
    signal.signal(number, signal.SIG_IGN)
time.sleep(600)
"""


def main() -> None:
    """Hold a data folder's worth of processes."""
    database, broker = Postgres.start(durable=False), Nats.start()
    place = process.temporary_folder("orphans")
    command = [sys.executable, "-c", STUBBORN]
    child = process.spawn("stubborn", command, env={}, log=place / "log")
    folders = [database.log.parent, place]
    pids = [database.pid, broker.pid, child.pid, process.guardian.pid]
    json.dump({"pids": pids, "folders": [str(each) for each in folders]}, sys.stdout)
    print(flush=True)  # noqa: T201  the test reads it
    time.sleep(600)


if __name__ == "__main__":
    main()
