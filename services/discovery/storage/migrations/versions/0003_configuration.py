"""Revisions of the configuration, what scores say for statistics, and what searches found."""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

STATEMENTS = """
create table discovery.config_revisions (
    revision bigint primary key check (revision > 1),
    config jsonb not null,
    created_at timestamptz not null default clock_timestamp()
);

alter table discovery.score_cache
    add column revision bigint not null default 1,
    add column roi double precision,
    add column velocity double precision,
    add column confidence double precision;

create table discovery.search_results (
    search_id uuid primary key references discovery.searches,
    asins text[] not null,
    score_ids uuid[] not null
);

grant select, insert on discovery.config_revisions, discovery.search_results to discovery;
"""


def upgrade() -> None:
    """Add everything."""
    op.execute(STATEMENTS)


def downgrade() -> None:
    """Nothing: nobody's settings and findings are thrown away."""
