"""The business actions with their published prices (T1); a real estimate goes before a price."""

from dataclasses import dataclass

from services.budget.domain.rules import ALERT_BALANCE


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """A business action.

    Attributes:
        tokens: Published price.
        unit: What one price covers.
        gate: Tokens that must be available before it starts, whatever it costs.
    """

    key: str
    title: str
    tokens: int
    unit: str
    gate: int = 0


REGISTRY = {
    action.key: action
    for action in (
        Action(
            key="auto_sourcing_job",
            title="AutoSourcing job",
            tokens=200,
            unit="per job, at most",
            gate=ALERT_BALANCE,
        ),
        Action(key="manual_search", title="Manual search", tokens=10, unit="per search"),
        Action(key="niche_discovery", title="Niche discovery", tokens=150, unit="per discovery"),
        Action(key="product_lookup", title="Product lookup", tokens=1, unit="per product"),
        Action(key="surprise_me", title="Surprise me", tokens=50, unit="per niche asked for"),
    )
}
