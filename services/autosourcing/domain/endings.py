"""The ways a job can end, with the sentences that people read."""

from datetime import timedelta

from services.autosourcing.domain.job import Cause, Counts, Ending, Job, State, StepKind, Stop

TOO_EXPENSIVE_SUGGESTION = "Reduce max_results or narrow filters"


def completed(counts: Counts) -> Ending:
    """All the work was done, or there are as many picks as were asked for."""
    if counts.distinct and counts.recent == counts.distinct:
        all_of_them = f"All {counts.distinct} products were"
        if counts.distinct == 1:
            all_of_them = "The product was"
        message = f"{all_of_them} analysed by a job in the last days"
        suggestion = "Include products that were seen recently"
        return Ending(State.COMPLETED, "ALL_RECENT", message, suggestion)
    if not counts.distinct:
        return Ending(State.COMPLETED, "NOTHING_FOUND", "No product matches", "Widen the filters")
    picks, products = _number(counts.picks, "pick"), _number(counts.analyzed, "product")
    message = f"{picks} from {products} analysed"
    if counts.unknown:
        message += f"; the answers for {counts.unknown} were lost"
    return Ending(State.COMPLETED, "COMPLETED", message)


def timed_out(timeout: timedelta) -> Ending:
    """The time was up first."""
    message = f"Job exceeded timeout limit ({timeout.total_seconds():.0f}s)"
    return Ending(State.TIMED_OUT, "TIMEOUT", message, "reduce search scope")


def doing(job: Job) -> str:
    """What a job that has not ended is doing."""
    if job.state is State.PENDING:
        return "Waiting for tokens"
    step = job.open_step
    if step is None or step.kind is StepKind.SEARCH:
        return "Searching for products"
    return f"Analysing products: {job.counts.analyzed} of {job.counts.planned} done"


def cancelled() -> Ending:
    """Somebody asked for it."""
    return Ending(State.CANCELLED, "CANCELLED", "Cancelled on request; picks found are kept")


def wait_ended(*, balance: int | None, required: int) -> Ending:
    """The gate did not open within the time that the caller gave."""
    known = ""
    if balance is not None:
        known = f", {balance} available (deficit {max(1, required - balance)})"
    message = f"Waited in vain for tokens: {required} required{known}"
    suggestion = "Try again later, or reduce the job"
    return Ending(State.BUDGET_STOPPED, "INSUFFICIENT_TOKENS", message, suggestion)


def refused(reason: str, message: str) -> Ending:
    """Budget will never grant the envelope."""
    return Ending(State.FAILED, reason, message, TOO_EXPENSIVE_SUGGESTION)


def stopped(stop: Stop) -> Ending:
    """Discovery could not go on, though the job had time left."""
    match stop.cause:
        case Cause.TOKENS:
            message = _told("The job's tokens are used up; picks found are kept", stop)
            return Ending(State.BUDGET_STOPPED, "TOKEN_LIMIT", message, TOO_EXPENSIVE_SUGGESTION)
        case Cause.RATE_LIMITED:
            message = _told("Keepa's tokens are used up (429); picks found are kept", stop)
            return Ending(State.BUDGET_STOPPED, "KEEPA_RATE_LIMITED", message, "Try again later")
        case Cause.KEY_REJECTED:
            message = stop.message or "Keepa rejected the API key"
            return Ending(State.FAILED, "KEEPA_KEY_REJECTED", message, "Check the Keepa API key")
        case Cause.UNAVAILABLE:
            message = stop.message or "Keepa could not be reached"
            return Ending(State.FAILED, "KEEPA_UNAVAILABLE", message, "Try again later")
        case Cause.DEADLINE:
            message = stop.message or "No answer came in time"
            return Ending(State.FAILED, "NO_ANSWER", message, "Try again later")
        case Cause.FAULT:
            message = stop.message or "The work could not be done"
            return Ending(State.FAILED, "FAULT", message)


def _told(sentence: str, stop: Stop) -> str:
    """The sentence for people, and behind it what the service that stopped had to say."""
    return f"{sentence}. {stop.message}" if stop.message else sentence


def _number(count: int, thing: str) -> str:
    return f"{count} {thing}" if count == 1 else f"{count} {thing}s"
