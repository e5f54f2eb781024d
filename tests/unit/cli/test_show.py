"""What a person reads in the terminal."""

from datetime import timedelta

import pytest
from arbitragevault.autosourcing.v1 import autosourcing_pb2 as autosourcing
from arbitragevault.budget.v1 import budget_pb2 as budget
from arbitragevault.discovery.v1 import discovery_pb2 as discovery
from arbitragevault.keepa_gateway.v1 import keepa_gateway_pb2 as keepa
from rich.console import Console, RenderableType

from services.chassis.errors import FieldViolation, Kind, Refusal
from services.cli import asking, show


def text(shown: RenderableType, width: int = 200) -> str:
    """Render as a terminal would; a wide one unless said."""
    console = Console(width=width, no_color=True)
    with console.capture() as captured:
        console.print(shown)
    return captured.get()


@pytest.mark.parametrize(
    ("duration", "said"),
    [
        (timedelta(0), "0 s"),
        (timedelta(milliseconds=1), "1 s"),
        (timedelta(seconds=59), "59 s"),
        (timedelta(seconds=60.2), "1 min 1 s"),
        (timedelta(hours=1), "60 min 0 s"),
    ],
)
def test_a_wait_is_rounded_up_so_that_waiting_as_told_is_enough(
    duration: timedelta, said: str
) -> None:
    """T8: a person who comes back a moment early is refused again."""
    assert show.span(duration) == said


def test_a_refusal_names_fields_suggestion_and_wait() -> None:
    """A3: every refusal helps."""
    refused = Refusal(
        Kind.RESOURCE_EXHAUSTED,
        "INSUFFICIENT_TOKENS",
        "This needs 60 tokens, and 12 are available.",
        facts={"balance": 12, "required": 60, "deficit": 48, "suggestion": "Ask for less."},
        retry_after=timedelta(seconds=90),
        violations=[
            FieldViolation("spec.max_products", "must be at most 1000"),
            FieldViolation("spec.strategy", "must be known"),
        ],
    )

    said = show.refusal(refused)

    assert "needs 60 tokens" in said
    assert "spec.max_products: must be at most 1000" in said
    assert "Ask for less." in said
    assert "Try again in 1 min 30 s." in said


def test_a_target_pick_shows_the_most_to_pay_and_no_invented_roi() -> None:
    """A11: with no known price the return is hypothetical and decides nothing."""
    score = discovery.ProductScore(
        asin="0470820942",
        title="A Book",
        recommendation=discovery.RECOMMENDATION_CONSIDER,
        sell_cents=2500,
        buy_cents=1000,
        max_buy_cents=824,
        roi_percent=8.89,
        velocity_score=66.41,
        token_count=1,
    )
    pick = autosourcing.Pick(
        score=score, kind=autosourcing.PICK_KIND_TARGET, reason="Buy at or below $8.24."
    )

    said = text(show.picks([pick]))

    assert "≤ $8.24" in said
    assert "%" not in said
    assert "$10.00" not in said


def test_what_is_not_known_of_a_product_is_left_blank() -> None:
    """A product that Keepa does not know costs nobody $0.00."""
    unknown = discovery.ProductScore(asin="0470820942", summary="Keepa does not know it.")

    said = text(show.scores([unknown]))

    assert "Keepa does not know it." in said
    assert "0.00" not in said
    assert "%" not in said


@pytest.mark.parametrize("title", ["Physics [paperback]", "Physics [/b]", "Physics :book:"])
def test_a_title_is_shown_as_it_is(title: str) -> None:
    """Amazon's titles hold brackets: no part of one is hidden, and none ends a command."""
    for console in (asking.console, asking.progress):
        with console.capture() as captured:
            console.print(show.scores([discovery.ProductScore(asin="0470820942", title=title)]))
            console.print(title)

        assert captured.get().split().count(title.split()[1]) == 2


def test_the_price_is_told_before_it_is_spent() -> None:
    """What a second pass may cost on top is another decision."""
    price = discovery.EstimateDiscoveryResponse(
        most_token_count=10, offer_token_count=32, search_cached=True, cached_count=4
    )

    assert show.price(price) == (
        "costs at most 10 tokens, and 32 more for live offers; "
        "already stored: the list and 4 products"
    )
    assert show.price(discovery.EstimateDiscoveryResponse()) == "costs at most 0 tokens"


def test_an_old_answer_says_so_and_lost_tokens_are_not_hidden() -> None:
    """Who accepts an old answer wants to know how old; who waits for a bill, what is open."""
    old = discovery.SearchInfo(cache_hit=True, stale=True, refreshing=True)
    old.age_duration.FromTimedelta(timedelta(seconds=61))
    lost = discovery.SearchInfo(token_count=4, unsettled_token_count=6)

    assert show.came_about(old) == "stored 1 min 1 s ago, expired and being asked anew; 0 tokens"
    assert show.came_about(lost) == "asked now; 4 tokens and 6 whose outcome is unknown"


def test_what_is_blocked_stands_with_its_reason() -> None:
    """D7: in half a year nobody remembers why."""
    one = discovery.BlockedProduct(asin="0470820942", reason="counterfeits", caller="anna")
    one.create_time.FromJsonString("2026-11-21T06:00:00Z")

    assert "counterfeits  2026-11-21  anna" in text(show.blocked([one]))


def test_a_verification_says_what_to_do_and_what_changed() -> None:
    """D10: the verdict first, then the numbers that led to it."""
    change = discovery.VerificationChange(
        field="fba_offer_count", before="2", after="8", message="6 more sellers."
    )
    told = discovery.VerifyProductResponse(
        verdict=discovery.VERIFICATION_VERDICT_AVOID, message="Leave it.", changes=[change]
    )

    said = text(show.verification(told))

    assert said.startswith("AVOID  Leave it.")
    assert "fba offer count  2       8    6 more sellers." in said


def test_a_stock_estimate_says_what_it_counts_and_that_it_is_old() -> None:
    """D9: an expired answer says so."""
    estimate = discovery.StockEstimate(
        unit_count=24, offer_count=3, fba_offer_count=2, low_cents=2219, high_cents=3003, stale=True
    )

    said = text(show.stock(discovery.EstimateStockResponse(estimate=estimate)))

    assert "24, estimated" in said
    assert "$22.19 to $30.03" in said
    assert "expired" in said


def test_offers_that_could_not_be_read_are_not_no_offers() -> None:
    """Nothing for sale is a chance; nothing seen is nothing."""
    info = discovery.SearchInfo(
        stop_reason=discovery.STOP_REASON_KEEPA_UNAVAILABLE, stop_message="Keepa could not."
    )

    said = text(show.stock(discovery.EstimateStockResponse(info=info)))

    assert "unknown: Keepa could not." in said
    assert "0" not in said


def test_stored_offers_are_counted_when_newer_ones_could_not_be_had() -> None:
    """They need not have expired; and none for sale is a count like any other."""
    estimate = discovery.StockEstimate(unit_count=0, offer_count=0, fba_offer_count=0)
    info = discovery.SearchInfo(
        stop_reason=discovery.STOP_REASON_INSUFFICIENT_TOKENS, stop_message="Too few tokens."
    )

    said = text(show.stock(discovery.EstimateStockResponse(estimate=estimate, info=info)))

    assert "0, estimated" in said
    assert "unknown" not in said
    assert "Too few tokens." in said


def test_what_went_in_comes_before_what_follows_from_it() -> None:
    """Why did this change: the cause first."""
    told = discovery.ExplainScoreResponse(
        differences=[
            discovery.ScoreDifference(label="profit", before="947", after="447"),
            discovery.ScoreDifference(label="buying price", before="8", after="13", input=True),
        ]
    )

    said = text(show.differences(told))

    assert said.index("changed  buying price") < said.index("follows  profit")


def test_every_product_without_a_pick_shows_its_reason() -> None:
    """A job that finds nothing must still say why, product by product."""
    products = [
        autosourcing.AnalyzedProduct(
            asin="0470820942",
            title="A Slow Book",
            outcome=autosourcing.PRODUCT_OUTCOME_PASSED_OVER,
            reason="No rank drop in 90 days.",
        ),
        autosourcing.AnalyzedProduct(
            asin="1589803426", outcome=autosourcing.PRODUCT_OUTCOME_PICKED, reason="Good."
        ),
    ]

    table = show.passed_over(products)

    assert table is not None
    said = text(table)
    assert "No rank drop in 90 days." in said
    assert "1589803426" not in said


def test_an_unobserved_balance_is_called_unknown_and_never_a_number() -> None:
    """T5: never optimistic."""
    account = budget.Account(state=budget.BALANCE_STATE_NEVER_OBSERVED)

    said = text(show.account(account))

    assert "unknown" in said
    assert "0" not in said


def test_a_value_of_a_newer_contract_shows_its_number() -> None:
    """Readers accept enum values that they do not know."""
    assert show.word(budget.LedgerEntryKind, 999, "LEDGER_ENTRY_KIND_") == "999"


def test_a_schedule_says_when_it_starts_next_or_why_not() -> None:
    """A8: a paused schedule looks paused, not forgotten."""
    named = {"name": "schedules/1", "hours": [7, 19], "time_zone": "Europe/Paris"}
    waiting = autosourcing.Schedule(**named)
    waiting.next_slot_time.FromJsonString("2026-11-22T06:00:00Z")

    said = text(show.schedules([waiting, autosourcing.Schedule(**named, paused=True)]))

    assert "7 19" in said
    assert "2026-11-22 06:00 UTC" in said
    assert "paused" in said


def test_jobs_and_scores_are_whole_in_a_terminal_of_80_columns() -> None:
    """A name that is cut cannot be given to the next command, and a column of dots says nothing."""
    named = "5980e63a-eefd-551b-b136-a89705f4ec71"
    job = autosourcing.Job(
        name=f"jobs/{named}",
        state=autosourcing.JOB_STATE_BUDGET_STOPPED,
        analyzed_count=1000,
        message="6 picks from 10 products analysed; Keepa answered 429",
    )
    score = discovery.ProductScore(
        name=f"scores/{named}",
        asin="1169878849",
        recommendation=discovery.RECOMMENDATION_STRONG_BUY,
        max_buy_cents=11800,
        sell_cents=109988,
        velocity_score=95.3,
        buy_basis=discovery.BUY_BASIS_ASSUMED,
    )
    for shown, whole in (
        (show.jobs([job]), (job.name, "BUDGET_STOPPED", "1000")),
        (show.job_line(job), ("BUDGET_STOPPED ", "1000/0 analysed")),
        (
            show.named_scores([score]),
            (score.name, "STRONG BUY", score.asin, "≤ $118.00", "$1,099.88", "95"),
        ),
    ):
        said = text(shown, width=80)
        assert [each for each in whole if each not in said] == []
        assert "…" not in said


def test_what_became_of_an_hour_is_shown_with_its_job_or_the_reason() -> None:
    """A8: a missed run is reported."""
    started = autosourcing.ScheduleSlot(
        date="2026-11-21", hour=7, outcome=autosourcing.SLOT_OUTCOME_STARTED, job="jobs/9"
    )
    missed = autosourcing.ScheduleSlot(
        date="2026-03-29", hour=2, outcome=autosourcing.SLOT_OUTCOME_MISSED, reason="No such hour"
    )

    said = text(show.slots([started, missed]))

    assert "07:00  STARTED  jobs/9" in said
    assert "02:00  MISSED   No such hour" in said


def test_a_job_that_queues_says_when_it_starts() -> None:
    """A2: who waits wants to know for how long."""
    job = autosourcing.Job(state=autosourcing.JOB_STATE_PENDING, message="Waiting for tokens")
    job.expected_start_time.FromJsonString("2026-11-21T04:05:06Z")

    assert "Waiting for tokens; starts at about 04:05:06 UTC" in text(show.job_line(job))


UUID = "0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0"


@pytest.mark.parametrize(
    ("shown", "name"),
    [
        (
            show.picks(
                [autosourcing.Pick(name=f"picks/{UUID}", score={"title": "A long title" * 9})]
            ),
            f"picks/{UUID}",
        ),
        (
            show.schedules(
                [autosourcing.Schedule(name=f"schedules/{UUID}", time_zone="Asia/Tokyo")]
            ),
            f"schedules/{UUID}",
        ),
        (
            show.saved_niches([discovery.SavedNiche(name=f"bookmarks/{UUID}", notes="why " * 30)]),
            f"bookmarks/{UUID}",
        ),
        (
            show.searches([discovery.Search(name=f"searches/{UUID}", token_count=10_000)]),
            f"searches/{UUID}",
        ),
        (
            show.reservations([budget.Reservation(name=f"reservations/{UUID}", caller="anna")]),
            f"reservations/{UUID}",
        ),
    ],
)
def test_a_name_stands_whole_in_a_terminal_of_80_columns(shown: RenderableType, name: str) -> None:
    """Another command takes it: half of it is of no use."""
    console = Console(width=80, no_color=True)
    with console.capture() as captured:
        console.print(shown)

    assert name in captured.get()


def test_a_filter_is_told_in_one_line() -> None:
    """Open ends, and only what restricts."""
    searched = discovery.DiscoveryFilter(
        category_ids=[283155],
        title="atlas",
        rank_range=discovery.RankRange(maximum=90_000),
        price_range=discovery.PriceRange(minimum_cents=1250),
        availability=discovery.AVAILABILITY_ANY,
        condition=discovery.CONDITION_USED_GOOD,
    )

    assert show.wanted(searched) == '283155; "atlas"; up to 90,000; from $12.50; used good'
    assert show.wanted(discovery.DiscoveryFilter()) == ""


def test_what_is_not_known_of_a_product_has_no_line() -> None:
    """An unknown price is not $0.00; one of 0 is."""
    said = text(show.metrics(discovery.ProductMetrics(asin="0470820942", new_offer_count=0)))

    assert [line.split()[:2] for line in said.splitlines()] == [
        ["product", "0470820942"],
        ["new", "offers"],
    ]


def test_a_price_range_of_keepa_is_told_and_a_stored_answer_costs_nothing() -> None:
    """Before it is spent."""
    assert show.cost(keepa.EstimateCostResponse()) == "costs nothing: it is stored"
    one = keepa.EstimateCostResponse(least_token_count=1, most_token_count=1)
    assert show.cost(one) == "costs 1 token"
    some = keepa.EstimateCostResponse(most_token_count=50)
    assert show.cost(some) == "costs 0 to 50 tokens"


def test_a_broken_ledger_says_where() -> None:
    """INV-6: `tokens verify` must not only fail."""
    broken = budget.VerifyLedgerResponse(
        consistent=False,
        violations=[budget.LedgerViolation(invariant="INV-6", sequence=7, description="5, not 4")],
    )

    said = text(show.ledger_check(broken))

    assert "The ledger breaks its rules." in said
    assert "INV-6  7  5, not 4" in said


def test_no_recommendation_is_no_word() -> None:
    """Of a product that Keepa does not know nothing is advised, and UNSPECIFIED is no advice."""
    unknown = discovery.ProductScore(asin="0470820942", summary="Keepa does not know this product.")

    said = text(show.scores([unknown]))

    assert "UNSPECIFIED" not in said
    assert "Keepa does not know this product." in " ".join(said.split())


def test_a_file_is_told_in_numbers_that_are_read_aloud() -> None:
    one = autosourcing.ImportedIdentifier()
    told = autosourcing.ImportIdentifiersResponse(identifiers=[one], line_count=1)
    more = autosourcing.ImportIdentifiersResponse(
        identifiers=[one, one], line_count=4, duplicate_count=1, rejected_count=1
    )

    assert show.imported(told) == "1 product from 1 line"
    assert show.imported(more) == "2 products from 4 lines; repeated: 1; rejected: 1"
