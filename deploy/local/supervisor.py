"""Brings parts up, keeps them up, and takes them down in the opposite order."""

import time
from collections.abc import Sequence

from deploy.local.keeper import Keeper
from deploy.local.narrator import Narrator
from deploy.local.parts import Part
from deploy.local.process import CannotStart

POLL_SECONDS = 0.05


class Supervisor:
    """Holds every part that was begun, so that none is forgotten at the end."""

    def __init__(self, narrator: Narrator) -> None:
        self._narrator = narrator
        self._keepers: list[Keeper] = []
        self._stopping = False

    def bring_up(self, parts: Sequence[Part]) -> None:
        """Begin all of them, then wait for each to be ready.

        Raises:
            CannotStart: One of them did not come up in its time.
        """
        began = time.monotonic()
        for part in parts:
            self._keepers.append(Keeper(part, self._narrator.news))
            part.begin()
        for part in parts:
            self._await(part, began)
            self._narrator.started(part, time.monotonic() - began)

    def tend(self) -> bool:
        """Look after every part once; true when one has come, gone, or changed its process."""
        return any([keeper.tend() for keeper in self._keepers])  # noqa: C419  tend to them all

    def describe(self) -> list[dict[str, object]]:
        """Say where each part is and under which process id."""
        return [
            {
                "name": keeper.part.name,
                "address": keeper.part.address,
                "pid": keeper.part.pid,
                "state": keeper.state.value,
            }
            for keeper in self._keepers
        ]

    def stop(self) -> None:
        """Stop all parts, callers before those whom they call. Safe to call twice."""
        while self._keepers:
            part = self._keepers[-1].part
            began, ran = time.monotonic(), part.running()
            part.stop()
            if ran:
                self._narrator.stopped(part.name, time.monotonic() - began)
            self._keepers.pop()

    def kill(self) -> None:
        """End all parts now."""
        for keeper in reversed(self._keepers):
            keeper.part.kill()

    def _await(self, part: Part, began: float) -> None:
        while not part.ready():
            if not part.running():
                raise part.failure()
            if time.monotonic() - began > part.start_seconds:
                raise CannotStart(
                    f"{part.name} was not healthy after {part.start_seconds:.0f} s "
                    f"at {part.address}."
                )
            time.sleep(POLL_SECONDS)
