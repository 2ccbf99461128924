"""Opens stores by address: the one place where embedded and scaled-out differ.

Events: ``chdb://DIR`` (embedded, one process owns the folder) or
``clickhouse://user:password@host:port/database``. Records: any SQLAlchemy address, by default
``sqlite:///FILE``; PostgreSQL as ``postgresql+psycopg://…``.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote, urlsplit

from sqlalchemy import Engine, create_engine, event

from tollkeeper.errors import InvalidSettings, StoreError
from tollkeeper.store.events import EventStore


def open_events(uri: str, *, database: str = "tollkeeper") -> EventStore:
    """The event store at an address, with its tables made if they are not there.

    Raises:
        InvalidSettings: for an address of another kind.
        StoreError: the folder cannot be opened, as when another process owns it.
    """
    import clickhouse_connect

    parts = urlsplit(uri)
    if parts.scheme == "chdb":
        path = unquote(uri.removeprefix("chdb://"))
        return EventStore(lambda: _open_chdb(path), database=database)
    if parts.scheme in {"clickhouse", "clickhouses"}:
        options: dict[str, Any] = {
            "host": parts.hostname or "127.0.0.1",
            "port": parts.port or 8123,
            "username": unquote(parts.username or "default"),
            "password": unquote(parts.password or ""),
            "secure": parts.scheme == "clickhouses",
            "autogenerate_session_id": False,
        }
        name = parts.path.strip("/") or database
        return EventStore(lambda: clickhouse_connect.get_client(**options), database=name)
    raise InvalidSettings(
        f"cannot open an event store at {parts.scheme}://…; chdb:// and clickhouse:// are known",
        field="events",
    )


def _open_chdb(path: str) -> Any:
    import clickhouse_connect
    from clickhouse_connect.driver.exceptions import ProgrammingError

    try:
        return clickhouse_connect.get_client(interface="chdb", path=path)
    except ProgrammingError as error:
        # The engine says the reason on standard error only; nearly always it is its lock.
        raise StoreError(f"cannot open {path}; does another server run on this folder?") from error


def open_records(uri: str) -> Engine:
    """An engine for the records database, with what durability needs switched on."""
    # Errors go to the log and to whoever asks for readiness: never with the values of a statement.
    options: dict[str, Any] = {"hide_parameters": True}
    if uri.startswith("postgresql+psycopg:"):
        # Prepared statements get plans that ignore the values: long lists of keys were scanned
        # instead of looked up (75 ms for 4 ms). Poolers between us and the server dislike them too.
        options["connect_args"] = {"prepare_threshold": None}
    engine = create_engine(uri, pool_pre_ping=not uri.startswith("sqlite"), **options)
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    # pysqlite starts transactions late; we start them ourselves so that a read and the write
    # that follows it are one step.
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.execute("PRAGMA busy_timeout=10000")
    cursor.close()


def _begin_sqlite(connection: Any) -> None:
    immediate = connection.get_execution_options().get("writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")
