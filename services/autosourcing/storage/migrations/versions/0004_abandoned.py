"""Envelopes of jobs that were refused while budget may have granted them, to be given back."""

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

STATEMENTS = (
    """
create table autosourcing.abandoned (
    job_id uuid not null,
    attempt integer not null,
    since timestamptz not null default clock_timestamp(),
    attend_at timestamptz not null default clock_timestamp(),
    primary key (job_id, attempt)
)
""",
    "create index abandoned_attend on autosourcing.abandoned (attend_at)",
    "grant select, insert, update, delete on autosourcing.abandoned to autosourcing",
)


def upgrade() -> None:
    """Make the table and let the service's role use it."""
    for statement in STATEMENTS:
        op.execute(statement)
