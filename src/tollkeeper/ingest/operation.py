"""What the running server tells and does about itself: ready, status, held items, recount."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec
from sqlalchemy import Engine, func, select

from tollkeeper import __version__
from tollkeeper.clock import Clock, format_us
from tollkeeper.errors import Overloaded
from tollkeeper.identity.applications import Application
from tollkeeper.ingest import conflicts, quarantine, upkeep
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
        return self._journal.refusal() or self._journal.failure or self._pipeline.failure

    def status(self) -> dict[str, Any]:
        """Counts, backlog, losses; what the dashboard and the command line show of the server."""
        with read(self._records) as connection:
            totals = counters.totals(connection)
            held = quarantine.count(connection)
            conflicting = conflicts.count(connection)
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
            "conflicts": {"count": conflicting},
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

    def conflicts(self, *, event_id: str | None, limit: int) -> tuple[int, list[dict[str, Any]]]:
        """Number of conflicting events, and the newest of them."""
        with read(self._records) as connection:
            found = conflicts.listing(connection, event_id=event_id, limit=limit)
            return conflicts.count(connection), found

    def replay(self, ids: list[int] | None) -> int:
        """Sends held items through the journal again; what fails again is held again.

        What was too large to be kept whole stays where it is.

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
            sent += self._send_again([row for row in chosen if quarantine.whole(row)])

    def _send_again(self, rows: list[dict[str, Any]]) -> int:
        """Each item is an entry of its own, as if it had come alone, but with the id it had."""
        now_us = self._clock.now_us()
        waiting = [(row, self._journal.append(_entry(row, now_us))) for row in rows]
        sent = [row for row, future in waiting if future.exception() is None]
        with write(self._records) as connection:
            quarantine.mark_replayed(connection, sent, now_us=now_us)
        if len(sent) < len(rows):
            raise Overloaded("not all could be sent again now", code="journal_full")
        return len(sent)

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


def _entry(row: dict[str, Any], now_us: int) -> Entry:
    attributes = msgspec.json.decode(row["attributes"], type=Attributes)
    attributes.first_item = row["item"]
    # It is as old as when it came, except where exactly that was what was wrong.
    early = row["reason"] == "time_out_of_range"
    return Entry(
        position=0,
        application=row["application"],
        resource=row["resource"],
        source=row["source"],
        received_us=now_us if early else row["last_seen_us"],
        attributes=msgspec.json.encode(attributes).decode(),
        item_count=1,
        body=row["content"],
    )
