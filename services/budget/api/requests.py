"""Requests of the contract as commands and queries of the domain."""

import math
import re
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

from arbitragevault.budget.v1 import budget_pb2 as pb
from asyncpg.pgproto import pgproto
from google.protobuf.message import Message

from services.budget.domain.actions import REGISTRY
from services.budget.domain.balance import EPOCH, MILLI, MILLISECOND, Observation
from services.budget.domain.commands import NO_WAIT, Commit, Extend, Release, Report
from services.budget.domain.reservation import DEFAULT_ACCOUNT, HOLD, Tags, Terms
from services.budget.domain.rules import Kind, Priority, Reason, Stage
from services.budget.ports import EntryQuery, ReservationQuery, UsageQuery
from services.budget.usecases.verifying import LONGEST_SECONDS, Place
from services.chassis.errors import invalid_field
from services.chassis.rpc import pages, times

USAGE_ROWS = 1000
NEWEST = 2**62
LATEST_MS = 2**47  # Of an instant in a token: the year 6429.
_KEY = re.compile(r"[a-z0-9_-]{1,63}")
ANSWER_TIME = timedelta(milliseconds=250)  # Kept back from a wait for the answer's way home.


def terms(request: pb.ReserveTokensRequest, caller: str) -> Terms:
    """Read what a reservation is asked to hold."""
    envelope = request.kind == pb.RESERVATION_KIND_ENVELOPE
    if envelope and request.parent:
        raise invalid_field("parent", "must be empty for an envelope: envelopes do not nest.")
    return Terms(
        id=identity("request_id", request.request_id),
        account=account(request.account),
        tokens=request.token_count,
        kind=Kind.ENVELOPE if envelope else Kind.CALL,
        priority=_PRIORITIES[request.priority],
        parent=optional("parent", request.parent),
        gate=request.gate_token_count,
        hold=request.hold_duration.ToTimedelta() if request.HasField("hold_duration") else HOLD,
        tags=Tags(
            caller=caller,
            action=request.action,
            endpoint=request.endpoint,
            job=optional("job", request.job),
        ),
    )


def max_wait(request: pb.ReserveTokensRequest, remaining: float | None) -> timedelta:
    """Return how long a request may wait: its own bound, or less when its deadline is nearer."""
    if not request.HasField("max_wait_duration"):
        return NO_WAIT
    wanted = request.max_wait_duration.ToTimedelta()
    if remaining is None:
        return wanted
    return max(timedelta(0), min(wanted, timedelta(seconds=remaining) - ANSWER_TIME))


def commit(request: pb.CommitReservationRequest) -> Commit:
    """Read a commit."""
    seen = observation(request.observation) if request.HasField("observation") else None
    return Commit(
        request_id=identity("request_id", request.request_id),
        reservation=reservation(request.name),
        tokens=request.consumed_token_count,
        observation=seen,
        after_sequence=request.after_sequence,
    )


def release(request: pb.ReleaseReservationRequest) -> Release:
    """Read a release."""
    finished = request.reason == pb.RELEASE_REASON_FINISHED
    return Release(
        request_id=identity("request_id", request.request_id),
        reservation=reservation(request.name),
        reason=Reason.FINISHED if finished else Reason.NOT_SENT,
    )


def extend(request: pb.ExtendReservationRequest) -> Extend:
    """Read an extension."""
    return Extend(
        request_id=identity("request_id", request.request_id),
        reservation=reservation(request.name),
        hold=request.hold_duration.ToTimedelta(),
    )


def report(request: pb.ReportBalanceRequest) -> Report:
    """Read a report."""
    return Report(
        request_id=identity("request_id", request.request_id),
        observation=observation(request.observation),
        after_sequence=request.after_sequence,
    )


def observation(stated: pb.Observation) -> Observation:
    """Read an observation; fractions are rounded to the side that grants less."""
    arrived = times.instant(stated.keepa_time, "observation.keepa_time")
    return Observation(
        arrived_ms=(arrived - EPOCH) // MILLISECOND,
        processing_ms=stated.processing_duration.ToTimedelta() // MILLISECOND,
        tokens=stated.token_count,
        refill_in_ms=-(-stated.refill_wait_duration.ToTimedelta() // MILLISECOND),
        refill_rate=stated.refill_rate,
        flow_reduction_milli=math.ceil(round(stated.token_flow_reduction * MILLI, 3)),
    )


def check(request: pb.CheckActionRequest) -> tuple[str, Terms]:
    """Read which action is asked about, and what it would reserve."""
    key = request.name.removeprefix("actions/")
    action = REGISTRY.get(key)
    tokens = request.estimate_token_count or (action.tokens if action else 1)
    gate = max(request.gate_token_count, action.gate if action else 0)
    wanted = Terms(
        id=UUID(int=0),
        account=account(request.account),
        tokens=tokens,
        priority=_PRIORITIES[request.priority],
        gate=gate,
    )
    return key, wanted


def entry_query(request: pb.ListLedgerEntriesRequest) -> EntryQuery:
    """Read which entries are asked for."""
    after = max(request.after_sequence, place(request, request.page_token, 0))
    kind = pb.LedgerEntryKind.Name(request.kind).removeprefix("LEDGER_ENTRY_KIND_")
    return EntryQuery(
        account=account(request.account),
        after=after,
        limit=pages.size(request.page_size, 100),
        kind=kind if request.kind else "",
        reservation=optional("reservation", request.reservation),
        job=optional("job", request.job),
    )


def reservation_query(request: pb.ListReservationsRequest) -> ReservationQuery:
    """Read which reservations are asked for."""
    stage = pb.ReservationState.Name(request.state).removeprefix("RESERVATION_STATE_")
    return ReservationQuery(
        account=account(request.account),
        before=place(request, request.page_token, NEWEST),
        limit=pages.size(request.page_size),
        stage=Stage(stage) if request.state else None,
        parent=optional("parent", request.parent),
        job=optional("job", request.job),
    )


def usage_query(request: pb.GetUsageRequest) -> UsageQuery:
    """Read which sums are asked for."""
    names = [pb.UsageDimension.Name(each) for each in request.dimensions]
    return UsageQuery(
        account=account(request.account),
        dimensions=[name.removeprefix("USAGE_DIMENSION_").lower() for name in names],
        since=bound(request, "start_time"),
        until=bound(request, "end_time"),
        limit=USAGE_ROWS,
    )


def bound(request: pb.GetUsageRequest, field: Literal["start_time", "end_time"]) -> datetime | None:
    """Return one end of a span of time; None when it is open."""
    return times.instant(getattr(request, field), field) if request.HasField(field) else None


def after_sequence(request: pb.WatchAccountRequest) -> int | None:
    """Return the last entry that a reader knows; None when it asks for new ones only."""
    return request.after_sequence if request.HasField("after_sequence") else None


def patience(remaining: float | None) -> float:
    """Return how many seconds a long read may go on, of those that the deadline leaves."""
    return LONGEST_SECONDS if remaining is None else min(LONGEST_SECONDS, remaining / 2)


def verified(request: pb.VerifyLedgerRequest) -> Place | None:
    """Return where a verification goes on; None where it begins.

    Raises:
        Refusal: INVALID_FIELD; it is damaged, or belongs to another verification.
    """
    if not request.page_token:
        return None
    match pages.place(request, request.page_token, 4):
        case [int(origin), int(at_ms), int(sequence), str(digest)] if (
            0 <= origin <= sequence <= NEWEST and 0 <= at_ms <= LATEST_MS
        ):
            origin_at = EPOCH + at_ms * MILLISECOND if origin else None
            return Place(origin=origin, origin_at=origin_at, sequence=sequence, digest=digest)
    raise pages.bad_token()


def verified_token(request: pb.VerifyLedgerRequest, onward: Place | None) -> str:
    """Return the token with which a verification goes on; empty at its end."""
    if onward is None:
        return ""
    at_ms = 0 if onward.origin_at is None else (onward.origin_at - EPOCH) // MILLISECOND
    return pages.token(request, onward.origin, at_ms, onward.sequence, onward.digest)


def account(name: str) -> str:
    """Return an account's key; an empty name is the default account."""
    return name.removeprefix("accounts/") or DEFAULT_ACCOUNT


def reservation(name: str) -> UUID:
    """Return a reservation's id."""
    return identity("name", name.removeprefix("reservations/"))


def optional(field: str, name: str) -> UUID | None:
    """Return the id in a resource name; None for an empty one."""
    return identity(field, name.rpartition("/")[2]) if name else None


def identity(field: str, text: str) -> UUID:
    """Return an id; its canonical form is the only one, so that names compare as text.

    The driver's type is a standard UUID made in C: to read, hash and write one takes a fifth.
    """
    try:
        value: UUID = pgproto.UUID(text)
    except ValueError as error:
        raise invalid_field(field, "must end in a UUID.") from error
    if value.int == 0:
        raise invalid_field(field, "must not be the zero UUID.")
    return value


def page_token(request: Message, at: int | str) -> str:
    """Return the token of the page after ``at``; empty when there is none."""
    return pages.token(request, at) if at else ""


def place(request: Message, token: str, default: int) -> int:
    """Read a page token of a list in order of sequence.

    Raises:
        Refusal: INVALID_FIELD; it is damaged, or belongs to other filters.
    """
    if not token:
        return default
    match pages.place(request, token, 1):
        case [int(found)] if 0 <= found <= NEWEST:
            return found
    raise pages.bad_token()


def named_place(request: Message, token: str) -> str:
    """Read a page token of a list in order of name; empty for the first page.

    Raises:
        Refusal: INVALID_FIELD; it is damaged, or belongs to other filters.
    """
    if not token:
        return ""
    match pages.place(request, token, 1):
        case [str(found)] if _KEY.fullmatch(found):
            return found
    raise pages.bad_token()


_PRIORITIES = {pb.PRIORITY_UNSPECIFIED: Priority.INTERACTIVE, **{int(one): one for one in Priority}}
