"""A statement can insist on what it has met: else it changes nothing, and says so."""

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

# 40001 is what PostgreSQL itself says to a transaction that others have overtaken.
INSIST = """
create function keepa_gateway.insist(met boolean) returns boolean
language plpgsql volatile as $$
begin
    if not met then
        raise exception 'overtaken' using errcode = '40001';
    end if;
    return met;
end $$
"""


def upgrade() -> None:
    """Add the function; the service's role alone may call it."""
    op.execute(INSIST)
    op.execute("revoke all on function keepa_gateway.insist from public")
    op.execute("grant execute on function keepa_gateway.insist to keepa_gateway")


def downgrade() -> None:
    """Nothing: what was paid for is not thrown away."""
