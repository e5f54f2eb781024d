"""Domain values as messages of the contract."""

from datetime import datetime
from functools import lru_cache
from uuid import UUID

from arbitragevault.budget.v1 import budget_pb2 as pb
from google.protobuf.timestamp_pb2 import Timestamp

from services.budget.domain import entries as facts
from services.budget.domain.audit import Violation
from services.budget.domain.balance import EPOCH, MILLI, MILLISECOND, Anchor, Observation
from services.budget.domain.entries import Entry
from services.budget.domain.reservation import Reservation
from services.budget.domain.rules import (
    ALERT_BALANCE,
    SAFETY_BUFFER,
    Kind,
    Priority,
    Reason,
    Rules,
    Stage,
)
from services.budget.domain.state import State
from services.budget.domain.values import replace
from services.budget.ports import UsageSum
from services.budget.usecases.readings import Opening
from services.budget.usecases.verifying import Findings
from services.budget.usecases.writer import Change
from services.chassis.rpc import times

RELEASED = {
    Reason.NOT_SENT: "The call was certainly not sent.",
    Reason.FINISHED: "The envelope's work has ended.",
    Reason.EXPIRED: "The envelope's time has passed.",
    Reason.WAIT_ENDED: "The wait ended before tokens came.",
}
NOBODY = UUID(int=0)
DAY_SECONDS = 24 * 60 * 60
ENDED = (Stage.COMMITTED, Stage.RELEASED, Stage.UNKNOWN, Stage.SETTLED)


def timestamp(instant: datetime | None) -> Timestamp | None:
    """Return an instant as the contract's type; None stays absent.

    All of a batch happens at one instant, so the message is shared: put it into others only.
    """
    return None if instant is None else _stamp(instant)


@lru_cache(maxsize=64)
def _stamp(instant: datetime) -> Timestamp:
    since = instant - EPOCH
    return Timestamp(
        seconds=since.days * DAY_SECONDS + since.seconds, nanos=since.microseconds * 1000
    )


def named(collection: str, key: UUID | None) -> str:
    """Return a resource name; empty for nothing."""
    return "" if key is None else f"{collection}/{key}"


def observation(seen: Observation) -> pb.Observation:
    """Return an observation as it was reported."""
    return pb.Observation(
        keepa_time=timestamp(EPOCH + seen.arrived_ms * MILLISECOND),
        processing_duration=times.duration(seen.processing_ms * MILLISECOND),
        token_count=seen.tokens,
        refill_wait_duration=times.duration(seen.refill_in_ms * MILLISECOND),
        refill_rate=seen.refill_rate,
        token_flow_reduction=seen.flow_reduction_milli / MILLI,
    )


def reservation(told: Reservation) -> pb.Reservation:
    """Return a reservation; what a plain grant has not is not even looked at."""
    terms, tags, key = told.terms, told.terms.tags, str(told.id)
    built = pb.Reservation(
        name=f"reservations/{key}",
        account=f"accounts/{terms.account}",
        kind=_KINDS[terms.kind],
        state=_STATES[told.stage],
        token_count=terms.tokens,
        caller=tags.caller,
        action=tags.action,
        endpoint=tags.endpoint,
        priority=_PRIORITIES[terms.priority],
        create_time=timestamp(told.created_at),
        expire_time=timestamp(told.expires_at),
        sequence=told.sequence,
        request_id=key,
    )
    if terms.parent is not None:
        built.parent = named("reservations", terms.parent)
    if tags.job is not None:
        built.job = named("jobs", tags.job)
    if told.stage is not Stage.HELD or terms.kind is not Kind.CALL:
        built.MergeFrom(_outcome(told))
    return built


def write(told: Reservation, message: pb.Reservation) -> None:
    """Write a reservation into an empty message; what grants of one batch share is built once."""
    key = str(told.id)
    nameless = replace(told, terms=replace(told.terms, id=NOBODY), sequence=0, content="")
    message.CopyFrom(_nameless(nameless))
    message.name = f"reservations/{key}"
    message.request_id = key
    message.sequence = told.sequence


@lru_cache(maxsize=16)
def _nameless(told: Reservation) -> pb.Reservation:
    return reservation(told)


def _outcome(told: Reservation) -> pb.Reservation:
    """Return what an envelope, a wait and an end have beyond a call's hold."""
    return pb.Reservation(
        committed_token_count=told.committed,
        overrun_token_count=told.overrun,
        remaining_token_count=told.rest,
        unsettled_token_count=told.unsettled,
        end_time=timestamp(told.ended_at) if told.stage in ENDED else None,
        promised_start_time=timestamp(told.promised_at),
    )


def account(state: State, now: datetime) -> pb.Account:
    """Return an account as it was at one instant."""
    built = pb.Account(
        name=f"accounts/{state.account}",
        state=_balance_state(state, now),
        balance_token_count=state.balance(now),
        available_token_count=state.available(now),
        held_token_count=state.charged - state.unsettled - state.uncovered_tokens,
        unsettled_token_count=state.unsettled,
        uncovered_token_count=state.uncovered_tokens,
        sequence=state.sequence,
        waiting_count=len(state.waiting),
        spent_token_count=state.spent,
    )
    if state.anchor is not None:
        built.MergeFrom(_stated(state.anchor, now, state.rules))
    return built


@lru_cache(maxsize=16)
def _stated(anchor: Anchor, now: datetime, rules: Rules) -> pb.Account:
    """Return what follows from the anchor alone; all answers of a batch share it."""
    seen, ticks = anchor.observation, anchor.certain_ticks(now, rules)
    told, text = level(anchor.balance(now, rules))
    return pb.Account(
        capacity_token_count=seen.capacity,
        refill_rate=seen.refill_rate,
        token_flow_reduction=seen.flow_reduction_milli / MILLI,
        next_tick_time=timestamp(anchor.tick_at(ticks + 1, rules)),
        observe_time=timestamp(anchor.stored_at),
        observation=observation(seen),
        level=told,
        warning=text,
    )


def level(balance: int) -> "tuple[pb.BalanceLevel.ValueType, str]":
    """Return how low a balance is, and the text for people."""
    if balance < SAFETY_BUFFER:
        return pb.BALANCE_LEVEL_LOW, warning(balance, SAFETY_BUFFER)
    if balance < ALERT_BALANCE:
        return pb.BALANCE_LEVEL_ALERT, warning(balance, ALERT_BALANCE)
    return pb.BALANCE_LEVEL_NORMAL, ""


def warning(balance: int, threshold: int) -> str:
    """Return the sentence of a low balance."""
    what = "safety buffer" if threshold == SAFETY_BUFFER else "alert threshold"
    return f"Keepa token balance low: {balance} tokens ({what}: {threshold})"


def entry(told: Entry, account_key: str) -> pb.LedgerEntry:
    """Return a line of the ledger."""
    about, tags = told.about, told.about.tags
    return pb.LedgerEntry(
        sequence=told.sequence,
        account=f"accounts/{account_key}",
        kind=_ENTRY_KINDS[type(told.fact)],
        create_time=timestamp(told.at),
        token_count=told.fact.tokens,
        reservation=named("reservations", about.reservation),
        parent=named("reservations", about.parent),
        caller=tags.caller,
        action=tags.action,
        endpoint=tags.endpoint,
        job=named("jobs", tags.job),
        observation=observation(told.fact.observation)
        if isinstance(told.fact, facts.Observed)
        else None,
        note=_note(told.fact),
        available_token_count=told.available,
    )


def usage_row(row: UsageSum) -> pb.UsageRow:
    """Return one sum."""
    keys = dict(row.keys)
    job = keys.pop("job", "")
    return pb.UsageRow(
        **keys,
        job=f"jobs/{job}" if job else "",
        token_count=row.tokens,
        call_count=row.calls,
        unsettled_token_count=row.unsettled,
    )


def watched(seen: Opening | Entry | Change, key: str) -> pb.WatchAccountResponse:
    """Return what a watch tells; of an entry that its opening includes, only the entry."""
    match seen:
        case Opening(told=told, after=after):
            return pb.WatchAccountResponse(
                account=account(told.state, told.now), after_sequence=after
            )
        case Change(entry=told, state=state, now=now):
            return pb.WatchAccountResponse(account=account(state, now), entry=entry(told, key))
    return pb.WatchAccountResponse(entry=entry(seen, key))


def findings(found: Findings) -> pb.VerifyLedgerResponse:
    """Return what a verification has found, without the token to go on with."""
    return pb.VerifyLedgerResponse(
        consistent=found.consistent,
        entry_count=found.entries,
        violations=map(violation, found.violations),
        spent_token_count=found.spent,
        checkpoint_sequence=found.origin,
        checkpoint_time=timestamp(found.origin_at),
        verified_sequence=found.reached,
        newest_sequence=found.newest,
    )


def violation(found: Violation) -> pb.LedgerViolation:
    """Return one broken invariant."""
    return pb.LedgerViolation(
        invariant=found.invariant, sequence=found.sequence, description=found.description
    )


def _note(fact: facts.Fact) -> str:
    """Return what the kind alone does not say."""
    told = ""
    match fact:
        case facts.Released(reason=reason):
            told = RELEASED[reason]
        case facts.Committed(before=before) if before is not None:
            told = f"Late: the reservation was {before.stage.value} at {before.committed} tokens."
        case facts.Settled(hidden=hidden, dark=dark) if hidden or dark:
            told = _presumed(hidden, dark)
        case facts.BalanceLow(threshold=threshold):
            told = f"Below the threshold of {threshold} tokens."
        case facts.Observed(newest=newest, doubt=doubt) if doubt or not newest:
            more = f"{doubt} tokens more than explained; believed when seen again."
            told = more if newest else _looked_back(fact)
        case facts.Extended(expires_at=expires_at):
            told = f"Held until {expires_at.isoformat()}."
    return told


def _presumed(hidden: int, dark: int) -> str:
    """Say how much of a settled cost no balance lacks; nothing shows that it was not taken."""
    told = (
        f"{hidden} of them the full bucket may have made up for." if hidden else "",
        f"{dark} of them no balance can show; the call began before." if dark else "",
    )
    return " ".join(("Presumed:", *filter(None, told)))


def _looked_back(fact: facts.Observed) -> str:
    if fact.closes:
        return "Looked at again, now that every call it overlaps has ended."
    return "Older than the newest observation; it covers commits only."


def _balance_state(state: State, now: datetime) -> "pb.BalanceState.ValueType":
    if state.anchor is None:
        return pb.BALANCE_STATE_NEVER_OBSERVED
    return pb.BALANCE_STATE_KNOWN if state.known(now) else pb.BALANCE_STATE_STALE


_KINDS = {kind: pb.ReservationKind.Value(f"RESERVATION_KIND_{kind.value}") for kind in Kind}
_STATES = {stage: pb.ReservationState.Value(f"RESERVATION_STATE_{stage.value}") for stage in Stage}
_PRIORITIES = {priority: pb.Priority.Value(f"PRIORITY_{priority.name}") for priority in Priority}
_ENTRY_KINDS: dict[type[facts.Fact], "pb.LedgerEntryKind.ValueType"] = {
    facts.Observed: pb.LEDGER_ENTRY_KIND_OBSERVED,
    facts.Waiting: pb.LEDGER_ENTRY_KIND_WAITING,
    facts.Held: pb.LEDGER_ENTRY_KIND_HELD,
    facts.Committed: pb.LEDGER_ENTRY_KIND_COMMITTED,
    facts.Released: pb.LEDGER_ENTRY_KIND_RELEASED,
    facts.Unknown: pb.LEDGER_ENTRY_KIND_UNKNOWN,
    facts.Settled: pb.LEDGER_ENTRY_KIND_SETTLED,
    facts.Overrun: pb.LEDGER_ENTRY_KIND_OVERRUN,
    facts.Foreign: pb.LEDGER_ENTRY_KIND_FOREIGN,
    facts.Credit: pb.LEDGER_ENTRY_KIND_CREDIT,
    facts.Overflow: pb.LEDGER_ENTRY_KIND_OVERFLOW,
    facts.BalanceLow: pb.LEDGER_ENTRY_KIND_BALANCE_LOW,
    facts.Extended: pb.LEDGER_ENTRY_KIND_EXTENDED,
}
