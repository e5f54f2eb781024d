"""What a search found as the lines of a file: what each column says."""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

from services.discovery.domain.answers import Appraisal
from services.discovery.domain.scoring.demand import Demand
from services.discovery.domain.scoring.money import hundredths
from services.discovery.domain.scoring.profit import Sale
from services.discovery.domain.scoring.score import Calculation, Score

Value = str | int | Decimal | None


@dataclass(frozen=True, slots=True)
class Line:
    """One product, with its score when it was scored and that is still kept."""

    asin: str
    found: Appraisal | None

    @property
    def score(self) -> Score | None:
        """The score itself."""
        return None if self.found is None else self.found.score

    @property
    def sums(self) -> Calculation | None:
        """The money of the score."""
        return None if self.score is None else self.score.calculation


Cell = Callable[[Line], Value]


def _found(part: Callable[[Appraisal], Value]) -> Cell:
    return lambda line: None if line.found is None else part(line.found)


def _score(part: Callable[[Score], Value]) -> Cell:
    return lambda line: None if line.score is None else part(line.score)


def _sums(part: Callable[[Calculation], Value]) -> Cell:
    return lambda line: None if line.sums is None else part(line.sums)


def _demand(part: Callable[[Demand], float]) -> Cell:
    return _score(lambda one: None if one.demand is None else _number(part(one.demand)))


def _sale(part: Callable[[Sale], int]) -> Cell:
    return _sums(lambda sums: _units(part(sums.sale)))


def _basis(score: Score) -> str | None:
    buy = score.inputs.figures.buy
    return None if buy is None else buy.basis.value


def _units(cents: int) -> Decimal:
    return Decimal(cents).scaleb(-2)


def _exact(percent: Decimal | None) -> Decimal | None:
    return None if percent is None else hundredths(percent)


def _number(value: float | None) -> Decimal | None:
    return None if value is None else Decimal(f"{value:.2f}")


_COLUMNS: tuple[tuple[str, Cell], ...] = (
    ("asin", lambda line: line.asin),
    ("title", _found(lambda one: one.title)),
    ("recommendation", _score(lambda score: score.recommendation.value)),
    ("max_buy", _sums(lambda sums: _units(sums.max_buy_cents))),
    ("buy_price", _sums(lambda sums: _units(sums.cost.buy))),
    ("buy_basis", _score(_basis)),
    ("sell_price", _sale(lambda sale: sale.sell)),
    ("profit", _sums(lambda sums: _units(sums.outcome.profit))),
    ("roi_percent", _sums(lambda sums: _exact(sums.outcome.roi_percent))),
    ("margin_percent", _sums(lambda sums: _exact(sums.outcome.margin_percent))),
    ("velocity", _demand(lambda demand: demand.velocity)),
    ("monthly_sales", _demand(lambda demand: demand.monthly_sales)),
    ("days_to_sell", _demand(lambda demand: demand.days_to_sell)),
    ("stability", _score(lambda score: _number(score.stability))),
    ("confidence", _score(lambda score: _number(score.confidence))),
    ("tier", _score(lambda score: score.tier.value)),
    ("rating", _score(lambda score: score.rating.value)),
    ("sales_rank", _found(lambda one: one.sales_rank)),
    ("referral", _sale(lambda sale: sale.referral)),
    ("closing", _sale(lambda sale: sale.closing)),
    ("fulfilment", _sale(lambda sale: sale.fulfilment)),
    ("placement", _sale(lambda sale: sale.placement)),
    ("storage", _sale(lambda sale: sale.storage)),
    ("returns", _sale(lambda sale: sale.returns)),
    ("buffer", _sale(lambda sale: sale.buffer)),
    ("net", _sale(lambda sale: sale.net)),
    ("cash_cost", _sums(lambda sums: _units(sums.cost.cash))),
    ("currency", _found(lambda one: one.currency_code or "USD")),
    ("flags", _score(lambda score: " ".join(score.flags))),
    ("reason", _score(lambda score: score.reasons[0].message)),
    ("score", _found(lambda one: f"scores/{one.id}" if one.id else None)),
)
NAMES = tuple(name for name, _ in _COLUMNS)


def values(line: Line) -> list[Value]:
    """What a product says in each column; what is not known is empty."""
    return [value(line) for _, value in _COLUMNS]
