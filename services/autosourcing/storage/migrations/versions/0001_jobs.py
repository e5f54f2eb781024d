"""Jobs with their changes, products and picks, profiles with three defaults, and the mail."""

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

STATEMENTS = (
    """
create table autosourcing.jobs (
    id uuid primary key,
    request_id uuid not null unique,
    state text not null check (state in ('PENDING', 'RUNNING', 'COMPLETED', 'FAILED',
        'TIMED_OUT', 'CANCELLED', 'BUDGET_STOPPED')),
    created_at timestamptz not null,
    started_at timestamptz,
    ended_at timestamptz,
    attend_at timestamptz,
    sequence bigint not null check (sequence >= 1),
    tokens bigint not null,
    analyzed integer not null,
    document jsonb not null,
    check ((state in ('PENDING', 'RUNNING')) = (ended_at is null))
)
""",
    "create index jobs_attend on autosourcing.jobs (attend_at) where attend_at is not null",
    "create index jobs_newest on autosourcing.jobs (created_at desc, id desc)",
    """
create table autosourcing.requests (
    id uuid primary key,
    fingerprint bytea not null,
    answer bytea not null,
    created_at timestamptz not null default clock_timestamp()
)
""",
    """
create table autosourcing.moments (
    job_id uuid not null references autosourcing.jobs on delete cascade,
    sequence bigint not null,
    changed_at timestamptz not null,
    document jsonb not null,
    primary key (job_id, sequence)
)
""",
    """
create table autosourcing.products (
    job_id uuid not null references autosourcing.jobs on delete cascade,
    asin text not null,
    sequence bigint not null,
    position integer not null,
    outcome text not null,
    reason text not null,
    title text not null,
    recommendation text,
    primary key (job_id, asin)
)
""",
    """
create table autosourcing.picks (
    id uuid primary key,
    job_id uuid not null references autosourcing.jobs on delete cascade,
    sequence bigint not null,
    kind smallint not null,
    sort_score numeric not null,
    profit_cents bigint not null,
    asin text not null,
    recommendation text not null,
    tier text not null,
    rating text not null,
    reason text not null,
    finding jsonb not null,
    score bytea not null,
    action text not null,
    notes text not null check (length(notes) <= 2000),
    revision integer not null,
    created_at timestamptz not null,
    updated_at timestamptz,
    unique (job_id, asin)
)
""",
    "create index picks_job on autosourcing.picks (job_id, sequence)",
    """
create index picks_listing
    on autosourcing.picks (kind, sort_score desc, profit_cents desc, asin, id)
""",
    """
create table autosourcing.seen_products (
    domain text not null,
    asin text not null,
    job_id uuid not null,
    analyzed_at timestamptz not null,
    primary key (domain, asin)
)
""",
    "create table autosourcing.profiles (id text primary key, document jsonb not null)",
    """
create table autosourcing.outbox (
    id bigint generated always as identity primary key,
    event_id uuid not null unique,
    message_name text not null,
    payload bytea not null,
    traceparent text not null default '',
    occurred_at timestamptz not null default clock_timestamp(),
    sent_at timestamptz
)
""",
    "create index outbox_unsent on autosourcing.outbox (id) where sent_at is null",
    "create index outbox_sent on autosourcing.outbox (sent_at) where sent_at is not null",
    """
create table autosourcing.inbox (
    reader text not null,
    event_id uuid not null,
    received_at timestamptz not null default clock_timestamp(),
    primary key (reader, event_id)
)
""",
    "create index inbox_received on autosourcing.inbox (received_at)",
    """
create table autosourcing.dead_letters (
    id bigint generated always as identity primary key,
    reader text not null,
    stream text not null,
    stream_sequence bigint not null,
    subject text not null,
    headers jsonb not null,
    payload bytea not null,
    attempts integer not null,
    error text not null,
    died_at timestamptz not null default clock_timestamp(),
    unique (reader, stream, stream_sequence)
)
""",
    "grant select, insert, update, delete on autosourcing.jobs to autosourcing",
    "grant select, insert, delete on autosourcing.requests to autosourcing",
    "grant select, insert on autosourcing.moments to autosourcing",
    "grant select, insert on autosourcing.products to autosourcing",
    "grant select, insert, update on autosourcing.picks to autosourcing",
    "grant select, insert, update on autosourcing.seen_products to autosourcing",
    "grant select, insert, update, delete on autosourcing.profiles to autosourcing",
    "grant select, insert, update, delete on autosourcing.outbox to autosourcing",
    "grant select, insert, delete on autosourcing.inbox to autosourcing",
    "grant select, insert on autosourcing.dead_letters to autosourcing",
)

# Source: requirements.md section 7. A search reads twice as many products as picks are wanted.
PROFILES = """
insert into autosourcing.profiles (id, document)
select id, jsonb_build_object(
    'id', id,
    'display_name', display_name,
    'criteria', jsonb_build_object(
        'category_ids', jsonb_build_array(category),
        'best_rank', best_rank,
        'worst_rank', worst_rank,
        'lowest_price_cents', lowest,
        'highest_price_cents', highest
    ),
    'strategy', strategy,
    'products', 2 * most_picks,
    'thresholds', jsonb_build_object(
        'roi_percent', roi::text,
        'velocity', velocity::text,
        'stability', stability::text,
        'confidence', confidence::text
    ),
    'max_picks', most_picks,
    'created_at', to_char(now() at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')
)
from (values
    ('textbooks-conservateur', 'Textbooks Conservateur', 283155, 1000, 25000, 3000, 30000,
     'TEXTBOOKS_STANDARD', 40, 70, 80, 75, 15),
    ('electronics-opportunity', 'Electronics Opportunity', 172282, 500, 50000, 2000, 20000,
     'BALANCED', 25, 80, 60, 70, 25),
    ('niche-explorer', 'Niche Explorer', 283155, 5000, 100000, 4000, 50000,
     'BALANCED', 35, 60, 85, 80, 10)
) as defaults (id, display_name, category, best_rank, worst_rank, lowest, highest, strategy,
    roi, velocity, stability, confidence, most_picks)
"""


def upgrade() -> None:
    """Make the tables, let the service's role use them, and fill in the profiles."""
    for statement in (*STATEMENTS, PROFILES):
        op.execute(statement)
