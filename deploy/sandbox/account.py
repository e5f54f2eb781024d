"""The one account behind the key: its bucket, its truth log, its lowest balance."""

from dataclasses import dataclass

from deploy.sandbox.bucket import Bucket, Refill
from deploy.sandbox.clock import Clock
from deploy.sandbox.truth import Change, Line, TruthLog


@dataclass(frozen=True)
class Call:
    """One request as the truth log names it."""

    path: str
    params: dict[str, str]
    arrived_ms: int
    fault: str | None = None


class Account:
    """Moves tokens and writes down why; every method looks at the clock once."""

    def __init__(self, bucket: Bucket, truth: TruthLog, clock: Clock) -> None:
        self.bucket = bucket
        self.truth = truth
        self.now_ms = clock
        self.minimum = bucket.left
        self.minimum_by_requests = bucket.left
        self.requests = 0
        self.consumed = 0
        self._refilled = 0
        self._overflowed = 0
        self.ticks = 0
        self.overflowed = 0
        self._plan_reduction = bucket.flow_reduction
        self._tracking_reduction = 0.0

    def left(self) -> int:
        """Return the balance of this instant."""
        self._advance()
        return self.bucket.left

    def settle(self, call: Call, *, tokens: int, status: int) -> int:
        """Charge a call at the instant its answer is made; returns that instant."""
        now = self._advance()
        self._spend(tokens, now, "spend")
        if tokens:
            self.minimum_by_requests = min(self.minimum_by_requests, self.bucket.left)
        self.requests += 1
        self.consumed += tokens
        self._write("request", call, now, status=status, tokens=tokens)
        return now

    def spend_elsewhere(self, tokens: int) -> None:
        """Let somebody else use the key: ``tokens`` are gone and no request of ours says so."""
        now = self._advance()
        self._spend(tokens, now, "foreign")
        call = Call("(foreign)", {}, now)
        self._write("foreign", call, now, status=200, tokens=tokens)

    def credit(self, tokens: int) -> None:
        """Give tokens that no tick brought."""
        now = self._advance()
        self.bucket.give(tokens)
        self.truth.changed(Change(now, self.bucket.left, "credit"))
        self._write("credit", Call("(credit)", {}, now), now, status=200, tokens=-tokens)

    def change_plan(self, *, rate: int, flow_reduction: float) -> None:
        """Switch the plan at this instant."""
        now = self._advance()
        self._plan_reduction = flow_reduction
        self.bucket.change_plan(rate=rate, flow_reduction=flow_reduction + self._tracking_reduction)
        self.truth.changed(Change(now, self.bucket.left, "plan"))
        params = {"rate": str(rate), "flowReduction": str(flow_reduction)}
        self._write("plan", Call("(plan)", params, now), now, status=200, tokens=0)

    def track(self, flow_reduction: float) -> None:
        """Let the active trackings take this much off every tick from now on."""
        self._advance()
        self._tracking_reduction = flow_reduction
        self.bucket.change_plan(
            rate=self.bucket.rate, flow_reduction=self._plan_reduction + flow_reduction
        )

    def _advance(self) -> int:
        now = self.now_ms()
        refill: Refill = self.bucket.advance(now)
        self.ticks += refill.ticks
        self.overflowed += refill.overflowed
        self._refilled += refill.added
        self._overflowed += refill.overflowed
        if refill.added:
            self.truth.changed(Change(now, self.bucket.left, "tick"))
        return now

    def _spend(self, tokens: int, now: int, cause: str) -> None:
        self.bucket.spend(tokens)
        self.minimum = min(self.minimum, self.bucket.left)
        if tokens:
            self.truth.changed(Change(now, self.bucket.left, cause))

    def _write(self, kind: str, call: Call, now: int, *, status: int, tokens: int) -> None:
        line = Line(
            seq=self.truth.next_seq,
            kind=kind,
            arrived_ms=call.arrived_ms,
            finished_ms=now,
            path=call.path,
            params=call.params,
            status=status,
            tokensConsumed=tokens,
            tokensLeft=self.bucket.left,
            refilled=self._refilled,
            overflowed=self._overflowed,
            fault=call.fault,
        )
        self._refilled = self._overflowed = 0
        self.truth.record(line)
