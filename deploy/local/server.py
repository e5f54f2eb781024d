"""What the servers of embedded engines have in common: a process, perhaps a folder, an end."""

from pathlib import Path
from types import TracebackType
from typing import Self

from deploy.local import process
from deploy.local.process import Child


class Server:
    """A running server; a context manager, and safe to stop twice.

    Attributes:
        pid: The server's own.
        port: For clients, on the loopback address.
    """

    def __init__(self, child: Child, port: int, temporary: Path | None) -> None:
        self.pid = child.pid
        self.port = port
        self._child = child
        self._temporary = temporary

    @property
    def running(self) -> bool:
        """Whether the server lives."""
        return self._child.running

    def stop(self) -> None:
        """Shut down, ending open connections; a temporary folder goes too."""
        self._child.stop()
        if self._temporary is not None:
            process.remove_folder(self._temporary)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()
