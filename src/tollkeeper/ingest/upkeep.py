"""What is done beside the stream: the recount that must agree, and forgetting what is due.

Guarantee: a recount sees raw events, rollups and counters at the same journal position, because
it runs between two blocks.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from sqlalchemy import Column, Connection, delete, func, select

from tollkeeper.identity.applications import Application
from tollkeeper.store import sql
from tollkeeper.store.events import EventStore
from tollkeeper.store.tables import conflicts, counters, quarantine

_DAY_US = 86_400_000_000
_REPLAYED_DAYS = 30
_KEPT_ROWS = 100_000

Counts = dict[tuple[str, int], tuple[int, int]]
"""(application, UTC day since 1970) → (calls, events)."""


class Difference(NamedTuple):
    """A count that does not agree with the raw events of one application and day."""

    what: str
    application: str
    day: int
    counted: int
    found: int


def recount(
    store: EventStore, connection: Connection, applications: Iterable[Application], now_us: int
) -> tuple[Counts, list[Difference]]:
    """Counts from raw events, and where rollups or counters say something else.

    Days that retention has begun to forget are left out: there raw events are no longer the truth.
    """
    raw = _from_store(store, "count_events")
    kept = {a.id: _first_whole_day(a, now_us) for a in applications}
    differences: list[Difference] = []
    for what, counts in (
        ("usage_hour", _from_store(store, "count_usage_hour")),
        ("usage_day", _from_store(store, "count_usage_day")),
        ("counters", _from_counters(connection)),
    ):
        for place in sorted(raw.keys() | counts.keys()):
            application, day = place
            if day < kept.get(application, 0):
                continue
            counted, found = counts.get(place, (0, 0)), raw.get(place, (0, 0))
            if counted != found:
                differences.append(Difference(what, application, day, counted[0], found[0]))
    return raw, differences


def _first_whole_day(application: Application, now_us: int) -> int:
    """The first day of which neither raw events nor rollups were forgotten."""
    days = [d for d in (application.retention.events_days, application.retention.rollups_days) if d]
    return (now_us // _DAY_US) - min(days) + 1 if days else 0


def _from_store(store: EventStore, name: str) -> Counts:
    rows = store.query(sql.statement(name)).rows
    return {(row[0], int(row[1])): (int(row[2]), int(row[3])) for row in rows}


def _from_counters(connection: Connection) -> Counts:
    rows: Any = connection.execute(
        select(
            counters.c.application,
            counters.c.day,
            func.sum(counters.c.calls),
            func.sum(counters.c.events),
        ).group_by(counters.c.application, counters.c.day)
    )
    return {(row[0], int(row[1])): (int(row[2]), int(row[3])) for row in rows}


def expire(store: EventStore, application: Application, now_us: int) -> list[str]:
    """Forgets what an application keeps no longer; returns which kinds were looked at.

    Whole UTC days only, so that a day is either there or not.
    """
    done = []
    for kind, days, names in (
        ("bodies", application.retention.bodies_days, ("expire_bodies",)),
        ("events", application.retention.events_days, ("expire_events",)),
        (
            "rollups",
            application.retention.rollups_days,
            ("expire_usage_hour", "expire_usage_day"),
        ),
    ):
        if days:
            before = (now_us // _DAY_US - days) * _DAY_US
            for name in names:
                store.command(
                    sql.statement(name), {"application": application.id, "before": before}
                )
            done.append(kind)
    return done


def sweep(connection: Connection, applications: Iterable[Application], now_us: int) -> None:
    """Forgets in the records what is due, so that no table grows without end.

    Counters go with the rollups; what was replayed from quarantine after a month; of quarantine
    and conflicts the newest hundred thousand stay, since anybody can make more of them.
    """
    for application in applications:
        days = application.retention.rollups_days
        if days:
            connection.execute(
                delete(counters).where(
                    counters.c.application == application.id,
                    counters.c.day < now_us // _DAY_US - days,
                )
            )
    long_ago_us = now_us - _REPLAYED_DAYS * _DAY_US
    connection.execute(delete(quarantine).where(quarantine.c.replayed_us < long_ago_us))
    _keep_newest(connection, quarantine.c.id)
    _keep_newest(connection, conflicts.c.seen_us)


def _keep_newest(connection: Connection, order: Column[int]) -> None:
    newest = select(order).order_by(order.desc()).offset(_KEPT_ROWS).limit(1)
    last = connection.execute(newest).scalar()
    if last is not None:
        connection.execute(delete(order.table).where(order <= last))
