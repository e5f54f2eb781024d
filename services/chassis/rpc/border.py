"""The one interceptor of every server: enter the call, bound it, check it, answer its errors."""

import asyncio
import inspect
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from typing import Any, cast

import grpc
import grpc.aio
import structlog

from services.chassis.errors import Kind, Refusal
from services.chassis.rpc import call as calls
from services.chassis.rpc import faults, validation
from services.chassis.rpc.call import Call, Context
from services.chassis.rpc.places import Places, Watches
from services.chassis.rpc.whole import Whole

DEFAULT_DEADLINE_SECONDS = 30.0
LEAST_SECONDS = 0.1
HEALTH_WATCH = "/grpc.health.v1.Health/Watch"

Handler = Any  # grpc types its handlers with fields that exist only at run time.
Behaviour = Callable[[Any, Context], Any]


class Border(grpc.aio.ServerInterceptor):
    """Wraps each of our methods once; health, reflection and channelz pass untouched.

    One interceptor instead of a chain, because each link costs every call a few per cent.
    """

    def __init__(self, service: str, *, max_concurrent_rpcs: int, max_request_bytes: int) -> None:
        self.watches = Watches()
        self._max_request_bytes = max_request_bytes
        self._service = service
        self._places = Places(max_concurrent_rpcs)
        self._wrapped: dict[str, tuple[Handler, Handler]] = {}

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Handler]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Handler:
        """Give grpc the wrapped method; each is wrapped at its first call."""
        handler = await continuation(handler_call_details)
        method = handler_call_details.method
        if handler is None or (method.startswith("/grpc.") and method != HEALTH_WATCH):
            return handler
        known = self._wrapped.get(method)
        if known is None or known[0] is not handler:
            guard = Guard(self._service, method, self._places, self.watches)
            known = (handler, guard.wrap(handler, self._max_request_bytes))
            self._wrapped[method] = known
        return known[1]


class Guard:
    """Stands around one method, whichever of the four kinds it is."""

    def __init__(self, service: str, method: str, places: Places, watches: Watches) -> None:
        self._service = service
        self._method = method
        self._places = places
        self._watches = watches
        self._endless = method.rpartition("/")[2].startswith("Watch")

    def wrap(self, handler: Handler, max_request_bytes: int) -> Handler:
        """Build the handler that grpc calls in place of ``handler``."""
        build, behaviour = _anatomy(handler)
        checked = validation.checked if handler.request_streaming else validation.checked_or_error
        if not handler.response_streaming:
            guarded = self._one_answer(behaviour)
        elif self._endless:
            guarded = self._watched(behaviour)
        elif inspect.isasyncgenfunction(behaviour):
            guarded = self._many_answers(behaviour)
        else:
            guarded = self._written_answers(behaviour)
        decode = checked(handler.request_deserializer, max_request_bytes)
        return build(guarded, decode, _ready(handler.response_serializer))

    def _one_answer(self, behaviour: Behaviour) -> Behaviour:
        async def answer(request: Any, context: Context) -> Any:
            try:
                call = self._enter(context)
                with self._places.one(streaming=False):
                    self._admit(request, call)
                    return await self._within(call, behaviour, request, context)
            except grpc.aio.AbortError:
                raise
            except Exception as error:  # noqa: BLE001 - the border of the process
                await self._answer_error(context, error)

        return answer

    def _many_answers(self, behaviour: Behaviour) -> Behaviour:
        async def answer(request: Any, context: Context) -> AsyncIterator[Any]:
            try:
                call = self._enter(context)
                with self._places.one(streaming=True):
                    self._admit(request, call)
                    async with aclosing(behaviour(request, context)) as responses:
                        async for response in responses:
                            yield response
            except grpc.aio.AbortError:
                raise
            except Exception as error:  # noqa: BLE001 - the border of the process
                await self._answer_error(context, error)

        return answer

    def _written_answers(self, behaviour: Behaviour) -> Behaviour:
        async def answer(request: Any, context: Context) -> None:
            try:
                call = self._enter(context)
                with self._places.one(streaming=True):
                    self._admit(request, call)
                    await _run(behaviour, request, context)
            except grpc.aio.AbortError:
                raise
            except Exception as error:  # noqa: BLE001 - the border of the process
                await self._answer_error(context, error)

        return answer

    def _watched(self, behaviour: Behaviour) -> Behaviour:
        """Guard a stream that is ended from outside, at whatever moment that happens.

        Its messages are written here and not by grpc, in whose hands no end can be told.
        """

        async def answer(request: Any, context: Context) -> None:
            whole = Whole(context)
            try:
                call = self._enter(context)
                with self._places.one(streaming=True), self._watches.one():
                    self._admit(request, call)
                    await _write_all(behaviour, request, whole)
            except grpc.aio.BaseError:  # Its client is gone, or it was answered.
                raise
            except Exception as error:  # noqa: BLE001 - the border of the process
                await whole.written()
                await self._answer_error(context, error)

        return answer

    def _enter(self, context: Context) -> Call:
        metadata: Any = context.invocation_metadata()
        call = calls.from_metadata(metadata, context.time_remaining())
        calls.enter(call)
        structlog.contextvars.bind_contextvars(
            request_id=call.request_id, trace_id=call.traceparent[3:35]
        )
        return call

    def _admit(self, request: Any, call: Call) -> None:
        """Refuse what cannot end well, before anything is spent on it."""
        remaining = call.remaining()
        if remaining is not None and remaining < LEAST_SECONDS:
            left = max(0, int(remaining * 1000))
            raise Refusal(
                Kind.DEADLINE_EXCEEDED,
                "DEADLINE_TOO_SHORT",
                f"Only {left} ms are left and an answer needs 100 ms; nothing was done.",
                facts={"remaining_ms": left, "least_ms": int(LEAST_SECONDS * 1000)},
            )
        if isinstance(request, Exception):
            raise request

    async def _within(
        self, call: Call, behaviour: Behaviour, request: Any, context: Context
    ) -> Any:
        """Answer a unary call; grpc itself ends one whose caller set a deadline."""
        if call.deadline is not None:
            return _some(await _run(behaviour, request, context))
        try:
            async with asyncio.timeout(DEFAULT_DEADLINE_SECONDS) as timer:
                return _some(await _run(behaviour, request, context))
        except TimeoutError:
            if not timer.expired():
                raise
            raise Refusal(
                Kind.DEADLINE_EXCEEDED,
                "DEADLINE_EXCEEDED",
                f"The call set no deadline and was ended after {DEFAULT_DEADLINE_SECONDS:.0f} s; "
                "repeat it with the same request_id and a longer deadline.",
                facts={"seconds": int(DEFAULT_DEADLINE_SECONDS)},
            ) from None

    async def _answer_error(self, context: Context, error: Exception) -> None:
        await faults.answer(context, error, service=self._service, method=self._method)


async def _run(behaviour: Behaviour, request: Any, context: Context) -> Any:
    """Call the method; the generated base of one that nobody wrote is the only plain function."""
    try:
        answer = behaviour(request, context)
    except NotImplementedError:
        raise Refusal(
            Kind.UNIMPLEMENTED,
            "UNIMPLEMENTED",
            "This method is in the contract, but this version of the service has no answer yet.",
        ) from None
    return await answer if inspect.isawaitable(answer) else answer


async def _write_all(behaviour: Behaviour, request: Any, whole: Whole) -> None:
    """Call the method of a stream, which yields its messages or writes them itself."""
    context = cast("Context", whole)
    if not inspect.isasyncgenfunction(behaviour):
        await _run(behaviour, request, context)
        return
    async with aclosing(behaviour(request, context)) as responses:
        async for response in responses:
            await whole.write(response)


def _ready(encode: Callable[[Any], bytes] | None) -> Callable[[Any], bytes] | None:
    """Build an encoder that sends bytes as they are: a response that somebody serialised before."""
    if encode is None:
        return None
    return lambda response: response if type(response) is bytes else encode(response)


def _some(response: Any) -> Any:
    assert response is not None, "a method returned None instead of its response"
    return response


def _anatomy(handler: Handler) -> tuple[Callable[..., Handler], Behaviour]:
    """Give the maker of this kind of handler, and the method inside it."""
    if handler.request_streaming and handler.response_streaming:
        return grpc.stream_stream_rpc_method_handler, handler.stream_stream
    if handler.request_streaming:
        return grpc.stream_unary_rpc_method_handler, handler.stream_unary
    if handler.response_streaming:
        return grpc.unary_stream_rpc_method_handler, handler.unary_stream
    return grpc.unary_unary_rpc_method_handler, handler.unary_unary
