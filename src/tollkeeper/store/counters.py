"""Calls per day and caller: a count that moves with the journal's position.

Guarantee: ``add`` runs inside the caller's transaction, the same that moves the position, so a
block is counted exactly once or not at all. Callers are as captured; owners are resolved by the
alias table when the count is read.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from sqlalchemy import Connection, Table, select

from tollkeeper.model.event import Event
from tollkeeper.store import tables
from tollkeeper.store.tables import counters
from tollkeeper.store.upsert import upsert

_DAY_US = 86_400_000_000
_KEY = ("application", "day", "captured_customer", "captured_user", "credential")


class Caller(NamedTuple):
    """What a counter counts. ``day`` is days since 1970-01-01, UTC."""

    application: str
    day: int
    captured_customer: str
    captured_user: str
    credential: str


def tally(events: Iterable[Event]) -> dict[Caller, tuple[int, int]]:
    """Calls (restored from weights) and events of a block, for each caller."""
    sums: dict[Caller, tuple[int, int]] = {}
    for event in events:
        known = event.captured_user and event.captured_customer
        caller = Caller(
            event.application,
            event.time // _DAY_US,
            event.captured_customer,
            event.captured_user,
            "" if known else event.credential,
        )
        calls, count = sums.get(caller, (0, 0))
        sums[caller] = (calls + event.weight, count + 1)
    return sums


def add(connection: Connection, sums: dict[Caller, tuple[int, int]]) -> None:
    """Adds a block's tally, to each caller and to the totals of each application."""
    together: dict[str, tuple[int, int]] = {}
    for caller, (calls, events) in sums.items():
        before = together.get(caller.application, (0, 0))
        together[caller.application] = (before[0] + calls, before[1] + events)
    _add(
        connection,
        counters,
        [
            {**caller._asdict(), "calls": calls, "events": events}
            for caller, (calls, events) in sums.items()
        ],
        _KEY,
    )
    _add(
        connection,
        tables.totals,
        [
            {"application": application, "calls": calls, "events": events}
            for application, (calls, events) in together.items()
        ],
        ("application",),
    )


def _add(
    connection: Connection, table: Table, rows: list[dict[str, Any]], keys: tuple[str, ...]
) -> None:
    upsert(
        connection,
        table,
        rows,
        keys=keys,
        changes=lambda new: {
            "calls": table.c.calls + new.calls,
            "events": table.c.events + new.events,
        },
    )


def totals(connection: Connection) -> dict[str, tuple[int, int]]:
    """Calls and events of each application, over all time, whatever was let go since."""
    rows = connection.execute(select(tables.totals))
    return {row.application: (int(row.calls), int(row.events)) for row in rows}
