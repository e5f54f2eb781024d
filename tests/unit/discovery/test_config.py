"""What the scoring configuration tells is what decides."""

from datetime import date

import protovalidate
from arbitragevault.discovery.v1 import discovery_pb2 as pb

from services.discovery.api.config import scoring_config
from services.discovery.domain.scoring.config import BUILT_IN


def test_the_built_in_configuration_keeps_the_contract_s_own_rules() -> None:
    """D11: what is read can be given back to an update as it is."""
    told = scoring_config(BUILT_IN, date(2026, 5, 1))

    protovalidate.validate(told)
    assert (told.revision, told.etag, told.score_version) == (1, "1", "2026.1")
    assert told.fee_card == "us-2026-01-15"


def test_the_numbers_are_those_of_the_tables() -> None:
    """D11: fees, thresholds, strategies, views and gates, each in its unit."""
    told = scoring_config(BUILT_IN, date(2026, 5, 1))
    fees, wanted, limits = told.fees, told.recommendations, told.gates

    assert (fees.prep_cents, fees.inbound_cents_per_pound, fees.placement_cents) == (20, 40, 30)
    assert (fees.returns_basis_points, fees.referral_basis_points) == (200, 1500)
    assert (fees.closing_cents, fees.assumed_buy_basis_points) == (180, 4000)
    assert (wanted.strong_buy_roi_percent, wanted.buy_roi_percent) == (50, 30)
    assert (wanted.strong_buy_confidence_score, wanted.buy_confidence_score) == (70, 55)
    assert (limits.worst_sales_rank, limits.data_days) == (2_000_000, 7)
    assert (limits.highest_sell_cents, limits.volatility_percent) == (150_000, 30)
    assert {one.name.removeprefix("views/"): one.target_roi_percent for one in told.views} == {
        "profit_hunter": 50,
        "velocity": 25,
        "cashflow_hunter": 35,
        "balanced_score": 40,
        "volume_player": 20,
    }


def test_each_strategy_tells_its_own_thresholds() -> None:
    """The contract's comment on each strategy names the same numbers."""
    told = {one.strategy: one for one in scoring_config(BUILT_IN, date(2026, 5, 1)).strategies}
    patient = told[pb.STRATEGY_TEXTBOOKS_PATIENCE]

    assert len(told) == 4
    assert list(patient.velocity_scores) == [40, 30, 20]
    assert list(patient.profit_cents) == [2500, 1500, 1000]
    assert (patient.days_to_sell, patient.window_days, patient.buffer_basis_points) == (
        180,
        365,
        700,
    )


def test_a_surcharge_is_told_from_the_day_it_is_charged() -> None:
    """Before and from 17 April 2026."""
    before = scoring_config(BUILT_IN, date(2026, 4, 16)).fees.surcharge_basis_points
    since = scoring_config(BUILT_IN, date(2026, 4, 17)).fees.surcharge_basis_points

    assert (before, since) == (0, 350)
