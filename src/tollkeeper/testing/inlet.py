"""Journal, pipeline and stores without a server: for tests that send thousands of small blocks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Any

import msgspec
from prometheus_client import CollectorRegistry
from sqlalchemy import func, select

from tollkeeper.app.identities import Identities
from tollkeeper.clock import SYSTEM_CLOCK
from tollkeeper.ingest.block import Attributes
from tollkeeper.ingest.normalise import Context
from tollkeeper.ingest.outcomes import Outcomes
from tollkeeper.ingest.pipeline import Announcer, Pipeline
from tollkeeper.ingest.seen import Seen
from tollkeeper.ingest.telemetry import IngestMetrics
from tollkeeper.journal.entry import Entry
from tollkeeper.journal.journal import Journal, Limits
from tollkeeper.store import progress
from tollkeeper.store.events import EventStore
from tollkeeper.store.records import open_migrated, read
from tollkeeper.store.tables import conflicts, counters, quarantine

PEPPER = b"p" * 32
_SEEN_BITS = 2**20
_SMALL_FILES = Limits(backlog_bytes=2**40, free_bytes=0, segment_bytes=4096)

Sums = dict[str, tuple[int, int]]
"""User → (calls, events)."""


class Totals(msgspec.Struct):
    """Everything that counts the events of one application."""

    events: dict[str, int]
    keys: int
    raw: Sums
    usage_hour: Sums
    usage_day: Sums
    counters: Sums
    conflicts: int
    held: int


class Inlet:
    """The way of an event from the journal on, driven by the calling thread."""

    def __init__(
        self,
        folder: Path,
        store: EventStore,
        *,
        fault: Callable[[str], None] = lambda _: None,
        announcers: Sequence[Announcer] = (),
    ) -> None:
        """Opens everything of a folder; ``fault`` is called at the pipeline's named points.

        ``peer`` is the address that entries come from, ``peer_of`` what the pipeline makes of it.
        """
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.store = store
        self.fault = fault
        self.peer = "192.0.2.1"
        self.peer_of: Callable[[Attributes], str] = lambda attributes: attributes.peer
        self.metrics = IngestMetrics(CollectorRegistry())
        self.outcomes = Outcomes()
        self._announcers = announcers
        self.records = open_migrated(f"sqlite:///{folder / 'records.db'}")
        self._open()

    def _open(self) -> None:
        self.journal = Journal(
            self.folder / "journal",
            stored_position=progress.load_behind(
                self.records, self.store.last_position
            ).stored_position,
            limits=_SMALL_FILES,
        )
        self.pipeline = Pipeline(
            journal=self.journal,
            store=self.store,
            records=self.records,
            seen=Seen(self.folder / "seen", first_bits=_SEEN_BITS),
            context=self._context,
            parties=Identities(PEPPER, lambda: None),
            announcers=self._announcers,
            outcomes=self.outcomes,
            metrics=self.metrics,
            clock=SYSTEM_CLOCK,
            fault=lambda point: self.fault(point),
        )
        self.pipeline.recall()

    def reopen(self) -> None:
        """Begins again from what is on disk, as a new process does."""
        self.journal.close()
        self._open()

    def close(self) -> None:
        """Closes journal and records; the store is whoever gave it to close."""
        self.journal.close()
        self.records.dispose()

    def send(self, application: str, body: Any, *, resource: str = "events") -> int:
        """Appends one body (JSON text, or what becomes it) and returns its position."""
        content = body if isinstance(body, bytes) else msgspec.json.encode(body)
        digest = blake2b(content, digest_size=16).hexdigest()
        entry = Entry(
            position=0,
            application=application,
            resource=resource,
            source="native",
            received_us=SYSTEM_CLOCK.now_us(),
            attributes=msgspec.json.encode(Attributes(peer=self.peer, digest=digest)).decode(),
            item_count=len(body) if isinstance(body, list) else 1,
            body=content,
        )
        return self.journal.append(entry).result()

    def drain(self) -> None:
        """Stores all that waits."""
        while self.pipeline.run_once():
            pass

    def totals(self, application: str) -> Totals:
        """All counts of one application."""
        bound = {"application": application}
        where = "WHERE application = {application:String}"

        def sums(what: str) -> Sums:
            text = f"SELECT captured_user, {what} {where} GROUP BY captured_user"
            rows = self.store.query(text, bound).rows
            return {row[0]: (int(row[1]), int(row[2])) for row in rows}

        text = f"SELECT id, count() FROM events {where} GROUP BY id"  # noqa: S608 - ours
        found = self.store.query(text, bound).rows
        text = f"SELECT count() FROM event_keys {where}"  # noqa: S608 - ours
        keys = self.store.query(text, bound).rows
        with read(self.records) as connection:
            counted = connection.execute(
                select(
                    counters.c.captured_user,
                    func.sum(counters.c.calls),
                    func.sum(counters.c.events),
                )
                .where(counters.c.application == application)
                .group_by(counters.c.captured_user)
            ).all()
            aside = [
                connection.execute(
                    select(func.count()).select_from(t).where(t.c.application == application)
                ).scalar_one()
                for t in (conflicts, quarantine)
            ]
        return Totals(
            events={row[0]: int(row[1]) for row in found},
            keys=int(keys[0][0]),
            raw=sums("sum(weight), count() FROM events"),
            usage_hour=sums("sum(calls), sum(events) FROM usage_hour"),
            usage_day=sums("sum(calls), sum(events) FROM usage_day"),
            counters={row[0]: (int(row[1]), int(row[2])) for row in counted},
            conflicts=aside[0],
            held=aside[1],
        )

    def _context(self, entry: Entry, attributes: Attributes) -> Context:
        return Context(
            application=entry.application,
            source=entry.source,
            position=entry.position,
            received_us=entry.received_us,
            digest=attributes.digest,
            peer=self.peer_of(attributes),
            pepper=PEPPER,
            user_claim="",
        )
