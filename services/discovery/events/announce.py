"""Answers to steps as the events that carry them."""

from collections.abc import Callable
from datetime import datetime

from arbitragevault.discovery.v1 import discovery_pb2 as pb
from arbitragevault.discovery.v1 import events_pb2 as events
from google.protobuf.message import Message

from services.chassis.clock import Clock
from services.discovery.domain.answers import Appraisal, Status, Tally
from services.discovery.domain.scoring.config import Config
from services.discovery.domain.steps import Step, StepAnswer, StepKind

SCORED = frozenset({Status.FOUND, Status.CACHED, Status.STALE})


def config_changed(config: Config) -> Message:
    """Write the event that tells a new revision of the configuration."""
    return events.ScoringConfigChanged(revision=config.revision, caller=config.caller)


class Announcer:
    """Writes the event that answers a step."""

    def __init__(
        self,
        score_message: Callable[[Appraisal], pb.ProductScore],
        info_message: Callable[[Tally, float, datetime], pb.SearchInfo],
        clock: Clock,
    ) -> None:
        self._score_message = score_message
        self._info_message = info_message
        self._clock = clock

    def announce(self, step: Step, answer: StepAnswer) -> Message:
        """Choose the event: a failure only when nothing at all was found."""
        if step.task.kind is StepKind.DISCOVERY:
            return self._discovered(step, answer)
        return self._scored(step, answer)

    def _discovered(self, step: Step, answer: StepAnswer) -> Message:
        job, step_id, info = step.task.job, str(step.task.step_id), self._info(answer)
        if answer.listing is None:
            return events.DiscoveryFailed(job=job, step_id=step_id, info=info)
        return events.DiscoveryCompleted(
            job=job,
            step_id=step_id,
            asins=answer.listing.asins,
            total_count=answer.listing.total,
            info=info,
        )

    def _scored(self, step: Step, answer: StepAnswer) -> Message:
        job, step_id, info = step.task.job, str(step.task.step_id), self._info(answer)
        unknown = [one.asin for one in answer.appraisals if one.status is Status.UNKNOWN]
        if answer.failed:
            return events.ScoringFailed(job=job, step_id=step_id, info=info, unknown_asins=unknown)
        scored = [one for one in answer.appraisals if one.status in SCORED and one.score]
        missing = [one.asin for one in answer.appraisals if one.status is Status.NOT_FOUND]
        return events.ScoringCompleted(
            job=job,
            step_id=step_id,
            scores=[self._score_message(one) for one in scored],
            unanswered_asins=answer.unanswered,
            unknown_asins=unknown,
            missing_asins=missing,
            info=info,
        )

    def _info(self, answer: StepAnswer) -> pb.SearchInfo:
        return self._info_message(answer.tally, answer.seconds, self._clock.now())
