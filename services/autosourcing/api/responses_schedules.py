"""Schedules as callers see them."""

from collections.abc import Sequence
from datetime import datetime

from arbitragevault.autosourcing.v1 import autosourcing_pb2 as pb

from services.autosourcing.api import responses, responses_specs
from services.autosourcing.domain.schedule import DecidedSlot, Schedule, next_start
from services.chassis.rpc import times


def schedule(value: Schedule, now: datetime, slots: Sequence[DecidedSlot] = ()) -> pb.Schedule:
    """A schedule as callers see it at ``now``."""
    return pb.Schedule(
        name=f"schedules/{value.id}",
        display_name=value.display_name,
        spec=responses_specs.asked_spec(value.spec),
        hours=value.hours,
        time_zone=value.time_zone,
        paused=value.paused,
        pause_end_time=times.timestamp(value.pause_until),
        skip_dates=[day.isoformat() for day in value.skip_dates],
        next_slot_time=times.timestamp(next_start(value, now)),
        recent_slots=[_slot(each) for each in slots],
        caller=value.caller,
        create_time=times.timestamp(value.created_at),
        update_time=times.timestamp(value.updated_at),
        etag=value.etag,
        problem=value.problem,
    )


def _slot(value: DecidedSlot) -> pb.ScheduleSlot:
    place, decision = value.decision.slot, value.decision
    return pb.ScheduleSlot(
        date=place.date.isoformat(),
        hour=place.hour,
        outcome=pb.SlotOutcome.Value(f"SLOT_OUTCOME_{decision.outcome}"),
        reason=decision.reason,
        job=responses.job_name(value.job_id) if value.job_id else "",
        slot_time=times.timestamp(place.at if place.exists else None),
        decide_time=times.timestamp(value.decided_at),
    )
