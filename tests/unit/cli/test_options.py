"""What a person types, in the words of the contracts."""

import pytest
import typer
from arbitragevault.autosourcing.v1 import autosourcing_pb2 as autosourcing
from arbitragevault.discovery.v1 import discovery_pb2 as discovery
from typer.testing import CliRunner

from services.cli import criteria, options
from services.cli.gathering import gathers


def test_an_own_price_is_for_all_products_but_those_that_have_their_own() -> None:
    """In whatever order they are given, and to the cent: 0.29 is no 28 cents."""
    given = ["B=19.99", "0.29"]

    assert criteria.own_costs(["A", "B"], given) == {"A": 29, "B": 1999}
    assert criteria.own_costs(["A", "B"], ["B=7"]) == {"B": 700}
    assert criteria.own_costs(["A"], None) == {}


@pytest.mark.parametrize(
    ("asins", "given", "told"),
    [
        (["A"], "0", "from 0.01 to 1000000"),
        (["A"], "12.505", "dollars such as 12.50"),
        (["A"], "-3", "dollars such as 12.50"),
        (["A"], "1000000.01", "from 0.01 to 1000000"),
        (["A"], "A=", "dollars such as 12.50"),
        (["A"], "C=3", "not among the products that are named: A"),
        ([], "3", "name the products"),
    ],
)
def test_a_price_that_is_none_is_refused(asins: list[str], given: str, told: str) -> None:
    """A typing error must not become a cost."""
    with pytest.raises(typer.BadParameter) as wrong:
        criteria.own_costs(asins, [given])

    assert told in wrong.value.message


def test_a_part_of_a_filter_changes_and_the_rest_stays() -> None:
    """Categories are replaced, not added to."""
    stored = discovery.DiscoveryFilter(
        category_ids=[1, 2],
        rank_range=discovery.RankRange(minimum=5, maximum=9),
        title="atlas",
    )
    given = discovery.DiscoveryFilter(category_ids=[3], rank_range=discovery.RankRange(maximum=7))

    after = criteria.amended(stored, given)

    assert after.category_ids == [3]
    assert (after.rank_range.minimum, after.rank_range.maximum) == (5, 7)
    assert after.title == "atlas"
    assert stored.category_ids == [1, 2]


def test_only_what_is_given_or_cleared_changes() -> None:
    """A change that changes nothing is a mistake, and so is a field that is none."""
    fields = ("display_name", "max_picks")
    given = autosourcing.Profile(name="profiles/a", etag="7", display_name="New")

    assert options.changed(given, ["max_picks"], fields) == ["display_name", "max_picks"]
    with pytest.raises(typer.BadParameter, match="nothing was given"):
        options.changed(autosourcing.Profile(name="profiles/a"), None, fields)
    with pytest.raises(typer.BadParameter, match="one of display_name, max_picks"):
        options.changed(given, ["name"], fields)


def test_a_name_is_complete_with_or_without_its_kind() -> None:
    """Copied from a table or from JSON."""
    assert options.full("jobs", "42") == options.full("jobs", "jobs/42") == "jobs/42"


def test_an_option_that_two_values_share_is_asked_for_once() -> None:
    """The condition is both what is searched for and how it is scored."""
    app = typer.Typer()
    seen: list[object] = []

    @app.command()
    @gathers(searched=criteria.product_filter, scoring=criteria.scoring)
    def find(
        searched: discovery.DiscoveryFilter, scoring: discovery.ScoringOptions, word: str
    ) -> None:
        """Find."""
        seen.extend((searched.condition, scoring.condition, searched.rank_range.maximum, word))

    used = ["--condition", "used_good", "--rank-max", "9", "atlas"]
    assert CliRunner().invoke(app, used).exit_code == 0

    good = discovery.CONDITION_USED_GOOD
    assert seen == [good, good, 9, "atlas"]
