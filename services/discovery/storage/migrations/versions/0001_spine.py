"""Requests, lists, scores, searches, steps, leases, inbox and outbox."""

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

STATEMENTS = """
create table discovery.requests (
    request_id uuid primary key,
    fingerprint text not null,
    attempts integer not null default 1,
    created_at timestamptz not null default clock_timestamp()
);
create index requests_age on discovery.requests (created_at);

create table discovery.lists (
    key text primary key,
    filter jsonb not null,
    asins text[] not null,
    total bigint not null,
    hits bigint not null default 0,
    found_at timestamptz not null,
    expires_at timestamptz not null
);
create index lists_expiry on discovery.lists (expires_at);

create table discovery.scores (
    id uuid primary key,
    asin text not null,
    content bytea not null,
    created_at timestamptz not null default clock_timestamp()
);
create index scores_age on discovery.scores (created_at);

create table discovery.score_cache (
    key text primary key,
    score_id uuid not null references discovery.scores on delete cascade,
    asin text not null,
    rung smallint not null,
    place text collate "C" not null,
    hits bigint not null default 0,
    created_at timestamptz not null default clock_timestamp(),
    expires_at timestamptz not null
);
create index score_cache_score on discovery.score_cache (score_id);
create index score_cache_place on discovery.score_cache (place, key);
create index score_cache_asin on discovery.score_cache (asin);

create table discovery.searches (
    id uuid primary key,
    kind text not null,
    source text not null,
    caller text not null,
    filter jsonb,
    results integer not null,
    stored integer not null,
    tokens bigint not null,
    cache_hit boolean not null,
    seconds double precision not null,
    mean_roi double precision,
    job text not null,
    stop text,
    created_at timestamptz not null
);
create index searches_age on discovery.searches (created_at desc, id desc);
create index searches_job on discovery.searches (job, created_at desc) where job <> '';

create table discovery.steps (
    step_id uuid primary key,
    event_id uuid not null,
    task jsonb not null,
    traceparent text not null,
    attempts integer not null default 0,
    epoch integer not null default 0,
    leased_until timestamptz,
    created_at timestamptz not null default clock_timestamp(),
    answered_at timestamptz
);
create index steps_open on discovery.steps (created_at) where answered_at is null;
create index steps_answered on discovery.steps (answered_at) where answered_at is not null;

create table discovery.flights (
    key text primary key,
    holder uuid not null,
    leased_until timestamptz not null
);

create table discovery.inbox (
    reader text not null,
    event_id uuid not null,
    received_at timestamptz not null default clock_timestamp(),
    primary key (reader, event_id)
);
create index inbox_received on discovery.inbox (received_at);

create table discovery.dead_letters (
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
);

create table discovery.outbox (
    id bigint generated always as identity primary key,
    event_id uuid not null unique,
    message_name text not null,
    payload bytea not null,
    traceparent text not null default '',
    occurred_at timestamptz not null default clock_timestamp(),
    sent_at timestamptz
);
create index outbox_unsent on discovery.outbox (id) where sent_at is null;
create index outbox_sent on discovery.outbox (sent_at) where sent_at is not null;

grant select, insert, update, delete on
    discovery.requests, discovery.lists, discovery.scores, discovery.score_cache,
    discovery.steps, discovery.flights, discovery.inbox, discovery.outbox
    to discovery;
grant select, insert on discovery.searches, discovery.dead_letters to discovery;
"""


def upgrade() -> None:
    """Make everything."""
    op.execute(STATEMENTS)


def downgrade() -> None:
    """Nothing: history and scores are not thrown away."""
