"""A job as a value: what was asked, how far it is, and how it ended."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID, uuid5

from services.autosourcing.domain.picks import Finding, Pick
from services.autosourcing.domain.spec import Spec


class State(StrEnum):
    """Where a job stands; the last five are final."""

    PENDING = "PENDING"
    RUNNING = "RUNNING"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    TIMED_OUT = "TIMED_OUT"
    CANCELLED = "CANCELLED"
    BUDGET_STOPPED = "BUDGET_STOPPED"

    @property
    def final(self) -> bool:
        """Whether the job has ended."""
        return self not in (State.PENDING, State.RUNNING)


class Cause(StrEnum):
    """Why work on a step stopped before all of it was answered."""

    TOKENS = "TOKENS"
    RATE_LIMITED = "RATE_LIMITED"
    KEY_REJECTED = "KEY_REJECTED"
    UNAVAILABLE = "UNAVAILABLE"
    DEADLINE = "DEADLINE"
    FAULT = "FAULT"


@dataclass(frozen=True)
class Stop:
    """That work on a step stopped, and why; ``message`` is for people."""

    cause: Cause
    message: str = ""


class StepKind(StrEnum):
    """What a step asks discovery for."""

    SEARCH = "SEARCH"
    SCORING = "SCORING"


@dataclass(frozen=True)
class Step:
    """One request of a job to discovery; number 0 is the search."""

    number: int
    kind: StepKind
    asins: tuple[str, ...] = ()
    answered: bool = False


@dataclass(frozen=True)
class Found:
    """What a search answered: candidates in its order, and why it stopped if it did."""

    asins: tuple[str, ...] = ()
    stop: Stop | None = None
    tokens: int = 0


@dataclass(frozen=True)
class Scored:
    """What a scoring request answered.

    Attributes:
        unanswered: ASINs that were not looked at.
        unknown: ASINs whose call may have been charged but gave no answer.
        absent: ASINs that Keepa does not know.
        tokens: What the answer cost, as far as discovery knows.
    """

    findings: tuple[Finding, ...] = ()
    unanswered: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    absent: tuple[str, ...] = ()
    stop: Stop | None = None
    tokens: int = 0


@dataclass(frozen=True)
class Plan:
    """What a job was asked to do; it never changes.

    Attributes:
        spec: What was asked, every absent value filled in.
        asins: The given products to analyse, distinct and cut; empty when it searches.
        estimated_tokens: The most that the first pass can cost.
        given: Products given, duplicates included.
        distinct: The same without duplicates.
        recent: Those of them left out because a job analysed them lately.
    """

    spec: Spec
    estimated_tokens: int
    asins: tuple[str, ...] = ()
    given: int = 0
    distinct: int = 0
    recent: int = 0

    @property
    def searches(self) -> bool:
        """Whether the candidates come from a search."""
        return not self.spec.items


@dataclass(frozen=True)
class Ending:
    """How a job ended: its final state, a sentence why, and what to do about it."""

    state: State
    reason: str
    message: str
    suggestion: str = ""

    def __post_init__(self) -> None:
        assert self.state.final


@dataclass(frozen=True)
class Envelope:
    """The tokens that a job holds at budget.

    Attributes:
        name: Budget's name for it; empty while the job holds none.
        closed: Whether budget has confirmed that nothing more is drawn on it.
        spent_tokens: What the job's calls consumed, once closed.
        unsettled_tokens: The bounds of its calls whose cost is not known yet.
    """

    name: str = ""
    closed: bool = False
    spent_tokens: int = 0
    unsettled_tokens: int = 0

    @property
    def open(self) -> bool:
        """Whether tokens are held that must be given back."""
        return bool(self.name) and not self.closed


@dataclass(frozen=True)
class Counts:
    """How far a job is, in products.

    Attributes:
        found: Products found or given, duplicates included.
        distinct: The same without duplicates.
        recent: Those left out because a job analysed them lately.
        planned: Those that are to be analysed.
        analyzed: Those that were scored, or that Keepa does not know.
        unknown: Those whose paid answer was lost.
        picks: Those that became picks.
        tokens: What the answers so far cost; budget has the last word at the end.
    """

    found: int = 0
    distinct: int = 0
    recent: int = 0
    planned: int = 0
    analyzed: int = 0
    unknown: int = 0
    picks: int = 0
    tokens: int = 0


@dataclass(frozen=True)
class Queue:
    """How a pending job asks for its envelope.

    Attributes:
        until: When it gives up waiting; None when it does not wait.
        expected_start_at: When budget expects to have the tokens; None when not known.
        attempt: Counts envelopes asked for: a new one is needed when the last one ended
            before the job could start.
    """

    until: datetime | None = None
    expected_start_at: datetime | None = None
    attempt: int = 1


@dataclass(frozen=True)
class Job:
    """One run of AutoSourcing; every change makes a new value (see ``course``).

    Attributes:
        background: Whether a schedule made it: then whoever waits for an answer goes first.
        sequence: The newest change, counted from 1.
        backlog: ASINs that discovery has not been asked about yet, in order.
        steps: What discovery was asked, by number; at most one is not answered.
        finished: Whether the end, with what it cost, has been told.
    """

    id: UUID
    plan: Plan
    state: State
    created_at: datetime
    caller: str = ""
    background: bool = False
    sequence: int = 0
    queue: Queue = field(default_factory=Queue)
    started_at: datetime | None = None
    deadline_at: datetime | None = None
    ended_at: datetime | None = None
    ending: Ending | None = None
    envelope: Envelope = field(default_factory=Envelope)
    backlog: tuple[str, ...] = ()
    steps: tuple[Step, ...] = ()
    counts: Counts = field(default_factory=Counts)
    finished: bool = False

    @property
    def open_step(self) -> Step | None:
        """The step that discovery works on; there is at most one."""
        return next((step for step in self.steps if not step.answered), None)

    def overdue(self, now: datetime) -> bool:
        """Whether the job runs and its time is up."""
        return (
            self.state is State.RUNNING and self.deadline_at is not None and now >= self.deadline_at
        )

    def duration(self, now: datetime) -> timedelta:
        """How long it ran, or has run so far; nothing while it is pending."""
        if self.started_at is None:
            return timedelta(0)
        return (self.ended_at or now) - self.started_at


def step_id(job_id: UUID, number: int) -> UUID:
    """The event id of a job's step: the same however often the step is asked."""
    return uuid5(job_id, f"steps/{number}")


def envelope_request_id(job_id: UUID, attempt: int) -> UUID:
    """The request id under which budget is asked for a job's envelope."""
    return uuid5(job_id, f"envelopes/{attempt}")


def envelope_name(job_id: UUID, attempt: int) -> str:
    """What budget calls that envelope: it names a reservation after its request."""
    return f"reservations/{envelope_request_id(job_id, attempt)}"


@dataclass(frozen=True)
class Started:
    """The job holds its tokens and runs."""


@dataclass(frozen=True)
class Asked:
    """Discovery is asked to do a step."""

    step: Step


@dataclass(frozen=True)
class Progressed:
    """The job's counts or state changed."""


@dataclass(frozen=True)
class PickFound:
    """A product became a pick."""

    pick: Pick


@dataclass(frozen=True)
class Stopped:
    """The job ended before all its work was done."""


@dataclass(frozen=True)
class Finished:
    """The job ended and its tokens are accounted for."""


Announcement = Started | Asked | Progressed | PickFound | Stopped | Finished
