"""Rows of the database as values of the domain, and back."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, TypeAlias

import msgspec

from services.keepa_gateway.domain.attempt import Attempt, State
from services.keepa_gateway.domain.breaker import Breaker
from services.keepa_gateway.domain.egress import Egress
from services.keepa_gateway.domain.envelope import KeepaError, Observation, printable
from services.keepa_gateway.domain.outcome import Verdict
from services.keepa_gateway.domain.products_request import ProductOptions

Row: TypeAlias = Mapping[Any, Any]
_STANDING = (
    *("failures", "trials", "opened_until"),
    *("paused_until", "pause_balance", "rejected_at"),
)


def attempt(row: Row) -> Attempt:
    """Read an attempt; the driver gives its documents as text."""
    row = {**row, **{name: _document(row[name]) for name in ("found", "observation", "error")}}
    return Attempt(
        attempt_id=row["attempt_id"],
        request_id=row["request_id"],
        number=row["number"],
        content=row["content"],
        endpoint=row["endpoint"],
        fingerprint=row["fingerprint"],
        subjects=tuple(row["subjects"]),
        found={subject: tuple(asins) for subject, asins in row["found"].items()},
        reservation=row["reservation"],
        bound=row["bound"],
        after_sequence=row["after_sequence"],
        state=State(row["state"]),
        verdict=Verdict(row["verdict"]) if row["verdict"] else None,
        consumed=row["consumed"],
        observation=Observation(**row["observation"]) if row["observation"] else None,
        reason=row["reason"],
        error=KeepaError(**row["error"]) if row["error"] else None,
        started_at=row["started_at"],
        ended_at=row["ended_at"],
        settled=row["settled_at"] is not None,
        http_status=row["http_status"],
    )


def observation(value: Observation | None) -> dict[str, Any] | None:
    """Write an observation."""
    return asdict(value) if value is not None else None


def error(value: KeepaError | None) -> dict[str, Any] | None:
    """Write what Keepa said, cut to a size that is no burden."""
    if value is None:
        return None
    fields = {"type": value.type, "message": value.message, "details": value.details}
    return {name: printable(str(text)[:500]) for name, text in fields.items() if text is not None}


def egress(row: Row) -> Egress:
    """Read the state of the way out."""
    return Egress(
        breaker=Breaker(
            failures=row["failures"], trials=row["trials"], opened_until=row["opened_until"]
        ),
        paused_until=row["paused_until"],
        pause_balance=row["pause_balance"],
        rejected_at=row["rejected_at"],
        answered_at=row["answered_at"],
        quiet_until=row["quiet_until"],
    )


def egress_columns(state: Egress) -> dict[str, Any]:
    """Write the state of the way out."""
    return {
        "failures": state.breaker.failures,
        "trials": state.breaker.trials,
        "opened_until": state.breaker.opened_until,
        "paused_until": state.paused_until,
        "pause_balance": state.pause_balance,
        "rejected_at": state.rejected_at,
        "answered_at": state.answered_at,
        "quiet_until": state.quiet_until,
    }


def stands(first: int) -> str:
    """Write the condition that a row of the way out, ``egress``, stands as ``standing`` told it.

    ``first`` is the number of the first of its parameters.
    """
    return " and ".join(
        f"egress.{name} is not distinct from ${first + place}"
        for place, name in enumerate(_STANDING)
    )


def standing(state: Egress) -> tuple[Any, ...]:
    """Tell what of the way out decides whether a call may leave, and for how long it may not."""
    columns = egress_columns(state)
    return tuple(columns[name] for name in _STANDING)


def options(value: str) -> ProductOptions:
    """Read options; those that a newer version added are ignored."""
    return msgspec.json.decode(value, type=ProductOptions)


def _document(value: Any) -> Any:
    return msgspec.json.decode(value) if isinstance(value, str) else value
