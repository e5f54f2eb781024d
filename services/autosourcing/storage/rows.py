"""Rows as domain values, and back."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy import RowMapping

from services.autosourcing.domain.job import Job
from services.autosourcing.domain.picks import (
    Action,
    Analysis,
    Finding,
    Kind,
    Outcome,
    Pick,
    Rating,
    Recommendation,
    Tier,
)
from services.autosourcing.ports import NewestPlace, Page, PickPlace, SavedPick
from services.autosourcing.storage import tables
from services.autosourcing.storage.documents import raw, rebuilt
from services.chassis.reading import parted

T = TypeVar("T")
P = TypeVar("P")
_KINDS = (Kind.PRICED, Kind.TARGET)

PICK_COLUMNS = tuple(
    raw(column) if column is tables.picks.c.finding else column for column in tables.picks.c
)
"""What `listed_pick` reads."""


def page(
    found: Sequence[RowMapping],
    size: int,
    collection: str,
    read: Callable[[RowMapping], T],
    place: Callable[[RowMapping], P],
) -> Page[T, P]:
    """One page of at most ``size + 1`` rows; those that cannot be read are named.

    Args:
        found: Rows with an ``id``, in the order of the list.
        size: Of the page; a row behind it tells that there are more.
        collection: What the names begin with, such as ``jobs``.
        read: Builds the value of a row, or raises ``ValueError``.
        place: Tells where a row stands, from columns that can always be read.
    """
    items, unreadable = parted(((f"{collection}/{row['id']}", row) for row in found[:size]), read)
    next_place = place(found[size - 1]) if len(found) > size else None
    return Page(items=items, next_place=next_place, unreadable=unreadable)


def newest_place(row: RowMapping) -> NewestPlace:
    """Where a row of what is listed newest first stands."""
    return row["created_at"], row["id"]


def pick_place(row: RowMapping) -> PickPlace:
    """Where in listing order a pick stands."""
    return PickPlace(
        kind=_KINDS[row["kind"]],
        sort_score=str(row["sort_score"]),
        profit_cents=row["profit_cents"],
        asin=row["asin"],
        id=row["id"],
    )


def kind_number(kind: Kind) -> int:
    """The number by which kinds are listed: priced before targets."""
    return _KINDS.index(kind)


def job_columns(job: Job) -> dict[str, Any]:
    """The columns that queries need, beside the whole document."""
    return {
        "state": job.state.value,
        "started_at": job.started_at,
        "ended_at": job.ended_at,
        "sequence": job.sequence,
        "tokens": job.envelope.spent_tokens if job.envelope.closed else job.counts.tokens,
        "analyzed": job.counts.analyzed,
        "document": job,
    }


def pick_columns(pick: Pick, sequence: int, now: datetime) -> dict[str, Any]:
    """A new pick's row; the score is kept apart from the numbers that are read often."""
    finding = pick.finding
    return {
        "id": pick.id,
        "job_id": pick.job_id,
        "sequence": sequence,
        "kind": kind_number(pick.kind),
        "sort_score": pick.sort_score,
        "profit_cents": finding.profit_cents,
        "asin": finding.asin,
        "recommendation": finding.recommendation.value,
        "tier": pick.tier.value,
        "rating": pick.rating.value,
        "reason": pick.reason,
        "finding": replace(finding, document=b""),
        "score": finding.document,
        "action": Action.PENDING.value,
        "notes": "",
        "revision": 1,
        "created_at": now,
    }


def product_columns(
    job_id: UUID, product: Analysis, sequence: int, position: int
) -> dict[str, Any]:
    """A product's row."""
    return {
        "job_id": job_id,
        "asin": product.asin,
        "sequence": sequence,
        "position": position,
        "outcome": product.outcome.value,
        "reason": product.reason,
        "title": product.title,
        "recommendation": product.recommendation.value if product.recommendation else None,
    }


def listed_pick(row: RowMapping) -> SavedPick:
    """A pick whose finding was read as JSON.

    Raises:
        ValueError: It cannot be read.
    """
    return saved_pick(dict(row) | {"finding": rebuilt(Finding, row["finding"])})


def saved_pick(row: RowMapping | dict[str, Any]) -> SavedPick:
    """A pick as it was stored."""
    pick = Pick(
        id=row["id"],
        job_id=row["job_id"],
        finding=replace(row["finding"], document=row["score"]),
        kind=_KINDS[row["kind"]],
        tier=Tier(row["tier"]),
        rating=Rating(row["rating"]),
        sort_score=row["sort_score"],
        reason=row["reason"],
    )
    return SavedPick(
        pick=pick,
        action=Action(row["action"]),
        notes=row["notes"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
        revision=row["revision"],
    )


def analysis(row: RowMapping) -> Analysis:
    """A product as it was stored."""
    word = row["recommendation"]
    return Analysis(
        asin=row["asin"],
        outcome=Outcome(row["outcome"]),
        reason=row["reason"],
        title=row["title"],
        recommendation=Recommendation(word) if word else None,
    )
