"""How each search used the two caches, so that their health can be told apart."""

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

STATEMENTS = """
alter table discovery.searches
    add column lists integer not null default 0,
    add column lists_stored integer not null default 0,
    add column scores integer not null default 0,
    add column scores_stored integer not null default 0;
"""


def upgrade() -> None:
    """Add the columns; of older searches it is not known."""
    op.execute(STATEMENTS)


def downgrade() -> None:
    """Nothing: history is not thrown away."""
