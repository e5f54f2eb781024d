"""What Keepa said when it rejected a request, so that a repeated request is told the same."""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column."""
    op.execute("alter table keepa_gateway.attempt add column error jsonb")


def downgrade() -> None:
    """Nothing: what was paid for is not thrown away."""
