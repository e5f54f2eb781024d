"""What the ledger answers to each command: ``decide(state, command, now)``, pure and total."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from services.budget.domain import commands, granting, observing, settling
from services.budget.domain.commands import Command
from services.budget.domain.draft import Decision
from services.budget.domain.state import State
from services.chassis.errors import Refusal


def decide(state: State, command: Command, now: datetime) -> Decision | Refusal:
    """Answer one command at one instant.

    Args:
        state: With everything recalled that ``command.named`` names.
        command: What is asked.
        now: By the database's clock.

    Returns:
        The entries to append with the state after them and the answer; or why nothing
        is appended.
    """
    decider = _DECIDERS[type(command)]
    return decider(state, command, now)


_DECIDERS: dict[type[Command], Callable[[State, Any, datetime], Decision | Refusal]] = {
    commands.Reserve: granting.reserve,
    commands.Admit: granting.admit,
    commands.Leave: granting.leave,
    commands.Look: granting.look,
    commands.Commit: settling.commit,
    commands.Release: settling.release,
    commands.Extend: settling.extend,
    commands.Sweep: settling.sweep,
    commands.Report: observing.report,
}
