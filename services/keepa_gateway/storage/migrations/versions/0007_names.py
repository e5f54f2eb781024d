"""Tables are named in the plural and a reservation is called one, as everywhere else."""

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

NAMES = {"attempt": "attempts", "claim": "claims", "snapshot": "snapshots", "listing": "listings"}
INDEXES = (
    *("attempt_pkey", "attempt_request", "attempt_open", "attempt_settled"),
    *("claim_pkey", "claim_attempt"),
    *("snapshot_pkey", "snapshot_codes", "snapshot_age"),
    *("listing_pkey",),
)


def upgrade() -> None:
    """Rename them, and their indexes with them."""
    for old, new in NAMES.items():
        op.execute(f"alter table keepa_gateway.{old} rename to {new}")
    for index in INDEXES:
        table, _, rest = index.partition("_")
        op.execute(f"alter index keepa_gateway.{index} rename to {NAMES[table]}_{rest}")
    op.execute("alter table keepa_gateway.attempts rename column hold to reservation")


def downgrade() -> None:
    """Nothing: what was paid for is not thrown away."""
