"""What the scoring configuration tells is what decides."""

from datetime import date, timedelta
from decimal import Decimal

import protovalidate
import pytest
from arbitragevault.discovery.v1 import discovery_pb2 as pb

from services.discovery.api.responses_config import scoring_config
from services.discovery.domain.criteria import Options
from services.discovery.domain.product import Kind
from services.discovery.domain.scoring.config import BUILT_IN, Proposal
from services.discovery.domain.scoring.explain import steps
from services.discovery.domain.scoring.score import Inputs, replay, score
from tests.unit.discovery.builders import AS_OF, product, statistics, terms


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


def test_a_fee_that_the_card_sets_follows_the_card() -> None:
    """Who saves the form without touching the surcharge must not freeze it."""
    before, since = date(2026, 4, 16), date(2026, 4, 17)
    touched = Proposal(fees={"surcharge_percent": Decimal(0), "prep_cents": 99})
    frozen = Proposal(fees={"surcharge_percent": Decimal(2)})

    follows = touched.apply(BUILT_IN, before)
    stays = frozen.apply(BUILT_IN, before)

    assert follows.fees_on(before).surcharge_percent == 0
    assert follows.prep_cents == 99
    assert follows.fees_on(since).surcharge_percent == Decimal("3.5")
    assert stays.fees_on(since).surcharge_percent == 2
    assert stays.rules.referral_percent is None


def test_every_number_of_the_configuration_decides_something() -> None:
    """D11: a setting that changes no score would be a lie of the form."""
    base = score(product(), terms(), AS_OF)
    fees = {
        "prep_cents": 500,
        "inbound_cents_per_pound": 90,
        "placement_cents": 70,
        "returns_percent": Decimal(5),
        "referral_percent": Decimal(20),
        "closing_cents": 0,
        "surcharge_percent": Decimal(9),
        "assumed_percent": Decimal(60),
    }
    for name, value in fees.items():
        config = Proposal(fees={name: value}).apply(BUILT_IN, AS_OF.date())
        changed = score(product(), Options().terms("0306406152", config=config), AS_OF)

        assert base.calculation is not None
        assert changed.calculation is not None
        assert changed.calculation.outcome != base.calculation.outcome, name


@pytest.mark.parametrize(
    ("limits", "code"),
    [
        ({"worst_rank": 90_000}, "RANK_TOO_LOW"),
        ({"data_days": 1}, "STALE"),
        ({"dearest_cents": 4000}, "PRICE_OUTLIER"),
        ({"amazon_absent_percent": 99}, "AMAZON_SELLING"),
    ],
)
def test_every_gate_can_be_moved(limits: dict[str, int], code: str) -> None:
    """D11: and the sentence tells the number that holds, not the built-in one."""
    facts = product(
        updated_at=AS_OF - timedelta(hours=30),
        statistics=statistics(
            current={Kind.NEW: 4200, Kind.AMAZON: 9000, Kind.COUNT_NEW_FBA: 4},
            out_of_stock_90={Kind.AMAZON: 60},
        ),
    )
    config = Proposal(limits=limits).apply(BUILT_IN, AS_OF.date())
    before = score(facts, Options().terms("0306406152"), AS_OF)
    after = score(facts, Options().terms("0306406152", config=config), AS_OF)

    assert code not in {reason.code for reason in before.reasons}
    assert code in {reason.code for reason in after.reasons}


def test_a_score_is_replayed_by_its_own_revision() -> None:
    """A score of an older revision explains itself to the byte when a newer one holds."""
    config = Proposal(
        fees={"referral_percent": Decimal("12.5")}, rois={"BUY": Decimal("32.5")}
    ).apply(BUILT_IN, AS_OF.date())
    made = score(product(), Options().terms("0306406152", config=config), AS_OF)

    again = replay(Inputs.decode(made.inputs.encode()))

    assert again.encode() == made.encode()
    assert any("12.5 % of the price" in line for line in steps(made))
    assert made.inputs.terms.target_percent == Decimal("32.5")
