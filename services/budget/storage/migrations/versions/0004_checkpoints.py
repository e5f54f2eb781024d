"""Checkpoints of verifications: made from the ledger alone, and never needed to answer anything else."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

SCHEMA = "budget"


def upgrade() -> None:
    """Create the table, and grant the service's role what it needs and nothing more."""
    op.create_table(
        "checkpoints",
        sa.Column("account", sa.Text, primary_key=True),
        sa.Column("sequence", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("audit", sa.LargeBinary, nullable=False),
        schema=SCHEMA,
    )
    op.execute("grant select, insert, update on budget.checkpoints to budget")
