"""Attempts, claims, snapshots, lists, the state of the way out, and the outbox."""

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

STATEMENTS = """
create table keepa_gateway.attempt (
    attempt_id uuid primary key,
    request_id uuid not null,
    number integer not null,
    content text not null,
    endpoint text not null,
    fingerprint text not null,
    subjects text[] not null,
    found jsonb not null default '{}',
    hold text not null,
    bound bigint not null check (bound >= 0),
    after_sequence bigint not null,
    state text not null check (state in ('sent', 'ended', 'fenced')),
    verdict text,
    consumed bigint check (consumed >= 0),
    observation jsonb,
    reason text not null default '',
    started_at timestamptz not null default clock_timestamp(),
    give_up_at timestamptz not null,
    ended_at timestamptz,
    settled_at timestamptz,
    check ((state = 'ended') = (verdict is not null))
);
create index attempt_request on keepa_gateway.attempt (request_id, number);
create index attempt_open on keepa_gateway.attempt (started_at) where settled_at is null;

create table keepa_gateway.claim (
    key text primary key,
    attempt_id uuid not null references keepa_gateway.attempt
);
create index claim_attempt on keepa_gateway.claim (attempt_id);

create table keepa_gateway.snapshot (
    domain integer not null,
    asin text not null,
    profile text not null,
    options jsonb not null,
    known boolean not null,
    codes text[] not null,
    fetched_at timestamptz not null,
    product bytea not null,
    raw bytea not null,
    primary key (domain, asin, profile)
);
alter table keepa_gateway.snapshot alter column product set storage external;
alter table keepa_gateway.snapshot alter column raw set storage external;
create index snapshot_codes on keepa_gateway.snapshot using gin (codes);
create index snapshot_age on keepa_gateway.snapshot (fetched_at);

create table keepa_gateway.listing (
    fingerprint text primary key,
    fetched_at timestamptz not null,
    payload bytea not null
);
alter table keepa_gateway.listing alter column payload set storage external;

create table keepa_gateway.egress (
    account text primary key,
    failures integer not null default 0,
    trials integer not null default 0,
    opened_until timestamptz,
    paused_until timestamptz,
    pause_balance bigint not null default 0,
    rejected_at timestamptz,
    answered_at timestamptz,
    quiet_until timestamptz,
    requests bigint not null default 0,
    spent bigint not null default 0,
    hits bigint not null default 0,
    saved bigint not null default 0
);

create table keepa_gateway.throttle (
    account text primary key,
    full_at timestamptz not null
);

create table keepa_gateway.outbox (
    id bigint generated always as identity primary key,
    event_id uuid not null unique,
    message_name text not null,
    payload bytea not null,
    traceparent text not null default '',
    occurred_at timestamptz not null default clock_timestamp(),
    sent_at timestamptz
);
create index outbox_unsent on keepa_gateway.outbox (id) where sent_at is null;
create index outbox_sent on keepa_gateway.outbox (sent_at) where sent_at is not null;

grant select, insert, update, delete on
    keepa_gateway.attempt, keepa_gateway.claim, keepa_gateway.snapshot, keepa_gateway.listing,
    keepa_gateway.outbox
    to keepa_gateway;
grant select, insert, update on keepa_gateway.egress, keepa_gateway.throttle to keepa_gateway;
"""


def upgrade() -> None:
    """Make everything."""
    op.execute(STATEMENTS)


def downgrade() -> None:
    """Nothing: what was paid for is not thrown away."""
