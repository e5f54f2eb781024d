"""A step: one piece of work of a job, stored before it is begun and answered once."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID, uuid5

from services.discovery.domain.answers import Appraisal, Listing, Status, Tally
from services.discovery.domain.criteria import Filter, Options, digest

MOST_ATTEMPTS = 8
"""A step that kills its worker this often is answered as a fault."""


class StepKind(StrEnum):
    """What a step asks for."""

    DISCOVERY = "DISCOVERY"
    SCORING = "SCORING"


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """What a job asked for.

    Attributes:
        envelope: Whose tokens; empty asks for stored answers only.
        filter: Of a search.
        asins: Of a scoring, in the order asked for.
        kept: Tokens of the envelope that live offers may not touch; None asks for none.
    """

    kind: StepKind
    job: str
    step_id: UUID
    envelope: str
    caller: str
    force_refresh: bool
    deadline: datetime
    filter: Filter | None = None
    domain: int = 1
    asins: tuple[str, ...] = ()
    options: Options | None = None
    kept: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A task as it was taken in.

    Attributes:
        event_id: Of the event that asked; ids of calls are made from it.
        created_at: What ages and seasons are measured against, so that a repetition agrees.
        epoch: Counts the workers that took it; only the newest one's answer is stored.
    """

    task: Task
    event_id: UUID
    traceparent: str
    created_at: datetime
    epoch: int
    attempts: int

    def call_id(self, content: object) -> UUID:
        """Name a call by the event and by what it asks for.

        A repetition that asks for the same names the same call, which is not paid again; one
        that asks for less, because part of the answer was stored, names another.
        """
        return uuid5(self.event_id, digest("call", content))


@dataclass(frozen=True, slots=True, kw_only=True)
class StepAnswer:
    """What a step found, and how.

    Attributes:
        appraisals: In the order asked for.
        unanswered: What was not looked at, because it ended early.
    """

    tally: Tally
    seconds: float
    listing: Listing | None = None
    appraisals: tuple[Appraisal, ...] = ()
    unanswered: tuple[str, ...] = ()

    @property
    def failed(self) -> bool:
        """Whether it was stopped before anything was found."""
        answered = any(one.status is not Status.UNKNOWN for one in self.appraisals)
        return self.tally.stop is not None and self.listing is None and not answered
