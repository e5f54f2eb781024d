"""What a caller may rely on who looks at products through a strategic view."""

from typing import Any
from uuid import uuid4

import pytest
from arbitragevault.discovery.v1 import discovery_pb2 as pb
from arbitragevault.keepa_gateway.v1 import keepa_gateway_pb2 as keepa

from services.chassis.testing import refusal as refused
from tests.integration.discovery.stage import Replica, asin

pytestmark = pytest.mark.anyio
TARGETS = {
    "profit_hunter": 50,
    "velocity": 25,
    "cashflow_hunter": 35,
    "balanced_score": 40,
    "volume_player": 20,
}


def view(name: str, asins: list[str], **fields: Any) -> pb.GetStrategicViewRequest:
    return pb.GetStrategicViewRequest(
        request_id=str(uuid4()), name=f"views/{name}", asins=asins, **fields
    )


@pytest.mark.parametrize("name", list(TARGETS))
async def test_target_prices_return_the_view_s_roi_on_the_cost(
    discovery: Any, one: Replica, name: str
) -> None:
    """D8: ROI on cost, not margin: bought at the target it is reached, a cent above it is not."""
    bought = asin(300)
    fields = {"fetch_missing": True, "options": pb.ScoringOptions(buy_cents={bought: 1000})}
    answer = await discovery.GetStrategicView(view(name, [bought], **fields))
    (row,), roi = answer.rows, TARGETS[name]

    async def roi_at(cents: int) -> float:
        options = pb.ScoringOptions(buy_cents={bought: cents})
        request = pb.ScoreProductsRequest(request_id=str(uuid4()), asins=[bought], options=options)
        parts = [part async for part in discovery.ScoreProducts(request)]
        found: float = parts[0].score.roi_percent
        return found

    assert answer.target_roi_percent == roi
    assert await roi_at(row.target_buy_cents) >= roi > await roi_at(row.target_buy_cents + 1)
    assert row.target_sell_cents < row.score.sell_cents
    assert 0 < row.view_score <= 100
    assert f"{roi} % ROI" in row.reason


async def test_a_view_spends_nothing_unless_it_is_allowed_to(discovery: Any, one: Replica) -> None:
    """Looking is free: what is not stored comes last, with the reason."""
    one.till.snapshots.add(asin(310))
    before = one.till.tokens
    looked = await discovery.GetStrategicView(view("velocity", [asin(311), asin(310)]))
    free = one.till.tokens - before
    fetched = await discovery.GetStrategicView(
        view("velocity", [asin(311), asin(310)], fetch_missing=True)
    )

    assert [row.score.asin for row in looked.rows] == [asin(310), asin(311)]
    assert looked.rows[1].score.product_status == keepa.PRODUCT_STATUS_REFUSED
    assert not looked.rows[1].HasField("view_score")
    assert looked.rows[1].reason == "Not stored, and it was not fetched."
    assert (free, fetched.info.token_count) == (0, 1)
    assert all(row.HasField("view_score") for row in fetched.rows)


async def test_every_product_has_its_row_however_many_are_missing(
    discovery: Any, one: Replica
) -> None:
    """A hundred that are not stored must not hide the one that is."""
    names = [asin(1000 + number) for number in range(250)]
    one.till.snapshots.add(names[-1])

    answer = await discovery.GetStrategicView(view("velocity", names))

    assert len(answer.rows) == 250
    assert answer.rows[0].score.asin == names[-1]
    assert answer.rows[0].HasField("view_score")
    assert {row.score.asin for row in answer.rows} == set(names)


async def test_what_was_not_looked_at_any_more_says_so(discovery: Any, one: Replica) -> None:
    """INC-4: after a 429 the rest is told as not fetched, and the answer says why it ended."""
    names = [asin(1300 + number) for number in range(150)]
    one.till.allowed = 2
    answer = await discovery.GetStrategicView(view("velocity", names, fetch_missing=True))
    one.till.allowed = None

    assert answer.info.stop_reason == pb.STOP_REASON_RATE_LIMITED
    assert [row.HasField("view_score") for row in answer.rows] == [True] * 2 + [False] * 148


async def test_a_price_nobody_asks_for_counts_nothing(discovery: Any) -> None:
    """scoring.md c4: an assumed ROI decides nothing, also not the order of a view."""
    names = [asin(320), asin(321)]
    fields = {"fetch_missing": True, "options": pb.ScoringOptions(buy_cents={names[1]: 1500})}

    answer = await discovery.GetStrategicView(view("profit_hunter", names, **fields))

    priced, assumed = answer.rows
    assert (priced.score.asin, assumed.score.asin) == (names[1], names[0])
    assert assumed.view_score == 0
    assert not assumed.HasField("target_sell_cents")
    assert assumed.target_buy_cents == priced.target_buy_cents > 0
    assert assumed.reason.startswith("No buying price is known")


async def test_what_a_gate_rules_out_comes_after_all_others(discovery: Any) -> None:
    """D7: a blocked product may not top a list of what to buy."""
    names = [asin(330), asin(331)]
    await discovery.BlockProduct(
        pb.BlockProductRequest(request_id=str(uuid4()), asin=names[0], reason="fake")
    )
    options = pb.ScoringOptions(buy_cents={names[0]: 100})

    answer = await discovery.GetStrategicView(
        view("balanced_score", names, fetch_missing=True, options=options)
    )

    assert [row.score.asin for row in answer.rows] == names[::-1]
    assert answer.rows[1].reason == "On your do-not-buy list: fake"


async def aim(discovery: Any, roi: float) -> None:
    """Set what the velocity view aims at."""
    held = (await discovery.GetScoringConfig(pb.GetScoringConfigRequest())).config
    views = [pb.ViewConfig(name="views/velocity", target_roi_percent=roi)]
    await discovery.UpdateScoringConfig(
        pb.UpdateScoringConfigRequest(
            request_id=str(uuid4()), config=pb.ScoringConfig(etag=held.etag, views=views)
        )
    )


async def test_a_view_s_target_can_be_configured(discovery: Any) -> None:
    """D11: the targets are part of the configuration; they change no score."""
    names = [asin(340)]
    before = await discovery.GetStrategicView(view("velocity", names, fetch_missing=True))
    await aim(discovery, 60)
    after = await discovery.GetStrategicView(view("velocity", names))
    await aim(discovery, TARGETS["velocity"])

    assert (before.target_roi_percent, after.target_roi_percent) == (25, 60)
    assert after.rows[0].target_buy_cents < before.rows[0].target_buy_cents
    assert after.rows[0].score.max_buy_cents == before.rows[0].score.max_buy_cents


async def test_a_repeated_view_is_the_same_request_and_another_one_is_refused(
    discovery: Any,
) -> None:
    """REQUEST_ID_REUSED, because a view may spend."""
    request = view("velocity", [asin(350)], fetch_missing=True)
    first = await discovery.GetStrategicView(request)
    again = await discovery.GetStrategicView(request)
    request.asins.append(asin(351))

    assert (first.info.token_count, again.info.token_count) == (1, 0)
    assert (await refused(discovery.GetStrategicView(request))).reason == "REQUEST_ID_REUSED"


@pytest.mark.parametrize(
    "fields",
    [
        {"name": "views/margin_hunter"},
        {"asins": []},
        {"asins": ["short"]},
        {"asins": ["B000000001", "B000000001"]},
        {"force_refresh": True},
        {"request_id": ""},
    ],
    ids=["no such view", "no products", "no ASIN", "twice", "refresh without leave", "no id"],
)
async def test_a_broken_view_is_refused(discovery: Any, fields: dict[str, Any]) -> None:
    """A13: a clear refusal, nothing spent."""
    whole = {"request_id": str(uuid4()), "name": "views/velocity", "asins": [asin(1)], **fields}

    found = await refused(discovery.GetStrategicView(pb.GetStrategicViewRequest(**whole)))

    assert found.reason == "INVALID_FIELD"
