"""What a caller may rely on who changes what scores follow."""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import grpc
import grpc.aio
import pytest
from arbitragevault.discovery.v1 import discovery_pb2 as pb
from arbitragevault.discovery.v1 import events_pb2
from google.protobuf.field_mask_pb2 import FieldMask

from services.chassis.rpc.status import refusal_from
from services.chassis.testing import refusal as refused
from services.discovery.api import requests_pages
from services.discovery.domain.answers import Appraisal, Status
from services.discovery.domain.scoring.rules import Rules
from services.discovery.domain.scoring.score import score
from services.discovery.domain.scoring.terms import Terms
from services.discovery.storage.scores import PostgresScores
from tests.integration.discovery.stage import (
    Replica,
    asin,
    facts,
)

pytestmark = pytest.mark.anyio


@pytest.fixture(autouse=True)
async def restored(discovery: Any) -> AsyncIterator[None]:
    """Put back what a test has changed, as a revision of its own."""
    before = await held(discovery)
    yield
    now = await held(discovery)
    before.etag = now.etag
    await discovery.UpdateScoringConfig(change(before))


async def held(discovery: Any) -> pb.ScoringConfig:
    answer = await discovery.GetScoringConfig(pb.GetScoringConfigRequest())
    config: pb.ScoringConfig = answer.config
    return config


def change(config: pb.ScoringConfig, *paths: str, note: str = "") -> pb.UpdateScoringConfigRequest:
    return pb.UpdateScoringConfigRequest(
        request_id=str(uuid4()),
        config=config,
        update_mask=FieldMask(paths=paths) if paths else None,
        note=note,
    )


async def scored(discovery: Any, name: str) -> pb.ProductScore:
    request = pb.ScoreProductsRequest(request_id=str(uuid4()), asins=[name])
    parts = [part async for part in discovery.ScoreProducts(request)]
    found: pb.ProductScore = parts[0].score
    return found


async def test_a_change_is_a_revision_that_is_told_and_remembered(
    discovery: Any, one: Replica
) -> None:
    """D11: who, why, and every value that changed; other services hear of it."""
    config = await held(discovery)
    config.fees.prep_cents, config.gates.data_days = 150, 5
    made = (await discovery.UpdateScoringConfig(change(config, note="prep centre"))).config
    listed = await discovery.ListScoringConfigRevisions(pb.ListScoringConfigRevisionsRequest())

    newest = listed.revisions[0]
    assert (made.revision, made.etag) == (config.revision + 1, str(config.revision + 1))
    assert (made.caller, newest.note, newest.config) == ("avault", "prep centre", made)
    assert {(one.path, one.before, one.after) for one in newest.changes} == {
        ("fees.prep_cents", "20", "150"),
        ("gates.data_days", "7", "5"),
    }
    told = [one for one in await one.events() if isinstance(one, events_pb2.ScoringConfigChanged)]
    assert (told[-1].revision, told[-1].caller) == (made.revision, "avault")


async def test_old_scores_are_stale_and_not_wrong(discovery: Any, one: Replica) -> None:
    """D11: the next question is scored anew, for nothing; the old score still explains itself."""
    before = await scored(discovery, asin(400))
    config, tokens = await held(discovery), one.till.tokens
    config.fees.prep_cents = 120
    await discovery.UpdateScoringConfig(change(config))
    statistics = await discovery.GetScoringConfigStats(pb.GetScoringConfigStatsRequest())
    after = await scored(discovery, asin(400))
    again = await scored(discovery, asin(400))
    old = await discovery.ExplainScore(pb.ExplainScoreRequest(name=before.name))
    counted = await discovery.GetScoringConfigStats(pb.GetScoringConfigStatsRequest())

    assert (statistics.score_count, statistics.stale_score_count > 0) == (0, True)
    assert counted.score_count == 1
    assert counted.stale_score_count == statistics.stale_score_count - 1
    assert after.fees.prep_cents == before.fees.prep_cents + 100
    assert after.max_buy_cents == before.max_buy_cents - 100
    assert after.config_revision == before.config_revision + 1
    assert (again.name, one.till.tokens) == (after.name, tokens)
    assert (old.score.name, old.score.config_revision) == (before.name, before.config_revision)
    assert old.score.fees.prep_cents == before.fees.prep_cents


async def test_a_late_writer_replaces_no_newer_score(one: Replica) -> None:
    """A replica that began under the old revision must not undo what the new one decided."""
    now, scores = datetime(2026, 5, 1, tzinfo=UTC), PostgresScores(one.engine)
    name, keys = asin(440), {asin(440): f"score:{uuid4()}"}

    def made(revision: int) -> Appraisal:
        terms = Terms(rules=Rules(revision=revision))
        return Appraisal(asin=name, status=Status.FOUND, score=score(facts(name, now), terms, now))

    await scores.write(1, keys, [made(10**6)])
    await scores.write(1, keys, [made(1)])
    page = await scores.page(name, 1, size=5, after=None)
    await one.execute(f"delete from discovery.score_cache where asin = '{name}'")

    kept = [each.score.inputs.terms.rules.revision for each in page.items if each.score]
    assert kept == [10**6]


async def test_what_nobody_changed_makes_no_revision(discovery: Any) -> None:
    """Saving a form untouched must not make every score stale."""
    config = await held(discovery)

    made = (await discovery.UpdateScoringConfig(change(config))).config

    assert made == config


async def test_two_people_do_not_overwrite_each_other(discovery: Any) -> None:
    """ETAG_MISMATCH, also when both press the button at once."""
    config = await held(discovery)
    await asyncio.gather(*(held(discovery) for _ in range(8)))  # Opens the connections.
    requests = []
    for cents in range(31, 39):
        config.fees.prep_cents = cents
        requests.append(change(config, "fees"))

    answers = await asyncio.gather(
        *(discovery.UpdateScoringConfig(request) for request in requests),
        return_exceptions=True,
    )
    late = await refused(discovery.UpdateScoringConfig(change(config, "fees")))

    lost = [answer for answer in answers if isinstance(answer, grpc.aio.AioRpcError)]
    assert [refusal_from(error).reason for error in lost] == ["ETAG_MISMATCH"] * 7
    assert (late.reason, late.kind.name) == ("ETAG_MISMATCH", "ABORTED")
    assert late.facts["etag"] == config.revision + 1
    assert (await held(discovery)).revision == config.revision + 1


async def test_a_retry_gets_the_first_answer_and_another_change_is_refused(
    discovery: Any,
) -> None:
    """A lost answer must not become an ETAG_MISMATCH against oneself."""
    config = await held(discovery)
    config.recommendations.buy_roi_percent = 35
    request = change(config, "recommendations")
    first = await discovery.UpdateScoringConfig(request)
    again = await discovery.UpdateScoringConfig(request)
    request.config.recommendations.buy_roi_percent = 36

    assert again == first
    reused = await refused(discovery.UpdateScoringConfig(request))
    assert reused.reason == "REQUEST_ID_REUSED"


async def test_a_part_that_is_not_named_stays(discovery: Any) -> None:
    """A mask keeps a client with an old form from undoing what it does not show."""
    config = await held(discovery)
    config.fees.prep_cents, config.gates.data_days = 99, 3

    made = (await discovery.UpdateScoringConfig(change(config, "gates"))).config

    assert (made.fees.prep_cents, made.gates.data_days) == (20, 3)


async def test_a_value_that_is_not_given_stays(discovery: Any) -> None:
    """A client that sends one fee must not set the others to nought: they decide about money."""
    config = await held(discovery)
    only = pb.ScoringConfig(
        etag=config.etag,
        fees=pb.FeeConfig(prep_cents=30, closing_cents=0),
        recommendations=pb.RecommendationConfig(buy_roi_percent=32.5),
    )

    made = (await discovery.UpdateScoringConfig(change(only))).config

    assert (made.fees.prep_cents, made.fees.closing_cents) == (30, 0)
    assert made.fees.referral_basis_points == config.fees.referral_basis_points == 1500
    assert made.fees.surcharge_basis_points == config.fees.surcharge_basis_points
    assert made.recommendations.buy_roi_percent == 32.5
    assert made.recommendations.strong_buy_roi_percent == 50
    assert (await scored(discovery, asin(430))).fees.closing_cents == 0


async def test_thresholds_that_contradict_what_stays_are_refused(discovery: Any) -> None:
    """The rule is kept by the whole, not by the part that was sent."""
    config = await held(discovery)
    for part in (
        {"recommendations": pb.RecommendationConfig(buy_roi_percent=51)},
        {"recommendations": pb.RecommendationConfig(strong_buy_confidence_score=50)},
        {
            "strategies": [
                pb.StrategyConfig(strategy=pb.STRATEGY_BALANCED, profit_cents=[500, 800, 100])
            ]
        },
    ):
        only = pb.ScoringConfig(etag=config.etag, **part)
        found = await refused(discovery.UpdateScoringConfig(change(only)))

        assert found.reason == "INVALID_FIELD"
        assert found.violations[0].field.startswith("config.")


async def test_one_strategy_changes_and_the_others_stay(discovery: Any) -> None:
    """Entries replace those of the same strategy, and decide at once."""
    before = await scored(discovery, asin(410))
    config = await held(discovery)
    strict = pb.StrategyConfig(strategy=pb.STRATEGY_BALANCED, velocity_scores=[99, 99, 99])
    only = pb.ScoringConfig(etag=config.etag, strategies=[strict])
    made = (await discovery.UpdateScoringConfig(change(only))).config
    after = await scored(discovery, asin(410))

    balanced = next(one for one in made.strategies if one.strategy == pb.STRATEGY_BALANCED)
    assert len(made.strategies) == 4
    assert (balanced.days_to_sell, balanced.buffer_basis_points) == (60, 500)
    assert before.recommendation == pb.RECOMMENDATION_CONSIDER
    assert after.recommendation == pb.RECOMMENDATION_SKIP
    assert after.reasons[0].code == "VELOCITY_BELOW_TARGET"


async def test_a_preview_shows_the_effect_and_changes_nothing(discovery: Any, one: Replica) -> None:
    """D11: before anything is saved, at no cost, on products that are stored."""
    known = await scored(discovery, asin(420))
    config, tokens = await held(discovery), one.till.tokens
    config.gates.worst_sales_rank = 1000
    request = pb.PreviewScoringConfigRequest(config=config, asins=[asin(421), asin(420)])

    told = await discovery.PreviewScoringConfig(request)

    (preview,) = told.previews
    assert (preview.asin, preview.changed, told.changed_count) == (asin(420), True, 1)
    assert preview.before.recommendation == known.recommendation
    assert preview.after.reasons[0].code == "RANK_TOO_LOW"
    assert (preview.before.name, preview.after.name) == ("", "")
    assert list(told.missing_asins) == [asin(421)]
    assert (await held(discovery)).revision == config.revision
    assert (await scored(discovery, asin(420))).name == known.name
    assert one.till.tokens == tokens


async def test_revisions_page_newest_first_down_to_the_built_in_one(discovery: Any) -> None:
    """AIP-158; the first revision is nobody's and is the one that came with the product."""
    for cents in (41, 42):
        config = await held(discovery)
        config.fees.prep_cents = cents
        await discovery.UpdateScoringConfig(change(config, "fees"))

    found, page = [], pb.ListScoringConfigRevisionsRequest(page_size=1)
    while True:
        answer = await discovery.ListScoringConfigRevisions(page)
        found += answer.revisions
        if not answer.next_page_token:
            break
        page.page_token = answer.next_page_token
    forgeries = ["forged"] + [
        requests_pages.token(pb.ListScoringConfigRevisionsRequest(), (place, ""))
        for place in ("abc", "-1", "9" * 30)
    ]
    reasons = {
        (
            await refused(
                discovery.ListScoringConfigRevisions(
                    pb.ListScoringConfigRevisionsRequest(page_token=forged)
                )
            )
        ).reason
        for forged in forgeries
    }

    numbers = [one.config.revision for one in found]
    assert numbers == list(range(numbers[0], 0, -1))
    assert len(numbers) >= 3
    assert (found[-1].config.caller, found[-1].changes[0].before) == ("", "")
    assert reasons == {"INVALID_FIELD"}


BROKEN: dict[str, Callable[[pb.ScoringConfig], object]] = {
    "no etag": lambda config: config.ClearField("etag"),
    "ROI upside down": lambda config: setattr(config.recommendations, "buy_roi_percent", 60),
    "negative fee": lambda config: setattr(config.fees, "prep_cents", -1),
    "confidence out of range": lambda config: setattr(
        config.recommendations, "strong_buy_confidence_score", 101
    ),
    "no such view": lambda config: config.views.add(name="views/nowhere"),
    "a strategy twice": lambda config: config.strategies.append(config.strategies[0]),
    "two velocities": lambda config: config.strategies[0].velocity_scores.pop(),
    "profits that rise": lambda config: config.strategies[0].profit_cents.__setitem__(2, 9999),
}


@pytest.mark.parametrize("name", list(BROKEN))
async def test_a_broken_configuration_is_refused(discovery: Any, name: str) -> None:
    """A typing error must not decide what is bought."""
    config = await held(discovery)
    revision = config.revision
    BROKEN[name](config)

    found = await refused(discovery.UpdateScoringConfig(change(config)))

    assert found.reason == "INVALID_FIELD"
    assert found.violations
    assert (await held(discovery)).revision == revision


async def test_a_mask_without_its_part_and_a_change_of_nothing_are_refused(
    discovery: Any,
) -> None:
    """A mask that names an absent part would set everything in it to nought."""
    etag = (await held(discovery)).etag
    bare = pb.ScoringConfig(etag=etag)

    masked = await refused(discovery.UpdateScoringConfig(change(bare, "fees")))
    empty = await refused(discovery.UpdateScoringConfig(change(bare)))
    preview = await refused(
        discovery.PreviewScoringConfig(pb.PreviewScoringConfigRequest(config=bare, asins=[asin(1)]))
    )

    assert {masked.reason, empty.reason, preview.reason} == {"INVALID_FIELD"}
    assert masked.violations[0].field == "config"
