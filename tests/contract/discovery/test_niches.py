"""What a caller may rely on who lets niches be examined."""

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

pytestmark = pytest.mark.anyio


@pytest.fixture
async def discovery(served: Any, one: Replica) -> Any:
    """The service with empty caches, a full purse and nothing in the way."""
    for table in ("lists", "score_cache", "requests"):
        await one.execute(f"delete from discovery.{table}")
    one.till.refusals.clear()
    one.till.snapshots.clear()
    one.till.allowed = None
    one.purse.refusals.clear()
    return served


async def examined(
    discovery: Any, request: pb.DiscoverNichesRequest | None = None, **fields: Any
) -> tuple[list[pb.Niche], pb.DiscoverNichesResponse]:
    """The niches, and the last message."""
    asked = request or pb.DiscoverNichesRequest(request_id=str(uuid4()), **fields)
    told = [part async for part in discovery.DiscoverNiches(asked)]
    assert [part.WhichOneof("part") for part in told] == ["niche"] * (len(told) - 1) + ["info"]
    return [part.niche for part in told[:-1]], told[-1]


async def test_a_surprise_is_drawn_anew_and_can_be_had_again(discovery: Any) -> None:
    """D6: shuffled, and the seed that comes with the answer draws the same again."""
    draws = [await examined(discovery, count=3, scored_count=1) for _ in range(2)]
    names = [[niche.name for niche in niches] for niches, _ in draws]

    again, end = await examined(discovery, count=3, scored_count=1, seed=draws[0][1].seed)

    assert all(len(set(drawn)) == 3 for drawn in names)
    assert names[0] != names[1]
    assert [niche.name for niche in again] == names[0]
    assert end.seed == draws[0][1].seed > 0


async def test_a_niche_is_judged_by_real_products(discovery: Any) -> None:
    """D6: scored, counted and weighed; what is shown has passed."""
    (niche,), end = await examined(
        discovery, names=["niches/textbook-standard-general"], scored_count=4
    )

    assert (niche.scored_count, niche.total_count, niche.token_count) == (4, 200, 15)
    assert niche.passed_count == len(niche.scores)
    assert niche.filter.rank_range.maximum == 250_000
    assert niche.filter.max_results == 4
    assert not niche.HasField("mean_roi_percent")
    assert (end.info.token_count, end.seed) == (15, 0)
    if niche.passed_count:
        assert 0 < niche.niche_score <= 40


async def test_one_envelope_pays_for_all_and_goes_back(discovery: Any, one: Replica) -> None:
    """D6: tokens are held once, at the most it can cost, under the published action."""
    held, released = len(one.purse.held), len(one.purse.released)
    drawn, _ = await examined(discovery, count=3, scored_count=5, kind=pb.NICHE_KIND_TEXTBOOKS)
    surprise = one.till.errands[-1]
    await examined(discovery, names=["niches/thrillers"], scored_count=5)

    amounts = list(one.purse.held.values())[held:]
    assert len(drawn) == 3
    assert amounts == [3 * (11 + 5), 11 + 5]
    assert len(one.purse.released) == released + 2
    assert surprise.action == "surprise_me"
    assert one.till.errands[-1].action == "niche_discovery"
    assert surprise.envelope.startswith("reservations/")


async def test_a_429_half_way_tells_what_there_is_and_spends_nothing_more(
    discovery: Any, one: Replica
) -> None:
    """INC-4: after the first 429 no further call is made, and the reason is told."""
    one.till.allowed = 3
    before = one.till.tokens
    niches, end = await examined(discovery, count=4, scored_count=5, seed=7)
    spent, calls = one.till.tokens - before, len(one.till.errands)

    assert [niche.scored_count for niche in niches] == [3]
    assert end.info.stop_reason == pb.STOP_REASON_RATE_LIMITED
    assert end.info.stop_message
    assert spent == end.info.token_count == 11 + 3
    assert len(one.till.errands) == calls


async def test_what_refuses_a_later_niche_ends_the_quest_with_what_there_is(
    discovery: Any, one: Replica
) -> None:
    """An empty budget at the second search loses nothing of the first."""
    wanted: dict[str, Any] = {
        "names": ["niches/thrillers", "niches/fitness"],
        "scored_count": 2,
    }
    await examined(discovery, names=["niches/thrillers"], scored_count=2)
    one.till.refusals.append(refusal("ENVELOPE_EXHAUSTED"))

    niches, end = await examined(discovery, **wanted)

    assert [niche.name for niche in niches] == ["niches/thrillers"]
    assert end.info.stop_reason == pb.STOP_REASON_ENVELOPE_ENDED


async def test_what_refuses_the_first_niche_refuses_the_quest(discovery: Any, one: Replica) -> None:
    """T8: with nothing to tell, the refusal itself tells the wait."""
    one.purse.refusals.append(refusal("INSUFFICIENT_TOKENS", 61))
    before = one.till.tokens

    found = await refused(
        discovery.DiscoverNiches(pb.DiscoverNichesRequest(request_id=str(uuid4())))
    )

    assert found.reason == "INSUFFICIENT_TOKENS"
    assert found.retry_after is not None
    assert one.till.tokens == before


async def test_a_429_at_the_first_search_is_told_as_what_it_is(
    discovery: Any, one: Replica
) -> None:
    """An empty answer would look as if there were no such products."""
    one.till.refusals.append(refusal("KEEPA_RATE_LIMITED", 30))
    calls = len(one.till.errands)

    found = await refused(
        discovery.DiscoverNiches(pb.DiscoverNichesRequest(request_id=str(uuid4()), count=3))
    )

    assert found.reason == "KEEPA_RATE_LIMITED"
    assert len(one.till.errands) == calls + 1


async def test_a_repeated_quest_pays_nothing_again(discovery: Any, one: Replica) -> None:
    """D6, T7: the retry of a lost answer draws the same niches and costs nothing."""
    request = pb.DiscoverNichesRequest(request_id=str(uuid4()), count=2, scored_count=3)
    first, _ = await examined(discovery, request)
    before = one.till.tokens
    again, end = await examined(discovery, request)
    request.count = 3

    assert [niche.name for niche in again] == [niche.name for niche in first]
    assert one.till.tokens == before
    assert (end.info.token_count, end.info.cache_hit) == (0, True)
    assert (await refused(discovery.DiscoverNiches(request))).reason == "REQUEST_ID_REUSED"


async def test_only_stored_niches_are_told_where_spending_is_forbidden(
    discovery: Any, one: Replica
) -> None:
    """A dashboard may look without ever paying."""
    await examined(discovery, names=["niches/fitness"], scored_count=2)
    before = one.till.tokens
    names = ["niches/romance", "niches/fitness"]
    niches, _ = await examined(discovery, names=names, scored_count=2, cache_only=True)
    missed = await refused(
        discovery.DiscoverNiches(
            pb.DiscoverNichesRequest(
                request_id=str(uuid4()), names=names[:1], scored_count=2, cache_only=True
            )
        )
    )

    assert [niche.name for niche in niches] == ["niches/fitness"]
    assert missed.reason == "CACHE_MISS"
    assert one.till.tokens == before


async def test_what_could_cost_too_much_is_refused_by_its_price(discovery: Any) -> None:
    """JOB_TOO_EXPENSIVE, with the numbers; the caller's own limit counts as well."""
    request = pb.DiscoverNichesRequest(request_id=str(uuid4()), count=5, scored_count=50)

    found = await refused(discovery.DiscoverNiches(request))

    assert found.reason == "JOB_TOO_EXPENSIVE"
    assert (found.facts["estimated_tokens"], found.facts["max_allowed"]) == (305, 200)


async def test_an_examined_bookmark_remembers_how_good_it_was(discovery: Any) -> None:
    """D7: the score stands on the bookmark, and its etag still fits."""
    saved = await discovery.CreateSavedNiche(
        pb.CreateSavedNicheRequest(
            request_id=str(uuid4()),
            saved_niche=pb.SavedNiche(
                display_name="Mine", filter=pb.DiscoveryFilter(title="maps"), notes="mine"
            ),
        )
    )
    name = saved.saved_niche.name
    (niche,), _ = await examined(discovery, names=[name], scored_count=3)
    noted = await discovery.GetSavedNiche(pb.GetSavedNicheRequest(name=name))

    assert (niche.name, niche.display_name, niche.scored_count) == (name, "Mine", 3)
    assert niche.passed_count == 3
    assert noted.saved_niche.last_niche_score == niche.niche_score > 0
    assert noted.saved_niche.HasField("last_examine_time")
    assert noted.saved_niche.etag == saved.saved_niche.etag


@pytest.mark.parametrize(
    "name", ["niches/nowhere", "bookmarks/5b0c1f8e-7a52-4f0e-8a44-d5f1c7a1f0b3"]
)
async def test_a_niche_that_is_not_there_is_named_and_nothing_spent(
    discovery: Any, one: Replica, name: str
) -> None:
    """NICHE_NOT_FOUND, before the first niche is paid for."""
    before = one.till.tokens
    request = pb.DiscoverNichesRequest(request_id=str(uuid4()), names=["niches/fitness", name])

    found = await refused(discovery.DiscoverNiches(request))

    assert found.reason == "NICHE_NOT_FOUND"
    assert found.resource is not None
    assert found.resource[1] == name
    assert one.till.tokens == before


@pytest.mark.parametrize(
    "fields",
    [
        {"count": 6},
        {"count": -1},
        {"scored_count": 51},
        {"seed": -1},
        {"names": ["niches/fitness"] * 2},
        {"names": ["fitness"]},
        {"names": [f"bookmarks/{'-' * 36}"]},
        {"request_id": "mine"},
    ],
)
async def test_a_broken_quest_is_refused(discovery: Any, fields: dict[str, Any]) -> None:
    """A13: a clear refusal, nothing spent."""
    request = pb.DiscoverNichesRequest(**{"request_id": str(uuid4()), **fields})

    assert (await refused(discovery.DiscoverNiches(request))).reason == "INVALID_FIELD"


async def test_blocked_products_are_no_part_of_a_niche(discovery: Any) -> None:
    """D7: what must not be bought makes no niche look good."""
    await discovery.BlockProduct(pb.BlockProductRequest(request_id=str(uuid4()), asin=asin(1)))
    (niche,), _ = await examined(discovery, names=["niches/romance"], scored_count=4)
    await discovery.UnblockProduct(pb.UnblockProductRequest(request_id=str(uuid4()), asin=asin(1)))

    assert (niche.scored_count, niche.blocked_count) == (3, 1)
