"""What the running server tells and does about itself: ready, status, held items, recount."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import groupby
from typing import Any

import msgspec
from sqlalchemy import Engine, func, select

from tollkeeper import __version__
from tollkeeper.clock import Clock, format_us
from tollkeeper.identity.applications import Application
from tollkeeper.ingest import quarantine, upkeep
from tollkeeper.ingest.block import Attributes
from tollkeeper.ingest.pipeline import Pipeline
from tollkeeper.journal.entry import Entry
from tollkeeper.journal.journal import Journal
from tollkeeper.store import counters, sql
from tollkeeper.store.events import EventStore
from tollkeeper.store.records import read, write
from tollkeeper.store.tables import drops

_REPLAY_PAGE = 500


class Operation:
    """Reads the running parts and tells how they are."""

    def __init__(
        self,
        *,
        journal: Journal,
        pipeline: Pipeline,
        store: EventStore,
        records: Engine,
        applications: Callable[[], Sequence[Application]],
        clock: Clock,
    ) -> None:
        self._journal = journal
        self._pipeline = pipeline
        self._store = store
        self._records = records
        self._applications = applications
        self._clock = clock
        self._started_us = clock.now_us()

    def ready(self) -> str | None:
        """Why the server is not ready; ``None`` when events are taken and stored."""
        if not self._pipeline.alive:
            return "the pipeline is not running"
        return self._journal.failure or self._pipeline.failure

    def status(self) -> dict[str, Any]:
        """Counts, backlog, losses; what the dashboard and the command line show of the server."""
        with read(self._records) as connection:
            totals = counters.totals(connection)
            held = quarantine.count(connection)
            lost = connection.execute(
                select(drops.c.reason, func.sum(drops.c.count)).group_by(drops.c.reason)
            ).all()
        newest = self._store.query(sql.statement("last_event")).rows
        entries, size = self._journal.backlog()
        refusal = self._journal.refusal() or self._journal.failure
        return {
            "version": __version__,
            "started_at": format_us(self._started_us),
            "as_of": format_us(self._clock.now_us()),
            "applications": len(self._applications()),
            "events_total": sum(events for _, events in totals.values()),
            "calls_total": sum(calls for calls, _ in totals.values()),
            "last_event_at": format_us(newest[0][0]) if newest else None,
            "journal": {
                "backlog_entries": entries,
                "backlog_bytes": size,
                "last_position": self._journal.last_position,
                "stored_position": self._pipeline.stored_position,
            },
            "quarantine": {"count": held},
            "dropped": {reason: int(count) for reason, count in lost},
            "accepting": refusal is None,
            "refusal": refusal,
        }

    def held(self, *, limit: int, after: int) -> tuple[int, list[dict[str, Any]]]:
        """Number of held items, and a page of them from behind an id on."""
        with read(self._records) as connection:
            return quarantine.count(connection), quarantine.listing(
                connection, limit=limit, after=after
            )

    def replay(self, ids: list[int] | None) -> int:
        """Sends held items through the journal again; what fails again is held again.

        Raises:
            Overloaded: the journal takes nothing now; what was not sent stays held.
        """
        sent = after = 0
        while True:
            with read(self._records) as connection:
                page = quarantine.listing(connection, limit=_REPLAY_PAGE, after=after)
            if not page:
                return sent
            after = page[-1]["id"]
            chosen = [row for row in page if ids is None or row["id"] in ids]
            for place, rows in groupby(chosen, key=_place):
                sent += self._send_again(place, list(rows))

    def _send_again(self, place: tuple[str, str, str, bool], rows: list[dict[str, Any]]) -> int:
        application, source, resource, whole = place
        for row in rows if whole else [None]:
            body = row["content"] if row else b"[" + b",".join(r["content"] for r in rows) + b"]"
            entry = Entry(
                position=0,
                application=application,
                resource=resource,
                source=source,
                received_us=self._clock.now_us(),
                attributes=msgspec.json.encode(Attributes(agent="replay")).decode(),
                item_count=1 if row else len(rows),
                body=body,
            )
            self._journal.append(entry).result()
        with write(self._records) as connection:
            quarantine.mark_replayed(
                connection, [row["id"] for row in rows], now_us=self._clock.now_us()
            )
        return len(rows)

    def recount(self) -> dict[str, Any]:
        """Counts raw events again and tells where rollups or counters differ."""
        with self._pipeline.between_blocks(), read(self._records) as connection:
            raw, differences = upkeep.recount(
                self._store, connection, self._applications(), self._clock.now_us()
            )
        totals: dict[str, dict[str, int]] = {}
        for (application, _), (calls, events) in raw.items():
            total = totals.setdefault(application, {"calls": 0, "events": 0})
            total["calls"] += calls
            total["events"] += events
        return {
            "equal": not differences,
            "applications": totals,
            "differences": [difference._asdict() for difference in differences],
        }


def _place(row: dict[str, Any]) -> tuple[str, str, str, bool]:
    """What can be sent together: JSON objects of one kind; anything else goes alone."""
    whole = not row["content"].lstrip().startswith(b"{")
    return row["application"], row["source"], row["resource"], whole
