"""The ledger, its accounts, the snapshots and the relay's cursors."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

SCHEMA = "budget"


def upgrade() -> None:
    """Create the tables, and grant the service's role what it needs and nothing more."""
    _create_accounts()
    _create_ledger()
    _create_projections()
    op.execute("grant select, insert, update on budget.accounts to budget")
    op.execute("grant select, insert on budget.ledger to budget")
    op.execute("grant select, insert, update on budget.snapshots to budget")
    op.execute("grant select, insert, update on budget.relay_cursors to budget")
    op.execute("insert into budget.accounts (name) values ('default')")


def _create_accounts() -> None:
    op.create_table(
        "accounts",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            nullable=False,
            server_default=sa.func.clock_timestamp(),
        ),
        schema=SCHEMA,
    )


def _create_ledger() -> None:
    op.create_table(
        "ledger",
        sa.Column("account", sa.Text, primary_key=True),
        sa.Column("sequence", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("tokens", sa.BigInteger, nullable=False),
        sa.Column("available", sa.BigInteger, nullable=False),
        sa.Column("reservation", sa.Uuid),
        sa.Column("parent", sa.Uuid),
        sa.Column("caller", sa.Text, nullable=False),
        sa.Column("action", sa.Text, nullable=False),
        sa.Column("endpoint", sa.Text, nullable=False),
        sa.Column("job", sa.Uuid),
        sa.Column("request_id", sa.Uuid),
        sa.Column("content", sa.Text, nullable=False),
        sa.Column("fact", JSONB, nullable=False),
        schema=SCHEMA,
    )
    for name, columns, unique, where in (
        ("ledger_request", ["request_id"], True, "request_id is not null"),
        ("ledger_reservation", ["reservation", "sequence"], False, "reservation is not null"),
        ("ledger_parent", ["parent"], False, "parent is not null"),
        ("ledger_job", ["account", "job", "sequence"], False, "job is not null"),
        ("ledger_kind", ["account", "kind", "sequence"], False, None),
    ):
        op.create_index(
            name,
            "ledger",
            columns,
            unique=unique,
            schema=SCHEMA,
            postgresql_where=sa.text(where) if where else None,
        )


def _create_projections() -> None:
    op.create_table(
        "snapshots",
        sa.Column("account", sa.Text, primary_key=True),
        sa.Column("sequence", sa.BigInteger, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("state", sa.LargeBinary, nullable=False),
        schema=SCHEMA,
    )
    op.create_table(
        "relay_cursors",
        sa.Column("account", sa.Text, primary_key=True),
        sa.Column("sequence", sa.BigInteger, nullable=False),
        sa.Column("announced_sequence", sa.BigInteger, nullable=False),
        sa.Column("announced_at", sa.DateTime(timezone=True), nullable=False),
        schema=SCHEMA,
    )
