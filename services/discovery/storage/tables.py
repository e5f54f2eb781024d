"""Discovery's tables, as SQLAlchemy Core sees them; made by the migrations."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Double,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    Table,
    Text,
    Uuid,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from services.chassis.events import inbox as inboxes
from services.chassis.events import outbox as outboxes

metadata = MetaData(schema="discovery")
_instant = DateTime(timezone=True)

requests = Table(
    "requests",
    metadata,
    Column("request_id", Uuid, primary_key=True),
    Column("fingerprint", Text, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("created_at", _instant, nullable=False),
    Column("answer", JSONB),
)

lists = Table(
    "lists",
    metadata,
    Column("key", Text, primary_key=True),
    Column("filter", JSONB, nullable=False),
    Column("asins", ARRAY(Text), nullable=False),
    Column("total", BigInteger, nullable=False),
    Column("hits", BigInteger, nullable=False),
    Column("found_at", _instant, nullable=False),
    Column("expires_at", _instant, nullable=False),
)

scores = Table(
    "scores",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("asin", Text, nullable=False),
    Column("content", LargeBinary, nullable=False),
    Column("created_at", _instant, nullable=False),
    Column("domain", SmallInteger, nullable=False),
)

score_cache = Table(
    "score_cache",
    metadata,
    Column("key", Text, primary_key=True),
    Column("score_id", Uuid, nullable=False),
    Column("asin", Text, nullable=False),
    Column("rung", SmallInteger, nullable=False),
    Column("place", Text, nullable=False),
    Column("hits", BigInteger, nullable=False),
    Column("created_at", _instant, nullable=False),
    Column("expires_at", _instant, nullable=False),
    Column("revision", BigInteger, nullable=False),
    Column("roi", Double),
    Column("velocity", Double),
    Column("confidence", Double),
)

config_revisions = Table(
    "config_revisions",
    metadata,
    Column("revision", BigInteger, primary_key=True),
    Column("config", JSONB, nullable=False),
    Column("created_at", _instant, nullable=False),
)

searches = Table(
    "searches",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("caller", Text, nullable=False),
    Column("filter", JSONB(none_as_null=True)),
    Column("results", Integer, nullable=False),
    Column("stored", Integer, nullable=False),
    Column("tokens", BigInteger, nullable=False),
    Column("cache_hit", Boolean, nullable=False),
    Column("seconds", Double, nullable=False),
    Column("mean_roi", Double),
    Column("job", Text, nullable=False),
    Column("stop", Text),
    Column("created_at", _instant, nullable=False),
    Column("lists", Integer, nullable=False),
    Column("lists_stored", Integer, nullable=False),
    Column("scores", Integer, nullable=False),
    Column("scores_stored", Integer, nullable=False),
)

search_results = Table(
    "search_results",
    metadata,
    Column("search_id", Uuid, primary_key=True),
    Column("asins", ARRAY(Text), nullable=False),
    Column("score_ids", ARRAY(Uuid), nullable=False),
)

steps = Table(
    "steps",
    metadata,
    Column("step_id", Uuid, primary_key=True),
    Column("event_id", Uuid, nullable=False),
    Column("task", JSONB, nullable=False),
    Column("traceparent", Text, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("epoch", Integer, nullable=False),
    Column("leased_until", _instant),
    Column("created_at", _instant, nullable=False),
    Column("answered_at", _instant),
)

flights = Table(
    "flights",
    metadata,
    Column("key", Text, primary_key=True),
    Column("holder", Uuid, nullable=False),
    Column("leased_until", _instant, nullable=False),
)

saved_niches = Table(
    "saved_niches",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("display_name", Text, nullable=False),
    Column("filter", JSONB, nullable=False),
    Column("strategy", Text, nullable=False),
    Column("notes", Text, nullable=False),
    Column("template", Text, nullable=False),
    Column("caller", Text, nullable=False),
    Column("revision", BigInteger, nullable=False),
    Column("created_at", _instant, nullable=False),
    Column("updated_at", _instant, nullable=False),
    Column("last_score", Double),
    Column("last_examined_at", _instant),
)

favorites = Table(
    "favorites",
    metadata,
    Column("domain", SmallInteger, primary_key=True),
    Column("asin", Text, primary_key=True),
    Column("notes", Text, nullable=False),
    Column("caller", Text, nullable=False),
    Column("created_at", _instant, nullable=False),
    Column("updated_at", _instant, nullable=False),
)

blocked_products = Table(
    "blocked_products",
    metadata,
    Column("domain", SmallInteger, primary_key=True),
    Column("asin", Text, primary_key=True),
    Column("reason", Text, nullable=False),
    Column("caller", Text, nullable=False),
    Column("created_at", _instant, nullable=False),
)

inbox = inboxes.inbox_table(metadata)
dead_letters = inboxes.dead_letters_table(metadata)
outbox = outboxes.outbox_table(metadata)
