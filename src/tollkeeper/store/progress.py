"""How far the journal is stored, and which block is being stored now.

The block is written down before it is stored: after a crash exactly the same range is sent again
under the same token, because a block that was stored in half is completed only by itself.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from sqlalchemy import Connection, Engine, select, update

from tollkeeper.store.records import write
from tollkeeper.store.tables import pipeline


class Progress(NamedTuple):
    """``stored_position`` 0 means nothing yet; ``block`` is (first, last) or none under way."""

    stored_position: int
    block: tuple[int, int] | None


def load(engine: Engine) -> Progress:
    """Where the last process stopped."""
    with write(engine) as connection:
        row = connection.execute(select(pipeline).where(pipeline.c.id == 1)).one_or_none()
        if row is None:
            connection.execute(pipeline.insert().values(id=1, stored_position=0))
            return Progress(0, None)
    block = None if row.block_first is None else (row.block_first, row.block_last)
    return Progress(row.stored_position, block)


def load_behind(engine: Engine, newest: Callable[[], int]) -> Progress:
    """Where the last process stopped; new records begin behind what the store already holds.

    A store that outlives its records knows the ranges of its newest blocks: a range that came
    again would be taken for a block that it has. ``newest`` is asked for new records only.
    """
    begun = load(engine)
    if begun != Progress(0, None):
        return begun
    position = newest()
    with write(engine) as connection:
        finish(connection, position)
    return Progress(position, None)


def begin(engine: Engine, first: int, last: int) -> None:
    """Writes down the block that will be stored next."""
    with write(engine) as connection:
        connection.execute(
            update(pipeline).where(pipeline.c.id == 1).values(block_first=first, block_last=last)
        )


def stored_position(connection: Connection) -> int:
    """How far the journal is stored, as this transaction sees it."""
    row = connection.execute(select(pipeline.c.stored_position).where(pipeline.c.id == 1))
    return int(row.scalar_one())


def finish(connection: Connection, last: int) -> None:
    """Moves the position, within the transaction that also moves everything counted."""
    connection.execute(
        update(pipeline)
        .where(pipeline.c.id == 1)
        .values(stored_position=last, block_first=None, block_last=None)
    )
