"""Picks as the lines of a file: what each column says."""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

from services.autosourcing.domain.picks import Action, Pick


@dataclass(frozen=True)
class Line:
    """One pick with what the reseller decided about it."""

    pick: Pick
    action: Action = Action.PENDING
    notes: str = ""


Value = str | int | Decimal
Column = tuple[str, Callable[[Line], Value]]

_COLUMNS: tuple[Column, ...] = (
    ("asin", lambda line: line.pick.finding.asin),
    ("title", lambda line: line.pick.finding.title),
    ("kind", lambda line: line.pick.kind),
    ("recommendation", lambda line: line.pick.finding.recommendation),
    ("tier", lambda line: line.pick.tier),
    ("rating", lambda line: line.pick.rating),
    ("max_buy", lambda line: _units(line.pick.finding.max_buy_cents)),
    ("buy_price", lambda line: _units(line.pick.finding.buy_price_cents)),
    ("buy_basis", lambda line: line.pick.finding.buy_basis),
    ("sell_price", lambda line: _units(line.pick.finding.sell_price_cents)),
    ("profit", lambda line: _units(line.pick.finding.profit_cents)),
    ("currency", lambda line: line.pick.finding.currency_code),
    ("roi_percent", lambda line: line.pick.finding.roi_percent),
    ("velocity", lambda line: line.pick.finding.velocity),
    ("stability", lambda line: line.pick.finding.stability),
    ("confidence", lambda line: line.pick.finding.confidence),
    ("sales_rank", lambda line: line.pick.finding.sales_rank),
    ("flags", lambda line: " ".join(line.pick.finding.flags)),
    ("reason", lambda line: line.pick.reason),
    ("action", lambda line: line.action),
    ("notes", lambda line: line.notes),
)
NAMES = tuple(name for name, _ in _COLUMNS)


def values(line: Line) -> list[Value]:
    """What a pick says in each column."""
    return [value(line) for _, value in _COLUMNS]


def _units(cents: int) -> Decimal:
    return Decimal(cents).scaleb(-2)
