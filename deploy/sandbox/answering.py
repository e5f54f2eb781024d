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
from deploy.sandbox.faults import FaultOrder, Faults
from deploy.sandbox.params import INVALID, Params

AT_WORK = 4
"""How many requests share the processor; the others wait, so that short ones stay short."""
BODY_PARAMS = "selection"


@dataclass(frozen=True)
class Answer:
    """What an endpoint found, and what Keepa charges for it.

    Attributes:
        takes_ms: How long Keepa was measured to take; slept only in proportion to the
            configured latency.
    """

    payload: Body = field(default_factory=dict)
    tokens: int = 0
    takes_ms: int = 0


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
            return self._reject_key(request, call)
        if fault and not fault.pays:
            return await self._break_unpaid(request, call, fault)
        status, body = await self._work(endpoint, call, fault)
        return await self._send(request, status, encode(body), fault)

    async def lost(self, request: Request) -> Response:
        """Answer a path that does not exist: 404 and zeros that are not a balance."""
        call = Call(request.url.path, {}, self._account.now_ms())
        self._account.settle(call, tokens=0, status=404)
        body = encode(empty_envelope(call.arrived_ms))
        return await self._send(request, 404, body, None)

    async def _work(
        self, endpoint: Endpoint, call: Call, fault: FaultOrder | None
    ) -> tuple[int, Body]:
        """Pass the gate, do the work, charge it; returns the status and the body."""
        if endpoint.gated and self._account.left() <= 0:
            return 429, self._settle(call, fault, tokens=0, status=429)
        try:
            async with self._at_work:
                answer = await endpoint.answer(Params(call.params), call.arrived_ms)
        except Refused as refused:
            body = self._settle(call, fault, tokens=0, status=refused.status)
            return refused.status, {**body, "error": refused.body()}
        await self._take_time(answer, fault)
        body = self._settle(call, fault, tokens=answer.tokens, status=200)
        return 200, {**answer.payload, **body}

    async def _take_time(self, answer: Answer, fault: FaultOrder | None) -> None:
        """Take as long as Keepa would, in proportion, and as long as a fault asks for."""
        extra = fault.milliseconds if fault and fault.fault == "delay" else 0
        milliseconds = self._latency * answer.takes_ms + extra
        if milliseconds:
            await asyncio.sleep(milliseconds / 1_000)

    def _settle(self, call: Call, fault: FaultOrder | None, *, tokens: int, status: int) -> Body:
        """Charge the call at this instant and return its envelope, true or not."""
        made = self._account.settle(call, tokens=tokens, status=status)
        body = envelope(
            self._account.bucket, arrived_ms=call.arrived_ms, made_ms=made, consumed=tokens
        )
        if fault and fault.fault in {"lying_balance", "rate_limited"}:
            shown = fault.tokens_left
            body["tokensLeft"] = body["tokensLeft"] + fault.offset if shown is None else shown
        return body

    def _reject_key(self, request: Request, call: Call) -> Response:
        self._account.settle(call, tokens=0, status=400)
        body = {**empty_envelope(call.arrived_ms), "error": Refused(INVALID).body()}
        return wire.respond(encode(body), status=400, accept_encoding=_encodings(request))

    async def _break_unpaid(self, request: Request, call: Call, fault: FaultOrder) -> Response:
        """Break a request that is never worked, so that nothing is consumed."""
        status = {"rate_limited": 429, "status": fault.status}.get(fault.fault, 0)
        body = encode(self._settle(call, fault, tokens=0, status=status))
        if fault.fault == "rate_limited":
            return wire.respond(body, status=429, accept_encoding=_encodings(request))
        return await self._send(request, 200, body, fault)

    async def _send(
        self, request: Request, status: int, body: bytes, fault: FaultOrder | None
    ) -> Response:
        match fault.fault if fault else None:
            case "status":
                assert fault
                return wire.proxy_error(fault.status)
            case "hang":
                await self._hang(request)
                return wire.Severed(body, "before")
            case "close":
                assert fault
                return wire.Severed(body, fault.at)
            case "truncated_gzip":
                return wire.truncate_gzip(body)
            case "garbage":
                return wire.garbage()
        return wire.respond(body, status=status, accept_encoding=_encodings(request))

    async def _hang(self, request: Request) -> None:
        """Say nothing until the client goes away or the faults are cleared."""
        cleared = asyncio.create_task(self._faults.cleared.wait())
        gone = asyncio.create_task(_gone(request))
        await asyncio.wait({cleared, gone}, return_when=asyncio.FIRST_COMPLETED)
        for task in (cleared, gone):
            task.cancel()


async def _gone(request: Request) -> None:
    """Return when the client has closed the connection."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _encodings(request: Request) -> str:
    return request.headers.get("accept-encoding", "")


async def _values(request: Request) -> dict[str, str]:
    """Return the query parameters, with a POST body as ``selection``."""
    values: Mapping[str, str] = request.query_params
    merged = {name.lower() if name.lower() == "key" else name: v for name, v in values.items()}
    if request.method == "POST":
        merged[BODY_PARAMS] = (await request.body()).decode("utf-8", errors="replace")
    return merged
