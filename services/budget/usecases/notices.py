"""What an operator should see of the ledger without reading it: one log line for each."""

from collections.abc import Sequence

from services.budget.domain import entries as facts
from services.budget.domain.entries import Entry
from services.chassis import telemetry

_log = telemetry.get_logger(__name__)

NOTICES: dict[type[facts.Fact], str] = {
    facts.Foreign: "foreign use found",
    facts.Credit: "credit found",
    facts.BalanceLow: "balance fell",
    facts.Overrun: "cost overran its hold",
    facts.Unknown: "outcome became unknown",
}


def notice(account: str, entries: Sequence[Entry]) -> None:
    """Log what was just stored and is out of the ordinary; the replica that stored it does."""
    for entry in entries:
        told = NOTICES.get(type(entry.fact))
        if told is not None:
            _log.warning(
                told,
                account=account,
                sequence=entry.sequence,
                tokens=entry.fact.tokens,
                available=entry.available,
                reservation=str(entry.about.reservation or ""),
                caller=entry.about.tags.caller,
                endpoint=entry.about.tags.endpoint,
            )
