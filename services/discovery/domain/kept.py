"""What people keep: saved niches, favourites and products that must not be bought."""

from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from services.chassis.errors import Kind, Refusal
from services.discovery.domain.criteria import Filter
from services.discovery.domain.niches import template_named


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedNiche:
    """A niche that a person keeps.

    Attributes:
        template: Name of the template it was made from; may be empty.
        last_score: How good it was when it was examined last, at ``last_examined_at``.
        revision: Grows with every change; written out, it is the etag.
    """

    id: UUID
    display_name: str
    filter: Filter
    strategy: str
    notes: str
    template: str
    caller: str
    revision: int
    created_at: datetime
    updated_at: datetime
    last_score: float | None = None
    last_examined_at: datetime | None = None

    @property
    def name(self) -> str:
        """The resource name."""
        return f"bookmarks/{self.id}"

    @property
    def etag(self) -> str:
        """What a change names that is made on what was read."""
        return str(self.revision)

    def check(self, etag: str) -> None:
        """Refuse a change that was made on an older state; an empty etag takes any.

        Raises:
            Refusal: ETAG_MISMATCH, with the present etag.
        """
        if etag in {"", self.etag}:
            return
        raise Refusal(
            Kind.ABORTED,
            "ETAG_MISMATCH",
            f"{self.name} has changed since it was read; read it again.",
            facts={"etag": self.etag},
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A niche as it is to be saved; a filter or strategy of None is the template's."""

    display_name: str
    filter: Filter | None
    strategy: str | None
    notes: str
    template: str

    def save(self, niche_id: UUID, caller: str, now: datetime) -> SavedNiche:
        """Make the niche, and fill in what was left open.

        Raises:
            Refusal: NICHE_NOT_FOUND, when there is no such template.
        """
        template = template_named(self.template)
        if template is None and self.template:
            raise not_found("NICHE", "NicheTemplate", self.template)
        usual = (Filter(), "balanced") if template is None else (template.filter, template.strategy)
        return SavedNiche(
            id=niche_id,
            display_name=self.display_name,
            filter=self.filter or usual[0],
            strategy=self.strategy or usual[1],
            notes=self.notes,
            template=self.template,
            caller=caller,
            revision=1,
            created_at=now,
            updated_at=now,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Amendment:
    """A change of a saved niche; what is None stays."""

    display_name: str | None = None
    filter: Filter | None = None
    strategy: str | None = None
    notes: str | None = None

    def apply(self, niche: SavedNiche, now: datetime) -> SavedNiche:
        """Give the niche as it is after the change."""
        return replace(
            niche,
            display_name=niche.display_name if self.display_name is None else self.display_name,
            filter=niche.filter if self.filter is None else self.filter,
            strategy=niche.strategy if self.strategy is None else self.strategy,
            notes=niche.notes if self.notes is None else self.notes,
            revision=niche.revision + 1,
            updated_at=now,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Favorite:
    """A product that somebody marked; ``caller`` is who did it first."""

    domain: int
    asin: str
    notes: str
    caller: str
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockedProduct:
    """A product that must not be bought; ``caller`` is who put it there first."""

    domain: int
    asin: str
    reason: str
    caller: str
    created_at: datetime


def not_found(what: str, kind: str, name: str) -> Refusal:
    """Say that something is not there, by kind and name."""
    message = f"There is no {kind} named {name}."
    return Refusal(Kind.NOT_FOUND, f"{what}_NOT_FOUND", message, resource=(kind, name))
