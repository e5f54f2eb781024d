"""What no wait could make possible: refused before a call takes anything of anybody's.

The reasons are budget's, which would say the same of such a reservation.
"""

from dataclasses import dataclass

from services.chassis.errors import Kind, Refusal

BUDGET_DOMAIN = "budget.arbitragevault"
_OPEN = "HELD"


@dataclass(frozen=True, slots=True, kw_only=True)
class Purse:
    """An envelope that calls draw on, as budget tells of it.

    Attributes:
        name: Its resource name.
        state: Where it stands in its life; it is open while HELD.
        tokens: What it held at first.
        committed: What its calls have cost so far.
        remaining: What could be drawn at this moment.
    """

    name: str
    state: str
    tokens: int
    committed: int
    remaining: int

    def refusal(self, required: int) -> Refusal | None:
        """Why a draw of so many tokens can never succeed; nothing when it may.

        What other calls hold of it may come back; what they have cost does not.
        """
        if self.state != _OPEN:
            return self._refused(
                "RESERVATION_ENDED",
                f"{self.name} is {self.state}, with 0 tokens remaining.",
                {"state": self.state, "remaining": 0},
            )
        if required > self.tokens - self.committed:
            return self._refused(
                "ENVELOPE_EXHAUSTED",
                f"{self.name} has {self.remaining} tokens remaining of {required} required.",
                {"state": self.state, "remaining": self.remaining, "required": required},
            )
        return None

    def _refused(self, reason: str, message: str, facts: dict[str, str | int]) -> Refusal:
        return Refusal(
            Kind.FAILED_PRECONDITION,
            reason,
            message,
            facts=facts,
            resource=(f"{BUDGET_DOMAIN}/Reservation", self.name),
            domain=BUDGET_DOMAIN,
        )


def beyond_capacity(required: int, capacity: int) -> Refusal:
    """Refuse what the bucket can never hold; ``required`` is the cost and what must be left."""
    return Refusal(
        Kind.FAILED_PRECONDITION,
        "COST_EXCEEDS_CAPACITY",
        f"{required} tokens are required and the bucket never holds more than {capacity}.",
        facts={"required": required, "capacity": capacity},
        domain=BUDGET_DOMAIN,
    )
