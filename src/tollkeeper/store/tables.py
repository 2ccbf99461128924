"""The tables of the records database, for SQLite and PostgreSQL alike.

Times are microseconds since the epoch (``_us``), UTC; JSON documents are text. Migrations live in
``store/migrations``; ``all migrations = this schema`` is a test.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

metadata = MetaData()

# A BIGINT key that SQLite can number by itself.
_Key = BigInteger().with_variant(Integer, "sqlite")

applications = Table(
    "applications",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("name", String(200), nullable=False),
    Column("collector_id", String(200), nullable=False, unique=True),
    Column("created_us", BigInteger, nullable=False),
    Column("bodies_days", Integer),
    Column("events_days", Integer),
    Column("rollups_days", Integer),
)

admin_tokens = Table(
    "admin_tokens",
    metadata,
    Column("digest", String(64), primary_key=True),
    Column("name", String(200), nullable=False),
    Column("created_us", BigInteger, nullable=False),
)

sessions = Table(
    "sessions",
    metadata,
    Column("digest", String(64), primary_key=True),
    Column("created_us", BigInteger, nullable=False),
    Column("expires_us", BigInteger, nullable=False),
)

# One row: how far the journal is stored, and the block that is being stored now.
pipeline = Table(
    "pipeline",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("stored_position", BigInteger, nullable=False),
    Column("block_first", BigInteger),
    Column("block_last", BigInteger),
)

# Calls per day and caller, moved in the same transaction as the journal's position.
counters = Table(
    "counters",
    metadata,
    Column("application", String(40), primary_key=True),
    Column("day", Integer, primary_key=True),  # days since 1970-01-01, UTC
    Column("captured_customer", String, primary_key=True),
    Column("captured_user", String, primary_key=True),
    Column("credential", String(64), primary_key=True),
    Column("calls", BigInteger, nullable=False),
    Column("events", BigInteger, nullable=False),
)

# Calls and events of all time, moved with the counters.
totals = Table(
    "totals",
    metadata,
    Column("application", String(40), primary_key=True),
    Column("calls", BigInteger, nullable=False),
    Column("events", BigInteger, nullable=False),
)

quarantine = Table(
    "quarantine",
    metadata,
    Column("id", _Key, primary_key=True, autoincrement=True),
    Column("digest", String(64), nullable=False),
    Column("application", String(40), nullable=False),
    Column("source", String(20), nullable=False),
    Column("resource", String(20), nullable=False),
    Column("reason", String(60), nullable=False),
    Column("field", String(200)),
    Column("detail", Text, nullable=False),
    Column("content", LargeBinary, nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("attributes", Text, nullable=False),
    Column("item", Integer, nullable=False),
    Column("first_seen_us", BigInteger, nullable=False),
    Column("last_seen_us", BigInteger, nullable=False),
    Column("seen_count", BigInteger, nullable=False),
    Column("replayed_us", BigInteger),
    UniqueConstraint("application", "digest", name="quarantine_once"),
)

conflicts = Table(
    "conflicts",
    metadata,
    Column("application", String(40), primary_key=True),
    Column("event_id", String, primary_key=True),
    Column("position", BigInteger, primary_key=True),
    Column("item", Integer, primary_key=True),
    Column("seen_us", BigInteger, nullable=False),
    Column("content", LargeBinary, nullable=False),
)

# Cumulative losses that capture instances reported.
drops = Table(
    "drops",
    metadata,
    Column("application", String(40), primary_key=True),
    Column("instance", String(64), primary_key=True),
    Column("reason", String(60), primary_key=True),
    Column("count", BigInteger, nullable=False),
)

users = Table(
    "users",
    metadata,
    Column("application", String(40), primary_key=True),
    Column("id", String, primary_key=True),
    Column("attributes", Text, nullable=False),
    Column("created_us", BigInteger, nullable=False),
    Column("modified_us", BigInteger, nullable=False),
    Column("version", BigInteger, nullable=False),
)

customers = Table(
    "customers",
    metadata,
    Column("application", String(40), primary_key=True),
    Column("id", String, primary_key=True),
    Column("attributes", Text, nullable=False),
    Column("created_us", BigInteger, nullable=False),
    Column("modified_us", BigInteger, nullable=False),
    Column("version", BigInteger, nullable=False),
)

subscriptions = Table(
    "subscriptions",
    metadata,
    Column("application", String(40), primary_key=True),
    Column("id", String, primary_key=True),
    Column("customer", String, nullable=False),
    Column("status", String(40), nullable=False),
    Column("attributes", Text, nullable=False),
    Column("modified_us", BigInteger, nullable=False),
)

# The last number taken of each sequence. Writers of versioned rows hold its row until they commit,
# so that versions become visible in their order.
sequences = Table(
    "sequences",
    metadata,
    Column("name", String(40), primary_key=True),
    Column("last", BigInteger, nullable=False),
)

# The alias table. A binding holds for [valid_from_us, valid_to_us).
bindings = Table(
    "bindings",
    metadata,
    Column("application", String(40), primary_key=True),
    Column("kind", String(12), primary_key=True),  # credential | user
    Column("key", String, primary_key=True),
    Column("valid_from_us", BigInteger, primary_key=True),
    Column("valid_to_us", BigInteger, nullable=False),
    Column("user", String, nullable=False),
    Column("customer", String, nullable=False),
    Column("learned", Boolean, nullable=False),
    Column("deleted", Boolean, nullable=False),
    Column("version", BigInteger, nullable=False),
)
Index("bindings_version", bindings.c.version)
Index("bindings_user", bindings.c.application, bindings.c.user)
Index("bindings_customer", bindings.c.application, bindings.c.customer)
Index("users_version", users.c.version)
Index("customers_version", customers.c.version)
