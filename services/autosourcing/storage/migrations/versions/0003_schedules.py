"""Schedules and what became of their slots; requests by age, so that old ones can be forgotten."""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

STATEMENTS = (
    """
create table autosourcing.schedules (
    id uuid primary key,
    created_at timestamptz not null,
    look_at timestamptz not null,
    document jsonb not null
)
""",
    "create index schedules_look on autosourcing.schedules (look_at)",
    "create index schedules_newest on autosourcing.schedules (created_at desc, id desc)",
    """
create table autosourcing.slots (
    schedule_id uuid not null references autosourcing.schedules on delete cascade,
    date date not null,
    hour smallint not null check (hour between 0 and 23),
    slot_at timestamptz not null,
    "exists" boolean not null,
    outcome text not null check (outcome in ('STARTING', 'STARTED', 'SKIPPED', 'MISSED')),
    reason text not null,
    job_id uuid,
    decided_at timestamptz not null,
    attend_at timestamptz,
    primary key (schedule_id, date, hour),
    check ((outcome = 'STARTING') = (attend_at is not null)),
    check ((outcome = 'STARTED') = (job_id is not null))
)
""",
    "create index slots_attend on autosourcing.slots (attend_at) where attend_at is not null",
    "create index slots_newest on autosourcing.slots (schedule_id, slot_at desc)",
    "create index requests_created on autosourcing.requests (created_at)",
    "grant select, insert, update, delete on autosourcing.schedules to autosourcing",
    "grant select, insert, update, delete on autosourcing.slots to autosourcing",
)


def upgrade() -> None:
    """Make the tables and let the service's role use them."""
    for statement in STATEMENTS:
        op.execute(statement)
