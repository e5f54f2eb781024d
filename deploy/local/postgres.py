"""An embedded PostgreSQL: made, started and stopped from the wheel's binaries, as root or not."""

from pathlib import Path
from typing import Self

from deploy.local import ports, process
from deploy.local.cluster import ADVICE, Cluster
from deploy.local.process import Child
from deploy.local.server import Server


class Postgres(Server):
    """A running server.

    Attributes:
        url: The superuser's, for SQLAlchemy with asyncpg.
        log: Where its output goes.
    """

    def __init__(self, cluster: Cluster, child: Child, port: int, *, temporary: bool) -> None:
        super().__init__(child, port, cluster.folder if temporary else None)
        self.log = cluster.log
        self.url = f"postgresql+asyncpg://postgres:{cluster.password}@{ports.HOST}:{port}/postgres"

    @classmethod
    def start(
        cls,
        data_dir: Path | None = None,
        port: int = 0,
        *,
        durable: bool = True,
        log: Path | None = None,
    ) -> Self:
        """Start a server and return when it accepts connections.

        Args:
            data_dir: Its folder, made when missing; None for one that `stop` removes.
            port: On 127.0.0.1; 0 chooses a free one.
            durable: False trades crash safety for speed; only for tests.
            log: Where its output goes; ``postgres.log`` in the folder when None.

        Raises:
            CannotStart: With the reason and what to do, in one sentence.
        """
        if port and ports.is_taken(port):  # Before the files are made: that takes a while.
            raise ports.PortTaken("PostgreSQL", port, ADVICE)
        folder = data_dir or process.temporary_folder("postgres")
        try:
            cluster = Cluster(folder, log or folder / "postgres.log", durable=durable)
            child, chosen = cluster.start(port)
        except BaseException:
            if data_dir is None:
                process.remove_folder(folder)
            raise
        return cls(cluster, child, chosen, temporary=data_dir is None)
