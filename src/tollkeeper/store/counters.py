"""Calls per day and caller: a count that moves with the journal's position.

Guarantee: ``add`` runs inside the caller's transaction, the same that moves the position, so a
block is counted exactly once or not at all. Callers are as captured; owners are resolved by the
alias table when the count is read.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from sqlalchemy import Connection, func, select

from tollkeeper.model.event import Event
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
    """Adds a block's tally."""
    rows = [
        {**caller._asdict(), "calls": calls, "events": events}
        for caller, (calls, events) in sums.items()
    ]
    upsert(
        connection,
        counters,
        rows,
        keys=_KEY,
        changes=lambda new: {
            "calls": counters.c.calls + new.calls,
            "events": counters.c.events + new.events,
        },
    )


def totals(connection: Connection) -> dict[str, tuple[int, int]]:
    """Calls and events of each application, over all time."""
    rows = connection.execute(
        select(
            counters.c.application, func.sum(counters.c.calls), func.sum(counters.c.events)
        ).group_by(counters.c.application)
    )
    return {application: (int(calls), int(events)) for application, calls, events in rows}
