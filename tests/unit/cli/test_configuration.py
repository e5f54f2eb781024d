"""The scoring configuration as paths and values."""

import pytest
import typer
from arbitragevault.discovery.v1 import discovery_pb2 as discovery

from services.cli.configuration import proposal, values

CONFIG = discovery.ScoringConfig(
    fees=discovery.FeeConfig(prep_cents=20, returns_basis_points=200),
    recommendations=discovery.RecommendationConfig(buy_roi_percent=32.5),
    gates=discovery.GateConfig(data_days=7),
    strategies=[
        discovery.StrategyConfig(
            strategy=discovery.STRATEGY_BALANCED,
            velocity_scores=[80, 60, 40],
            profit_cents=[1000, 500, 300],
            days_to_sell=60,
        )
    ],
    views=[discovery.ViewConfig(name="views/velocity", target_roi_percent=25)],
)


def test_what_is_shown_can_be_set_as_it_is_shown() -> None:
    """A person copies a line, changes its value, and sets it."""
    shown = dict(values(CONFIG))

    assert shown["strategies.balanced.velocity_scores"] == "80,60,40"
    assert shown["recommendations.buy_roi_percent"] == "32.5"
    again = proposal(f"{path}={value}" for path, value in shown.items() if value)
    assert dict(values(again)) == shown


def test_what_is_not_assigned_is_absent_and_so_stays() -> None:
    """A change of one fee must not set the others to 0."""
    built = proposal(["fees.prep_cents=0", "strategies.balanced.days_to_sell=45"])

    assert built.fees.HasField("prep_cents")
    assert [field.name for field, _ in built.fees.ListFields()] == ["prep_cents"]
    assert [field.name for field, _ in built.ListFields()] == ["fees", "strategies"]
    (strategy,) = built.strategies
    assert {field.name for field, _ in strategy.ListFields()} == {"strategy", "days_to_sell"}


@pytest.mark.parametrize(
    ("assignment", "told"),
    [
        ("fees.prep_cents", "must be PATH=VALUE"),
        ("prep_cents=1", "must be fees.<field>"),
        ("fees.prep=1", "one of prep_cents, "),
        ("fees.prep_cents=1.5", "must be a whole number, not '1.5'"),
        ("recommendations.buy_roi_percent=high", "must be a number, not 'high'"),
        ("strategies.brave.days_to_sell=1", "balanced, smart_velocity"),
        ("strategies.balanced.strategy=2", "one of velocity_scores, "),
        ("strategies.balanced.profit_cents=1,,2", "whole numbers parted by commas"),
        ("fees.prep_cents=99999999999999999999", "must be a whole number"),
    ],
)
def test_what_cannot_be_set_says_what_can(assignment: str, told: str) -> None:
    """Every refusal helps, before anything is asked of a service."""
    with pytest.raises(typer.BadParameter) as wrong:
        proposal([assignment])

    assert told in wrong.value.message
