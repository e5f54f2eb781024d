"""The moments of jobs and what was analysed when may be forgotten, and are found by age."""

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

# Rows that are forgotten are locked first, and what is locked must be open to updates.
STATEMENTS = (
    "create index moments_changed on autosourcing.moments (changed_at)",
    "create index seen_products_analyzed on autosourcing.seen_products (analyzed_at)",
    "grant delete, update (changed_at) on autosourcing.moments to autosourcing",
    "grant delete on autosourcing.seen_products to autosourcing",
)


def upgrade() -> None:
    """Add the indexes and grant the rights."""
    for statement in STATEMENTS:
        op.execute(statement)
