"""What a person keeps, sets and looks up again from the terminal, against the real service."""

from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from arbitragevault.discovery.v1 import discovery_pb2_grpc

from tests.integration.discovery.stage import Replica, asin, servicer_of
from tests.support import Said, avault_each, serve

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(120)]
Each = Callable[..., Awaitable[list[Said]]]


@pytest.fixture(scope="module")
async def each(one: Replica) -> AsyncIterator[Each]:
    """Runs commands against the replica, one after the other."""

    def register(server: Any) -> None:
        discovery_pb2_grpc.add_DiscoveryServiceServicer_to_server(servicer_of(one), server)

    async with serve(register, service="discovery") as served:
        yield partial(avault_each, discovery=served.address)


async def test_a_niche_is_saved_changed_examined_and_deleted(each: Each) -> None:
    """D6, D7: a reseller's own niches, from the terminal alone."""
    saved, kind, template = await each(
        ("niches", "save", "Atlases", "--title", "atlas", "--rank-max", "90000", "--json"),
        ("niches", "save", "Atlases", "--condition", "old"),
        ("niches", "save", "Atlases", "--template", "no-such-niche"),
    )
    (niche,) = saved.answers
    name = niche["name"]
    change = ("niches", "change", name, "--price-min", "12.50", "--notes", "weekly")

    changed, cleared, examined, listed, gone, missing = await each(
        (*change, "--json"),
        ("niches", "change", name.removeprefix("bookmarks/"), "--clear", "notes", "--json"),
        ("niches", "examine", name, "--products", "2", "--json"),
        ("niches", "saved", "--json"),
        ("niches", "delete", name),
        ("niches", "show", name),
    )

    assert (kind.code, template.code) == (2, 1)
    assert "new, used_like_new" in kind.err
    assert "no-such-niche" in template.err
    (after,) = changed.answers
    assert after["filter"]["title"] == "atlas"
    assert after["filter"]["rankRange"] == {"maximum": 90000}
    assert after["filter"]["priceRange"] == {"minimumCents": "1250"}
    assert after["notes"] == "weekly"
    assert "notes" not in cleared.answers[0]
    assert (examined.answers[0]["name"], examined.answers[0]["scoredCount"]) == (name, 2)
    assert [one["lastExamineTime"] for one in listed.answers if one["name"] == name]
    assert gone.code == 0
    assert (missing.code, name in missing.err) == (1, True)


async def test_the_configuration_is_set_and_tried_by_its_paths(each: Each) -> None:
    """D11: the paths are those of the revisions; a value out of range is told with the range."""
    wanted = ("fees.prep_cents=35", "views.velocity.target_roi_percent=26")
    scored, tried, changed, shown, revisions, stats, wrong, unknown = await each(
        ("score", asin(50), "--buy", "9.99", "--json"),
        ("config", "preview", *wanted, "--asin", asin(50), "--asin", asin(51), "--json"),
        ("config", "set", *wanted, "--note", "dearer boxes"),
        ("config", "show"),
        ("config", "revisions", "--limit", "1", "--json"),
        ("config", "stats", "--json"),
        ("config", "set", "fees.prep_cents=10001"),
        ("config", "set", "fees.prep=1"),
    )

    assert scored.answers[0]["buyCents"] == "999"
    assert tried.answers[0]["missingAsins"] == [asin(51)]
    assert "fees.prep_cents" in changed.out
    lines = [line.split() for line in shown.out.splitlines()]
    assert ["fees.prep_cents", "35"] in lines
    assert ["views.velocity.target_roi_percent", "26"] in lines
    (revision,) = revisions.answers
    assert {one["path"] for one in revision["changes"]} == {one.split("=")[0] for one in wanted}
    assert revision["note"] == "dearer boxes"
    assert "--limit shows more" in revisions.err
    assert stats.answers[0]["revision"] == revision["config"]["revision"]
    assert (wrong.code, unknown.code) == (1, 2)
    assert "less than or equal to 10000" in wrong.err
    assert "prep_cents, inbound_cents_per_pound" in unknown.err


async def test_what_was_found_is_marked_viewed_and_leaves_as_a_file(
    each: Each, tmp_path: Path
) -> None:
    """D3, D7, D8, A9: favourites, views, and the history of searches with what each found."""
    file = tmp_path / "found.csv"
    marked, found, viewed, favorites, gone, metrics, searches, health = await each(
        ("favorites", "add", asin(60), "--notes", "for Anna"),
        ("discover", "--title", "kept", "--max-results", "2", "--json"),
        ("views", "show", "velocity", asin(0), "--buy", "10", "--json"),
        ("favorites", "list", "--json"),
        ("favorites", "remove", asin(60)),
        ("metrics", asin(0), "--cache-only", "--json"),
        ("searches", "list", "--kind", "discovery", "--json"),
        ("cache", "health", "--json"),
    )
    search = next(one for one in searches.answers if one["filter"].get("title") == "kept")
    exported, unscored = await each(
        ("searches", "export", search["name"], str(file)),
        ("discover", "--title", "kept", "--max-results", "2", "--unscored", "--json"),
    )

    assert (marked.code, gone.code, exported.code) == (0, 0, 0)
    assert (asin(60), "for Anna") in [(one["asin"], one["notes"]) for one in favorites.answers]
    both = {asin(0), asin(1)}
    assert {score["asin"] for score in found.answers} == both
    assert viewed.answers[0]["score"]["buyCents"] == "1000"
    assert metrics.answers[0]["metrics"]["asin"] == asin(0)
    assert search["resultCount"] == 2
    assert set(unscored.answers[0]["asins"]) == both
    assert both <= set(
        file.read_text(encoding="utf-8-sig").replace('"', "").replace(",", "\n").split()
    )
    assert {one["cache"] for one in health.answers} == {"discovery", "scoring"}
