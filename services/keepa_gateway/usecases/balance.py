"""The balance by ``/token``: at the start, after silence, as a trial, and when an operator asks."""

import asyncio
from datetime import timedelta

from services.chassis import telemetry
from services.chassis.errors import Kind, Refusal
from services.keepa_gateway.domain.breaker import TRIAL_PAUSE, Circuit
from services.keepa_gateway.domain.calls import TOKEN_CALL
from services.keepa_gateway.domain.egress import key_rejected
from services.keepa_gateway.domain.outcome import Outcome, Verdict
from services.keepa_gateway.domain.refusals import RETRY_SOON
from services.keepa_gateway.ports import Budget, Gate, Keepa, Turn
from services.keepa_gateway.usecases.reading import read
from services.keepa_gateway.usecases.way import Way

SILENCE = timedelta(seconds=60)
CHECK_SECONDS = 1.0
RETRY_SECONDS = 5.0
_log = telemetry.get_logger(__name__)


class Balance:
    """Asks Keepa for the balance and reports it."""

    def __init__(self, *, keepa: Keepa, gate: Gate, budget: Budget, way: Way, turn: Turn) -> None:
        self._keepa = keepa
        self._gate = gate
        self._budget = budget
        self._way = way
        self._turn = turn

    async def ask(self, *, trial: bool = False) -> Outcome:
        """Ask once and report what was learned; a free call, outside of the throttle.

        The ledger is read first: every commit up to there is reflected in the answer.

        Raises:
            Refusal: Budget cannot be reached.
        """
        sequence = await self._budget.sequence()
        answer = await self._keepa.send(TOKEN_CALL)
        outcome = answer
        if not isinstance(answer, Outcome):
            outcome = (await read(TOKEN_CALL, answer, self._way.now())).outcome
        assert isinstance(outcome, Outcome)
        await self._gate.record(outcome, trial=trial)
        if outcome.observation is not None:
            await self._budget.report(outcome.observation, after_sequence=sequence)
        return outcome

    async def check(self, *, retry_rejected_key: bool) -> None:
        """Answer an operator who wants to know whether Keepa is there and takes the key.

        Raises:
            Refusal: KEEPA_KEY_REJECTED, KEEPA_RATE_LIMITED or KEEPA_UNAVAILABLE.
        """
        egress, now = await self._gate.read()
        if egress.rejected_at is not None and not retry_rejected_key:
            raise key_rejected()
        outcome = await self.ask(trial=egress.breaker.circuit(now) is Circuit.TRYING)
        if outcome.verdict is Verdict.KEY_REJECTED:
            raise key_rejected()
        if outcome.observation is None:
            raise _unavailable(outcome)
        if egress.rejected_at is not None:
            await self._gate.lift_rejection()

    async def watch(self) -> None:
        """Keep the balance fresh and try the circuit; one replica at a time does it."""
        while True:
            pause = CHECK_SECONDS
            async with self._turn.take("balance") as mine:
                if mine:
                    pause = await self._tend()
            await asyncio.sleep(pause)

    async def _tend(self) -> float:
        """Do what is due; return how long to rest."""
        egress, now = await self._gate.read()
        circuit = egress.breaker.circuit(now)
        if egress.rejected_at is not None or circuit is Circuit.OPEN:
            return CHECK_SECONDS
        silent = egress.answered_at is None or now - egress.answered_at >= SILENCE
        if circuit is Circuit.TRYING or silent or await self._in_doubt():
            return await self._tend_now(trying=circuit is Circuit.TRYING)
        return CHECK_SECONDS

    async def _in_doubt(self) -> bool:
        """Whether budget waits for a balance, as after it was away when one was told."""
        try:
            return await self._budget.in_doubt()
        except Refusal:
            return False

    async def _tend_now(self, *, trying: bool) -> float:
        try:
            outcome = await self.ask(trial=trying)
        except Refusal as refusal:
            _log.warning("balance not reported", reason=refusal.reason)
            return RETRY_SECONDS
        if outcome.observation is None:
            _log.warning("balance not learned", reason=outcome.reason)
        return TRIAL_PAUSE.total_seconds() if trying else RETRY_SECONDS


def _unavailable(outcome: Outcome) -> Refusal:
    return Refusal(Kind.UNAVAILABLE, "KEEPA_UNAVAILABLE", outcome.reason, retry_after=RETRY_SOON)
