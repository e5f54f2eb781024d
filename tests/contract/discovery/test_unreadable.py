"""Rows that cannot be read: the lists come all the same, and name them."""

from typing import Any
from uuid import uuid4

import asyncpg
import pytest
from arbitragevault.discovery.v1 import discovery_pb2 as pb

from services.chassis import sql
from tests.contract.discovery.test_configuration import change, held
from tests.contract.discovery.test_kept import creation
from tests.integration.discovery.stage import asin

pytestmark = pytest.mark.anyio


async def spoil(database: str, statement: str) -> None:
    """Change what the service itself may not change."""
    connection = await asyncpg.connect(sql.plain_url(database))
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


async def score(discovery: Any, *names: str) -> list[pb.ProductScore]:
    request = pb.ScoreProductsRequest(request_id=str(uuid4()), asins=names)
    parts = [part async for part in discovery.ScoreProducts(request)]
    return [part.score for part in parts if part.HasField("score")]


async def test_one_damaged_bookmark_hides_no_other(
    discovery: Any, database: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """D7: page by page as in one piece, and the log names it."""
    names = [(await discovery.CreateSavedNiche(creation())).saved_niche.name for _ in range(3)]
    bad = names[1].removeprefix("bookmarks/")
    await spoil(
        database,
        f"update discovery.saved_niches set filter = jsonb_build_array(filter) where id = '{bad}'",
    )

    request, listed, unreachable = pb.ListSavedNichesRequest(page_size=1), [], []
    while True:
        page = await discovery.ListSavedNiches(request)
        listed += [niche.name for niche in page.saved_niches]
        unreachable += page.unreachable
        request.page_token = page.next_page_token
        if not page.next_page_token:
            break

    assert listed[:2] == [names[2], names[0]]
    assert unreachable == [names[1]]
    assert names[1] in capsys.readouterr().err


async def test_a_damaged_score_is_named_and_made_anew(discovery: Any, database: str) -> None:
    """D8: neither the list nor a favourite nor the next question fails for it."""
    good, bad = await score(discovery, asin(901), asin(902))
    await discovery.SaveFavorite(pb.SaveFavoriteRequest(request_id=str(uuid4()), asin=bad.asin))
    number = bad.name.removeprefix("scores/")
    await spoil(database, f"update discovery.scores set content = '[]' where id = '{number}'")

    page = await discovery.ListScores(pb.ListScoresRequest(page_size=1000))
    former = await discovery.ListScores(pb.ListScoresRequest(asin=bad.asin, include_former=True))
    favorites = await discovery.ListFavorites(pb.ListFavoritesRequest())
    (anew,) = await score(discovery, bad.asin)

    assert good.name in {each.name for each in page.scores}
    assert list(page.unreachable) == [bad.name]
    assert (list(former.scores), list(former.unreachable)) == ([], [bad.name])
    assert [each.asin for each in favorites.favorites] == [bad.asin]
    assert (anew.asin, anew.max_buy_cents) == (bad.asin, bad.max_buy_cents)


async def test_a_damaged_search_hides_no_other(discovery: Any, database: str) -> None:
    """D6: the history is read when something went wrong; then above all it must come."""
    for number in (911, 912, 913):
        await score(discovery, asin(number))
    whole = await discovery.ListSearches(pb.ListSearchesRequest(page_size=3))
    names = [search.name for search in whole.searches]
    bad = names[1].removeprefix("searches/")
    await spoil(database, f"update discovery.searches set filter = '[]' where id = '{bad}'")

    page = await discovery.ListSearches(pb.ListSearchesRequest(page_size=3))

    assert [search.name for search in page.searches] == [names[0], names[2]]
    assert list(page.unreachable) == [names[1]]
    assert page.next_page_token == whole.next_page_token


async def test_a_damaged_revision_hides_no_other(discovery: Any, database: str) -> None:
    """D11: what the revision after it changed is not guessed."""
    for cents in (61, 62, 63):
        config = await held(discovery)
        config.fees.prep_cents = cents
        newest = (await discovery.UpdateScoringConfig(change(config))).config.revision
    bad = newest - 1
    await spoil(
        database,
        "update discovery.config_revisions set config = jsonb_build_array(config)"
        f" where revision = {bad}",
    )

    page = await discovery.ListScoringConfigRevisions(pb.ListScoringConfigRevisionsRequest())

    numbers = [each.config.revision for each in page.revisions]
    assert numbers == [number for number in range(newest, 0, -1) if number != bad]
    assert list(page.unreachable_revisions) == [bad]
    assert not page.revisions[0].changes
    assert all(each.changes for each in page.revisions[1:-1])
