"""Turns whatever a method raised into what its caller is told."""

import uuid
from datetime import timedelta

import grpc
import grpc.aio

from services.chassis import sql, telemetry
from services.chassis.errors import Kind, Refusal
from services.chassis.rpc import status
from services.chassis.rpc.call import Context, current_call

MOST_FIELDS = 5
LONGEST_FIELD = 100

_log = telemetry.get_logger(__name__)


async def answer(context: Context, error: Exception, *, service: str, method: str) -> None:
    """End the call with ``error``: as the refusal it is, or as INTERNAL with an id for the log."""
    refusal = planned(error)
    if refusal is None:
        await _answer_bug(context, error, service=service, method=method)
        return
    _log.info(
        "call refused",
        method=method,
        caller=current_call().caller,
        reason=refusal.reason,
        facts=refusal.facts,
        **_fields(refusal),
        **({} if error is refusal else {"cause": str(error)}),
    )
    built = status.status(refusal, service)
    await context.abort(status.code(refusal.kind), built.message, status.trailers(built, refusal))


def _fields(refusal: Refusal) -> dict[str, list[str]]:
    """Name the fields that were wrong, so that a log says more than that some were."""
    names = [each.field[:LONGEST_FIELD] for each in refusal.violations[:MOST_FIELDS]]
    return {"fields": names} if names else {}


def planned(error: Exception) -> Refusal | None:
    """Find the refusal in ``error``: its own, a peer's, or that of a database out of reach."""
    if isinstance(error, Refusal):
        return error
    if isinstance(error, grpc.aio.AioRpcError):
        return status.refusal_from(error)
    if sql.unavailable(error):
        return Refusal(
            Kind.UNAVAILABLE,
            "STORAGE_UNAVAILABLE",
            "The database does not answer right now; repeat the same request.",
            retry_after=timedelta(seconds=1),
        )
    return None


async def _answer_bug(context: Context, error: Exception, *, service: str, method: str) -> None:
    error_id = str(uuid.uuid4())
    _log.error(
        "call failed",
        method=method,
        caller=current_call().caller,
        error_id=error_id,
        exc_info=error,
    )
    built = status.internal(error_id, service)
    await context.abort(grpc.StatusCode.INTERNAL, built.message, status.trailers(built))
