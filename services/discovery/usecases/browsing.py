"""Browsing the templates of niches, page by page."""

from services.discovery.domain.niches import NicheKind, Template, templates
from services.discovery.ports import Page, Place


def browse(kind: NicheKind | None, *, size: int, after: Place) -> Page[Template]:
    """List templates by name, of one family or of every one."""
    last = "" if after is None else after[0]
    rest = [one for one in templates() if kind in {None, one.kind} and one.name > last]
    more = (rest[size - 1].name, "") if len(rest) > size else None
    return Page(tuple(rest[:size]), more)
