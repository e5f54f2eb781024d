"""Of every attempt: the HTTP call it is part of, which several may share, and its HTTP status."""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns."""
    op.execute(
        "alter table keepa_gateway.attempt add column call_id uuid, add column http_status integer"
    )


def downgrade() -> None:
    """Nothing: what was paid for is not thrown away."""
