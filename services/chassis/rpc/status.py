"""Refusals as ``google.rpc.Status`` and back, so that nothing is lost between two services."""

import math
import re
from collections.abc import Iterable
from datetime import timedelta

import grpc
import grpc.aio
from google.protobuf import duration_pb2, message
from google.rpc import error_details_pb2 as details_pb
from google.rpc import status_pb2

from services.chassis.errors import FieldViolation, Kind, Refusal

DETAILS_HEADER = "grpc-status-details-bin"
DOMAIN_SUFFIX = ".arbitragevault"
UPSTREAM_UNAVAILABLE = "UPSTREAM_UNAVAILABLE"

# Everything must fit into the 8 KiB of metadata that a peer accepts by default.
_MOST_DETAIL_BYTES = 3_600
_LONGEST_MESSAGE = 600
_LONGEST_FACT = 200
_INTEGER = re.compile(r"0|-?[1-9][0-9]{0,18}")

Trailers = tuple[tuple[str, str | bytes], ...]


def domain(service: str) -> str:
    """Name the error domain of a service."""
    return service if service.endswith(DOMAIN_SUFFIX) else service + DOMAIN_SUFFIX


def code(kind: Kind) -> grpc.StatusCode:
    """Give the status code of a kind; the two share their names."""
    return grpc.StatusCode[kind.name]


def status(refusal: Refusal, service: str) -> status_pb2.Status:
    """Build the status of a refusal: one ``ErrorInfo``, then whatever else applies."""
    built = status_pb2.Status(
        code=code(refusal.kind).value[0], message=_cut(refusal.message, _LONGEST_MESSAGE)
    )
    info = details_pb.ErrorInfo(
        reason=refusal.reason,
        domain=refusal.domain or domain(service),
        metadata={name: _cut(str(value), _LONGEST_FACT) for name, value in refusal.facts.items()},
    )
    _pack(built, [info, *_further_details(refusal)])
    _pack_violations(built, refusal.violations)
    return built


def internal(error_id: str, service: str) -> status_pb2.Status:
    """Build the status of a bug: nothing but an id under which the log tells the rest."""
    built = status_pb2.Status(
        code=grpc.StatusCode.INTERNAL.value[0],
        message=f"Something went wrong on our side; quote error id {error_id}.",
    )
    info = details_pb.ErrorInfo(
        reason="INTERNAL", domain=domain(service), metadata={"error_id": error_id}
    )
    _pack(built, [info])
    return built


def trailers(built: status_pb2.Status, refusal: Refusal | None = None) -> Trailers:
    """Build the trailing metadata of a failed call; through the proxy they become headers."""
    pairs: list[tuple[str, str | bytes]] = [(DETAILS_HEADER, built.SerializeToString())]
    if refusal is None:
        return tuple(pairs)
    if "balance" in refusal.facts:
        pairs.append(("x-token-balance", _cut(str(refusal.facts["balance"]), _LONGEST_FACT)))
    if "required" in refusal.facts:
        pairs.append(("x-token-required", _cut(str(refusal.facts["required"]), _LONGEST_FACT)))
    if refusal.retry_after is not None:
        seconds = math.ceil(max(refusal.retry_after, timedelta(0)).total_seconds())
        pairs.append(("retry-after", str(seconds)))
    return tuple(pairs)


def refusal_from(error: grpc.aio.AioRpcError) -> Refusal:
    """Restore the refusal that a peer answered with, its domain included.

    An error without details, because the peer or the way to it failed, becomes a refusal with
    reason UPSTREAM_UNAVAILABLE or DEADLINE_EXCEEDED, or the name of its status code.
    """
    found = _details(error)
    info = details_pb.ErrorInfo()
    kind = Kind.__members__.get(error.code().name)
    if not _unpack(found, info) or kind is None:
        return _bare(error, dict(info.metadata))
    retry, resource = details_pb.RetryInfo(), details_pb.ResourceInfo()
    request = details_pb.BadRequest()
    waits, named = _unpack(found, retry), _unpack(found, resource)
    _unpack(found, request)
    return Refusal(
        kind,
        info.reason,
        error.details() or info.reason,
        facts={name: _fact(value) for name, value in info.metadata.items()},
        retry_after=retry.retry_delay.ToTimedelta() if waits else None,
        violations=[FieldViolation(v.field, v.description) for v in request.field_violations],
        resource=(resource.resource_type, resource.resource_name) if named else None,
        domain=info.domain,
    )


def _bare(error: grpc.aio.AioRpcError, facts: dict[str, str]) -> Refusal:
    """Translate an error that carries no refusal: a bug over there, or nobody there at all."""
    name = error.code().name
    if name in ("UNAVAILABLE", "CANCELLED", "INTERNAL", "UNKNOWN", "DATA_LOSS"):
        told = "could not be reached" if name == "UNAVAILABLE" else f"failed ({name})"
        message = f"A service that this one depends on {told}."
        return Refusal(Kind.UNAVAILABLE, UPSTREAM_UNAVAILABLE, message, facts=facts)
    if name == "DEADLINE_EXCEEDED":
        message = "A service that this one depends on did not answer in time."
        return Refusal(Kind.DEADLINE_EXCEEDED, name, message)
    kind = Kind.__members__.get(name, Kind.INVALID_ARGUMENT)
    return Refusal(kind, name, error.details() or name)


def _further_details(refusal: Refusal) -> Iterable[message.Message]:
    if refusal.retry_after is not None:
        delay = duration_pb2.Duration()
        delay.FromTimedelta(max(refusal.retry_after, timedelta(0)))
        yield details_pb.RetryInfo(retry_delay=delay)
    if refusal.kind is Kind.RESOURCE_EXHAUSTED:
        told = _cut(refusal.message, _LONGEST_MESSAGE)
        violation = details_pb.QuotaFailure.Violation(subject=refusal.reason, description=told)
        yield details_pb.QuotaFailure(violations=[violation])
    if refusal.resource is not None:
        kind, name = refusal.resource
        yield details_pb.ResourceInfo(
            resource_type=_cut(kind, _LONGEST_FACT), resource_name=_cut(name, _LONGEST_FACT)
        )


def _pack_violations(built: status_pb2.Status, violations: tuple[FieldViolation, ...]) -> None:
    """List every violation, as far as they fit; then say how many more there are."""
    if not violations:
        return
    request, room = details_pb.BadRequest(), _MOST_DETAIL_BYTES - built.ByteSize()
    for index, violation in enumerate(violations):
        entry = details_pb.BadRequest.FieldViolation(
            field=_cut(violation.field, _LONGEST_FACT),
            description=_cut(violation.description, _LONGEST_FACT),
        )
        if request.ByteSize() + entry.ByteSize() > room - 200:
            rest = f"and {len(violations) - index} more violations"
            request.field_violations.add(field="", description=rest)
            break
        request.field_violations.append(entry)
    _pack(built, [request])


def _pack(built: status_pb2.Status, details: Iterable[message.Message]) -> None:
    for detail in details:
        built.details.add().Pack(detail)


def _details(error: grpc.aio.AioRpcError) -> status_pb2.Status:
    """Read the details; what is damaged or absent reads as none."""
    for key, value in error.trailing_metadata() or ():
        if key == DETAILS_HEADER and isinstance(value, bytes):
            try:
                return status_pb2.Status.FromString(value)
            except message.DecodeError:
                break
    return status_pb2.Status()


def _unpack(built: status_pb2.Status, into: message.Message) -> bool:
    for detail in built.details:
        if detail.Is(into.DESCRIPTOR):
            try:
                return bool(detail.Unpack(into))
            except message.DecodeError:
                return False
    return False


def _fact(value: str) -> str | int:
    return int(value) if _INTEGER.fullmatch(value) else value


def _cut(text: str, most_bytes: int) -> str:
    data = text.encode()
    return text if len(data) <= most_bytes else data[: most_bytes - 3].decode(errors="ignore") + "…"
