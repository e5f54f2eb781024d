"""Between wire and domain: defaults, absences and mappings that a wrong line would hide."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import uuid4

import pytest
from arbitragevault.autosourcing.v1 import events_pb2 as job_events
from arbitragevault.discovery.v1 import discovery_pb2 as pb
from arbitragevault.keepa_gateway.v1 import keepa_gateway_pb2 as keepa

from services.chassis.errors import Kind, Refusal
from services.chassis.events.delivery import Delivery, Poison
from services.discovery.api import read, write
from services.discovery.clients.facts import KINDS, facts
from services.discovery.clients.keepa_gateway import selection
from services.discovery.domain.answers import Status, Tally
from services.discovery.domain.criteria import Availability, Filter, Options
from services.discovery.domain.health import CacheHealth
from services.discovery.domain.past import SearchKind, SearchSource, source_of
from services.discovery.domain.product import Kind as Series
from services.discovery.domain.scoring.buying import BuyBasis
from services.discovery.domain.scoring.terms import STRATEGIES, Condition
from services.discovery.domain.scoring.verdict import Rating, Recommendation, Tier
from services.discovery.domain.steps import StepKind, Task
from services.discovery.domain.stops import Stop, StopReason, stop_for, stop_named
from services.discovery.events.handlers import JobEvents

NOW = datetime(2026, 9, 15, tzinfo=UTC)


# --- incoming -----------------------------------------------------------------------------


def test_an_empty_filter_looks_for_fifty_new_books() -> None:
    """D1's defaults."""
    assert read.filter_of(pb.DiscoveryFilter()) == Filter(category_ids=(283155,), max_results=50)


def test_the_same_filter_has_the_same_key_in_any_order() -> None:
    """Otherwise each spelling of one question is paid for anew."""
    one = read.filter_of(pb.DiscoveryFilter(category_ids=[5, 3, 4], title=" python "))
    other = read.filter_of(pb.DiscoveryFilter(category_ids=[3, 4, 5], title="python"))

    assert one.key == other.key


@pytest.mark.parametrize(
    "changes",
    [
        {"domain": 2},
        {"category_ids": [3]},
        {"rank_range": pb.RankRange(minimum=2)},
        {"rank_range": pb.RankRange(maximum=2)},
        {"price_range": pb.PriceRange(minimum_cents=2)},
        {"price_range": pb.PriceRange(maximum_cents=2)},
        {"availability": pb.AVAILABILITY_AMAZON_ABSENT},
        {"condition": pb.CONDITION_USED_GOOD},
        {"title": "x"},
        {"max_results": 51},
    ],
)
def test_every_field_of_a_filter_is_part_of_its_key(changes: dict[str, object]) -> None:
    """A field that is forgotten answers one question with another's list (D2)."""
    usual = read.filter_of(pb.DiscoveryFilter())
    other = read.filter_of(pb.DiscoveryFilter(**changes))  # type: ignore[arg-type]

    assert usual.key != other.key


@pytest.mark.parametrize(
    "changes",
    [
        {"strategy": "smart_velocity"},
        {"condition": Condition.USED_GOOD},
        {"costs_cents": {"0306406152": 900}},
        {"sales_tax_basis_points": 1},
        {"source_shipping_cents": 1},
    ],
)
def test_every_option_is_part_of_a_score_s_key(changes: dict[str, object]) -> None:
    """Two resellers with other costs must never share a score."""
    name = "0306406152"

    assert Options().key(1, name) != Options(**changes).key(1, name)  # type: ignore[arg-type]
    assert Options().key(1, name) != Options().key(2, name)


def test_another_product_s_cost_does_not_change_a_score_s_key() -> None:
    """Else one entered price would make every cached score useless."""
    own = Options(costs_cents={"B000000001": 900})

    assert own.key(1, "0306406152") == Options().key(1, "0306406152")


def test_options_take_the_filter_s_condition_unless_they_name_their_own() -> None:
    """Searching used books and scoring new ones would be nonsense."""
    used = pb.CONDITION_USED_GOOD

    assert read.options(pb.ScoringOptions(), used).condition is Condition.USED_GOOD
    own = pb.ScoringOptions(condition=pb.CONDITION_NEW)
    assert read.options(own, used).condition is Condition.NEW


def test_sales_tax_is_read_in_basis_points() -> None:
    """8.875 % is 887.5 basis points; the contract takes whole ones."""
    own = read.options(pb.ScoringOptions(sales_tax_basis_points=825))

    assert own.terms("0306406152").sales_tax_percent == Decimal("8.25")


def test_a_page_token_goes_on_with_its_own_question_only() -> None:
    """A token used on another list would skip or repeat rows in silence."""
    question = pb.ListScoresRequest(asin="0306406152")
    token = read.page_token(question, ("place", "key"))

    assert read.page_place(pb.ListScoresRequest(asin="0306406152"), token) == ("place", "key")
    for other in (pb.ListScoresRequest(), pb.ListScoresRequest(asin="0306406153")):
        with pytest.raises(Refusal, match="page_token"):
            read.page_place(other, token)
    with pytest.raises(Refusal, match="page_token"):
        read.page_place(question, "nonsense")


@pytest.mark.parametrize(
    "place",
    [
        ("yesterday", "9f0e5d39-2f8f-4a0e-8f5b-6f1a5f2f6f11"),
        ("0001-01-01T00:00:00+23:59", "9f0e5d39-2f8f-4a0e-8f5b-6f1a5f2f6f11"),
        ("2026-11-21T01:00:00+00:00", "-" * 36),
        ("2026-11-21T01:00:00+00:00", "1-0306406152"),
        ("2026-11-21T01:00:00+00:00", "\0"),
    ],
)
@pytest.mark.parametrize(
    "question",
    [pb.ListSearchesRequest(), pb.ListScoresRequest(asin="0306406152", include_former=True)],
)
def test_a_forged_page_token_is_refused(
    question: pb.ListSearchesRequest | pb.ListScoresRequest, place: tuple[str, str]
) -> None:
    """Tokens carry no secret; what the database cannot compare must not fail inside (A13)."""
    with pytest.raises(Refusal, match="page_token"):
        read.page_place(question, read.page_token(question, place))


def test_a_page_token_of_another_list_is_refused() -> None:
    """Two lists asked without any filter have nothing but their method to tell them apart."""
    token = read.page_token(pb.ListScoresRequest(), ("2026-11-21", "key"))

    with pytest.raises(Refusal, match="page_token"):
        read.page_place(pb.ListSearchesRequest(), token)


@pytest.mark.parametrize(("asked", "given"), [(0, 50), (7, 7), (1000, 1000), (5000, 1000)])
def test_page_sizes_are_coerced_down(asked: int, given: int) -> None:
    """AIP-158."""
    assert read.page_size(asked) == given


# --- the gateway --------------------------------------------------------------------------


def test_a_filter_becomes_the_finder_s_own_fields() -> None:
    """What is not pushed to Keepa is paid for and thrown away."""
    wanted = Filter(
        category_ids=(3, 4),
        rank_least=1000,
        rank_most=90_000,
        price_least=1500,
        price_most=6000,
        availability=Availability.AMAZON_ABSENT,
        title="python",
    )

    built = selection(wanted)

    assert {one.field: (one.minimum, one.maximum) for one in built.ranges} == {
        "current_SALES": (1000, 90_000),
        "current_NEW": (1500, 6000),
    }
    assert list(built.category_ids) == [3, 4]
    assert built.root_category_id == 0
    assert list(built.types) == [keepa.PRODUCT_TYPE_STANDARD]
    assert keepa.AMAZON_AVAILABILITY_NOW not in built.amazon_availabilities
    assert [(sort.field, sort.descending) for sort in built.sorts] == [("current_SALES", False)]


def test_used_copies_are_searched_by_their_own_price_and_roots_as_roots() -> None:
    """The price of a new copy says nothing about a used one."""
    built = selection(Filter(category_ids=(3, 283155), condition=Condition.USED_GOOD, price_most=9))

    assert [one.field for one in built.ranges] == ["current_SALES", "current_USED"]
    assert (built.root_category_id, list(built.category_ids)) == (283155, [])


@pytest.mark.parametrize(
    ("results", "page", "tokens"),
    [(1, 50, 11), (50, 50, 11), (101, 101, 12), (10_000, 10_000, 110)],
)
def test_a_search_asks_for_what_it_needs_and_knows_its_price(
    results: int, page: int, tokens: int
) -> None:
    """10 tokens, and 1 for each started 100 ASINs of a page of at least 50."""
    wanted = Filter(max_results=results)

    assert (wanted.per_page, wanted.most_tokens) == (page, tokens)


def test_absent_values_of_a_product_stay_absent() -> None:
    """An absent price read as 0 is a free book."""
    read_back = facts(keepa.Product(asin="0306406152", type=keepa.PRODUCT_TYPE_STANDARD))

    assert read_back.product_type == 0
    assert read_back.weight_grams is None
    assert read_back.size_mm is None
    assert read_back.monthly_sold is None
    assert read_back.referral_percent is None
    assert read_back.closing_cents is None
    assert read_back.updated_at is None
    assert read_back.offers is None
    assert read_back.statistics.current == {}


def test_no_offers_of_a_kind_are_zero_and_not_unknown() -> None:
    """A count of 0 is knowledge: nobody competes. A price of 0 is none."""
    product = keepa.Product(asin="0306406152")
    product.statistics.series.add(name="COUNT_NEW_FBA", current=0)
    product.statistics.series.add(name="NEW", current=0)

    assert facts(product).statistics.current == {Series.COUNT_NEW_FBA: 0}


def test_a_history_with_shipping_is_read_as_what_the_buyer_pays() -> None:
    """Price and shipping are one amount to whoever buys; unknown shipping adds nothing."""
    product = keepa.Product(asin="0306406152")
    product.series.add(
        name="BUY_BOX_SHIPPING",
        times=[60, 120, 180],
        values=[1000, -1, 900],
        shipping=[399, -1, -1],
    )

    assert list(facts(product).series[Series.BUY_BOX_NEW].values) == [1399, -1, 900]


def test_only_live_offers_are_read_and_unknown_shipping_stays_unknown() -> None:
    """The list of offers is a history of a thousand dead ones."""
    product = keepa.Product(asin="0306406152", offers_fetched=True)
    product.offers.add(seller_id="A", price_cents=500, live=True, condition=1)
    product.offers.add(seller_id="B", price_cents=100, shipping_cents=0, live=False)
    product.offers.add(seller_id="C", live=True)

    offers = facts(product).offers

    assert offers is not None
    assert [(offer.seller_id, offer.shipping_cents) for offer in offers] == [("A", None)]


def test_every_history_that_scoring_reads_has_a_name_on_the_wire() -> None:
    """One that is missing here is a price nobody ever sees."""
    assert set(KINDS.values()) == set(Series)


# --- outgoing -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "enum", "prefix"),
    [
        (Recommendation, pb.Recommendation, "RECOMMENDATION"),
        (Tier, pb.Tier, "TIER"),
        (Rating, pb.Rating, "RATING"),
        (BuyBasis, pb.BuyBasis, "BUY_BASIS"),
        (StopReason, pb.StopReason, "STOP_REASON"),
        (SearchKind, pb.SearchKind, "SEARCH_KIND"),
        (SearchSource, pb.SearchSource, "SEARCH_SOURCE"),
        (Condition, pb.Condition, "CONDITION"),
        (Availability, pb.Availability, "AVAILABILITY"),
        (Status, keepa.ProductStatus, "PRODUCT_STATUS"),
    ],
)
def test_domain_words_and_contract_words_are_the_same(
    values: type, enum: object, prefix: str
) -> None:
    """A word without a twin fails only when somebody is answered with it."""
    names = {name for name, number in enum.items() if number}  # type: ignore[attr-defined]

    assert {f"{prefix}_{value}" for value in values} == names  # type: ignore[attr-defined]


def test_every_strategy_of_the_contract_is_known() -> None:
    """The default is balanced; the others are named."""
    assert {*read.STRATEGIES.values(), "balanced"} == set(STRATEGIES)


def test_a_filter_comes_back_as_it_was_applied() -> None:
    """D5: filters applied, defaults filled in."""
    asked = pb.DiscoveryFilter(
        category_ids=[3], condition=pb.CONDITION_USED_GOOD, rank_range=pb.RankRange(maximum=9)
    )
    applied = write.filter_message(read.filter_of(asked))

    assert read.filter_of(applied) == read.filter_of(asked)
    assert applied.max_results == 50
    assert applied.availability == pb.AVAILABILITY_ANY


def test_an_answer_says_its_age_its_cost_and_why_it_stopped() -> None:
    """Source, age and tokens stand on every answer."""
    stop = Stop(StopReason.RATE_LIMITED, "Keepa said 429.", timedelta(seconds=46))
    tally = Tally(tokens=7, unsettled=2, stop=stop, oldest=NOW - timedelta(hours=3))

    built = write.info(tally, 0.25, NOW)

    assert (built.token_count, built.unsettled_token_count, built.cache_hit) == (7, 2, False)
    assert built.age_duration.ToTimedelta() == timedelta(hours=3)
    assert built.stop_reason == pb.STOP_REASON_RATE_LIMITED
    assert built.retry_delay.ToTimedelta() == timedelta(seconds=46)


# --- stops, sources, health ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("reason", "domain", "stop"),
    [
        ("WAIT_TIMEOUT", "budget.arbitragevault", StopReason.INSUFFICIENT_TOKENS),
        ("WAIT_TIMEOUT", "keepa_gateway.arbitragevault", StopReason.THROTTLED),
        ("SOMETHING_NEW", None, StopReason.FAULT),
    ],
)
def test_a_refusal_is_read_with_its_domain(
    reason: str, domain: str | None, stop: StopReason
) -> None:
    """Waiting for tokens and waiting for the throttle end with the same word."""
    refusal = Refusal(Kind.RESOURCE_EXHAUSTED, reason, "no", domain=domain)

    assert stop_for(refusal).reason is stop


@pytest.mark.parametrize(
    "code",
    [
        "KEEPA_RATE_LIMITED",
        "INSUFFICIENT_TOKENS",
        "ENVELOPE_EXHAUSTED",
        "DEADLINE_TOO_SHORT",
        "CIRCUIT_OPEN",
        "KEEPA_KEY_REJECTED",
        "THROTTLED",
        "BUDGET_UNAVAILABLE",
        "SOMETHING_NEW",
    ],
)
def test_a_stop_is_told_in_a_sentence(code: str) -> None:
    """Resellers read it as the end of their job: "KEEPA_RATE_LIMITED" is no sentence."""
    told = stop_named(code, None).message

    assert told[0].isupper()
    assert told.endswith(".")
    assert " " in told
    assert code not in told or code == "SOMETHING_NEW"


@pytest.mark.parametrize(
    "reason",
    [
        StopReason.RATE_LIMITED,
        StopReason.INSUFFICIENT_TOKENS,
        StopReason.ENVELOPE_ENDED,
        StopReason.KEY_REJECTED,
        StopReason.FAULT,
    ],
)
def test_a_job_never_sits_out_what_only_spending_less_would_cure(reason: StopReason) -> None:
    """Going on after a 429 took one account from 193 to -17 in a second (INC-4)."""
    assert not Stop(reason).passing


@pytest.mark.parametrize(
    "reason",
    [StopReason.THROTTLED, StopReason.KEEPA_UNAVAILABLE, StopReason.UPSTREAM_UNAVAILABLE],
)
def test_a_job_sits_out_a_way_that_is_closed_for_a_moment(reason: StopReason) -> None:
    """Design 6.4: a closed throttle or breaker makes it wait, to its deadline."""
    assert Stop(reason).passing


@pytest.mark.parametrize(
    ("caller", "source"),
    [
        ("console", SearchSource.FRONTEND),
        ("avault", SearchSource.MANUAL),
        ("my-script", SearchSource.API),
    ],
)
def test_the_caller_s_name_tells_where_a_search_came_from(
    caller: str, source: SearchSource
) -> None:
    """D3."""
    assert source_of(caller) is source


@pytest.mark.parametrize(
    ("hits", "rating"), [(31, "excellent"), (30, "good"), (11, "good"), (10, "low reuse")]
)
def test_a_cache_is_rated_by_its_hits_per_entry(hits: int, rating: str) -> None:
    """D4: more than 3 excellent, more than 1 good."""
    health = CacheHealth(
        cache="discovery", entries=10, expired=0, hits=hits, size_bytes=0, requests=10, served=5
    )

    assert health.rating == rating
    assert not health.alert


def test_a_cache_alerts_below_half_and_stays_calm_when_nobody_asked() -> None:
    """D4: an alarm at an empty start is an alarm nobody reads."""
    idle = CacheHealth(
        cache="discovery", entries=0, expired=0, hits=0, size_bytes=0, requests=0, served=0
    )
    poor = CacheHealth(
        cache="discovery", entries=1, expired=0, hits=4, size_bytes=0, requests=9, served=4
    )

    assert not idle.alert
    assert poor.alert


# --- events in ----------------------------------------------------------------------------


class Tray:
    """Keeps what was taken in."""

    def __init__(self) -> None:
        self.tasks: list[Task] = []

    async def accept(self, task: Task, *_: object) -> None:
        """Keep a task."""
        self.tasks.append(task)


def delivery() -> Delivery:
    return Delivery(event_id=uuid4(), subject="x", occurred_at=NOW, attempt=1)


def wanted(**changes: object) -> job_events.ScoringRequested:
    event = job_events.ScoringRequested(
        job=f"jobs/{uuid4()}", step_id=str(uuid4()), asins=["B000000002", "B000000001"]
    )
    event.deadline_time.FromDatetime(NOW)
    for name, value in changes.items():
        setattr(event, name, value)
    return event


@pytest.mark.anyio
async def test_a_request_is_stored_as_it_was_asked() -> None:
    """Order counts, copies do not."""
    tray = Tray()
    event = wanted(envelope=f"reservations/{uuid4()}", caller="reseller")
    event.asins.append("B000000002")

    handlers = JobEvents(lambda _: tray, read.filter_of, read.options)
    await handlers.on_scoring_requested(event, delivery(), None)  # type: ignore[arg-type]

    (task,) = tray.tasks
    assert task.kind is StepKind.SCORING
    assert task.asins == ("B000000002", "B000000001")
    assert (task.envelope, task.caller, task.deadline) == (event.envelope, "reseller", NOW)


@pytest.mark.anyio
@pytest.mark.parametrize("broken", ["step", "deadline", "too many"])
async def test_a_request_that_can_never_be_done_is_poison(broken: str) -> None:
    """Delivering it again for ever would cure nothing (A13)."""
    event = wanted()
    if broken == "step":
        event.step_id = "nonsense"
    elif broken == "deadline":
        event.ClearField("deadline_time")
    else:
        event.asins.extend(f"B{number:09d}" for number in range(100))

    handlers = JobEvents(lambda _: Tray(), read.filter_of, read.options)

    with pytest.raises(Poison):
        await handlers.on_scoring_requested(event, delivery(), None)  # type: ignore[arg-type]
