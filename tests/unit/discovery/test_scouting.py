"""Niches are drawn the same by the same seed, and judged by their own limits."""

from dataclasses import replace
from typing import Any

from services.discovery.domain.answers import Appraisal, Status
from services.discovery.domain.niches import NicheKind, template_named, templates
from services.discovery.domain.scoring.score import Score, evaluate
from services.discovery.domain.scouting import (
    Examined,
    Quarry,
    best_passing,
    drawn,
    of_template,
    seed_from,
)
from tests.unit.discovery.builders import AS_OF, figures, terms


def niche(name: str = "niches/textbook-standard-general") -> Quarry:
    template = template_named(name)
    assert template is not None
    return of_template(template)


def appraised(sell: int = 6000, buy: int = 1400, basis: str = "OFFER", **changes: Any) -> Appraisal:
    score = evaluate(figures(sell, buy, basis, **changes), terms("textbooks_standard"), AS_OF)
    return Appraisal(asin=score.asin, status=Status.CACHED, score=score)


def test_a_seed_draws_the_same_for_ever() -> None:
    """D6: a surprise that was liked can be had again, by any version."""
    assert drawn(42, None, 3) == drawn(42, None, 5)[:3]
    assert [one.name for one in drawn(1, None, 2)] == [
        "niches/python-programming",
        "niches/preschool-learning",
    ]


def test_draws_reach_every_template() -> None:
    """D6: shuffled; no template is left out for ever, none comes twice in one draw."""
    seen = {one.name for seed in range(200) for one in drawn(seed, None, 1)}

    assert seen == {one.name for one in templates()}
    assert all(len({one.name for one in drawn(seed, None, 5)}) == 5 for seed in range(20))


def test_a_family_is_kept() -> None:
    """A reseller of textbooks wants no cookbooks."""
    assert {one.kind for one in drawn(3, NicheKind.TEXTBOOKS, 5)} == {NicheKind.TEXTBOOKS}


def test_a_seed_follows_from_the_request() -> None:
    """A retry of the same request draws the same; 0 is never a seed, for it asks for one."""
    assert seed_from("a") == seed_from("a") != seed_from("b")
    assert all(seed_from(str(number)) > 0 for number in range(100))


def test_each_limit_of_a_template_can_fail_a_product() -> None:
    """Section 7: profit, sellers, ROI and velocity; a gate fails it whatever it earns."""
    quarry, good = niche(), appraised()
    limits = quarry.limits
    assert limits is not None
    standing = figures().standing

    assert quarry.passes(good)
    assert not quarry.passes(appraised(buy=4000))
    assert not quarry.passes(appraised(standing=replace(standing, fba_offers=6)))
    assert not quarry.passes(appraised(standing=replace(standing, adult=True)))
    for stricter in (
        replace(limits, profit_cents=9000),
        replace(limits, roi_percent=900.0),
        replace(limits, velocity=99.0),
    ):
        assert not replace(quarry, limits=stricter).passes(good)
    assert not quarry.passes(Appraisal(asin="B000000001", status=Status.NOT_FOUND))


def test_without_a_price_a_quarter_of_the_sale_must_be_payable() -> None:
    """No invented price passes a product; what one may pay does."""
    quarry = niche()
    limits = quarry.limits
    assert limits is not None
    unpriced = appraised(basis="ASSUMED")

    assert quarry.passes(unpriced)
    assert not replace(quarry, limits=replace(limits, profit_cents=3000)).passes(unpriced)
    assert not replace(quarry, limits=replace(limits, roi_percent=400.0)).passes(unpriced)


def test_a_niche_s_numbers_are_those_of_what_passes() -> None:
    """A hypothetical ROI raises neither the mean nor the score."""
    priced, unpriced, failing = appraised(), appraised(basis="ASSUMED"), appraised(buy=4000)
    quarry = niche()
    passed = best_passing(quarry, [priced, failing, unpriced])
    whole = Examined(quarry=quarry, total=9, scored=3, passed=passed, blocked=0, tokens=0)
    alone = replace(whole, passed=(unpriced,))
    empty = replace(whole, passed=())

    assert passed == (priced, unpriced)
    assert whole.mean_roi == score_of(priced).known_roi
    assert (alone.mean_roi, empty.mean_roi, empty.score, empty.mean_velocity) == (None,) * 4
    demand = score_of(unpriced).demand
    assert demand is not None
    assert alone.score == 0.4 * demand.velocity
    assert whole.score is not None
    assert alone.score < whole.score <= 100


def score_of(one: Appraisal) -> Score:
    assert one.score is not None
    return one.score
