"""The tables of the gateway, as SQLAlchemy Core sees them; made by the migrations."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    Uuid,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from services.chassis.events import outbox as chassis_outbox

metadata = MetaData(schema="keepa_gateway")
_instant = DateTime(timezone=True)

attempts = Table(
    "attempts",
    metadata,
    Column("attempt_id", Uuid, primary_key=True),
    Column("request_id", Uuid, nullable=False),
    Column("number", Integer, nullable=False),
    Column("content", Text, nullable=False),
    Column("endpoint", Text, nullable=False),
    Column("fingerprint", Text, nullable=False),
    Column("subjects", ARRAY(Text), nullable=False),
    Column("found", JSONB, nullable=False),
    Column("reservation", Text, nullable=False),
    Column("bound", BigInteger, nullable=False),
    Column("after_sequence", BigInteger, nullable=False),
    Column("state", Text, nullable=False),
    Column("verdict", Text),
    Column("consumed", BigInteger),
    Column("observation", JSONB(none_as_null=True)),
    Column("reason", Text, nullable=False),
    Column("error", JSONB(none_as_null=True)),
    Column("started_at", _instant, nullable=False),
    Column("give_up_at", _instant, nullable=False),
    Column("ended_at", _instant),
    Column("settled_at", _instant),
    # The HTTP call that the attempt is part of; rows of before version 3 were calls of their own.
    Column("call_id", Uuid),
    Column("http_status", Integer),
)

claims = Table(
    "claims",
    metadata,
    Column("key", Text, primary_key=True),
    Column("attempt_id", Uuid, nullable=False),
)

snapshots = Table(
    "snapshots",
    metadata,
    Column("domain", Integer, primary_key=True),
    Column("asin", Text, primary_key=True),
    Column("profile", Text, primary_key=True),
    Column("options", JSONB, nullable=False),
    Column("known", Boolean, nullable=False),
    Column("codes", ARRAY(Text), nullable=False),
    Column("fetched_at", _instant, nullable=False),
    Column("product", LargeBinary, nullable=False),
    Column("raw", LargeBinary, nullable=False),
)

listings = Table(
    "listings",
    metadata,
    Column("fingerprint", Text, primary_key=True),
    Column("fetched_at", _instant, nullable=False),
    Column("payload", LargeBinary, nullable=False),
)

egress = Table(
    "egress",
    metadata,
    Column("account", Text, primary_key=True),
    Column("failures", Integer, nullable=False),
    Column("trials", Integer, nullable=False),
    Column("opened_until", _instant),
    Column("paused_until", _instant),
    Column("pause_balance", BigInteger, nullable=False),
    Column("rejected_at", _instant),
    Column("answered_at", _instant),
    Column("quiet_until", _instant),
    Column("requests", BigInteger, nullable=False),
    Column("spent", BigInteger, nullable=False),
    Column("hits", BigInteger, nullable=False),
    Column("saved", BigInteger, nullable=False),
)

# In a row of its own: it changes with every call, and nobody should wait for it.
throttle = Table(
    "throttle",
    metadata,
    Column("account", Text, primary_key=True),
    Column("full_at", _instant, nullable=False),
)

outbox = chassis_outbox.outbox_table(metadata)
