"""Usage of a span of time is read from that span, however long the ledger."""

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add an index of ranges of pages: entries lie in the order of their instants.

    It holds two instants for each 32 pages, so that a batch is stored as quickly as without it.
    Ranges that are full are added by autovacuum at once, and not only at the next vacuum.
    """
    op.execute(
        "create index ledger_at on budget.ledger using brin (at)"
        " with (pages_per_range = 32, autosummarize = on)"
    )
