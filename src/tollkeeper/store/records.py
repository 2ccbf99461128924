"""The records database: opening, its schema, its transactions.

Guarantee: a ``write`` transaction sees what it reads until it commits as far as versioned rows
go: SQLite lets one writer in at a time, and on PostgreSQL ``take_versions`` makes the writers of
versioned rows wait for each other.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, Engine, Table, text

from tollkeeper.store import migrations, tables
from tollkeeper.store.open import open_records
from tollkeeper.store.upsert import upsert

_MIGRATION_LOCK = 0x746F6C6C  # any number, the same in every process
_VERSIONS = "versions"


def open_migrated(uri: str) -> Engine:
    """The records database at an address, with its schema up to date."""
    engine = open_records(uri)
    migrate(engine)
    return engine


def migrate(engine: Engine) -> None:
    """Brings the schema up to date; what is missing is done in one transaction, or not at all.

    Guarantee: several processes may start at once; one does the work, the others wait for it.
    """
    config = Config()
    folder = str(Path(migrations.__file__).parent)
    config.set_main_option("script_location", folder.replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    with write(engine) as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _MIGRATION_LOCK})
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


@contextmanager
def write(engine: Engine) -> Iterator[Connection]:
    """A connection in a transaction that may write; commits at the end, rolls back on an error."""
    with engine.connect().execution_options(writes=True) as connection, connection.begin():
        yield connection


@contextmanager
def read(engine: Engine) -> Iterator[Connection]:
    """A connection in a transaction that only reads."""
    with engine.connect() as connection, connection.begin():
        yield connection


def replace_rows(connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Writes rows, over those with the same primary key; each row names every column."""
    keys = [column.name for column in table.primary_key]
    others = [column.name for column in table.columns if column.name not in keys]
    upsert(
        connection, table, rows, keys=keys, changes=lambda new: {name: new[name] for name in others}
    )


def insert_missing(connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Writes the rows whose primary key is not there yet; the others stay as they are."""
    upsert(connection, table, rows, keys=[column.name for column in table.primary_key])


def take_versions(connection: Connection, count: int = 0) -> int:
    """Takes ``count`` version numbers and returns the last of them.

    Guarantee: until the transaction ends nobody else can take one, so a larger version is never
    visible before a smaller one, and whoever takes (also none) before reading versioned rows
    reads what no other writer is changing.
    """
    upsert(
        connection,
        tables.sequences,
        [{"name": _VERSIONS, "last": count}],
        keys=["name"],
        changes=lambda new: {"last": tables.sequences.c.last + new.last},
    )
    return last_version(connection)


def last_version(connection: Connection) -> int:
    """The last version number that was taken, as this connection sees it; zero before the first."""
    query = tables.sequences.select().where(tables.sequences.c.name == _VERSIONS)
    row = connection.execute(query).first()
    return 0 if row is None else int(row.last)
