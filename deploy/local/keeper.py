"""Keeps one part alive: starts it again with growing pauses, and steps aside for another's."""

import time
from collections.abc import Callable
from enum import Enum

from deploy.local.parts import Part
from deploy.local.ports import PortTaken
from deploy.local.process import CannotStart

FIRST_PAUSE_SECONDS = 0.25
LONGEST_PAUSE_SECONDS = 10.0
CALM_SECONDS = 30.0  # Up for so long, a part's earlier deaths are forgotten.
PROBE_SECONDS = 1.0

Say = Callable[[str], None]


class State(Enum):
    """What the keeper is doing about its part."""

    PAUSED = "paused"
    STARTING = "starting"
    UP = "up"
    ANOTHERS = "another's"  # A process that somebody started by hand serves on its port.


class Keeper:
    """Tended a few times a second; never waits itself."""

    def __init__(self, part: Part, say: Say, clock: Callable[[], float] = time.monotonic) -> None:
        self.part = part
        self.state = State.UP
        self._say = say
        self._clock = clock
        self._since = clock()
        self._died_at = self._since
        self._deaths = 0

    def tend(self) -> bool:
        """Do what is due now; true when something changed that others may want to know."""
        before = (self.state, self.part.pid)
        match self.state:
            case State.UP:
                self._watch()
            case State.PAUSED:
                self._begin_when_due()
            case State.STARTING:
                self._await_ready()
            case State.ANOTHERS:
                self._watch_another()
        return before != (self.state, self.part.pid)

    def pause_seconds(self) -> float:
        """How long to wait before the next try: doubled by each death, and bounded."""
        doubled: float = FIRST_PAUSE_SECONDS * 2 ** max(0, min(self._deaths - 1, 10))
        return min(LONGEST_PAUSE_SECONDS, doubled)

    def _enter(self, state: State) -> None:
        self.state = state
        self._since = self._clock()

    def _elapsed(self) -> float:
        return self._clock() - self._since

    def _watch(self) -> None:
        if self.part.running():
            return
        if self._elapsed() > CALM_SECONDS:
            self._deaths = 0
        self._died_at = self._clock()
        self._fall(str(self.part.failure()))

    def _fall(self, reason: str) -> None:
        self._deaths += 1
        self._say(f"{reason} Trying again in {self.pause_seconds():.2g} s.")
        self._enter(State.PAUSED)

    def _begin_when_due(self) -> None:
        if self._elapsed() < self.pause_seconds():
            return
        try:
            self.part.begin()
        except PortTaken as taken:
            self._step_aside(taken)
        except CannotStart as reason:
            self._fall(str(reason))
        else:
            self._enter(State.STARTING)

    def _step_aside(self, taken: PortTaken) -> None:
        if self.part.ready():
            self._say(f"{self.part.name} is served by somebody else's process; leaving it alone.")
            self._enter(State.ANOTHERS)
        elif self._clock() - self._died_at > self.part.start_seconds:
            self._fall(str(taken))
        else:
            self._enter(State.PAUSED)  # Perhaps it is still starting.

    def _await_ready(self) -> None:
        if self.part.ready():
            took = self._clock() - self._died_at
            self._say(f"{self.part.name} is back after {took:.1f} s (pid {self.part.pid}).")
            self._enter(State.UP)
        elif not self.part.running():
            self._fall(str(self.part.failure()))
        elif self._elapsed() > self.part.start_seconds:
            self.part.kill()
            self._fall(f"{self.part.name} was not healthy after {self.part.start_seconds:.0f} s.")

    def _watch_another(self) -> None:
        if self._elapsed() < PROBE_SECONDS:
            return
        if self.part.ready():
            self._enter(State.ANOTHERS)
            return
        self._died_at = self._clock()
        self._fall(f"The process that served {self.part.name} has gone.")
