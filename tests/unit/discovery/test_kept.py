"""What people keep: etags, amendments, and what a block does to a score."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from services.chassis.errors import Refusal
from services.discovery.domain.criteria import Filter, Options
from services.discovery.domain.kept import Amendment, Draft, SavedNiche
from services.discovery.domain.scoring.score import replay, score
from services.discovery.domain.scoring.terms import Terms
from services.discovery.domain.scoring.verdict import Recommendation
from tests.integration.discovery.stage import facts

NOW = datetime(2026, 3, 1, tzinfo=UTC)
ID = UUID("5a1f3f0e-6f0c-4f5e-9a53-1a4b5a0f8d99")


def niche(template: str = "") -> SavedNiche:
    draft = Draft(display_name="Mine", filter=None, strategy=None, notes="n", template=template)
    return draft.save(ID, "tester", NOW)


def test_what_a_draft_leaves_open_is_the_template_s_or_the_usual() -> None:
    """A bookmark of a template must search what the template searches."""
    assert niche().strategy == "balanced"
    assert niche("niches/romance").strategy == "smart_velocity"
    assert niche("niches/romance").filter.title == "romance"


def test_an_amendment_changes_what_it_names_and_the_etag() -> None:
    """An empty text is a value; None is none."""
    later = NOW + timedelta(days=1)

    changed = Amendment(notes="", filter=Filter(title="maps")).apply(niche(), later)

    assert (changed.notes, changed.filter.title, changed.display_name) == ("", "maps", "Mine")
    assert (changed.etag, changed.created_at, changed.updated_at) == ("2", NOW, later)


def test_only_an_etag_that_was_read_or_none_passes() -> None:
    """The refusal names the etag that holds now."""
    niche().check("")
    niche().check("1")

    with pytest.raises(Refusal) as refused:
        niche().check("2")

    assert refused.value.facts == {"etag": "1"}


@pytest.mark.parametrize(
    ("reason", "sentence"),
    [("", "On your do-not-buy list."), ("fake", "On your do-not-buy list: fake")],
)
def test_a_block_decides_before_everything_else_and_can_be_replayed(
    reason: str, sentence: str
) -> None:
    """G5: the block is among the inputs, so the score explains and repeats itself."""
    blocked = score(facts("B000000001", NOW), Terms(cost_cents=500, blocked=reason), NOW)

    assert blocked.recommendation is Recommendation.SKIP
    assert (blocked.reasons[0].code, blocked.reasons[0].message) == ("BLOCKED", sentence)
    assert replay(type(blocked.inputs).decode(blocked.inputs.encode())) == blocked


def test_a_score_from_before_a_block_has_another_key() -> None:
    """A stored score cannot hide a block, nor a block from before its end."""
    options = Options()
    keys = {options.key(1, "B000000001", why) for why in (None, "", "fake")}

    assert len(keys) == 3
