"""The templates of niches say what requirements section 7 says."""

import pytest

from services.discovery.domain.niches import NicheKind, Template, template_named, templates
from services.discovery.domain.scoring.terms import STRATEGIES
from services.discovery.usecases.browsing import browse

BROWSABLE = {283155, 3839, 5, 3508, 173514, 173515, 266117, 3, 8975347011, 75}


def of(strategy: str) -> list[Template]:
    return [one for one in templates() if one.strategy == strategy]


def test_there_are_seventeen_with_names_of_their_own() -> None:
    """D6: 8 fast niches, 7 subjects and 2 general ones."""
    kinds = [one.kind for one in templates()]

    assert len({one.name for one in templates()}) == 17
    assert kinds.count(NicheKind.SMART_VELOCITY) == 8
    assert {one.strategy for one in templates()} <= set(STRATEGIES)


def test_no_template_asks_for_a_category_that_cannot_be_browsed() -> None:
    """A search in category 465600 costs tokens and finds nothing."""
    asked = {category for one in templates() for category in one.filter.category_ids}

    assert asked <= BROWSABLE


def test_fast_niches_keep_to_their_ranges() -> None:
    """Section 7: ranks 10k to 40-80k, $15-60, $12, 5 sellers, ROI 30-35, velocity 50-65."""
    for one in of("smart_velocity"):
        assert one.filter.rank_least == 10_000
        assert 40_000 <= (one.filter.rank_most or 0) <= 80_000
        assert (one.filter.price_least, one.filter.price_most) == (1500, 6000)
        assert (one.profit_cents, one.fba_offers) == (1200, 5)
        assert 30 <= one.roi_percent <= 35
        assert 50 <= one.velocity <= 65


def test_subjects_keep_to_their_ranges() -> None:
    """Section 7: ranks 30k-250k, $30-250, $20-25, 3 sellers, ROI 50, velocity 25-30."""
    subjects = [one for one in of("textbooks_standard") if "general" not in one.name]

    assert len(subjects) == 7
    for one in subjects:
        assert (one.filter.rank_least, one.filter.rank_most) == (30_000, 250_000)
        assert (one.filter.price_least, one.filter.price_most) == (3000, 25_000)
        assert 2000 <= one.profit_cents <= 2500
        assert (one.fba_offers, one.roi_percent) == (3, 50)
        assert 25 <= one.velocity <= 30


@pytest.mark.parametrize(
    ("slug", "ranks", "limits", "days"),
    [
        ("standard", (100_000, 250_000), (1500, 5, 40, 30), (7, 14)),
        ("patience", (250_000, 400_000), (2500, 3, 50, 20), (28, 42)),
    ],
)
def test_the_general_ones_are_those_of_the_table(
    slug: str, ranks: tuple[int, int], limits: tuple[int, ...], days: tuple[int, int]
) -> None:
    """Section 7, number by number; only the patient one warns."""
    one = template_named(f"niches/textbook-{slug}-general")

    assert one is not None
    assert (one.filter.rank_least, one.filter.rank_most) == ranks
    assert (one.filter.price_least, one.filter.price_most) == (4000, 15_000)
    assert (one.profit_cents, one.fba_offers, one.roi_percent, one.velocity) == limits
    assert one.days == days
    assert one.warning.startswith("Rotation lente") == (slug == "patience")


def test_pages_join_to_the_whole() -> None:
    """AIP-158: no gap, no repeat, and no token after the last."""
    place, names = None, []
    while True:
        page = browse(None, size=5, after=place)
        names += [one.name for one in page.items]
        place = page.next_place
        if place is None:
            break

    assert names == [one.name for one in templates()]
