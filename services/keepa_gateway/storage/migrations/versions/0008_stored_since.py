"""A statement that claims products can tell whether somebody has stored them since."""

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

# Volatile: so it sees what was committed until now, not until the statement that asks began.
STORED_SINCE = """
create function keepa_gateway.stored_since(of integer, wanted text[], since timestamptz)
returns boolean language plpgsql volatile as $$
begin
    return exists (
        select from keepa_gateway.snapshots
        where domain = of and asin = any (wanted) and fetched_at >= since);
end $$
"""


def upgrade() -> None:
    """Add the function; the service's role alone may call it."""
    op.execute(STORED_SINCE)
    op.execute("revoke all on function keepa_gateway.stored_since from public")
    op.execute("grant execute on function keepa_gateway.stored_since to keepa_gateway")


def downgrade() -> None:
    """Nothing: what was paid for is not thrown away."""
