"""GET /token: the balance, free and never gated."""

from deploy.sandbox.answering import Answer
from deploy.sandbox.params import Params


class Token:
    """Answers with the bare envelope."""

    gated = False

    async def answer(self, _params: Params, _now_ms: int, /) -> Answer:
        """Return nothing but what every answer carries."""
        return Answer()
