"""What a caller of DiscoveryService may rely on, over a real port and a real database."""

from typing import Any
from uuid import uuid4

import pytest
from arbitragevault.discovery.v1 import discovery_pb2 as pb

from services.chassis.testing import refusal as refused
from tests.integration.discovery.stage import (
    Replica,
    asin,
    refusal,
)
from tests.unit.discovery.ledger import redo

pytestmark = pytest.mark.anyio


def search(title: str = "", **changes: Any) -> pb.DiscoverProductsRequest:
    """A search of its own: the title makes the key."""
    wanted = pb.DiscoveryFilter(title=title or str(uuid4()), max_results=60)
    return pb.DiscoverProductsRequest(request_id=str(uuid4()), filter=wanted, **changes)


async def score_of(discovery: Any, request: pb.ScoreProductsRequest) -> pb.ProductScore:
    """The score of a request for one product."""
    parts = [part async for part in discovery.ScoreProducts(request)]
    score: pb.ProductScore = parts[0].score
    return score


async def test_a_stored_answer_costs_nothing_and_says_so(discovery: Any) -> None:
    """Source, age and tokens stand on every answer."""
    request = search()
    first = await discovery.DiscoverProducts(request)
    request.request_id = str(uuid4())
    again = await discovery.DiscoverProducts(request)

    assert (first.info.cache_hit, first.info.token_count) == (False, 11)
    assert (again.info.cache_hit, again.info.token_count) == (True, 0)
    assert again.info.HasField("age_duration")
    assert again.filter.category_ids == [283155]


async def test_the_same_id_with_other_content_is_refused(discovery: Any) -> None:
    """REQUEST_ID_REUSED, on every method that may spend."""
    same = str(uuid4())
    one, other = search(), search()
    one.request_id = other.request_id = same
    await discovery.DiscoverProducts(one)

    found = await refused(discovery.DiscoverProducts(other))

    assert (found.reason, found.domain) == ("REQUEST_ID_REUSED", "discovery.arbitragevault")


async def test_what_is_not_stored_is_a_cache_miss_when_spending_is_forbidden(
    discovery: Any, one: Replica
) -> None:
    """A dashboard may look without ever paying."""
    before = one.till.tokens

    found = await refused(discovery.DiscoverProducts(search(cache_only=True)))

    assert found.reason == "CACHE_MISS"
    assert one.till.tokens == before


async def test_what_is_too_dear_names_its_price_and_the_limit(discovery: Any) -> None:
    """JOB_TOO_EXPENSIVE with the numbers and the suggestion of A3."""
    request = pb.DiscoverScoredProductsRequest(
        request_id=str(uuid4()), filter=pb.DiscoveryFilter(max_results=5000)
    )

    found = await refused(discovery.DiscoverScoredProducts(request))

    assert found.reason == "JOB_TOO_EXPENSIVE"
    assert found.facts["estimated_tokens"] == 5060
    assert found.facts["max_allowed"] == 200
    assert found.facts["suggestion"] == "Reduce max_results or narrow filters"


@pytest.mark.parametrize(
    "broken",
    [
        pb.DiscoverProductsRequest(filter=pb.DiscoveryFilter()),
        pb.DiscoverProductsRequest(request_id=str(uuid4())),
        pb.DiscoverProductsRequest(
            request_id=str(uuid4()), filter=pb.DiscoveryFilter(max_results=10_001)
        ),
        pb.DiscoverProductsRequest(
            request_id=str(uuid4()),
            filter=pb.DiscoveryFilter(rank_range=pb.RankRange(minimum=9, maximum=3)),
        ),
    ],
    ids=["no id", "no filter", "too many", "range upside down"],
)
async def test_a_broken_request_is_refused_before_anything_is_spent(
    discovery: Any, one: Replica, broken: pb.DiscoverProductsRequest
) -> None:
    """A13: a clear refusal, nothing spent, nothing lost."""
    before = one.till.tokens

    found = await refused(discovery.DiscoverProducts(broken))

    assert found.reason == "INVALID_FIELD"
    assert found.violations
    assert one.till.tokens == before


@pytest.mark.parametrize("asins", [[], ["short"], ["B000000001", "B000000001"]])
async def test_a_broken_list_of_products_is_refused(discovery: Any, asins: list[str]) -> None:
    """A13, for products."""
    request = pb.ScoreProductsRequest(request_id=str(uuid4()), asins=asins)

    assert (await refused(discovery.ScoreProducts(request))).reason == "INVALID_FIELD"


async def test_a_score_that_does_not_exist_is_named(discovery: Any) -> None:
    """SCORE_NOT_FOUND with its ResourceInfo."""
    name = f"scores/{uuid4()}"

    found = await refused(discovery.ExplainScore(pb.ExplainScoreRequest(name=name)))

    assert found.reason == "SCORE_NOT_FOUND"
    assert found.resource == ("Score", name)


async def test_a_score_can_be_redone_from_what_is_told(discovery: Any) -> None:
    """D5: every line, every input, and the document that replays it."""
    request = pb.ScoreProductsRequest(request_id=str(uuid4()), asins=[asin(900)])
    parts = [part async for part in discovery.ScoreProducts(request)]
    score = parts[0].score

    told = await discovery.ExplainScore(pb.ExplainScoreRequest(name=score.name))

    assert told.score.inputs_hash == score.inputs_hash
    assert told.steps[-1].startswith("CONSIDER")
    assert told.inputs["rank_drops_90"] == "60"
    assert '"score_version":"2026.1"' in told.inputs["document"]


async def test_a_score_comes_out_again_from_the_lines_that_are_told(discovery: Any) -> None:
    """D5: a person with a pencil needs nothing but this answer."""
    request = pb.ScoreProductsRequest(request_id=str(uuid4()), asins=[asin(901)])
    score = await score_of(discovery, request)

    told = await discovery.ExplainScore(pb.ExplainScoreRequest(name=score.name))

    found = redo([(line.key, line.value, line.formula) for line in told.lines])
    assert found["max_buy_cents"] == score.max_buy_cents
    assert found["profit_cents"] == score.profit_cents
    assert found["recommendation"] == "CONSIDER"
    assert not told.differences


async def test_a_score_is_compared_with_the_one_before_line_by_line(
    discovery: Any, one: Replica
) -> None:
    """Why did this change: first what went in, then what follows from it."""
    request = pb.ScoreProductsRequest(request_id=str(uuid4()), asins=[asin(902)])
    first = await score_of(discovery, request)
    dear = pb.ScoreProductsRequest(
        request_id=str(uuid4()),
        asins=[asin(902)],
        options=pb.ScoringOptions(buy_cents={asin(902): 1250}),
    )
    second = await score_of(discovery, dear)

    question = pb.ExplainScoreRequest(name=second.name, compare_to="scores/-")
    told = await discovery.ExplainScore(question)
    question.compare_to = first.name
    named = await discovery.ExplainScore(question)
    alone = await discovery.ExplainScore(
        pb.ExplainScoreRequest(name=first.name, compare_to="scores/-")
    )
    question.compare_to = f"scores/{uuid4()}"
    missing = await refused(discovery.ExplainScore(question))

    changed = {line.key: (line.before, line.after, line.input) for line in told.differences}
    assert told.other.name == named.other.name == first.name
    assert changed["buy_basis"] == ("ASSUMED", "USER", True)
    assert changed["buy_cents"][1:] == ("1250", True)
    assert changed["profit_cents"][2] is False
    assert "net_cents" not in changed
    assert named.differences == told.differences
    assert not alone.HasField("other")
    assert missing.reason == "SCORE_NOT_FOUND"


async def test_lists_page_without_gaps_or_repeats(discovery: Any) -> None:
    """AIP-158, over scores and over searches."""
    request = pb.ScoreProductsRequest(
        request_id=str(uuid4()), asins=[asin(number) for number in range(700, 707)]
    )
    assert [part async for part in discovery.ScoreProducts(request)]

    names: list[str] = []
    page = pb.ListScoresRequest(page_size=3)
    while True:
        answer = await discovery.ListScores(page)
        names += [score.name for score in answer.scores]
        if not answer.next_page_token:
            break
        page.page_token = answer.next_page_token
    whole = await discovery.ListScores(pb.ListScoresRequest(page_size=1000))

    assert names == [score.name for score in whole.scores]
    assert len(names) == len(set(names)) >= 7


@pytest.mark.parametrize(
    ("method", "fields", "named"),
    [
        ("ScoreProducts", {"asins": [asin(1), "1111111116", "AAAAAAAAAA"]}, "asins[1] asins[2]"),
        ("EstimateDiscovery", {"asins": {"asins": [asin(1), "1111111116"]}}, "asins.asins[1]"),
        (
            "GetStrategicView",
            {"name": "views/velocity", "asins": ["1111111116"], "fetch_missing": True},
            "asins[0]",
        ),
        ("GetProductMetrics", {"asin": "1111111116"}, "asin"),
        ("EstimateStock", {"asin": "1111111116"}, "asin"),
        ("VerifyProduct", {"asin": "1111111116", "baseline": {"sell_cents": 1}}, "asin"),
    ],
)
async def test_a_mistyped_asin_is_refused_by_its_place_before_anything_is_spent(
    discovery: Any, one: Replica, method: str, fields: dict[str, Any], named: str
) -> None:
    """Later it would be named by its place in a batch, when batches before it were paid."""
    request = getattr(pb, f"{method}Request")(**fields)
    if "request_id" in request.DESCRIPTOR.fields_by_name:
        request.request_id = str(uuid4())
    before = one.till.tokens

    call = getattr(discovery, method)(request)
    told = await refused(call.read() if method == "ScoreProducts" else call)

    assert told.reason == "INVALID_FIELD"
    assert " ".join(violation.field for violation in told.violations) == named
    assert "'1111111116' is no ASIN: the check digit" in told.violations[0].description
    assert one.till.tokens == before


async def test_a_decision_of_no_day_is_refused_before_anything_is_spent(
    discovery: Any, one: Replica
) -> None:
    """No number in a request makes a service fail: not even an instant that no calendar has."""
    request = pb.VerifyProductRequest(
        request_id=str(uuid4()),
        asin=asin(1),
        baseline=pb.VerificationBaseline(sell_cents=1, observe_time={"seconds": 10**12}),
    )
    before = one.till.tokens

    told = await refused(discovery.VerifyProduct(request))

    assert [violation.field for violation in told.violations] == ["baseline.observe_time"]
    assert one.till.tokens == before


@pytest.mark.parametrize("other", ["cache_only", "accept_stale"])
async def test_what_is_stored_is_not_both_wanted_and_not_wanted(
    discovery: Any, one: Replica, other: str
) -> None:
    """Whichever of the two won in silence, somebody would be surprised by the bill."""
    before = one.till.tokens

    found = await refused(discovery.DiscoverProducts(search(force_refresh=True, **{other: True})))

    assert [violation.field for violation in found.violations] == ["force_refresh"]
    assert one.till.tokens == before


async def test_a_product_that_could_not_be_scored_says_why(discovery: Any, one: Replica) -> None:
    """Every product has a reason, also the one that is no product."""
    one.till.unknown.add(asin(904))
    request = pb.ScoreProductsRequest(request_id=str(uuid4()), asins=[asin(904)])

    score = await score_of(discovery, request)

    assert not score.name
    assert score.summary == "The answer was lost on its way; its cost is being settled."


async def test_a_product_shows_how_it_was_scored_over_time(discovery: Any, one: Replica) -> None:
    """Replaced and purged scores are told too, the newest first, page by page."""
    name, scored = asin(903), []
    for cents in (1100, 1200, 1300):
        own = pb.ScoringOptions(buy_cents={name: cents})
        request = pb.ScoreProductsRequest(request_id=str(uuid4()), asins=[name], options=own)
        scored.append((await score_of(discovery, request)).name)
    await one.execute(f"delete from discovery.score_cache where asin = '{name}'")

    page = pb.ListScoresRequest(asin=name, include_former=True, page_size=2)
    newest = await discovery.ListScores(page)
    page.page_token = newest.next_page_token
    rest = await discovery.ListScores(page)
    fresh = await discovery.ListScores(pb.ListScoresRequest(asin=name))
    nobody = await refused(discovery.ListScores(pb.ListScoresRequest(include_former=True)))

    assert [one.name for one in [*newest.scores, *rest.scores]] == scored[::-1]
    assert not rest.next_page_token
    assert not fresh.scores
    assert nobody.reason == "INVALID_FIELD"
    assert "include_former needs an asin" in nobody.violations[0].description


async def test_a_search_is_remembered_with_its_caller(discovery: Any) -> None:
    """D3: who, what, how much, stored or not."""
    request = search()
    await discovery.DiscoverProducts(request)

    newest = (await discovery.ListSearches(pb.ListSearchesRequest(page_size=1))).searches[0]

    assert newest.kind == pb.SEARCH_KIND_DISCOVERY
    assert (newest.caller, newest.source) == ("avault", pb.SEARCH_SOURCE_MANUAL)
    assert newest.filter.title == request.filter.title
    assert newest.token_count == 11


async def test_cache_health_names_both_caches(discovery: Any) -> None:
    """D4."""
    answer = await discovery.GetCacheHealth(pb.GetCacheHealthRequest())

    assert [cache.cache for cache in answer.caches] == ["discovery", "scoring"]


async def test_an_estimate_of_given_products_subtracts_what_is_stored(
    discovery: Any, one: Replica
) -> None:
    """G9 through discovery: people are told what they will pay."""
    one.till.snapshots.add(asin(800))
    request = pb.EstimateDiscoveryRequest(asins=pb.AsinList(asins=[asin(800), asin(801)]))

    answer = await discovery.EstimateDiscovery(request)

    assert (answer.most_token_count, answer.cached_count) == (1, 1)


async def test_an_estimate_tells_what_a_second_pass_could_cost(discovery: Any) -> None:
    """G9: apart from the first pass, and for no more candidates than there are products."""
    listed = pb.AsinList(asins=[asin(820), asin(821)])
    request = pb.EstimateDiscoveryRequest(asins=listed, offer_check_count=5)

    answer = await discovery.EstimateDiscovery(request)

    assert (answer.most_token_count, answer.offer_token_count) == (2, 32)


async def test_an_old_answer_is_told_as_one_and_that_a_new_one_comes(
    discovery: Any, one: Replica
) -> None:
    """D2: stale-while-revalidate, for who accepts it."""
    request = search()
    await discovery.DiscoverProducts(request)
    await one.execute("update discovery.lists set expires_at = now() - interval '1 h'")
    request.request_id, request.accept_stale = str(uuid4()), True

    old = await discovery.DiscoverProducts(request)
    await one.renewals.finish()
    request.request_id = str(uuid4())
    new = await discovery.DiscoverProducts(request)

    assert (old.info.stale, old.info.refreshing, old.info.token_count) == (True, True, 0)
    assert old.info.HasField("age_duration")
    assert (new.info.stale, new.info.refreshing, new.info.cache_hit) == (False, False, True)


async def test_a_peer_s_refusal_passes_through_with_its_wait(discovery: Any, one: Replica) -> None:
    """T8: the exact wait must not be lost on the way."""
    one.till.refusals.append(refusal("INSUFFICIENT_TOKENS", 61))

    found = await refused(discovery.DiscoverProducts(search()))

    assert found.reason == "INSUFFICIENT_TOKENS"
    assert found.retry_after is not None
    assert found.retry_after.total_seconds() == 61


async def test_templates_page_by_name_and_keep_to_their_family(discovery: Any) -> None:
    """D6: a page is never cut short, and a token belongs to its question."""
    whole = await discovery.ListNicheTemplates(pb.ListNicheTemplatesRequest())
    request = pb.ListNicheTemplatesRequest(kind=pb.NICHE_KIND_TEXTBOOKS, page_size=6)
    first = await discovery.ListNicheTemplates(request)
    request.page_token = first.next_page_token
    second = await discovery.ListNicheTemplates(request)
    request.kind = pb.NICHE_KIND_SMART_VELOCITY
    found = await refused(discovery.ListNicheTemplates(request))

    names = [one.name for one in (*first.templates, *second.templates)]
    assert len(whole.templates) == 17
    assert names == sorted(one.name for one in whole.templates if "textbook" in one.name)
    assert second.next_page_token == ""
    assert (found.reason, found.violations[0].field) == ("INVALID_FIELD", "page_token")


async def test_the_configuration_that_holds_can_be_read(discovery: Any) -> None:
    """D11: a caller sees by which rules a score was made."""
    told = (await discovery.GetScoringConfig(pb.GetScoringConfigRequest())).config
    request = pb.ScoreProductsRequest(request_id=str(uuid4()), asins=[asin(990)])
    parts = [part async for part in discovery.ScoreProducts(request)]
    score = parts[0].score

    assert (told.score_version, told.fee_card) == (score.score_version, score.fee_card)
