"""A dead part comes back, later each time, and never fights a process started by hand."""

from dataclasses import dataclass, field

from deploy.local.keeper import LONGEST_PAUSE_SECONDS, Keeper, State
from deploy.local.ports import PortTaken
from deploy.local.process import CannotStart


@dataclass
class Time:
    """A clock that moves only when told."""

    now: float = 0.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now


@dataclass
class FakePart:
    """A part whose life is decided by the test."""

    name: str = "discovery"
    address: str = "127.0.0.1:50053"
    start_seconds: float = 45.0
    alive: bool = True
    healthy: bool = True
    taken: bool = False
    begun: int = 0
    killed: int = 0
    pid: int | None = 1

    def begin(self) -> None:
        """Start, unless the port is taken."""
        if self.taken:
            raise PortTaken(self.name, 50053, "Stop it.")
        self.begun += 1
        self.alive = True

    def ready(self) -> bool:
        """Say what the test decided."""
        return self.healthy

    def running(self) -> bool:
        """Say what the test decided."""
        return self.alive

    def stop(self) -> None:
        """End."""
        self.alive = False

    def kill(self) -> None:
        """End, and count it."""
        self.killed += 1
        self.alive = False

    def failure(self) -> CannotStart:
        """Name the usual end."""
        return CannotStart("discovery was ended by signal 9.")


@dataclass
class Scene:
    """A keeper, its part, its time, and what it said."""

    part: FakePart = field(default_factory=FakePart)
    time: Time = field(default_factory=Time)
    said: list[str] = field(default_factory=list)
    keeper: Keeper = field(init=False)

    def is_now(self, state: State) -> bool:
        """Say whether the keeper does that now."""
        return self.keeper.state is state

    def __post_init__(self) -> None:
        self.keeper = Keeper(self.part, self.said.append, self.time)

    def pass_time(self, seconds: float, step: float = 0.2) -> None:
        """Tend as the supervisor does, a few times a second."""
        for _ in range(round(seconds / step)):
            self.time.now += step
            self.keeper.tend()


def test_a_killed_part_is_begun_again_within_a_second() -> None:
    """Somebody who kills a service during a job must see the job complete."""
    scene = Scene()

    scene.part.alive = False
    scene.pass_time(1.0)

    assert scene.part.begun == 1
    assert scene.is_now(State.UP)
    assert scene.said[0] == "discovery was ended by signal 9. Trying again in 0.25 s."
    assert scene.said[1].startswith("discovery is back after ")


def test_a_part_that_dies_at_once_is_tried_less_and_less_often_but_for_ever() -> None:
    """A crash loop must not eat the machine, and must end when its cause does."""
    scene = Scene()
    scene.part.healthy = False
    begun = []

    for _ in range(120):
        scene.part.alive = False
        before = scene.part.begun
        scene.pass_time(1.0)
        begun.append(scene.part.begun - before)

    assert scene.keeper.pause_seconds() == LONGEST_PAUSE_SECONDS
    assert sum(begun[-60:]) in range(4, 8)


def test_calm_makes_earlier_deaths_forgotten() -> None:
    scene = Scene()
    for _ in range(5):
        scene.part.alive = False
        scene.pass_time(11.0)
    assert scene.keeper.pause_seconds() > 1

    scene.pass_time(31.0)
    scene.part.alive = False
    scene.keeper.tend()

    assert scene.keeper.pause_seconds() == 0.25


def test_a_part_that_never_gets_healthy_is_ended_and_tried_again() -> None:
    """A hung start looks alive; only the time limit tells."""
    scene = Scene()
    scene.part.alive = scene.part.healthy = False

    scene.pass_time(47.0)

    assert scene.part.killed == 1
    assert "discovery was not healthy after 45 s" in scene.said[-1]


def test_a_service_started_by_hand_is_left_alone_and_replaced_when_it_goes() -> None:
    """Whoever restarts a service themselves holds its port; two would both serve."""
    scene = Scene()
    scene.part.alive = False
    scene.part.taken = True

    scene.pass_time(2.0)
    assert scene.is_now(State.ANOTHERS)
    assert scene.part.begun == 0

    scene.part.healthy = scene.part.taken = False
    scene.pass_time(1.2)
    scene.part.healthy = True
    scene.pass_time(1.0)
    assert scene.part.begun == 1
    assert scene.is_now(State.UP)


def test_a_port_held_by_a_stranger_is_named_again_and_again_but_not_too_often() -> None:
    """It may be a service that is still starting, so the complaint waits its time."""
    scene = Scene()
    scene.part.alive = scene.part.healthy = False
    scene.part.taken = True

    scene.pass_time(44.0)
    assert not any("port is taken" in sentence for sentence in scene.said)

    scene.pass_time(10.0)
    assert any("127.0.0.1:50053: the port is taken" in sentence for sentence in scene.said)
