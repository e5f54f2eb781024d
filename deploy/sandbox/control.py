"""The controls under /_sandbox: health, truth, balance, clock, faults."""

from dataclasses import dataclass

import msgspec
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from deploy.sandbox.account import Account
from deploy.sandbox.door import Door
from deploy.sandbox.faults import FaultOrder, Faults


class ForeignSpend(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """Somebody else uses the key: this many tokens are gone."""

    tokens: int

    def __post_init__(self) -> None:
        """Refuse to give tokens back."""
        if self.tokens < 1:
            raise ValueError("tokens must be at least 1")


class Credit(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """Keepa gives this many tokens, as its support sometimes does."""

    tokens: int

    def __post_init__(self) -> None:
        """Refuse to take tokens away."""
        if self.tokens < 1:
            raise ValueError("tokens must be at least 1")


class Plan(msgspec.Struct, forbid_unknown_fields=True, rename="camel", frozen=True):
    """The account's plan from now on."""

    rate: int
    flow_reduction: float = 0.0

    def __post_init__(self) -> None:
        """Refuse a plan that Keepa could not sell."""
        if not 1 <= self.rate <= 20_000 or self.flow_reduction < 0:
            raise ValueError("rate must be 1 to 20000, flowReduction 0 or more")


class Unreachable(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """Nothing listens on the port for so long."""

    seconds: float

    def __post_init__(self) -> None:
        """Refuse what would never be reached again."""
        if not 0 < self.seconds <= 3_600:
            raise ValueError("seconds must be above 0 and at most 3600")


class ClockOrder(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """Where the clock goes, and how fast from there; milliseconds."""

    advance: int = 0
    now: int | None = None
    scale: float | None = None


def control_routes(account: Account, faults: Faults, door: Door) -> list[Route]:
    """Return the routes of the controls."""
    control = Control(account, faults, door)
    return [
        Route("/_sandbox/clock", control.clock, methods=["GET"]),
        Route("/_sandbox/clock", control.move_clock, methods=["POST"]),
        Route("/_sandbox/health", control.health, methods=["GET"]),
        Route("/_sandbox/truth", control.truth, methods=["GET"]),
        Route("/_sandbox/balance", control.balance, methods=["GET"]),
        Route("/_sandbox/faults", control.armed, methods=["GET"]),
        Route("/_sandbox/faults", control.order, methods=["POST"]),
    ]


@dataclass(frozen=True)
class Control:
    """Lets a test or a person look behind the answers and spoil them."""

    account: Account
    faults: Faults
    door: Door

    async def health(self, _: Request) -> Response:
        """Say that requests are answered."""
        return JSONResponse({"status": "SERVING"})

    async def truth(self, request: Request) -> Response:
        """Stream the truth log as JSON lines; ``?after=SEQ`` leaves out what is known."""
        after = request.query_params.get("after", "0")
        if not after.isdecimal():
            return JSONResponse({"error": "after must be a sequence number"}, status_code=400)
        lines = list(self.account.truth.lines(int(after)))
        return StreamingResponse(iter(lines), media_type="application/x-ndjson")

    async def balance(self, request: Request) -> Response:
        """Return the true balance, the lowest ever, and with ``?history=1`` every step."""
        account, bucket = self.account, self.account.bucket
        body: dict[str, object] = {
            "now": account.now_ms(),
            "tokensLeft": account.left(),
            "minimum": account.minimum,
            "minimumByRequests": account.minimum_by_requests,
            "capacity": bucket.capacity,
            "refillRate": bucket.rate,
            "tokenFlowReduction": bucket.flow_reduction,
            "tickMilliseconds": bucket.tick_ms,
            "nextTick": bucket.due_ms,
            "ticks": account.ticks,
            "requests": account.requests,
            "tokensConsumed": account.consumed,
            "tokensOverflowed": account.overflowed,
        }
        if request.query_params.get("history") == "1":
            body["history"] = account.truth.changes()
        return JSONResponse(body)

    async def armed(self, _: Request) -> Response:
        """Return the faults that are still armed."""
        orders = self.faults.armed(self.account.now_ms())
        return Response(msgspec.json.encode(orders), media_type="application/json")

    async def clock(self, _: Request) -> Response:
        """Return the instant by which tokens refill, and how fast it moves."""
        now = self.account.now_ms
        return JSONResponse({"now": now(), "scale": now.scale})

    async def move_clock(self, request: Request) -> Response:
        """Move the clock forward, or let it run at another speed."""
        try:
            self._move(msgspec.json.decode(await request.body(), type=ClockOrder))
        except (msgspec.MsgspecError, ValueError) as error:
            return JSONResponse({"error": str(error)}, status_code=400)
        return await self.clock(request)

    def _move(self, order: ClockOrder) -> None:
        clock = self.account.now_ms
        if order.scale is not None:
            clock.run(order.scale)
        if order.now is not None:
            clock.set(order.now)
        clock.advance(order.advance)
        self.account.left()

    async def order(self, request: Request) -> Response:
        """Arm a fault, spend somebody else's tokens, change the plan, or clear all faults."""
        body = await request.body()
        try:
            afterwards = self._obey(body)
        except msgspec.MsgspecError as error:
            return JSONResponse({"error": str(error)}, status_code=400)
        answer = await self.armed(request)
        answer.background = afterwards
        return answer

    def _obey(self, body: bytes) -> BackgroundTask | None:
        """Do what is ordered; returns what can only be done after the answer has left."""
        order = msgspec.json.decode(body, type=dict[str, msgspec.Raw])
        kind = msgspec.json.decode(order.pop("fault", b'""'), type=str)
        rest = msgspec.json.encode(order)
        match kind:
            case "clear":
                self.faults.clear()
            case "foreign_spend":
                spend = msgspec.json.decode(rest, type=ForeignSpend)
                self.account.spend_elsewhere(spend.tokens)
            case "credit":
                credit = msgspec.json.decode(rest, type=Credit)
                self.account.credit(credit.tokens)
            case "plan":
                plan = msgspec.json.decode(rest, type=Plan)
                self.account.change_plan(rate=plan.rate, flow_reduction=plan.flow_reduction)
            case "unreachable":
                away = msgspec.json.decode(rest, type=Unreachable)
                return BackgroundTask(self.door.shut, away.seconds)
            case _:
                fault = msgspec.json.decode(body, type=FaultOrder)
                self.faults.arm(fault, self.account.now_ms())
        return None
