"""The ways a job can end, with the sentences that people read."""

from datetime import timedelta

from services.autosourcing.domain.job import Cause, Counts, Ending, State, Stop

TOO_EXPENSIVE_SUGGESTION = "Reduce max_results or narrow filters"


def completed(counts: Counts) -> Ending:
    """All the work was done."""
    if counts.unique and counts.recent == counts.unique:
        message = f"All {counts.unique} products were analysed by a job in the last days"
        return Ending(
            State.COMPLETED, "ALL_RECENT", message, "Ask for recent products to be included"
        )
    if not counts.unique:
        return Ending(State.COMPLETED, "NOTHING_FOUND", "No product matches", "Widen the filters")
    message = f"{counts.picks} picks from {counts.analyzed} products analysed"
    if counts.unknown:
        message += f"; {counts.unknown} without a known answer"
    return Ending(State.COMPLETED, "COMPLETED", message)


def timed_out(timeout: timedelta) -> Ending:
    """The time was up first."""
    message = f"Job exceeded timeout limit ({timeout.total_seconds():.0f}s)"
    return Ending(State.TIMED_OUT, "TIMEOUT", message, "reduce search scope")


def cancelled() -> Ending:
    """Somebody asked for it."""
    return Ending(State.CANCELLED, "CANCELLED", "Cancelled on request; picks found are kept")


def wait_ended(*, balance: int, required: int) -> Ending:
    """The gate did not open within the time that the caller gave."""
    message = (
        f"Waited in vain for tokens: {required} required, {balance} available "
        f"(deficit {max(1, required - balance)})"
    )
    return Ending(
        State.BUDGET_STOPPED, "INSUFFICIENT_TOKENS", message, "Try later or reduce the job"
    )


def refused(reason: str, message: str) -> Ending:
    """Budget will never grant the envelope."""
    return Ending(State.FAILED, reason, message, TOO_EXPENSIVE_SUGGESTION)


def stopped(stop: Stop, timeout: timedelta) -> Ending:
    """Discovery could not go on."""
    match stop.cause:
        case Cause.TOKENS:
            message = stop.message or "The job's tokens are used up; picks found are kept"
            return Ending(State.BUDGET_STOPPED, "TOKEN_LIMIT", message, TOO_EXPENSIVE_SUGGESTION)
        case Cause.RATE_LIMITED:
            message = stop.message or "Keepa answered 429; picks found are kept"
            return Ending(State.BUDGET_STOPPED, "KEEPA_RATE_LIMITED", message, "Try again later")
        case Cause.KEY_REJECTED:
            message = stop.message or "Keepa rejected the API key"
            return Ending(State.FAILED, "KEEPA_KEY_REJECTED", message, "Check the Keepa API key")
        case Cause.UNAVAILABLE:
            message = stop.message or "Keepa could not be reached"
            return Ending(State.FAILED, "KEEPA_UNAVAILABLE", message, "Try again later")
        case Cause.DEADLINE:
            return timed_out(timeout)
        case Cause.FAULT:
            message = stop.message or "The work could not be done"
            return Ending(State.FAILED, "FAULT", message)
