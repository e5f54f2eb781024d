"""What a full run must have met; one that never did has proved nothing about it."""

from collections import Counter
from collections.abc import Iterable

CONDITIONS = (
    "429",
    "429 obeyed",
    "BALANCELOW",
    "COMMITTED late, from RELEASED",
    "COMMITTED late, from UNKNOWN",
    "CREDIT",
    "EXTENDED",
    "FOREIGN",
    "OBSERVED again",
    "OBSERVED in doubt",
    "OVERFLOW",
    "OVERRUN",
    "RELEASED EXPIRED from HELD",
    "RELEASED NOT_SENT from UNKNOWN",
    "RELEASED WAIT_ENDED from WAITING",
    "SETTLED",
    "UNKNOWN",
    "all-zero body",
    "answer of Keepa lost",
    "answer of budget lost",
    "caller died",
    "clock stepped",
    "commit repeated",
    "connection lost after an append",
    "connection lost before an append",
    "crash after an append",
    "crash before an append",
    "envelope ended with calls out",
    "gateway crashed",
    "higher priority waits",
    "job walked away",
    "older or senseless report",
    "pause to settle",
    "plan changed",
    "promise kept while a small one passed",
    "reconciler committed",
    "refused BALANCE_UNKNOWN",
    "refused COMMIT_CONFLICT",
    "refused COST_EXCEEDS_CAPACITY",
    "refused ENVELOPE_EXHAUSTED",
    "refused INSUFFICIENT_TOKENS",
    "refused QUEUE_FULL",
    "refused REQUEST_ID_REUSED",
    "refused RESERVATION_ENDED",
    "refused WAIT_TIMEOUT",
    "released what was sent",
    "released with proof",
    "replicas raced one id",
    "report delivered late",
    "reservation repeated",
    "restart from a snapshot",
)


def missed(seen: Counter[str]) -> Iterable[str]:
    """Name the conditions that never came up."""
    return [each for each in CONDITIONS if not seen[each]]
