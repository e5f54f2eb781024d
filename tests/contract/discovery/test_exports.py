"""What a caller may rely on who takes what a search found into a spreadsheet or a script."""

import csv
import io
import json
import zipfile
from typing import Any
from uuid import uuid4

import pytest
from arbitragevault.discovery.v1 import discovery_pb2 as pb

from services.chassis.testing import refusal as refused
from services.discovery.domain.exports import NAMES
from services.discovery.usecases.exporting import PAGE
from tests.integration.discovery.stage import Replica, Till, asin

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def till() -> Till:
    """More products than a page of an export."""
    return Till(found=PAGE + 150)


async def newest(discovery: Any) -> str:
    page = await discovery.ListSearches(pb.ListSearchesRequest(page_size=1))
    name: str = page.searches[0].name
    return name


async def exported(
    discovery: Any, name: str, form: pb.ExportFormat.ValueType
) -> tuple[bytes, list[pb.ExportSearchResponse]]:
    request = pb.ExportSearchRequest(name=name, format=form)
    pieces = [piece async for piece in discovery.ExportSearch(request)]
    return b"".join(piece.content for piece in pieces), pieces


def rows(content: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"))))


async def test_a_scored_search_leaves_as_it_was_answered(discovery: Any, one: Replica) -> None:
    """A9: the same products in the same order, the money to the cent, and nothing spent."""
    request = pb.DiscoverScoredProductsRequest(
        request_id=str(uuid4()), filter=pb.DiscoveryFilter(title=str(uuid4()), max_results=12)
    )
    answer = await discovery.DiscoverScoredProducts(request)
    before = one.till.tokens

    content, pieces = await exported(discovery, await newest(discovery), pb.EXPORT_FORMAT_CSV)

    found, best = rows(content), answer.scores[0]
    assert pieces[0].content_type == "text/csv; charset=utf-8"
    assert pieces[0].file_name.startswith("search-")
    assert [row["asin"] for row in found] == [score.asin for score in answer.scores]
    assert tuple(found[0]) == NAMES
    assert found[0]["sell_price"] == f"{best.sell_cents / 100:.2f}"
    assert found[0]["fulfilment"] == f"{best.fees.fulfilment_cents / 100:.2f}"
    assert (found[0]["score"], found[0]["buy_basis"]) == (best.name, "ASSUMED")
    assert one.till.tokens == before


async def test_a_bare_search_leaves_whole_however_long_it_is(discovery: Any) -> None:
    """A search of more than one page loses nothing between its pages."""
    wanted = pb.DiscoveryFilter(title=str(uuid4()), max_results=PAGE + 150)
    request = pb.DiscoverProductsRequest(request_id=str(uuid4()), filter=wanted)
    answer = await discovery.DiscoverProducts(request)

    content, pieces = await exported(
        discovery, await newest(discovery), pb.EXPORT_FORMAT_JSON_LINES
    )

    found = [json.loads(line) for line in content.decode().splitlines()]
    assert [one["asin"] for one in found] == list(answer.asins)
    assert found[0]["sell_price"] is None
    assert all(len(piece.content) <= 64 * 1024 for piece in pieces)


async def test_given_products_leave_as_a_workbook(discovery: Any) -> None:
    """A9: Excel opens it; what is not known is an empty cell, not a nought."""
    request = pb.ScoreProductsRequest(request_id=str(uuid4()), asins=[asin(1), asin(2)])
    assert [part async for part in discovery.ScoreProducts(request)]

    content, pieces = await exported(discovery, await newest(discovery), pb.EXPORT_FORMAT_XLSX)

    sheet = zipfile.ZipFile(io.BytesIO(content)).read("xl/worksheets/sheet1.xml").decode()
    assert pieces[0].file_name.endswith(".xlsx")
    assert asin(1) in sheet
    assert asin(2) in sheet


async def test_a_title_that_could_run_as_a_formula_does_not(discovery: Any, one: Replica) -> None:
    """Titles come from anybody who lists a product on Amazon."""
    one.till.titles[asin(77)] = "=cmd|' /C calc'!A0"
    request = pb.ScoreProductsRequest(request_id=str(uuid4()), asins=[asin(77)])
    assert [part async for part in discovery.ScoreProducts(request)]

    content, _ = await exported(discovery, await newest(discovery), pb.EXPORT_FORMAT_CSV)

    assert rows(content)[0]["title"] == "'=cmd|' /C calc'!A0"


async def test_a_score_that_was_thrown_away_leaves_its_product_behind(
    discovery: Any, one: Replica
) -> None:
    """D3: the history is for ever, scores are kept 90 days."""
    request = pb.ScoreProductsRequest(request_id=str(uuid4()), asins=[asin(78)])
    assert [part async for part in discovery.ScoreProducts(request)]
    await one.execute(f"delete from discovery.scores where asin = '{asin(78)}'")

    content, _ = await exported(discovery, await newest(discovery), pb.EXPORT_FORMAT_CSV)

    found = rows(content)
    assert [row["asin"] for row in found] == [asin(78)]
    assert found[0]["recommendation"] == ""


async def test_a_search_that_is_not_there_and_a_form_that_is_none_are_refused(
    discovery: Any,
) -> None:
    """SEARCH_NOT_FOUND with its ResourceInfo; a file of an unknown form is nobody's wish."""
    name = f"searches/{uuid4()}"

    gone = await refused(
        discovery.ExportSearch(pb.ExportSearchRequest(name=name, format=pb.EXPORT_FORMAT_CSV))
    )
    bare = await refused(discovery.ExportSearch(pb.ExportSearchRequest(name=name)))
    odd = await refused(
        discovery.ExportSearch(
            pb.ExportSearchRequest(name=f"searches/{'-' * 36}", format=pb.EXPORT_FORMAT_CSV)
        )
    )

    assert (gone.reason, gone.resource) == ("SEARCH_NOT_FOUND", ("Search", name))
    assert (bare.reason, bare.violations[0].field) == ("INVALID_FIELD", "format")
    assert (odd.reason, odd.violations[0].field) == ("INVALID_FIELD", "name")
