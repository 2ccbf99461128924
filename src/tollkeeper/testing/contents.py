"""What a data folder holds, read while no server runs over it.

    python -m tollkeeper.testing.contents DIR

prints one JSON document. It is a program of its own because a process can open one chDB folder.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import msgspec
from sqlalchemy import func, select

from tollkeeper.store.open import open_events, open_records
from tollkeeper.store.records import read
from tollkeeper.store.tables import conflicts, counters, quarantine

Sums = dict[str, tuple[int, int]]
"""User → (calls, events)."""


class Contents(msgspec.Struct):
    """Everything that counts an event: how often it is there, and the sums for each user."""

    ids: dict[str, int]
    keys: dict[str, int]
    raw: Sums
    usage_hour: Sums
    usage_day: Sums
    counters: Sums
    conflicts: int
    held: int


def contents(folder: Path) -> Contents:
    """The contents of a folder, read by a process of its own."""
    done = subprocess.run(  # noqa: S603 - our own module
        [sys.executable, "-m", "tollkeeper.testing.contents", str(folder)],
        capture_output=True,
        check=True,
        timeout=60,
    )
    return msgspec.json.decode(done.stdout, type=Contents)


def _read(folder: Path) -> Contents:
    store = open_events(f"chdb://{folder.absolute() / 'events'}")
    records = open_records(f"sqlite:///{folder.absolute() / 'records.db'}")

    def sums(statement: str) -> Sums:
        return {row[0]: (int(row[1]), int(row[2])) for row in store.query(statement).rows}

    def counts(statement: str) -> dict[str, int]:
        return {str(row[0]): int(row[1]) for row in store.query(statement).rows}

    group = "GROUP BY captured_user"
    rollup = "SELECT captured_user, sum(calls), sum(events) FROM"
    with read(records) as connection:
        counted = connection.execute(
            select(
                counters.c.captured_user, func.sum(counters.c.calls), func.sum(counters.c.events)
            ).group_by(counters.c.captured_user)
        ).all()
        conflict_count = connection.execute(
            select(func.count()).select_from(conflicts)
        ).scalar_one()
        held_count = connection.execute(select(func.count()).select_from(quarantine)).scalar_one()
    found = Contents(
        ids=counts("SELECT id, count() FROM events GROUP BY id"),
        keys=counts("SELECT key, count() FROM event_keys GROUP BY key"),
        raw=sums("SELECT captured_user, sum(weight), count() FROM events GROUP BY captured_user"),
        usage_hour=sums(f"{rollup} usage_hour {group}"),
        usage_day=sums(f"{rollup} usage_day {group}"),
        counters={row[0]: (int(row[1]), int(row[2])) for row in counted},
        conflicts=conflict_count,
        held=held_count,
    )
    store.close()
    records.dispose()
    return found


if __name__ == "__main__":
    sys.stdout.buffer.write(msgspec.json.encode(_read(Path(sys.argv[1]))))
