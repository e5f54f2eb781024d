"""Rows that are forgotten are locked first, and what is locked must be open to updates."""

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

STATEMENTS = (
    "grant update (created_at) on autosourcing.requests to autosourcing",
    "grant update (received_at) on autosourcing.inbox to autosourcing",
    # Slots are forgotten by when they were decided.
    "create index slots_decided on autosourcing.slots (decided_at)",
)


def upgrade() -> None:
    """Grant the right on the one column of each that nothing depends on, and find old slots."""
    for statement in STATEMENTS:
        op.execute(statement)
