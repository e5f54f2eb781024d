"""Jobs and picks as callers see them, and what a job would cost."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from arbitragevault.autosourcing.v1 import autosourcing_pb2 as pb
from arbitragevault.discovery.v1 import discovery_pb2 as discovery_pb

from services.autosourcing.api import responses, responses_specs
from services.autosourcing.domain import endings
from services.autosourcing.domain.job import Job
from services.autosourcing.domain.limits import Limits
from services.autosourcing.domain.picks import Analysis, Rating
from services.autosourcing.ports import Moment, SavedPick, Stats
from services.autosourcing.usecases.planning import Forecast
from services.chassis.rpc import times


def job(value: Job, now: datetime, products: Iterable[Analysis] = ()) -> pb.Job:
    """A job as callers see it at ``now``."""
    counts, envelope, ending = value.counts, value.envelope, value.ending
    message = pb.Job(
        name=responses.job_name(value.id),
        spec=responses_specs.spec(value.plan.spec),
        state=responses.state(value.state),
        message=ending.message if ending else endings.doing(value),
        suggestion=ending.suggestion if ending else "",
        caller=value.caller,
        estimated_token_count=value.plan.estimated_tokens,
        token_count=envelope.spent_tokens if envelope.closed else counts.tokens,
        unsettled_token_count=envelope.unsettled_tokens,
        found_count=counts.found,
        unique_count=counts.distinct,
        recently_seen_count=counts.recent,
        analyzed_count=counts.analyzed,
        planned_count=counts.planned,
        unknown_count=counts.unknown,
        pick_count=counts.picks,
        envelope=envelope.name,
        create_time=times.timestamp(value.created_at),
        start_time=times.timestamp(value.started_at),
        deadline_time=times.timestamp(value.deadline_at),
        end_time=times.timestamp(value.ended_at),
        sequence=value.sequence,
        expected_start_time=times.timestamp(value.queue.expected_start_at),
        products=[product(each) for each in products],
    )
    message.duration.FromTimedelta(max(value.duration(now), timedelta(0)))
    return message


def product(value: Analysis) -> pb.AnalyzedProduct:
    """What became of a product."""
    return pb.AnalyzedProduct(
        asin=value.asin,
        title=value.title,
        outcome=responses.outcome(value.outcome),
        reason=value.reason,
        recommendation=responses.recommendation(value.recommendation),
    )


def pick(value: SavedPick) -> pb.Pick:
    """A pick; its score is discovery's, its tier and rating are the job's own verdict."""
    found = value.pick
    score = discovery_pb.ProductScore.FromString(found.finding.document)
    score.tier = discovery_pb.Tier.Value(f"TIER_{found.tier}")
    score.rating = _rating(found.rating)
    return pb.Pick(
        name=responses.pick_name(found.id),
        job=responses.job_name(found.job_id),
        score=score,
        kind=responses.kind(found.kind),
        reason=found.reason,
        action=responses.action(value.action),
        notes=value.notes,
        create_time=times.timestamp(value.created_at),
        update_time=times.timestamp(value.updated_at),
        etag=str(value.revision),
    )


def moment(value: Moment) -> pb.WatchJobResponse:
    """One change of a watched job."""
    return pb.WatchJobResponse(
        sequence=value.job.sequence,
        job=job(value.job, value.changed_at),
        picks=[pick(each) for each in value.picks],
        products=[product(each) for each in value.products],
        change_time=times.timestamp(value.changed_at),
    )


def forecast(value: Forecast, limits: Limits, now: datetime) -> pb.EstimateJobResponse:
    """What a job would cost, and whether it may start."""
    outlook, tokens = value.outlook, value.estimate.tokens
    known = outlook.balance is not None
    possible = known and not value.too_expensive
    answer = pb.EstimateJobResponse(
        estimated_token_count=tokens,
        balance_token_count=outlook.balance or 0,
        safe_to_proceed=possible and outlook.deficit == 0,
        required_token_count=outlook.required,
        deficit_token_count=outlook.deficit,
        max_token_count=limits.tokens_per_job,
        cached_count=value.estimate.cached_products,
        balance_known=known,
        warning=_warning(value, limits),
        suggestion=endings.TOO_EXPENSIVE_SUGGESTION if value.too_expensive else "",
    )
    if possible and outlook.wait_seconds is not None:
        wait = timedelta(seconds=outlook.wait_seconds)
        answer.wait_duration.FromTimedelta(wait)
        answer.start_time.FromDatetime(now + wait)
    return answer


def stats(value: Stats) -> pb.GetJobStatsResponse:
    """Sums over jobs."""
    message = pb.GetJobStatsResponse(
        job_count=value.jobs,
        states=[
            pb.JobStateCount(state=responses.state(state), job_count=count)
            for state, count in sorted(value.states.items())
        ],
        token_count=value.tokens,
        analyzed_count=value.analyzed,
        pick_count=value.picks,
        tokens_per_pick=value.tokens / value.picks if value.picks else None,
        tokens_per_buy=value.tokens / value.buys if value.buys else None,
    )
    if value.mean_duration is not None:
        message.mean_duration.FromTimedelta(value.mean_duration)
    return message


def _warning(value: Forecast, limits: Limits) -> str:
    outlook, tokens = value.outlook, value.estimate.tokens
    if value.too_expensive:
        return f"The job may cost {tokens} tokens; {limits.tokens_per_job} are allowed"
    if outlook.balance is None:
        return "The token balance is not known, so nothing may start"
    if not outlook.deficit:
        return outlook.warning
    when = "never" if outlook.wait_seconds is None else f"in {outlook.wait_seconds:.0f} s"
    return (
        f"{outlook.required} tokens are required and {outlook.balance} are available "
        f"({outlook.deficit} missing); possible {when}"
    )


def _rating(value: Rating) -> discovery_pb.Rating.ValueType:
    if value is Rating.UNRATED:
        return discovery_pb.RATING_UNSPECIFIED
    return discovery_pb.Rating.Value(f"RATING_{value}")
