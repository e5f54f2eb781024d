"""Every refusal of the ledger, each with its numbers in the sentence and in the facts."""

from datetime import timedelta
from uuid import UUID

from services.budget.domain.reservation import NO_TAGS, Reservation, Tags
from services.chassis.errors import Kind, Refusal

STORAGE_UNAVAILABLE = "STORAGE_UNAVAILABLE"
ASK_AGAIN = timedelta(seconds=1)  # One free /token call by the gateway ends an unknown balance.


def insufficient_tokens(
    balance: int, required: int, wait: timedelta | None, tags: Tags = NO_TAGS
) -> Refusal:
    """Refuse for now; ``wait`` is how long until ticks alone would be enough."""
    deficit = required - balance
    return Refusal(
        Kind.RESOURCE_EXHAUSTED,
        "INSUFFICIENT_TOKENS",
        f"{required} tokens are required and {balance} are available: {deficit} are missing.",
        facts={**_shortage(balance, required), **_purpose(tags)},
        retry_after=wait,
    )


def wait_timeout(
    balance: int, required: int, wait: timedelta | None, tags: Tags = NO_TAGS
) -> Refusal:
    """Say that the wait ended first."""
    return Refusal(
        Kind.RESOURCE_EXHAUSTED,
        "WAIT_TIMEOUT",
        f"The wait ended before {required} tokens were available; there are {balance}.",
        facts={**_shortage(balance, required), **_purpose(tags)},
        retry_after=wait,
    )


def queue_full(limit: int, balance: int, required: int, wait: timedelta | None) -> Refusal:
    """Say that too many wait already."""
    return Refusal(
        Kind.RESOURCE_EXHAUSTED,
        "QUEUE_FULL",
        f"{limit} reservations are waiting already, which is the limit.",
        facts={"limit": limit, **_shortage(balance, required)},
        retry_after=wait,
    )


def _shortage(balance: int, required: int) -> dict[str, str | int]:
    return {"balance": balance, "required": required, "deficit": max(1, required - balance)}


def _purpose(tags: Tags) -> dict[str, str | int]:
    """What the tokens were for, as far as the caller said."""
    named = {"action": tags.action, "endpoint": tags.endpoint}
    return {name: value for name, value in named.items() if value}


def cost_exceeds_capacity(required: int, capacity: int) -> Refusal:
    """Refuse for good: no wait would help."""
    return Refusal(
        Kind.FAILED_PRECONDITION,
        "COST_EXCEEDS_CAPACITY",
        f"{required} tokens are required and the bucket never holds more than {capacity}.",
        facts={"required": required, "capacity": capacity},
    )


def balance_unknown(*, observed: bool) -> Refusal:
    """Refuse to guess."""
    seen = "was not observed within the last 180 s" if observed else "has never been observed"
    return Refusal(
        Kind.UNAVAILABLE,
        "BALANCE_UNKNOWN",
        f"The balance {seen}; nothing is granted until it is reported.",
        retry_after=ASK_AGAIN,
    )


def reservation_ended(reservation: Reservation, stage: str | None = None) -> Refusal:
    """Say that a reservation is no longer open."""
    state = stage or reservation.stage.value
    return Refusal(
        Kind.FAILED_PRECONDITION,
        "RESERVATION_ENDED",
        f"reservations/{reservation.id} is {state}, with 0 tokens remaining.",
        facts={"state": state, "remaining": 0},
        resource=("budget.arbitragevault/Reservation", f"reservations/{reservation.id}"),
    )


def envelope_exhausted(envelope: Reservation, required: int) -> Refusal:
    """Say that an envelope's rest is too small for a draw."""
    return Refusal(
        Kind.FAILED_PRECONDITION,
        "ENVELOPE_EXHAUSTED",
        f"reservations/{envelope.id} has {envelope.rest} tokens remaining of {required} required.",
        facts={"state": envelope.stage.value, "remaining": envelope.rest, "required": required},
        resource=("budget.arbitragevault/Reservation", f"reservations/{envelope.id}"),
    )


def commit_conflict(reservation: Reservation, offered: int) -> Refusal:
    """Refuse a second, different cost."""
    committed = reservation.committed
    return Refusal(
        Kind.FAILED_PRECONDITION,
        "COMMIT_CONFLICT",
        f"{committed} tokens were committed before and {offered} are offered now.",
        facts={"committed": committed, "offered": offered},
        resource=("budget.arbitragevault/Reservation", f"reservations/{reservation.id}"),
    )


def request_id_reused(request_id: UUID) -> Refusal:
    """Refuse an id that stands for something else."""
    return Refusal(
        Kind.INVALID_ARGUMENT,
        "REQUEST_ID_REUSED",
        f"request_id {request_id} was used before with other content.",
        facts={"request_id": str(request_id)},
    )


def reservation_not_found(reservation: UUID) -> Refusal:
    """Say that there is no such reservation."""
    name = f"reservations/{reservation}"
    return Refusal(
        Kind.NOT_FOUND,
        "RESERVATION_NOT_FOUND",
        f"{name} does not exist.",
        resource=("budget.arbitragevault/Reservation", name),
    )


def account_not_found(account: str) -> Refusal:
    """Say that there is no such account."""
    name = f"accounts/{account}"
    return Refusal(
        Kind.NOT_FOUND,
        "ACCOUNT_NOT_FOUND",
        f"{name} does not exist; the first report of a balance creates it.",
        resource=("budget.arbitragevault/Account", name),
    )


def too_many_accounts(limit: int) -> Refusal:
    """Say that no account can be added."""
    return Refusal(
        Kind.FAILED_PRECONDITION,
        "TOO_MANY_ACCOUNTS",
        f"There are {limit} accounts already, as many as there can be; report to one of them.",
        facts={"limit": limit},
    )


def action_not_found(action: str) -> Refusal:
    """Say that there is no such action."""
    name = f"actions/{action}"
    return Refusal(
        Kind.NOT_FOUND,
        "ACTION_NOT_FOUND",
        f"{name} is not in the registry.",
        resource=("budget.arbitragevault/Action", name),
    )


def storage_unavailable() -> Refusal:
    """Say that the database could not be reached; repeating the same request is safe."""
    return Refusal(
        Kind.UNAVAILABLE,
        STORAGE_UNAVAILABLE,
        "The ledger's database could not be reached; repeat the same request.",
        retry_after=ASK_AGAIN,
    )


class UnreadableEntryError(Refusal):
    """An entry is stored that cannot be read: damaged, or of a form that this version does not know.

    Another replica, of a newer version, may well read it; else an operator must look at it.
    """

    def __init__(self, sequence: int, description: str) -> None:
        super().__init__(
            Kind.UNAVAILABLE, "LEDGER_UNREADABLE", description, facts={"sequence": sequence}
        )
        self.sequence = sequence


def overloaded(limit: int) -> Refusal:
    """Shed load rather than queue without a bound."""
    return Refusal(
        Kind.RESOURCE_EXHAUSTED,
        "OVERLOADED",
        f"{limit} commands wait for the ledger already.",
        facts={"limit": limit},
        retry_after=ASK_AGAIN,
    )


def slow_reader(limit: int) -> Refusal:
    """End a stream whose reader does not keep up; it may resume."""
    return Refusal(
        Kind.RESOURCE_EXHAUSTED,
        "SLOW_READER",
        f"The reader is more than {limit} changes behind; resume after the last one read.",
        facts={"limit": limit},
        retry_after=timedelta(0),
    )


def sequence_ahead(after: int, newest: int) -> Refusal:
    """Refuse to go on from an entry that is not there: it is not this ledger's."""
    return Refusal(
        Kind.FAILED_PRECONDITION,
        "SEQUENCE_AHEAD",
        f"after_sequence is {after} and the newest entry is {newest}; watch without it.",
        facts={"after_sequence": after, "newest_sequence": newest},
    )


def usage_too_large(entries: int, limit: int) -> Refusal:
    """Refuse to sum more entries than fit into the time of one answer."""
    return Refusal(
        Kind.FAILED_PRECONDITION,
        "USAGE_TOO_LARGE",
        f"The span has {entries} entries, and {limit} are summed at once; ask for a shorter one.",
        facts={"entries": entries, "limit": limit},
    )


def usage_too_slow(entries: int, seconds: float) -> Refusal:
    """Say that a span that may be summed took longer than there was time."""
    return Refusal(
        Kind.FAILED_PRECONDITION,
        "USAGE_TOO_LARGE",
        f"The {entries} entries of the span were not summed within {seconds:.2g} s; ask for a"
        " shorter one, or leave more time.",
        facts={"entries": entries, "seconds": f"{seconds:.2g}"},
    )


def checkpoint_lost(sequence: int) -> Refusal:
    """Refuse to go on with a verification whose own checkpoint is not there any more."""
    return Refusal(
        Kind.ABORTED,
        "CHECKPOINT_LOST",
        f"The checkpoint at {sequence} is gone or was replaced; begin again without page_token.",
        facts={"sequence": sequence},
    )


def server_stopping() -> Refusal:
    """End a wait on this replica; its place in the queue is kept for the same request."""
    return Refusal(
        Kind.UNAVAILABLE,
        "SERVER_STOPPING",
        "This server stops; repeat the same request, and another one goes on with the wait.",
        retry_after=ASK_AGAIN,
    )
