"""The niches that come with the product: templates of searches that are worth a look."""

import json
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from importlib import resources
from typing import Any

from services.discovery.domain.criteria import Filter


class NicheKind(StrEnum):
    """The family of a niche."""

    SMART_VELOCITY = "SMART_VELOCITY"
    TEXTBOOKS = "TEXTBOOKS"


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """One niche, with what its products must reach.

    Attributes:
        fba_offers: The most that may be live.
        days: Until a unit is sold, at best and at worst; 0 is not stated.
    """

    name: str
    display_name: str
    description: str
    kind: NicheKind
    filter: Filter
    strategy: str
    profit_cents: int
    fba_offers: int
    roi_percent: float
    velocity: float
    days: tuple[int, int]
    warning: str


@cache
def templates() -> tuple[Template, ...]:
    """Give every template, by name."""
    file = resources.files("services.discovery.domain") / "data" / "niche_templates.json"
    found = map(_template, json.loads(file.read_text("utf-8")))
    return tuple(sorted(found, key=lambda template: template.name))


def template_named(name: str) -> Template | None:
    """Find a template by its resource name."""
    return next((template for template in templates() if template.name == name), None)


def _template(data: dict[str, Any]) -> Template:
    best, worst = data["days"]
    return Template(
        name=f"niches/{data['id']}",
        display_name=data["display_name"],
        description=data["description"],
        kind=NicheKind(data["kind"]),
        filter=_filter(data),
        strategy=data["strategy"],
        profit_cents=data["profit_cents"],
        fba_offers=data["fba_offers"],
        roi_percent=data["roi_percent"],
        velocity=data["velocity"],
        days=(best, worst),
        warning=data["warning"],
    )


def _filter(data: dict[str, Any]) -> Filter:
    (best_rank, worst_rank), (cheapest, dearest) = data["rank"], data["price_cents"]
    return Filter(
        category_ids=tuple(sorted(data["category_ids"])),
        rank_least=best_rank,
        rank_most=worst_rank,
        price_least=cheapest,
        price_most=dearest,
        title=data["title"],
    )
