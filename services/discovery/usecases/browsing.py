"""Browsing the templates of niches, page by page."""

from dataclasses import dataclass

from services.discovery.domain.niches import NicheKind, Template, templates


@dataclass(frozen=True, slots=True)
class TemplatePage:
    """One page of templates, and where the next one begins; None on the last."""

    templates: tuple[Template, ...]
    next_place: tuple[str, str] | None


def browse(kind: NicheKind | None, *, size: int, after: tuple[str, str] | None) -> TemplatePage:
    """List templates by name, of one family or of every one."""
    last = "" if after is None else after[0]
    rest = [one for one in templates() if kind in {None, one.kind} and one.name > last]
    more = (rest[size - 1].name, "") if len(rest) > size else None
    return TemplatePage(tuple(rest[:size]), more)
