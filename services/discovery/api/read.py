"""Incoming messages as domain values: every default and every check that annotations cannot say."""

import re
from collections.abc import Sequence
from datetime import MAXYEAR, MINYEAR, datetime
from uuid import UUID

from arbitragevault.budget.v1 import budget_pb2
from arbitragevault.discovery.v1 import discovery_pb2 as pb
from arbitragevault.keepa_gateway.v1 import keepa_gateway_pb2
from google.protobuf.message import Message

from services.chassis import identifiers
from services.chassis.errors import FieldViolation, invalid_field, invalid_fields
from services.chassis.rpc import pages
from services.discovery.domain.criteria import Availability, Filter, Options, Source
from services.discovery.domain.errand import Errand, Priority
from services.discovery.domain.past import SearchKind
from services.discovery.domain.scoring.terms import Condition
from services.discovery.ports import Place

BOOKS = 283155
DEFAULT_RESULTS = 50

page_size = pages.size

_OF_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_OF_PRODUCT = re.compile(r"[0-9]{1,2}-[A-Z0-9]{10}")
_OF_REVISION = re.compile(r"[0-9]{1,18}")
_TIMED_LISTS = {
    "ListSearchesRequest": _OF_ID,
    "ListSavedNichesRequest": _OF_ID,
    "ListFavoritesRequest": _OF_PRODUCT,
    "ListBlockedProductsRequest": _OF_PRODUCT,
}
"""Lists in order of time, and what tells rows of one instant apart."""

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


def page_place(request: Message, token: str) -> Place:
    """Read where the last page ended; None for the first page."""
    if not token:
        return None
    first, second = map(str, pages.place(request, token, 2))
    if not _comparable(request, first, second):
        raise pages.bad_token()
    return first, second


def _comparable(request: Message, first: str, second: str) -> bool:
    """Tell whether the database can compare a place: anybody can make a token."""
    if "\0" in first + second:
        return False
    if isinstance(request, pb.ListScoringConfigRevisionsRequest):
        return bool(_OF_REVISION.fullmatch(first))
    second_form = _TIMED_LISTS.get(request.DESCRIPTOR.name)
    if isinstance(request, pb.ListScoresRequest) and request.include_former:
        second_form = _OF_ID
    if second_form is None:
        return True
    try:
        year = datetime.fromisoformat(first).year
    except ValueError:
        return False
    return MINYEAR < year < MAXYEAR and bool(second_form.fullmatch(second))


def page_token(request: Message, place: Place) -> str:
    """Write a token that goes on with the same question; empty on the last page."""
    return "" if place is None else pages.token(request, *place)
