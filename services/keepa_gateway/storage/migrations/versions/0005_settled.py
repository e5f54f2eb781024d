"""Attempts that were settled long ago are found without reading all of them."""

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the index; a row enters it when it leaves that of the open ones."""
    op.execute(
        "create index attempt_settled on keepa_gateway.attempt (settled_at)"
        " where settled_at is not null"
    )


def downgrade() -> None:
    """Nothing: what was paid for is not thrown away."""
