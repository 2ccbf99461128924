"""The users and customers that are known, and what is known of each: attributes as JSON text."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection, Row, Table, or_, select

from tollkeeper.identity.attributes import merge, text_of
from tollkeeper.store.records import replace_rows, take_versions
from tollkeeper.store.tables import customers, users

_IDS_PER_QUERY = 500


class Roster:
    """Users and customers of one application within one transaction: read once, written once.

    Guarantee: from the first ``load`` until the transaction ends no other writer changes a party.
    Nothing is written before ``flush``.
    """

    def __init__(self, connection: Connection, application: str) -> None:
        """Takes a connection in a transaction that may write."""
        self._connection = connection
        self._application = application
        self._rows: dict[tuple[str, str], dict[str, Any] | None] = {}
        self._changed: dict[tuple[str, str], bool] = {}  # true: under a new version
        self._locked = False

    def load(self, table: Table, ids: Iterable[str]) -> None:
        """Reads the parties that were not read yet."""
        missing = [i for i in dict.fromkeys(ids) if i and (table.name, i) not in self._rows]
        if missing and not self._locked:
            take_versions(self._connection)
            self._locked = True
        for start in range(0, len(missing), _IDS_PER_QUERY):
            part = missing[start : start + _IDS_PER_QUERY]
            self._rows.update({(table.name, party): None for party in part})
            query = select(table).where(
                table.c.application == self._application, table.c.id.in_(part)
            )
            for row in self._connection.execute(query):
                self._rows[table.name, row.id] = dict(row._mapping)

    def introduce(self, table: Table, ids: Iterable[str], now_us: int) -> None:
        """Makes parties that were only named known, without attributes."""
        named = [party for party in dict.fromkeys(ids) if party]
        self.load(table, named)
        for party in named:
            if self._rows[table.name, party] is None:
                self._set(table, party, "{}", created_us=now_us, modified_us=now_us)

    def describe(self, table: Table, party: str, attributes: dict[str, Any], now_us: int) -> bool:
        """Merges attributes into what is known of a party.

        What is older than the last description only fills gaps, so that applying old items again
        undoes nothing.

        Returns:
            Whether this was older than the last description.

        Raises:
            InvalidInput: when the merged attributes are over their limit; nothing changed then.
        """
        self.load(table, [party])
        row = self._rows[table.name, party]
        if row is None:
            text = text_of(attributes)
            self._set(table, party, text, created_us=now_us, modified_us=now_us)
            return False
        stale = bool(now_us < row["modified_us"])
        known = json.loads(row["attributes"])
        text = text_of(merge(attributes, known) if stale else merge(known, attributes))
        if text != row["attributes"] or now_us > row["modified_us"]:
            modified_us = max(now_us, row["modified_us"])
            self._set(table, party, text, created_us=row["created_us"], modified_us=modified_us)
        return stale

    def flush(self) -> None:
        """Writes what changed; new versions go to those of whom something else is known now."""
        fresh = [key for key, versioned in self._changed.items() if versioned]
        if fresh:
            version = take_versions(self._connection, len(fresh)) - len(fresh)
            for number, key in enumerate(fresh, start=version + 1):
                row = self._rows[key]
                if row is not None:
                    row["version"] = number
        for table in (users, customers):
            rows = [self._rows[key] for key in self._changed if key[0] == table.name]
            replace_rows(self._connection, table, [row for row in rows if row is not None])
        self._changed.clear()

    def _set(
        self, table: Table, party: str, text: str, *, created_us: int, modified_us: int
    ) -> None:
        key = (table.name, party)
        before = self._rows[key]
        known = before is not None and before["attributes"] == text
        self._changed[key] = not known or self._changed.get(key, False)
        self._rows[key] = {
            "application": self._application,
            "id": party,
            "attributes": text,
            "created_us": created_us,
            "modified_us": modified_us,
            "version": 0 if before is None else before["version"],
        }


def find(connection: Connection, table: Table, application: str, party: str) -> Row[Any] | None:
    """The row of a user or customer, or none."""
    return connection.execute(
        select(table).where(table.c.application == application, table.c.id == party)
    ).first()


def listing(
    connection: Connection,
    table: Table,
    application: str,
    *,
    search: str,
    after: str | None,
    limit: int,
) -> list[Row[Any]]:
    """Users or customers in order of their ids; ``search`` looks in ids and attributes."""
    query = select(table).where(table.c.application == application)
    if search:
        query = query.where(
            or_(
                table.c.id.icontains(search, autoescape=True),
                table.c.attributes.icontains(search, autoescape=True),
            )
        )
    if after is not None:
        query = query.where(table.c.id > after)
    return list(connection.execute(query.order_by(table.c.id).limit(limit)))
