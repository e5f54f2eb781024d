"""Dead letters are forgotten when they are too old or too many."""

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Let the service delete them; what is deleted is locked before, as an update would."""
    op.execute("grant delete, update (died_at) on discovery.dead_letters to discovery")
