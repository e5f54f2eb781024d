"""What people keep, the answers of changes, and the marketplace of scores."""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

STATEMENTS = """
alter table discovery.requests add column answer jsonb;

alter table discovery.scores add column domain smallint not null default 1;
create index scores_newest on discovery.scores (asin, domain, created_at desc);

create table discovery.saved_niches (
    id uuid primary key,
    display_name text not null,
    filter jsonb not null,
    strategy text not null,
    notes text not null,
    template text not null,
    caller text not null,
    revision bigint not null,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    last_score double precision,
    last_examined_at timestamptz
);
create index saved_niches_age on discovery.saved_niches (created_at desc, id desc);

create table discovery.favorites (
    domain smallint not null,
    asin text collate "C" not null,
    notes text not null,
    caller text not null,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    primary key (domain, asin)
);
create index favorites_age on discovery.favorites (created_at desc, domain desc, asin desc);

create table discovery.blocked_products (
    domain smallint not null,
    asin text collate "C" not null,
    reason text not null,
    caller text not null,
    created_at timestamptz not null,
    primary key (domain, asin)
);
create index blocked_products_age
    on discovery.blocked_products (created_at desc, domain desc, asin desc);

grant select, insert, update, delete on
    discovery.saved_niches, discovery.favorites, discovery.blocked_products
    to discovery;
"""


def upgrade() -> None:
    """Add everything."""
    op.execute(STATEMENTS)


def downgrade() -> None:
    """Nothing: what people keep is not thrown away."""
