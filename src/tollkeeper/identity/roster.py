"""The users and customers that are known, and what is known of each: attributes as JSON text."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection, Row, Table, or_, select

from tollkeeper.identity.attributes import merge, text_of
from tollkeeper.store.records import insert_missing, replace_rows, take_versions
from tollkeeper.store.tables import customers, users

_IDS_PER_QUERY = 500


def introduce(
    connection: Connection,
    application: str,
    *,
    user_ids: Iterable[str],
    customer_ids: Iterable[str],
    now_us: int,
) -> None:
    """Makes users and customers that were only named known, without attributes."""
    for table, ids in ((users, set(user_ids)), (customers, set(customer_ids))):
        wanted = sorted(ids - {""})
        known: set[str] = set()
        for start in range(0, len(wanted), _IDS_PER_QUERY):
            part = wanted[start : start + _IDS_PER_QUERY]
            query = select(table.c.id).where(
                table.c.application == application, table.c.id.in_(part)
            )
            known.update(connection.execute(query).scalars())
        new = [party for party in wanted if party not in known]
        if new:
            version = take_versions(connection, len(new)) - len(new)
            rows = [
                _row(application, party, "{}", now_us, now_us, number)
                for number, party in enumerate(new, start=version + 1)
            ]
            insert_missing(connection, table, rows)


def describe(
    connection: Connection,
    table: Table,
    application: str,
    party: str,
    attributes: dict[str, Any],
    now_us: int,
) -> bool:
    """Merges attributes into what is known of a user or customer.

    What is older than the last description only fills gaps, so that applying old items again
    undoes nothing.

    Returns:
        Whether this was older than the last description.

    Raises:
        InvalidInput: when the merged attributes are over their limit; nothing is written then.
    """
    take_versions(connection)
    row = find(connection, table, application, party)
    if row is None:
        text = text_of(attributes)
        version = take_versions(connection, 1)
        replace_rows(connection, table, [_row(application, party, text, now_us, now_us, version)])
        return False
    stale = bool(now_us < row.modified_us)
    known = json.loads(row.attributes)
    text = text_of(merge(attributes, known) if stale else merge(known, attributes))
    if text != row.attributes or not stale:
        version = take_versions(connection, 1) if text != row.attributes else row.version
        modified_us = max(now_us, row.modified_us)
        changed = _row(application, party, text, row.created_us, modified_us, version)
        replace_rows(connection, table, [changed])
    return stale


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


def _row(
    application: str, party: str, text: str, created_us: int, modified_us: int, version: int
) -> dict[str, Any]:
    return {
        "application": application,
        "id": party,
        "attributes": text,
        "created_us": created_us,
        "modified_us": modified_us,
        "version": version,
    }
