"""Insert-or-update in both record databases: the one place that knows their dialects."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Table
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.sql import ColumnElement

Changes = Callable[[Any], Mapping[str, ColumnElement[Any] | Any]]


def upsert(
    connection: Connection,
    table: Table,
    rows: Sequence[Mapping[str, Any]],
    *,
    keys: Sequence[str],
    changes: Changes | None = None,
) -> None:
    """Inserts rows; where ``keys`` meet an existing row, sets what ``changes`` says of it.

    ``changes`` gets the row that could not be inserted (SQL's ``excluded``); without it existing
    rows stay as they are. A call's rows must not meet each other.
    """
    if not rows:
        return
    build = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    statement = build(table)
    if changes is None:
        connection.execute(statement.on_conflict_do_nothing(index_elements=list(keys)), list(rows))
        return
    connection.execute(
        statement.on_conflict_do_update(
            index_elements=list(keys), set_=dict(changes(statement.excluded))
        ),
        list(rows),
    )
