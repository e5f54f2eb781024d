"""Finds the picks of a day, and those of a product, without reading all of them."""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the two indexes."""
    op.execute("create index picks_created on autosourcing.picks (created_at)")
    op.execute("create index picks_asin on autosourcing.picks (asin)")
