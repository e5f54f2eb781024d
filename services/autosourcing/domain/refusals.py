"""The refusals of this service, with the numbers and the words that clients show."""

from collections.abc import Mapping

from services.autosourcing.domain.endings import TOO_EXPENSIVE_SUGGESTION
from services.autosourcing.domain.job import Job
from services.autosourcing.domain.limits import Limits
from services.chassis.errors import Kind, Refusal


def too_expensive(limits: Limits, tokens: int) -> Refusal:
    """The estimate is above what one job may cost."""
    facts: Mapping[str, str | int] = {
        "estimated_tokens": tokens,
        "max_allowed": limits.tokens_per_job,
        "suggestion": TOO_EXPENSIVE_SUGGESTION,
    }
    message = (
        f"The job may cost {tokens} tokens; {limits.tokens_per_job} are allowed. "
        f"{TOO_EXPENSIVE_SUGGESTION}."
    )
    return Refusal(Kind.INVALID_ARGUMENT, "JOB_TOO_EXPENSIVE", message, facts=facts)


def job_not_found(name: str) -> Refusal:
    """There is no such job."""
    return _not_found("JOB_NOT_FOUND", "job", name)


def pick_not_found(name: str) -> Refusal:
    """There is no such pick."""
    return _not_found("PICK_NOT_FOUND", "pick", name)


def profile_not_found(name: str) -> Refusal:
    """There is no such profile."""
    return _not_found("PROFILE_NOT_FOUND", "profile", name)


def schedule_not_found(name: str) -> Refusal:
    """There is no such schedule."""
    return _not_found("SCHEDULE_NOT_FOUND", "schedule", name)


def profile_in_use(name: str, schedule: str) -> Refusal:
    """A schedule would start jobs without it."""
    return Refusal(
        Kind.FAILED_PRECONDITION,
        "PROFILE_IN_USE",
        f"{schedule} names {name}; change or delete the schedule first.",
        facts={"schedule": schedule},
    )


def job_finished(job: Job) -> Refusal:
    """The job has ended in another way than was asked for."""
    return Refusal(
        Kind.FAILED_PRECONDITION,
        "JOB_FINISHED",
        f"The job has ended already: {job.state}.",
        facts={"state": job.state.value},
    )


def request_id_reused() -> Refusal:
    """The same id came with other content."""
    return Refusal(
        Kind.INVALID_ARGUMENT,
        "REQUEST_ID_REUSED",
        "This request_id was used for a request with other content; make a new one.",
    )


def profile_already_exists(name: str) -> Refusal:
    """The id is taken."""
    return Refusal(
        Kind.ALREADY_EXISTS,
        "PROFILE_ALREADY_EXISTS",
        f"There is a profile {name} already; choose another profile_id.",
        resource=("profile", name),
    )


def etag_mismatch(kind: str, etag: str) -> Refusal:
    """Somebody changed it since it was read; ``etag`` is the present one."""
    return Refusal(
        Kind.ABORTED,
        "ETAG_MISMATCH",
        f"The {kind} has changed since it was read; read it again.",
        facts={"etag": etag},
    )


def slow_reader(limit: int) -> Refusal:
    """A watcher fell too far behind."""
    return Refusal(
        Kind.RESOURCE_EXHAUSTED,
        "SLOW_READER",
        f"The reader fell more than {limit} changes behind; resume after the last one.",
        facts={"limit": limit},
    )


def withdrawn() -> Refusal:
    """A second call with the same id was refused while this one was under way."""
    return Refusal(
        Kind.UNAVAILABLE,
        "UPSTREAM_UNAVAILABLE",
        "The job was withdrawn by a call with the same request_id; ask again.",
    )


def _not_found(reason: str, kind: str, name: str) -> Refusal:
    return Refusal(Kind.NOT_FOUND, reason, f"There is no {kind} {name}.", resource=(kind, name))
