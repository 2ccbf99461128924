"""Events that came under the id of another one and say something else: the first stays, these are kept aside.

They are masked as stored events are, since they went the same way as far as the comparison.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, func, select

from tollkeeper.store.tables import conflicts


def count(connection: Connection) -> int:
    """How many are kept."""
    return int(connection.execute(select(func.count()).select_from(conflicts)).scalar_one())


def listing(connection: Connection, *, event_id: str | None, limit: int) -> list[dict[str, Any]]:
    """The newest, first; those of one event's id only when it is given.

    Shape: dicts with the columns of the table ``conflicts``; ``content`` is the event as JSON.
    """
    query = select(conflicts).order_by(
        conflicts.c.seen_us.desc(), conflicts.c.position.desc(), conflicts.c.item.desc()
    )
    if event_id is not None:
        query = query.where(conflicts.c.event_id == event_id)
    return [dict(row) for row in connection.execute(query.limit(limit)).mappings()]
