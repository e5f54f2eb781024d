"""Budget's tables, as SQLAlchemy sees them."""

from sqlalchemy import (
    BigInteger,
    Column,
    DateTime,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    Uuid,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSON

metadata = MetaData(schema="budget")

accounts = Table(
    "accounts",
    metadata,
    Column("name", Text, primary_key=True),
    Column(
        "created_at",
        DateTime(timezone=True),
        nullable=False,
        server_default=func.clock_timestamp(),
    ),
)

# Entries are inserted and never changed: the service's role has no right to.
ledger = Table(
    "ledger",
    metadata,
    Column("account", Text, primary_key=True),
    Column("sequence", BigInteger, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("at", DateTime(timezone=True), nullable=False),
    Column("tokens", BigInteger, nullable=False),
    Column("available", BigInteger, nullable=False),
    Column("reservation", Uuid),
    Column("parent", Uuid),
    Column("caller", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("endpoint", Text, nullable=False),
    Column("job", Uuid),
    Column("request_id", Uuid),
    Column("content", Text, nullable=False),
    Column("fact", JSON, nullable=False),
    Index(
        "ledger_request",
        "request_id",
        unique=True,
        postgresql_where=text("request_id is not null"),
    ),
    Index(
        "ledger_reservation",
        "reservation",
        "sequence",
        postgresql_where=text("reservation is not null"),
    ),
    Index("ledger_parent", "parent", postgresql_where=text("parent is not null")),
    Index("ledger_job", "account", "job", "sequence", postgresql_where=text("job is not null")),
    Index("ledger_kind", "account", "kind", "sequence", postgresql_where=text("kind <> 'HELD'")),
)

snapshots = Table(
    "snapshots",
    metadata,
    Column("account", Text, primary_key=True),
    Column("sequence", BigInteger, nullable=False),
    Column("version", Integer, nullable=False),
    Column("state", LargeBinary, nullable=False),
)

# Rows of verifications: at most one for each stretch of a ledger, made again when they are lost.
checkpoints = Table(
    "checkpoints",
    metadata,
    Column("account", Text, primary_key=True),
    Column("sequence", BigInteger, primary_key=True),
    Column("version", Integer, nullable=False),
    Column("made_at", DateTime(timezone=True), nullable=False),
    Column("audit", LargeBinary, nullable=False),
)

relay_cursors = Table(
    "relay_cursors",
    metadata,
    Column("account", Text, primary_key=True),
    Column("sequence", BigInteger, nullable=False),
    Column("announced_sequence", BigInteger, nullable=False),
    Column("announced_at", DateTime(timezone=True), nullable=False),
)
