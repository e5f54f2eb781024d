"""What happened to a job as the events of ``arbitragevault.autosourcing.v1``."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from arbitragevault.autosourcing.v1 import autosourcing_pb2 as pb
from arbitragevault.autosourcing.v1 import events_pb2 as events
from arbitragevault.discovery.v1 import discovery_pb2 as discovery_pb
from arbitragevault.keepa_gateway.v1 import keepa_gateway_pb2 as gateway_pb
from google.protobuf.message import Message

from services.autosourcing.domain import endings, estimate
from services.autosourcing.domain.job import (
    Announcement,
    Asked,
    Finished,
    Job,
    PickFound,
    Progressed,
    Started,
    Step,
    StepKind,
    Stopped,
    step_id,
)
from services.autosourcing.domain.picks import Action
from services.autosourcing.domain.spec import Criteria
from services.autosourcing.ports import SavedPick


@dataclass(frozen=True)
class Messages:
    """How the contract's own messages are built; the same as for callers."""

    job: Callable[[Job, datetime], pb.Job]
    pick: Callable[[SavedPick], pb.Pick]
    filter: Callable[[Criteria, int], discovery_pb.DiscoveryFilter]


class Announcing:
    """Builds the event of each announcement."""

    def __init__(self, messages: Messages) -> None:
        self._messages = messages

    def __call__(
        self, job: Job, announcement: Announcement, now: datetime
    ) -> tuple[Message, UUID | None]:
        """The event, and its id where the same one may be announced again."""
        match announcement:
            case Started():
                return events.JobCreated(job=self._messages.job(job, now)), None
            case Asked(step):
                return self._asked(job, step), step_id(job.id, step.number)
            case Progressed():
                return _progressed(job), None
            case PickFound(pick):
                saved = SavedPick(pick, Action.PENDING, "", now)
                return events.PickFound(pick=self._messages.pick(saved)), pick.id
            case Stopped():
                return _stopped(job), None
            case Finished():
                return _finished(job, now), None

    def _asked(self, job: Job, step: Step) -> Message:
        spec = job.plan.spec
        assert spec.criteria is not None
        if step.kind is StepKind.SEARCH:
            wanted = estimate.candidates_wanted(spec.products)
            search = events.DiscoveryRequested(
                filter=self._messages.filter(spec.criteria, wanted),
                force_refresh=spec.force_refresh,
            )
            return _addressed(search, job, step)
        scoring = events.ScoringRequested(
            domain=gateway_pb.Domain.Value(f"DOMAIN_{spec.criteria.domain}"),
            asins=step.asins,
            options=_options(job, step),
            force_refresh=spec.force_refresh,
            # Each product that is still to come costs one token at the most; what is left of
            # the envelope beyond that may be spent on live offers.
            kept_token_count=len(job.backlog),
        )
        return _addressed(scoring, job, step)


def _addressed(
    event: events.DiscoveryRequested | events.ScoringRequested, job: Job, step: Step
) -> Message:
    assert job.deadline_at is not None
    event.job = f"jobs/{job.id}"
    event.step_id = str(step_id(job.id, step.number))
    event.envelope = job.envelope.name
    event.deadline_time.FromDatetime(job.deadline_at)
    event.caller = job.caller
    return event


def _options(job: Job, step: Step) -> discovery_pb.ScoringOptions:
    """Strategy and condition, and the own prices of the step's products: the first of each."""
    spec = job.plan.spec
    assert spec.criteria is not None
    wanted, prices = set(step.asins), dict[str, int]()
    for item in spec.items:
        if item.asin in wanted and item.buy_cents:
            prices.setdefault(item.asin, item.buy_cents)
    return discovery_pb.ScoringOptions(
        strategy=discovery_pb.Strategy.Value(f"STRATEGY_{spec.strategy}"),
        condition=discovery_pb.Condition.Value(f"CONDITION_{spec.criteria.condition}"),
        buy_cents=prices,
    )


def _progressed(job: Job) -> Message:
    return events.JobProgressed(
        job=f"jobs/{job.id}",
        sequence=job.sequence,
        message=job.ending.message if job.ending else endings.doing(job),
        analyzed_count=job.counts.analyzed,
        planned_count=job.counts.planned,
        pick_count=job.counts.picks,
    )


def _stopped(job: Job) -> Message:
    assert job.ending is not None
    return events.JobStopped(job=f"jobs/{job.id}", state=_state(job), message=job.ending.message)


def _finished(job: Job, now: datetime) -> Message:
    message = events.JobFinished(
        job=f"jobs/{job.id}",
        state=_state(job),
        token_count=job.envelope.spent_tokens if job.envelope.closed else job.counts.tokens,
        unsettled_token_count=job.envelope.unsettled_tokens,
        analyzed_count=job.counts.analyzed,
        unique_count=job.counts.distinct,
        pick_count=job.counts.picks,
    )
    message.duration.FromTimedelta(max(job.duration(now), timedelta(0)))
    return message


def _state(job: Job) -> pb.JobState.ValueType:
    return pb.JobState.Value(f"JOB_STATE_{job.state}")
