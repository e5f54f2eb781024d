"""Requests as values of the domain: every default, every check that annotations cannot say."""

from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID

from arbitragevault.budget.v1 import budget_pb2
from arbitragevault.discovery.v1 import discovery_pb2 as pb
from arbitragevault.keepa_gateway.v1 import keepa_gateway_pb2

from services.chassis import identifiers
from services.chassis.errors import FieldViolation, invalid_field, invalid_fields
from services.chassis.files import forms
from services.chassis.rpc.call import current_call
from services.discovery.domain.criteria import Availability, Filter, Options, Source
from services.discovery.domain.errand import Errand, Priority
from services.discovery.domain.past import SearchKind
from services.discovery.domain.scoring.terms import Condition
from services.discovery.usecases.asking import Request
from services.discovery.usecases.keeping import Ask

BOOKS = 283155
DEFAULT_RESULTS = 50

Searched = pb.DiscoverProductsRequest | pb.ScoreProductsRequest | pb.DiscoverScoredProductsRequest
Asked = Searched | pb.GetProductMetricsRequest | pb.EstimateStockRequest | pb.DiscoverNichesRequest

PRIORITIES = {
    budget_pb2.PRIORITY_JOB: Priority.JOB,
    budget_pb2.PRIORITY_BACKGROUND: Priority.BACKGROUND,
}
CONDITIONS = {
    pb.CONDITION_USED_LIKE_NEW: Condition.USED_LIKE_NEW,
    pb.CONDITION_USED_VERY_GOOD: Condition.USED_VERY_GOOD,
    pb.CONDITION_USED_GOOD: Condition.USED_GOOD,
    pb.CONDITION_USED_ACCEPTABLE: Condition.USED_ACCEPTABLE,
}
STRATEGIES = {
    pb.STRATEGY_SMART_VELOCITY: "smart_velocity",
    pb.STRATEGY_TEXTBOOKS_STANDARD: "textbooks_standard",
    pb.STRATEGY_TEXTBOOKS_PATIENCE: "textbooks_patience",
}
AVAILABILITIES = {
    pb.AVAILABILITY_AMAZON_ABSENT: Availability.AMAZON_ABSENT,
    pb.AVAILABILITY_AMAZON_PRESENT: Availability.AMAZON_PRESENT,
}
KINDS = {
    pb.SEARCH_KIND_DISCOVERY: SearchKind.DISCOVERY,
    pb.SEARCH_KIND_SCORING: SearchKind.SCORING,
    pb.SEARCH_KIND_AUTOSOURCING: SearchKind.AUTOSOURCING,
}


def domain(value: int) -> int:
    """Read a marketplace; amazon.com when none is named."""
    return value or keepa_gateway_pb2.DOMAIN_COM


def filter_of(message: pb.DiscoveryFilter) -> Filter:
    """Read a filter and fill its defaults in."""
    market = domain(message.domain)
    categories = tuple(sorted(message.category_ids))
    if not categories and market == keepa_gateway_pb2.DOMAIN_COM:
        categories = (BOOKS,)
    return Filter(
        domain=market,
        category_ids=categories,
        rank_least=message.rank_range.minimum or None,
        rank_most=message.rank_range.maximum or None,
        price_least=message.price_range.minimum_cents or None,
        price_most=message.price_range.maximum_cents or None,
        availability=AVAILABILITIES.get(message.availability, Availability.ANY),
        condition=CONDITIONS.get(message.condition, Condition.NEW),
        title=message.title.strip(),
        max_results=message.max_results or DEFAULT_RESULTS,
        source=_source(message.source, categories),
    )


def _source(value: pb.DiscoverySource.ValueType, categories: tuple[int, ...]) -> Source:
    if value != pb.DISCOVERY_SOURCE_BEST_SELLERS:
        return Source.FINDER
    if len(categories) != 1:
        raise invalid_field("filter.category_ids", "best sellers are listed for one category")
    return Source.BEST_SELLERS


def options(message: pb.ScoringOptions, fallback: int = 0) -> Options:
    """Read how products are scored; the condition is the filter's when not said again."""
    condition = message.condition or fallback
    return Options(
        strategy=strategy(message.strategy),
        condition=CONDITIONS.get(pb.Condition.ValueType(condition), Condition.NEW),
        costs_cents=dict(sorted(message.buy_cents.items())),
        sales_tax_basis_points=message.sales_tax_basis_points,
        source_shipping_cents=message.source_shipping_cents,
    )


def strategy(value: pb.Strategy.ValueType) -> str:
    """Read a strategy; the balanced one when none is named."""
    return STRATEGIES.get(value, "balanced")


def form(value: pb.ExportFormat.ValueType) -> forms.Form:
    """Read the form of a file, of which annotations demand one."""
    return forms.FORMS[pb.ExportFormat.Name(value).removeprefix("EXPORT_FORMAT_")]


def errand(spending: keepa_gateway_pb2.Spending, caller: str) -> Errand:
    """Read who pays; the way's deadline is the call's own."""
    return Errand(
        caller=caller,
        envelope=spending.envelope,
        priority=PRIORITIES.get(spending.priority, Priority.INTERACTIVE),
        action=spending.action,
        job=spending.job,
        max_wait=spending.max_wait_duration.ToTimedelta(),
        max_tokens=spending.max_token_count,
    )


def ask(text: str) -> Ask:
    """Read who asks, under which id."""
    return Ask(id=request_id(text), caller=current_call().caller)


def request(message: Asked) -> Request:
    """Read what is asked that may cost tokens: under which id, who pays, what may be stored."""
    return Request(
        id=request_id(message.request_id),
        errand=errand(message.spending, current_call().caller),
        force_refresh=message.force_refresh,
        cache_only=message.cache_only,
    )


def search(message: Searched) -> Request:
    """Read what a search brings beside its question."""
    return replace(
        request(message),
        accept_stale=message.accept_stale,
        close_looks=getattr(message, "offer_check_count", 0),
    )


def request_id(text: str) -> UUID:
    """Read a request's id, whose form the annotations have checked."""
    return UUID(text)


def identity(name: str, field: str = "name") -> UUID:
    """Read the id in a resource name."""
    try:
        return UUID(name.partition("/")[2])
    except ValueError:
        raise invalid_field(field, "must end with a UUID") from None


def asin(value: str) -> str:
    """Read one ASIN that may have to be paid for.

    Raises:
        Refusal: INVALID_FIELD, when it can be none.
    """
    try:
        return identifiers.asin(value)
    except identifiers.BadIdentifierError as error:
        raise invalid_fields([_no_asin("asin", value, error)]) from None


def asins(values: Sequence[str], field: str = "asins") -> tuple[str, ...]:
    """Read ASINs that may have to be paid for; ``field`` is theirs.

    Raises:
        Refusal: INVALID_FIELD, with the place of everything that can be no ASIN.
    """
    usual: list[str] = []
    violations: list[FieldViolation] = []
    for place, value in enumerate(values):
        try:
            usual.append(identifiers.asin(value))
        except identifiers.BadIdentifierError as error:
            violations.append(_no_asin(f"{field}[{place}]", value, error))
    if violations:
        raise invalid_fields(violations)
    return tuple(usual)


def _no_asin(field: str, value: str, error: identifiers.BadIdentifierError) -> FieldViolation:
    return FieldViolation(field, f"{value!r} is no ASIN: {error}")
