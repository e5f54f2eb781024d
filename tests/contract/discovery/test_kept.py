"""What a caller may rely on who keeps niches, favourites and a do-not-buy list."""

import asyncio
from typing import Any
from uuid import uuid4

import pytest
from arbitragevault.discovery.v1 import discovery_pb2 as pb
from google.protobuf.field_mask_pb2 import FieldMask

from services.chassis.testing import refusal as refused
from tests.integration.discovery.stage import Replica, asin

pytestmark = pytest.mark.anyio


def creation(**fields: Any) -> pb.CreateSavedNicheRequest:
    """A niche to be saved, under a request id of its own."""
    fields.setdefault("display_name", "Mine")
    return pb.CreateSavedNicheRequest(request_id=str(uuid4()), saved_niche=pb.SavedNiche(**fields))


def change(name: str, *paths: str, **fields: Any) -> pb.UpdateSavedNicheRequest:
    return pb.UpdateSavedNicheRequest(
        request_id=str(uuid4()),
        saved_niche=pb.SavedNiche(name=name, **fields),
        update_mask=FieldMask(paths=paths) if paths else None,
    )


async def test_a_niche_is_saved_once_however_often_it_is_asked_for(discovery: Any) -> None:
    """D7: a retry, even a racing one, makes no second bookmark and gets the first answer."""
    request = creation(filter=pb.DiscoveryFilter(title="maps"), notes="for May")

    answers = await asyncio.gather(*(discovery.CreateSavedNiche(request) for _ in range(5)))
    saved = answers[0].saved_niche
    read = await discovery.GetSavedNiche(pb.GetSavedNicheRequest(name=saved.name))

    assert all(answer == answers[0] for answer in answers)
    assert read.saved_niche == saved
    assert (saved.caller, saved.etag, saved.filter.title) == ("avault", "1", "maps")
    assert not saved.HasField("last_niche_score")
    request.saved_niche.notes = "for June"
    assert (await refused(discovery.CreateSavedNiche(request))).reason == "REQUEST_ID_REUSED"


async def test_a_bookmark_of_a_template_searches_what_the_template_searches(discovery: Any) -> None:
    """A template's name alone is enough; one that is not known is refused and nothing saved."""
    known = creation(template="niches/textbook-patience-general")
    saved = (await discovery.CreateSavedNiche(known)).saved_niche
    unknown = creation(template="niches/nowhere")
    found = await refused(discovery.CreateSavedNiche(unknown))
    unknown.saved_niche.template = ""

    assert saved.strategy == pb.STRATEGY_TEXTBOOKS_PATIENCE
    assert saved.filter.rank_range.minimum == 250_000
    assert (found.reason, found.resource) == (
        "NICHE_NOT_FOUND",
        ("NicheTemplate", "niches/nowhere"),
    )
    assert (await discovery.CreateSavedNiche(unknown)).saved_niche.etag == "1"


async def test_a_change_is_made_on_what_was_read(discovery: Any) -> None:
    """Two people who edit the same bookmark must not overwrite each other unseen."""
    created = creation(notes="old", filter=pb.DiscoveryFilter(title="maps"))
    saved = (await discovery.CreateSavedNiche(created)).saved_niche
    first = change(saved.name, notes="new", etag=saved.etag)
    changed = (await discovery.UpdateSavedNiche(first)).saved_niche
    late = await refused(
        discovery.UpdateSavedNiche(change(saved.name, notes="mine", etag=saved.etag))
    )
    again = (await discovery.UpdateSavedNiche(first)).saved_niche
    cleared = (await discovery.UpdateSavedNiche(change(saved.name, "notes"))).saved_niche

    assert (changed.notes, changed.filter.title, changed.etag) == ("new", "maps", "2")
    assert (late.reason, late.kind.name, late.facts["etag"]) == ("ETAG_MISMATCH", "ABORTED", 2)
    assert again == changed
    assert (cleared.notes, cleared.display_name, cleared.etag) == ("", "Mine", "3")


@pytest.mark.parametrize(
    ("paths", "field"),
    [(["display_name"], "saved_niche.display_name"), (["filter.title"], "update_mask")],
)
async def test_a_change_that_would_break_a_niche_is_refused(
    discovery: Any, paths: list[str], field: str
) -> None:
    """A niche without a name, or half a filter, is nobody's wish."""
    saved = (await discovery.CreateSavedNiche(creation())).saved_niche

    found = await refused(discovery.UpdateSavedNiche(change(saved.name, *paths)))

    assert (found.reason, found.violations[0].field) == ("INVALID_FIELD", field)


async def test_a_deleted_niche_is_gone_and_its_retry_is_no_failure(discovery: Any) -> None:
    """A lost answer must not turn a deletion that happened into an error."""
    saved = (await discovery.CreateSavedNiche(creation())).saved_niche
    request = pb.DeleteSavedNicheRequest(request_id=str(uuid4()), name=saved.name, etag="9")
    late = await refused(discovery.DeleteSavedNiche(request))
    request.etag = saved.etag
    await discovery.DeleteSavedNiche(request)
    await discovery.DeleteSavedNiche(request)
    request.request_id = str(uuid4())
    gone = await refused(discovery.DeleteSavedNiche(request))
    read = await refused(discovery.GetSavedNiche(pb.GetSavedNicheRequest(name=saved.name)))
    changed = await refused(discovery.UpdateSavedNiche(change(saved.name, notes="x")))

    assert late.reason == "ETAG_MISMATCH"
    assert gone.reason == read.reason == changed.reason == "NICHE_NOT_FOUND"
    assert gone.resource == ("SavedNiche", saved.name)


async def test_saved_niches_page_newest_first(discovery: Any) -> None:
    """AIP-158."""
    for number in range(5):
        await discovery.CreateSavedNiche(creation(display_name=f"Niche {number}"))

    names, page = [], pb.ListSavedNichesRequest(page_size=2)
    while True:
        answer = await discovery.ListSavedNiches(page)
        names += [one.display_name for one in answer.saved_niches]
        if not answer.next_page_token:
            break
        page.page_token = answer.next_page_token

    assert names[:5] == [f"Niche {number}" for number in (4, 3, 2, 1, 0)]


async def scored(discovery: Any, name: str, **changes: Any) -> pb.ProductScore:
    """The score of one product, as a caller gets it."""
    request = pb.ScoreProductsRequest(request_id=str(uuid4()), asins=[name], **changes)
    parts = [part async for part in discovery.ScoreProducts(request)]
    found: pb.ProductScore = parts[0].score
    return found


async def test_a_favourite_carries_its_newest_score(discovery: Any) -> None:
    """D7: a product may be marked before it was ever looked at, and twice is once."""
    request = pb.SaveFavoriteRequest(
        request_id=str(uuid4()), asin=asin(41_001), notes="from a shop"
    )
    bare = (await discovery.SaveFavorite(request)).favorite
    score = await scored(discovery, asin(41_001))
    request.request_id, request.notes = str(uuid4()), "from an auction"
    noted = (await discovery.SaveFavorite(request)).favorite
    listed = (await discovery.ListFavorites(pb.ListFavoritesRequest())).favorites

    name = f"favorites/1-{asin(41_001)}"
    assert (bare.name, bare.title, bare.HasField("score")) == (name, "", False)
    assert (noted.notes, noted.title, noted.create_time) == (
        "from an auction", f"Book {asin(41_001)}", bare.create_time,
    )  # fmt: skip
    assert (noted.score.name, noted.score.token_count) == (score.name, 0)
    assert [one for one in listed if one.asin == asin(41_001)] == [noted]


async def test_favourites_page_newest_first_and_leave_once(discovery: Any) -> None:
    """AIP-158, and a deletion that is repeated is no failure."""
    names = [asin(number) for number in (20, 22, 21)]
    for name in names:
        await discovery.SaveFavorite(pb.SaveFavoriteRequest(request_id=str(uuid4()), asin=name))
    first = await discovery.ListFavorites(pb.ListFavoritesRequest(page_size=2))
    page = pb.ListFavoritesRequest(page_size=1, page_token=first.next_page_token)
    second = await discovery.ListFavorites(page)
    request = pb.DeleteFavoriteRequest(request_id=str(uuid4()), asin=asin(22))
    await discovery.DeleteFavorite(request)
    await discovery.DeleteFavorite(request)
    request.request_id = str(uuid4())
    gone = await refused(discovery.DeleteFavorite(request))

    shown = [one.asin for one in (*first.favorites, *second.favorites)]
    assert shown == names[::-1]
    assert (gone.reason, gone.resource) == (
        "FAVORITE_NOT_FOUND",
        ("Favorite", f"favorites/1-{asin(22)}"),
    )


def block(name: str, reason: str = "") -> pb.BlockProductRequest:
    return pb.BlockProductRequest(request_id=str(uuid4()), asin=name, reason=reason)


async def test_a_blocked_product_is_skipped_whatever_is_stored_of_it(discovery: Any) -> None:
    """D7: a score from before must not recommend what somebody decided never to buy again."""
    before = await scored(discovery, asin(40))
    await discovery.BlockProduct(block(asin(40), "counterfeits"))
    after = await scored(discovery, asin(40))
    stored = await scored(discovery, asin(40))
    unlisted = await discovery.ListScores(pb.ListScoresRequest(asin=asin(40)))
    told = await discovery.ExplainScore(pb.ExplainScoreRequest(name=after.name))

    assert before.recommendation == pb.RECOMMENDATION_CONSIDER
    for score in (after, stored, told.score, *unlisted.scores):
        assert score.recommendation == pb.RECOMMENDATION_SKIP
        assert score.reasons[0].code == "BLOCKED"
    assert after.summary == "On your do-not-buy list: counterfeits"
    assert after.token_count == 0
    await discovery.UnblockProduct(pb.UnblockProductRequest(request_id=str(uuid4()), asin=asin(40)))
    assert (await scored(discovery, asin(40))).recommendation == pb.RECOMMENDATION_CONSIDER


async def test_the_list_remembers_who_and_why_and_lets_go_once(discovery: Any) -> None:
    """A new reason replaces the old one; the day and the person stay."""
    first = (await discovery.BlockProduct(block(asin(41), "late"))).blocked_product
    again = (await discovery.BlockProduct(block(asin(41), "damaged"))).blocked_product
    await discovery.BlockProduct(block(asin(42)))
    page = await discovery.ListBlockedProducts(pb.ListBlockedProductsRequest(page_size=1))
    rest = await discovery.ListBlockedProducts(
        pb.ListBlockedProductsRequest(page_size=1, page_token=page.next_page_token)
    )
    request = pb.UnblockProductRequest(request_id=str(uuid4()), asin=asin(42))
    await discovery.UnblockProduct(request)
    await discovery.UnblockProduct(request)
    request.request_id = str(uuid4())
    gone = await refused(discovery.UnblockProduct(request))

    assert (again.reason, again.create_time) == ("damaged", first.create_time)
    assert [one.asin for one in (*page.blocked_products, *rest.blocked_products)] == [
        asin(42),
        asin(41),
    ]
    assert (gone.reason, gone.resource) == (
        "BLOCKED_PRODUCT_NOT_FOUND",
        ("BlockedProduct", f"blockedProducts/1-{asin(42)}"),
    )


async def test_a_purge_forgets_what_has_expired_and_the_rest_only_when_told(
    discovery: Any, one: Replica
) -> None:
    """D4: no fresh answer is thrown away by accident, and a retry throws away nothing more."""
    request = pb.PurgeCacheRequest(request_id=str(uuid4()), include_fresh=True)
    await discovery.PurgeCache(request)
    score = await scored(discovery, asin(50))
    await scored(discovery, asin(51))
    await one.execute(
        "update discovery.score_cache set expires_at = clock_timestamp() - interval '1 hour'"
        f" where asin = '{asin(51)}'"
    )
    expired = pb.PurgeCacheRequest(request_id=str(uuid4()), cache="scoring")
    lists = pb.PurgeCacheRequest(request_id=str(uuid4()), cache="discovery", include_fresh=True)
    fresh = pb.PurgeCacheRequest(request_id=str(uuid4()), cache="scoring", include_fresh=True)

    first, again = await discovery.PurgeCache(expired), await discovery.PurgeCache(expired)
    none, last = await discovery.PurgeCache(lists), await discovery.PurgeCache(fresh)

    assert first == again
    assert [gone.purged_count for gone in (first, none, last)] == [1, 0, 1]
    assert first.purged_bytes > 0
    told = await discovery.ExplainScore(pb.ExplainScoreRequest(name=score.name))
    assert told.score.name == score.name


async def test_a_search_leaves_blocked_products_out_and_says_so(
    discovery: Any, one: Replica
) -> None:
    """D7: nobody pays to look at what is never to be bought, from the cache or from Keepa."""
    wanted = pb.DiscoveryFilter(title=str(uuid4()), max_results=5)
    await discovery.BlockProduct(block(asin(2), "counterfeits"))
    request = pb.DiscoverScoredProductsRequest(request_id=str(uuid4()), filter=wanted)
    scored = await discovery.DiscoverScoredProducts(request)
    await discovery.BlockProduct(block(asin(3)))
    bare = pb.DiscoverProductsRequest(request_id=str(uuid4()), filter=wanted)
    found = await discovery.DiscoverProducts(bare)
    for name in (asin(2), asin(3)):
        await discovery.UnblockProduct(pb.UnblockProductRequest(request_id=str(uuid4()), asin=name))
    bare.request_id = str(uuid4())
    whole = await discovery.DiscoverProducts(bare)

    assert list(scored.blocked_asins) == [asin(2)]
    assert asin(2) not in [score.asin for score in scored.scores]
    assert asin(2) not in one.till.snapshots
    assert found.info.cache_hit
    assert (list(found.asins), list(found.blocked_asins)) == (
        [asin(0), asin(1), asin(4)],
        [asin(2), asin(3)],
    )
    assert (len(whole.asins), list(whole.blocked_asins)) == (5, [])


async def test_a_purge_and_the_health_of_a_cache_count_the_same_bytes(
    discovery: Any, one: Replica
) -> None:
    """D4: who reads how large a cache is knows what a purge of it will say, and sees it empty."""
    everything = pb.PurgeCacheRequest(request_id=str(uuid4()), include_fresh=True)
    await discovery.PurgeCache(everything)
    for number in (55, 56):
        await scored(discovery, asin(number))
    wanted = pb.DiscoveryFilter(title=str(uuid4()), max_results=3)
    await discovery.DiscoverProducts(
        pb.DiscoverProductsRequest(request_id=str(uuid4()), filter=wanted)
    )
    before = await health(discovery)

    gone = {}
    for cache in before:
        request = pb.PurgeCacheRequest(request_id=str(uuid4()), cache=cache, include_fresh=True)
        gone[cache] = (await discovery.PurgeCache(request)).purged_bytes

    assert gone == {cache: each.size_bytes for cache, each in before.items()}
    assert all(gone.values())
    assert [each.size_bytes for each in (await health(discovery)).values()] == [0, 0]


async def health(discovery: Any) -> dict[str, pb.CacheHealth]:
    answer = await discovery.GetCacheHealth(pb.GetCacheHealthRequest())
    return {cache.cache: cache for cache in answer.caches}


async def test_cache_health_counts_each_cache_by_its_own_questions(
    discovery: Any, one: Replica
) -> None:
    """D4: scores that are asked for again do not make the cache of searches look good."""
    await discovery.PurgeCache(pb.PurgeCacheRequest(request_id=str(uuid4()), include_fresh=True))
    before = await health(discovery)
    for _ in range(5):
        await scored(discovery, asin(60))
    middle = await health(discovery)
    wanted = pb.DiscoveryFilter(title=str(uuid4()), max_results=3)
    for _ in range(3):
        await discovery.DiscoverProducts(
            pb.DiscoverProductsRequest(request_id=str(uuid4()), filter=wanted)
        )
    after = await health(discovery)

    scoring = middle["scoring"]
    assert (scoring.entry_count, scoring.hit_count, scoring.rating) == (1, 4, "excellent")
    assert scoring.hit_percent > before["scoring"].hit_percent
    assert middle["discovery"].hit_percent == before["discovery"].hit_percent
    assert (after["discovery"].entry_count, after["discovery"].hit_count) == (1, 2)
    assert (after["discovery"].rating, after["scoring"].rating) == ("good", "excellent")
    assert after["discovery"].alert == (after["discovery"].hit_percent < 50)
