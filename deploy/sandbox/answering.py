"""The life of one request: key, gate, work, charge, envelope, truth line, answer."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from starlette.requests import Request
from starlette.responses import Response

from deploy.sandbox import wire
from deploy.sandbox.account import Account, Call
from deploy.sandbox.envelope import Body, Refused, empty_envelope, encode, envelope
from deploy.sandbox.faults import STATUS, FaultOrder, Faults
from deploy.sandbox.params import INVALID, Params
from deploy.sandbox.spoiling import spoiled

AT_WORK = 4
"""How many requests share the processor; the others wait, so that short ones stay short."""
BODY_PARAMS = "selection"
UPSET = Refused("Keepa could not do it.", kind="internalError", details=None)
"""What an ordered `error` says is wrong."""


@dataclass(frozen=True)
class Answer:
    """What an endpoint found, and what Keepa charges for it.

    Attributes:
        takes_ms: How long Keepa was measured to take; slept only in proportion to the
            configured latency.
        image: A PNG, which is sent alone: without payload, and without token fields.
    """

    payload: Body = field(default_factory=dict)
    tokens: int = 0
    takes_ms: int = 0
    image: bytes | None = None


@dataclass(frozen=True)
class Ready:
    """An answer that has been charged and only has to leave."""

    status: int
    body: bytes
    media: str = wire.JSON


class Endpoint(Protocol):
    """One path of the API."""

    @property
    def gated(self) -> bool:
        """Whether a balance of 0 or less is answered with 429."""

    async def answer(self, params: Params, now_ms: int, /) -> Answer:
        """Do the work, or raise ``Refused``, which costs nothing."""


class Keepa:
    """Answers requests in Keepa's name."""

    def __init__(
        self, account: Account, faults: Faults, *, key: str | None, latency: float
    ) -> None:
        self._account = account
        self._faults = faults
        self._key = key
        self._latency = latency
        self._at_work = asyncio.Semaphore(AT_WORK)

    async def serve(self, request: Request, endpoint: Endpoint) -> Response:
        """Answer one request; its key is read here and goes no further."""
        arrived = self._account.now_ms()
        path = request.url.path.rstrip("/")
        values = await _values(request)
        key = values.pop("key", "")
        fault = self._faults.take(path, arrived)
        call = Call(path, values, arrived, fault.fault if fault else None)
        if not key or self._key not in {None, key}:
            return self._leave(request, self._zeros(call, 400))
        if fault and fault.fault == "rejected_key":
            return self._leave(request, self._zeros(call, fault.answers))
        if fault and not fault.pays:
            return await self._send(request, self._unworked(call, fault), fault)
        return await self._send(request, await self._work(endpoint, call, fault), fault)

    async def lost(self, request: Request) -> Response:
        """Answer a path that does not exist: 404 and zeros that are not a balance."""
        call = Call(request.url.path, {}, self._account.now_ms())
        self._account.settle(call, tokens=0, status=404)
        return self._leave(request, Ready(404, encode(empty_envelope(call.arrived_ms))))

    async def _work(self, endpoint: Endpoint, call: Call, fault: FaultOrder | None) -> Ready:
        """Pass the gate, do the work, charge it."""
        if endpoint.gated and self._account.left() <= 0:
            return Ready(429, encode(self._settle(call, fault, tokens=0, status=429)))
        try:
            async with self._at_work:
                params = Params(call.params, fails=fault.fault if fault else "")
                answer = await endpoint.answer(params, call.arrived_ms)
        except Refused as refused:
            body = self._settle(call, fault, tokens=0, status=refused.status)
            return Ready(refused.status, encode({**body, "error": refused.body()}))
        await self._take_time(answer, fault)
        if fault and fault.fault == "error":
            return self._upset(call, fault, answer.tokens)
        body = self._settle(call, fault, tokens=answer.tokens, status=200)
        if answer.image is not None:
            return Ready(200, answer.image, "image/png")
        return Ready(200, encode({**answer.payload, **body}))

    def _upset(self, call: Call, fault: FaultOrder, tokens: int) -> Ready:
        """Say that Keepa failed, with the true token fields."""
        body = self._settle(call, fault, tokens=tokens, status=fault.answers)
        return Ready(fault.answers, encode({**body, "error": UPSET.body()}))

    async def _take_time(self, answer: Answer, fault: FaultOrder | None) -> None:
        """Take as long as Keepa would, in proportion, and as long as a fault asks for."""
        extra = fault.milliseconds if fault and fault.fault == "delay" else 0
        seconds = self._account.now_ms.real_seconds(self._latency * answer.takes_ms)
        if seconds or extra:
            await asyncio.sleep(seconds + extra / 1_000)

    def _settle(self, call: Call, fault: FaultOrder | None, *, tokens: int, status: int) -> Body:
        """Charge the call at this instant and return its envelope, true or not."""
        made = self._account.settle(call, tokens=tokens, status=status)
        body = envelope(
            self._account.bucket, arrived_ms=call.arrived_ms, made_ms=made, consumed=tokens
        )
        return fault.lied(body) if fault else body

    def _zeros(self, call: Call, status: int) -> Ready:
        """Reject the key, with token fields that say nothing."""
        self._account.settle(call, tokens=0, status=status)
        body = {**empty_envelope(call.arrived_ms), "error": Refused(INVALID).body()}
        return Ready(status, encode(body))

    def _unworked(self, call: Call, fault: FaultOrder) -> Ready:
        """Answer a request that is never worked, so that nothing is consumed."""
        if fault.fault == "error":
            return self._upset(call, fault, 0)
        broken = fault.fault not in STATUS
        status = 0 if broken else fault.answers
        body = self._settle(call, fault, tokens=0, status=status)
        return Ready(200 if broken else status, encode(body))

    async def _send(self, request: Request, ready: Ready, fault: FaultOrder | None) -> Response:
        if fault and fault.fault == "late":
            await asyncio.sleep(fault.milliseconds / 1_000)
        if fault and fault.fault == "hang":
            await self._hang(request)
            return wire.Raw()
        broken = spoiled(fault, ready.body, request) if fault else None
        return broken or self._leave(request, ready)

    def _leave(self, request: Request, ready: Ready) -> Response:
        encodings = request.headers.get("accept-encoding", "")
        return wire.respond(
            ready.body, status=ready.status, accept_encoding=encodings, media=ready.media
        )

    async def _hang(self, request: Request) -> None:
        """Say nothing until the client goes away or the faults are cleared."""
        cleared = asyncio.create_task(self._faults.cleared.wait())
        left = asyncio.create_task(wire.gone(request.receive))
        await asyncio.wait({cleared, left}, return_when=asyncio.FIRST_COMPLETED)
        for task in (cleared, left):
            task.cancel()


async def _values(request: Request) -> dict[str, str]:
    """Return the query parameters, with a POST body as ``selection``."""
    values: Mapping[str, str] = request.query_params
    merged = {name.lower() if name.lower() == "key" else name: v for name, v in values.items()}
    if request.method == "POST":
        merged[BODY_PARAMS] = (await request.body()).decode("utf-8", errors="replace")
    return merged
