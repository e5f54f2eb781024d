"""The tables of the schema ``autosourcing``."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Date,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Numeric,
    SmallInteger,
    Table,
    Text,
    Uuid,
    text,
)

from services.autosourcing.domain.job import Job
from services.autosourcing.domain.picks import Finding
from services.autosourcing.domain.schedule import Schedule
from services.autosourcing.domain.spec import Profile
from services.autosourcing.storage.documents import Document
from services.chassis.events.inbox import dead_letters_table, inbox_table
from services.chassis.events.outbox import outbox_table

metadata = MetaData(schema="autosourcing")

Instant = DateTime(timezone=True)

jobs = Table(
    "jobs",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("request_id", Uuid, nullable=False, unique=True),
    Column("state", Text, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("started_at", Instant),
    Column("ended_at", Instant),
    Column("attend_at", Instant),
    Column("sequence", BigInteger, nullable=False),
    Column("tokens", BigInteger, nullable=False),
    Column("analyzed", Integer, nullable=False),
    Column("document", Document(Job), nullable=False),
    Index("jobs_attend", "attend_at", postgresql_where=text("attend_at is not null")),
    Index("jobs_newest", text("created_at desc"), text("id desc")),
)

requests = Table(
    "requests",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("fingerprint", LargeBinary, nullable=False),
    Column("answer", LargeBinary, nullable=False),
    Column("created_at", Instant, nullable=False, server_default=text("clock_timestamp()")),
    Index("requests_created", "created_at"),
)

abandoned = Table(
    "abandoned",
    metadata,
    Column("job_id", Uuid, primary_key=True),
    Column("attempt", Integer, primary_key=True),
    Column("since", Instant, nullable=False, server_default=text("clock_timestamp()")),
    Column("attend_at", Instant, nullable=False, server_default=text("clock_timestamp()")),
    Index("abandoned_attend", "attend_at"),
)

moments = Table(
    "moments",
    metadata,
    Column("job_id", ForeignKey(jobs.c.id, ondelete="CASCADE"), primary_key=True),
    Column("sequence", BigInteger, primary_key=True),
    Column("changed_at", Instant, nullable=False),
    Column("document", Document(Job), nullable=False),
)

products = Table(
    "products",
    metadata,
    Column("job_id", ForeignKey(jobs.c.id, ondelete="CASCADE"), primary_key=True),
    Column("asin", Text, primary_key=True),
    Column("sequence", BigInteger, nullable=False),
    Column("position", Integer, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("title", Text, nullable=False),
    Column("recommendation", Text),
)

picks = Table(
    "picks",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("job_id", ForeignKey(jobs.c.id, ondelete="CASCADE"), nullable=False),
    Column("sequence", BigInteger, nullable=False),
    Column("kind", SmallInteger, nullable=False),
    Column("sort_score", Numeric, nullable=False),
    Column("profit_cents", BigInteger, nullable=False),
    Column("asin", Text, nullable=False),
    Column("recommendation", Text, nullable=False),
    Column("tier", Text, nullable=False),
    Column("rating", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("finding", Document(Finding), nullable=False),
    Column("score", LargeBinary, nullable=False),
    Column("action", Text, nullable=False),
    Column("notes", Text, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("updated_at", Instant),
    Index("picks_job", "job_id", "sequence"),
    Index("picks_created", "created_at"),
    Index("picks_asin", "asin"),
    Index(
        "picks_listing",
        "kind",
        text("sort_score desc"),
        text("profit_cents desc"),
        "asin",
        "id",
    ),
)

seen_products = Table(
    "seen_products",
    metadata,
    Column("domain", Text, primary_key=True),
    Column("asin", Text, primary_key=True),
    Column("job_id", Uuid, nullable=False),
    Column("analyzed_at", Instant, nullable=False),
)

profiles = Table(
    "profiles",
    metadata,
    Column("id", Text, primary_key=True),
    Column("document", Document(Profile), nullable=False),
)

schedules = Table(
    "schedules",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("created_at", Instant, nullable=False),
    Column("look_at", Instant, nullable=False),
    Column("document", Document(Schedule), nullable=False),
    Index("schedules_look", "look_at"),
    Index("schedules_newest", text("created_at desc"), text("id desc")),
)

slots = Table(
    "slots",
    metadata,
    Column("schedule_id", ForeignKey(schedules.c.id, ondelete="CASCADE"), primary_key=True),
    Column("date", Date, primary_key=True),
    Column("hour", SmallInteger, primary_key=True),
    Column("slot_at", Instant, nullable=False),
    Column("exists", Boolean, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("job_id", Uuid),
    Column("decided_at", Instant, nullable=False),
    Column("attend_at", Instant),
    Index("slots_attend", "attend_at", postgresql_where=text("attend_at is not null")),
    Index("slots_newest", "schedule_id", text("slot_at desc")),
)

outbox = outbox_table(metadata)
inbox = inbox_table(metadata)
dead_letters = dead_letters_table(metadata)
